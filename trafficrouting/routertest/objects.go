package routertest

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing" //nolint:depguard // a conformance suite is test code, for the tests of several packages

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/sluice-dev/sluice/trafficrouting"
	"github.com/sluice-dev/sluice/trafficrouting/inplace"
)

// Shape is a kind of object of which one list of backends is to be shared, as a person writes it.
type Shape struct {
	// Kind of the objects, in a version that the server serves.
	Kind schema.GroupVersionKind
	// Rules name what is to be shared; nil when the router finds it by itself.
	Rules []string
	// Content is everything of an object but its name, with the entries in the list that is to be shared.
	Content func(entries []any) map[string]any
	// Entries are those of that list, and SetEntries puts others in their place.
	Entries    func(o *unstructured.Unstructured) []any
	SetEntries func(o *unstructured.Unstructured, entries []any)
	// Entry is one of them, and Service the name of the Service in one.
	Entry   func(backend Backend) any
	Service func(entry map[string]any) string
	// Pairs says that a person has to write the standby Service beside the active one, at weight 0.
	Pairs bool
	// Unweighted is the weight of one of several entries that has none in writing.
	Unweighted int64
}

// Objects is a World of objects of one Shape behind a client: of a fake, or of a real API server. Nothing acts on them, and
// nothing reports.
type Objects struct {
	place

	shape Shape
}

var _ World = (*Objects)(nil)

// NewObjects makes a World in a namespace. The router is made with a client that the World listens in on.
func NewObjects(c client.WithWatch, namespace string, shape Shape, newRouter func(client.Client) trafficrouting.Router,
) *Objects {
	w := &Objects{place: place{client: c, namespace: namespace, kind: shape.Kind}, shape: shape}
	w.open(newRouter)
	return w
}

// NewRouter makes a router that changes objects in place.
type NewRouter func(client.Reader, client.Writer, meta.RESTMapper) *inplace.Router

// FakeObjects makes a World on a fake of an API server that serves nothing but objects of the Shape.
func FakeObjects(shape Shape, newRouter NewRouter) *Objects {
	c := fake.NewClientBuilder().WithScheme(runtime.NewScheme()).WithReturnManagedFields().Build()
	served := meta.NewDefaultRESTMapper(nil)
	served.Add(shape.Kind, meta.RESTScopeNamespace)
	return NewObjects(c, "shop", shape, func(c client.Client) trafficrouting.Router {
		return newRouter(c, c, served)
	})
}

// RunObjects runs all tests against a router that changes objects in place, on a fake of an API server.
func RunObjects(t *testing.T, shape Shape, newRouter NewRouter, features Features) {
	t.Helper()
	Run(t, func(t *testing.T) World {
		t.Helper()
		return FakeObjects(shape, newRouter)
	}, features)
}

// Target names objects of this world.
func (w *Objects) Target(routes ...string) trafficrouting.Target {
	t := trafficrouting.Target{Namespace: w.namespace, Active: Active, Standby: Standby}
	for i, name := range routes {
		t.Routes = append(t.Routes, trafficrouting.Route{
			Kind: w.kind.Kind, Namespace: w.namespace, Name: name, Rules: w.shape.Rules,
			Field: fmt.Sprintf("spec.traffic.router.objects[%d]", i),
		})
	}
	return t
}

// Put makes an object.
func (w *Objects) Put(t *testing.T, route string, backends ...Backend) {
	t.Helper()
	o := w.object(route)
	for field, value := range w.shape.Content(w.entries(backends)) {
		if field != "metadata" {
			o.Object[field] = value
			continue
		}
		for part, text := range value.(map[string]any) {
			o.Object[field].(map[string]any)[part] = text
		}
	}
	if err := w.client.Create(t.Context(), o, client.FieldOwner("kubectl")); err != nil {
		t.Fatalf("make %s: %v", route, err)
	}
}

// Overwrite gives the shared list other backends.
func (w *Objects) Overwrite(t *testing.T, route string, backends ...Backend) {
	t.Helper()
	o := w.get(t, route)
	w.shape.SetEntries(o, w.entries(backends))
	if err := w.client.Update(t.Context(), o, client.FieldOwner("somebody-else")); err != nil {
		t.Fatalf("overwrite %s: %v", route, err)
	}
}

// Remove deletes an object.
func (w *Objects) Remove(t *testing.T, route string) {
	t.Helper()
	if err := w.client.Delete(t.Context(), w.object(route)); err != nil {
		t.Fatalf("remove %s: %v", route, err)
	}
}

// Report does nothing: nothing reports on objects of this kind.
func (w *Objects) Report(*testing.T, string, Report) {}

// Backends reads the shared list.
func (w *Objects) Backends(t *testing.T, route string) []Backend {
	t.Helper()
	var out []Backend
	entries := w.shape.Entries(w.get(t, route))
	for _, item := range entries {
		entry := item.(map[string]any)
		weight, ok := entry["weight"].(int64)
		if !ok {
			weight = w.shape.Unweighted
		}
		if len(entries) == 1 {
			weight = max(weight, 1)
		}
		if weight > 0 {
			out = append(out, Backend{Service: w.shape.Service(entry), Weight: weight})
		}
	}
	return out
}

// Surroundings is the object as JSON, without the backends of the shared list, its status, and what the server counts.
func (w *Objects) Surroundings(t *testing.T, route string) string {
	t.Helper()
	o := w.get(t, route)
	others := []any{}
	for _, item := range w.shape.Entries(o) {
		entry := item.(map[string]any)
		if name := w.shape.Service(entry); name != Active && name != Standby {
			delete(entry, "weight")
			others = append(others, entry)
		}
	}
	w.shape.SetEntries(o, others)
	text, err := json.MarshalIndent(map[string]any{
		"annotations": o.GetAnnotations(), "labels": o.GetLabels(), "finalizers": o.GetFinalizers(),
		"ownerReferences": o.GetOwnerReferences(), "spec": o.Object["spec"],
	}, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func (w *Objects) entries(backends []Backend) []any {
	out := []any{}
	has := func(service string) bool {
		return slices.ContainsFunc(backends, func(b Backend) bool { return b.Service == service })
	}
	if w.shape.Pairs && has(Active) && !has(Standby) {
		backends = append(slices.Clone(backends), Backend{Standby, 0})
	}
	for _, b := range backends {
		out = append(out, w.shape.Entry(b))
	}
	return out
}
