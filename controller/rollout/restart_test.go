package rollout

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
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
