package planner

import (
	"slices"
	"testing"
	"time"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// A pod of the Deployment goes for each of ours that takes requests, and not before its old size is persisted.
func TestPodsOfTheWorkloadGoOneByOne(t *testing.T) {
	for name, tc := range map[string]struct {
		scaleDown   v1alpha1.WorkloadScaleDown
		available   int32
		endpoints   int32
		before      *int32
		want        Action
		wantPersist bool
	}{
		"one of ours serves":           {v1alpha1.WorkloadScaleDownProgressively, 1, 1, new(int32(4)), ScaleWorkload{Replicas: 3}, false},
		"it is no endpoint yet":        {v1alpha1.WorkloadScaleDownProgressively, 1, 0, new(int32(4)), nil, false},
		"the size is not persisted":    {v1alpha1.WorkloadScaleDownProgressively, 1, 1, nil, nil, true},
		"all at once, and not all yet": {v1alpha1.WorkloadScaleDownOnSuccess, 3, 3, new(int32(4)), nil, false},
		"never":                        {v1alpha1.WorkloadScaleDownNever, 3, 3, nil, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			plan := Next(Snapshot{
				Now: time.Unix(1000, 0), Target: "a",
				Spec: Spec{
					Replicas: 4, Mode: Switch, Deadline: time.Minute, Background: NoBackground,
					Steps: []Step{{Weight: FullWeight, Replicas: AllReplicas}},
				},
				State:     v1alpha1.RolloutState{Stage: v1alpha1.StageInitial, Candidate: "a", Attempt: 1},
				Revisions: []Revision{{Hash: "a", Desired: 4, Created: 4, Ready: tc.available, Available: tc.available}},
				Active:    Service{Name: "web", Found: true, Endpoints: []Endpoints{{Revision: "a", Ready: tc.endpoints}}, Foreign: 4},
				Standby:   Service{Name: "web-standby", Found: true},
				Workload:  &Workload{Name: "web", ScaleDown: tc.scaleDown, Replicas: 4, Available: 4, Before: tc.before},
			})
			i := slices.IndexFunc(plan.Actions, func(a Action) bool { _, is := a.(ScaleWorkload); return is })
			if tc.want == nil && i >= 0 || tc.want != nil && (i < 0 || plan.Actions[i] != tc.want) {
				t.Errorf("the plan is %s, want %v", plan, tc.want)
			}
			if persists := tc.before == nil && plan.WorkloadBefore != nil; persists != tc.wantPersist {
				t.Errorf("the size is persisted: %v, want %v", persists, tc.wantPersist)
			}
		})
	}
}
