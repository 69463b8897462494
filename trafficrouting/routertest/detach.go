package routertest

import "github.com/google/go-cmp/cmp"

// detach holds that the standby leaves a route with what it had, that one which never had it is not written, and that
// doing it twice writes once.
func (t trial) detach() {
	t.w.Put(t.T, "shop", plain())
	before := t.w.Surroundings(t.T, "shop")
	t.apply(200, "shop")
	if !t.observe("shop").Attached {
		t.Error("with a weight the standby is not seen on the route")
	}
	for range 2 {
		if err := t.w.Router().Detach(t.Context(), t.w.Target("shop", "gone")); err != nil {
			t.Fatal(err)
		}
	}
	if got := t.w.Writes(); got != 2 {
		t.Errorf("%d writes for a weight and its end, want 2", got)
	}
	for _, b := range t.w.Backends(t.T, "shop") {
		if b.Service == Standby {
			t.Errorf("the standby is left with weight %d", b.Weight)
		}
	}
	t.wantShare("shop", 0)
	if t.observe("shop").Attached {
		t.Error("the standby is still seen on the route")
	}
	if diff := cmp.Diff(before, t.w.Surroundings(t.T, "shop")); diff != "" {
		t.Errorf("more than the standby changed (-before +after):\n%s", diff)
	}
}
