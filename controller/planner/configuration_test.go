package planner

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// atRest is stable v1 with all its pods, where the spec asks for v2.
func atRest() Snapshot {
	s := settled(v1alpha1.StageIdle)
	s.Target = "v2"
	return s
}

// settled is a stage with all traffic on v1.
func settled(stage v1alpha1.Stage) Snapshot {
	s := inStage(stage)
	s.Route = Route{Accepted: true}
	s.Standby.Revision = "v1"
	return s
}

// TestConfigurationStartsARelease holds that a release says what began it, keeps that in its state and records it.
func TestConfigurationStartsARelease(t *testing.T) {
	s := atRest()
	s.Configuration = []string{"ConfigMap web-config", "Secret database"}
	plan := Next(s)
	if plan.State.Stage != v1alpha1.StageStepping || plan.State.Candidate != "v2" {
		t.Fatalf("stage %q of %s: %s", plan.State.Stage, plan.State.Candidate, plan.Why.Message)
	}
	if diff := cmp.Diff(s.Configuration, plan.State.Configuration); diff != "" {
		t.Error(diff)
	}
	if want := "because ConfigMap web-config and Secret database changed; v1 is stable"; !strings.Contains(plan.Why.Message, want) ||
		len(plan.Events) != 1 || plan.Events[0].Message != plan.Why.Message {
		t.Errorf("%q and %v, want %q in both", plan.Why.Message, plan.Events, want)
	}
	s.Configuration, s.Target = nil, "v1"
	plan = untilRecorded(s, plan)
	if plan.Record == nil || len(plan.Record.Configuration) != 2 || plan.State.Configuration != nil {
		t.Errorf("recorded %+v; the state keeps %v", plan.Record, plan.State.Configuration)
	}
}

// untilRecorded plans on until the release has ended.
func untilRecorded(s Snapshot, plan Plan) Plan {
	for i := 0; i < 5 && plan.Record == nil; i++ {
		s.State, s.Now = plan.State, s.Now.Add(time.Minute)
		plan = Next(s)
	}
	return plan
}

// TestATargetThatIsHeldBack holds that nothing is released before its turn, that this is no fault, and that scaling and a
// release under way go on.
func TestATargetThatIsHeldBack(t *testing.T) {
	held := Why{Reason: v1alpha1.ReasonWaitingForTurn, Message: "5 others go first"}
	for name, stage := range map[string]v1alpha1.Stage{"at rest": v1alpha1.StageIdle, "after an abort": v1alpha1.StageAborted} {
		t.Run(name, func(t *testing.T) {
			s := settled(stage)
			s.Target, s.HeldBack = "v3", held
			plan := Next(s)
			if plan.State.Stage != stage || plan.Stalled || !plan.Waiting || plan.Why.Reason != held.Reason ||
				plan.Why.Message != "revision v3 waits: 5 others go first" {
				t.Errorf("stage %q, stalled %v, waiting %v: %+v", plan.State.Stage, plan.Stalled, plan.Waiting, plan.Why)
			}
			s.Spec.Replicas = 8
			if got := Next(s).String(); !strings.Contains(got, "scale v1 to 8 pods") {
				t.Errorf("%q: it does not scale", got)
			}
		})
	}
	for name, change := range map[string]func(*Snapshot){
		"stable is the target":    func(s *Snapshot) { s.Target = "v1" },
		"something is wrong":      func(s *Snapshot) { s.Problems = []Problem{{Reason: v1alpha1.ReasonServiceNotFound, Message: "x"}} },
		"spec.paused holds it":    func(s *Snapshot) { s.Spec.Paused = true },
		"a release is under way":  func(s *Snapshot) { *s = canary(); s.HeldBack = held },
		"the target is candidate": func(s *Snapshot) { *s = inStage(v1alpha1.StageAborted); s.Target, s.HeldBack = "v2", held },
	} {
		t.Run(name, func(t *testing.T) {
			s := atRest()
			s.HeldBack = held
			change(&s)
			if plan := Next(s); plan.Why.Reason == held.Reason {
				t.Errorf("%+v", plan.Why)
			}
		})
	}
}

// TestAnUnknownTarget holds that a first release waits for what its template names, without a record, and that nothing is
// touched meanwhile.
func TestAnUnknownTarget(t *testing.T) {
	s := atRest()
	s.State, s.Target, s.Revisions = v1alpha1.RolloutState{}, "", nil
	s.Problems = []Problem{{Reason: v1alpha1.ReasonConfigurationNotFound, Field: "spec.configuration.configMaps[0].name", Message: "create it"}}
	plan := Next(s)
	if diff := cmp.Diff(s.State, plan.State); diff != "" || plan.String() != "" || plan.Record != nil {
		t.Errorf("state %s, actions %q, record %v", diff, plan, plan.Record)
	}
	if plan.Phase != v1alpha1.PhaseDegraded || plan.Why.Message != "spec.configuration.configMaps[0].name: create it" {
		t.Errorf("%s: %+v", plan.Phase, plan.Why)
	}
}

// TestConfigurationThatIsMissingLeavesTraffic holds that a ConfigMap that was deleted stops releases, and not the care for
// the traffic of stable.
func TestConfigurationThatIsMissingLeavesTraffic(t *testing.T) {
	for _, reason := range []string{
		v1alpha1.ReasonConfigurationNotFound, v1alpha1.ReasonConfigurationInvalid, v1alpha1.ReasonConfigurationForbidden,
	} {
		s := inStage(v1alpha1.StageAborted)
		s.Route.Weight = 250
		s.Problems = []Problem{{Reason: reason, Message: "mend it"}}
		if got := Next(s).String(); got != "set the weight of standby to 0%" {
			t.Errorf("%s: %q", reason, got)
		}
	}
}

// TestConfigurationRestartsPods holds that a change restarts pods from the next whole second on, and that there is nothing
// to restart before the first stable.
func TestConfigurationRestartsPods(t *testing.T) {
	s := inStage(v1alpha1.StageIdle)
	s.Now = s.Now.Truncate(time.Second).Add(time.Millisecond)
	s.Changed = []string{"Secret database"}
	plan := Next(s)
	if want := s.Now.Truncate(time.Second).Add(time.Second); !plan.State.RestartAt.Time.Equal(want) {
		t.Errorf("restart at %s, want %s", plan.State.RestartAt, want)
	}
	if len(plan.Events) != 1 || plan.Events[0].Message != "every pod is being replaced because Secret database changed" {
		t.Errorf("events %v", plan.Events)
	}
	s = inStage(v1alpha1.StageInitial)
	s.State.Stable, s.Changed = "", []string{"Secret database"}
	if plan := Next(s); !plan.State.RestartAt.IsZero() || len(plan.Events) > 0 {
		t.Errorf("restart at %s, events %v", plan.State.RestartAt, plan.Events)
	}
}

// TestASupersededReleaseSaysWhatChanged holds that a change of configuration in mid-release is told by its name.
func TestASupersededReleaseSaysWhatChanged(t *testing.T) {
	s := canary()
	s.Target, s.Superseding = "v3", []string{"ConfigMap web-config"}
	plan := Next(s)
	if want := "revision v3 takes its place because ConfigMap web-config changed"; plan.State.Message != want {
		t.Errorf("%q, want %q", plan.State.Message, want)
	}
}
