package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// RolloutPhase sums up a Rollout in one word, for people.
//
// +kubebuilder:validation:Enum=Healthy;Progressing;Paused;Degraded
type RolloutPhase string

const (
	// PhaseHealthy: what the spec asks for is stable and available.
	PhaseHealthy RolloutPhase = "Healthy"
	// PhaseProgressing: a release is under way and moves by itself.
	PhaseProgressing RolloutPhase = "Progressing"
	// PhasePaused: a release waits for a person or for a time to pass.
	PhasePaused RolloutPhase = "Paused"
	// PhaseDegraded: the release was aborted, or cannot go on, or too few pods of stable are available.
	PhaseDegraded RolloutPhase = "Degraded"
)

// RolloutStatus is the memory of the state machine and what people and tools read.
type RolloutStatus struct {
	// ObservedGeneration is the generation of the spec that this status speaks of; -1 before the first look.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// Phase sums up the Rollout in one word.
	// +optional
	Phase RolloutPhase `json:"phase,omitempty"`

	// Message says why, in one sentence with numbers. Events, logs and the command line print the same sentence.
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	Message string `json:"message,omitempty"`

	// Strategy is the name of the strategy: canary, blueGreen, rollingUpdate or recreate.
	// +optional
	Strategy string `json:"strategy,omitempty"`

	// Step is the current step for people, "2/4".
	// +optional
	Step string `json:"step,omitempty"`

	// Weight is the observed percentage of traffic on the candidate, "12.5"; empty when no release is under way.
	// +optional
	Weight string `json:"weight,omitempty"`

	// Overlay says in words what routes have been observed to do for the candidate beside the weight: which requests go to it
	// whatever the weight, and of how many it gets a copy. Empty when they do nothing.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Overlay string `json:"overlay,omitempty"`

	// StableRevision is the hash of the last revision that was fully promoted.
	// +optional
	StableRevision string `json:"stableRevision,omitempty"`

	// UpdateRevision is the hash of the revision that the spec asks for.
	// +optional
	UpdateRevision string `json:"updateRevision,omitempty"`

	// Replicas is the number of pods that Selector selects.
	// +optional
	Replicas int32 `json:"replicas"`

	// UpdatedReplicas is the number of pods of the revision that the spec asks for.
	// +optional
	UpdatedReplicas int32 `json:"updatedReplicas"`

	// ReadyReplicas is the number of ready pods of all revisions.
	// +optional
	ReadyReplicas int32 `json:"readyReplicas"`

	// AvailableReplicas is the number of available pods of all revisions.
	// +optional
	AvailableReplicas int32 `json:"availableReplicas"`

	// Selector is the label selector, in its string form, of the pods that Replicas counts: for an autoscaler.
	// +optional
	Selector string `json:"selector,omitempty"`

	// Workload is what was seen of the workload in spec.workloadRef.
	// +optional
	Workload *WorkloadStatus `json:"workload,omitempty"`

	// Configuration is what was last seen of the ConfigMaps and Secrets in spec.configuration: hashes of content only.
	// +optional
	// +kubebuilder:validation:MaxItems=128
	// +listType=map
	// +listMapKey=kind
	// +listMapKey=name
	Configuration []ConfigurationStatus `json:"configuration,omitempty"`

	// Routes are the routes that are managed, as they were before: to that they return after each release, and when the
	// Rollout is deleted.
	// +optional
	// +kubebuilder:validation:MaxItems=64
	// +listType=map
	// +listMapKey=kind
	// +listMapKey=namespace
	// +listMapKey=name
	Routes []RouteStatus `json:"routes,omitempty"`

	// State is the memory of the state machine. It is written by the controller only.
	// +optional
	State RolloutState `json:"state,omitempty"`

	// LastCommand is the answer to the last command in the annotation sluice.dev/command.
	// +optional
	LastCommand *CommandStatus `json:"lastCommand,omitempty"`

	// Analyses are the verdicts of the release under way, or of the last one.
	// +optional
	// +kubebuilder:validation:MaxItems=64
	// +listType=map
	// +listMapKey=name
	Analyses []AnalysisStatus `json:"analyses,omitempty"`

	// Experiment is what was last seen of the baseline of an experiment; absent when there is none.
	// +optional
	Experiment *ExperimentStatus `json:"experiment,omitempty"`

	// History records the last releases, newest first.
	// +optional
	// +kubebuilder:validation:MaxItems=10
	// +listType=atomic
	History []ReleaseRecord `json:"history,omitempty"`

	// Conditions are Ready, Reconciling, Stalled (as kstatus reads them) and Available.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// Stage is where the state machine is.
//
// +kubebuilder:validation:Enum="";Initial;Stepping;Promoting;Retreating;Aborted
type Stage string

const (
	// StageIdle: stable is what the spec asks for.
	StageIdle Stage = ""
	// StageInitial: the first revision comes up; there is no stable yet.
	StageInitial Stage = "Initial"
	// StageStepping: the candidate takes its steps.
	StageStepping Stage = "Stepping"
	// StagePromoting: all steps are done; traffic settles on the candidate.
	StagePromoting Stage = "Promoting"
	// StageRetreating: traffic goes back to stable.
	StageRetreating Stage = "Retreating"
	// StageAborted: traffic is back on stable; the candidate waits for a retry or for another template.
	StageAborted Stage = "Aborted"
)

// RolloutState is the whole memory of the state machine between two looks at the world. Every decision can be made
// again from it and from the objects in the cluster.
type RolloutState struct {
	// Stage is where the machine is.
	// +optional
	Stage Stage `json:"stage,omitempty"`

	// Stable is the hash of the last revision that was fully promoted.
	// +optional
	Stable string `json:"stable,omitempty"`

	// Candidate is the hash of the revision under release, or of the aborted one.
	// +optional
	Candidate string `json:"candidate,omitempty"`

	// CollisionCount changes the hash of a template when a foreign ReplicaSet already has the name it would give.
	// +optional
	CollisionCount int32 `json:"collisionCount,omitempty"`

	// Attempt counts the releases of this Rollout, from 1: of first revisions, of candidates, and retries of them.
	// +optional
	Attempt int32 `json:"attempt,omitempty"`

	// Step is the index, from 0, of the current step.
	// +optional
	Step int32 `json:"step,omitempty"`

	// StartedAt is when this attempt began.
	// +optional
	StartedAt metav1.MicroTime `json:"startedAt,omitzero"`

	// ProgressAt is when the release last made progress in pods or traffic; the progress deadline counts from it.
	// +optional
	ProgressAt metav1.MicroTime `json:"progressAt,omitzero"`

	// ProgressMark is the largest number of available candidate pods seen in this step: more is progress.
	// +optional
	ProgressMark int32 `json:"progressMark,omitempty"`

	// MostWeight is the largest share of the traffic that the candidate has been seen to have in this attempt, in tenths
	// of a percent.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000
	MostWeight int32 `json:"mostWeight,omitempty"`

	// MostAvailable is the largest number of available candidate pods that has been seen in this attempt.
	// +optional
	// +kubebuilder:validation:Minimum=0
	MostAvailable int32 `json:"mostAvailable,omitempty"`

	// ShiftedAt is when the traffic of the current step, or of the retreat, was first observed in place.
	// +optional
	ShiftedAt metav1.MicroTime `json:"shiftedAt,omitzero"`

	// EndpointsAt is when the standby Service was first observed to have the ready endpoints for its first share of the
	// traffic; gateways are given the settle time to hear of them.
	// +optional
	EndpointsAt metav1.MicroTime `json:"endpointsAt,omitzero"`

	// Carriers is the number of ready endpoints of the standby Service that its weight was given for: the largest number
	// seen at the current step, up to what the step needs. Fewer carry less.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Carriers int32 `json:"carriers,omitempty"`

	// GatesAt is when the gates of the current step began: the traffic had moved and settled.
	// +optional
	GatesAt metav1.MicroTime `json:"gatesAt,omitzero"`

	// PromotedAt is when a person let the current step go on: its pause is over, and so is the wait for an analysis that
	// had ended without a verdict by then. One that ends so later has to be decided again.
	// +optional
	PromotedAt metav1.MicroTime `json:"promotedAt,omitzero"`

	// Full says that the steps that are left are skipped: a person asked for it, or it is a rollback.
	// +optional
	Full bool `json:"full,omitempty"`

	// Configuration are the objects whose change began the release under way, such as "ConfigMap web-config"; empty when
	// an edit of the Rollout did.
	// +optional
	// +kubebuilder:validation:MaxItems=64
	// +listType=atomic
	Configuration []string `json:"configuration,omitempty"`

	// Asked is what the traffic of the release under way was last asked to be.
	// +optional
	Asked *AskedTraffic `json:"asked,omitempty"`

	// Contest is what another writer makes of the traffic of the release under way; absent when there was none of late.
	// +optional
	Contest *Contest `json:"contest,omitempty"`

	// Round counts how often the gates of this attempt had to begin again, because another writer had changed the traffic
	// that they measured. The names of AnalysisRuns have it after the first time.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Round int32 `json:"round,omitempty"`

	// Reason is why the machine retreats, has aborted, or rolls back without steps: one word.
	// +optional
	Reason string `json:"reason,omitempty"`

	// Message is why the machine retreats, has aborted, or rolls back without steps: one sentence.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Message string `json:"message,omitempty"`

	// ScaleDowns are revisions whose pods stay for a time and then go.
	// +optional
	// +kubebuilder:validation:MaxItems=32
	// +listType=atomic
	ScaleDowns []ScaleDown `json:"scaleDowns,omitempty"`

	// Earlier are the revisions that were stable before, as far as they still have a ReplicaSet: the last one first. A
	// revision stands there once, at its latest time.
	// +optional
	// +kubebuilder:validation:MaxItems=100
	// +listType=atomic
	Earlier []string `json:"earlier,omitempty"`

	// RestartAt asks that every pod created before this moment is replaced; zero when nothing is to be restarted.
	// +optional
	RestartAt metav1.MicroTime `json:"restartAt,omitzero"`
}

// ScaleDown says when the pods of a revision that has lost its traffic go.
type ScaleDown struct {
	// Revision is the hash of the revision.
	Revision string `json:"revision"`
	// At is when its pods go.
	At metav1.MicroTime `json:"at"`
}

// CommandStatus answers a command.
type CommandStatus struct {
	// ID is the request id of the command.
	ID string `json:"id"`
	// Action is what was asked: promote, promote-full, abort, retry, restart or skip-step.
	Action string `json:"action"`
	// Revision is the revision that the command was meant for.
	// +optional
	Revision string `json:"revision,omitempty"`
	// Accepted says whether the command was carried out.
	Accepted bool `json:"accepted"`
	// Message says what was done, or why nothing was.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Message string `json:"message,omitempty"`
	// At is when the command was handled.
	At metav1.MicroTime `json:"at"`
}

// AnalysisStatus is the verdict of one AnalysisRun of this release.
type AnalysisStatus struct {
	// Name of the AnalysisRun.
	Name string `json:"name"`
	// Gate says what the analysis is for: step-<number>, background, pre-promotion or post-promotion.
	Gate string `json:"gate"`
	// Phase of the AnalysisRun.
	Phase AnalysisPhase `json:"phase"`
	// Message says why.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Message string `json:"message,omitempty"`
}

// Outcome is how a release ended.
//
// +kubebuilder:validation:Enum=Promoted;Aborted;Superseded;Returned
type Outcome string

const (
	// OutcomePromoted: the candidate became stable.
	OutcomePromoted Outcome = "Promoted"
	// OutcomeAborted: traffic went back to stable.
	OutcomeAborted Outcome = "Aborted"
	// OutcomeSuperseded: the template changed again before the end.
	OutcomeSuperseded Outcome = "Superseded"
	// OutcomeReturned: the template of stable came back before the end.
	OutcomeReturned Outcome = "Returned"
)

// ReleaseRecord is one release in the history.
type ReleaseRecord struct {
	// Revision is the hash of the revision that was released.
	Revision string `json:"revision"`
	// Images are the container images of the revision.
	// +optional
	// +kubebuilder:validation:MaxItems=16
	// +listType=atomic
	Images []string `json:"images,omitempty"`
	// Configuration are the ConfigMaps and Secrets whose change began the release; empty when an edit of the Rollout did.
	// +optional
	// +kubebuilder:validation:MaxItems=64
	// +listType=atomic
	Configuration []string `json:"configuration,omitempty"`
	// Outcome is how the release ended.
	Outcome Outcome `json:"outcome"`
	// Reason is why, in one word.
	// +optional
	Reason string `json:"reason,omitempty"`
	// Message is why, in one sentence.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Message string `json:"message,omitempty"`
	// Step is the step it had reached, "2/4".
	// +optional
	Step string `json:"step,omitempty"`
	// Attempt tells releases of the same revision apart, and counts all releases of the Rollout.
	// +optional
	Attempt int32 `json:"attempt,omitempty"`
	// MostWeight is the largest percentage of the traffic that the revision had, "12.5"; without routes that is a share of
	// available pods. A first release has no shares.
	// +optional
	MostWeight string `json:"mostWeight,omitempty"`
	// MostAvailable is the largest number of its pods that were available.
	// +optional
	MostAvailable int32 `json:"mostAvailable,omitempty"`
	// Analyses counts its AnalysisRuns by their verdicts; absent when there was none.
	// +optional
	Analyses *VerdictCounts `json:"analyses,omitempty"`
	// StartedAt is when it began.
	// +optional
	StartedAt metav1.MicroTime `json:"startedAt,omitzero"`
	// EndedAt is when it ended.
	// +optional
	EndedAt metav1.MicroTime `json:"endedAt,omitzero"`
}

// VerdictCounts counts the analyses of a release by how they ended. Those that were stopped, or had not ended, stand in
// none of the numbers.
type VerdictCounts struct {
	// Passed is how many passed.
	// +optional
	Passed int32 `json:"passed,omitempty"`
	// Failed is how many failed.
	// +optional
	Failed int32 `json:"failed,omitempty"`
	// Inconclusive is how many ended without a verdict.
	// +optional
	Inconclusive int32 `json:"inconclusive,omitempty"`
}
