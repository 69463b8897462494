package gatewayapi

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-dev/sluice/trafficrouting"
	"github.com/sluice-dev/sluice/trafficrouting/routertest"
)

// TestWriters holds that the one is named who last wrote the rules of a route, when it was not us, with what they say now.
func TestWriters(t *testing.T) {
	c := fakeServer(t)
	w := newWorld(t, c)
	w.Put(t, "shop", routertest.Backend{Service: routertest.Active, Weight: 1})
	target := w.Target("shop", "missing")
	edit := func(manager string, change func(*gatewayv1.HTTPRoute)) {
		route := &gatewayv1.HTTPRoute{}
		if err := c.Get(t.Context(), client.ObjectKey{Namespace: target.Namespace, Name: "shop"}, route); err != nil {
			t.Fatal(err)
		}
		change(route)
		if err := c.Update(t.Context(), route, client.FieldOwner(manager)); err != nil {
			t.Fatal(err)
		}
	}
	give := func(weight int32) {
		if err := w.Router().Apply(t.Context(), w.Target("shop"), trafficrouting.Wanted{Weight: weight}); err != nil {
			t.Fatal(err)
		}
	}
	weigh := func(active, standby int32) func(*gatewayv1.HTTPRoute) {
		return func(r *gatewayv1.HTTPRoute) {
			for _, rule := range r.Spec.Rules {
				if refs := rule.BackendRefs; len(refs) == 2 {
					refs[0].Weight, refs[1].Weight = &active, &standby
				}
			}
		}
	}
	for _, step := range []struct {
		name string
		do   func()
		want trafficrouting.Writer
	}{
		{"we", func() { give(200) }, trafficrouting.Writer{Weight: 200}},
		{"another writer", func() { edit("argocd-controller", weigh(1, 0)) }, trafficrouting.Writer{Manager: "argocd-controller"}},
		{"we again", func() { give(300) }, trafficrouting.Writer{Weight: 300}},
		{"somebody who writes beside the rules", func() {
			edit("kubectl-label", func(r *gatewayv1.HTTPRoute) { r.Labels = map[string]string{"team": "shop"} })
		}, trafficrouting.Writer{Weight: 300}},
		{
			"a weight that is no whole number of tenths", func() { edit("helm", weigh(1, 2)) },
			trafficrouting.Writer{Weight: trafficrouting.WeightUnknown, Manager: "helm"},
		},
	} {
		step.do()
		got, err := w.Router().Observe(t.Context(), target)
		if err != nil {
			t.Fatal(err)
		}
		step.want.Route, step.want.Overlays = target.Routes[0].String(), []int{0}
		want := []trafficrouting.Writer{step.want, {Route: target.Routes[1].String(), Weight: trafficrouting.WeightUnknown}}
		if diff := cmp.Diff(want, got.Writers); diff != "" {
			t.Errorf("%s (-want +got):\n%s", step.name, diff)
		}
	}
}
