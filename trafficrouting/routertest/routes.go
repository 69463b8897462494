package routertest

import (
	"encoding/json"
	"fmt"
	"testing" //nolint:depguard // a conformance suite is test code, for the tests of several packages

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/test/dataplane" //nolint:depguard // a conformance suite is test code
	"github.com/sluice-dev/sluice/trafficrouting"
)

// Routes is a World of Gateway API routes of one kind behind a client: of a fake, or of a real API server. No gateway runs
// in it.
type Routes struct {
	place
}

var _ Overlaid = (*Routes)(nil)

// NewRoutes makes a World of routes of a kind, in a version that the server serves, in a namespace. The router is made with
// a client that the World listens in on. The server behind the client must count generations.
func NewRoutes(c client.WithWatch, kind schema.GroupVersionKind, namespace string,
	newRouter func(client.Client) trafficrouting.Router,
) *Routes {
	w := &Routes{place{client: c, kind: kind, namespace: namespace}}
	w.open(newRouter)
	return w
}

// Target names routes of this world.
func (w *Routes) Target(routes ...string) trafficrouting.Target {
	t := trafficrouting.Target{Namespace: w.namespace, Active: Active, Standby: Standby}
	for i, name := range routes {
		t.Routes = append(t.Routes, trafficrouting.Route{
			Kind: w.kind.Kind, Namespace: w.namespace, Name: name, Field: fmt.Sprintf("spec.traffic.gatewayAPI.routes[%d]", i),
		})
	}
	return t
}

// Put makes a route with a rule that is to be shared, between two that are not where the kind allows more than one, with
// parents of each sort.
func (w *Routes) Put(t *testing.T, route string, backends ...Backend) {
	t.Helper()
	if err := w.client.Create(t.Context(), w.content(route, backends), client.FieldOwner("kubectl")); err != nil {
		t.Fatalf("make the route %s: %v", route, err)
	}
}

// content is a route with backends, and all that a user writes into one.
func (w *Routes) content(route string, backends []Backend) *unstructured.Unstructured {
	o := w.object(route)
	o.SetAnnotations(map[string]string{"example.com/owner": "team-shop"})
	spec := specOf(w.kind.Kind, route, backends)
	spec["parentRefs"] = []any{
		map[string]any{"name": "public"},
		map[string]any{"name": "internal", "sectionName": "https"},
		map[string]any{"group": "", "kind": "Service", "name": Active, "port": int64(80)},
		map[string]any{"kind": "ListenerSet", "name": "team", "sectionName": "shop"},
	}
	o.Object["spec"] = spec
	return o
}

// Overwrite gives the shared rule other backends.
func (w *Routes) Overwrite(t *testing.T, route string, backends ...Backend) {
	t.Helper()
	o := w.get(t, route)
	sharedRule(o)["backendRefs"] = refsOf(backends)
	if err := w.client.Update(t.Context(), o, client.FieldOwner("somebody-else")); err != nil {
		t.Fatalf("overwrite the route %s: %v", route, err)
	}
}

// Remove deletes a route.
func (w *Routes) Remove(t *testing.T, route string) {
	t.Helper()
	if err := w.client.Delete(t.Context(), w.object(route)); err != nil {
		t.Fatalf("remove the route %s: %v", route, err)
	}
}

// Report writes the status of a route, for all of its parents.
func (w *Routes) Report(t *testing.T, route string, report Report) {
	t.Helper()
	o := w.get(t, route)
	parents := []any{}
	for _, ref := range o.Object["spec"].(map[string]any)["parentRefs"].([]any) {
		if report == Silent {
			break
		}
		accepted := condition(o, "Accepted", "True", "Accepted", "")
		if report == Refuses {
			accepted = condition(o, "Accepted", "False", "InvalidCertificateRef", RefusalMessage)
		}
		parents = append(parents, map[string]any{
			"controllerName": "example.com/gateway",
			"parentRef":      ref,
			"conditions":     []any{accepted, condition(o, "ResolvedRefs", "True", "ResolvedRefs", "")},
		})
	}
	o.Object["status"] = map[string]any{"parents": parents}
	if err := w.client.Status().Update(t.Context(), o); err != nil {
		t.Fatalf("report on the route %s: %v", route, err)
	}
}

// Backends reads the shared rule.
func (w *Routes) Backends(t *testing.T, route string) []Backend {
	t.Helper()
	var out []Backend
	refs, _ := sharedRule(w.get(t, route))["backendRefs"].([]any)
	for _, item := range refs {
		ref := item.(map[string]any)
		weight, ok := ref["weight"].(int64)
		if !ok {
			weight = 1
		}
		if weight > 0 {
			out = append(out, Backend{Service: ref["name"].(string), Weight: weight})
		}
	}
	return out
}

// Serve says what becomes of a GET of /, with a header.
func (w *Routes) Serve(t *testing.T, route, header, value string) (weights map[string]int64, copies int64) {
	t.Helper()
	answer := dataplane.Serve(w.get(t, route), dataplane.Request{Headers: map[string]string{header: value}})
	return answer.Weights, answer.Mirrors[Standby]
}

// Surroundings is the route as JSON, without the backends of the shared rule, its status, and what the server counts.
func (w *Routes) Surroundings(t *testing.T, route string) string {
	t.Helper()
	o := w.get(t, route)
	rule := sharedRule(o)
	others := []any{}
	for _, item := range rule["backendRefs"].([]any) {
		if ref := item.(map[string]any); ref["name"] != Active && ref["name"] != Standby {
			delete(ref, "weight")
			others = append(others, ref)
		}
	}
	rule["backendRefs"] = others
	text, err := json.MarshalIndent(map[string]any{
		"annotations": o.GetAnnotations(), "labels": o.GetLabels(), "finalizers": o.GetFinalizers(),
		"ownerReferences": o.GetOwnerReferences(), "spec": o.Object["spec"],
	}, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func condition(o *unstructured.Unstructured, kind, status, reason, message string) map[string]any {
	return map[string]any{
		"type": kind, "status": status, "reason": reason, "message": message,
		"observedGeneration": o.GetGeneration(), "lastTransitionTime": metav1.Unix(1_700_000_000, 0).ToUnstructured(),
	}
}
