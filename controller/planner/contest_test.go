package planner

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

const argo = "argocd-controller"

// asked is a canary at a gate of its first step, as it is after we have written its weight of 25 %.
func asked(gates ...Gate) Snapshot {
	return with(canary(gates...), func(s *Snapshot) {
		s.Route.Hands = []Hand{{Route: "HTTPRoute shop/web", Weight: 250}}
		s.State.Asked = Next(*s).State.Asked
	})
}

// laid is the same with a mirror beside the weight.
func laid() Snapshot {
	return with(canary(Gate{Kind: PersonGate}), func(s *Snapshot) {
		s.Spec.Overlays, s.Spec.Steps[0].Overlay = []v1alpha1.Overlay{{}, {Mirror: 10}}, 1
		s.Route.Overlay, s.Route.Hands = 1, []Hand{{Route: "HTTPRoute shop/web", Weight: 250, Laid: []int{1}}}
		s.State.Asked = Next(*s).State.Asked
	})
}

// written is a route that another writer has given a weight.
func written(s *Snapshot, weight int32) {
	s.Route.Weight, s.Route.Hands = weight, []Hand{{Route: "HTTPRoute shop/web", Weight: weight, By: argo}}
}

// contested is a release at whose step another writer has changed the weight so many times, the last time that long ago.
func contested(times int32, ago time.Duration, weight int32) Snapshot {
	return with(asked(Gate{Kind: PersonGate}), func(s *Snapshot) {
		s.State.GatesAt, s.State.ShiftedAt = metav1.MicroTime{}, metav1.MicroTime{}
		s.State.EndpointsAt = metav1.NewMicroTime(noon().Add(-time.Hour))
		written(s, weight)
		at := noon().Add(-ago)
		s.State.Contest = &v1alpha1.Contest{
			Count: times, Since: metav1.NewMicroTime(at.Add(-2 * time.Minute)), At: metav1.NewMicroTime(at), By: argo,
			Change: "HTTPRoute shop/web: the weight 25% was changed to 0%", Pending: true,
		}
	})
}

// settledAt is such a release whose last change had been put back, and now there is another one.
func settledAt(times int32, ago time.Duration) Snapshot {
	return with(contested(times, ago, 0), func(s *Snapshot) { s.State.Contest.Pending = false })
}

// TestWhatAnotherWriterChanges has one row for each thing that is a change of another writer, or none.
func TestWhatAnotherWriterChanges(t *testing.T) {
	person := Gate{Kind: PersonGate}
	for name, row := range map[string]struct {
		snapshot Snapshot
		want     string // empty: none
	}{
		"nobody writes": {asked(person), ""},
		"a weight": {
			with(asked(person), func(s *Snapshot) { written(s, 0) }),
			"step 1/2: HTTPRoute shop/web: the weight 25% was changed to 0% by argocd-controller; it is put back, and gates begin again",
		},
		"the weight of one of two routes": {with(asked(person), func(s *Snapshot) {
			s.Route.Hands = append(s.Route.Hands, Hand{Route: "HTTPRoute shop/api", Weight: 250})
			s.State.Asked = Next(*s).State.Asked
			s.Route.Weight, s.Route.Hands[1] = WeightUnknown, Hand{Route: "HTTPRoute shop/api", Weight: 0, By: argo}
		}), "step 1/2: HTTPRoute shop/api: the weight 25% was changed to 0% by argocd-controller; it is put back, and gates begin again"},
		"a weight to none that can be told": {
			with(asked(person), func(s *Snapshot) { written(s, WeightUnknown) }),
			"step 1/2: HTTPRoute shop/web: the weight 25% was changed by argocd-controller; it is put back, and gates begin again",
		},
		"the selector of active": {
			with(asked(person), func(s *Snapshot) { s.Active.Revision, s.Active.By = "", "helm" }),
			"step 1/2: Service web: the selector was changed from v1 to every revision by helm; it is put back, and gates begin again",
		},
		"the selector of standby": {
			with(asked(person), func(s *Snapshot) { s.Standby.Revision, s.Standby.By = "v1", "helm" }),
			"step 1/2: Service web-standby: the selector was changed from v2 to v1 by helm; it is put back, and gates begin again",
		},
		"a match that is gone": {
			with(laid(), func(s *Snapshot) { s.Route.Overlay, s.Route.Hands[0].Laid, s.Route.Hands[0].By = 0, []int{0}, argo }),
			"step 1/2: HTTPRoute shop/web: the matches and mirrors beside the weight 25% were changed by argocd-controller; it is put back, and gates begin again",
		},
		"a match that nobody asked for": {
			with(laid(), func(s *Snapshot) { s.Route.Overlay, s.Route.Hands[0].Laid, s.Route.Hands[0].By = -1, []int{}, argo }),
			"step 1/2: HTTPRoute shop/web: the matches and mirrors beside the weight 25% were changed by argocd-controller; it is put back, and gates begin again",
		},
		"the same match by another hand": {with(laid(), func(s *Snapshot) { s.Route.Hands[0].By = argo }), ""},
		"the same match at another place in the spec": {with(laid(), func(s *Snapshot) {
			s.Spec.Overlays = append([]v1alpha1.Overlay{{}, {Mirror: 5}}, s.Spec.Overlays[1:]...)
			s.Spec.Steps[0].Overlay, s.Route.Overlay, s.Route.Hands[0].Laid, s.Route.Hands[0].By = 2, 2, []int{2}, argo
		}), ""},
		"while the release is held": {with(asked(person), func(s *Snapshot) {
			s.Spec.Paused = true
			written(s, 0)
		}), "step 1/2: HTTPRoute shop/web: the weight 25% was changed to 0% by argocd-controller; it is put back, and gates begin again"},
		"something else in the route": {with(asked(person), func(s *Snapshot) { written(s, 250) }), ""},
		"another weight by our own hand, whose status was lost": {with(asked(person), func(s *Snapshot) {
			s.Route.Weight, s.Route.Hands[0].Weight = 500, 500
		}), ""},
		"the spec asks for another weight": {with(asked(person), func(s *Snapshot) { s.Spec.Steps[0].Weight = 300 }), ""},
		"and somebody has written the same as before": {with(asked(person), func(s *Snapshot) {
			s.Spec.Steps[0].Weight = 300
			written(s, 250)
		}), ""},
		"a route that nothing was asked of yet": {with(asked(person), func(s *Snapshot) {
			s.State.Asked = nil
			written(s, 0)
		}), ""},
		"one that the spec names since then": {with(asked(person), func(s *Snapshot) {
			s.Route.Weight = WeightUnknown
			s.Route.Hands = append(s.Route.Hands, Hand{Route: "HTTPRoute shop/new", By: "kubectl"})
		}), ""},
		"a route that is gone": {with(asked(person), func(s *Snapshot) {
			s.Route.Weight, s.Route.Hands[0].Weight = WeightUnknown, WeightUnknown
		}), ""},
		"a Service that is gone":           {with(asked(person), func(s *Snapshot) { s.Standby = Service{Name: "web-standby", By: argo} }), ""},
		"a change that is counted":         {contested(1, time.Second, 0), ""},
		"at rest":                          {with(inStage(v1alpha1.StageIdle), func(s *Snapshot) { written(s, 0) }), ""},
		"during the way back":              {with(asked(person), func(s *Snapshot) { s.State.Stage = v1alpha1.StageRetreating; written(s, 500) }), ""},
		"where pods share by their number": {with(behindOneService(1), func(s *Snapshot) { s.Active.Revision, s.Active.By = "v1", argo }), ""},
	} {
		t.Run(name, func(t *testing.T) {
			plan := Next(row.snapshot)
			var got string
			if plan.Why.Reason == v1alpha1.ReasonTrafficReverted {
				got = plan.Why.Message
			}
			if got != row.want {
				t.Errorf("%q, want %q (%s)", got, row.want, plan.Why.Message)
			}
			if counted := plan.State.Round > row.snapshot.State.Round; counted != (row.want != "") {
				t.Errorf("gates begin again: %v", counted)
			}
		})
	}
}

// TestAChangeIsPersistedBeforeItIsPutBack holds the order: a crash after the write would leave nobody who knows that what
// the analysis measures is of another split.
func TestAChangeIsPersistedBeforeItIsPutBack(t *testing.T) {
	measured := Gate{Kind: AnalysisGate, Name: StepGate(0)}
	s := with(asked(measured, Gate{Kind: PauseGate, Duration: time.Minute}), func(s *Snapshot) {
		s.Analyses = []Analysis{{Name: "run", Gate: StepGate(0), Phase: v1alpha1.AnalysisFailed}}
		s.State.EndpointsAt = metav1.NewMicroTime(noon().Add(-time.Hour))
		written(s, 0)
	})
	counted := Next(s)
	if counted.String() != "" || !counted.WakeAt.Equal(s.Now) || len(counted.Events) != 1 || !counted.Events[0].Warning {
		t.Fatalf("the first pass does %q, wakes at %s and tells of %v: want a status alone", counted, counted.WakeAt, counted.Events)
	}
	want := &v1alpha1.Contest{
		Count: 1, Since: metav1.NewMicroTime(noon()), At: metav1.NewMicroTime(noon()), By: argo, Pending: true,
		Change: "HTTPRoute shop/web: the weight 25% was changed to 0%",
	}
	if diff := cmp.Diff(want, counted.State.Contest); diff != "" {
		t.Errorf("contest (-want +got):\n%s", diff)
	}
	if s.State = counted.State; !s.State.GatesAt.IsZero() || s.State.Round != 1 {
		t.Errorf("gates began at %s in round %d, want another beginning in round 1", s.State.GatesAt, s.State.Round)
	}
	put := Next(s)
	if put.String() != "set the weight of standby to 25%" || put.State.Contest.Pending {
		t.Errorf("the second pass does %q, pending %v: %s", put, put.State.Contest.Pending, put.Why.Message)
	}
}

// TestGatesBeginAgain holds that only what began after a change decides a step.
func TestGatesBeginAgain(t *testing.T) {
	measured := Gate{Kind: AnalysisGate, Name: StepGate(0)}
	secondRound := func(all ...Analysis) Snapshot {
		return with(asked(measured), func(s *Snapshot) { s.State.Round, s.Analyses = 1, all })
	}
	run := func(round int32, phase v1alpha1.AnalysisPhase) Analysis {
		return Analysis{Name: fmt.Sprintf("round-%d", round), Gate: StepGate(0), Round: round, Phase: phase, EndedAt: noon()}
	}
	begins := StartAnalysis{Gate: StepGate(0), Revision: "v2", Attempt: 2, Round: 1, Weight: 250}
	for name, row := range map[string]struct {
		snapshot Snapshot
		want     []Action
		step     int32
		stage    v1alpha1.Stage
	}{
		"what had passed begins anew":   {secondRound(run(0, v1alpha1.AnalysisPassed)), []Action{begins}, 0, v1alpha1.StageStepping},
		"what had failed begins anew":   {secondRound(run(0, v1alpha1.AnalysisFailed)), []Action{begins}, 0, v1alpha1.StageStepping},
		"what measures is stopped":      {secondRound(run(0, v1alpha1.AnalysisRunning)), []Action{begins, StopAnalysis{Name: "round-0"}}, 0, v1alpha1.StageStepping},
		"and the next one measures":     {secondRound(run(0, v1alpha1.AnalysisStopped), run(1, v1alpha1.AnalysisRunning)), nil, 0, v1alpha1.StageStepping},
		"it decides when it has passed": {secondRound(run(0, v1alpha1.AnalysisFailed), run(1, v1alpha1.AnalysisPassed)), nil, 1, v1alpha1.StageStepping},
		"or has failed":                 {secondRound(run(0, v1alpha1.AnalysisPassed), run(1, v1alpha1.AnalysisFailed)), nil, 0, v1alpha1.StageRetreating},
	} {
		t.Run(name, func(t *testing.T) {
			plan := Next(row.snapshot)
			got := slices.DeleteFunc(plan.Actions, func(a Action) bool { _, is := a.(SetWeight); return is })
			if diff := cmp.Diff(row.want, got); diff != "" && len(row.want)+len(got) > 0 {
				t.Errorf("actions (-want +got):\n%s", diff)
			}
			if plan.State.Step != row.step || plan.State.Stage != row.stage {
				t.Errorf("%s at step %d, want %s at step %d", plan.State.Stage, plan.State.Step, row.stage, row.step)
			}
		})
	}
	status := Record(v1alpha1.RolloutStatus{}, secondRound(run(0, v1alpha1.AnalysisStopped), run(1, v1alpha1.AnalysisRunning)), Plan{}, 1)
	if len(status.Analyses) != 1 || status.Analyses[0].Name != "round-1" {
		t.Errorf("the status has %v, want the round under way alone", status.Analyses)
	}
}

// TestAContestHolds has one row for each thing that a release does while another writer holds it, and after.
func TestAContestHolds(t *testing.T) {
	const message = "HTTPRoute shop/web: the weight 25% was changed to 0%, 6 times in 2m, by argocd-controller: tell it to leave that " +
		"alone while a release runs, as docs/gitops.md says, or abort the release; it is put back again at 2030-06-01T12:09:59Z"
	held := contested(6, time.Second, 0)
	for name, row := range map[string]struct {
		snapshot Snapshot
		does     string
		reason   string
	}{
		"five changes are put back": {contested(5, time.Second, 0), "set the weight of standby to 25%", v1alpha1.ReasonWaitingForRoute},
		"the sixth is not":          {held, "", v1alpha1.ReasonTrafficContested},
		"nor when it is seen": {
			settledAt(5, time.Second), "",
			v1alpha1.ReasonTrafficContested,
		},
		"what is there again goes on": {with(held, func(s *Snapshot) { written(s, 250) }), "", v1alpha1.ReasonSettling},
		"and the next change holds again": {
			settledAt(6, time.Second), "",
			v1alpha1.ReasonTrafficContested,
		},
		"a row ends after half an hour": {
			settledAt(6, contestMemory), "",
			v1alpha1.ReasonTrafficReverted,
		},
		"it is not aborted by its deadline": {
			with(held, func(s *Snapshot) { s.State.ProgressAt = metav1.NewMicroTime(noon().Add(-time.Hour)) }),
			"", v1alpha1.ReasonTrafficContested,
		},
		"it is put back after ten minutes": {contested(6, contestQuiet, 0), "set the weight of standby to 25%", v1alpha1.ReasonWaitingForRoute},
		"an abort is not held": {
			with(contested(6, time.Second, 500), func(s *Snapshot) { command(s, v1alpha1.ActionAbort) }),
			"set the weight of standby to 0%", v1alpha1.ReasonWaitingForRoute,
		},
		"nor is the way back": {with(contested(9, time.Second, 500), func(s *Snapshot) {
			s.State.Stage, s.State.Reason = v1alpha1.StageRetreating, v1alpha1.ReasonAborted
		}), "set the weight of standby to 0%", v1alpha1.ReasonWaitingForRoute},
		"nor another template": {
			with(contested(6, time.Second, 500), func(s *Snapshot) { s.Target = "v3" }),
			"set the weight of standby to 0%", v1alpha1.ReasonWaitingForRoute,
		},
		"too much stays for a minute":   {contested(6, time.Second, 900), "", v1alpha1.ReasonTrafficContested},
		"and is then taken back":        {contested(6, contestEase, 900), "set the weight of standby to 25%", v1alpha1.ReasonTrafficContested},
		"too little stays all the time": {contested(6, contestEase, 0), "", v1alpha1.ReasonTrafficContested},
		"a candidate that is gone loses its traffic": {with(contested(6, time.Second, 900), func(s *Snapshot) {
			s.Standby.Endpoints, s.Revisions[1].Ready, s.Revisions[1].Available = nil, 0, 0
		}), "set the weight of standby to 0%", v1alpha1.ReasonTrafficContested},
		"a clock that went back holds no longer": {with(contested(6, -time.Hour, 0), func(*Snapshot) {}), "", v1alpha1.ReasonTrafficContested},
		"a promotion is held": {
			with(held, func(s *Snapshot) { s.State.Stage, s.State.Step = v1alpha1.StagePromoting, 1 }),
			"", v1alpha1.ReasonTrafficContested,
		},
	} {
		t.Run(name, func(t *testing.T) {
			plan := Next(row.snapshot)
			if does := trafficOf(plan); does != row.does || plan.Why.Reason != row.reason {
				t.Errorf("%q because %s (%s), want %q because %s", does, plan.Why.Reason, plan.Why.Message, row.does, row.reason)
			}
			if plan.Why.Reason == v1alpha1.ReasonTrafficContested {
				holdStill(t, plan)
			}
		})
	}
	if plan := Next(held); plan.Why.Message != message {
		t.Errorf("message\n%s\nwant\n%s", plan.Why.Message, message)
	}
	if over := Next(with(held, func(s *Snapshot) { s.State.Stage = v1alpha1.StageRetreating })).State; over.Contest != nil || over.Asked != nil {
		t.Errorf("the contest outlives the release: %+v", over)
	}
}

// holdStill holds that a plan says of itself that nothing moves, looks again in time, and runs no deadline.
func holdStill(t *testing.T, plan Plan) {
	t.Helper()
	if !plan.Stalled || plan.Phase != v1alpha1.PhaseDegraded {
		t.Errorf("stalled %v, phase %s", plan.Stalled, plan.Phase)
	}
	if plan.WakeAt.IsZero() || plan.WakeAt.After(noon().Add(contestQuiet)) || !plan.State.ProgressAt.IsZero() {
		t.Errorf("wakes at %s, progress at %s", plan.WakeAt, plan.State.ProgressAt)
	}
}

// trafficOf are the actions of a plan on traffic.
func trafficOf(plan Plan) string {
	plan.Actions = slices.DeleteFunc(slices.Clone(plan.Actions), func(a Action) bool {
		switch a.(type) {
		case SetWeight, PointService:
			return false
		}
		return true
	})
	return plan.String()
}

// command gives a command about the candidate.
func command(s *Snapshot, action string) {
	s.Command = v1alpha1.Command{Action: action, Revision: s.State.Candidate, ID: "request"}
}

// TestAskedIsWhatWasWritten holds that a write which was refused was not asked for, and that a later one is.
func TestAskedIsWhatWasWritten(t *testing.T) {
	s := with(asked(), func(s *Snapshot) {
		s.State.GatesAt, s.State.EndpointsAt = metav1.MicroTime{}, metav1.NewMicroTime(noon().Add(-time.Hour))
		s.Spec.Steps[0].Weight = 200
	})
	tooMuch := with(contested(6, contestEase, 900), func(s *Snapshot) { s.Spec.Steps[0].Weight = 200 })
	no := Problem{Reason: v1alpha1.ReasonWriteRefused, Message: "no"}
	for name, row := range map[string]struct {
		plan Plan
		want int32
	}{
		"taken back":              {Next(tooMuch), 200},
		"taken back, and refused": {Blocked(tooMuch, no), 250},
		"written":                 {Next(s), 200},
		"refused":                 {Blocked(s, no), 250},
	} {
		if got := *row.plan.State.Asked.Weight; got != row.want {
			t.Errorf("%s: asked for %d, want %d: %s", name, got, row.want, row.plan.Why.Message)
		}
	}
	if s.State.Asked.Weight == nil || *s.State.Asked.Weight != 250 {
		t.Error("the snapshot was changed")
	}
}

// TestAWriterThatNeverGivesUp plays a tool that puts its weight back at once, for an hour.
func TestAWriterThatNeverGivesUp(t *testing.T) {
	s := settledAt(0, time.Hour)
	s.Since = noon().Add(-time.Hour)
	writes, held := 0, 0
	for end := noon().Add(time.Hour); s.Now.Before(end); {
		plan := Next(s)
		s.State = plan.State
		if s.State.Stage != v1alpha1.StageStepping || s.State.Step != 0 {
			t.Fatalf("%s at step %d: %s", s.State.Stage, s.State.Step, plan.Why.Message)
		}
		s.Now = s.Now.Add(time.Second)
		switch {
		case trafficOf(plan) != "":
			writes++
		case plan.Why.Reason == v1alpha1.ReasonTrafficContested:
			held++
			s.Now = plan.WakeAt
		}
	}
	// Six rows of ten minutes, with at most five writes and the one that ends the quiet before.
	if writes > 36 || held < 6 {
		t.Errorf("%d writes and %d passes that hold within an hour", writes, held)
	}
}
