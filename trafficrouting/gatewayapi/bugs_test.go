package gatewayapi

import (
	"testing"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/golden/render"
	"github.com/sluice-dev/sluice/trafficrouting"
	"github.com/sluice-dev/sluice/trafficrouting/routertest"
)

// The numbers are those of bugs_test.go in package planner.

// A weight that was negative, or beyond what the API allows, reached the route, or was refused in the middle of an abort.
func TestB15WeightsStayWithinTheLimits(t *testing.T) {
	w := newWorld(t, fakeServer(t))
	w.Put(t, "shop", routertest.Backend{Service: routertest.Active, Weight: 1})
	for _, weight := range []int32{-1, -1000, v1alpha1.MaxWeight + 1, 1 << 30} {
		if err := w.Router().Apply(t.Context(), w.Target("shop"), trafficrouting.Wanted{Weight: weight}); err == nil {
			t.Errorf("weight %d is written", weight)
		}
	}
	if w.Writes() > 0 {
		t.Errorf("%d writes", w.Writes())
	}
	// To be split at a tenth of a percent, 999,999 and 999,998 would have to be 1,000 times as large.
	for name, rule := range map[string]any{
		"beside another backend": anyRule(web(999_999), other("old", 999_998)),
		"on two ports":           anyRule(web(999_999), port(web(999_998), 8080)),
	} {
		route := routeOf(rule)
		if _, err := Weight(route, Split{Active: "web", Standby: "web-standby"}); err == nil {
			t.Errorf("%s: nobody is told, before a release starts, of a route that cannot carry its weights", name)
		}
		if _, _, err := Render(route, Split{Active: "web", Standby: "web-standby", Weight: 1}); err == nil {
			t.Errorf("%s: a weight beyond 1,000,000 is written", name)
		}
		if _, _, err := Render(route, Split{Active: "web", Standby: "web-standby"}); err != nil {
			t.Errorf("%s: an abort: %v", name, err)
		}
	}
}

// A GitOps tool and the controller wrote the same weight in turns, each time with another owner.
func TestB19AWeightThatIsThereIsNotWritten(t *testing.T) {
	w := newWorld(t, fakeServer(t))
	for _, weights := range [][]routertest.Backend{
		{{Service: routertest.Active, Weight: 1}},
		{{Service: routertest.Active, Weight: 7}, {Service: routertest.Standby, Weight: 0}},
	} {
		w.Put(t, "shop", weights...)
		if err := w.Router().Apply(t.Context(), w.Target("shop"), trafficrouting.Wanted{Weight: 0}); err != nil {
			t.Fatal(err)
		}
		w.Remove(t, "shop")
	}
	if w.Writes() > 0 {
		t.Errorf("%d writes of a weight of 0 that was there in other words", w.Writes())
	}
}

// The rule that a generated one was a copy of is gone from the route. What is left would go on sending requests.
func TestGeneratedRulesDoNotOutliveTheirs(t *testing.T) {
	route := render.Parse(t, `{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {namespace: shop, name: web}, spec: {rules: [
		{name: sluice-web-standby-0, backendRefs: [{name: web-standby, port: 80}]}, {backendRefs: [{name: blog, port: 80}]}]}}`)
	desired, changed, err := Render(route, Split{Active: "web", Standby: "web-standby"})
	if err != nil || !changed || len(ruleItems(desired)) != 1 {
		t.Errorf("changed %v, error %v, %d rules are left, want 1", changed, err, len(ruleItems(desired)))
	}
}
