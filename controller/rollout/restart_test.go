package rollout

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller/planner"
)

func TestRestartReplacesEveryPod(t *testing.T) {
	h := started(t, routed(), network()...)
	old := h.podNames()
	h.clock.SetTime(h.clock.Now().Add(time.Minute))
	h.command(v1alpha1.ActionRestart, h.rollout().Status.StableRevision, "1")
	h.settle()
	h.elapse(time.Second)
	for name := range h.podNames() {
		if old[name] {
			t.Errorf("pod %s is still there", name)
		}
	}
	status := h.rollout().Status
	if !status.State.RestartAt.IsZero() || status.Phase != v1alpha1.PhaseHealthy || len(h.podNames()) != 4 {
		t.Errorf("restartAt %s, phase %s, %d pods: %s", status.State.RestartAt, status.Phase, len(h.podNames()), status.Message)
	}
}

// Pods are not watched, and a ReplicaSet whose status is the same before and after a pod was replaced wakes nobody.
func TestARestartLooksForItsPods(t *testing.T) {
	h := started(t, routed(), network()...)
	h.clock.SetTime(h.clock.Now().Add(time.Minute))
	h.command(v1alpha1.ActionRestart, h.rollout().Status.StableRevision, "1")
	var result reconcile.Result
	for range 3 {
		h.clock.SetTime(h.clock.Now().Add(time.Second))
		var err error
		if result, err = h.pass(); err != nil {
			t.Fatal(err)
		}
	}
	if result.RequeueAfter != restartEvery {
		t.Errorf("a restart that waits for a pod looks again after %s, want %s", result.RequeueAfter, restartEvery)
	}
	h.settle()
	if result, err := h.pass(); err != nil || result.RequeueAfter != 0 {
		t.Errorf("after the restart it looks again after %s, want never: %v", result.RequeueAfter, err)
	}
}

func (h *harness) podNames() map[string]bool {
	h.t.Helper()
	var list corev1.PodList
	if err := h.base.List(h.t.Context(), &list); err != nil {
		h.t.Fatal(err)
	}
	out := map[string]bool{}
	for _, pod := range list.Items {
		out[pod.Name] = true
	}
	return out
}

// podOf is a pod that is so old, and that has been ready for so long; not at all when that is negative.
func podOf(name string, now time.Time, old, ready time.Duration) corev1.Pod {
	pod := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, CreationTimestamp: metav1.NewTime(now.Add(-old))}}
	if ready >= 0 {
		pod.Status.Conditions = []corev1.PodCondition{{
			Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: metav1.NewTime(now.Add(-ready)),
		}}
	}
	return pod
}

func TestPodsOfARestartAreCountedOneByOne(t *testing.T) {
	now := time.Date(2030, time.June, 1, 12, 0, 0, 0, time.UTC)
	w := &world{rollout: &v1alpha1.Rollout{Spec: v1alpha1.RolloutSpec{MinReadySeconds: 5}}}
	w.snapshot.Now = now
	w.pods = map[string][]corev1.Pod{"v1": {
		podOf("young", now, 10*time.Second, 3*time.Second),
		podOf("serving", now, time.Hour, 50*time.Minute),
		podOf("oldest", now, 2*time.Hour, 50*time.Minute),
		podOf("hanging", now, 30*time.Minute, -1),
	}}
	var got planner.Revision
	for _, pod := range w.pods["v1"] {
		w.countPod(&got, &pod, now.Add(-time.Minute))
	}
	if want := (planner.Revision{Created: 4, Ready: 3, Available: 2, Outdated: 3, OutdatedAvailable: 2}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if w.retry != 2*time.Second {
		t.Errorf("another look after %s, want 2s, when the young pod has been ready for long enough", w.retry)
	}
	var order []string
	for _, pod := range w.outdated(planner.RestartPods{Revision: "v1", Before: now.Add(-time.Minute)}) {
		order = append(order, pod.Name)
	}
	if want := "hanging oldest serving"; strings.Join(order, " ") != want {
		t.Errorf("%s go in this order, want %s", order, want)
	}
}
