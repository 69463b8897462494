package planner

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// TestPolicies has one row for each thing that may become of a release by an analysis that ended, or cannot be measured, 10
// minutes ago.
func TestPolicies(t *testing.T) {
	const (
		goesOn = "goes on"
		holds  = "holds"
		aborts = "aborts"
	)
	do := func(action v1alpha1.ReactionAction) Reaction { return Reaction{Do: action} }
	abort, hold, on := do(v1alpha1.ReactionAbort), do(v1alpha1.ReactionHold), do(v1alpha1.ReactionContinue)
	limited := func(limit time.Duration, then v1alpha1.ReactionAction) Reaction {
		return Reaction{Do: v1alpha1.ReactionHold, For: limit, Then: then}
	}
	failed, inconclusive, running := v1alpha1.AnalysisFailed, v1alpha1.AnalysisInconclusive, v1alpha1.AnalysisRunning
	for name, row := range map[string]struct {
		phase    v1alpha1.AnalysisPhase
		policy   Policy
		promoted bool
		want     string
	}{
		"failed":                                 {failed, Policy{}, false, aborts},
		"failed, and a pause was promoted":       {failed, Policy{}, true, aborts},
		"failed, told to hold":                   {failed, Policy{OnFailed: hold}, false, holds},
		"failed, told to hold, and overruled":    {failed, Policy{OnFailed: hold}, true, goesOn},
		"failed, told to go on":                  {failed, Policy{OnFailed: on}, false, goesOn},
		"failed, with time left":                 {failed, Policy{OnFailed: limited(time.Hour, "Abort")}, false, holds},
		"failed, and the time is up":             {failed, Policy{OnFailed: limited(10*time.Minute, "Abort")}, false, aborts},
		"failed, overruled before":               {failed, Policy{OnFailed: limited(10*time.Minute, "Abort")}, true, goesOn},
		"inconclusive":                           {inconclusive, Policy{}, false, holds},
		"inconclusive, and promoted":             {inconclusive, Policy{}, true, goesOn},
		"inconclusive, told to abort":            {inconclusive, Policy{OnInconclusive: abort}, false, aborts},
		"inconclusive, told to go on":            {inconclusive, Policy{OnInconclusive: on}, false, goesOn},
		"inconclusive, with time left":           {inconclusive, Policy{OnInconclusive: limited(time.Hour, "Continue")}, false, holds},
		"inconclusive, and then it goes on":      {inconclusive, Policy{OnInconclusive: limited(time.Minute, "Continue")}, false, goesOn},
		"inconclusive, and then it aborts":       {inconclusive, Policy{OnInconclusive: limited(time.Minute, "Abort")}, false, aborts},
		"stopped by somebody":                    {v1alpha1.AnalysisStopped, Policy{}, false, holds},
		"not measured":                           {running, Policy{}, false, holds},
		"not measured, with time left":           {running, Policy{OnError: limited(time.Hour, "Abort")}, false, holds},
		"not measured, and then it aborts":       {running, Policy{OnError: limited(time.Minute, "Abort")}, false, aborts},
		"not measured, and then it goes on":      {running, Policy{OnError: limited(time.Minute, "Continue")}, false, goesOn},
		"not measured, which nobody can promote": {running, Policy{OnError: hold}, true, holds},
	} {
		for _, gate := range []string{StepGate(0), GateBackground} {
			t.Run(name+" at "+gate, func(t *testing.T) {
				s := canary()
				if gate == GateBackground {
					s.Spec.Background = 0
				} else {
					s.Spec.Steps[0].Gates = []Gate{{Kind: AnalysisGate, Name: gate}}
				}
				s.Spec.Policies = map[string]Policy{gate: row.policy}
				a := Analysis{Name: "run", Gate: gate, Phase: row.phase, EndedAt: noon().Add(-10 * time.Minute)}
				if row.phase == running {
					a.EndedAt, a.FaultyAt = time.Time{}, noon().Add(-10*time.Minute)
				}
				s.Analyses = []Analysis{a}
				if row.promoted {
					s.State.PromotedAt = metav1.NewMicroTime(noon().Add(-time.Minute))
				}
				want := row.want
				if gate == GateBackground && row.phase == running && want == holds {
					want = goesOn // what runs beside the steps holds none of them
				}
				if got := became(Next(s)); got != want {
					t.Errorf("it %s, want that it %s: %s", got, want, Next(s).Why.Message)
				}
			})
		}
	}
}

// became says what a pass made of a release at its first step.
func became(plan Plan) string {
	switch {
	case plan.State.Stage == v1alpha1.StageRetreating:
		return "aborts"
	case plan.State.Step > 0:
		return "goes on"
	}
	return "holds"
}

// TestAHoldEndsByItself holds that a hold tells when it ends, and asks for a look then.
func TestAHoldEndsByItself(t *testing.T) {
	s := canary(Gate{Kind: AnalysisGate, Name: StepGate(0)})
	s.Spec.Policies = map[string]Policy{StepGate(0): {OnInconclusive: Reaction{Do: v1alpha1.ReactionHold, For: time.Hour, Then: v1alpha1.ReactionAbort}}}
	s.Analyses = []Analysis{{Name: "run", Gate: StepGate(0), Phase: v1alpha1.AnalysisInconclusive, EndedAt: noon()}}
	plan := Next(s)
	if !plan.WakeAt.Equal(noon().Add(time.Hour)) || !plan.Waiting {
		t.Errorf("it looks again at %s, waiting %v; want in an hour", plan.WakeAt, plan.Waiting)
	}
	if want := "promote or abort; at " + noon().Add(time.Hour).UTC().Format(time.RFC3339) + " it is aborted"; !strings.Contains(plan.Why.Message, want) {
		t.Errorf("message %q, want one with %q", plan.Why.Message, want)
	}
}
