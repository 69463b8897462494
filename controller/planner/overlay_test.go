package planner

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// overlaid is a canary whose first step asks for no weight, and for the requests of a header instead; its second for a
// quarter and for nothing else. At the first it has one pod, and its traffic has yet to move.
func overlaid(change func(*Snapshot)) Snapshot {
	return atStep(func(s *Snapshot) {
		s.Spec.Steps[0].Weight, s.Spec.Steps[0].Overlay = 0, 1
		s.Spec.Steps[1].Weight = 250
		s.Spec.Overlays = []v1alpha1.Overlay{{}, {Match: []v1alpha1.RequestMatch{{
			Headers: []v1alpha1.ValueMatch{{Type: v1alpha1.MatchExact, Name: "x-canary", Value: "yes"}},
		}}}, {Mirror: 10}}
		change(s)
	})
}

func TestAStepLaysMatchesOverItsWeight(t *testing.T) {
	const lay, take = "set the weight of standby to 0% with overlay 1", "set the weight of standby to 0%"
	inForce := func(change func(*Snapshot)) Snapshot {
		return overlaid(func(s *Snapshot) {
			s.Route.Overlay = 1
			change(s)
		})
	}
	second := func(change func(*Snapshot)) Snapshot {
		return inForce(func(s *Snapshot) {
			s.State.Step = 1
			change(s)
		})
	}
	holdOutcomes(t, map[string]outcome{
		"a match needs a pod at weight 0":      {overlaid(func(s *Snapshot) { s.Revisions[1] = Revision{Hash: "v2"} }), "scale v2 to 1 pod"},
		"and as many as the step says":         {overlaid(func(s *Snapshot) { s.Spec.Steps[0].Replicas = 3 }), "scale v2 to 3 pods"},
		"that is available":                    {overlaid(func(s *Snapshot) { s.Revisions[1].Available = 0 }), ""},
		"and a ready endpoint":                 {overlaid(func(s *Snapshot) { s.Standby.Endpoints = nil }), ""},
		"that gateways know":                   {overlaid(func(s *Snapshot) { s.State.EndpointsAt = metav1.NewMicroTime(noon()) }), ""},
		"spec.paused holds it":                 {overlaid(func(s *Snapshot) { s.Spec.Paused = true }), ""},
		"then it is laid":                      {overlaid(func(*Snapshot) {}), lay},
		"once":                                 {inForce(func(*Snapshot) {}), ""},
		"again when somebody has changed it":   {inForce(func(s *Snapshot) { s.Route.Overlay = OverlayUnknown }), lay},
		"and when the step asks for another":   {inForce(func(s *Snapshot) { s.Route.Overlay = 2 }), lay},
		"it leaves a candidate that is gone":   {inForce(func(s *Snapshot) { s.Standby.Endpoints = nil }), take},
		"a selector waits until it has left":   {inForce(func(s *Snapshot) { s.Standby.Revision = "v1" }), take},
		"the next step takes it and gives":     {second(func(*Snapshot) {}), "set the weight of standby to 25%"},
		"or takes it and nothing else":         {second(func(s *Snapshot) { s.Spec.Steps[1].Weight = 0 }), take},
		"also while spec.paused holds":         {second(func(s *Snapshot) { s.Spec.Steps[1].Weight, s.Spec.Paused = 0, true }), take},
		"when stable can take it":              {second(func(s *Snapshot) { s.Spec.Steps[1].Weight, s.Active.Endpoints = 0, nil }), ""},
		"a pod stays as long as it has it":     {second(func(s *Snapshot) { s.Spec.Steps[1].Weight, s.Active.Endpoints = 0, nil; s.Spec.Settle = 0 }), ""},
		"a lower weight with another waits":    {lowered(func(s *Snapshot) { s.Standby.Endpoints = nil; s.Standby.Foreign = 1 }), "set the weight of standby to 0%"},
		"until its pods can take the requests": {lowered(func(*Snapshot) {}), "set the weight of standby to 10% with overlay 1"},
		"and stable the rest":                  {lowered(func(s *Snapshot) { s.Active.Endpoints = endpoints("v1", 3) }), ""},
	})
}

// lowered is a canary at a quarter of the traffic whose step was edited to a tenth and a match.
func lowered(change func(*Snapshot)) Snapshot {
	return overlaid(func(s *Snapshot) {
		s.Spec.Steps[0].Weight, s.Route.Weight = 100, 250
		change(s)
	})
}

func TestMatchesAreInForceBeforeGatesCount(t *testing.T) {
	for name, row := range map[string]struct {
		route Route
		want  bool
	}{
		"not laid yet":      {Route{Accepted: true}, false},
		"not accepted yet":  {Route{Overlay: 1}, false},
		"something else":    {Route{Accepted: true, Overlay: OverlayUnknown}, false},
		"laid and accepted": {Route{Accepted: true, Overlay: 1}, true},
	} {
		plan := Next(overlaid(func(s *Snapshot) {
			s.Route, s.State.ShiftedAt = row.route, metav1.NewMicroTime(noon().Add(-s.Spec.Settle))
			s.Spec.Steps[0].Gates = []Gate{{Kind: PersonGate}}
		}))
		if got := !plan.State.GatesAt.IsZero(); got != row.want {
			t.Errorf("%s: gates count is %v, want %v: %s", name, got, row.want, plan.Why.Message)
		}
	}
}

// TestMatchesLeaveWithTheWeight is about every way out of a step: one write, which takes both.
func TestMatchesLeaveWithTheWeight(t *testing.T) {
	const take = "set the weight of standby to 0%"
	at := func(weight int32, change func(*Snapshot)) Snapshot {
		return overlaid(func(s *Snapshot) {
			s.Route = Route{Weight: weight, Overlay: 1, Accepted: true}
			s.State.ShiftedAt = metav1.NewMicroTime(noon().Add(-s.Spec.Settle))
			change(s)
		})
	}
	all := func(s *Snapshot) {
		s.State.Stage = v1alpha1.StagePromoting
		s.Revisions[1], s.Standby.Endpoints = serving("v2", 2, 4), endpoints("v2", 4)
	}
	holdOutcomes(t, map[string]outcome{
		"abort": {at(250, func(s *Snapshot) {
			s.Command = v1alpha1.Command{Action: v1alpha1.ActionAbort, Revision: "v2", ID: "1"}
		}), take},
		"abort at weight 0": {at(0, func(s *Snapshot) {
			s.Command = v1alpha1.Command{Action: v1alpha1.ActionAbort, Revision: "v2", ID: "1"}
		}), take},
		"abort of what somebody has changed": {at(0, func(s *Snapshot) {
			s.Command, s.Route.Overlay = v1alpha1.Command{Action: v1alpha1.ActionAbort, Revision: "v2", ID: "1"}, OverlayUnknown
		}), take},
		"superseded":        {at(0, func(s *Snapshot) { s.Target = "v3" }), take},
		"a return":          {at(0, func(s *Snapshot) { s.Target = "v1" }), take},
		"a shrunken stable": {at(500, func(s *Snapshot) { retreatShrunken(s, 2) }), "set the weight of standby to 50%; scale v1 to 4 pods"},
		"that grows":        {at(500, func(s *Snapshot) { retreatShrunken(s, 3) }), "set the weight of standby to 25%; scale v1 to 4 pods"},
		"nothing takes it":  {at(0, func(s *Snapshot) { retreatShrunken(s, 0) }), "scale v1 to 4 pods"},
		"the promotion":     {at(250, all), "set the weight of standby to 100%"},
		"from the last weight": {at(FullWeight, func(s *Snapshot) {
			all(s)
			s.Active = Service{Name: "web", Found: true, Revision: "v2", Endpoints: endpoints("v2", 4)}
		}), take},
		"rest": {at(0, func(s *Snapshot) {
			s.State = v1alpha1.RolloutState{Stage: v1alpha1.StageIdle, Stable: "v1"}
			s.Target, s.Standby.Revision = "v1", "v1"
		}), take},
		"the end of the rollout": {at(0, func(s *Snapshot) { s.Leaving = &Leaving{Since: noon()} }), take},
		"the first release": {at(0, func(s *Snapshot) {
			s.State = v1alpha1.RolloutState{Stage: v1alpha1.StageInitial, Candidate: "v2", Attempt: 1}
			s.Revisions = []Revision{serving("v2", 1, 4)}
		}), take},
	})
}

// retreatShrunken is an abort with a stable that has shrunk to its share, of which so many pods are ready.
func retreatShrunken(s *Snapshot, ready int32) {
	s.Spec.Proportional = true
	s.State.Stage, s.State.Reason = v1alpha1.StageRetreating, v1alpha1.ReasonAborted
	s.Revisions[0] = serving("v1", 1, ready)
	s.Revisions[0].Desired, s.Active.Endpoints = 2+ready/3, endpoints("v1", ready)
}

// A crash right after the last pod went, and before that was persisted, would leave the time of endpoints that are gone.
func TestEndpointsThatComeBackAreNew(t *testing.T) {
	gone := func(at metav1.MicroTime) Snapshot {
		return overlaid(func(s *Snapshot) {
			s.Spec.Steps[0].Overlay, s.State.EndpointsAt = v1alpha1.NoOverlay, at
			s.State.ShiftedAt = metav1.NewMicroTime(noon().Add(-s.Spec.Settle))
			s.Spec.Steps[0].Gates = []Gate{{Kind: PersonGate}}
		})
	}
	holdOutcomes(t, map[string]outcome{
		"the time is forgotten first": {gone(metav1.NewMicroTime(noon().Add(-time.Minute))), ""},
		"then the last pod goes":      {gone(metav1.MicroTime{}), "scale v2 to 0 pods"},
	})
}
