package routertest

import (
	"context"
	"testing" //nolint:depguard // a conformance suite is test code, for the tests of several packages

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/trafficrouting"
)

// Overlaid is a World whose routes tell requests apart by their headers, and can copy them.
type Overlaid interface {
	World
	// Serve says what becomes of a request with a header, or without one when its name is empty: the weights of the
	// Services that it goes to, without those that have none, and the percentage of copies for the Standby.
	Serve(t *testing.T, route, header, value string) (weights map[string]int64, copies int64)
}

// overlays are what the steps of a release ask for: none, a header, another one, and copies.
func overlays() []v1alpha1.Overlay {
	header := func(name string) []v1alpha1.RequestMatch {
		return []v1alpha1.RequestMatch{{Headers: []v1alpha1.ValueMatch{{Type: v1alpha1.MatchExact, Name: name, Value: "yes"}}}}
	}
	return []v1alpha1.Overlay{
		{},
		{Match: header("x-canary"), Field: "steps[0]"},
		{Match: header("x-beta"), Mirror: 10, Field: "steps[1]"},
		{Mirror: 100, Field: "steps[2]"},
	}
}

// laid makes the routes what is wanted, with an overlay of those of overlays.
func (t trial) laid(weight int32, overlay int, routes ...string) {
	t.Helper()
	wanted := trafficrouting.Wanted{Weight: weight, Overlay: overlays()[overlay]}
	if err := t.w.Router().Apply(t.Context(), t.over(routes...), wanted); err != nil {
		t.Fatalf("apply weight %d with overlay %d: %v", weight, overlay, err)
	}
}

// over is a target whose steps ask for overlays.
func (t trial) over(routes ...string) trafficrouting.Target {
	target := t.w.Target(routes...)
	target.Overlays = overlays()
	return target
}

func (t trial) wantOverlays(want []int, routes ...string) {
	t.Helper()
	got, err := t.w.Router().Observe(t.Context(), t.over(routes...))
	if err != nil || len(got.Problems) > 0 {
		t.Fatalf("observe: %v, problems %v", err, got.Problems)
	}
	if diff := cmp.Diff(want, got.Overlays); diff != "" {
		t.Errorf("overlays that are there (-want +got):\n%s", diff)
	}
}

// wantServed looks at the requests with a header on the route shop: of those which match all are the standby's.
func (t trial) wantServed(header string, matched bool, copies int64) {
	t.Helper()
	weights, copied := t.w.(Overlaid).Serve(t.T, "shop", header, "yes")
	if _, more := weights[Active]; matched != !more || matched && weights[Standby] == 0 {
		t.Errorf("requests with %q go to %v, want all on standby: %v", header, weights, matched)
	}
	if copied != copies {
		t.Errorf("%d%% of requests with %q are copied, want %d%%", copied, header, copies)
	}
}

// matched holds that requests which match go to the standby at any weight, and others by the weight.
func (t trial) matched() {
	t.w.Put(t.T, "shop", plain())
	before := t.w.Surroundings(t.T, "shop")
	for _, weight := range []int32{0, 50, 333} {
		t.laid(weight, 1, "shop")
		t.wantOverlays([]int{1}, "shop")
		t.wantShare("shop", weight)
		t.wantServed("x-canary", true, 0)
		t.wantServed("x-beta", false, 0)
	}
	t.laid(333, 2, "shop")
	t.wantOverlays([]int{2}, "shop")
	t.wantServed("x-beta", true, 0)
	t.wantServed("x-canary", false, 10)
	t.laid(333, 3, "shop")
	t.wantOverlays([]int{3}, "shop")
	t.wantServed("x-beta", false, 100)
	t.apply(0, "shop")
	t.wantOverlays([]int{0}, "shop")
	t.wantServed("x-canary", false, 0)
	if diff := cmp.Diff(before, t.w.Surroundings(t.T, "shop")); diff != "" {
		t.Errorf("more than weights is left (-before +after):\n%s", diff)
	}
}

// laidOnce holds that each change is one write per route with the weight, and that nothing is written twice.
func (t trial) laidOnce() {
	t.w.Put(t.T, "shop", plain())
	t.w.Put(t.T, "api", plain())
	for i, step := range []struct {
		weight  int32
		overlay int
	}{{0, 1}, {0, 1}, {200, 2}, {200, 2}, {500, 2}, {500, 2}, {0, 0}, {0, 0}} {
		before := t.w.Writes()
		t.laid(step.weight, step.overlay, "shop", "api")
		if got, want := t.w.Writes()-before, 2*((i+1)%2); got != want {
			t.Errorf("%d writes for weight %d with overlay %d, want %d", got, step.weight, step.overlay, want)
		}
	}
}

// disagreeing holds that routes which disagree have no overlay, and that an abort takes away whatever is there.
func (t trial) disagreeing() {
	t.w.Put(t.T, "shop", plain())
	t.w.Put(t.T, "api", plain())
	t.laid(200, 1, "shop")
	t.wantOverlays([]int{}, "shop", "api")
	t.laid(0, 0, "shop", "api")
	t.wantOverlays([]int{0}, "shop", "api")
}

// noStep holds that what no step asks for is something else, for a target with overlays and for one without.
func (t trial) noStep() {
	t.w.Put(t.T, "shop", plain())
	t.laid(200, 1, "shop")
	if got := t.observe("shop"); len(got.Overlays) != 0 || got.Overlays == nil || !got.Attached {
		t.Errorf("overlays are %v, attached %v of a match that no step asks for", got.Overlays, got.Attached)
	}
	t.apply(0, "shop")
	if got := t.observe("shop"); !cmp.Equal(got.Overlays, []int{0}) {
		t.Errorf("overlays are %v after it was taken away", got.Overlays)
	}
}

// laidOff holds that nothing of an overlay is left when the standby leaves, and that a conflict overwrites nothing.
func (t trial) laidOff() {
	t.w.Put(t.T, "shop", plain())
	before := t.w.Surroundings(t.T, "shop")
	t.laid(200, 2, "shop")
	t.w.BeforeWrite(func(context.Context) { t.w.Overwrite(t.T, "shop", Backend{Active, 1}) })
	if err := t.w.Router().Detach(t.Context(), t.w.Target("shop")); !apierrors.IsConflict(err) {
		t.Errorf("error is %v, want a conflict", err)
	}
	if err := t.w.Router().Detach(t.Context(), t.w.Target("shop")); err != nil {
		t.Fatal(err)
	}
	t.wantServed("x-beta", false, 0)
	if diff := cmp.Diff(before, t.w.Surroundings(t.T, "shop")); diff != "" || t.observe("shop").Attached {
		t.Errorf("something is left (-before +after):\n%s", diff)
	}
}

// weightsOnly holds that a router which writes nothing but weights says so.
func (t trial) weightsOnly() {
	t.w.Put(t.T, "shop", plain())
	got, err := t.w.Router().Observe(t.Context(), t.over("shop"))
	if err != nil || len(got.Problems) == 0 || got.Problems[0].Reason != v1alpha1.ReasonRouteUnusable {
		t.Errorf("problems are %v, error %v, want one that matches and mirrors cannot be had", got.Problems, err)
	}
}

// testsOfOverlays are those of a router that can tell requests apart, or of one that cannot.
func testsOfOverlays(features Features) map[string]func(trial) {
	if !features.Overlays {
		return map[string]func(trial){"overlays are a problem": trial.weightsOnly}
	}
	return map[string]func(trial){
		"what matches goes to standby at any weight":    trial.matched,
		"matches are written with the weight and once":  trial.laidOnce,
		"routes that disagree have no overlay":          trial.disagreeing,
		"matches that no step asks for are seen and go": trial.noStep,
		"nothing of an overlay is left on a route":      trial.laidOff,
	}
}
