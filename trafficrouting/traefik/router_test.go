package traefik

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-dev/sluice/test/golden"
	"github.com/sluice-dev/sluice/test/golden/render"
	"github.com/sluice-dev/sluice/trafficrouting"
	"github.com/sluice-dev/sluice/trafficrouting/routertest"
)

func TestMain(m *testing.M) { golden.Main(m) }

func TestGolden(t *testing.T) { render.Golden(t, TraefikService{}) }

func TestReturns(t *testing.T) { render.Returns(t, TraefikService{}) }

func TestConformance(t *testing.T) {
	routertest.RunObjects(t, routertest.TraefikServices(), New, routertest.Features{Others: true, Unreported: true})
}

// TestNoLongerNamed holds that an object which the spec names no more is kept while the release needs it, and otherwise given back as
// it was.
func TestNoLongerNamed(t *testing.T) {
	w := routertest.FakeObjects(routertest.TraefikServices(), New)
	w.Put(t, "shop", routertest.Backend{Service: routertest.Active, Weight: 7})
	target := w.Target("shop")
	target.Routes = observe(t, w, target).Routes
	if err := w.Router().Apply(t.Context(), target, trafficrouting.Wanted{Weight: 200}); err != nil {
		t.Fatal(err)
	}
	parted := w.Target()
	parted.Known, parted.Keep = target.Routes, true
	if got := observe(t, w, parted); got.Weight != 200 || len(got.Routes) != 1 || len(got.Left) != 0 {
		t.Errorf("while it is needed: weight %d, %d routes, %d left", got.Weight, len(got.Routes), len(got.Left))
	}
	parted.Keep = false
	got := observe(t, w, parted)
	if len(got.Routes) != 0 || len(got.Left) != 1 {
		t.Fatalf("when it is not: %d routes, %d left", len(got.Routes), len(got.Left))
	}
	parted.Routes = got.Left
	if err := w.Router().Detach(t.Context(), parted); err != nil {
		t.Fatal(err)
	}
	want := []routertest.Backend{{Service: routertest.Active, Weight: 7}}
	if diff := cmp.Diff(want, w.Backends(t, "shop")); diff != "" {
		t.Errorf("given back (-want +got):\n%s", diff)
	}
	if got := observe(t, w, parted); len(got.Left) != 0 {
		t.Error("it is left once more")
	}
}

func observe(t *testing.T, w routertest.World, target trafficrouting.Target) trafficrouting.Observed {
	t.Helper()
	got, err := w.Router().Observe(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	return got
}
