package simulation

import (
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller/planner"
	"github.com/sluice-dev/sluice/controller/revision"
)

func experimentInvariants() []Invariant {
	return []Invariant{
		{
			Name: "BESIDE", write: beside, rest: besideAtRest,
			Sentence: "a fresh baseline is made only at a step with an experiment and as large as the candidate; its Service goes before " +
				"its pods, these before its ReplicaSet, and nothing of it is left at rest after the step, an abort or a deletion",
		},
		{
			Name: "APART", write: apart, time: apartFromTraffic,
			Sentence: "no Service with traffic has an endpoint of a fresh baseline, and no write gives a candidate a share in an experiment",
		},
	}
}

// isBaseline says whether a ReplicaSet is that of a fresh baseline.
func isBaseline(rs *appsv1.ReplicaSet) bool {
	return rs.Spec.Selector != nil && rs.Spec.Selector.MatchLabels[v1alpha1.LabelBaselineOf] != ""
}

// made says whether a baseline is one of the Rollout, also when the garbage collector has taken its name off.
func (t *truth) made(rs *appsv1.ReplicaSet) bool {
	return metav1.IsControlledBy(rs, t.rollout) || metav1.GetControllerOf(rs) == nil && t.rollout.DeletionTimestamp != nil
}

// ownSets gathers the ReplicaSets of the Rollout, and returns their revisions by name.
func (w *World) ownSets(t *truth) map[string]string {
	owners := map[string]string{}
	for _, rs := range listed[*appsv1.ReplicaSet](w.Server, kindReplicaSet(), t.rollout.Namespace) {
		hash := hashOf(rs)
		switch {
		case hash == "" || rs.DeletionTimestamp != nil:
			continue
		case isBaseline(rs) && t.made(rs):
			t.baselines[hash] = w.baselineOf(rs)
		case !isBaseline(rs) && belongs(rs, t.rollout):
			t.sets[hash] = set{rs: rs, desired: ptr.Deref(rs.Spec.Replicas, 1)}
		default:
			continue
		}
		owners[rs.Name] = hash
	}
	return owners
}

// baselineOf counts the pods of a baseline.
func (w *World) baselineOf(rs *appsv1.ReplicaSet) set {
	out := set{rs: rs, desired: ptr.Deref(rs.Spec.Replicas, 1)}
	for _, pod := range w.Server.podsOf(rs) {
		if pod.DeletionTimestamp == nil {
			out.created++
		}
	}
	return out
}

// experiment is the step of a Rollout as its writer saw it; false when it has no experiment.
func (l *look) experiment() (planner.Step, bool) {
	st := l.pass.Rollout.Status.State
	spec, err := planner.Compile(&l.pass.Rollout.Spec, Settle)
	if err != nil || st.Stage != v1alpha1.StageStepping || st.Full || l.pass.Rollout.DeletionTimestamp != nil {
		return planner.Step{}, false
	}
	step := spec.Steps[spec.StepAt(st.Step)]
	return step, step.Baseline
}

func beside(l *look) string {
	if before, ok := l.change.Before.(*appsv1.ReplicaSet); ok && isBaseline(before) {
		return l.baselineEnds(before)
	}
	rs, ok := l.change.After.(*appsv1.ReplicaSet)
	if !ok || !isBaseline(rs) || l.change.Verb != VerbCreate {
		return ""
	}
	if len(l.before.baselines) > 0 {
		return "there is another baseline"
	}
	return l.unasked(rs)
}

// unasked says what is wrong with a baseline of some size.
func (l *look) unasked(rs *appsv1.ReplicaSet) string {
	step, ok := l.experiment()
	st := l.pass.Rollout.Status.State
	switch size := ptr.Deref(rs.Spec.Replicas, 1); {
	case !ok:
		return fmt.Sprintf("no step asks for %s", rs.Name)
	case hashOf(rs) != fmt.Sprintf("b%d-%s", st.Attempt, st.Stable):
		return fmt.Sprintf("%s is of another release", rs.Name)
	case size != step.Replicas:
		return fmt.Sprintf("%s has %d pods beside a candidate of %d", rs.Name, size, step.Replicas)
	}
	return ""
}

// baselineEnds looks at a write of a baseline that is there.
func (l *look) baselineEnds(rs *appsv1.ReplicaSet) string {
	one, leaving := l.before.baselines[hashOf(rs)], l.before.rollout.DeletionTimestamp != nil
	after, stays := l.change.After.(*appsv1.ReplicaSet)
	switch {
	case stays && l.change.Verb != VerbDelete && ptr.Deref(after.Spec.Replicas, 1) > 0:
		return l.unasked(after)
	case leaving:
		return "" // it may have waited for too long
	case l.before.baseline.selects == hashOf(rs):
		return fmt.Sprintf("%s ends and its Service is there", rs.Name)
	case l.change.Verb == VerbDelete && one.desired+one.created > 0:
		return fmt.Sprintf("%s is deleted with %d pods", rs.Name, one.created)
	}
	return ""
}

// closes says whether a Service was deleted that reaches a baseline of the Rollout.
func (l *look) closes(service *corev1.Service) bool {
	return service != nil && l.change.Verb == VerbDelete && metav1.IsControlledBy(service, l.after.rollout) &&
		service.Name == revision.BaselineServiceName(l.after.rollout.Name)
}

func besideAtRest(w *World, s *subject, t *truth) string {
	if t != nil && releasing(t.rollout.Status.State) && t.mayExperiment() {
		return ""
	}
	for _, rs := range listed[*appsv1.ReplicaSet](w.Server, kindReplicaSet(), s.key.Namespace) {
		if isBaseline(rs) && rs.DeletionTimestamp == nil && rs.Name == revision.ReplicaSetName(s.key.Name, hashOf(rs)) {
			return fmt.Sprintf("%s is left", rs.Name)
		}
	}
	key := types.NamespacedName{Namespace: s.key.Namespace, Name: revision.BaselineServiceName(s.key.Name)}
	if service := lookup[*corev1.Service](w.Server, kindService(), key); service != nil {
		return fmt.Sprintf("Service %s is left", key.Name)
	}
	return ""
}

// mayExperiment says whether the step has an experiment, or something that a person must mend holds the release.
func (t *truth) mayExperiment() bool {
	st := t.rollout.Status.State
	return meta.IsStatusConditionTrue(t.rollout.Status.Conditions, v1alpha1.ConditionStalled) ||
		st.Stage == v1alpha1.StageStepping && t.spec.Steps[t.spec.StepAt(st.Step)].Baseline
}

func apart(l *look) string {
	_, ok := l.experiment()
	if ok && l.change.Kind == kindRoute() && l.after.weight > l.before.weight && l.after.weight < planner.FullWeight {
		return fmt.Sprintf("the weight goes from %d to %d", l.before.weight, l.after.weight)
	}
	return ""
}

func apartFromTraffic(_ *World, _ *subject, t *truth, _ time.Time) string {
	for hash := range t.baselines {
		if t.rollout.DeletionTimestamp == nil && t.active.listed[hash]+t.standby.listed[hash] > 0 {
			return fmt.Sprintf("pods of %s are behind the Services with traffic", hash)
		}
	}
	return ""
}
