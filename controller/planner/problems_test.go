package planner

import (
	"testing"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// TestAProblemHoldsTheRelease holds that a problem stops what it stands in the way of, and nothing else: scaling goes on,
// and so does the way back, unless it is the traffic that cannot be moved.
func TestAProblemHoldsTheRelease(t *testing.T) {
	scaled := func(replicas int32, change func(*Snapshot)) Snapshot {
		s := canary(Gate{Kind: PersonGate})
		s.Spec.Replicas = replicas
		change(&s)
		return s
	}
	unchanged := func(*Snapshot) {}
	ratio := func(s *Snapshot) {
		s.Spec.Mode, s.Spec.Surge = Ratio, 1
		s.Revisions[0] = Revision{Hash: "v1", Number: 1, Desired: 3, Created: 3, Ready: 3, Available: 3}
	}
	aborted := func(weight int32) Snapshot {
		s := inStage(v1alpha1.StageAborted)
		s.Route.Weight = weight
		return s
	}
	for name, row := range map[string]struct {
		snapshot Snapshot
		reason   string
		want     string
	}{
		"replicas rise":            {scaled(8, unchanged), v1alpha1.ReasonTemplateNotFound, "scale v1 to 8 pods; scale v2 to 2 pods"},
		"replicas fall":            {scaled(3, unchanged), v1alpha1.ReasonTemplateNotFound, "scale v1 to 3 pods"},
		"replicas fall to none":    {scaled(0, unchanged), v1alpha1.ReasonTemplateNotFound, "scale v1 to 0 pods; scale v2 to 0 pods"},
		"replicas of a ratio rise": {scaled(8, ratio), v1alpha1.ReasonTemplateNotFound, "scale v1 to 6 pods; scale v2 to 2 pods"},
		"nothing is made for it":   {scaled(4, func(s *Snapshot) { s.Revisions = s.Revisions[:1] }), v1alpha1.ReasonTemplateNotFound, ""},
		"a promotion keeps its pods": {scaled(4, func(s *Snapshot) {
			s.State.Stage, s.Revisions[1].Desired = v1alpha1.StagePromoting, 4
		}), v1alpha1.ReasonRouteNotFound, ""},
		"stable shrinks no further than its share": {scaled(8, func(s *Snapshot) {
			s.Spec.Proportional, s.Revisions[0].Desired = true, 3
		}), v1alpha1.ReasonTemplateNotFound, "scale v1 to 6 pods; scale v2 to 2 pods"},
		"a spec that is none":                      {scaled(8, unchanged), v1alpha1.ReasonInvalidSpec, ""},
		"after an abort the candidate goes":        {aborted(0), v1alpha1.ReasonTemplateNotFound, "point standby at v1"},
		"also without its Deployment":              {aborted(0), v1alpha1.ReasonWorkloadNotFound, "point standby at v1"},
		"and gets no traffic from somebody else":   {aborted(250), v1alpha1.ReasonTemplateInvalid, "set the weight of standby to 0%"},
		"but traffic that cannot be moved is left": {aborted(250), v1alpha1.ReasonRouteNotFound, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := row.snapshot
			s.Problems = []Problem{{Reason: row.reason, Message: "mend it"}}
			if got := Next(s).String(); got != row.want {
				t.Errorf("%q, want %q", got, row.want)
			}
		})
	}
}

// TestRoutesThatDisagree holds that an aborted revision gets no traffic while nobody knows how much it has.
func TestRoutesThatDisagree(t *testing.T) {
	s := inStage(v1alpha1.StageAborted)
	s.Route.Weight = WeightUnknown
	if got := Next(s).String(); got != "set the weight of standby to 0%" {
		t.Errorf("%q, with stable ready", got)
	}
	s.Active.Endpoints = nil
	if got := Next(s).String(); got != "" {
		t.Errorf("%q, with nothing of stable ready", got)
	}
}

// TestAProblemIsToldOnce holds that every problem is an event, once, also after an abort and when another one has the
// same reason.
func TestAProblemIsToldOnce(t *testing.T) {
	unknown := func(name string) Problem {
		return Problem{Reason: v1alpha1.ReasonServiceNotFound, Field: "spec.services.active", Message: name + " does not exist"}
	}
	for _, stage := range []v1alpha1.Stage{v1alpha1.StageIdle, v1alpha1.StageStepping, v1alpha1.StageAborted} {
		s := inStage(stage)
		for _, name := range []string{"nobody", "nowhere"} {
			s.Problems = []Problem{unknown(name)}
			plan := Next(s)
			if len(plan.Events) != 1 || plan.Events[0].Message != s.Problems[0].sentence() || !plan.Events[0].Warning {
				t.Errorf("stage %q: events %v, want one of %s", stage, plan.Events, name)
			}
			s.State, s.LastReason, s.LastMessage = plan.State, plan.Why.Reason, plan.Why.Message
			if again := Next(s).Events; len(again) != 0 {
				t.Errorf("stage %q: told again: %v", stage, again)
			}
		}
	}
}

// TestARefusedWayBackIsTold holds that a retreat whose write the API server refuses says both: why it goes back, and what
// stands in the way. It is one event.
func TestARefusedWayBackIsTold(t *testing.T) {
	s := inStage(v1alpha1.StageRetreating)
	s.Route.Weight = 250
	s.State.Reason, s.State.Message = v1alpha1.ReasonAborted, "aborted by hand"
	refusal := Problem{Reason: v1alpha1.ReasonWriteRefused, Message: "a webhook cannot be asked"}
	plan := Blocked(s, refusal)
	want := "aborted by hand; the weight of service web-standby is being set to 0%: a webhook cannot be asked"
	if plan.Why.Reason != refusal.Reason || plan.Why.Message != want || !plan.Stalled || len(plan.Actions) > 0 {
		t.Errorf("%+v, stalled %v, does %q; want the message %q", plan.Why, plan.Stalled, plan, want)
	}
	if len(plan.Events) != 1 || !plan.Events[0].Warning {
		t.Errorf("the events are %v, want one warning", plan.Events)
	}
	s.LastReason, s.LastMessage = plan.Why.Reason, plan.Why.Message
	if again := Blocked(s, refusal); len(again.Events) != 0 {
		t.Errorf("told again: %v", again.Events)
	}
}
