package planner

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

func TestARestartNeverCostsAvailability(t *testing.T) {
	s := inStage(v1alpha1.StageIdle)
	s.State.RestartAt = metav1.NewMicroTime(noon())
	s.Standby.Revision, s.Standby.Endpoints, s.Route.Weight = "v1", s.Active.Endpoints, 0
	s.Revisions = s.Revisions[:1]
	s.Revisions[0].Outdated, s.Revisions[0].OutdatedAvailable = 4, 4
	if got := Next(s).String(); got != "scale v1 to 5 pods" {
		t.Fatalf("first %q, want a spare pod", got)
	}
	s.Revisions[0].Desired, s.Revisions[0].Created = 5, 5
	if got := Next(s).String(); got != "" {
		t.Fatalf("then %q, before the spare pod is available", got)
	}
	s.Revisions[0].Available = 5
	if got := Next(s).String(); got != "" {
		t.Fatalf("then %q, before the Services have the spare pod", got)
	}
	s.Active.Endpoints, s.Standby.Endpoints = endpoints("v1", 5), endpoints("v1", 5)
	if got := Next(s).String(); got != "restart at most 1 pod of v1" {
		t.Fatalf("then %q", got)
	}
	s.Revisions[0].Outdated, s.Revisions[0].OutdatedAvailable, s.Revisions[0].Created = 0, 0, 4
	plan := Next(s)
	if plan.State.RestartAt.IsZero() {
		t.Fatalf("it is over before the last pod has another in its place: %q", plan.String())
	}
	s.Revisions[0].Created = 5
	plan = Next(s)
	if got := plan.String(); got != "scale v1 to 4 pods" || !plan.State.RestartAt.IsZero() {
		t.Fatalf("in the end %q, restart at %s", got, plan.State.RestartAt)
	}
}

// behindOneService is a canary by the ratio of pods at its first step: 3 pods of v1 and 1 of v2, all of them older than
// a restart.
func behindOneService(unavailable int32) Snapshot {
	s := canary(Gate{Kind: PersonGate})
	s.Spec.Mode, s.Spec.Surge, s.Spec.Unavailable = Ratio, 1, unavailable
	s.Active, s.Standby = Service{}, Service{}
	s.State.RestartAt = metav1.NewMicroTime(noon())
	s.Revisions = []Revision{
		{Hash: "v1", Number: 1, Desired: 3, Created: 3, Ready: 3, Available: 3, Outdated: 3, OutdatedAvailable: 3},
		{Hash: "v2", Number: 2, Desired: 1, Created: 1, Ready: 1, Available: 1, Outdated: 1, OutdatedAvailable: 1},
	}
	return s
}

// TestARestartInARelease holds that both revisions together stay within the limits of surge and unavailability.
func TestARestartInARelease(t *testing.T) {
	with := func(unavailable int32, change func(*Snapshot)) Snapshot {
		s := behindOneService(unavailable)
		change(&s)
		return s
	}
	for name, row := range map[string]struct {
		snapshot Snapshot
		want     string
	}{
		"one pod of either may be missing": {with(1, func(*Snapshot) {}), "restart at most 1 pod of v1"},
		"one is missing": {with(1, func(s *Snapshot) {
			s.Revisions[0].Available, s.Revisions[0].Ready, s.Revisions[0].Outdated, s.Revisions[0].OutdatedAvailable = 2, 2, 2, 2
		}), ""},
		"none may be missing: one spare pod": {with(0, func(*Snapshot) {}), "scale v1 to 4 pods"},
		"the spare pod is there": {with(0, func(s *Snapshot) {
			s.Revisions[0].Desired, s.Revisions[0].Created, s.Revisions[0].Ready, s.Revisions[0].Available = 4, 4, 4, 4
		}), "restart at most 1 pod of v1"},
		"the candidate comes after stable": {with(0, func(s *Snapshot) {
			s.Revisions[0].Outdated, s.Revisions[0].OutdatedAvailable = 0, 0
		}), "scale v2 to 2 pods"},
		"not while pods move, some missing": {with(1, func(s *Snapshot) {
			s.State.Stage = v1alpha1.StagePromoting
		}), "scale v2 to 2 pods; scale v1 to 2 pods"},
		"not while pods move, none missing": {with(0, func(s *Snapshot) {
			s.State.Stage = v1alpha1.StagePromoting
		}), "scale v2 to 2 pods"},
		"what is not available goes at once": {with(0, func(s *Snapshot) {
			s.Revisions[0].Desired, s.Revisions[0].Created, s.Revisions[0].OutdatedAvailable = 4, 4, 2
		}), "restart at most 1 pod of v1"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Next(row.snapshot).String(); got != row.want {
				t.Errorf("%q, want %q", got, row.want)
			}
		})
	}
}

// TestARestartHealsAPodThatHangs holds that a pod that is not available does not keep itself from being replaced.
func TestARestartHealsAPodThatHangs(t *testing.T) {
	s := inStage(v1alpha1.StageIdle)
	s.Spec.Replicas = 1
	s.Standby.Revision, s.Route.Weight = "v1", 0
	s.State.RestartAt = metav1.NewMicroTime(noon())
	s.Revisions = []Revision{{Hash: "v1", Number: 1, Desired: 2, Created: 2, Ready: 1, Available: 1, Outdated: 1}}
	if got := Next(s).String(); got != "restart at most 1 pod of v1" {
		t.Errorf("%q, want the old pod to go", got)
	}
}

// TestARestartDoesNotWaitForWhatGoes holds that pods of a revision that only waits to go are not counted.
func TestARestartDoesNotWaitForWhatGoes(t *testing.T) {
	s := inStage(v1alpha1.StageIdle)
	s.Standby.Revision, s.Route.Weight = "v1", 0
	s.State.RestartAt = metav1.NewMicroTime(noon())
	s.State.ScaleDowns = []v1alpha1.ScaleDown{{Revision: "v2", At: metav1.NewMicroTime(noon().Add(time.Hour))}}
	s.Revisions[1].Outdated = 1
	if plan := Next(s); !plan.State.RestartAt.IsZero() {
		t.Errorf("the restart goes on: %s", plan.Why.Message)
	}
}
