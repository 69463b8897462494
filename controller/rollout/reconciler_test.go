package rollout

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/builder"
)

func TestFirstRolloutByRoute(t *testing.T) {
	h := newHarness(t, append(network(), routed().Obj())...)
	h.settle()
	status := h.rollout().Status
	if status.Phase != v1alpha1.PhaseHealthy {
		t.Fatalf("phase %s: %s", status.Phase, status.Message)
	}
	if diff := cmp.Diff(map[string]int32{imageV1: 4}, h.replicaSets()); diff != "" {
		t.Error(diff)
	}
	if h.selected("web") != status.StableRevision || h.selected("web-standby") != status.StableRevision {
		t.Errorf("the Services select %q and %q, want %q", h.selected("web"), h.selected("web-standby"), status.StableRevision)
	}
	if status.Strategy != "canary" || status.Selector != "app=web" || status.AvailableReplicas != 4 {
		t.Errorf("strategy %q, selector %q, %d available", status.Strategy, status.Selector, status.AvailableReplicas)
	}
}

func TestCanaryByRoute(t *testing.T) {
	h := started(t, routed(), network()...)
	h.release(imageV2)
	h.settle()
	if got := h.rollout().Status; h.weight() != 20 || got.Phase != v1alpha1.PhasePaused || got.Step != "1/2" {
		t.Fatalf("weight %d, phase %s, step %s: %s", h.weight(), got.Phase, got.Step, got.Message)
	}
	candidate := h.rollout().Status.State.Candidate
	h.command(v1alpha1.ActionPromote, candidate, "1")
	h.settle()
	status := h.rollout().Status
	if status.Phase != v1alpha1.PhaseHealthy || status.StableRevision != candidate || h.weight() != 0 {
		t.Fatalf("phase %s, stable %s, weight %d: %s", status.Phase, status.StableRevision, h.weight(), status.Message)
	}
	answer := v1alpha1.CommandStatus{ID: "1", Action: v1alpha1.ActionPromote, Revision: candidate, Accepted: true}
	got := *status.LastCommand
	got.Message, got.At = "", answer.At
	if diff := cmp.Diff(answer, got); diff != "" {
		t.Errorf("the answer to the command: %s", diff)
	}
	h.wantLast(v1alpha1.OutcomePromoted, imageV2)
	h.elapse(v1alpha1.DefaultScaleDownDelay)
	if diff := cmp.Diff(map[string]int32{imageV1: 0, imageV2: 4}, h.replicaSets()); diff != "" {
		t.Error(diff)
	}
}

func TestAbortByHand(t *testing.T) {
	h := started(t, routed(), network()...)
	stable := h.rollout().Status.StableRevision
	h.release(imageV2)
	h.settle()
	h.command(v1alpha1.ActionAbort, h.rollout().Status.State.Candidate, "1")
	first := h.since(func() {
		if _, err := h.pass(); err != nil {
			t.Fatal(err)
		}
	})
	if h.weight() != 0 || len(first) == 0 || first[0] != "patch *unstructured.Unstructured/web" {
		t.Fatalf("the first pass after an abort left the weight at %d and wrote %v; the route comes first", h.weight(), first)
	}
	h.settle()
	status := h.rollout().Status
	if status.Phase != v1alpha1.PhaseDegraded || status.StableRevision != stable || h.replicaSets()[imageV1] != 4 {
		t.Errorf("phase %s, stable %s, sizes %v: %s", status.Phase, status.StableRevision, h.replicaSets(), status.Message)
	}
}

func TestSupersede(t *testing.T) {
	h := started(t, routed(), network()...)
	h.release(imageV2)
	h.settle()
	h.release(imageV3)
	h.settle()
	status := h.rollout().Status
	if status.UpdateRevision != status.State.Candidate || h.weight() != 20 {
		t.Fatalf("update %s, candidate %s, weight %d", status.UpdateRevision, status.State.Candidate, h.weight())
	}
	h.wantLast(v1alpha1.OutcomeSuperseded, imageV2)
	h.command(v1alpha1.ActionPromoteFull, status.State.Candidate, "1")
	h.settle()
	h.elapse(v1alpha1.DefaultScaleDownDelay)
	if diff := cmp.Diff(map[string]int32{imageV1: 0, imageV2: 0, imageV3: 4}, h.replicaSets()); diff != "" {
		t.Error(diff)
	}
}

func TestBlueGreen(t *testing.T) {
	h := started(t, builder.Rollout("web").Namespace(namespace).Image(imageV1).Replicas(3).BlueGreen(), builder.Service(namespace, "web", "web"))
	v1 := h.rollout().Status.StableRevision
	h.release(imageV2)
	h.settle()
	status := h.rollout().Status
	if status.StableRevision == v1 || h.selected("web") != status.StableRevision || status.Phase != v1alpha1.PhaseHealthy {
		t.Fatalf("stable %s, web selects %s, phase %s: %s", status.StableRevision, h.selected("web"), status.Phase, status.Message)
	}
	if h.replicaSets()[imageV1] != 3 {
		t.Errorf("v1 has %d pods right after the switch, want all 3", h.replicaSets()[imageV1])
	}
	h.elapse(v1alpha1.DefaultScaleDownDelay)
	if diff := cmp.Diff(map[string]int32{imageV1: 0, imageV2: 3}, h.replicaSets()); diff != "" {
		t.Error(diff)
	}
}

func TestCanaryByRatio(t *testing.T) {
	h := started(t, builder.Rollout("web").Namespace(namespace).Image(imageV1).Replicas(4).Services("web").
		Canary(builder.Step().Weight("25").Hold()), builder.Service(namespace, "web", "web"))
	h.release(imageV2)
	h.settle()
	if diff := cmp.Diff(map[string]int32{imageV1: 3, imageV2: 1}, h.replicaSets()); diff != "" {
		t.Error(diff)
	}
	h.command(v1alpha1.ActionPromote, h.rollout().Status.State.Candidate, "1")
	h.settle()
	if diff := cmp.Diff(map[string]int32{imageV1: 0, imageV2: 4}, h.replicaSets()); diff != "" {
		t.Error(diff)
	}
}

func TestRollingUpdateAndRecreateWithoutServices(t *testing.T) {
	for name, rollout := range map[string]*builder.RolloutBuilder{
		"rollingUpdate": builder.Rollout("web").RollingUpdate("25%", "25%"),
		"recreate":      builder.Rollout("web").Recreate(),
	} {
		t.Run(name, func(t *testing.T) {
			h := started(t, rollout.Namespace(namespace).Image(imageV1).Replicas(3))
			h.release(imageV2)
			h.settle()
			if diff := cmp.Diff(map[string]int32{imageV1: 0, imageV2: 3}, h.replicaSets()); diff != "" {
				t.Error(diff)
			}
			if got := h.rollout().Status; got.Phase != v1alpha1.PhaseHealthy {
				t.Errorf("phase %s: %s", got.Phase, got.Message)
			}
		})
	}
}

// wantLast holds how the last release ended, and what it was.
func (h *harness) wantLast(outcome v1alpha1.Outcome, image string) {
	h.t.Helper()
	last := h.rollout().Status.History[0]
	if last.Outcome != outcome || !cmp.Equal(last.Images, []string{image}) {
		h.t.Errorf("the last release is %s of %v, want %s of %s", last.Outcome, last.Images, outcome, image)
	}
}

// A first rollout that came to nothing is told of, and then left in peace until something changes.
func TestAFirstRolloutPastItsDeadlineIsQuiet(t *testing.T) {
	h := newHarness(t, builder.Rollout("web").Namespace(namespace).Image(imageV1).Replicas(2).Obj())
	pass := func() time.Duration {
		t.Helper()
		result, err := h.pass()
		if err != nil {
			t.Fatal(err)
		}
		return result.RequeueAfter
	}
	for range 5 {
		pass() // no pod comes up, as the world around does not act
	}
	h.clock.SetTime(h.clock.Now().Add(v1alpha1.DefaultProgressDeadline))
	pass()
	if wait := pass(); wait != 0 {
		t.Errorf("it is looked at again in %s: %s", wait, h.rollout().Status.Message)
	}
	h.wantStalled(v1alpha1.ReasonProgressDeadlineExceeded, []string{"0 of 2 pods available"})
	h.settle()
	if got := h.rollout().Status; got.Phase != v1alpha1.PhaseHealthy {
		t.Errorf("with its pods it is %s: %s", got.Phase, got.Message)
	}
}

// Of two reasons to look again the nearer one counts: an abort that was refused must not wait for a Secret to be read.
func TestEarlier(t *testing.T) {
	for _, tt := range []struct{ a, b, want time.Duration }{
		{0, 0, 0},
		{time.Second, 0, time.Second},
		{0, time.Second, time.Second},
		{2 * time.Second, time.Minute, 2 * time.Second},
		{time.Minute, 2 * time.Second, 2 * time.Second},
	} {
		if got := earlier(tt.a, tt.b); got != tt.want {
			t.Errorf("earlier(%s, %s) = %s, want %s", tt.a, tt.b, got, tt.want)
		}
	}
}
