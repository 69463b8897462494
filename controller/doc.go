// Package controller puts the controllers of Sluice together. This is the map of them.
//
// # What runs
//
//	rollout      releases: keeps ReplicaSets, Services and routes as the state machine wants them
//	analysisrun  measures: carries out AnalysisRuns, and checks analysis templates
//
// Both are started by Setup, the one list of controllers. They share nothing but objects in the cluster: a Rollout
// creates an AnalysisRun and waits for its verdict.
//
// # A change of a Rollout, from the edit to the traffic
//
//	rollout/watches.go     the edit wakes the Rollout
//	rollout/reconciler.go  one pass: observe → plan → apply → record
//	rollout/observe*.go    Observe: the cache → one planner.Snapshot; never older than our own last write
//	planner/next.go        Plan: the Snapshot → one planner.Plan; pure, and the only place that decides
//	rollout/apply*.go      Apply: the actions of the plan, in order, each harmless when repeated
//	rollout/record.go      Record: the status in one write, when it differs; then the events
//
// What a pass changes wakes the Rollout again, and so does the time that its plan asks for. A pass never waits for what
// it has begun: the next one sees it.
//
// # Where to change what
//
//	when a step is complete, what an abort does, how many pods ...  planner; its doc.go lists the rules by file
//	what "plan" foretells                                           planner/forecast
//	what "why" says                                                 planner/why
//	what a strategy means                                           planner/compile.go
//	what counts as wrong in a spec, and what is said about it       api/v1alpha1 (schema), rollout/problems.go (cluster)
//	what a ReplicaSet or a standby Service looks like               rollout/apply_replicasets.go, rollout/apply_services.go
//	names of objects, and the hash of a revision                    revision
//	what a ConfigMap or Secret has to do with a revision            configuration
//	what is kept in memory                                          rollout/cache.go
//	how weights get into a route                                    trafficrouting/<name>
//	when an analysis passes                                         analysis
//	what a person's command writes                                  command
//
// # Who may import whom
//
//	api ← planner ← rollout ← controller ← cmd;  api ← revision ← configuration ← rollout;  revision ← command;  api ← analysis ← analysisrun;  api ← trafficrouting
//
// The planner, revision and configuration know no client and no clock. The linter holds this, and a test beside the planner.
package controller
