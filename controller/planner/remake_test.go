package planner

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// stale is a release at a gate of its first step with a route that is not as its template says.
func stale(change func(*Snapshot)) Snapshot {
	return with(canary(Gate{Kind: PersonGate}), func(s *Snapshot) {
		s.Route.Stale = true
		change(s)
	})
}

// resting is stable v1 with all its pods and all traffic.
func resting() Snapshot {
	return with(settled(v1alpha1.StageIdle), func(s *Snapshot) { s.Target = "v1" })
}

func TestARouteIsPutRightWithTheShareThatItHas(t *testing.T) {
	const right = "set the weight of standby to 25%"
	all := func(s *Snapshot) {
		s.State.Stage, s.State.Step, s.Route.Weight = v1alpha1.StagePromoting, 1, FullWeight
		s.Revisions[1], s.Standby.Endpoints = serving("v2", 2, 4), endpoints("v2", 4)
	}
	rest := func(change func(*Snapshot)) Snapshot {
		return with(resting(), func(s *Snapshot) {
			s.Route.Stale = true
			change(s)
		})
	}
	holdOutcomes(t, map[string]outcome{
		"at a gate":                    {stale(func(*Snapshot) {}), right},
		"with the next weight at once": {stale(func(s *Snapshot) { s.Route.Weight = 100; s.State.EndpointsAt = metav1.NewMicroTime(noon().Add(-1e12)) }), right},
		"with what is laid over it": {stale(func(s *Snapshot) {
			s.Spec.Overlays, s.Spec.Steps[0].Overlay, s.Route.Overlay = []v1alpha1.Overlay{{}, {Mirror: 5}}, 1, 1
		}), right + " with overlay 1"},
		"while it is held":                {stale(func(s *Snapshot) { s.Spec.Paused = true }), right},
		"with all traffic":                {stale(all), "set the weight of standby to 100%"},
		"not twice with an abort":         {stale(func(s *Snapshot) { s.State.Stage = v1alpha1.StageRetreating }), "set the weight of standby to 0%"},
		"but when that is over":           {stale(func(s *Snapshot) { s.State.Stage, s.Route.Weight = v1alpha1.StageRetreating, 0 }), "set the weight of standby to 0%"},
		"not without knowing the share":   {stale(func(s *Snapshot) { s.Route.Weight = WeightUnknown; s.Standby.Endpoints = nil }), "set the weight of standby to 0%"},
		"at rest":                         {rest(func(*Snapshot) {}), "set the weight of standby to 0%"},
		"at rest, when something answers": {rest(func(s *Snapshot) { s.Active.Endpoints = nil }), ""},
		"or nothing is to": {rest(func(s *Snapshot) {
			s.Active.Endpoints, s.Spec.Replicas, s.Revisions[0] = nil, 0, Revision{Hash: "v1", Number: 1}
		}), "set the weight of standby to 0%"},
		"not with the first pods of all": {with(inStage(v1alpha1.StageInitial), func(s *Snapshot) { s.Route = Route{Accepted: true, Stale: true} }), "scale v2 to 4 pods; scale v1 to 3 pods"},
		"not of another Rollout":         {rest(func(s *Snapshot) { s.Active.Found = false }), ""},
	})
}

// What is not as it should be is not in place, whatever gateways report of it: only a way back counts on it.
func TestAStaleRouteIsNotInPlace(t *testing.T) {
	rest := with(resting(), func(s *Snapshot) { s.Route.Stale = true })
	if plan := Next(rest); plan.Settled || plan.State.ShiftedAt != (metav1.MicroTime{}) {
		t.Errorf("it is settled %v: %s", plan.Settled, plan.Why.Message)
	}
	gate := stale(func(s *Snapshot) { s.Spec.Steps[0].Gates = nil })
	if plan := Next(gate); plan.State.Step != 0 {
		t.Errorf("it goes on to step %d", plan.State.Step)
	}
	back := stale(func(s *Snapshot) {
		s.State.Stage, s.State.Reason, s.Route.Weight = v1alpha1.StageRetreating, v1alpha1.ReasonAborted, 0
	})
	if plan := Next(back); plan.State.Stage != v1alpha1.StageAborted {
		t.Errorf("the retreat waits: %s", plan.Why.Message)
	}
}

// What another writer changes of a route beside its weight is counted as a change of the weight is, and put back so often.
func TestWhatAnotherWriterChangesOfAMadeRoute(t *testing.T) {
	altered := func(s *Snapshot) {
		written(s, 250)
		s.Route.Stale, s.Route.Hands[0].Altered = true, true
	}
	plan := Next(with(asked(Gate{Kind: PersonGate}), altered))
	want := "step 1/2: HTTPRoute shop/web: what its template says beside the weight 25% was changed by argocd-controller; it is put back, and gates begin again"
	if plan.Why.Message != want || plan.Why.Reason != v1alpha1.ReasonTrafficReverted || len(plan.Actions) > 0 {
		t.Errorf("it says %q and does %q, want %q and nothing yet", plan.Why.Message, plan.String(), want)
	}
	again := Next(with(contested(3, 0, 250), altered))
	if again.String() != "set the weight of standby to 25%" || again.State.Contest.Pending {
		t.Errorf("it does %q, pending %v", again.String(), again.State.Contest.Pending)
	}
	held := Next(with(contested(contestLimit+1, 0, 250), altered))
	if held.String() != "" || held.Why.Reason != v1alpha1.ReasonTrafficContested {
		t.Errorf("it does %q: %s", held.String(), held.Why.Message)
	}
}

// A route that stays is given up when nothing of the standby Service is in it any more, and before that Service goes.
func TestARouteThatStaysIsGivenUp(t *testing.T) {
	leaving := func(change func(*Snapshot)) Snapshot {
		return with(resting(), func(s *Snapshot) {
			s.Active.Revision, s.Standby.Revision = "", "v1"
			s.Leaving = &Leaving{Since: noon(), Twin: true, Owned: true}
			change(s)
		})
	}
	holdOutcomes(t, map[string]outcome{
		"it is":                          {leaving(func(*Snapshot) {}), "give up the routes that were made"},
		"after the standby has left it":  {leaving(func(s *Snapshot) { s.Leaving.Referred = true }), Next(leaving(func(s *Snapshot) { s.Leaving.Referred, s.Leaving.Owned = true, false })).String()},
		"before the standby is deleted":  {leaving(func(s *Snapshot) { s.Leaving.Uncollected = true }), "give up the routes that were made"},
		"then nothing keeps the Rollout": {leaving(func(s *Snapshot) { s.Leaving.Owned = false }), ""},
	})
}
