// Package sim proves the planner on a small cluster. It is pure: worlds are values, and every choice that a real cluster
// leaves to chance is an event that the explorer tries.
//
// A World holds what the API server would hold (ReplicaSets, two Services, one route, AnalysisRuns, the status of the
// Rollout), what the data plane has made of it (endpoints, the weight that the gateway has programmed), a clock, and a
// budget of things that people and machines may still do to it. Explore visits every world that can be reached from a
// first one by
//
//   - a pass of the planner, cut short by a crash after each of its writes, or carried out and persisted;
//   - one step of another controller: pods come or go, endpoints follow, the gateway programs a weight;
//   - one event from the budget: the template changes, a person aborts or promotes, a pod dies, an analysis fails;
//   - time.
//
// After each write the invariants of invariants.go are checked against the truth of the world, not at the end. From
// every world that was reached, Settle then lets only helpful things happen and checks that the release comes to rest:
// a deadlock that a lucky event would have hidden is found.
package sim
