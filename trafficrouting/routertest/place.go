package routertest

import (
	"testing" //nolint:depguard // a conformance suite is test code, for the tests of several packages

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/trafficrouting"
)

// place is a namespace with objects of one kind behind a client, and a router that works on them. Every World of this package
// is in one.
type place struct {
	spy

	client    client.WithWatch
	namespace string
	kind      schema.GroupVersionKind
	router    trafficrouting.Router
}

// open makes the router, with a client that the place listens in on.
func (p *place) open(newRouter func(client.Client) trafficrouting.Router) {
	p.router = newRouter(p.listen(p.client))
}

// Router is the router under test.
func (p *place) Router() trafficrouting.Router { return p.router }

// object is one of the kind with nothing but a name.
func (p *place) object(name string) *unstructured.Unstructured {
	o := &unstructured.Unstructured{}
	o.SetGroupVersionKind(p.kind)
	o.SetNamespace(p.namespace)
	o.SetName(name)
	return o
}

// get reads an object as it is now.
func (p *place) get(t *testing.T, name string) *unstructured.Unstructured {
	t.Helper()
	o := p.object(name)
	if err := p.client.Get(t.Context(), client.ObjectKeyFromObject(o), o); err != nil {
		t.Fatalf("read the %s %s: %v", p.kind.Kind, name, err)
	}
	return o
}
