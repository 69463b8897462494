package gatewayapi

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/trafficrouting"
)

// labelled is a route with a label.
func labelled(name, app string, rules ...any) *unstructured.Unstructured {
	route := routeOf(rules...)
	route.SetName(name)
	route.SetLabels(map[string]string{"app": app})
	return route
}

func picking(app string) trafficrouting.Target {
	return trafficrouting.Target{
		Namespace: "shop", Active: "web", Standby: "web-standby",
		Selectors: []trafficrouting.Selector{{
			Kind: "HTTPRoute", Namespace: "shop", Labels: map[string]string{"app": app}, Field: "spec.traffic.gatewayAPI.selectors[0]",
		}},
	}
}

func namesOf(routes []trafficrouting.Route) []string {
	var out []string
	for _, route := range routes {
		out = append(out, route.Name)
	}
	return out
}

func TestSelection(t *testing.T) {
	elsewhere := labelled("far", "web", anyRule(web(1)))
	elsewhere.SetNamespace("edge")
	c := fakeServer(t, labelled("c", "web", anyRule(web(1))), labelled("a", "web", anyRule(web(1))), labelled("b", "other", anyRule(web(1))), elsewhere)
	target := picking("web")
	target.Routes = []trafficrouting.Route{
		{Kind: "HTTPRoute", Namespace: "shop", Name: "c", Rules: []string{"any"}, Field: "spec.traffic.gatewayAPI.routes[0]"},
	}
	got, err := newRouter(c).Observe(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"c", "a"}, namesOf(got.Routes)); diff != "" || got.Weight != 0 || len(got.Versions) != 2 {
		t.Errorf("weight %d, versions %v, routes (-want +got):\n%s", got.Weight, got.Versions, diff)
	}
	if !cmp.Equal(got.Routes[0].Rules, []string{"any"}) || got.Routes[1].Field != "spec.traffic.gatewayAPI.selectors[0]" {
		t.Errorf("a route that is named counts as picked: %+v", got.Routes)
	}
}

// Of more routes than a Rollout shares, those stay that something is remembered of.
func TestTooManyRoutes(t *testing.T) {
	var routes []client.Object
	for i := range maxRoutes + 2 {
		routes = append(routes, labelled(fmt.Sprintf("route-%02d", i), "web", anyRule(web(1))))
	}
	target := picking("web")
	target.Known = []trafficrouting.Route{{Kind: "HTTPRoute", Namespace: "shop", Name: "route-33", Before: []string{"any/ active:80=1"}}}
	got, err := newRouter(fakeServer(t, routes...)).Observe(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Routes) != maxRoutes || got.Routes[0].Name != "route-33" {
		t.Errorf("routes are %v", namesOf(got.Routes))
	}
	if len(got.Problems) == 0 || got.Problems[0].Reason != v1alpha1.ReasonRouteUnusable || !strings.Contains(got.Problems[0].Message, "34 routes") {
		t.Errorf("problems are %v", got.Problems[:1])
	}
}

// A route that goes is left, with what it was, until it is that again.
func TestPartings(t *testing.T) {
	c := fakeServer(t, labelled("a", "web", anyRule(web(80), standby(20))), labelled("b", "web", anyRule(web(1))))
	known := trafficrouting.Route{Kind: "HTTPRoute", Namespace: "shop", Name: "a", Before: []string{"any/ active:80"}}
	target := picking("other")
	target.Known = []trafficrouting.Route{
		known,
		{Kind: "HTTPRoute", Namespace: "shop", Name: "b", Before: []string{"any/ active:80=1"}},
		{Kind: "HTTPRoute", Namespace: "shop", Name: "gone", Before: []string{"any/ active:80"}},
	}
	router := newRouter(c)
	got, err := router.Observe(t.Context(), target)
	if err != nil || len(got.Routes) != 0 || !cmp.Equal(namesOf(got.Left), []string{"a"}) {
		t.Fatalf("routes %v, left %v, error %v", namesOf(got.Routes), namesOf(got.Left), err)
	}
	target.Keep = true
	if got, err := router.Observe(t.Context(), target); err != nil || got.Weight != 200 || len(got.Left) != 0 {
		t.Errorf("kept: weight %d, left %v, error %v", got.Weight, namesOf(got.Left), err)
	}
	target.Keep, target.Routes, target.Selectors = false, got.Left, nil
	if err := router.Detach(t.Context(), target); err != nil {
		t.Fatal(err)
	}
	target.Routes = nil
	if got, err := router.Observe(t.Context(), target); err != nil || len(got.Left) != 0 {
		t.Errorf("left %v, error %v", namesOf(got.Left), err)
	}
	wantRules(t, c, "a", routeOf(anyRule(unset(web(1)))))
}

// wantRules compares the backends of a route with those of another.
func wantRules(t *testing.T, c client.Reader, name string, want *unstructured.Unstructured) {
	t.Helper()
	got := routeOf()
	if err := c.Get(t.Context(), client.ObjectKey{Namespace: "shop", Name: name}, got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(rulesOf(want), rulesOf(got)); diff != "" {
		t.Errorf("the route %s (-want +got):\n%s", name, diff)
	}
}
