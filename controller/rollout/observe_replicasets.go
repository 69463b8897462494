package rollout

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller/planner"
	"github.com/sluice-dev/sluice/controller/revision"
)

// observeReplicaSets finds the ReplicaSets that the Rollout controls, and with them the target. One that is being
// deleted is on its way out with its pods, and does not count.
func (r *Reconciler) observeReplicaSets(ctx context.Context, w *world) error {
	var list appsv1.ReplicaSetList
	if err := r.cache.List(ctx, &list, client.InNamespace(w.rollout.Namespace),
		client.MatchingFields{indexController: string(w.rollout.UID)}); err != nil {
		return fmt.Errorf("listing ReplicaSets: %w", err)
	}
	w.replicaSets = make(map[string]*appsv1.ReplicaSet, len(list.Items))
	for _, rs := range w.sortOut(list.Items) {
		hash := revisionOf(rs)
		if other, taken := w.replicaSets[hash]; taken && other.Name == revision.ReplicaSetName(w.rollout.Name, hash) {
			continue
		}
		w.replicaSets[hash] = rs
	}
	if err := r.observeOrphans(ctx, w); err != nil {
		return err
	}
	w.keepOrphaned()
	for hash, rs := range w.replicaSets {
		w.snapshot.Revisions = append(w.snapshot.Revisions, observedRevision(hash, rs))
	}
	slices.SortFunc(w.snapshot.Revisions, func(a, b planner.Revision) int {
		return cmp.Or(cmp.Compare(a.Number, b.Number), cmp.Compare(a.Hash, b.Hash))
	})
	w.observeTarget()
	return nil
}

// revisionOf is the hash of a ReplicaSet, from its selector, which nobody can change.
func revisionOf(rs *appsv1.ReplicaSet) string {
	if rs.Spec.Selector == nil {
		return ""
	}
	return rs.Spec.Selector.MatchLabels[v1alpha1.LabelPodTemplateHash]
}

// observedRevision counts the pods of a ReplicaSet. While its controller has not come to a new size, pods beyond that
// size count as neither ready nor available: they are about to go.
func observedRevision(hash string, rs *appsv1.ReplicaSet) planner.Revision {
	desired := ptr.Deref(rs.Spec.Replicas, 1)
	out := planner.Revision{
		Hash:        hash,
		Number:      v1alpha1.RevisionNumber(rs),
		Desired:     desired,
		Created:     rs.Status.Replicas,
		Ready:       rs.Status.ReadyReplicas,
		Available:   rs.Status.AvailableReplicas,
		Terminating: ptr.Deref(rs.Status.TerminatingReplicas, 0),
	}
	if rs.Status.ObservedGeneration < rs.Generation {
		out.Ready, out.Available = min(out.Ready, desired), min(out.Available, desired)
	}
	for _, c := range rs.Status.Conditions {
		if c.Type == appsv1.ReplicaSetReplicaFailure && c.Status == corev1.ConditionTrue {
			out.Hindered = cut(c.Message, maxMessage/2)
		}
	}
	return out
}

// nextNumber is the number of the next revision.
func (w *world) nextNumber() int64 {
	var last int64
	for _, r := range w.snapshot.Revisions {
		last = max(last, r.Number)
	}
	return last + 1
}

// observePods counts the pods themselves while a restart is asked for: which are older than the request is written
// nowhere else, and a ReplicaSet still counts a pod that has just been deleted. It counts them too where pods that are
// ending hold up a release and nobody else tells of them.
func (r *Reconciler) observePods(ctx context.Context, w *world) error {
	before, unseen := w.snapshot.State.RestartAt, w.endingUnseen()
	if before.IsZero() && !unseen {
		return nil
	}
	var list corev1.PodList
	if err := r.live.List(ctx, &list, client.InNamespace(w.rollout.Namespace),
		client.MatchingLabelsSelector{Selector: selectorOf(w.rollout)}); err != nil {
		return fmt.Errorf("listing pods to restart: %w", err)
	}
	if !before.IsZero() {
		w.lookAgain(restartEvery)
	}
	w.pods = map[string][]corev1.Pod{}
	for i := range w.snapshot.Revisions {
		w.countPods(&w.snapshot.Revisions[i], list.Items, unseen)
	}
	return nil
}

// countPods counts the pods of a revision, and has another look asked for while some are ending that nobody else tells of.
func (w *world) countPods(rev *planner.Revision, pods []corev1.Pod, unseen bool) {
	rev.Created, rev.Ready, rev.Available, rev.Terminating = 0, 0, 0, 0
	for _, pod := range pods {
		switch {
		case !metav1.IsControlledBy(&pod, w.replicaSets[rev.Hash]) || podEnded(&pod):
		case pod.DeletionTimestamp == nil:
			w.pods[rev.Hash] = append(w.pods[rev.Hash], pod)
			w.countPod(rev, &pod, w.snapshot.State.RestartAt.Time)
		default:
			rev.Terminating++
			if unseen {
				w.lookAgain(endingEvery)
			}
		}
	}
}

const (
	// endingEvery is how often pods that are ending are counted where nothing tells of their end.
	endingEvery = time.Second
	// restartEvery is how often pods are counted while a restart waits for them. Their ReplicaSet mostly tells earlier, but
	// not when its status is the same before and after one of them was replaced.
	restartEvery = 5 * time.Second
)

// endingUnseen says whether a release waits for pods that are ending, as recreate does, in a cluster that does not
// count them: Kubernetes does since 1.35, with the feature DeploymentReplicaSetTerminatingReplicas.
func (w *world) endingUnseen() bool {
	if w.rollout.Spec.Strategy.Recreate == nil || w.snapshot.State.Stage != v1alpha1.StageStepping {
		return false
	}
	for _, rs := range w.replicaSets {
		if rs.Status.TerminatingReplicas == nil {
			return true
		}
	}
	return false
}

func minReady(rollout *v1alpha1.Rollout) time.Duration {
	return time.Duration(rollout.Spec.MinReadySeconds) * time.Second
}

func podEnded(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
}

// countPod counts a pod, and has another look asked for when time alone will make it available.
func (w *world) countPod(rev *planner.Revision, pod *corev1.Pod, before time.Time) {
	rev.Created++
	outdated := pod.CreationTimestamp.Time.Before(before)
	if outdated {
		rev.Outdated++
	}
	ready, wait := w.availability(pod)
	if !ready {
		return
	}
	rev.Ready++
	if wait > 0 {
		w.lookAgain(wait)
		return
	}
	rev.Available++
	if outdated {
		rev.OutdatedAvailable++
	}
}

// availability says whether a pod is ready, and how long it has yet to stay so before it counts as available.
func (w *world) availability(pod *corev1.Pod) (ready bool, wait time.Duration) {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue {
			return true, max(0, c.LastTransitionTime.Add(minReady(w.rollout)).Sub(w.snapshot.Now))
		}
	}
	return false, 0
}

// lookAgain asks for another look after a time, or earlier if something else asks for that.
func (w *world) lookAgain(wait time.Duration) {
	if w.retry == 0 || wait < w.retry {
		w.retry = wait
	}
}
