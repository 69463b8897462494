package rollout

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/builder"
)

// route is the spec of the route.
func (h *harness) route() gatewayv1.HTTPRouteSpec {
	h.t.Helper()
	out := &gatewayv1.HTTPRoute{}
	h.get("web", out)
	return out.Spec
}

// Whatever becomes of a release, the route is afterwards what its owner wrote, and so it is when the Rollout is gone.
func TestARouteIsWhatItWas(t *testing.T) {
	for name, end := range map[string]func(*harness){
		"promoted": func(h *harness) {
			h.command(v1alpha1.ActionPromoteFull, h.rollout().Status.State.Candidate, "1")
			h.settle()
		},
		"aborted":  func(h *harness) { h.command(v1alpha1.ActionAbort, h.rollout().Status.State.Candidate, "1"); h.settle() },
		"returned": func(h *harness) { h.release(imageV1); h.settle() },
		"deleted":  func(h *harness) { h.end() },
	} {
		t.Run(name, func(t *testing.T) {
			h := started(t, routed(), network()...)
			before := h.route()
			h.release(imageV2)
			h.settle()
			if h.weight() != 20 {
				t.Fatalf("the weight is %d", h.weight())
			}
			end(h)
			if diff := cmp.Diff(before, h.route()); diff != "" {
				t.Errorf("the route (-before +after):\n%s", diff)
			}
		})
	}
}

// What a route was is in the status before the first write that gives the standby Service a share, also when the route has
// only just been named, or has been edited by its owner in mid-release.
func TestWhatARouteWasIsWrittenDownFirst(t *testing.T) {
	h := started(t, routed(), network()...)
	h.fault = func(_ int, write func() error) error {
		last := h.writes[len(h.writes)-1]
		if strings.HasPrefix(last, "patch *unstructured.Unstructured/") {
			known := map[string][]string{}
			for _, s := range h.rollout().Status.Routes {
				known[s.Name] = s.Before
			}
			if name := last[strings.LastIndex(last, "/")+1:]; len(known[name]) != 1 {
				t.Errorf("%s, of which %v is written down", last, known)
			}
		}
		return write()
	}
	h.release(imageV2)
	h.settle()
	h.make(builder.HTTPRoute("api", "gateway").Rule("/api", "web").Obj())
	h.edit(func(r *v1alpha1.Rollout) {
		r.Spec.Traffic.GatewayAPI.Routes = append(r.Spec.Traffic.GatewayAPI.Routes, v1alpha1.RouteReference{Kind: "HTTPRoute", Name: "api"})
	})
	h.settle()
	alter(h, "web", &gatewayv1.HTTPRoute{}, func(route *gatewayv1.HTTPRoute) {
		refs := route.Spec.Rules[0].BackendRefs
		seven := int32(7)
		refs[0].Weight = &seven
		route.Spec.Rules[0].BackendRefs = refs[:1]
	})
	h.settle()
	if h.weight() != 20 {
		t.Errorf("the weight is %d", h.weight())
	}
	h.command(v1alpha1.ActionAbort, h.rollout().Status.State.Candidate, "1")
	h.settle()
	if got := h.backends(); len(got) != 1 || got["web"] != 7 {
		t.Errorf("the route has %v, want what its owner wrote last", got)
	}
}
