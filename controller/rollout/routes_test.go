package rollout

import (
	"context"
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// Where the routes cannot be listed, Rollouts that name some are told so, and nobody else waits for them.
func TestRoutesThatCannotBeRead(t *testing.T) {
	h := newHarness(t, append(network(), routed().Obj())...)
	listed, starts := false, 0
	h.r.routes.start = func(schema.GroupVersionKind) func(context.Context) (func() bool, error) {
		return func(context.Context) (func() bool, error) {
			starts++
			return func() bool { return listed }, nil
		}
	}
	result, err := h.pass()
	if err != nil || result.RequeueAfter != conflictWait || len(h.writes) != 0 {
		t.Errorf("while they are read for the first time: %v, %v, wrote %v", result, err, h.writes)
	}
	h.clock.SetTime(h.clock.Now().Add(routesTimeout + conflictWait))
	for range 3 {
		if result, err = h.pass(); err != nil {
			t.Fatal(err)
		}
	}
	h.wantStalled(v1alpha1.ReasonRouteNotFound, []string{"spec.traffic", "HTTPRoutes", "list and watch"})
	if result.RequeueAfter != routesRetry {
		t.Errorf("looked at again in %s, want %s", result.RequeueAfter, routesRetry)
	}
	listed = true
	h.settle()
	if got := h.rollout().Status; got.Phase != v1alpha1.PhaseHealthy || starts != 1 {
		t.Errorf("once they are read it is %s: %s; the watch began %d times", got.Phase, got.Message, starts)
	}
}
