package planner

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// halfway is a retreat under Proportional: one of four pods of stable is ready, and three quarters of the traffic stay.
func halfway(change func(*Snapshot)) Snapshot {
	s := canary()
	s.Spec.Proportional = true
	s.State.Stage, s.State.Reason, s.State.Message = v1alpha1.StageRetreating, v1alpha1.ReasonAborted, "aborted by hand at step 1/2"
	s.State.ProgressAt, s.State.ProgressMark = metav1.NewMicroTime(noon().Add(-time.Minute)), 1
	s.Route.Weight = 750
	s.Revisions = []Revision{{Hash: "v1", Number: 1, Desired: 4, Created: 4, Ready: 1, Available: 1}, serving("v2", 2, 3)}
	s.Active.Endpoints, s.Standby.Endpoints = endpoints("v1", 1), endpoints("v2", 3)
	change(&s)
	return s
}

// A retreat that cannot go on by itself says so, and what a person has to mend.
func TestARetreatSaysWhatHoldsIt(t *testing.T) {
	for name, row := range map[string]struct {
		snapshot Snapshot
		stalled  bool
		reason   string
		says     string
	}{
		"pods of stable are on their way": {halfway(func(*Snapshot) {}), false, v1alpha1.ReasonRetreating, "weight 75% stays until more than 1 of 4 pods"},
		"they do not come": {halfway(func(s *Snapshot) {
			s.State.ProgressAt, s.Revisions[0].Hindered = metav1.NewMicroTime(noon().Add(-10*time.Minute)), "exceeded quota"
		}), true, v1alpha1.ReasonProgressDeadlineExceeded, "nothing has moved for 10m0s: 1 of 4 pods of v1 are ready: exceeded quota"},
		"one of them has come": {halfway(func(s *Snapshot) {
			s.State.ProgressAt, s.State.ProgressMark = metav1.NewMicroTime(noon().Add(-time.Hour)), 0
		}), false, v1alpha1.ReasonRetreating, "weight 75% stays"},
		"a gateway refuses the route": {halfway(func(s *Snapshot) {
			s.Route.Weight, s.Route.Accepted = 0, false
			s.Problems = []Problem{{Reason: v1alpha1.ReasonRouteNotAccepted, Field: "spec.traffic", Message: "gateway edge refuses it"}}
		}), true, v1alpha1.ReasonRouteNotAccepted, "spec.traffic: gateway edge refuses it"},
		"what is wrong does not stand in its way": {halfway(func(s *Snapshot) {
			s.Problems = []Problem{{Reason: v1alpha1.ReasonTemplateNotFound, Message: "no template"}}
		}), false, v1alpha1.ReasonRetreating, "weight 75% stays"},
	} {
		t.Run(name, func(t *testing.T) {
			plan := Next(row.snapshot)
			if plan.Stalled != row.stalled || plan.Why.Reason != row.reason || !strings.Contains(plan.Why.Message, row.says) {
				t.Errorf("stalled %t, %s: %s; want %t, %s: … %s", plan.Stalled, plan.Why.Reason, plan.Why.Message, row.stalled, row.reason, row.says)
			}
			if !strings.HasPrefix(plan.Why.Message, "aborted by hand") || plan.Phase != v1alpha1.PhaseDegraded {
				t.Errorf("%s: %s", plan.Phase, plan.Why.Message)
			}
		})
	}
}

// What another Rollout moves is left alone by a first release that names it too.
func TestAFirstReleaseLeavesTheRouteOfAnotherAlone(t *testing.T) {
	s := canary()
	s.State = v1alpha1.RolloutState{Stage: v1alpha1.StageInitial, Candidate: "v2", Attempt: 1}
	if got := Next(s).String(); !strings.Contains(got, "set the weight of standby to 0%") {
		t.Errorf("it does %q, want the weight of nobody taken back", got)
	}
	s.Active.Found = false
	s.Problems = []Problem{{Reason: v1alpha1.ReasonServiceMismatch, Field: "spec.services", Message: `Rollout "other" moves the same Service`}}
	if plan := Next(s); plan.String() != "" || !plan.Stalled {
		t.Errorf("it does %q, stalled %t", plan, plan.Stalled)
	}
}

// The standby Service changes its revision only when gateways have had time to hear that it has no weight, by our own clock.
func TestTheStandbyServiceWaitsForGateways(t *testing.T) {
	s := atStep(func(s *Snapshot) {
		s.Standby.Revision, s.State.EndpointsAt, s.Since = "v0", metav1.MicroTime{}, noon().Add(-time.Second)
	})
	plan := Next(s)
	if got := plan.String(); strings.Contains(got, "point standby") || !plan.WakeAt.Equal(noon().Add(time.Second)) {
		t.Errorf("it does %q, and looks again at %s", got, plan.WakeAt)
	}
	s.Since = noon().Add(-2 * time.Second)
	if got := Next(s).String(); !strings.Contains(got, "point standby at v2") {
		t.Errorf("then it does %q", got)
	}
}

// Before a Rollout goes, the candidate keeps its pods until gateways have had time to hear that it has no weight, by our own
// clock.
func TestALeavingRolloutWaitsForGateways(t *testing.T) {
	s := canary()
	s.Route.Weight, s.Leaving, s.Since = 0, &Leaving{Since: noon(), Orphan: true}, noon().Add(-time.Second)
	if got := Next(s).String(); got != "" {
		t.Errorf("it does %q", got)
	}
	s.Since = noon().Add(-2 * time.Second)
	if got := Next(s).String(); got != "scale v2 to 0 pods" {
		t.Errorf("then it does %q", got)
	}
}
