// Package v1alpha1 is the API of Sluice: Rollout, AnalysisTemplate, ClusterAnalysisTemplate and AnalysisRun.
//
// A Rollout takes the place of a Deployment. It owns one ReplicaSet per revision of its pod template, points two
// Services (active and standby) at revisions, and moves traffic from the stable revision to the candidate in steps.
//
// Words used throughout:
//
//   - revision: one pod template and its ReplicaSet, named by the hash of the template;
//   - stable: the last revision that was fully promoted; candidate: the one being released;
//   - step: a target share of traffic, the capacity it needs, and the gates before the next step;
//   - gate: pause, analysis, approval; verdict: Passed, Failed, Inconclusive;
//   - promotion: the candidate becomes stable; abort: all traffic goes back to stable.
//
// What the schema or a CEL rule can state is stated there, in markers beside the fields, each with a message that says
// what to write instead. Markers of kubebuilder are its own; those called +sluice:validation (Duration, Weight, Pods, Name)
// are rules that many fields share, and test/tools/crdgen holds their expressions. ValidateRollout says the same in Go.
//
// This package holds types, defaults, and pure functions over them; it talks to no API server.
//
// +kubebuilder:object:generate=true
// +groupName=sluice.dev
package v1alpha1
