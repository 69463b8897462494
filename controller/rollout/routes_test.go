package rollout

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// Where the routes cannot be listed, Rollouts that name some are told so, and nobody else waits for them.
func TestRoutesThatCannotBeRead(t *testing.T) {
	h := newHarness(t, append(network(), routed().Obj())...)
	listed, starts := false, map[string]int{}
	h.r.routes.start = func(kind schema.GroupVersionKind) func(context.Context) (func() bool, error) {
		return func(context.Context) (func() bool, error) {
			starts[kind.Kind]++
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
	if got := h.rollout().Status; got.Phase != v1alpha1.PhaseHealthy {
		t.Errorf("once they are read it is %s: %s", got.Phase, got.Message)
	}
	if diff := cmp.Diff(map[string]int{"HTTPRoute": 1, "Gateway": 1, "GatewayClass": 1}, starts); diff != "" {
		t.Errorf("watches that were begun (-want +got):\n%s", diff)
	}
}

// What a router reads beside routes holds nobody up who cannot have it.
func TestGatewaysThatCannotBeRead(t *testing.T) {
	h := newHarness(t, append(network(), routed().Obj())...)
	h.r.routes.start = func(kind schema.GroupVersionKind) func(context.Context) (func() bool, error) {
		return func(context.Context) (func() bool, error) {
			return func() bool { return kind.Kind == v1alpha1.RouteKindHTTP }, nil
		}
	}
	result, err := h.pass()
	if err != nil || result.RequeueAfter != conflictWait || len(h.writes) != 0 {
		t.Errorf("while they are read for the first time: %v, %v, wrote %v", result, err, h.writes)
	}
	h.clock.SetTime(h.clock.Now().Add(besideTimeout + conflictWait))
	h.settle()
	if got := h.rollout().Status; got.Phase != v1alpha1.PhaseHealthy {
		t.Errorf("without them it is %s: %s", got.Phase, got.Message)
	}
}
