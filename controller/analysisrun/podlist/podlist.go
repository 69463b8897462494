// Package podlist lists the pods of a revision for an analysis, as the API server has them.
package podlist

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/analysis"
	"github.com/sluice-dev/sluice/api/v1alpha1"
)

const (
	// podsPerPage bounds the memory that one answer takes: a pod is some 10 kB.
	podsPerPage = 500
	// maxPods are looked at of one revision; beyond them a sample is as good.
	maxPods = 5000
)

// +kubebuilder:rbac:groups="",resources=pods,verbs=list

// In lists the pods of a revision in one namespace, by its label. Pods are in no cache, as a cluster has most of them;
// the API server answers such a list from its own.
func In(live client.Reader, namespace string) analysis.Pods {
	return func(ctx context.Context, revision string) ([]analysis.Pod, error) {
		var pods []analysis.Pod
		next := ""
		for len(pods) < maxPods {
			var page corev1.PodList
			if err := live.List(ctx, &page, client.InNamespace(namespace), client.Limit(podsPerPage), client.Continue(next),
				client.MatchingLabels{v1alpha1.LabelPodTemplateHash: revision}); err != nil {
				return nil, err
			}
			for i := range page.Items {
				if owner := metav1.GetControllerOf(&page.Items[i]); owner != nil && owner.Kind == "ReplicaSet" {
					pods = append(pods, Of(&page.Items[i]))
				}
			}
			if next = page.Continue; next == "" {
				break
			}
		}
		return pods, nil
	}
}

// Of takes from a pod what an analysis looks at. Containers that run beside the pod are init containers that have been
// started and restart; the others among these are no part of a version that serves.
func Of(pod *corev1.Pod) analysis.Pod {
	out := analysis.Pod{Name: pod.Name, NotReadySince: notReadySince(pod)}
	for _, c := range pod.Status.ContainerStatuses {
		out.Containers = append(out.Containers, containerOf(c))
	}
	for _, c := range pod.Status.InitContainerStatuses {
		if beside(pod, c.Name) {
			out.Containers = append(out.Containers, containerOf(c))
		}
	}
	return out
}

// beside says that an init container runs for as long as its pod does.
func beside(pod *corev1.Pod, name string) bool {
	for _, c := range pod.Spec.InitContainers {
		if c.Name == name {
			return c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways
		}
	}
	return false
}

// containerOf takes from the status of a container what an analysis looks at.
func containerOf(c corev1.ContainerStatus) analysis.Container {
	const outOfMemory, backOff = "OOMKilled", "CrashLoopBackOff"
	return analysis.Container{
		Name: c.Name, Restarts: c.RestartCount,
		OOMKilled:    c.LastTerminationState.Terminated != nil && c.LastTerminationState.Terminated.Reason == outOfMemory,
		CrashLooping: c.State.Waiting != nil && c.State.Waiting.Reason == backOff,
	}
}

// notReadySince is since when a pod runs without being ready: since its last container began, if that was later. One that
// was never placed or pulls its image is the release's matter, which has a deadline for it.
func notReadySince(pod *corev1.Pod) time.Time {
	if pod.DeletionTimestamp != nil || pod.Status.Phase != corev1.PodRunning {
		return time.Time{}
	}
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodReady && condition.Status != corev1.ConditionTrue {
			return latest(condition.LastTransitionTime.Time, pod.Status.ContainerStatuses)
		}
	}
	return time.Time{}
}

// latest is when the last of some containers began, or a time if that was later.
func latest(at time.Time, containers []corev1.ContainerStatus) time.Time {
	for _, c := range containers {
		if r := c.State.Running; r != nil && r.StartedAt.After(at) {
			at = r.StartedAt.Time
		}
	}
	return at
}
