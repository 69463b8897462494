package istio

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/sluice-dev/sluice/test/golden"
	"github.com/sluice-dev/sluice/test/golden/render"
	"github.com/sluice-dev/sluice/trafficrouting/inplace"
	"github.com/sluice-dev/sluice/trafficrouting/routertest"
)

func TestMain(m *testing.M) { golden.Main(m) }

func TestGolden(t *testing.T) { render.Golden(t, VirtualService{}) }

func TestReturns(t *testing.T) { render.Returns(t, VirtualService{}) }

func TestConformance(t *testing.T) {
	routertest.RunObjects(t, routertest.VirtualServices(), New, routertest.Features{Others: true, Unreported: true})
}

// TestTooMuchToRemember holds that a VirtualService of which the status of a Rollout cannot hold what it was is told of, and is
// given no weight, but loses it.
func TestTooMuchToRemember(t *testing.T) {
	for name, tc := range map[string]struct {
		entries int
		name    string
	}{
		"too many entries": {entries: 65},
		"too long a name":  {entries: 1, name: strings.Repeat("n", 1100)},
	} {
		t.Run(name, func(t *testing.T) {
			var http []any
			for range tc.entries {
				http = append(http, map[string]any{"name": tc.name, "route": []any{
					map[string]any{"destination": map[string]any{"host": "web"}, "weight": int64(80)},
					map[string]any{"destination": map[string]any{"host": "web-standby"}, "weight": int64(20)},
				}})
			}
			object := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{"http": http}}}
			split := inplace.Split{Namespace: "shop", Active: "web", Standby: "web-standby", Before: []string{}, Weight: 500}
			if weight, _, err := inplace.Weight(VirtualService{}, object, split); err == nil || weight != 200 {
				t.Errorf("weight is %d, and nobody is told: %v", weight, err)
			}
			if _, _, err := inplace.Render(VirtualService{}, object, split); err == nil {
				t.Error("it is given weight")
			}
			if got := inplace.Before(VirtualService{}, object, split); len(got) > 0 {
				t.Errorf("remembered: %d entries", len(got))
			}
			split.Weight = 0
			if desired, _, err := inplace.Render(VirtualService{}, object, split); err != nil {
				t.Errorf("an abort: %v", err)
			} else if weight, _, _ := inplace.Weight(VirtualService{}, desired, split); weight != 0 {
				t.Errorf("after an abort the weight is %d", weight)
			}
		})
	}
}
