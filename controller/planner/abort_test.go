package planner

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// situations are releases at every place from which they can be aborted, each with the first write of the way back.
func situations() map[string]outcome {
	atGate := canary(Gate{Kind: PersonGate})
	proportional := with(atGate, func(s *Snapshot) { s.Spec.Proportional = true })
	promoting := with(atGate, func(s *Snapshot) {
		s.State.Stage, s.State.Step, s.Route.Weight = v1alpha1.StagePromoting, 1, FullWeight
		s.Revisions[1], s.Standby.Endpoints = serving("v2", 2, 4), endpoints("v2", 4)
	})
	return map[string]outcome{
		"canary, at a gate":      {atGate, "set the weight of standby to 0%"},
		"canary, held":           {with(atGate, func(s *Snapshot) { s.Spec.Paused = true }), "set the weight of standby to 0%"},
		"canary, before traffic": {atStep(func(s *Snapshot) { s.Revisions[1].Available = 0 }), ""},
		"canary, while scaling": {with(atGate, func(s *Snapshot) {
			s.Spec.Replicas, s.Revisions[1].Desired = 40, 10
		}), "set the weight of standby to 0%; scale v1 to 40 pods"},
		"canary, without a ready candidate": {with(atGate, func(s *Snapshot) {
			s.Revisions[1].Ready, s.Revisions[1].Available, s.Standby.Endpoints = 0, 0, nil
		}), "set the weight of standby to 0%"},
		"canary, restarting":          {with(atGate, func(s *Snapshot) { s.State.RestartAt = metav1.NewMicroTime(noon()) }), "set the weight of standby to 0%"},
		"canary, promoted in full":    {with(promoting, func(s *Snapshot) { s.State.Full = true }), "set the weight of standby to 0%"},
		"canary, all weight":          {promoting, "set the weight of standby to 0%"},
		"canary, active has switched": {with(promoting, func(s *Snapshot) { s.Active.Revision, s.Active.Endpoints = "v2", s.Standby.Endpoints }), "point active at v1"},
		"canary, rolling back":        {with(promoting, func(s *Snapshot) { s.State.Full, s.State.Reason = true, v1alpha1.ReasonRolledBack }), "set the weight of standby to 0%"},
		"canary, the route is gone":   {with(atGate, func(s *Snapshot) { s.Route = Route{Weight: WeightUnknown} }), "set the weight of standby to 0%"},
		"proportional, stable is small": {with(proportional, func(s *Snapshot) {
			s.Route.Weight, s.Revisions[0], s.Active.Endpoints = 750, serving("v1", 1, 2), endpoints("v1", 2)
		}), "set the weight of standby to 50%; scale v1 to 4 pods"},
		"blue/green, before the switch": {switched(func(s *Snapshot) {
			s.Active.Revision, s.Active.Endpoints, s.State.Step = "v1", endpoints("v1", 4), 0
		}), ""},
		"blue/green, after the switch": {switched(func(*Snapshot) {}), "point active at v1"},
		"blue/green, while promoting":  {switched(func(s *Snapshot) { s.State.Stage = v1alpha1.StagePromoting }), "point active at v1"},
		"ratio":                        {behindOneService(1), "scale v1 to 4 pods"},
	}
}

// cause is what ends a release, and the reason that must be told.
type cause struct {
	change       func(*Snapshot)
	reason, says string
	// degraded says that it is an abort, and not a change of what the spec asks for.
	degraded bool
}

func causes() map[string]cause {
	late := func(s *Snapshot) {
		s.Spec.Paused = false // the clock of the deadline stands still, held
		s.State.ProgressAt = metav1.NewMicroTime(noon().Add(-time.Hour))
		s.State.ProgressMark = 100
	}
	return map[string]cause{
		"a person": {func(s *Snapshot) {
			s.Command = v1alpha1.Command{Action: v1alpha1.ActionAbort, Revision: "v2", ID: "1"}
		}, v1alpha1.ReasonAborted, "aborted by hand at ", true},
		"an analysis": {func(s *Snapshot) {
			s.Analyses = []Analysis{{Name: "web-v2-2-background", Gate: GateBackground, Phase: v1alpha1.AnalysisFailed, Message: "too slow"}}
		}, v1alpha1.ReasonAnalysisFailed, "analysis background failed at ", true},
		"the deadline":         {late, v1alpha1.ReasonProgressDeadlineExceeded, "no progress for 10m0s at ", true},
		"stable's template":    {func(s *Snapshot) { s.Target = "v1" }, v1alpha1.ReasonReturned, "the template is again that of the stable revision v1", false},
		"another template":     {func(s *Snapshot) { s.Target = "v3" }, v1alpha1.ReasonSuperseded, "the template changed to v3", false},
		"both of them at once": {func(s *Snapshot) { late(s); s.Target = "v3" }, v1alpha1.ReasonSuperseded, "the template changed to v3", false},
	}
}

// TestAbortFromEverywhere holds that every cause ends a release at every place by the same first write, and says why.
func TestAbortFromEverywhere(t *testing.T) {
	for place, o := range situations() {
		for by, c := range causes() {
			t.Run(place+", by "+by, func(t *testing.T) {
				s := with(o.snapshot, func(s *Snapshot) {
					s.Spec.Steps = append([]Step(nil), s.Spec.Steps...)
					s.Revisions = append([]Revision(nil), s.Revisions...)
					c.change(s)
				})
				plan := Next(s)
				reason, message := plan.State.Reason, plan.State.Message
				if plan.Record != nil { // it was over at once
					reason, message = plan.Record.Reason, plan.Record.Message
				}
				if reason != c.reason || !strings.Contains(message, c.says) {
					t.Errorf("the reason is %s: %s", reason, message)
				}
				if degraded := plan.Phase == v1alpha1.PhaseDegraded; degraded != c.degraded {
					t.Errorf("the phase is %s", plan.Phase)
				}
				if back := plan.String(); !strings.HasPrefix(back, o.want) {
					t.Errorf("it does %q, want first %q", back, o.want)
				}
				if grows(plan, s.Revisions[1]) {
					t.Errorf("it does %q", plan)
				}
			})
		}
	}
}

func grows(plan Plan, r Revision) bool {
	return slices.ContainsFunc(plan.Actions, func(a Action) bool {
		scale, is := a.(ScaleRevision)
		return is && scale.Revision == r.Hash && scale.Replicas > r.Desired
	})
}

// TestWhatIsMissingIsNamed holds that a release which waits in vain for something that was deleted says so in the end.
func TestWhatIsMissingIsNamed(t *testing.T) {
	missing := func(reason, field, message string) func(*Snapshot) {
		return func(s *Snapshot) { s.Problems = []Problem{{Reason: reason, Field: field, Message: message}} }
	}
	rows := map[string]struct {
		change func(*Snapshot)
		want   string
	}{
		"the route":          {missing(v1alpha1.ReasonRouteNotFound, "spec.traffic", "HTTPRoute web does not exist; create it"), "spec.traffic: HTTPRoute web does not exist"},
		"the active Service": {missing(v1alpha1.ReasonServiceNotFound, "spec.services.active", "service web does not exist; create it"), "service web does not exist"},
		"the template":       {missing(v1alpha1.ReasonTemplateNotFound, "spec.strategy", "AnalysisTemplate errors does not exist"), "AnalysisTemplate errors does not exist"},
		"the ReplicaSet":     {func(s *Snapshot) { s.Revisions = s.Revisions[:1] }, "0 of 1 pod of v2 are available"},
		"room for its pods": {func(s *Snapshot) {
			s.Revisions[1] = Revision{Hash: "v2", Number: 2, Desired: 1, Hindered: "exceeded quota"}
		}, "0 of 1 pod of v2 are available: exceeded quota"},
		"the standby Service": {func(s *Snapshot) { s.Standby = Service{Name: "web-standby", Leaving: true} }, "web-standby"},
		"a gateway":           {func(s *Snapshot) { s.Route.Accepted = false }, "weight 25% waits for every gateway to accept the route"},
		"endpoints":           {func(s *Snapshot) { s.Standby.Foreign = 2 }, "service web-standby has 1 of 1 ready endpoints of v2, and 2 of other pods"},
	}
	stages := map[string]func(*Snapshot){
		"at a step": func(s *Snapshot) { s.State.GatesAt = metav1.MicroTime{} },
		"at a gate": func(*Snapshot) {},
	}
	for name, row := range rows {
		for stage, at := range stages {
			t.Run(name+", "+stage, func(t *testing.T) {
				s := canary(Gate{Kind: PersonGate})
				row.change(&s)
				at(&s)
				first := Next(s)
				if first.State.ProgressAt.IsZero() {
					t.Fatalf("no deadline runs: %s", first.Why.Message)
				}
				s.State = first.State
				s.Now = s.Now.Add(s.Spec.Deadline)
				plan := Next(s)
				want := fmt.Sprintf("no progress for %s at step 1/2: ", s.Spec.Deadline)
				if !strings.HasPrefix(plan.State.Message, want) || !strings.Contains(plan.State.Message, row.want) {
					t.Errorf("%q, want %q … %q", plan.State.Message, want, row.want)
				}
			})
		}
	}
}
