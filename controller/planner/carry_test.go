package planner

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// carrying is a canary of 20 replicas at the second of its steps, 50 %, with ten pods that have carried it so far. Stable
// has 20 pods.
func carrying(ready int32) Snapshot {
	s := canary()
	s.Spec.Replicas = 20
	s.Spec.Steps[1].Gates = []Gate{{Kind: PersonGate}}
	s.State.Step, s.State.Carriers = 1, 10
	s.Revisions[0] = Revision{Hash: "v1", Number: 1, Desired: 20, Created: 20, Ready: 20, Available: 20}
	s.Revisions[1] = Revision{Hash: "v2", Number: 2, Desired: 10, Created: 10, Ready: ready, Available: ready}
	s.Active.Endpoints = []Endpoints{{Revision: "v1", Ready: 20}}
	s.Standby.Endpoints = []Endpoints{{Revision: "v2", Ready: ready}}
	s.Route.Weight = 500
	return s
}

// TestLostEndpointsLoseTheirWeight holds what becomes of a weight when endpoints that carry it fail, and that nothing else
// moves it.
func TestLostEndpointsLoseTheirWeight(t *testing.T) {
	for name, row := range map[string]struct {
		snapshot     Snapshot
		want         string
		wantCarriers int32
	}{
		"all are ready":            {snapshot: carrying(10), wantCarriers: 10},
		"one is lost":              {snapshot: carrying(9), want: "set the weight of standby to 45%", wantCarriers: 9},
		"most are lost":            {snapshot: carrying(1), want: "set the weight of standby to 5%", wantCarriers: 1},
		"all are lost":             {snapshot: carrying(0), want: "set the weight of standby to 0%", wantCarriers: 10},
		"whole percent stay whole": {snapshot: with(carrying(2), func(s *Snapshot) { s.State.Carriers = 3 }), want: "set the weight of standby to 33%", wantCarriers: 2},
		"tenths are for those who asked for them": {
			snapshot: with(carrying(2), func(s *Snapshot) { s.State.Carriers, s.Spec.Steps[1].Weight, s.Route.Weight = 3, 505, 505 }),
			want:     "scale v2 to 11 pods; set the weight of standby to 33.6%", wantCarriers: 2,
		},
		"the first look at a step": {snapshot: with(carrying(9), func(s *Snapshot) { s.State.Carriers = 0 }), wantCarriers: 9},
		"lost before, and no more since": {
			snapshot: with(carrying(9), func(s *Snapshot) { s.State.Carriers, s.Route.Weight = 9, 450 }), wantCarriers: 9,
		},
		"and one more": {
			snapshot: with(carrying(8), func(s *Snapshot) { s.State.Carriers, s.Route.Weight = 9, 450 }),
			want:     "set the weight of standby to 40%", wantCarriers: 8,
		},
		"they are all there again": {
			snapshot: with(carrying(10), func(s *Snapshot) { s.State.Carriers, s.Route.Weight = 8, 400 }),
			want:     "set the weight of standby to 50%", wantCarriers: 8,
		},
		"an autoscaler asks for twice as many": {
			snapshot: with(carrying(10), func(s *Snapshot) { s.Spec.Replicas = 40 }),
			want:     "scale v1 to 40 pods; scale v2 to 20 pods", wantCarriers: 10,
		},
		"and for half as many": {
			snapshot: with(carrying(5), func(s *Snapshot) {
				s.Spec.Replicas, s.Revisions[0].Desired, s.Revisions[1].Desired = 10, 10, 5
			}),
			wantCarriers: 5,
		},
		"stable cannot take it": {
			snapshot: with(carrying(5), func(s *Snapshot) {
				s.Spec.Proportional = true
				s.Revisions[0].Desired, s.Revisions[0].Ready, s.Revisions[0].Available = 10, 10, 10
				s.Active.Endpoints[0].Ready = 10
			}),
			wantCarriers: 10,
		},
		"paused by the spec": {
			snapshot: with(carrying(9), func(s *Snapshot) { s.Spec.Paused = true }),
			want:     "set the weight of standby to 45%", wantCarriers: 9,
		},
		"a problem of something else": {
			snapshot: with(carrying(9), func(s *Snapshot) {
				s.Problems = []Problem{{Reason: v1alpha1.ReasonTemplateNotFound, Message: "no template"}}
			}),
			want: "set the weight of standby to 45%", wantCarriers: 9,
		},
		"a problem of traffic": {
			snapshot: with(carrying(9), func(s *Snapshot) {
				s.Problems = []Problem{{Reason: v1alpha1.ReasonRouteNotFound, Message: "no route"}}
			}),
			wantCarriers: 10,
		},
	} {
		t.Run(name, func(t *testing.T) {
			plan := Next(row.snapshot)
			if got := plan.String(); got != row.want || plan.State.Carriers != row.wantCarriers {
				t.Errorf("%q with %d carriers, want %q with %d: %s", got, plan.State.Carriers, row.want, row.wantCarriers, plan.Why.Message)
			}
		})
	}
}

// TestAWeightForNoPods holds that a step of a Rollout without replicas is not kept waiting for what gateways know of its
// endpoints, which it would be for ever: the time of those that were there is forgotten.
func TestAWeightForNoPods(t *testing.T) {
	for _, left := range []int32{1, 0} {
		s := with(canary(Gate{Kind: PersonGate}), func(s *Snapshot) {
			s.Spec.Replicas, s.Route.Weight, s.State.EndpointsAt = 0, 0, metav1.NewMicroTime(noon())
			s.Revisions[0].Desired, s.Active.Endpoints, s.Standby.Endpoints = 0, nil, nil
			s.Revisions[1] = Revision{Hash: "v2", Number: 2, Desired: left}
		})
		if got := Next(s).String(); !strings.Contains(got, "set the weight of standby to 25%") {
			t.Errorf("with %d pods left: %q, want the weight to be set", left, got)
		}
	}
}
