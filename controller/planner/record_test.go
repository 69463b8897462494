package planner

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// TestTheFiguresOfARelease holds that a record has the largest figures of a release, not the last.
func TestTheFiguresOfARelease(t *testing.T) {
	s := canary(Gate{Kind: PersonGate})
	s.Analyses = []Analysis{
		{Gate: GateBackground, Phase: v1alpha1.AnalysisFailed},
		{Gate: StepGate(0), Phase: v1alpha1.AnalysisPassed},
		{Gate: StepGate(1), Phase: v1alpha1.AnalysisInconclusive},
		{Gate: StepGate(2), Phase: v1alpha1.AnalysisStopped},
	}
	s.State = Next(s).State // retreats
	if s.State.MostWeight != 250 || s.State.MostAvailable != 1 {
		t.Fatalf("most weight %d, most available %d", s.State.MostWeight, s.State.MostAvailable)
	}
	s.Route.Weight, s.Revisions[1] = 0, Revision{Hash: "v2", Number: 2}
	s.State.ShiftedAt = metav1.NewMicroTime(noon().Add(-s.Spec.Settle))
	got := Next(s).Record
	want := &v1alpha1.ReleaseRecord{
		Revision: "v2", Outcome: v1alpha1.OutcomeAborted, Reason: v1alpha1.ReasonAnalysisFailed,
		Message: "analysis background failed at step 1/2: ", Step: "1/2", Attempt: 2, MostWeight: "25", MostAvailable: 1,
		Analyses: &v1alpha1.VerdictCounts{Passed: 1, Failed: 1, Inconclusive: 1}, EndedAt: metav1.NewMicroTime(noon()),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestTheFiguresBeginAgain holds that a release does not inherit the figures of the one before.
func TestTheFiguresBeginAgain(t *testing.T) {
	s := inStage(v1alpha1.StageAborted)
	s.State.MostWeight, s.State.MostAvailable = 500, 9
	s.Target = "v3"
	got := Next(s).State
	if got.MostWeight != 0 || got.MostAvailable != 0 {
		t.Errorf("most weight %d, most available %d", got.MostWeight, got.MostAvailable)
	}
	s = inStage(v1alpha1.StageInitial)
	s.State.MostAvailable = 9
	s.Target = "v3"
	if got := Next(s).State.MostAvailable; got != 0 {
		t.Errorf("first revision: most available %d", got)
	}
}

// TestTheFirstRecord has no share of the traffic.
func TestTheFirstRecord(t *testing.T) {
	s := inStage(v1alpha1.StageInitial)
	s.Revisions = []Revision{{Hash: "v2", Number: 1, Desired: 4, Created: 4, Ready: 4, Available: 4}}
	s.Route.Weight = 0
	want := &v1alpha1.ReleaseRecord{
		Revision: "v2", Outcome: v1alpha1.OutcomePromoted, Reason: v1alpha1.ReasonPromoted, Message: "first revision", Attempt: 2,
		MostAvailable: 4,
	}
	if diff := cmp.Diff(want, Next(s).Record, cmpopts.IgnoreFields(v1alpha1.ReleaseRecord{}, "EndedAt")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestTheStatusSaysWhatIsLaidOverTheWeight, as it has been observed and not as the step asks for it.
func TestTheStatusSaysWhatIsLaidOverTheWeight(t *testing.T) {
	for name, row := range map[string]struct {
		overlay int32
		words   string
		want    string
	}{
		"nothing":        {v1alpha1.NoOverlay, "yes", ""},
		"requests":       {1, "yes", "requests with header x-canary=yes"},
		"something else": {OverlayUnknown, "yes", "something that no step asks for"},
		"a long value":   {1, strings.Repeat("ä", 2000), "requests with header x-canary=" + strings.Repeat("ä", 993) + "…"},
	} {
		s := overlaid(func(s *Snapshot) {
			s.Route.Overlay, s.Spec.Overlays[1].Match[0].Headers[0].Value = row.overlay, row.words
		})
		if got := Record(v1alpha1.RolloutStatus{Overlay: "before"}, s, Next(s), 1).Overlay; got != row.want {
			t.Errorf("%s: %q, want %q", name, got, row.want)
		}
	}
}

// TestAnAttemptHasAReplicaSet holds that a first revision of which nothing was made, as one that was refused, is no attempt.
func TestAnAttemptHasAReplicaSet(t *testing.T) {
	for name, tc := range map[string]struct {
		made        bool
		wantAttempt int32
	}{
		"made":       {true, 2},
		"never made": {false, 1},
	} {
		t.Run(name, func(t *testing.T) {
			s := inStage(v1alpha1.StageInitial)
			s.State.Attempt, s.Target, s.Revisions = 1, "v3", nil
			if tc.made {
				s.Revisions = []Revision{{Hash: "v2"}}
			}
			plan := Next(s)
			if plan.State.Candidate != "v3" || plan.State.Attempt != tc.wantAttempt || (plan.Record != nil) != tc.made {
				t.Errorf("candidate %s, attempt %d, record %v; want v3, attempt %d", plan.State.Candidate, plan.State.Attempt, plan.Record, tc.wantAttempt)
			}
		})
	}
}

// TestAFirstRevisionOfNoPodsIsMade holds that it is made before it is stable: its name may be taken, and stable would be nothing.
func TestAFirstRevisionOfNoPodsIsMade(t *testing.T) {
	s := inStage(v1alpha1.StageInitial)
	s.Spec.Replicas, s.Revisions, s.Route.Weight = 0, nil, 0
	if plan := Next(s); plan.State.Stable != "v2" || plan.String() != "create v2 with 0 pods" {
		t.Errorf("stable %q, %q", plan.State.Stable, plan)
	}
}
