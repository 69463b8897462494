package planner

import (
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// atStep is the canary with its traffic yet to move.
func atStep(change func(*Snapshot)) Snapshot {
	s := canary()
	s.State.GatesAt, s.State.ShiftedAt = metav1.MicroTime{}, metav1.MicroTime{}
	s.Route.Weight, s.State.EndpointsAt = 0, metav1.NewMicroTime(noon().Add(-time.Minute))
	change(&s)
	return s
}

// TestAStepTakesOneThingAfterTheOther has one row for each thing that a step waits for.
func TestAStepTakesOneThingAfterTheOther(t *testing.T) {
	for name, row := range map[string]struct {
		snapshot Snapshot
		does     string
		reason   string
	}{
		"the candidate is created at its size": {atStep(func(s *Snapshot) {
			s.Revisions = s.Revisions[:1]
		}), "create v2 with 1 pod", v1alpha1.ReasonWaitingForPods},
		"pods must be available": {atStep(func(s *Snapshot) {
			s.Revisions[1].Available = 0
		}), "", v1alpha1.ReasonWaitingForPods},
		"and ready endpoints": {atStep(func(s *Snapshot) {
			s.Standby.Endpoints = nil
		}), "", v1alpha1.ReasonWaitingForEndpoints},
		"and the only ones": {atStep(func(s *Snapshot) {
			s.Standby.Foreign = 1
		}), "", v1alpha1.ReasonWaitingForEndpoints},
		"that gateways know": {atStep(func(s *Snapshot) {
			s.State.EndpointsAt = metav1.NewMicroTime(noon().Add(-time.Second))
		}), "", v1alpha1.ReasonSettling},
		"for which the time begins when they are there": {atStep(func(s *Snapshot) {
			s.State.EndpointsAt = metav1.MicroTime{}
		}), "", v1alpha1.ReasonSettling},
		"then the weight is written": {atStep(func(*Snapshot) {}), "set the weight of standby to 25%", v1alpha1.ReasonWaitingForRoute},
		"weight that is there already waits for no gateway": {atStep(func(s *Snapshot) {
			s.Route.Weight, s.State.EndpointsAt = 100, metav1.MicroTime{}
		}), "set the weight of standby to 25%", v1alpha1.ReasonWaitingForRoute},
		"and accepted": {atStep(func(s *Snapshot) {
			s.Route = Route{Weight: 250}
		}), "", v1alpha1.ReasonWaitingForRoute},
		"and settles": {atStep(func(s *Snapshot) {
			s.Route.Weight = 250
		}), "", v1alpha1.ReasonSettling},
		"the standby service is made first": {atStep(func(s *Snapshot) {
			s.Standby.Found = false
		}), "create the standby service for v1", v1alpha1.ReasonServiceNotFound},
		"after the time of other endpoints is forgotten": {atStep(func(s *Snapshot) {
			s.Standby.Revision = "v1"
		}), "", v1alpha1.ReasonSettling},
		"and pointed at the candidate": {atStep(func(s *Snapshot) {
			s.Standby.Revision = "v1"
			s.State.EndpointsAt = metav1.MicroTime{}
		}), "point standby at v2", v1alpha1.ReasonSettling},
		"a problem holds it": {atStep(func(s *Snapshot) {
			s.Problems = []Problem{{Reason: v1alpha1.ReasonRouteNotFound, Field: "spec.traffic", Message: "create it"}}
		}), "", v1alpha1.ReasonRouteNotFound},
		"spec.paused holds the weight": {atStep(func(s *Snapshot) {
			s.Spec.Paused = true
		}), "", v1alpha1.ReasonPaused},
		"routes that disagree are written again": {atStep(func(s *Snapshot) {
			s.Route.Weight = WeightUnknown
		}), "set the weight of standby to 25%", v1alpha1.ReasonWaitingForRoute},
		"a candidate without endpoints loses its weight": {atStep(func(s *Snapshot) {
			s.Route.Weight, s.Standby.Endpoints = 250, nil
		}), "set the weight of standby to 0%", v1alpha1.ReasonWaitingForEndpoints},
	} {
		t.Run(name, func(t *testing.T) {
			plan := Next(row.snapshot)
			if plan.String() != row.does || plan.Why.Reason != row.reason {
				t.Errorf("%q because %s (%s), want %q because %s", plan, plan.Why.Reason, plan.Why.Message, row.does, row.reason)
			}
		})
	}
}

func analysisIn(phase v1alpha1.AnalysisPhase) []Analysis {
	return []Analysis{{Name: "web-v2-2-step-1", Gate: StepGate(0), Phase: phase, Message: "it says so"}}
}

// promoted is a step with an analysis and a pause, at which a person said promote; the analysis ended so much later.
func promoted(after time.Duration) Snapshot {
	s := canary(Gate{Kind: AnalysisGate, Name: StepGate(0)}, Gate{Kind: PersonGate})
	s.State.PromotedAt = metav1.NewMicroTime(noon().Add(-time.Minute))
	s.Analyses = analysisIn(v1alpha1.AnalysisInconclusive)
	s.Analyses[0].EndedAt = s.State.PromotedAt.Add(after)
	return s
}

func TestGates(t *testing.T) {
	measured := Gate{Kind: AnalysisGate, Name: StepGate(0)}
	with := func(s Snapshot, change func(*Snapshot)) Snapshot {
		change(&s)
		return s
	}
	for name, row := range map[string]struct {
		snapshot Snapshot
		step     int32
		reason   string
		phase    v1alpha1.RolloutPhase
	}{
		"no gate":                         {canary(), 1, v1alpha1.ReasonStepCompleted, v1alpha1.PhaseProgressing},
		"a pause that has passed":         {canary(Gate{Kind: PauseGate, Duration: time.Minute}), 1, v1alpha1.ReasonStepCompleted, v1alpha1.PhaseProgressing},
		"a pause that has not":            {canary(Gate{Kind: PauseGate, Duration: time.Hour}), 0, v1alpha1.ReasonWaitingForPause, v1alpha1.PhasePaused},
		"a person":                        {canary(Gate{Kind: PersonGate}), 0, v1alpha1.ReasonAwaitingPromotion, v1alpha1.PhasePaused},
		"an analysis that is to start":    {canary(measured), 0, v1alpha1.ReasonWaitingForAnalysis, v1alpha1.PhaseProgressing},
		"an analysis without a verdict":   {with(canary(measured), func(s *Snapshot) { s.Analyses = analysisIn(v1alpha1.AnalysisRunning) }), 0, v1alpha1.ReasonWaitingForAnalysis, v1alpha1.PhaseProgressing},
		"an analysis that passed":         {with(canary(measured), func(s *Snapshot) { s.Analyses = analysisIn(v1alpha1.AnalysisPassed) }), 1, v1alpha1.ReasonStepCompleted, v1alpha1.PhaseProgressing},
		"an analysis that decided not":    {with(canary(measured), func(s *Snapshot) { s.Analyses = analysisIn(v1alpha1.AnalysisInconclusive) }), 0, v1alpha1.ReasonAnalysisInconclusive, v1alpha1.PhasePaused},
		"an analysis that was stopped":    {with(canary(measured), func(s *Snapshot) { s.Analyses = analysisIn(v1alpha1.AnalysisStopped) }), 0, v1alpha1.ReasonAnalysisInconclusive, v1alpha1.PhasePaused},
		"a person decides it":             {promoted(-time.Second), 1, v1alpha1.ReasonStepCompleted, v1alpha1.PhaseProgressing},
		"it ends after a person promoted": {promoted(time.Second), 0, v1alpha1.ReasonAnalysisInconclusive, v1alpha1.PhasePaused},
		"both, of which one holds":        {with(canary(measured, Gate{Kind: PersonGate}), func(s *Snapshot) { s.Analyses = analysisIn(v1alpha1.AnalysisPassed) }), 0, v1alpha1.ReasonAwaitingPromotion, v1alpha1.PhasePaused},
		"spec.paused holds a free step":   {with(canary(), func(s *Snapshot) { s.Spec.Paused = true }), 0, v1alpha1.ReasonPaused, v1alpha1.PhasePaused},
		"a lost pod does not start over":  {with(canary(Gate{Kind: PersonGate}), func(s *Snapshot) { s.Revisions[1].Available = 0 }), 0, v1alpha1.ReasonWaitingForPods, v1alpha1.PhaseProgressing},
	} {
		t.Run(name, func(t *testing.T) {
			plan := Next(row.snapshot)
			if plan.State.Step != row.step || plan.Why.Reason != row.reason || plan.Phase != row.phase {
				t.Errorf("step %d, %s, %s; want step %d, %s, %s (%s)", plan.State.Step, plan.Why.Reason, plan.Phase, row.step,
					row.reason, row.phase, plan.Why.Message)
			}
			if row.step == 0 && plan.State.GatesAt != row.snapshot.State.GatesAt {
				t.Errorf("the gates began again at %s", plan.State.GatesAt)
			}
		})
	}
}

func TestAFailedAnalysisTakesTheWeightFirst(t *testing.T) {
	s := canary(Gate{Kind: AnalysisGate, Name: StepGate(0)})
	s.Analyses = analysisIn(v1alpha1.AnalysisFailed)
	plan := Next(s)
	if len(plan.Actions) == 0 || fmt.Sprint(plan.Actions[0]) != "set the weight of standby to 0%" {
		t.Errorf("the first write is %v", plan.Actions)
	}
	if plan.State.Reason != v1alpha1.ReasonAnalysisFailed || !strings.Contains(plan.State.Message, "it says so") {
		t.Errorf("the reason is %s: %s", plan.State.Reason, plan.State.Message)
	}
}

func TestTheDeadline(t *testing.T) {
	waiting := func(since time.Duration, change func(*Snapshot)) Snapshot {
		return atStep(func(s *Snapshot) {
			s.Revisions[1].Available = 0
			s.State.ProgressAt = metav1.NewMicroTime(noon().Add(-since))
			change(s)
		})
	}
	for name, row := range map[string]struct {
		snapshot Snapshot
		aborts   bool
	}{
		"not yet":                   {waiting(9*time.Minute, func(*Snapshot) {}), false},
		"now":                       {waiting(10*time.Minute, func(*Snapshot) {}), true},
		"a pod came at last":        {waiting(time.Hour, func(s *Snapshot) { s.Revisions[1].Available = 1 }), false},
		"time stands still, paused": {waiting(time.Hour, func(s *Snapshot) { s.Spec.Paused = true }), false},
	} {
		t.Run(name, func(t *testing.T) {
			plan := Next(row.snapshot)
			if aborts := plan.State.Reason == v1alpha1.ReasonProgressDeadlineExceeded; aborts != row.aborts {
				t.Errorf("aborts %v, want %v: %s", aborts, row.aborts, plan.Why.Message)
			}
		})
	}
}

// TestTheFirstReleaseIsLate holds that it is told of and not aborted, and that nobody looks again before something
// happens.
func TestTheFirstReleaseIsLate(t *testing.T) {
	s := inStage(v1alpha1.StageInitial)
	s.Revisions = []Revision{{Hash: "v2", Number: 1, Desired: 4, Created: 4, Ready: 1, Available: 1}}
	s.Route.Weight = 0
	s.State.ProgressAt, s.State.ProgressMark = metav1.NewMicroTime(noon().Add(-10*time.Minute)), 1
	plan := Next(s)
	if plan.State.Stage != v1alpha1.StageInitial || plan.Phase != v1alpha1.PhaseDegraded ||
		plan.Why.Reason != v1alpha1.ReasonProgressDeadlineExceeded {
		t.Errorf("stage %s, phase %s, %s", plan.State.Stage, plan.Phase, plan.Why.Reason)
	}
	if !plan.WakeAt.IsZero() {
		t.Errorf("another look is wanted at %s, which is now or past", plan.WakeAt)
	}
}

// switched is a blue/green release by selector, after the switch.
func switched(change func(*Snapshot)) Snapshot {
	s := canary()
	s.Spec.Mode = Switch
	s.Spec.Steps = []Step{{Replicas: AllReplicas}, {Weight: FullWeight, Replicas: AllReplicas, Gates: []Gate{{Kind: PersonGate}}}}
	s.State.Step = 1
	s.Revisions[1] = Revision{Hash: "v2", Number: 2, Desired: 4, Created: 4, Ready: 4, Available: 4}
	s.Active.Revision, s.Active.Endpoints = "v2", []Endpoints{{Revision: "v2", Ready: 4}}
	s.Standby.Endpoints = s.Active.Endpoints
	change(&s)
	return s
}

func TestBlueGreenBySelector(t *testing.T) {
	dead := func(s *Snapshot) {
		s.Revisions[1].Ready, s.Revisions[1].Available = 0, 0
		s.Active.Endpoints, s.Standby.Endpoints = nil, nil
	}
	before := func(s *Snapshot) {
		s.Active.Revision, s.Active.Endpoints = "v1", []Endpoints{{Revision: "v1", Ready: 4}}
	}
	for name, row := range map[string]struct {
		snapshot Snapshot
		does     string
		reason   string
	}{
		"the switch has just been made": {switched(func(s *Snapshot) {
			s.Active.Endpoints = nil
		}), "", v1alpha1.ReasonSettling},
		"after it, every pod of the candidate dies": {switched(dead), "point active at v1", v1alpha1.ReasonWaitingForEndpoints},
		"while it is promoted": {switched(func(s *Snapshot) {
			dead(s)
			s.State.Stage = v1alpha1.StagePromoting
		}), "point active at v1", v1alpha1.ReasonWaitingForEndpoints},
		"and stable has none either": {switched(func(s *Snapshot) {
			dead(s)
			s.Revisions[0].Ready, s.Revisions[0].Available = 0, 0
		}), "", v1alpha1.ReasonWaitingForPods},
		"then it waits for its pods": {switched(func(s *Snapshot) {
			dead(s)
			before(s)
		}), "", v1alpha1.ReasonWaitingForPods},
		"spec.paused holds the switch": {switched(func(s *Snapshot) {
			before(s)
			s.Spec.Paused = true
		}), "", v1alpha1.ReasonPaused},
		"also when it is promoted in full": {switched(func(s *Snapshot) {
			before(s)
			s.State.Stage, s.State.Full, s.Spec.Paused = v1alpha1.StagePromoting, true, true
		}), "", v1alpha1.ReasonPaused},
	} {
		t.Run(name, func(t *testing.T) {
			plan := Next(row.snapshot)
			if plan.String() != row.does || plan.Why.Reason != row.reason {
				t.Errorf("%q because %s (%s), want %q because %s", plan, plan.Why.Reason, plan.Why.Message, row.does, row.reason)
			}
		})
	}
}
