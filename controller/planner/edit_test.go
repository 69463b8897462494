package planner

import (
	"testing"
	"time"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// TestStepsEditedInMidRelease holds that an edit of the steps neither restarts a release nor lets it leave a step whose
// gates do not hold. Each row is a canary at 25 %, a minute into the gates of its first step, after the edit.
func TestStepsEditedInMidRelease(t *testing.T) {
	pause := func(d time.Duration) []Gate { return []Gate{{Kind: PauseGate, Duration: d}} }
	measured := []Gate{{Kind: AnalysisGate, Name: StepGate(0)}}
	first := Step{Weight: 250, Replicas: WhatTheWeightNeeds}
	later := Step{Weight: 500, Replicas: WhatTheWeightNeeds}
	heavier := Step{Weight: 500, Replicas: WhatTheWeightNeeds, Gates: pause(time.Second)}
	gated := func(gates []Gate) Step { return Step{Weight: 250, Replicas: WhatTheWeightNeeds, Gates: gates} }
	for name, row := range map[string]struct {
		steps   []Step
		reached int32 // the step that it was at before the edit
		stage   v1alpha1.Stage
		step    int32
		reason  string
		does    string
	}{
		"a longer pause":                          {[]Step{gated(pause(2 * time.Minute)), later}, 0, v1alpha1.StageStepping, 0, v1alpha1.ReasonWaitingForPause, ""},
		"a shorter one":                           {[]Step{gated(pause(time.Second)), later}, 0, v1alpha1.StageStepping, 1, v1alpha1.ReasonStepCompleted, ""},
		"a person instead":                        {[]Step{gated([]Gate{{Kind: PersonGate}}), later}, 0, v1alpha1.StageStepping, 0, v1alpha1.ReasonAwaitingPromotion, ""},
		"an analysis more":                        {[]Step{gated(measured), later}, 0, v1alpha1.StageStepping, 0, v1alpha1.ReasonWaitingForAnalysis, "start analysis step-1 of v2"},
		"no gate any more":                        {[]Step{first, later}, 0, v1alpha1.StageStepping, 1, v1alpha1.ReasonStepCompleted, ""},
		"no later step any more":                  {[]Step{gated(pause(time.Hour))}, 0, v1alpha1.StageStepping, 0, v1alpha1.ReasonWaitingForPause, ""},
		"more later steps":                        {[]Step{gated(pause(time.Hour)), later, later}, 0, v1alpha1.StageStepping, 0, v1alpha1.ReasonWaitingForPause, ""},
		"another weight":                          {[]Step{heavier, later}, 0, v1alpha1.StageStepping, 0, v1alpha1.ReasonWaitingForPods, "scale v2 to 2 pods"},
		"fewer than it has reached: the last one": {[]Step{gated(pause(time.Hour))}, 3, v1alpha1.StageStepping, 3, v1alpha1.ReasonWaitingForPause, ""},
		"and that is the end":                     {[]Step{first}, 3, v1alpha1.StagePromoting, 3, v1alpha1.ReasonPromoting, ""},
		"as many as before again":                 {[]Step{later, later, later, gated(pause(time.Hour))}, 3, v1alpha1.StageStepping, 3, v1alpha1.ReasonWaitingForPause, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := canary()
			s.Spec.Steps, s.State.Step = row.steps, row.reached
			plan := Next(s)
			if plan.State.Stage != row.stage || plan.State.Step != row.step || plan.Why.Reason != row.reason || plan.String() != row.does {
				t.Errorf("%s at step %d, %s, %q: %s; want %s at step %d, %s, %q", plan.State.Stage, plan.State.Step, plan.Why.Reason,
					plan.String(), plan.Why.Message, row.stage, row.step, row.reason, row.does)
			}
			if plan.State.Attempt != s.State.Attempt {
				t.Error("it has begun again")
			}
		})
	}
}

// TestStepsEditedWhilePromoting holds that steps which are added too late are not taken.
func TestStepsEditedWhilePromoting(t *testing.T) {
	s := inStage(v1alpha1.StagePromoting)
	s.State.Step = 1
	s.Spec.Steps = append(s.Spec.Steps, Step{Weight: 750, Replicas: WhatTheWeightNeeds})
	if got := Next(s).State; got.Stage != v1alpha1.StagePromoting || got.Step != 1 {
		t.Errorf("%s at step %d", got.Stage, got.Step)
	}
}
