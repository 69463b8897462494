package simulation

import (
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller/planner"
)

func oneRS(l *look) string {
	if made, ok := l.change.After.(*appsv1.ReplicaSet); ok && l.change.Verb == VerbCreate {
		return l.after.twin(made)
	}
	before, after, ok := l.states()
	if !ok || after.CollisionCount == before.CollisionCount {
		return ""
	}
	if after.CollisionCount != before.CollisionCount+1 {
		return fmt.Sprintf("the collision count goes from %d to %d", before.CollisionCount, after.CollisionCount)
	}
	if foreign := l.world.foreignSets(l.after.rollout); int(after.CollisionCount) > foreign {
		return fmt.Sprintf("the collision count is %d with %d foreign ReplicaSets", after.CollisionCount, foreign)
	}
	return ""
}

// twin says that another ReplicaSet has the template or the hash of one.
func (t *truth) twin(made *appsv1.ReplicaSet) string {
	for hash, other := range t.sets {
		same := other.rs.Annotations[v1alpha1.AnnotationTemplate] == made.Annotations[v1alpha1.AnnotationTemplate] &&
			other.rs.Annotations[v1alpha1.AnnotationConfiguration] == made.Annotations[v1alpha1.AnnotationConfiguration]
		if other.rs.UID != made.UID && (same || hash == hashOf(made)) {
			return fmt.Sprintf("%s and %s have the same template or hash", other.rs.Name, made.Name)
		}
	}
	return ""
}

// foreignSets is the number of ReplicaSets of the namespace that somebody else controls, or nobody.
func (w *World) foreignSets(rollout *v1alpha1.Rollout) int {
	n := 0
	for _, rs := range listed[*appsv1.ReplicaSet](w.Server, kindReplicaSet(), rollout.Namespace) {
		if !metav1.IsControlledBy(rs, rollout) {
			n++
		}
	}
	return n
}

func ownSets(l *look) string {
	if l.change.Before == nil {
		return ""
	}
	switch l.change.Kind {
	case kindReplicaSet(), kindAnalysisRun():
		if l.adopts() {
			return ""
		}
		if owner := metav1.GetControllerOf(l.change.Before); owner == nil && l.before.rollout.DeletionTimestamp == nil || owner != nil && owner.UID != l.pass.Rollout.UID {
			return fmt.Sprintf("%s is controlled by %v", l.change.Key.Name, owner)
		}
	}
	if l.change.Verb == VerbDelete && !l.change.Conditional {
		return fmt.Sprintf("%s %s is deleted by its name alone", l.change.Kind.Kind, l.change.Key.Name)
	}
	return ""
}

// adopts says whether the write takes over a ReplicaSet that nobody owned.
func (l *look) adopts() bool {
	return l.change.Before != nil && l.change.After != nil && metav1.GetControllerOf(l.change.Before) == nil &&
		metav1.IsControlledBy(l.change.After, l.after.rollout)
}

// keepsPods notices a pod that went although all were to stay.
func keepsPods(w *World, _ *subject, t *truth, _ time.Time) string {
	kept, found := t.sets[w.checker.kept]
	ordered := w.checker.fates > 0 || w.fault != nil && w.fault.Differs
	if !found || ordered || w.now.Before(epoch().Add(Startup)) {
		return ""
	}
	if kept.created != kept.desired || kept.desired != t.spec.Replicas {
		return fmt.Sprintf("%d pods of %s are left", kept.created, kept.rs.Name)
	}
	for _, pod := range w.Server.podsOf(kept.rs) {
		if pod.CreationTimestamp.After(epoch().Add(Startup)) {
			return fmt.Sprintf("pod %s is a new one", pod.Name)
		}
	}
	return ""
}

func deleteSafe(l *look) string {
	if detail := stillRead(l); detail != "" {
		return detail
	}
	rs, ok := l.change.Before.(*appsv1.ReplicaSet)
	if !ok || l.change.Verb != VerbDelete {
		return ""
	}
	hash, st, t := hashOf(rs), l.before.rollout.Status.State, l.before
	one := t.sets[hash]
	switch {
	case one.desired+one.created > 0:
		return fmt.Sprintf("%s is deleted with %d pods, %d asked for", rs.Name, one.created, one.desired)
	case t.share(hash) > 0 || t.active.selects == hash || t.standby.selects == hash:
		return fmt.Sprintf("%s is deleted and a Service selects it", rs.Name)
	case hash == st.Stable || hash == st.Candidate:
		return fmt.Sprintf("%s is deleted and is stable or under release", rs.Name)
	}
	return ""
}

func budget(l *look) string {
	if l.change.Kind != kindReplicaSet() || l.change.Verb == VerbDelete {
		return ""
	}
	if l.after.spec.Mode != planner.Ratio {
		st := l.after.rollout.Status.State
		both := l.after.sets[st.Stable].desired
		if st.Candidate != st.Stable {
			both += l.after.sets[st.Candidate].desired
		}
		had := l.before.sets[st.Stable].desired + l.before.sets[st.Candidate].desired
		if both > had && both > 2*l.mostReplicas()+2 {
			return fmt.Sprintf("stable and candidate have %d pods with %d replicas", both, l.mostReplicas())
		}
		return ""
	}
	return budgetOfRatio(l)
}

// budgetOfRatio holds scaling to maxSurge and maxUnavailable. What is beyond already may stay, and not grow.
func budgetOfRatio(l *look) string {
	spec := l.after.spec
	had, leftBefore := l.before.pods()
	has, left := l.after.pods()
	if most := l.mostReplicas() + spec.Surge + 1; has > had && has > most {
		return fmt.Sprintf("%d pods with %d replicas and surge %d", has, l.mostReplicas(), spec.Surge)
	}
	if least := l.replicas() - spec.Unavailable; left < leftBefore && left+l.world.checker.fates < least {
		return fmt.Sprintf("%d serving pods stay, and %d of %d may be missing", left, spec.Unavailable, l.replicas())
	}
	return ""
}

// pods counts what there is or will be, and what will go on serving.
func (t *truth) pods() (all, stay int32) {
	for _, s := range t.sets {
		all += max(s.desired, s.created)
		stay += min(s.serving, s.desired)
	}
	return all, stay
}

func scaleIndependent(l *look) string {
	before, after, ok := l.states()
	if !ok || after.Attempt == before.Attempt {
		return ""
	}
	switch {
	case after.Attempt != before.Attempt+1:
		return fmt.Sprintf("attempt %d after %d", after.Attempt, before.Attempt)
	case before.Stable == "", after.Candidate != before.Candidate, l.answered(v1alpha1.ActionRetry):
		return ""
	}
	return fmt.Sprintf("attempt %d of %s begins by itself", after.Attempt, after.Candidate)
}
