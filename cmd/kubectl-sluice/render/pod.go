package render

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

func (d drawing) pod(pod *corev1.Pod) node {
	ready, restarts := 0, int32(0)
	for _, c := range pod.Status.ContainerStatuses {
		if c.Ready {
			ready++
		}
		restarts += c.RestartCount
	}
	var details []string
	if restarts > 0 {
		details = append(details, fmt.Sprintf("%d restarts", restarts))
	}
	if d.wide && pod.Status.PodIP != "" {
		details = append(details, pod.Status.PodIP)
	}
	if d.wide && pod.Spec.NodeName != "" {
		details = append(details, "on "+pod.Spec.NodeName)
	}
	return node{row: []Cell{
		{Text: "Pod " + pod.Name},
		podStatus(pod, ready),
		{Text: fmt.Sprintf("%d/%d", ready, len(pod.Spec.Containers))},
		{Text: age(pod.CreationTimestamp, d.Now)},
		{Text: strings.Join(details, ", ")},
	}}
}

// podStatus is the word that kubectl get pods would show for the usual cases.
func podStatus(pod *corev1.Pod, ready int) Cell {
	if pod.DeletionTimestamp != nil {
		return Cell{Text: "Terminating", Style: Faint}
	}
	if reason := trouble(pod); reason != "" {
		return Cell{Text: reason, Style: Bad}
	}
	switch pod.Status.Phase {
	case corev1.PodRunning:
		if ready == len(pod.Spec.Containers) {
			return Cell{Text: "Running", Style: Good}
		}
		return Cell{Text: "Running", Style: Busy}
	case corev1.PodFailed:
		return Cell{Text: cell(pod.Status.Reason).Text, Style: Bad}
	case corev1.PodPending, corev1.PodSucceeded, corev1.PodUnknown:
	}
	return Cell{Text: cell(string(pod.Status.Phase)).Text, Style: Busy}
}

// trouble is the reason for which a container does not run: CrashLoopBackOff, ImagePullBackOff and their like, but not
// that it is on its way.
func trouble(pod *corev1.Pod) string {
	for _, statuses := range [][]corev1.ContainerStatus{pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses} {
		for _, c := range statuses {
			if w := c.State.Waiting; w != nil && w.Reason != "" && w.Reason != "ContainerCreating" && w.Reason != "PodInitializing" {
				return w.Reason
			}
			if t := c.State.Terminated; t != nil && t.ExitCode != 0 {
				return cell(t.Reason).Text
			}
		}
	}
	return ""
}
