package planner

import (
	"fmt"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// later is a day after noon: what a clock that was a day ahead has left behind.
func later() metav1.MicroTime { return metav1.NewMicroTime(noon().Add(24 * time.Hour)) }

// TestAClockThatWentBack holds that a release waits from now on for as long as it should, and neither a day longer nor
// less.
func TestAClockThatWentBack(t *testing.T) {
	for name, row := range map[string]struct {
		change func(*Snapshot)
		wakes  time.Duration
	}{
		"a pause":          {func(s *Snapshot) { s.State.GatesAt = later() }, time.Hour},
		"the settle time":  {func(s *Snapshot) { s.State.ShiftedAt = later() }, 2 * time.Second},
		"the deadline":     {func(s *Snapshot) { s.State.ProgressAt, s.Revisions[1].Available = later(), 0 }, 10 * time.Minute},
		"a restart":        {func(s *Snapshot) { s.State.RestartAt = later() }, time.Hour - time.Minute},
		"the end of a pod": {func(s *Snapshot) { s.State.ScaleDowns[0].At = later() }, 30 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			s := canary(Gate{Kind: PauseGate, Duration: time.Hour})
			s.Spec.ScaleDownDelay = 30 * time.Second
			s.Revisions = append(s.Revisions, Revision{Hash: "v0", Desired: 4, Created: 4, Ready: 4, Available: 4})
			s.State.ScaleDowns = []v1alpha1.ScaleDown{{Revision: "v0", At: metav1.NewMicroTime(noon().Add(-time.Second))}}
			row.change(&s)
			plan := Next(s)
			if got := plan.WakeAt.Sub(noon()); got != row.wakes {
				t.Errorf("looks again after %s, want %s: %s", got, row.wakes, plan.Why.Message)
			}
			if plan.State.Stage != v1alpha1.StageStepping || plan.State.RestartAt.After(noon()) {
				t.Errorf("stage %s, restart at %s", plan.State.Stage, plan.State.RestartAt)
			}
		})
	}
}

// TestAClockThatIsAhead holds that a controller which has only just begun to look does not count on the times of the one
// before it, whose clock may have been behind: it makes no write that needs gateways to have heard, and looks again.
func TestAClockThatIsAhead(t *testing.T) {
	for name, row := range map[string]struct {
		stage  v1alpha1.Stage
		change func(*Snapshot)
		want   string
	}{
		"the first weight": {v1alpha1.StageStepping, func(s *Snapshot) {
			s.Route.Weight = 0
			s.Revisions[1] = Revision{Hash: "v2", Number: 2, Desired: 1, Created: 1, Ready: 1, Available: 1}
		}, "set the weight of standby to 25%"},
		"the switch of the active Service": {v1alpha1.StagePromoting, func(s *Snapshot) { s.Route.Weight = FullWeight }, "point active at v2"},
		"the weight back to the active Service": {v1alpha1.StagePromoting, func(s *Snapshot) {
			s.Route.Weight, s.Active.Revision = FullWeight, "v2"
			s.Active.Endpoints = []Endpoints{{Revision: "v2", Ready: 4}}
		}, "set the weight of standby to 0%"},
	} {
		t.Run(name, func(t *testing.T) {
			s := canary()
			s.State.Stage, s.Spec.Settle = row.stage, 2*time.Second
			s.Spec.Steps[0].Weight = 250
			s.State.ShiftedAt, s.State.EndpointsAt = metav1.NewMicroTime(noon().Add(-time.Minute)), metav1.NewMicroTime(noon().Add(-time.Minute))
			s.Revisions[1] = Revision{Hash: "v2", Number: 2, Desired: 4, Created: 4, Ready: 4, Available: 4}
			s.Standby.Endpoints = []Endpoints{{Revision: "v2", Ready: 4}}
			row.change(&s)
			if got := Next(s).String(); got != row.want {
				t.Fatalf("with clocks that agree: %q, want %q", got, row.want)
			}
			s.Since = noon()
			plan := Next(s)
			if len(plan.Actions) > 0 || plan.WakeAt.Sub(noon()) != s.Spec.Settle {
				t.Errorf("%q at once, and another look after %s", plan, plan.WakeAt.Sub(noon()))
			}
		})
	}
}

// TestScaleDownsAreBounded holds that the status can always be stored: it has room for 32 revisions that wait.
func TestScaleDownsAreBounded(t *testing.T) {
	s := inStage(v1alpha1.StagePromoting)
	s.Spec.ScaleDownDelay = 720 * time.Hour
	s.Revisions[1] = Revision{Hash: "v2", Number: 2, Desired: 4, Created: 4, Ready: 4, Available: 4}
	s.Active.Revision, s.Active.Endpoints, s.Route.Weight = "v2", []Endpoints{{Revision: "v2", Ready: 4}}, 0
	s.Standby.Endpoints = s.Active.Endpoints
	for i := range 32 {
		hash := fmt.Sprintf("old-%d", i)
		s.State.ScaleDowns = append(s.State.ScaleDowns, v1alpha1.ScaleDown{Revision: hash, At: later()})
		s.Revisions = append(s.Revisions, Revision{Hash: hash, Desired: 4, Created: 4, Ready: 4, Available: 4})
	}
	plan := Next(s)
	waiting := plan.State.ScaleDowns
	if plan.State.Stable != "v2" || len(waiting) != 32 || waiting[0].Revision != "old-1" || waiting[31].Revision != "v1" {
		t.Fatalf("stable %s, %d revisions wait, want 32, old-1 to v1: %v", plan.State.Stable, len(waiting), waiting)
	}
	s.State = plan.State
	s.Standby.Revision, s.Target = "v2", "v2"
	if got := Next(s).String(); got != "scale old-0 to 0 pods" {
		t.Errorf("%q, want the oldest to go", got)
	}
}
