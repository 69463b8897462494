package planner

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// lost is a snapshot in which nothing of stable is ready any more.
func lost(s Snapshot, change func(*Snapshot)) Snapshot {
	s.Revisions[0].Ready, s.Revisions[0].Available = 0, 0
	s.Active.Endpoints = nil
	change(&s)
	return s
}

// TestARetreatToNothing holds that traffic stays where it is served, that the retreat ends all the same, and that what
// comes next is not kept waiting for a stable that may never come back.
func TestARetreatToNothing(t *testing.T) {
	for name, row := range map[string]struct {
		reason string
		since  time.Duration
		back   int32
		stage  v1alpha1.Stage
	}{
		"an abort waits":                       {v1alpha1.ReasonAborted, 9 * time.Minute, 0, v1alpha1.StageRetreating},
		"until the deadline":                   {v1alpha1.ReasonAborted, 10 * time.Minute, 0, v1alpha1.StageAborted},
		"one pod is enough to go on waiting":   {v1alpha1.ReasonAborted, 10 * time.Minute, 1, v1alpha1.StageRetreating},
		"another template waits no longer":     {v1alpha1.ReasonSuperseded, 10 * time.Minute, 0, v1alpha1.StageIdle},
		"nor does the template of stable":      {v1alpha1.ReasonReturned, 10 * time.Minute, 0, v1alpha1.StageIdle},
		"another template waits that long too": {v1alpha1.ReasonSuperseded, 9 * time.Minute, 0, v1alpha1.StageRetreating},
	} {
		t.Run(name, func(t *testing.T) {
			s := lost(inStage(v1alpha1.StageRetreating), func(s *Snapshot) {
				s.State.Reason, s.State.ProgressAt = row.reason, metav1.NewMicroTime(noon().Add(-row.since))
				s.Revisions[0].Ready = row.back
			})
			plan := Next(s)
			if plan.State.Stage != row.stage || len(plan.Actions) > 0 {
				t.Errorf("stage %q, %v; want stage %q and no write: %s", plan.State.Stage, plan.Actions, row.stage, plan.Why.Message)
			}
			if row.stage != v1alpha1.StageRetreating && plan.Why.Reason != v1alpha1.ReasonStableLost {
				t.Errorf("it tells %s: %s", plan.Why.Reason, plan.Why.Message)
			}
		})
	}
}

// TestAReleaseOverALostStable holds that the only revision that serves keeps its traffic until the next one is ready.
func TestAReleaseOverALostStable(t *testing.T) {
	unchanged := func(*Snapshot) {}
	for name, row := range map[string]struct {
		snapshot Snapshot
		full     bool
	}{
		"the aborted revision has traffic": {lost(inStage(v1alpha1.StageAborted), unchanged), true},
		"it has none":                      {lost(inStage(v1alpha1.StageAborted), func(s *Snapshot) { s.Route.Weight = 0 }), false},
		"stable is there":                  {inStage(v1alpha1.StageAborted), false},
		"it comes up from no replicas":     {lost(inStage(v1alpha1.StageIdle), func(s *Snapshot) { s.Route.Weight = 0 }), false},
		"pods share traffic": {lost(inStage(v1alpha1.StageAborted), func(s *Snapshot) {
			s.Spec.Mode = Ratio
		}), true},
	} {
		t.Run(name, func(t *testing.T) {
			s := row.snapshot
			s.Target = "v3"
			plan := Next(s)
			if plan.State.Stage != v1alpha1.StageStepping || plan.State.Full != row.full || len(plan.Events) != 1 {
				t.Errorf("stage %q, in full %v, events %v; want in full %v", plan.State.Stage, plan.State.Full, plan.Events, row.full)
			}
			s.State = plan.State
			if again := Next(s).String(); row.full && strings.Contains(again, "weight") {
				t.Errorf("%q takes traffic from the only revision that serves", again)
			}
		})
	}
}

func TestALostStableIsTold(t *testing.T) {
	for name, s := range map[string]Snapshot{
		"at a step":      lost(canary(Gate{Kind: PersonGate}), func(*Snapshot) {}),
		"after an abort": lost(inStage(v1alpha1.StageAborted), func(s *Snapshot) { s.Revisions, s.Route.Weight = s.Revisions[1:], 0 }),
	} {
		if plan := Next(s); plan.Why.Reason != v1alpha1.ReasonStableLost || len(plan.Events) != 1 {
			t.Errorf("%s: %s: %s, with events %v", name, plan.Why.Reason, plan.Why.Message, plan.Events)
		}
	}
}

// TestTheStandbyKeepsItsWeightWhenStableIsLost: another revision behind it is better than nothing.
func TestTheStandbyKeepsItsWeightWhenStableIsLost(t *testing.T) {
	s := lost(canary(), func(s *Snapshot) {
		s.Standby.Revision, s.Standby.Endpoints = "v0", []Endpoints{{Revision: "v0", Ready: 4}}
	})
	if got := Next(s).String(); got != "" {
		t.Errorf("%q, want the weight to stay", got)
	}
}

// TestADeletedStable holds that a release whose stable is deleted by hand has no steps any more, as the first one.
func TestADeletedStable(t *testing.T) {
	s := lost(canary(Gate{Kind: PersonGate}), func(s *Snapshot) { s.Revisions = s.Revisions[1:] })
	plan := Next(s)
	if plan.State.Stage != v1alpha1.StagePromoting || plan.String() != "scale v2 to 4 pods" {
		t.Errorf("stage %s, %q: %s", plan.State.Stage, plan, plan.Why.Message)
	}
	if len(plan.Events) != 1 || plan.Events[0].Reason != v1alpha1.ReasonStableLost {
		t.Errorf("events %v", plan.Events)
	}
}

// TestAStandbyThatIsDeleted holds that a new one selects what can take the weight that it may have.
func TestAStandbyThatIsDeleted(t *testing.T) {
	s := canary()
	s.Standby = Service{Name: "web-standby"}
	if got := Next(s).String(); !strings.HasPrefix(got, "create the standby service for v1") {
		t.Errorf("%q, with stable ready", got)
	}
	if got := Next(lost(s, func(*Snapshot) {})).String(); !strings.HasPrefix(got, "create the standby service for v2") {
		t.Errorf("%q, with stable lost", got)
	}
}

// TestAFailedAnalysisComesBeforeAMissingStandby holds that nothing is written before the way back.
func TestAFailedAnalysisComesBeforeAMissingStandby(t *testing.T) {
	s := switched(func(s *Snapshot) {
		s.Standby = Service{Name: "web-standby"}
		s.Analyses = []Analysis{{Name: "web-v2-2-background", Gate: GateBackground, Phase: v1alpha1.AnalysisFailed}}
	})
	if got := Next(s).String(); !strings.HasPrefix(got, "point active at v1") {
		t.Errorf("%q, want the switch back first", got)
	}
}
