package routertest

import (
	"testing" //nolint:depguard // a conformance suite is test code, for the tests of several packages

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-dev/sluice/trafficrouting"
)

// trial is one promise under test, in a World of its own.
type trial struct {
	*testing.T
	w World
}

func (t trial) apply(weight int32, routes ...string) {
	t.Helper()
	if err := t.w.Router().Apply(t.Context(), t.w.Target(routes...), trafficrouting.Wanted{Weight: weight}); err != nil {
		t.Fatalf("apply weight %d: %v", weight, err)
	}
}

func (t trial) observe(routes ...string) trafficrouting.Observed {
	t.Helper()
	got, err := t.w.Router().Observe(t.Context(), t.w.Target(routes...))
	if err != nil {
		t.Fatalf("observe: %v", err)
	}
	return got
}

// wantShare adds up the weights of a route, without the router.
func (t trial) wantShare(route string, weight int32) {
	t.Helper()
	var active, standby int64
	for _, b := range t.w.Backends(t.T, route) {
		switch b.Service {
		case Active:
			active += b.Weight
		case Standby:
			standby += b.Weight
		}
	}
	if active+standby == 0 || standby*1000 != int64(weight)*(active+standby) {
		t.Errorf("%s has %d on active and %d on standby, want %d tenths of a percent on standby", route, active, standby,
			weight)
	}
}

func (t trial) wantAccepted(when string, want bool, routes ...string) {
	t.Helper()
	got := t.observe(routes...)
	if got.Accepted != want || len(got.Problems) != 0 {
		t.Errorf("%s: accepted is %v, want %v; problems %v", when, got.Accepted, want, got.Problems)
	}
}

func (t trial) wantReasons(got trafficrouting.Observed, want ...string) {
	t.Helper()
	var reasons []string
	for _, p := range got.Problems {
		reasons = append(reasons, p.Reason)
	}
	if diff := cmp.Diff(want, reasons); diff != "" {
		t.Fatalf("reasons of problems (-want +got):\n%s", diff)
	}
}
