package planner

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// noon is the moment of all snapshots.
func noon() time.Time { return time.Date(2030, time.June, 1, 12, 0, 0, 0, time.UTC) }

// canary is a routed canary of v2 with v1 as stable, at the first of two steps, 25 % and 50 %. Its traffic is in place.
func canary(gates ...Gate) Snapshot {
	return Snapshot{
		Now:    noon(),
		Target: "v2",
		Spec: Spec{
			Replicas: 4, HistoryLimit: 2, Deadline: 10 * time.Minute, Mode: Routed, Background: NoBackground, Settle: 2 * time.Second,
			Steps: []Step{{Weight: 250, Replicas: WhatTheWeightNeeds, Gates: gates}, {Weight: 500, Replicas: WhatTheWeightNeeds}},
		},
		State: v1alpha1.RolloutState{
			Stage: v1alpha1.StageStepping, Stable: "v1", Candidate: "v2", Attempt: 2,
			ShiftedAt: metav1.NewMicroTime(noon().Add(-time.Minute)), GatesAt: metav1.NewMicroTime(noon().Add(-time.Minute)),
		},
		Revisions: []Revision{
			{Hash: "v1", Number: 1, Desired: 4, Created: 4, Ready: 4, Available: 4},
			{Hash: "v2", Number: 2, Desired: 1, Created: 1, Ready: 1, Available: 1},
		},
		Active:  Service{Name: "web", Found: true, Revision: "v1", Endpoints: []Endpoints{{Revision: "v1", Ready: 4}}},
		Standby: Service{Name: "web-standby", Found: true, Revision: "v2", Endpoints: []Endpoints{{Revision: "v2", Ready: 1}}},
		Route:   Route{Weight: 250, Accepted: true},
	}
}

func inStage(stage v1alpha1.Stage) Snapshot {
	s := canary(Gate{Kind: PersonGate})
	s.State.Stage = stage
	switch stage {
	case v1alpha1.StageIdle:
		s.State.Candidate, s.Target = "", "v1"
	case v1alpha1.StageInitial:
		s.State.Stable = ""
	case v1alpha1.StageAborted, v1alpha1.StageRetreating:
		s.State.Reason = v1alpha1.ReasonAnalysisFailed
	case v1alpha1.StageStepping, v1alpha1.StagePromoting:
	}
	return s
}

func TestCommands(t *testing.T) {
	person := Gate{Kind: PersonGate}
	changed := canary(person)
	changed.Target = "v3"
	for name, row := range map[string]struct {
		snapshot Snapshot
		action   string
		revision string
		accepted bool
		says     string
		stage    v1alpha1.Stage
	}{
		"promote at a gate for a person":     {canary(person), "promote", "v2", true, "step 1/2 of revision v2 may go on", v1alpha1.StageStepping},
		"promote at a pause":                 {canary(Gate{Kind: PauseGate, Duration: time.Hour}), "promote", "v2", true, "may go on", v1alpha1.StageStepping},
		"promote where nothing waits":        {canary(), "promote", "v2", false, "no gate that a person opens", v1alpha1.StageStepping},
		"promote of another revision":        {canary(person), "promote", "v9", false, "the revision under release is v2", v1alpha1.StageStepping},
		"promote after the template changed": {changed, "promote", "v2", false, "has changed to v3", v1alpha1.StageRetreating},
		"promote at rest":                    {inStage(v1alpha1.StageIdle), "promote", "v1", false, "is at its stable revision v1", v1alpha1.StageIdle},
		"promote in full":                    {canary(person), "promote-full", "v2", true, "without the steps after step 1/2", v1alpha1.StagePromoting},
		"skip a step":                        {canary(person), "skip-step", "v2", true, "step 1/2 of revision v2 is skipped", v1alpha1.StageStepping},
		"abort at a step":                    {canary(person), "abort", "v2", true, "aborted at step 1/2; traffic goes back to v1", v1alpha1.StageRetreating},
		"abort while promoting":              {inStage(v1alpha1.StagePromoting), "abort", "v2", true, "traffic goes back to v1", v1alpha1.StageRetreating},
		"abort at rest":                      {inStage(v1alpha1.StageIdle), "abort", "v1", false, "no release is at a step", v1alpha1.StageIdle},
		"abort of the first revision":        {inStage(v1alpha1.StageInitial), "abort", "v2", false, "brings up its first revision", v1alpha1.StageInitial},
		"abort twice":                        {inStage(v1alpha1.StageAborted), "abort", "v2", false, "has aborted revision v2", v1alpha1.StageAborted},
		"retry after an abort":               {inStage(v1alpha1.StageAborted), "retry", "v2", true, "released again from its first step", v1alpha1.StageStepping},
		"retry of another revision":          {inStage(v1alpha1.StageAborted), "retry", "v1", false, "the aborted revision is v2", v1alpha1.StageAborted},
		"retry at a step":                    {canary(person), "retry", "v2", false, "only an aborted release", v1alpha1.StageStepping},
		"restart of stable":                  {inStage(v1alpha1.StageIdle), "restart", "v1", true, "every pod is being replaced", v1alpha1.StageIdle},
		"restart of what is gone":            {inStage(v1alpha1.StageIdle), "restart", "v7", false, "neither the stable revision v1", v1alpha1.StageIdle},
		"what does not exist":                {canary(person), "explode", "v2", false, "there is no action", v1alpha1.StageStepping},
	} {
		t.Run(name, func(t *testing.T) {
			s := row.snapshot
			s.Command = v1alpha1.Command{Action: row.action, Revision: row.revision, ID: "7"}
			plan := Next(s)
			switch {
			case plan.Command == nil:
				t.Fatal("the command was not answered")
			case plan.Command.Accepted != row.accepted || !strings.Contains(plan.Command.Message, row.says):
				t.Errorf("accepted %v, %q; want %v, %q", plan.Command.Accepted, plan.Command.Message, row.accepted, row.says)
			case plan.State.Stage != row.stage:
				t.Errorf("stage %q, want %q", plan.State.Stage, row.stage)
			}
			s.State, s.LastCommandID = plan.State, "7"
			if again := Next(s); again.Command != nil {
				t.Errorf("the command was answered twice: %+v", again.Command)
			}
		})
	}
}

func TestARetryIsAnotherAttempt(t *testing.T) {
	s := inStage(v1alpha1.StageAborted)
	s.Command = v1alpha1.Command{Action: v1alpha1.ActionRetry, Revision: "v2", ID: "1"}
	plan := Next(s)
	if plan.State.Attempt != s.State.Attempt+1 || plan.State.Step != 0 {
		t.Errorf("attempt %d at step %d, want attempt %d at step 0", plan.State.Attempt, plan.State.Step, s.State.Attempt+1)
	}
	if len(plan.Actions) > 0 {
		t.Errorf("%v was done before the attempt was persisted", plan.Actions)
	}
}
