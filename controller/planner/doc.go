// Package planner decides what a Rollout does next. It is pure: Next looks at one Snapshot and answers with one Plan.
// It has no client, no clock, no router and no provider, and the same snapshot always gives the same plan.
//
// # The machine
//
// Every strategy is compiled (compile.go) into one list of steps, and the machine knows only steps:
//
//	        target ≠ stable           all steps done         all traffic on the candidate
//	Idle ───────────────────► Stepping ───────────► Promoting ───────────────► Idle
//	 ▲                            │                     │
//	 │                            └──── Retreating ◄────┘   abort, failed analysis, deadline, another template
//	 │        superseded, returned    │        │ aborted
//	 └────────────────────────────────┘        ▼
//	 ▲                                      Aborted ──── retry, another template ───► Stepping
//	 └──────────── the stable template ────────┘
//
// Initial is the first release of all: there is no stable yet, and so there are no steps. A release whose stable is lost
// goes the same way: by stepping over its steps to Promoting. Retreating ends after the progress deadline also when
// nothing of stable becomes ready; traffic then stays where it is served until it can go back.
//
// # A step
//
// Each line begins only when the one before it has been observed, never because it was asked for:
//
//  1. Scale the candidate to what the step needs.
//  2. Wait until so many pods are available, and are ready endpoints of the Service that will carry them.
//  3. Move the traffic, and wait until the API reports it in place; then wait for Spec.Settle.
//     Where the spec asks for a probe, wait until one has seen the candidate answer its share.
//  4. Start the gates: pauses and analyses count from here.
//  5. All gates hold: the next step.
//
// # Where to change a rule
//
//	next.go       the order of the pass, and the plan it makes
//	command.go    what a person's command does in each stage
//	transition.go how stages follow each other
//	stepping.go   steps, gates and the deadline
//	gates.go      when a gate holds
//	probe.go      what confirms a share before the gates
//	policy.go     what becomes of a release by a verdict, or without one
//	shifts.go     what analyses are told of traffic that moves
//	rollback.go   which revisions come back without steps
//	ending.go     promotion, retreat, and the stages at rest
//	traffic.go    which Service points where and what weight the routes have: every write that moves traffic
//	weigh.go      the weight of a step, and what is laid over it
//	capacity.go   how many pods a weight needs
//	carry.go      what becomes of a weight when endpoints that carry it fail
//	scale.go      who may grow and who may shrink
//	contest.go    what happens when somebody else writes what a release needs
//	leaving.go    the end of a Rollout that is being deleted
//	workload.go   the pods of the Deployment that the template comes from
//	restart.go    replacing pods
//	experiment.go fresh baselines beside a candidate
//	configuration.go what a changed ConfigMap or Secret starts
//	history.go    which old ReplicaSets go
//	status.go     what people and tools read
package planner
