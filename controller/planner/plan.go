package planner

import (
	"fmt"
	"strings"
	"time"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// Plan is everything that one look at the world leads to.
type Plan struct {
	// State is the memory to persist.
	State v1alpha1.RolloutState
	// Actions are to be performed in order, stopping at the first that fails. Each is harmless when repeated.
	Actions []Action
	// WakeAt is when to look again although nothing has changed; zero means that a change will tell.
	WakeAt time.Time
	// Why is the one sentence about where the release is and what it waits for.
	Why Why
	// Phase sums it up in one word.
	Phase v1alpha1.RolloutPhase
	// Waiting says that the release waits for a person, a time or a verdict, and not for pods or traffic.
	Waiting bool
	// Stalled says that nothing will move until a person does something.
	Stalled bool
	// Settled says that what the spec asks for is stable, has all its pods, and has all traffic.
	Settled bool
	// Weight is the observed share of the candidate in tenths of a percent; WeightUnknown when no release is under way.
	Weight int32
	// Command answers the command of the snapshot; nil when there was none, or it had been answered.
	Command *v1alpha1.CommandStatus
	// Left says that nothing of the Rollout is left in Services and routes, so that it may be deleted.
	Left bool
	// Hurried says that the deletion of the Rollout has waited long enough: what can be done is to be done at once.
	Hurried bool
	// WorkloadBefore is how many pods the Workload asked for before it was scaled down, to be persisted.
	WorkloadBefore *int32
	// Record is the release that ended in this pass; nil when none did.
	Record *v1alpha1.ReleaseRecord
	// Events are the transitions that a person would act on, to be emitted once the state is persisted.
	Events []Event
}

// Why is a reason in one word and in one sentence with numbers.
type Why struct {
	// Reason is a constant of v1alpha1.
	Reason string
	// Message is for people.
	Message string
}

// Event is a transition that a person would act on.
type Event struct {
	// Warning marks what is not as it should be.
	Warning bool
	// Reason is a constant of v1alpha1.
	Reason string
	// Message is for people.
	Message string
}

// Role is one of the two Services.
type Role string

const (
	// Active is the Service that callers use.
	Active Role = "active"
	// Standby is the Service that points at the candidate.
	Standby Role = "standby"
)

// Action is one write, or a probe. The set is closed: CreateRevision, ScaleRevision, DeleteRevision, CreateStandby, PointService,
// SetWeight, DetachStandby, ReleaseRoutes, DeleteStandby, StartAnalysis, StopAnalysis, TellShift, ProbeShare, RestartPods,
// ScaleWorkload, and those of baselines: CreateBaseline, ScaleBaseline, DeleteBaseline, OpenBaseline and CloseBaseline.
type Action interface {
	fmt.Stringer
	action()
}

// CreateRevision creates the ReplicaSet of the target template, at its size.
type CreateRevision struct {
	// Revision is the hash of the template; it is always the target.
	Revision string
	// Replicas is its first size.
	Replicas int32
}

// ScaleRevision sets the size of a ReplicaSet.
type ScaleRevision struct {
	// Revision is the hash of the revision.
	Revision string
	// Replicas is its new size.
	Replicas int32
}

// DeleteRevision deletes a ReplicaSet that has no pods and is beyond the history limit.
type DeleteRevision struct {
	// Revision is the hash of the revision.
	Revision string
}

// CreateStandby creates the standby Service as a twin of the active one that selects a revision.
type CreateStandby struct {
	// Revision is the hash of the revision.
	Revision string
}

// PointService puts a revision into the selector of a Service.
type PointService struct {
	// Role is the Service.
	Role Role
	// Revision is the hash; empty makes the Service select the pods of every revision.
	Revision string
}

// SetWeight sets the share of the standby Service in every managed route, and what is laid over it, in one write: without
// an overlay it takes every match and mirror away.
type SetWeight struct {
	// Tenths of a percent, 0 to 1000. The active Service gets the rest.
	Tenths int32
	// Overlay is the index of one of Spec.Overlays.
	Overlay int32
}

// DetachStandby takes the standby Service out of every managed route. It carries no weight then.
type DetachStandby struct{}

// ReleaseRoutes gives up routes that the Rollout has made, so that they stay when it is gone. They have nothing else of it.
type ReleaseRoutes struct{}

// DeleteStandby deletes the standby Service that we made, once no managed route names it.
type DeleteStandby struct{}

// StartAnalysis creates the AnalysisRun of a gate. Its name follows from the revision, the attempt and the gate.
type StartAnalysis struct {
	// Gate says what the analysis is for: a Gate* constant or StepGate.
	Gate string
	// Revision is the hash of the candidate.
	Revision string
	// Attempt tells releases of the same revision apart.
	Attempt int32
	// Round tells apart what is measured again.
	Round int32
	// Weight is the share of the candidate at which traffic rests, in tenths of a percent.
	Weight int32
}

// TellShift tells an AnalysisRun that traffic begins to move, or where it has come to rest.
type TellShift struct {
	// Name of the AnalysisRun.
	Name string
	// Weight is the share of the candidate in tenths of a percent; WeightUnknown while traffic moves.
	Weight int32
}

// StopAnalysis asks an AnalysisRun to end without a verdict.
type StopAnalysis struct {
	// Name of the AnalysisRun.
	Name string
}

// ProbeShare asks the gateways, beside the passes to come, which share the candidate answers. It writes nothing.
type ProbeShare struct {
	// Of is the traffic that it is about.
	Of Probed
	// Candidate is the hash of the revision that has the share, and Stable that of the one that has the rest.
	Candidate, Stable string
	// Requests is how many requests are sent by each way in.
	Requests int32
}

// RestartPods deletes pods of a revision that were created before a moment, oldest first.
type RestartPods struct {
	// Revision is the hash of the revision.
	Revision string
	// Before is the moment.
	Before time.Time
	// Max is how many pods at the most.
	Max int32
}

func (CreateRevision) action() {}
func (ScaleRevision) action()  {}
func (DeleteRevision) action() {}
func (CreateStandby) action()  {}
func (PointService) action()   {}
func (SetWeight) action()      {}
func (DetachStandby) action()  {}
func (ReleaseRoutes) action()  {}
func (DeleteStandby) action()  {}
func (StartAnalysis) action()  {}
func (StopAnalysis) action()   {}
func (ProbeShare) action()     {}
func (TellShift) action()      {}
func (RestartPods) action()    {}

// String says what the action does.
func (a CreateRevision) String() string {
	return fmt.Sprintf("create %s with %s", a.Revision, pods(a.Replicas))
}

// String says what the action does.
func (a ScaleRevision) String() string {
	return fmt.Sprintf("scale %s to %s", a.Revision, pods(a.Replicas))
}

// String says what the action does.
func (a DeleteRevision) String() string { return "delete " + a.Revision }

// String says what the action does.
func (a CreateStandby) String() string { return "create the standby service for " + a.Revision }

// String says what the action does.
func (a PointService) String() string {
	if a.Revision == "" {
		return fmt.Sprintf("point %s at every revision", a.Role)
	}
	return fmt.Sprintf("point %s at %s", a.Role, a.Revision)
}

// String says what the action does.
func (a SetWeight) String() string {
	if a.Overlay != v1alpha1.NoOverlay {
		return fmt.Sprintf("set the weight of standby to %s%% with overlay %d", v1alpha1.FormatWeight(a.Tenths), a.Overlay)
	}
	return fmt.Sprintf("set the weight of standby to %s%%", v1alpha1.FormatWeight(a.Tenths))
}

// String says what the action does.
func (DetachStandby) String() string { return "take standby out of the routes" }

// String says what the action does.
func (ReleaseRoutes) String() string { return "give up the routes that were made" }

// String says what the action does.
func (DeleteStandby) String() string { return "delete the standby service" }

// String says what the action does.
func (a StartAnalysis) String() string {
	return fmt.Sprintf("start analysis %s of %s", a.Gate, a.Revision)
}

// String says what the action does.
func (a StopAnalysis) String() string { return "stop analysis " + a.Name }

// String says what the action does.
func (a ProbeShare) String() string {
	return fmt.Sprintf("probe whether %s answers %s%% of %s", a.Candidate, v1alpha1.FormatWeight(a.Of.Weight), Counted(a.Requests, "request"))
}

// String says what the action does.
func (a TellShift) String() string {
	if a.Weight == WeightUnknown {
		return fmt.Sprintf("tell analysis %s that traffic moves", a.Name)
	}
	return fmt.Sprintf("tell analysis %s that traffic rests at %s", a.Name, percent(a.Weight))
}

// String says what the action does.
func (a RestartPods) String() string {
	return fmt.Sprintf("restart at most %s of %s", pods(a.Max), a.Revision)
}

// pods counts pods in words.
func pods(n int32) string { return Counted(n, "pod") }

// Counted counts things in words, such as "1 pod" and "2 pods".
func Counted[N int | int32](n N, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// String lists the actions of the plan in one line, for logs and transcripts.
func (p Plan) String() string {
	words := make([]string, 0, len(p.Actions))
	for _, a := range p.Actions {
		words = append(words, a.String())
	}
	return strings.Join(words, "; ")
}
