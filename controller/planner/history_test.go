package planner

import (
	"testing"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// TestHistory holds that only an old ReplicaSet goes, without pods and beyond the limit, and that nobody could still want it.
func TestHistory(t *testing.T) {
	resting := func(change func(*Snapshot)) Snapshot {
		return with(inStage(v1alpha1.StageIdle), func(s *Snapshot) {
			s.Spec.HistoryLimit, s.Route.Weight = 0, 0
			s.Standby.Revision, s.Standby.Endpoints = "v1", endpoints("v1", 4)
			s.Revisions = []Revision{{Hash: "v0"}, serving("v1", 1, 4)}
			change(s)
		})
	}
	holdOutcomes(t, map[string]outcome{
		"beyond the limit": {resting(func(*Snapshot) {}), "delete v0"},
		"within the limit": {resting(func(s *Snapshot) { s.Spec.HistoryLimit = 1 }), ""},
		"the oldest first": {resting(func(s *Snapshot) {
			s.Spec.HistoryLimit, s.Revisions = 1, append([]Revision{{Hash: "v00"}}, s.Revisions...)
		}), "delete v00"},
		"a pod is left":   {resting(func(s *Snapshot) { s.Revisions[0].Created = 1 }), ""},
		"a pod is ending": {resting(func(s *Snapshot) { s.Revisions[0].Terminating = 1 }), ""},
		"an endpoint is":  {resting(func(s *Snapshot) { s.Standby.Endpoints = append(s.Standby.Endpoints, endpoints("v0", 1)...) }), ""},
		"it is asked for": {resting(func(s *Snapshot) { s.Target, s.Spec.Paused = "v0", true }), ""},
		"it is stable":    {resting(func(s *Snapshot) { s.Spec.Replicas, s.Revisions[1] = 0, Revision{Hash: "v1"} }), "delete v0"},
		"it was aborted":  {resting(func(s *Snapshot) { s.State.Stage, s.State.Candidate, s.Target = v1alpha1.StageAborted, "v0", "v2" }), ""},
		"a release is under way": {with(canary(Gate{Kind: PersonGate}), func(s *Snapshot) {
			s.Spec.HistoryLimit, s.Revisions = 0, append([]Revision{{Hash: "v0"}}, s.Revisions...)
		}), ""},
	})
	t.Run("right after a promotion, which a crash may undo", func(t *testing.T) {
		s := inStage(v1alpha1.StageInitial)
		s.Spec.HistoryLimit, s.Route.Weight = 0, 0
		s.Revisions = []Revision{{Hash: "v0"}, serving("v2", 2, 4)}
		if plan := Next(s); plan.State.Stable != "v2" || plan.String() != "" {
			t.Errorf("stable %q, %q", plan.State.Stable, plan)
		}
	})
}
