package rollout

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/controller/planner"
)

// restartPods deletes pods that are older than the request, first those that are not available, and of the others the
// oldest. Each is deleted as the very pod that was counted: a new one of the same name is another.
func (r *Reconciler) restartPods(ctx context.Context, w *world, a planner.RestartPods) error {
	pods := slices.DeleteFunc(slices.Clone(w.pods[a.Revision]), func(pod corev1.Pod) bool {
		return !pod.CreationTimestamp.Time.Before(a.Before)
	})
	slices.SortFunc(pods, func(x, y corev1.Pod) int {
		if a, b := w.available(&x), w.available(&y); a != b {
			if b {
				return -1
			}
			return 1
		}
		if olderThan(&x, &y) {
			return -1
		}
		return 1
	})
	for i := range pods[:min(len(pods), int(a.Max))] {
		err := r.writes.Delete(ctx, &pods[i], client.Preconditions{UID: &pods[i].UID})
		if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
			return err
		}
	}
	return nil
}

// available says whether a pod has been ready for minReadySeconds.
func (w *world) available(pod *corev1.Pod) bool {
	ready, wait := w.availability(pod)
	return ready && wait == 0
}
