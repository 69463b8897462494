// Package why says in one paragraph what a Rollout waits for, since when, and what would move it. It is pure, and decides
// nothing: what is so comes from the status, which the planner has written, and from the AnalysisRuns; what would move it
// is one sentence for each reason that the planner gives (moves.go).
package why
