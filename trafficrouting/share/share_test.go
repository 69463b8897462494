package share

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/trafficrouting"
)

// Package gatewayapi holds the properties of shares over random routes. Here is what only other kinds ask for.

func form(largest int64) Form {
	return Form{
		Noun: "entries", Largest: largest, Standby: "web-standby", Alone: true,
		Rename: func(fields map[string]any) { fields["name"] = "web-standby" },
	}
}

func backend(role Role, weight int64) Backend {
	name := map[Role]string{Active: "web", Standby: "web-standby", Other: "old-shop"}[role]
	return Backend{Fields: map[string]any{"name": name, "weight": weight}, Role: role, Weight: weight}
}

// TestSmallLargest holds that one pool needs no more than 999 for every tenth of a percent, and that a list which needs more
// is told of before a weight is asked of it.
func TestSmallLargest(t *testing.T) {
	for share := range v1alpha1.MaxWeight + 1 {
		l := NewList("list", form(999), []Backend{backend(Active, 1), backend(Standby, 0)})
		if err := l.Check(); err != nil {
			t.Fatal(err)
		}
		entries, err := l.Render(share)
		if err != nil {
			t.Fatalf("share %d: %v", share, err)
		}
		var got []int64
		for _, entry := range entries {
			got = append(got, entry.(map[string]any)["weight"].(int64))
		}
		if max(got[0], got[1]) > 999 || got[1]*1000 != int64(share)*(got[0]+got[1]) {
			t.Errorf("share %d is written as %v", share, got)
		}
	}
	l := NewList("list", form(999), []Backend{backend(Active, 1), backend(Other, 1)})
	for what, err := range map[string]error{"Check": l.Check(), "Render": second(l.Render(1))} {
		var mend *trafficrouting.RouteError
		if !errors.As(err, &mend) || mend.Reason != v1alpha1.ReasonRouteUnusable {
			t.Errorf("%s of a list that cannot carry every weight: %v", what, err)
		}
	}
}

func second(_ []any, err error) error { return err }

// TestWithout holds that a backend that is left alone loses a weight that has no meaning, and no other does.
func TestWithout(t *testing.T) {
	for name, tc := range map[string]struct {
		backends    []Backend
		want        []any
		wantChanged bool
	}{
		"alone": {
			backends: []Backend{backend(Active, 100), backend(Standby, 0)}, wantChanged: true,
			want: []any{map[string]any{"name": "web"}},
		},
		"beside another": {
			backends: []Backend{backend(Active, 90), backend(Standby, 0), backend(Other, 10)}, wantChanged: true,
			want: []any{map[string]any{"name": "web", "weight": int64(90)}, map[string]any{"name": "old-shop", "weight": int64(10)}},
		},
		"never shared": {
			backends: []Backend{backend(Active, 100)},
			want:     []any{map[string]any{"name": "web", "weight": int64(100)}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, changed := NewList("list", form(1000), tc.backends).Without()
			if diff := cmp.Diff(tc.want, got); diff != "" || changed != tc.wantChanged {
				t.Errorf("changed is %v; entries (-want +got):\n%s", changed, diff)
			}
		})
	}
}
