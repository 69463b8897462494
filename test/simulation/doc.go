// Package simulation runs the real controller of Rollouts, observe, plan, apply and record, in a world that is made up: an API
// server, caches that lag, pods, endpoints, a gateway, verdicts, people, and a clock that stands still until it is told.
// One goroutine does everything, no real time passes, and the same run twice is the same run.
//
// # The world
//
//	store.go, server.go, patch.go  the API server: UIDs, versions, generations, status apart, 409, finalizers, preconditions
//	client.go                      client.Client in front of it
//	cache.go                       what the watches of one controller have shown it so far, kind by kind
//	process.go                     one controller: its caches, its queue, its clock, its memory, and the way out of it
//	environment.go, pods.go, network.go  other controllers, kubelets and gateways, each with its delay
//	world.go                       the order in which all of them act
//
// # The proof
//
//	truth.go, invariants*.go       the 34 invariants, checked after every write, against the API server
//	story.go, stories.go           what people do, and when
//	fault.go                       crashes, stale reads, lost events, second leaders, clocks that jump
//	explore.go                     every story with every fault at every write
//
// # Where it is simpler than a cluster
//
// A change of a Service, an EndpointSlice, a route or a template wakes every Rollout of its namespace; a change of a
// ReplicaSet or an AnalysisRun the Rollout that owns it. The controller maps them more narrowly, by indexes. Validation by
// the schema, admission and quotas are tested against a real API server, and server-side apply is not served here.
package simulation
