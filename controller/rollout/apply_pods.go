package rollout

import (
	"cmp"
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/controller/planner"
)

// restartPods deletes pods that are older than the request. Each is deleted as the very pod that was counted: a new one
// of the same name is another. A pod that the API server does not let go, such as one that a policy protects, does not
// hold up the others; the first refusal is told of when they have gone.
func (r *Reconciler) restartPods(ctx context.Context, w *world, a planner.RestartPods) error {
	var kept error
	pods, left := w.outdated(a), a.Max
	for i := 0; i < len(pods) && left > 0; i++ {
		err := r.writes.Delete(ctx, &pods[i], client.Preconditions{UID: &pods[i].UID})
		switch {
		case err == nil, apierrors.IsNotFound(err), apierrors.IsConflict(err):
			left--
		case !refusal(err):
			return err
		default:
			kept = cmp.Or(kept, err)
			if !w.available(&pods[i]) {
				left-- // the next one may be available, and would be one too many
			}
		}
	}
	return kept
}

// outdated are the pods that a restart may delete: first those that are not available, as the planner counts on, and of
// the others the oldest.
func (w *world) outdated(a planner.RestartPods) []corev1.Pod {
	pods := slices.DeleteFunc(slices.Clone(w.pods[a.Revision]), func(pod corev1.Pod) bool {
		return !pod.CreationTimestamp.Time.Before(a.Before)
	})
	slices.SortFunc(pods, func(x, y corev1.Pod) int {
		first, second := w.available(&x), w.available(&y)
		if !first && second || first == second && olderThan(&x, &y) {
			return -1
		}
		return 1
	})
	return pods
}

// available says whether a pod has been ready for minReadySeconds.
func (w *world) available(pod *corev1.Pod) bool {
	ready, wait := w.availability(pod)
	return ready && wait == 0
}
