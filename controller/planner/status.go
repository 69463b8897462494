package planner

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// historyLimit is how many releases the status records.
const historyLimit = 10

// Record is the status after a pass: what the machine remembers and what people and tools read. It depends on nothing
// but its arguments; Strategy and Selector, which follow from the spec alone, are left as they were.
func Record(old v1alpha1.RolloutStatus, s Snapshot, p Plan, generation int64) v1alpha1.RolloutStatus {
	out := *old.DeepCopy()
	out.ObservedGeneration = generation
	out.Phase, out.Message = p.Phase, p.Why.Message
	out.State = p.State
	out.StableRevision, out.UpdateRevision = p.State.Stable, s.Target
	out.Step, out.Weight = reachedStep(p.State, s.Spec), ""
	if p.Weight != WeightUnknown {
		out.Weight = v1alpha1.FormatWeight(p.Weight)
	}
	out.Overlay = s.overlaid()
	count(&out, s)
	if p.Command != nil {
		out.LastCommand = p.Command
	}
	if p.Record != nil {
		out.History = append([]v1alpha1.ReleaseRecord{*p.Record}, out.History...)
		out.History = out.History[:min(len(out.History), historyLimit)]
	}
	out.Experiment = s.experiment()
	out.Analyses = analyses(old, s)
	out.Conditions = conditions(old.Conditions, s, p, generation)
	return out
}

// mostOverlay is how many characters of the words for an overlay the status holds.
const mostOverlay = 1024

// overlaid says in words what routes have laid over the weight.
func (s Snapshot) overlaid() string {
	if s.Spec.Mode != Routed || s.Route.Overlay == v1alpha1.NoOverlay {
		return ""
	}
	if s.Route.Overlay == OverlayUnknown {
		return "something that no step asks for"
	}
	words := []rune(s.Spec.Overlay(s.Route.Overlay).String())
	if len(words) > mostOverlay {
		words = append(words[:mostOverlay-1], '…')
	}
	return string(words)
}

// count fills the replica counters. Replicas counts the pods of every revision, as the selector of the spec selects
// them: an autoscaler that divides the load of all of them by its target asks for what a Deployment would get.
func count(out *v1alpha1.RolloutStatus, s Snapshot) {
	out.Replicas, out.UpdatedReplicas, out.ReadyReplicas, out.AvailableReplicas = 0, 0, 0, 0
	for _, r := range s.Revisions {
		out.Replicas += r.Created
		out.ReadyReplicas += r.Ready
		out.AvailableReplicas += r.Available
		if r.Hash == s.Target {
			out.UpdatedReplicas = r.Created
		}
	}
}

// analyses are the verdicts of the current attempt; those of the last release stay when it is over.
func analyses(old v1alpha1.RolloutStatus, s Snapshot) []v1alpha1.AnalysisStatus {
	if len(s.Analyses) == 0 && s.State.Attempt == old.State.Attempt && s.State.Stage == v1alpha1.StageIdle {
		return old.Analyses
	}
	var out []v1alpha1.AnalysisStatus
	for _, a := range s.Analyses {
		if again(s.Analyses, a) {
			continue
		}
		out = append(out, v1alpha1.AnalysisStatus{Name: a.Name, Gate: a.Gate, Phase: a.Phase, Message: a.Message})
	}
	return out
}

// conditions are Ready, Reconciling and Stalled, of which kstatus makes Current, InProgress or Failed, and Available.
// All carry the generation, and Stalled and Reconciling are never True together.
func conditions(old []metav1.Condition, s Snapshot, p Plan, generation int64) []metav1.Condition {
	c := conditionWriter{old: old, now: metav1.Time{Time: s.Now.Truncate(1e9)}, generation: generation}
	c.set(v1alpha1.ConditionReady, p.Settled, p.Why)
	c.set(v1alpha1.ConditionReconciling, !p.Settled && !p.Stalled, p.Why)
	c.set(v1alpha1.ConditionStalled, p.Stalled, p.Why)
	available := int32(0)
	for _, r := range s.Revisions {
		if r.Hash == p.State.Stable {
			available = r.Available
		}
	}
	// Available speaks of the pods that serve. Where the number of pods shares traffic, those of the candidate serve too.
	if s.Spec.Mode == Ratio {
		available = 0
		for _, r := range s.Revisions {
			available += r.Available
		}
	}
	least := servingLeast(s, p)
	why := Why{Reason: v1alpha1.ReasonAvailable, Message: fmt.Sprintf("%d pods are available, %d are needed", available, least)}
	if available < least {
		why.Reason = v1alpha1.ReasonUnavailable
	}
	c.set(v1alpha1.ConditionAvailable, p.State.Stable != "" && available >= least, why)
	return c.out
}

// servingLeast is the number of pods that stable must have: all but those that may be unavailable, and under
// Proportional no more than its share needs.
func servingLeast(s Snapshot, p Plan) int32 {
	least := s.Spec.Replicas
	if s.Spec.Proportional && p.Weight > 0 {
		least = s.Spec.needs(FullWeight - p.Weight)
	}
	return max(0, least-s.Spec.Unavailable)
}

// conditionWriter makes conditions, keeping the time of those whose status did not change.
type conditionWriter struct {
	old        []metav1.Condition
	out        []metav1.Condition
	now        metav1.Time
	generation int64
}

func (c *conditionWriter) set(kind string, holds bool, why Why) {
	status := metav1.ConditionFalse
	if holds {
		status = metav1.ConditionTrue
	}
	changed := c.now
	for _, o := range c.old {
		if o.Type == kind && o.Status == status {
			changed = o.LastTransitionTime
		}
	}
	c.out = append(c.out, metav1.Condition{
		Type: kind, Status: status, ObservedGeneration: c.generation, LastTransitionTime: changed,
		Reason: why.Reason, Message: why.Message,
	})
}
