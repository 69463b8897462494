//go:build apiserver

package controller_test

import (
	"fmt"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/apiserver/live"
	"github.com/sluice-dev/sluice/test/builder"
)

// TestRoutesByLabel lets routes come and go by their labels while a release waits.
func TestRoutesByLabel(t *testing.T) {
	labelled := func(name, app string) *gatewayv1.HTTPRoute {
		route := builder.HTTPRoute(name, "gateway").Rule("/"+name, "web").Obj()
		route.Labels = map[string]string{"app": app}
		return route
	}
	w := start(t, live.Service(), labelled("web", "web"), labelled("api", "other"), routed().With(func(r *v1alpha1.Rollout) {
		r.Spec.Traffic.GatewayAPI = &v1alpha1.GatewayAPITraffic{Selectors: []v1alpha1.RouteSelector{
			{Kind: "HTTPRoute", MatchLabels: map[string]string{"app": "web"}},
		}}
	}).Obj())
	w.Reaches("healthy", live.Healthy)
	w.Release(live.ImageV2)
	w.Reaches("the first step", live.Awaiting)
	has := func(name string, want int32) {
		t.Helper()
		w.Eventually("the weight of "+name, func() (bool, string) {
			route := &gatewayv1.HTTPRoute{}
			if err := w.Client.Get(t.Context(), client.ObjectKey{Namespace: w.Namespace, Name: name}, route); err != nil {
				t.Fatal(err)
			}
			return live.WeightOf(route) == want, fmt.Sprint(route.Spec.Rules)
		})
	}
	label := func(name, app string) {
		t.Helper()
		live.Alter(w.World, name, &gatewayv1.HTTPRoute{}, func(r *gatewayv1.HTTPRoute) { r.Labels = map[string]string{"app": app} })
	}
	has("web", 20)
	has("api", 0)
	label("api", "web")
	has("api", 20)
	label("web", "other")
	has("web", 0)
	w.Reaches("still at the first step", live.Awaiting)
	w.Command(v1alpha1.ActionAbort)
	w.Reaches("aborted", live.Aborted)
	has("api", 0)
}
