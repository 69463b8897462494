package rollout

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller/planner"
)

const (
	// hinderedAfter is how long a release waits for pods before it looks at them: most are available by then.
	hinderedAfter = 15 * time.Second
	// hinderedEvery is how often it looks again. A pod that is stuck does not change, and nothing else tells of it.
	hinderedEvery = 30 * time.Second
	// hinderedPods is how many pods of a revision are looked at: they are all of one template, and mostly stuck alike.
	hinderedPods = 50
	// maxHindrance is the length of what is told, in characters; the message of the scheduler names every kind of node.
	maxHindrance = 300
)

// observeHindrance finds out why the pods that a release waits for do not become available. Their ReplicaSet counts them and
// does not say, and "0 of 2 pods are available" helps nobody at night.
func (r *Reconciler) observeHindrance(ctx context.Context, w *world) error {
	state := w.snapshot.State
	awaited := state.Candidate
	if state.Stage == v1alpha1.StageRetreating {
		awaited = state.Stable
	}
	i := slices.IndexFunc(w.snapshot.Revisions, func(rev planner.Revision) bool { return rev.Hash == awaited })
	if i < 0 || state.ProgressAt.IsZero() {
		return nil
	}
	rev := &w.snapshot.Revisions[i]
	if rev.Available >= rev.Desired || rev.Hindered != "" {
		return nil
	}
	switch waited := w.snapshot.Now.Sub(state.ProgressAt.Time); {
	case waited < hinderedAfter:
		w.lookAgain(hinderedAfter - waited)
		return nil
	case waited < w.snapshot.Spec.Deadline:
		w.lookAgain(hinderedEvery)
	}
	rs := w.replicaSets[awaited]
	var list corev1.PodList
	if err := r.live.List(ctx, &list, client.InNamespace(w.rollout.Namespace), client.Limit(hinderedPods),
		client.MatchingLabels(rs.Spec.Selector.MatchLabels)); err != nil {
		return fmt.Errorf("listing the pods of %s: %w", awaited, err)
	}
	rev.Hindered = hindrance(slices.DeleteFunc(list.Items, func(pod corev1.Pod) bool { return !metav1.IsControlledBy(&pod, rs) }))
	return nil
}

// hindrance says what keeps the first of the pods that are not ready; empty when all are, or when it is only a matter of
// time. It says the same for as long as that is so: what a kubelet reports goes to and fro between two attempts.
func hindrance(pods []corev1.Pod) string {
	slices.SortFunc(pods, func(a, b corev1.Pod) int { return cmp.Compare(a.Name, b.Name) })
	for i := range pods {
		pod := &pods[i]
		if pod.DeletionTimestamp != nil || podEnded(pod) {
			continue
		}
		if why := stuck(pod); why != "" {
			return cut("pod "+pod.Name+" "+why, maxHindrance)
		}
	}
	return ""
}

// stuck says what keeps a pod from becoming ready.
func stuck(pod *corev1.Pod) string {
	if c := falseCondition(pod, corev1.PodScheduled); c != nil {
		return "finds no node: " + c.Message
	}
	running := len(pod.Status.ContainerStatuses) > 0
	for _, status := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		if why := stuckContainer(&status); why != "" {
			return why
		}
		running = running && status.State.Waiting == nil
	}
	if running && falseCondition(pod, corev1.PodReady) != nil {
		return "runs and is not ready; look at its readiness probe"
	}
	return ""
}

// falseCondition is a condition of a pod that does not hold; nil when it holds or is not known.
func falseCondition(pod *corev1.Pod, kind corev1.PodConditionType) *corev1.PodCondition {
	for i, c := range pod.Status.Conditions {
		if c.Type == kind && c.Status == corev1.ConditionFalse {
			return &pod.Status.Conditions[i]
		}
	}
	return nil
}

// stuckContainer says what keeps a container from running.
func stuckContainer(status *corev1.ContainerStatus) string {
	if ended := lastEnd(status); ended != nil {
		return fmt.Sprintf("has a container %s that ends with exit code %d (%s); look at its log", status.Name, ended.ExitCode, ended.Reason)
	}
	waits := status.State.Waiting
	if waits == nil {
		return ""
	}
	switch waits.Reason {
	case "", "ContainerCreating", "PodInitializing":
		return ""
	case "ErrImagePull", "ImagePullBackOff":
		return "cannot pull image " + status.Image
	case "CrashLoopBackOff":
		return fmt.Sprintf("has a container %s that does not keep running; look at its log", status.Name)
	}
	return fmt.Sprintf("has a container %s that cannot start: %s: %s", status.Name, waits.Reason, waits.Message)
}

// lastEnd is how a container that does not run ended with an error; nil when it did not.
func lastEnd(status *corev1.ContainerStatus) *corev1.ContainerStateTerminated {
	for _, state := range []corev1.ContainerState{status.State, status.LastTerminationState} {
		if status.State.Running == nil && state.Terminated != nil && state.Terminated.ExitCode != 0 {
			return state.Terminated
		}
	}
	return nil
}
