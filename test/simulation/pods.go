package simulation

import (
	"fmt"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// setOf are the ReplicaSets that a change concerns.
func setOf(c *Change) []item {
	switch c.Kind {
	case kindReplicaSet():
		return []item{{kind: c.Kind, key: c.Key}}
	case kindPod():
		obj := c.After
		if obj == nil {
			obj = c.Before
		}
		if owner := metav1.GetControllerOf(obj); owner != nil {
			return []item{{kind: kindReplicaSet(), key: types.NamespacedName{Namespace: c.Key.Namespace, Name: owner.Name}}}
		}
	}
	return nil
}

// podsOf are the pods of a ReplicaSet, with those that are ending.
func (s *Server) podsOf(rs *appsv1.ReplicaSet) []*corev1.Pod {
	var out []*corev1.Pod
	for _, pod := range listed[*corev1.Pod](s, kindPod(), rs.Namespace) {
		if metav1.IsControlledBy(pod, rs) {
			out = append(out, pod)
		}
	}
	return out
}

// sizeSet is the ReplicaSet controller.
func (e *environment) sizeSet(i item) time.Duration {
	s := e.world.Server
	rs := lookup[*appsv1.ReplicaSet](s, i.kind, i.key)
	if rs == nil {
		return 0
	}
	if rs.DeletionTimestamp == nil {
		e.resize(rs)
	}
	status := appsv1.ReplicaSetStatus{ObservedGeneration: rs.Generation}
	var again time.Duration
	ends := int32(0)
	for _, pod := range s.podsOf(rs) {
		if pod.DeletionTimestamp != nil {
			ends++
			continue
		}
		status.Replicas++
		since, ready := readySince(pod)
		if !ready {
			continue
		}
		status.ReadyReplicas++
		if wait := since.Add(time.Duration(rs.Spec.MinReadySeconds) * time.Second).Sub(e.world.now); wait > 0 {
			again = max(again, wait)
			continue
		}
		status.AvailableReplicas++
	}
	status.FullyLabeledReplicas = status.Replicas
	status.TerminatingReplicas = ptr.To(ends)
	status.Conditions = rs.Status.Conditions
	next := *rs
	next.Status = status
	e.put(e.status("replicaset-controller"), i.kind, &next)
	return again
}

// resize makes and deletes pods: those that are not ready go first, and then the newest.
func (e *environment) resize(rs *appsv1.ReplicaSet) {
	w := e.by("replicaset-controller")
	pods := slices.DeleteFunc(e.world.Server.podsOf(rs), func(pod *corev1.Pod) bool { return pod.DeletionTimestamp != nil })
	want := int(ptr.Deref(rs.Spec.Replicas, 1))
	for range want - len(pods) {
		pod := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: rs.Namespace, GenerateName: rs.Name + "-", Labels: rs.Spec.Template.Labels,
				OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(rs, appsv1.SchemeGroupVersion.WithKind("ReplicaSet"))},
			},
			Spec: rs.Spec.Template.Spec,
		}
		if err := e.world.Server.create(w, kindPod(), pod); err != nil {
			panic(fmt.Sprintf("creating a pod of %s: %v", rs.Name, err))
		}
	}
	slices.SortStableFunc(pods, func(a, b *corev1.Pod) int {
		_, x := readySince(a)
		_, y := readySince(b)
		switch {
		case x != y && !x, x == y && a.CreationTimestamp.After(b.CreationTimestamp.Time):
			return -1
		case x == y && a.CreationTimestamp.Equal(&b.CreationTimestamp):
			return 0
		}
		return 1
	})
	for n := range max(0, len(pods)-want) {
		_ = e.world.Server.remove(w, kindPod(), client.ObjectKeyFromObject(pods[n]), client.DeleteOptions{})
	}
}

// readySince says whether a pod is ready, and since when.
func readySince(pod *corev1.Pod) (time.Time, bool) {
	for i := range pod.Status.Conditions {
		if c := &pod.Status.Conditions[i]; c.Type == corev1.PodReady {
			return c.LastTransitionTime.Time, c.Status == corev1.ConditionTrue
		}
	}
	return time.Time{}, false
}

// serving says whether a pod answers requests.
func serving(pod *corev1.Pod) bool {
	_, ready := readySince(pod)
	return ready && pod.DeletionTimestamp == nil
}

// runPod is the kubelet: pods become ready after their time, and end after theirs.
func (e *environment) runPod(i item) time.Duration {
	pod := lookup[*corev1.Pod](e.world.Server, i.kind, i.key)
	switch {
	case pod == nil:
		return 0
	case pod.DeletionTimestamp != nil:
		if wait := pod.DeletionTimestamp.Add(ending).Sub(e.world.now); wait > 0 {
			return wait
		}
		e.world.Server.gone(e.by("kubelet"), i.kind, i.key)
		return 0
	case len(pod.Status.Conditions) > 0:
		return 0
	}
	if e.world.lacks(pod) != "" {
		return Startup // it cannot start, and is tried again
	}
	startup, known := e.startup[pod.Spec.Containers[0].Image]
	if !known {
		startup = Startup
	}
	if startup == Never {
		return Never
	}
	if wait := pod.CreationTimestamp.Add(startup).Sub(e.world.now); wait > 0 {
		return wait
	}
	e.setReady(pod, "kubelet", true)
	return 0
}

// setReady writes the readiness of a pod.
func (e *environment) setReady(pod *corev1.Pod, by string, ready bool) {
	next := *pod
	status := corev1.ConditionFalse
	if ready {
		status = corev1.ConditionTrue
	}
	next.Status = corev1.PodStatus{Phase: corev1.PodRunning, Conditions: []corev1.PodCondition{{
		Type: corev1.PodReady, Status: status, LastTransitionTime: metav1.NewTime(e.world.now.Truncate(time.Second)),
	}}}
	e.put(e.status(by), kindPod(), &next)
}

// imageOf is the image of a revision of a namespace; empty when it has no ReplicaSet.
func (e *environment) imageOf(namespace, hash string) string {
	for _, rs := range listed[*appsv1.ReplicaSet](e.world.Server, kindReplicaSet(), namespace) {
		if rs.Labels[v1alpha1.LabelPodTemplateHash] == hash && len(rs.Spec.Template.Spec.Containers) > 0 {
			return rs.Spec.Template.Spec.Containers[0].Image
		}
	}
	return ""
}

// Kill ends pods of an image at once, as a node does that is lost, the oldest first. It returns how many there were.
func (w *World) Kill(namespace, image string, most int) int {
	killed := 0
	for _, pod := range listed[*corev1.Pod](w.Server, kindPod(), namespace) {
		if killed == most || pod.Spec.Containers[0].Image != image || pod.DeletionTimestamp != nil {
			continue
		}
		killed++
		w.Server.gone(Write{By: "fate"}, kindPod(), client.ObjectKeyFromObject(pod))
	}
	return killed
}

// Unready makes pods of an image fail their readiness probe, or pass it again.
func (w *World) Unready(namespace, image string, ready bool) {
	for _, pod := range listed[*corev1.Pod](w.Server, kindPod(), namespace) {
		if pod.Spec.Containers[0].Image == image && pod.DeletionTimestamp == nil && len(pod.Status.Conditions) > 0 {
			w.env.setReady(pod, "fate", ready)
		}
	}
}
