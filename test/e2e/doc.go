// Package e2e holds what only a real cluster can show: real pods behind a real gateway and a real Prometheus, with the
// controller in a pod under its shipped service account, and a load that counts every request.
//
// The tests are behind the build tag e2e; `make e2e` makes a cluster of their own and runs them. Each works in a
// namespace of its own. Those that break something that all share, the controller or Prometheus, run one by one before
// the others, which run side by side.
//
// Nothing is asserted about how long something takes, but for a release beside that of a Deployment, and for harm that is
// found in the time that was foretold. What happened is read from counters: those of the load generator, those of the
// audit log, and the changes of a Rollout's status, every one of which a watch has seen.
package e2e
