package routertest

import (
	"slices"
	"testing" //nolint:depguard // a conformance suite is test code, for the tests of several packages

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/trafficrouting"
)

// MadeRoutes is a World of routes that the router makes of templates. Each stands as it was put, as the Rollout's own, and its
// template gives the active Service what the standby Service had of it.
type MadeRoutes struct {
	*Routes

	templates map[string]*trafficrouting.Template
	owner     metav1.OwnerReference
}

var _ Overlaid = (*MadeRoutes)(nil)

// NewMadeRoutes makes a World of routes with templates out of one without any.
func NewMadeRoutes(w *Routes) *MadeRoutes {
	return &MadeRoutes{Routes: w, templates: map[string]*trafficrouting.Template{}, owner: metav1.OwnerReference{
		APIVersion: "sluice.dev/v1alpha1", Kind: "Rollout", Name: "shop", UID: "of-the-rollout", Controller: ptr.To(true),
	}}
}

// Target names routes of this world, with their templates.
func (w *MadeRoutes) Target(routes ...string) trafficrouting.Target {
	t := w.Routes.Target(routes...)
	t.Owner = &w.owner
	for i := range t.Routes {
		t.Routes[i].Template = w.templates[t.Routes[i].Name]
	}
	return t
}

// Put makes a route and its template.
func (w *MadeRoutes) Put(t *testing.T, route string, backends ...Backend) {
	t.Helper()
	plain := w.content(route, folded(backends))
	w.templates[route] = &trafficrouting.Template{
		Labels: plain.GetLabels(), Annotations: plain.GetAnnotations(), Spec: plain.Object["spec"].(map[string]any),
	}
	o := w.content(route, backends)
	o.SetOwnerReferences([]metav1.OwnerReference{w.owner})
	if err := w.client.Create(t.Context(), o, client.FieldOwner(trafficrouting.FieldManager)); err != nil {
		t.Fatalf("make the route %s: %v", route, err)
	}
}

// folded are backends with what the standby Service has on the active one.
func folded(backends []Backend) []Backend {
	var standby int64
	out := slices.DeleteFunc(slices.Clone(backends), func(b Backend) bool {
		if b.Service == Standby {
			standby += b.Weight
		}
		return b.Service == Standby
	})
	if i := slices.IndexFunc(out, func(b Backend) bool { return b.Service == Active }); i >= 0 {
		out[i].Weight += standby
	}
	return out
}

// Overwrite gives the shared rule other backends, with weights of 100 together where that comes out even: what is made of a
// template has to be so to the letter, and not only in effect.
func (w *MadeRoutes) Overwrite(t *testing.T, route string, backends ...Backend) {
	t.Helper()
	var sum int64
	for _, b := range backends {
		sum += b.Weight
	}
	if len(backends) > 1 && sum > 0 && 100%sum == 0 {
		for i := range backends {
			backends[i].Weight *= 100 / sum
		}
	}
	w.Routes.Overwrite(t, route, backends...)
}

// Remove deletes a route and its template: what has a template is made again.
func (w *MadeRoutes) Remove(t *testing.T, route string) {
	t.Helper()
	delete(w.templates, route)
	w.Routes.Remove(t, route)
}
