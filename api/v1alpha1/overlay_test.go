package v1alpha1

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
)

func TestOverlaysOfSticky(t *testing.T) {
	weighs := func(weight string) CanaryStep { return CanaryStep{Weight: ptr.To(intstr.Parse(weight))} }
	spec := RolloutSpec{Strategy: Strategy{Canary: &CanaryStrategy{
		Sticky: &Sticky{Cookie: "web-cohort", MaxAge: &metav1.Duration{Duration: time.Hour}},
		Steps: []CanaryStep{
			weighs("0"), weighs("0.5"),
			{Pause: &Pause{}},
			{Mirror: &Mirror{Percent: ptr.To[int32](10)}},
			weighs("10"), weighs("10"), weighs("50"),
			weighs("100"),
		},
	}}}
	cohorts := func(weight int32, earlier ...int32) *Cohorts {
		return &Cohorts{Cookie: "web-cohort", MaxAge: time.Hour, Weight: weight, Earlier: earlier}
	}
	all, of := spec.Overlays()
	want := []Overlay{
		{},
		{Cohorts: cohorts(5), Field: "spec.strategy.canary.steps[1]"},
		{Cohorts: cohorts(5), Mirror: 10, Field: "spec.strategy.canary.steps[3]"},
		{Cohorts: cohorts(100, 5), Mirror: 10, Field: "spec.strategy.canary.steps[4]"},
		{Cohorts: cohorts(500, 5, 100), Mirror: 10, Field: "spec.strategy.canary.steps[6]"},
		{Mirror: 10, Field: "spec.strategy.canary.steps[7]"},
	}
	if diff := cmp.Diff(want, all); diff != "" {
		t.Errorf("overlays (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]int32{0, 1, 1, 2, 3, 3, 4, 5}, of); diff != "" {
		t.Errorf("those of steps (-want +got):\n%s", diff)
	}
	if got, want := all[3].Of("7d4b.2").Cohorts.Release, "7d4b.2"; got != want || all[3].Cohorts.Release != "" {
		t.Errorf("the release is %q, want %q, and none in what it was made from", got, want)
	}
	if got, want := all[1].String(), "clients kept by the cookie web-cohort"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
