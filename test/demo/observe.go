package main

import (
	"cmp"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/demo/view"
	"github.com/sluice-dev/sluice/test/demo/workload"
	"github.com/sluice-dev/sluice/test/load/stats"
)

// recentSeconds is the time over which request rates are shown.
const recentSeconds = 4

// observed is the cluster at one moment.
type observed struct {
	rollout     *v1alpha1.Rollout
	replicaSets []appsv1.ReplicaSet
	pods        []corev1.Pod
	// load is empty before the load has begun.
	load stats.Report
}

// view is what is shown of it.
func (o observed) view(release string, elapsed time.Duration) view.View {
	status := o.rollout.Status
	return view.View{
		Release: release,
		Elapsed: elapsed,
		Phase:   string(status.Phase), Step: status.Step, Weight: status.Weight, Message: status.Message,
		Revisions: o.revisions(),
		Seconds:   recentSeconds,
		Sent:      o.load.Total.All,
		P99:       o.load.Latency.P99,
		Rate:      o.load.Rate,
	}
}

// revisions are those that have pods or had requests lately, in the order of their versions.
func (o observed) revisions() []view.Revision {
	recent := o.load.Last(recentSeconds)
	var out []view.Revision
	for i := range o.replicaSets {
		rs := &o.replicaSets[i]
		hash := rs.Labels[v1alpha1.LabelPodTemplateHash]
		r := view.Revision{Version: workload.VersionOf(&rs.Spec.Template), Role: o.role(hash)}
		r.Recent = recent.Versions[r.Version]
		for j := range o.pods {
			if pod := &o.pods[j]; pod.Labels[v1alpha1.LabelPodTemplateHash] == hash && pod.DeletionTimestamp.IsZero() {
				r.Pods++
				r.Ready += ready(pod)
			}
		}
		if r.Pods > 0 || r.Recent.Requests > 0 {
			out = append(out, r)
		}
	}
	slices.SortFunc(out, func(a, b view.Revision) int { return cmp.Compare(a.Version, b.Version) })
	return out
}

func (o observed) role(hash string) string {
	switch state := o.rollout.Status.State; {
	case hash == state.Stable:
		return "stable"
	case hash == state.Candidate && state.Stage == v1alpha1.StageAborted:
		return "aborted"
	case hash == state.Candidate:
		return "candidate"
	default:
		return ""
	}
}

// ready is 1 for a pod that is ready.
func ready(pod *corev1.Pod) int {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue {
			return 1
		}
	}
	return 0
}

// outcome is the record of the release of what the spec asks for now, once it has ended.
func (o observed) outcome() (v1alpha1.ReleaseRecord, bool) {
	status := o.rollout.Status
	if status.ObservedGeneration != o.rollout.Generation || len(status.History) == 0 {
		return v1alpha1.ReleaseRecord{}, false
	}
	record := status.History[0]
	ended := record.Revision == status.UpdateRevision && !record.EndedAt.IsZero()
	atRest := status.State.Stage == v1alpha1.StageIdle || status.State.Stage == v1alpha1.StageAborted
	return record, ended && atRest
}

// settled says that nothing is left of the release but stable: every other pod has gone, those that were told to end
// included.
func (o observed) settled() bool {
	for i := range o.pods {
		if o.pods[i].Labels[v1alpha1.LabelPodTemplateHash] != o.rollout.Status.StableRevision {
			return false
		}
	}
	return int32(len(o.pods)) == o.rollout.Spec.ReplicasOrDefault()
}

// stuck says which pods cannot start, and why, in the kubelet's words.
func (o observed) stuck() []string {
	var out []string
	for i := range o.pods {
		for _, status := range o.pods[i].Status.ContainerStatuses {
			if w := status.State.Waiting; w != nil && w.Message != "" {
				out = append(out, "pod "+o.pods[i].Name+": "+w.Reason+": "+w.Message)
			}
		}
	}
	return out
}
