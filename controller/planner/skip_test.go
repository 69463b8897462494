package planner

import (
	"testing"
	"time"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// TestSkipStep holds that a step is left whatever it waits for, that the next one begins at its beginning, and that the
// last one leads to the promotion.
func TestSkipStep(t *testing.T) {
	measured := Gate{Kind: AnalysisGate, Name: StepGate(0)}
	verdict := func(phase v1alpha1.AnalysisPhase) func(*Snapshot) {
		return func(s *Snapshot) { s.Analyses = analysisIn(phase) }
	}
	last := func(s *Snapshot) { s.State.Step = 1 }
	for name, row := range map[string]struct {
		snapshot Snapshot
		says     string
		stage    v1alpha1.Stage
		step     int32
	}{
		"a pause":                     {canary(Gate{Kind: PauseGate, Duration: time.Hour}), "step 1/2 of revision v2 is skipped", v1alpha1.StageStepping, 1},
		"a person":                    {canary(Gate{Kind: PersonGate}), "step 1/2 of revision v2 is skipped", v1alpha1.StageStepping, 1},
		"an analysis":                 {with(canary(measured), verdict(v1alpha1.AnalysisRunning)), "step 1/2 of revision v2 is skipped", v1alpha1.StageStepping, 1},
		"one without a verdict":       {with(canary(measured), verdict(v1alpha1.AnalysisInconclusive)), "step 1/2 of revision v2 is skipped", v1alpha1.StageStepping, 1},
		"pods that do not come":       {atStep(func(s *Snapshot) { s.Revisions[1].Available = 0 }), "step 1/2 of revision v2 is skipped", v1alpha1.StageStepping, 1},
		"a hold by spec.paused":       {with(canary(), func(s *Snapshot) { s.Spec.Paused = true }), "step 1/2 of revision v2 is skipped", v1alpha1.StageStepping, 1},
		"the last step":               {with(canary(), last), "step 2/2 of revision v2 is skipped", v1alpha1.StagePromoting, 1},
		"before the switch":           {switched(func(s *Snapshot) { s.State.Step = 0 }), "step 1/2 of revision v2 is skipped", v1alpha1.StageStepping, 1},
		"the last, all traffic moved": {switched(func(*Snapshot) {}), "step 2/2 of revision v2 is skipped", v1alpha1.StageIdle, 0},
		"after the template went":     {with(canary(), func(s *Snapshot) { s.Target = "v3" }), "skip-step of v2 ignored: the template has changed to v3, which takes its place", v1alpha1.StageRetreating, 0},
		"a failed analysis is not":    {with(canary(measured), verdict(v1alpha1.AnalysisFailed)), "step 1/2 of revision v2 is skipped", v1alpha1.StageRetreating, 1},
	} {
		t.Run(name, func(t *testing.T) {
			s := row.snapshot
			s.Command = v1alpha1.Command{Action: v1alpha1.ActionSkipStep, Revision: "v2", ID: "1"}
			plan := Next(s)
			if plan.Command.Message != row.says || plan.State.Stage != row.stage || plan.State.Step != row.step {
				t.Errorf("%s at step %d: %s; want %s at %d: %s", plan.State.Stage, plan.State.Step, plan.Command.Message, row.stage,
					row.step, row.says)
			}
			if plan.State.Stage == v1alpha1.StageStepping && !plan.State.PromotedAt.IsZero() {
				t.Error("the next step has been promoted by the same command")
			}
		})
	}
}
