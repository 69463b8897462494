package rollout

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/builder"
)

// labelled is a route that sends everything to the active Service, with a label that the selector looks for or another.
func labelled(name, app string) *gatewayv1.HTTPRoute {
	route := builder.HTTPRoute(name, "gateway").Namespace(namespace).Rule("/", "web").Obj()
	route.Labels = map[string]string{"app": app}
	return route
}

// selecting is a canary of the routes with the label app: web.
func selecting() *builder.RolloutBuilder {
	return routed().With(func(r *v1alpha1.Rollout) {
		r.Spec.Traffic.GatewayAPI = &v1alpha1.GatewayAPITraffic{Selectors: []v1alpha1.RouteSelector{
			{Kind: "HTTPRoute", MatchLabels: map[string]string{"app": "web"}},
		}}
	})
}

// weights are those of the standby Service in percent, by route.
func (h *harness) weights() map[string]int32 {
	h.t.Helper()
	var list gatewayv1.HTTPRouteList
	if err := h.base.List(h.t.Context(), &list, client.InNamespace(namespace)); err != nil {
		h.t.Fatal(err)
	}
	out := map[string]int32{}
	for _, route := range list.Items {
		out[route.Name] = 0
		for _, ref := range route.Spec.Rules[0].BackendRefs {
			if ref.Name == "web-standby" {
				out[route.Name] = *ref.Weight
			}
		}
	}
	return out
}

func (h *harness) wantWeights(when string, want map[string]int32) {
	h.t.Helper()
	if diff := cmp.Diff(want, h.weights()); diff != "" {
		h.t.Errorf("%s: weights (-want +got):\n%s", when, diff)
	}
}

func (h *harness) label(route, app string) {
	h.t.Helper()
	alter(h, route, &gatewayv1.HTTPRoute{}, func(r *gatewayv1.HTTPRoute) { r.Labels = map[string]string{"app": app} })
	h.settle()
}

// Routes come and go in mid-release: one that comes gets the weight, one that goes is what it was.
func TestRoutesByLabel(t *testing.T) {
	h := started(t, selecting(), builder.Service(namespace, "web", "web"), labelled("web", "web"), labelled("api", "web"), labelled("other", "other"))
	before := h.route()
	h.release(imageV2)
	h.settle()
	h.wantWeights("at the step", map[string]int32{"web": 20, "api": 20, "other": 0})
	h.label("other", "web")
	h.wantWeights("once another has the label", map[string]int32{"web": 20, "api": 20, "other": 20})
	h.label("web", "none")
	h.wantWeights("once one has it no more", map[string]int32{"web": 0, "api": 20, "other": 20})
	if diff := cmp.Diff(before, h.route()); diff != "" {
		t.Errorf("the one that has it no more (-before +after):\n%s", diff)
	}
	if n := len(h.rollout().Status.Routes); n != 2 {
		t.Errorf("%d routes are remembered, want 2", n)
	}
	h.remove(labelled("other", "web"))
	h.command(v1alpha1.ActionAbort, h.rollout().Status.State.Candidate, "1")
	h.settle()
	h.wantWeights("after the abort", map[string]int32{"web": 0, "api": 0})
}

// A route that comes is not taken for one that has the weight, whatever its gateway says of it.
func TestARouteThatComesIsWaitedFor(t *testing.T) {
	h := started(t, selecting(), builder.Service(namespace, "web", "web"), labelled("web", "web"))
	h.release(imageV2)
	h.settle()
	h.make(labelled("api", "web"))
	if err := h.plane.Step(t.Context()); err != nil { // its gateway accepts it as it is
		t.Fatal(err)
	}
	h.command(v1alpha1.ActionPromote, h.rollout().Status.State.Candidate, "1")
	h.mustPass()
	if got := h.rollout().Status; got.Step != "1/2" || h.weights()["api"] != 20 {
		t.Errorf("step %s, weights %v", got.Step, h.weights())
	}
	h.settle()
	if got := h.rollout().Status; got.Phase != v1alpha1.PhaseHealthy {
		t.Errorf("%s: %s", got.Phase, got.Message)
	}
	h.wantWeights("once promoted", map[string]int32{"web": 0, "api": 0})
}

func TestNoRouteHasTheLabel(t *testing.T) {
	h := started(t, selecting(), builder.Service(namespace, "web", "web"), labelled("web", "web"))
	h.label("web", "other")
	h.release(imageV2)
	h.settle()
	h.wantStalled(v1alpha1.ReasonRouteNotFound, []string{"spec.traffic.gatewayAPI.selectors[0]", "app=web", "give them to the routes"})
	h.label("web", "web")
	h.wantWeights("once it has it again", map[string]int32{"web": 20})
}

// Where stable has shrunk behind its share, a route that goes keeps the share until the release is over.
func TestARouteThatGoesStaysWhereStableIsSmall(t *testing.T) {
	proportional := selecting().With(func(r *v1alpha1.Rollout) {
		r.Spec.Strategy.Canary.StableCapacity = v1alpha1.StableCapacityProportional
	})
	h := started(t, proportional, builder.Service(namespace, "web", "web"), labelled("web", "web"), labelled("api", "web"))
	h.release(imageV2)
	h.settle()
	h.label("api", "none")
	h.wantWeights("in mid-release", map[string]int32{"web": 20, "api": 20})
	h.command(v1alpha1.ActionAbort, h.rollout().Status.State.Candidate, "1")
	h.settle()
	h.wantWeights("after the abort", map[string]int32{"web": 0, "api": 0})
	if n := len(h.rollout().Status.Routes); n != 1 {
		t.Errorf("%d routes are remembered, want 1", n)
	}
}

// A deletion puts back what was picked, also when nothing is picked any more.
func TestADeletionPutsBackWhatWasPicked(t *testing.T) {
	h := started(t, selecting(), builder.Service(namespace, "web", "web"), labelled("web", "web"), labelled("api", "web"))
	before := h.route()
	h.release(imageV2)
	h.settle()
	alter(h, "web", &gatewayv1.HTTPRoute{}, func(r *gatewayv1.HTTPRoute) { r.Labels = nil })
	h.end()
	h.wantWeights("once deleted", map[string]int32{"web": 0, "api": 0})
	if diff := cmp.Diff(before, h.route()); diff != "" {
		t.Errorf("the route (-before +after):\n%s", diff)
	}
}
