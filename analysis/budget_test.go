package analysis

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/utils/ptr"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// gateRun is a run of a gate with metrics of these names, each another test.
func gateRun(gate string, metrics ...string) v1alpha1.AnalysisRunSpec {
	spec := ratioRun()
	spec.Gate = gate
	for _, name := range metrics {
		m := ratioMetric()
		m.Name = name
		spec.Metrics = append(spec.Metrics, m)
	}
	return spec
}

// had is an earlier run, with a memory that names it.
func had(spec v1alpha1.AnalysisRunSpec, phase v1alpha1.AnalysisPhase) v1alpha1.AnalysisRun {
	run := v1alpha1.AnalysisRun{Spec: spec, Status: v1alpha1.AnalysisRunStatus{Phase: phase}}
	run.Name = "web-" + spec.Gate
	for _, m := range spec.Metrics {
		run.Status.Metrics = append(run.Status.Metrics, v1alpha1.MetricResult{
			Name: m.Name, Comparison: &v1alpha1.Comparison{Memory: "of " + run.Name, Evidence: "0.5"},
		})
	}
	return run
}

// endowed is a run with what a release gives it.
func endowed(spec v1alpha1.AnalysisRunSpec, release Release) v1alpha1.AnalysisRunSpec {
	release.Endow(&spec)
	return spec
}

func TestEndow(t *testing.T) {
	steps := []v1alpha1.AnalysisRunSpec{gateRun("step-1", "errors"), gateRun("step-2", "errors"), gateRun("step-4", "errors")}
	beside := append([]v1alpha1.AnalysisRunSpec{gateRun(GateBackground, "errors")}, steps...)
	more := append(steps[:2:2], gateRun("step-4", "errors", "timeouts"))
	first := endowed(steps[0], Release{Planned: steps})
	for name, row := range map[string]struct {
		spec    v1alpha1.AnalysisRunSpec
		release Release
		budget  string
		steps   int32
		from    string // of the run whose evidence goes on
	}{
		"one analysis has all": {steps[0], Release{Planned: steps[:1]}, "1%", 1, ""},
		"steps are one test":   {steps[0], Release{Planned: steps}, "1%", 3, ""},
		"and go on from the one before": {
			steps[1], Release{Planned: steps, Earlier: []v1alpha1.AnalysisRun{had(first, v1alpha1.AnalysisPassed)}}, "1%", 2, "web-step-1",
		},
		"also from one that was stopped": {
			steps[2], Release{Planned: steps, Earlier: []v1alpha1.AnalysisRun{had(first, v1alpha1.AnalysisStopped)}}, "1%", 1, "web-step-1",
		},
		"not from one that was overruled": {
			steps[1], Release{Planned: steps, Earlier: []v1alpha1.AnalysisRun{had(first, v1alpha1.AnalysisFailed)}}, "1%", 2, "",
		},
		"the background is another":      {steps[0], Release{Planned: beside, Weights: 4}, "0.5%", 3, ""},
		"which knows of all weights":     {beside[0], Release{Planned: beside, Weights: 4}, "0.5%", 4, ""},
		"a metric of a later step, too":  {more[0], Release{Planned: more}, "0.5%", 3, ""},
		"and both have their parts then": {more[2], Release{Planned: more}, "1%", 1, ""},
		"what an edit adds shares what is left": {
			more[2],
			Release{Planned: more, Earlier: []v1alpha1.AnalysisRun{had(withBudget(first, "0.6%"), v1alpha1.AnalysisPassed)}},
			"1%", 1, "web-step-1",
		},
		"what is tried out needs no part": {
			steps[0], Release{Planned: append(steps[:1:1], triedOut(gateRun(GateBackground, "errors")))}, "1%", 1, "",
		},
		"and has none": {triedOut(steps[0]), Release{Planned: steps}, "", 3, ""},
		"nothing that is weighed": {
			v1alpha1.AnalysisRunSpec{Gate: "step-1", Metrics: []v1alpha1.Metric{{Name: "limit", SuccessCondition: "result < 1"}}},
			Release{Planned: steps},
			"", 0, "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := endowed(row.spec, row.release)
			if got.ErrorBudget != row.budget || got.PlannedSteps != row.steps {
				t.Errorf("budget %s, %d steps; want %s, %d", got.ErrorBudget, got.PlannedSteps, row.budget, row.steps)
			}
			var want []v1alpha1.CarriedEvidence
			if row.from != "" {
				want = []v1alpha1.CarriedEvidence{{
					Metric: "errors", Run: row.from, Gate: strings.TrimPrefix(row.from, "web-"), Evidence: "0.5", Memory: "of " + row.from,
				}}
			}
			if diff := cmp.Diff(want, got.Carried); diff != "" {
				t.Errorf("carried (-want +got):\n%s", diff)
			}
		})
	}
}

// triedOut makes all metrics of a run such that decide nothing.
func triedOut(spec v1alpha1.AnalysisRunSpec) v1alpha1.AnalysisRunSpec {
	spec.Metrics = slices.Clone(spec.Metrics)
	for i := range spec.Metrics {
		spec.Metrics[i].DryRun = ptr.To(true)
	}
	return spec
}

func withBudget(spec v1alpha1.AnalysisRunSpec, budget string) v1alpha1.AnalysisRunSpec {
	spec.ErrorBudget = budget
	return spec
}

// TestEvidenceGoesOn holds that a run goes on from the evidence of the one before, tells of it, and counts its own requests
// for whether it saw enough.
func TestEvidenceGoesOn(t *testing.T) {
	steps := []v1alpha1.AnalysisRunSpec{gateRun("step-1", "errors"), gateRun("step-2", "errors")}
	first := endowed(steps[0], Release{Planned: steps})
	run := v1alpha1.AnalysisRun{Spec: first, Status: follow(t, first, &counting{answers: []Count{batch(2, 300, 9, 2700)}}, 20)}
	second := endowed(steps[1], Release{Planned: steps, Earlier: []v1alpha1.AnalysisRun{run}})
	status := follow(t, second, &counting{answers: []Count{batch(6, 300, 9, 2700)}}, 4)
	c := status.Metrics[0].Comparison
	if c.Candidate.Total != 4*300 || c.Ratio != "6" {
		t.Errorf("×%s of %d requests, want those of this step alone, ×6 of 1200", c.Ratio, c.Candidate.Total)
	}
	if got, want := evidenceOf(t, second, c), evidenceOf(t, first, run.Status.Metrics[0].Comparison, batch(6, 300, 9, 2700)); got != want {
		t.Errorf("evidence %v, want %v", got, want)
	}
	if !strings.Contains(status.Message, "fails at 100 (goes on from ") || !strings.Contains(status.Message, " of step-1)") {
		t.Errorf("message %q, want one that tells of step-1", status.Message)
	}
}

// evidenceOf is the evidence of harm and of none that a run has come to, and comes to with four batches more.
func evidenceOf(t *testing.T, spec v1alpha1.AnalysisRunSpec, left *v1alpha1.Comparison, more ...Count) [2]float64 {
	t.Helper()
	test, err := resumed(spec, 0, left)
	if err != nil {
		t.Fatal(err)
	}
	for _, counted := range more {
		test.step()
		for range 4 {
			if err := test.observe(Counted{Batch: counted.Batch}); err != nil {
				t.Fatal(err)
			}
		}
	}
	return [2]float64{test.fail(), test.pass()}
}
