package trafficrouting

import (
	"slices"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// Common are the Overlays that two Observed have in common.
func Common(a, b []int) []int {
	if a == nil || b == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(a), func(i int) bool { return !slices.Contains(b, i) })
}

// WeightsOnly are the problems of a Target with overlays for a router that writes weights and nothing else.
func WeightsOnly(t Target) []Problem {
	var out []Problem
	for _, overlay := range t.Overlays {
		if !overlay.None() {
			out = append(out, Problem{
				Reason: v1alpha1.ReasonRouteUnusable, Field: overlay.Field,
				Message: "this router shares requests by weight only: remove match and mirror from the step, and sticky, or share traffic by gatewayAPI",
			})
		}
	}
	return out
}
