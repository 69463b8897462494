package kstatus

import (
	"testing"
	"time"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller/planner"
	"github.com/sluice-dev/sluice/test/builder"
)

// generation of every Rollout here, as the API server counts edits.
const generation = 3

// noon is the moment of all snapshots, and earlier is long before it.
func noon() time.Time           { return time.Date(2030, time.June, 1, 12, 0, 0, 0, time.UTC) }
func earlier() metav1.MicroTime { return metav1.NewMicroTime(noon().Add(-time.Hour)) }

// at is a routed canary from v1 to v2 at the gates of its first step, with its traffic in place, brought into a stage.
func at(stage v1alpha1.Stage, changes ...func(*planner.Snapshot)) planner.Snapshot {
	s := planner.Snapshot{
		Now:    noon(),
		Target: "v2",
		Spec: planner.Spec{
			Replicas: 4, HistoryLimit: 2, Deadline: 10 * time.Minute, Mode: planner.Routed, Background: planner.NoBackground,
			Settle: 2 * time.Second,
			Steps:  []planner.Step{{Weight: 250, Replicas: planner.WhatTheWeightNeeds}},
		},
		State: v1alpha1.RolloutState{
			Stage: stage, Stable: "v1", Candidate: "v2", Attempt: 2, ShiftedAt: earlier(), GatesAt: earlier(),
		},
		Revisions: []planner.Revision{
			{Hash: "v1", Number: 1, Desired: 4, Created: 4, Ready: 4, Available: 4},
			{Hash: "v2", Number: 2, Desired: 1, Created: 1, Ready: 1, Available: 1},
		},
		Active:  service("web", "v1", 4),
		Standby: service("web-standby", "v2", 1),
		Route:   planner.Route{Weight: 250, Accepted: true},
	}
	for _, change := range changes {
		change(&s)
	}
	return s
}

func service(name, revision string, endpoints int32) planner.Service {
	return planner.Service{
		Name: name, Found: true, Revision: revision, Endpoints: []planner.Endpoints{{Revision: revision, Ready: endpoints}},
	}
}

// resting is v1 alone, as the spec asks for.
func resting(s *planner.Snapshot) {
	s.Target, s.State.Candidate = "v1", ""
	s.Revisions = s.Revisions[:1]
	s.Standby, s.Route.Weight = service("web-standby", "v1", 4), 0
}

// first is v1 coming up with half of its pods, since a moment.
func first(since metav1.MicroTime) func(*planner.Snapshot) {
	return func(s *planner.Snapshot) {
		resting(s)
		s.State.Stable, s.State.Candidate, s.State.ProgressAt, s.State.ProgressMark = "", "v1", since, 2
		s.Revisions[0].Ready, s.Revisions[0].Available = 2, 2
	}
}

// gated has a gate at the step.
func gated(gate planner.Gate) func(*planner.Snapshot) {
	return func(s *planner.Snapshot) { s.Spec.Steps[0].Gates = []planner.Gate{gate} }
}

// measured has an analysis at the step, in a phase.
func measured(phase v1alpha1.AnalysisPhase) func(*planner.Snapshot) {
	return func(s *planner.Snapshot) {
		gated(planner.Gate{Kind: planner.AnalysisGate, Name: planner.StepGate(0)})(s)
		s.Analyses = []planner.Analysis{{Name: "web-v2-2-step-1", Gate: planner.StepGate(0), Phase: phase, EndedAt: noon()}}
	}
}

// broken has a problem that a person must mend.
func broken(s *planner.Snapshot) {
	s.Problems = []planner.Problem{{
		Reason: v1alpha1.ReasonRouteNotFound, Field: "spec.traffic.gatewayAPI.routes[0]", Message: "there is no HTTPRoute web",
	}}
}

// given is the reason of an abort by hand.
func given(s *planner.Snapshot) {
	s.State.Reason, s.State.Message = v1alpha1.ReasonAborted, "aborted by hand at step 1/1"
}

// returned is traffic that is wholly on v1 again.
func returned(s *planner.Snapshot) {
	given(s)
	s.Route.Weight = 0
}

// TestEveryPhase computes, with the library itself, what each status that the planner writes means.
func TestEveryPhase(t *testing.T) {
	for _, row := range []struct {
		name     string
		snapshot planner.Snapshot
		want     status.Status
	}{
		{"first revision begins", at(v1alpha1.StageIdle, func(s *planner.Snapshot) {
			resting(s)
			s.State = v1alpha1.RolloutState{}
			s.Revisions = nil
		}), status.InProgressStatus},
		{"first revision comes up", at(v1alpha1.StageInitial, first(metav1.NewMicroTime(noon()))), status.InProgressStatus},
		{"first revision does not come up", at(v1alpha1.StageInitial, first(earlier())), status.FailedStatus},
		{"at rest", at(v1alpha1.StageIdle, resting), status.CurrentStatus},
		{"at rest with no replicas", at(v1alpha1.StageIdle, resting, func(s *planner.Snapshot) {
			s.Spec.Replicas = 0
			s.Revisions[0] = planner.Revision{Hash: "v1", Number: 1}
			s.Active.Endpoints, s.Standby.Endpoints = nil, nil
		}), status.CurrentStatus},
		{"more replicas are asked for", at(v1alpha1.StageIdle, resting, func(s *planner.Snapshot) {
			s.Spec.Replicas = 6
		}), status.InProgressStatus},
		{"a pod of stable is lost", at(v1alpha1.StageIdle, resting, func(s *planner.Snapshot) {
			s.Revisions[0].Ready, s.Revisions[0].Available = 3, 3
		}), status.InProgressStatus},
		{"pods are restarted", at(v1alpha1.StageIdle, resting, func(s *planner.Snapshot) {
			s.State.RestartAt = metav1.NewMicroTime(noon())
			s.Revisions[0].Outdated, s.Revisions[0].OutdatedAvailable = 4, 4
		}), status.InProgressStatus},
		{"something is wrong at rest", at(v1alpha1.StageIdle, resting, broken), status.FailedStatus},
		{"another template", at(v1alpha1.StageIdle, resting, func(s *planner.Snapshot) { s.Target = "v2" }), status.InProgressStatus},
		{"another template, held by spec.paused", at(v1alpha1.StageIdle, resting, func(s *planner.Snapshot) {
			s.Target, s.Spec.Paused = "v2", true
		}), status.InProgressStatus},
		{"the candidate comes up", at(v1alpha1.StageStepping, func(s *planner.Snapshot) {
			s.State.GatesAt, s.Route.Weight = metav1.MicroTime{}, 0
			s.Revisions[1].Ready, s.Revisions[1].Available = 0, 0
			s.Standby.Endpoints = nil
		}), status.InProgressStatus},
		{"the gateway has not accepted the weight", at(v1alpha1.StageStepping, func(s *planner.Snapshot) {
			s.Route.Accepted = false
		}), status.InProgressStatus},
		{"a pause runs", at(v1alpha1.StageStepping, gated(planner.Gate{
			Kind: planner.PauseGate, Duration: 2 * time.Hour,
		})), status.InProgressStatus},
		{"a person is waited for", at(v1alpha1.StageStepping, gated(planner.Gate{Kind: planner.PersonGate})), status.InProgressStatus},
		{"spec.paused holds a step", at(v1alpha1.StageStepping, func(s *planner.Snapshot) {
			s.Spec.Paused = true
		}), status.InProgressStatus},
		{"an analysis runs", at(v1alpha1.StageStepping, measured(v1alpha1.AnalysisRunning)), status.InProgressStatus},
		{"an analysis has no verdict", at(v1alpha1.StageStepping, measured(v1alpha1.AnalysisInconclusive)), status.InProgressStatus},
		{"an analysis failed: traffic goes back", at(v1alpha1.StageStepping, measured(v1alpha1.AnalysisFailed)), status.InProgressStatus},
		{"something is wrong at a step", at(v1alpha1.StageStepping, broken), status.FailedStatus},
		{"a step is complete", at(v1alpha1.StageStepping), status.InProgressStatus},
		{"promoting", at(v1alpha1.StagePromoting), status.InProgressStatus},
		{"something is wrong in the promotion", at(v1alpha1.StagePromoting, broken), status.FailedStatus},
		{"traffic goes back", at(v1alpha1.StageRetreating, given), status.InProgressStatus},
		{"aborted", at(v1alpha1.StageAborted, returned), status.FailedStatus},
		{"aborted, and stable is lost", at(v1alpha1.StageAborted, returned, func(s *planner.Snapshot) {
			s.Revisions[0].Ready, s.Revisions[0].Available = 0, 0
		}), status.FailedStatus},
		{"aborted, and another template", at(v1alpha1.StageAborted, returned, func(s *planner.Snapshot) {
			s.Target = "v3"
		}), status.InProgressStatus},
	} {
		t.Run(row.name, func(t *testing.T) {
			got := compute(t, generation, statusOf(row.snapshot))
			if got.Status != row.want {
				t.Errorf("%s, want %s: %s", got.Status, row.want, got.Message)
			}
		})
	}
}

// TestConditionsAgree holds what kstatus asks of whoever writes conditions: they speak of the generation of the status, and
// an object is not at once under way and stalled.
func TestConditionsAgree(t *testing.T) {
	for _, stage := range []v1alpha1.Stage{
		v1alpha1.StageIdle, v1alpha1.StageInitial, v1alpha1.StageStepping, v1alpha1.StagePromoting, v1alpha1.StageRetreating,
		v1alpha1.StageAborted,
	} {
		for name, change := range map[string]func(*planner.Snapshot){"well": func(*planner.Snapshot) {}, "broken": broken} {
			written := statusOf(at(stage, change))
			holds := map[string]bool{}
			for _, c := range written.Conditions {
				holds[c.Type] = c.Status == metav1.ConditionTrue
				if c.ObservedGeneration != generation {
					t.Errorf("stage %q, %s: condition %s speaks of generation %d", stage, name, c.Type, c.ObservedGeneration)
				}
			}
			n := 0
			for _, condition := range []string{v1alpha1.ConditionReady, v1alpha1.ConditionReconciling, v1alpha1.ConditionStalled} {
				if holds[condition] {
					n++
				}
			}
			if n != 1 {
				t.Errorf("stage %q, %s: want exactly one of Ready, Reconciling and Stalled: %v", stage, name, holds)
			}
		}
	}
}

// TestStatusOfEarlier is never taken for one that speaks of the spec as it is now.
func TestStatusOfEarlier(t *testing.T) {
	for name, written := range map[string]v1alpha1.RolloutStatus{
		// As the definition has it for an object that no controller has seen.
		"fresh":          {ObservedGeneration: -1},
		"healthy before": statusOf(at(v1alpha1.StageIdle, resting)),
		"aborted before": statusOf(at(v1alpha1.StageAborted, returned)),
	} {
		t.Run(name, func(t *testing.T) {
			if got := compute(t, generation+1, written); got.Status != status.InProgressStatus {
				t.Errorf("%s, want %s: %s", got.Status, status.InProgressStatus, got.Message)
			}
		})
	}
}

// statusOf is what the planner writes after a look at a snapshot.
func statusOf(s planner.Snapshot) v1alpha1.RolloutStatus {
	return planner.Record(v1alpha1.RolloutStatus{}, s, planner.Next(s), generation)
}

// compute asks the library about a Rollout as the API server gives it out.
func compute(t *testing.T, generation int64, written v1alpha1.RolloutStatus) *status.Result {
	t.Helper()
	rollout := builder.Rollout("web").Generation(generation).Obj()
	rollout.Status = written
	object, err := runtime.DefaultUnstructuredConverter.ToUnstructured(rollout)
	if err != nil {
		t.Fatal(err)
	}
	result, err := status.Compute(&unstructured.Unstructured{Object: object})
	if err != nil {
		t.Fatal(err)
	}
	return result
}
