package planner

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// experimenting is a release at a step with an experiment of two pods, all of which are in place.
func experimenting(change func(*Snapshot)) Snapshot {
	s := canary(Gate{Kind: PersonGate})
	s.Spec.Steps[0].Weight, s.Spec.Steps[0].Replicas, s.Spec.Steps[0].Baseline = 0, 2, true
	s.Route.Weight, s.State.Attempt, s.State.EndpointsAt = 0, 3, metav1.NewMicroTime(noon().Add(-time.Minute))
	s.Revisions[1], s.Standby.Endpoints = serving("v2", 2, 2), endpoints("v2", 2)
	s.Baselines = []Revision{serving("b3-v1", 0, 2)}
	s.Baseline = Service{Name: "web-baseline", Found: true, Revision: "b3-v1", Endpoints: endpoints("b3-v1", 2)}
	change(&s)
	return s
}

// TestExperiment has one row for each thing that an experiment waits for, and for each way in which it ends.
func TestExperiment(t *testing.T) {
	none := func(s *Snapshot) { s.Baselines, s.Baseline = nil, Service{Name: "web-baseline"} }
	over := func(s *Snapshot) { s.State.Step = 1 }
	for name, row := range map[string]struct {
		snapshot     Snapshot
		does, reason string
	}{
		"both come up together": {experimenting(func(s *Snapshot) {
			none(s)
			s.Revisions[1].Desired = 1
		}), "scale v2 to 2 pods; create the baseline b3-v1 of v1 with 2 pods; create the baseline service for b3-v1", v1alpha1.ReasonWaitingForPods},
		"pods of the baseline must be available": {experimenting(func(s *Snapshot) { s.Baselines[0].Available = 1 }), "", v1alpha1.ReasonWaitingForPods},
		"and ready endpoints":                    {experimenting(func(s *Snapshot) { s.Baseline.Endpoints = nil }), "", v1alpha1.ReasonWaitingForEndpoints},
		"then the gates count":                   {experimenting(func(*Snapshot) {}), "", v1alpha1.ReasonAwaitingPromotion},
		"both are scaled": {experimenting(func(s *Snapshot) {
			s.Spec.Steps[0].Replicas = 3
		}), "scale v2 to 3 pods; scale the baseline b3-v1 to 3 pods", v1alpha1.ReasonWaitingForPods},
		"no replicas, no experiment": {
			experimenting(func(s *Snapshot) { s.Spec.Replicas = 0 }),
			"scale v1 to 0 pods; delete the baseline service", v1alpha1.ReasonAwaitingPromotion,
		},
		"that of another release goes first": {experimenting(func(s *Snapshot) {
			s.Baselines[0].Hash, s.Baseline.Revision = "b2-v1", "b2-v1"
		}), "delete the baseline service", v1alpha1.ReasonWaitingForPods},
		"a service that is being deleted is waited for": {experimenting(func(s *Snapshot) {
			s.Baseline = Service{Name: "web-baseline", Leaving: true}
		}), "", v1alpha1.ReasonWaitingForEndpoints},
		"after the step its service goes": {experimenting(over), "set the weight of standby to 50%; delete the baseline service", v1alpha1.ReasonWaitingForRoute},
		"then its pods": {experimenting(func(s *Snapshot) {
			over(s)
			s.Baseline.Found = false
		}), "set the weight of standby to 50%; scale the baseline b3-v1 to 0 pods", v1alpha1.ReasonWaitingForRoute},
		"then itself": {experimenting(func(s *Snapshot) {
			over(s)
			s.Baseline.Found, s.Baselines[0] = false, Revision{Hash: "b3-v1"}
		}), "set the weight of standby to 50%; delete the baseline b3-v1", v1alpha1.ReasonWaitingForRoute},
		"a problem leaves it as it is": {experimenting(func(s *Snapshot) {
			over(s)
			s.Problems = []Problem{{Reason: v1alpha1.ReasonTemplateNotFound}}
		}), "", v1alpha1.ReasonTemplateNotFound},
		"not after an abort": {experimenting(func(s *Snapshot) {
			s.State.Stage, s.State.Reason = v1alpha1.StageAborted, v1alpha1.ReasonAborted
			s.Problems = []Problem{{Reason: v1alpha1.ReasonTemplateNotFound}}
		}), "point standby at v1; delete the baseline service", v1alpha1.ReasonAborted},
		"a step that is left ends it when that is persisted": {experimenting(func(s *Snapshot) {
			s.State.PromotedAt = metav1.NewMicroTime(noon())
		}), "", v1alpha1.ReasonStepCompleted},
		"the edit of a step ends it": {
			experimenting(func(s *Snapshot) { s.Spec.Steps[0].Baseline = false }),
			"delete the baseline service", v1alpha1.ReasonAwaitingPromotion,
		},
		"an abort writes nothing of it": {experimenting(func(s *Snapshot) {
			s.Command = v1alpha1.Command{Action: v1alpha1.ActionAbort, Revision: "v2", ID: "1"}
		}), "", v1alpha1.ReasonAborted},
	} {
		t.Run(name, func(t *testing.T) {
			plan := Next(row.snapshot)
			if got := plan.String(); got != row.does {
				t.Errorf("does %q, want %q", got, row.does)
			}
			if plan.Why.Reason != row.reason {
				t.Errorf("reason %s (%s), want %s", plan.Why.Reason, plan.Why.Message, row.reason)
			}
		})
	}
}

// TestCompileExperiment holds that an experiment has a size and gates of its own, and leaves what comes after as it was.
func TestCompileExperiment(t *testing.T) {
	spec := &v1alpha1.RolloutSpec{
		Replicas: new(int32(5)), Services: &v1alpha1.Services{Active: "web"},
		Traffic: &v1alpha1.Traffic{GatewayAPI: &v1alpha1.GatewayAPITraffic{Routes: []v1alpha1.RouteReference{{Name: "web"}}}},
		Strategy: v1alpha1.Strategy{Canary: &v1alpha1.CanaryStrategy{Steps: []v1alpha1.CanaryStep{
			{Experiment: &v1alpha1.Experiment{Duration: &metav1.Duration{Duration: time.Minute}}},
			{Experiment: &v1alpha1.Experiment{Replicas: new(int32(2)), Analysis: &v1alpha1.Analysis{}}},
			{Pause: &v1alpha1.Pause{}},
		}}},
	}
	got, err := Compile(spec, 0)
	if err != nil {
		t.Fatal(err)
	}
	want := []Step{
		{Replicas: 1, Baseline: true, Gates: []Gate{{Kind: PauseGate, Duration: time.Minute}}},
		{Replicas: 2, Baseline: true, Gates: []Gate{{Kind: AnalysisGate, Name: "step-2"}}},
		{Replicas: WhatTheWeightNeeds, Gates: []Gate{{Kind: PersonGate}}},
	}
	if diff := cmp.Diff(want, got.Steps); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
}

// TestStatusOfExperiment holds that the status tells of a baseline and does not count its pods.
func TestStatusOfExperiment(t *testing.T) {
	s := experimenting(func(s *Snapshot) { s.Baselines[0].Available = 1 })
	got := Record(v1alpha1.RolloutStatus{}, s, Next(s), 1)
	want := &v1alpha1.ExperimentStatus{Baseline: "b3-v1", Replicas: 2, Available: 1}
	if diff := cmp.Diff(want, got.Experiment); diff != "" {
		t.Errorf("experiment (-want +got):\n%s", diff)
	}
	if got.Replicas != 6 {
		t.Errorf("%d replicas are counted, want the 4 of v1 and the 2 of v2", got.Replicas)
	}
}
