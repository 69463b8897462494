package planner_test

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller/planner"
	"github.com/sluice-dev/sluice/test/builder"
)

// TestSettleTime holds that the time of the spec goes before that of the controller, also when it is none at all.
func TestSettleTime(t *testing.T) {
	settles := func(d time.Duration) func(*v1alpha1.Rollout) {
		return func(r *v1alpha1.Rollout) { r.Spec.Traffic.SettleTime = &metav1.Duration{Duration: d} }
	}
	canary := func() *builder.RolloutBuilder { return builder.Rollout("web").Canary(builder.Step().Weight("20")) }
	for name, row := range map[string]struct {
		rollout *v1alpha1.Rollout
		want    time.Duration
	}{
		"of the controller":            {canary().Routes("web").Obj(), 2 * time.Second},
		"of the spec":                  {canary().Routes("web").With(settles(time.Minute)).Obj(), time.Minute},
		"none":                         {canary().Routes("web").With(settles(0)).Obj(), 0},
		"of Services, which have none": {canary().Services("web").Obj(), 2 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			spec, err := planner.Compile(&row.rollout.Spec, 2*time.Second)
			if err != nil || spec.Settle != row.want {
				t.Errorf("settle time %s, error %v, want %s", spec.Settle, err, row.want)
			}
		})
	}
}
