// Package scenario reads and plays scenarios: releases told in plain words, which run in the simulation, against a real
// API server and on a cluster. The files are in test/scenarios; test/scenarios/WORDS.md lists every word.
//
//	# An analysis fails at the second step: all traffic goes back to stable.
//	strategy canary
//	replicas 4
//	step weight 25 pause 1s
//	step weight 50 analysis
//
//	release v1
//	until phase Healthy
//	never traffic is lost
//	release v2
//	until analysis step-2 Running
//	expect traffic v1 50 v2 50
//	analysis fails
//	until history Aborted v2 AnalysisFailed
//	expect phase Degraded
//	until pods v1 4
//
// One line is one sentence. A file begins with a comment that says what it shows, then comes the set-up: the spec of the
// Rollout, in the words of its fields. Then come events, waits and checks. What happens to a Rollout is written by no
// other hand than its words say, so that the same file means the same in every world:
//
//   - "until" waits, as long as it takes, for the status to speak of the newest spec and command and for the condition;
//   - "expect" does not wait for time to pass;
//   - "always" and "never" hold from their line to the end, at every moment that the driver shows.
//
// A driver (Driver) plays the world. What not every one of them can do, such as letting an hour pass, a scenario Needs;
// a driver that leaves one out says so.
package scenario
