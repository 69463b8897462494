package planner

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// goingBack is at rest on v4, after v1, v2 and v3 were stable in this order, and asks for v2.
func goingBack(change func(*Snapshot)) Snapshot {
	s := inStage(v1alpha1.StageIdle)
	s.State.Stable, s.Target = "v4", "v2"
	s.State.Earlier = []string{"v3", "v2", "v1"}
	s.Revisions = []Revision{
		{Hash: "v1", Number: 1},
		{Hash: "v2", Number: 2},
		{Hash: "v3", Number: 3},
		{Hash: "v4", Number: 4, Desired: 4, Created: 4, Ready: 4, Available: 4},
	}
	s.Active.Revision, s.Active.Endpoints = "v4", []Endpoints{{Revision: "v4", Ready: 4}}
	s.Standby.Revision, s.Standby.Endpoints = "v4", s.Active.Endpoints
	s.Route.Weight = 0
	s.Spec.Window = 2
	change(&s)
	return s
}

// living makes v2 one whose pods still run for a while, of a strategy that goes back to such at once.
func living(s *Snapshot) {
	s.Spec.Window, s.Spec.QuickReturn, s.Spec.ScaleDownDelay = 0, true, time.Minute
	s.Revisions[1] = Revision{Hash: "v2", Number: 2, Desired: 4, Created: 4, Ready: 4, Available: 4}
	s.State.ScaleDowns = []v1alpha1.ScaleDown{{Revision: "v2", At: metav1.NewMicroTime(noon().Add(time.Second))}}
}

func TestWhatIsARollback(t *testing.T) {
	both := func(first, then func(*Snapshot)) func(*Snapshot) {
		return func(s *Snapshot) { first(s); then(s) }
	}
	for name, row := range map[string]struct {
		change func(*Snapshot)
		want   string // empty: a release with steps
	}{
		"within the window":    {func(*Snapshot) {}, "a rollback to revision 2 within the window of 2 revisions"},
		"outside of it":        {func(s *Snapshot) { s.Spec.Window = 1 }, ""},
		"without a window":     {func(s *Snapshot) { s.Spec.Window = 0 }, ""},
		"never stable":         {func(s *Snapshot) { s.State.Earlier = []string{"v3", "v1"} }, ""},
		"not seen yet":         {func(s *Snapshot) { s.Target = "v5" }, ""},
		"without a ReplicaSet": {func(s *Snapshot) { s.Revisions = s.Revisions[2:] }, ""},
		"those that are gone do not count": {func(s *Snapshot) {
			s.Spec.Window = 1
			s.Revisions = append(s.Revisions[:2:2], s.Revisions[3])
		}, "a rollback to revision 2 within the window of 1 revision"},
		"its pods still run":     {living, "a rollback to revision 2, whose 4 pods still run"},
		"one of them does not":   {both(living, func(s *Snapshot) { s.Revisions[1].Available = 3 }), ""},
		"they go now":            {both(living, func(s *Snapshot) { s.State.ScaleDowns[0].At = metav1.NewMicroTime(noon()) }), ""},
		"of a canary":            {both(living, func(s *Snapshot) { s.Spec.QuickReturn = false }), ""},
		"after a scale-up":       {both(living, func(s *Snapshot) { s.Spec.Replicas = 5 }), ""},
		"of what was not stable": {both(living, func(s *Snapshot) { s.State.Earlier = nil }), ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := goingBack(row.change)
			plan := Next(s)
			if plan.State.Candidate != s.Target || plan.State.Message != row.want || plan.State.Full != (row.want != "") {
				t.Errorf("candidate %q, full %v, %q; want %q", plan.State.Candidate, plan.State.Full, plan.State.Message, row.want)
			}
			if diff := cmp.Diff(s.State.Earlier, plan.State.Earlier); diff != "" {
				t.Errorf("what was stable before (-want +got):\n%s", diff)
			}
		})
	}
}

// TestARollback goes through the stages of one: no step, no gate, and a record that says what it was.
func TestARollback(t *testing.T) {
	s := goingBack(func(*Snapshot) {})
	s.State = Next(s).State
	s.Spec.Steps[0].Gates, s.Spec.Background = []Gate{{Kind: PersonGate}}, 0
	begun := Next(s)
	if got, want := begun.String(), "scale v2 to 4 pods"; got != want {
		t.Errorf("it does %q, want %q", got, want)
	}
	if got, want := begun.Why.Message, "the rollback: 0 of 4 pods of v2 are available"; got != want || begun.State.Stage != v1alpha1.StagePromoting {
		t.Errorf("stage %s, %q, want %q", begun.State.Stage, got, want)
	}
	s.State = begun.State
	s.Revisions[1] = Revision{Hash: "v2", Number: 5, Desired: 4, Created: 4, Ready: 4, Available: 4}
	s.Active.Revision, s.Active.Endpoints = "v2", []Endpoints{{Revision: "v2", Ready: 4}}
	s.Standby.Revision, s.Standby.Endpoints = "v2", s.Active.Endpoints
	s.State.ShiftedAt = metav1.NewMicroTime(noon().Add(-time.Minute))
	aborted := s
	aborted.Command = v1alpha1.Command{Action: v1alpha1.ActionAbort, Revision: "v2", ID: "1"}
	if got := Next(aborted); got.State.Reason != v1alpha1.ReasonAborted || got.State.Message != "aborted by hand at the rollback" {
		t.Errorf("an abort gives %s: %s", got.State.Reason, got.State.Message)
	}
	done := Next(s)
	got := [3]string{string(done.Record.Outcome), done.Record.Reason, done.Record.Step}
	if want := [3]string{"Promoted", "RolledBack", ""}; got != want {
		t.Errorf("the record has %q, want %q", got, want)
	}
	if diff := cmp.Diff([]string{"v4", "v3", "v1"}, done.State.Earlier); diff != "" {
		t.Errorf("what was stable before (-want +got):\n%s", diff)
	}
}

// TestARetryOfARollback holds that it is one again.
func TestARetryOfARollback(t *testing.T) {
	s := goingBack(func(s *Snapshot) {
		s.State.Stage, s.State.Candidate, s.State.Reason = v1alpha1.StageAborted, "v2", v1alpha1.ReasonAborted
		s.Command = v1alpha1.Command{Action: v1alpha1.ActionRetry, Revision: "v2", ID: "1"}
	})
	plan := Next(s)
	if !plan.State.Full || plan.Command.Message != "revision v2 is released again, without steps" {
		t.Errorf("full %v: %s", plan.State.Full, plan.Command.Message)
	}
}

func TestMostEarlier(t *testing.T) {
	s := goingBack(func(s *Snapshot) {
		s.State.Earlier = nil
		for range mostEarlier {
			hash := "w" + string(rune('a'+len(s.State.Earlier)))
			s.State.Earlier = append(s.State.Earlier, hash)
			s.Revisions = append(s.Revisions, Revision{Hash: hash})
		}
	})
	p := &pass{Snapshot: s, state: s.State}
	p.state.Stable = "v5"
	p.rememberStable("v4")
	if n := len(p.state.Earlier); n != mostEarlier || p.state.Earlier[0] != "v4" {
		t.Errorf("%d revisions from %s on, want %d from v4 on", n, p.state.Earlier[0], mostEarlier)
	}
}
