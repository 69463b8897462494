package gatewayapi

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/trafficrouting"
)

// edge is a route of another namespace, for the Services of the namespace shop.
func edge(refs ...map[string]any) *unstructured.Unstructured {
	for _, ref := range refs {
		ref["namespace"] = "shop"
	}
	route := routeOf(anyRule(refs...), called("local", web(1)))
	route.SetNamespace("edge")
	_ = unstructured.SetNestedSlice(route.Object, []any{map[string]any{"name": "public"}}, "spec", "parentRefs")
	return route
}

// grant is a ReferenceGrant; "*" stands for each object of a kind.
func grant(name, namespace string, from, to party, target string) *unstructured.Unstructured {
	object := map[string]any{"group": to.group, "kind": to.kind}
	if target != "*" {
		object["name"] = target
	}
	out := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{
		"from": []any{map[string]any{"group": from.group, "kind": from.kind, "namespace": from.namespace}},
		"to":   []any{object},
	}}}
	out.SetGroupVersionKind(gateway("v1", grantKind))
	out.SetNamespace(namespace)
	out.SetName(name)
	return out
}

func TestRoutesOfOtherNamespaces(t *testing.T) {
	rollouts := party{group: "sluice.dev", kind: "Rollout", namespace: "shop"}
	routes := party{group: "gateway.networking.k8s.io", kind: "HTTPRoute", namespace: "edge"}
	services := party{kind: "Service", namespace: "shop"}
	there, here := grant("there", "edge", rollouts, routes, "web"), grant("here", "shop", routes, services, "*")
	other := func(p party, change func(*party)) party {
		change(&p)
		return p
	}
	for name, tc := range map[string]struct {
		grants []client.Object
		want   string // in the problem; empty for none
	}{
		"both":                       {grants: []client.Object{there, here}},
		"none":                       {want: "the namespace edge has no ReferenceGrant that lets a Rollout of the namespace shop refer to the HTTPRoute web"},
		"only that of the route":     {grants: []client.Object{there}, want: "the namespace shop has no ReferenceGrant that lets a HTTPRoute of the namespace edge refer to the Service web:"},
		"only that of the Services":  {grants: []client.Object{here}, want: "the namespace edge has no ReferenceGrant"},
		"every route":                {grants: []client.Object{grant("there", "edge", rollouts, routes, "*"), here}},
		"another route":              {grants: []client.Object{grant("there", "edge", rollouts, routes, "api"), here}, want: "the HTTPRoute web"},
		"the active Service alone":   {grants: []client.Object{there, grant("here", "shop", routes, services, "web")}, want: "the Service web-standby"},
		"each Service by its name":   {grants: []client.Object{there, grant("here", "shop", routes, services, "web"), grant("too", "shop", routes, services, "web-standby")}},
		"Rollouts of somebody else":  {grants: []client.Object{grant("there", "edge", other(rollouts, func(p *party) { p.namespace = "evil" }), routes, "web"), here}, want: "edge has no"},
		"routes of another kind":     {grants: []client.Object{grant("there", "edge", rollouts, other(routes, func(p *party) { p.kind = "GRPCRoute" }), "*"), here}, want: "edge has no"},
		"a grant in the wrong place": {grants: []client.Object{grant("there", "shop", rollouts, routes, "web"), here}, want: "edge has no"},
		"another group":              {grants: []client.Object{grant("there", "edge", other(rollouts, func(p *party) { p.group = "evil.dev" }), routes, "web"), here}, want: "edge has no"},
	} {
		t.Run(name, func(t *testing.T) {
			var copies []client.Object
			for _, g := range tc.grants {
				copies = append(copies, g.DeepCopyObject().(client.Object))
			}
			w := newEdge(t, copies...)
			w.wantProblem(tc.want)
			wantWeight := int32(200)
			if tc.want != "" {
				wantWeight = 0
			}
			w.apply(200)
			w.wantWeight(wantWeight)
		})
	}
}

// What was given with a grant is taken back without one; a route that nothing of ours is in is not read out.
func TestAGrantThatIsTakenBack(t *testing.T) {
	there := grant("there", "edge", party{group: "sluice.dev", kind: "Rollout", namespace: "shop"},
		party{group: "gateway.networking.k8s.io", kind: "HTTPRoute", namespace: "edge"}, "*")
	here := grant("here", "shop", party{group: "gateway.networking.k8s.io", kind: "HTTPRoute", namespace: "edge"},
		party{kind: "Service", namespace: "shop"}, "*")
	w := newEdge(t, there, here)
	w.wantProblem("")
	w.apply(200)
	w.wantWeight(200)
	if err := w.c.Delete(t.Context(), there); err != nil {
		t.Fatal(err)
	}
	w.wantProblem("edge has no ReferenceGrant")
	w.apply(500)
	w.wantWeight(200)
	w.apply(0)
	w.wantWeight(0)
	w.target.Routes[0].Before, w.target.Routes[0].Name, w.target.Known = nil, "secret", nil
	w.wantProblem("edge has no ReferenceGrant")
}

// edgeWorld is a Rollout of the namespace shop that shares a route of the namespace edge.
type edgeWorld struct {
	*testing.T
	c      client.Client
	router trafficrouting.Router
	target trafficrouting.Target
}

func newEdge(t *testing.T, grants ...client.Object) *edgeWorld {
	t.Helper()
	c := fakeServer(t, append(grants, edge(web(1)))...)
	return &edgeWorld{T: t, c: c, router: newRouter(c), target: trafficrouting.Target{
		Namespace: "shop", Active: "web", Standby: "web-standby",
		Routes: []trafficrouting.Route{{Kind: "HTTPRoute", Namespace: "edge", Name: "web", Field: "spec.traffic.gatewayAPI.routes[0]"}},
	}}
}

// wantProblem observes, and holds that the only problem besides those of acceptance has a text in it.
func (w *edgeWorld) wantProblem(want string) {
	w.Helper()
	got, err := w.router.Observe(w.Context(), w.target)
	if err != nil {
		w.Fatal(err)
	}
	w.target.Routes, w.target.Known = got.Routes, got.Routes
	var problems []string
	for _, p := range got.Problems {
		problems = append(problems, p.Message)
		if p.Reason != v1alpha1.ReasonRouteUnusable {
			w.Errorf("reason is %s: %s", p.Reason, p.Message)
		}
	}
	if (len(problems) > 0) != (want != "") || !strings.Contains(strings.Join(problems, "\n"), want) {
		w.Errorf("problems are %q, want %q", problems, want)
	}
}

func (w *edgeWorld) apply(weight int32) {
	w.Helper()
	if err := w.router.Apply(w.Context(), w.target, trafficrouting.Wanted{Weight: weight}); err != nil {
		w.Fatal(err)
	}
}

// wantWeight reads the route, of which the rule with a backend of its own namespace must be as it was.
func (w *edgeWorld) wantWeight(want int32) {
	w.Helper()
	route := routeOf()
	if err := w.c.Get(w.Context(), client.ObjectKey{Namespace: "edge", Name: "web"}, route); err != nil {
		w.Fatal(err)
	}
	got, _ := Weight(route, Split{Namespace: "shop", Active: "web", Standby: "web-standby"})
	if local := rulesOf(route)[1]; got != want || len(local) != 1 {
		w.Errorf("weight is %d, want %d; the rule of the namespace itself has %v", got, want, local)
	}
}
