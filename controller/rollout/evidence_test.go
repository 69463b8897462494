package rollout

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/builder"
)

// comparing is a Rollout at rest whose two steps compare both versions, and another comparison beside them.
func comparing(t *testing.T) *harness {
	t.Helper()
	template := func(name string, count *int32) *v1alpha1.AnalysisTemplate {
		obj := builder.AnalysisTemplate(name, builder.Metric("errors", "up")).Namespace(namespace).Obj()
		obj.Spec.Metrics[0] = v1alpha1.Metric{
			Name: "errors", Interval: &metav1.Duration{Duration: 15 * time.Second}, Count: count,
			Ratio: &v1alpha1.RatioMetric{
				Candidate: v1alpha1.RequestCounters{Bad: "a", Total: "b"}, Stable: v1alpha1.RequestCounters{Bad: "c", Total: "d"},
			},
			Provider: v1alpha1.MetricProvider{Prometheus: &v1alpha1.PrometheusMetric{}},
		}
		return obj
	}
	rollout := builder.Rollout("web").Namespace(namespace).Image(imageV1).Replicas(4).Services("web").Routes("web").
		Canary(builder.Step().Weight("20").Analysis("steps"), builder.Step().Weight("50").Analysis("steps")).Obj()
	rollout.Spec.Strategy.Canary.Analysis = &v1alpha1.BackgroundAnalysis{
		Analysis: v1alpha1.Analysis{Templates: []v1alpha1.AnalysisTemplateReference{{Name: "beside"}}},
	}
	h := newHarness(t, append(network(), rollout, template("steps", ptr.To[int32](20)), template("beside", nil))...)
	h.settle()
	return h
}

// runs are the AnalysisRuns by gate.
func (h *harness) runs() map[string]*v1alpha1.AnalysisRun {
	h.t.Helper()
	var list v1alpha1.AnalysisRunList
	if err := h.base.List(h.t.Context(), &list); err != nil {
		h.t.Fatal(err)
	}
	out := map[string]*v1alpha1.AnalysisRun{}
	for i := range list.Items {
		out[list.Items[i].Spec.Gate] = &list.Items[i]
	}
	return out
}

// passes gives a run its verdict, with what it has seen.
func (h *harness) passes(gate, memory string) {
	h.t.Helper()
	run := h.runs()[gate]
	run.Status.Phase = v1alpha1.AnalysisPassed
	run.Status.Metrics = []v1alpha1.MetricResult{{
		Name: "errors", Phase: v1alpha1.AnalysisPassed, Comparison: &v1alpha1.Comparison{Evidence: "0.3", Limit: "200", Memory: memory},
	}}
	if err := h.base.Status().Update(h.t.Context(), run); err != nil {
		h.t.Fatal(err)
	}
}

// TestAnalysesOfAReleaseAreOneTest holds that the comparisons of a release share the odds of a false abort, and that the
// second step goes on from what the first has seen.
func TestAnalysesOfAReleaseAreOneTest(t *testing.T) {
	h := comparing(t)
	h.release(imageV2)
	h.settle()
	h.passes("step-1", "of the first step")
	h.settle()
	first, second := h.runs()["step-1"], h.runs()["step-2"]
	for _, row := range []struct {
		of    *v1alpha1.AnalysisRun
		steps int32
		want  []v1alpha1.CarriedEvidence
	}{
		{first, 2, nil},
		{second, 1, []v1alpha1.CarriedEvidence{{
			Metric: "errors", Run: first.Name, Gate: "step-1", Evidence: "0.3", Memory: "of the first step",
		}}},
		{h.runs()["background"], 2, nil},
	} {
		got := row.of.Spec
		if got.ErrorBudget != "0.5%" || got.PlannedSteps != row.steps {
			t.Errorf("%s has %s and %d steps, want 0.5%% and %d", got.Gate, got.ErrorBudget, got.PlannedSteps, row.steps)
		}
		if diff := cmp.Diff(row.want, got.Carried); diff != "" {
			t.Errorf("%s goes on from (-want +got):\n%s", got.Gate, diff)
		}
	}
}

// TestAnAnalysisBesideTheStepsHearsOfEachShift holds that what moves traffic is told in time, and that it has settled when
// the next batch begins.
func TestAnAnalysisBesideTheStepsHearsOfEachShift(t *testing.T) {
	h := comparing(t)
	h.release(imageV2)
	h.settle()
	h.clock.SetTime(h.clock.Now().Add(time.Minute))
	h.passes("step-1", "")
	h.settle()
	shifts := h.runs()["background"].Spec.Shifts
	if diff := cmp.Diff([]string{"20", "", "50"}, weightsOf(shifts)); diff != "" {
		t.Fatalf("told (-want +got):\n%s", diff)
	}
	if moved := shifts[1].At.Sub(shifts[0].At.Time); moved < time.Minute {
		t.Errorf("traffic rested for %s, want at least a minute", moved)
	}
	if settled := shifts[2].At.Sub(shifts[1].At.Time); settled < settle {
		t.Errorf("traffic moved for %s, want at least the settle time of %s", settled, settle)
	}
	h.passes("step-2", "")
	h.settle()
	if got := h.rollout().Status; got.Phase != v1alpha1.PhaseHealthy {
		t.Errorf("%s: %s", got.Phase, got.Message)
	}
	last := h.runs()["background"].Spec
	if diff := cmp.Diff([]string{"20", "", "50", ""}, weightsOf(last.Shifts)); diff != "" || !last.Terminate {
		t.Errorf("terminate %v; told of the promotion (-want +got):\n%s", last.Terminate, diff)
	}
}

func weightsOf(shifts []v1alpha1.TrafficShift) []string {
	var all []string
	for _, shift := range shifts {
		all = append(all, shift.Weight)
	}
	return all
}
