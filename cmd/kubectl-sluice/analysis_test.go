package main

import (
	"context"
	"fmt"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clocktesting "k8s.io/utils/clock/testing"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/sluice-dev/sluice/analysis"
	"github.com/sluice-dev/sluice/analysis/judge"
	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/builder"
)

// compared is the AnalysisRun of checkout's last release, after so many batches: a burst of errors, and nothing else.
func compared(batches int) *v1alpha1.AnalysisRun {
	run := builder.AnalysisRun("checkout-"+stable+"-1-step-1").Namespace("shop").For("checkout", stable, "step-1").Obj()
	begin := now().Add(-time.Hour)
	run.CreationTimestamp = metav1.NewTime(begin)
	run.Spec.Metrics = []v1alpha1.Metric{{
		Name: "errors", Interval: &metav1.Duration{Duration: 30 * time.Second}, Count: ptr.To[int32](20),
		Ratio: &v1alpha1.RatioMetric{
			Candidate: v1alpha1.RequestCounters{Bad: "errors{v=\"2\"}", Total: "requests{v=\"2\"}"},
			Stable:    v1alpha1.RequestCounters{Bad: "errors{v=\"1\"}", Total: "requests{v=\"1\"}"},
		},
		Provider: v1alpha1.MetricProvider{Prometheus: &v1alpha1.PrometheusMetric{}},
	}}
	run.Status = analysis.Next(run.Spec, run.Status, begin).Status
	for i := range batches {
		b := judge.Batch{Candidate: judge.Arm{Bad: float64(16 + i%2), Total: 3000}, Stable: judge.Arm{Bad: 60, Total: 12000}}
		if i > 0 && i < 5 {
			b.Candidate.Bad = 36
		}
		until := begin.Add(time.Duration(i+1) * 30 * time.Second)
		at := until.Add(v1alpha1.RatioLag)
		run.Status = analysis.Record(run.Spec, run.Status, []analysis.Measured{{
			Metric: "errors", Counted: &analysis.Counted{Batch: b, Until: until},
			Measurement: v1alpha1.Measurement{
				At: metav1.NewMicroTime(at), State: v1alpha1.MeasurementSuccessful, Value: fmt.Sprint(b.Candidate.Rate()),
				Message: fmt.Sprintf("candidate %.0f bad of 3000, stable 60 bad of 12000", b.Candidate.Bad),
			},
		}}, at)
	}
	return run
}

// gated is a run of web that ended so long ago.
func gated(gate string, phase v1alpha1.AnalysisPhase, ended time.Duration) *v1alpha1.AnalysisRun {
	run := builder.AnalysisRun("web-"+candidate+"-1-"+gate).Namespace("shop").For("web", candidate, gate).Obj()
	run.CreationTimestamp = ago(ended + 10*time.Minute)
	run.Status = v1alpha1.AnalysisRunStatus{
		Phase: phase, StartedAt: metav1.NewMicroTime(run.CreationTimestamp.Time), CompletedAt: metav1.NewMicroTime(now().Add(-ended)),
		Message: "errors: " + string(phase),
	}
	return run
}

func TestAnalysis(t *testing.T) {
	over := []client.Object{
		rollout("web"), gated("step-1", v1alpha1.AnalysisPassed, 30*time.Minute), gated("step-2", v1alpha1.AnalysisFailed, 5*time.Minute),
		gated("background", v1alpha1.AnalysisStopped, 5*time.Minute+time.Second),
	}
	mixed := append(release(), gated("step-0", v1alpha1.AnalysisPassed, 30*time.Minute))
	for name, tc := range map[string]struct {
		args    []string
		objects []client.Object
		change  func(*environment)
	}{
		"of-a-rollout":   {args: []string{"web"}, objects: mixed},
		"of-a-release":   {args: []string{"rollout/web"}, objects: over},
		"of-nothing":     {args: []string{"web"}, objects: []client.Object{rollout("web")}},
		"by-name":        {args: []string{compared(20).Name}, objects: []client.Object{compared(20)}},
		"by-kind":        {args: []string{"ar/" + compared(3).Name, "--ascii"}, objects: []client.Object{compared(3)}},
		"wide":           {args: []string{compared(20).Name, "-o", "wide"}, objects: []client.Object{compared(20)}},
		"name":           {args: []string{"web", "-o", "name"}, objects: mixed},
		"jsonpath":       {args: []string{"web", "-o", "jsonpath={.items[*].status.phase}"}, objects: over},
		"jsonpath-named": {args: []string{compared(20).Name, "-o", "jsonpath={.status.metrics[*].comparison.history.points}"}, objects: []client.Object{compared(20)}},
		"narrow": {args: []string{compared(20).Name}, objects: []client.Object{compared(20)}, change: func(e *environment) {
			e.screen.terminal, e.screen.palette, e.screen.size = true, true, func() (int, int) { return 50, 12 }
		}},
	} {
		t.Run(name, func(t *testing.T) {
			c := newTerminal(t, interceptor.Funcs{}, tc.objects...)
			if tc.change != nil {
				tc.change(c.environment)
			}
			c.expectGolden(t, c.run(t, append([]string{"analysis"}, tc.args...)...), exitDone, "analysis-"+name)
		})
	}
}

func TestAnalysisWatches(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c := newTerminal(t, interceptor.Funcs{}, rollout("checkout"), compared(2))
	c.clock = hurried{clocktesting.NewFakeClock(now())}
	update := func() {
		run := compared(20)
		if err := c.server.Get(ctx, key(run.Name), run); err != nil {
			t.Error(err)
		}
		run.Status = compared(20).Status
		if err := c.server.Update(ctx, run); err != nil {
			t.Error(err)
		}
	}
	c.out.after = []func(){update, cancel}
	c.expectGolden(t, run(ctx, c.environment, []string{"analysis", "checkout", "--watch"}), exitInterrupted, "analysis-watch")
}

func TestAnalysisOfWhatGoesAway(t *testing.T) {
	for name, tc := range map[string]struct {
		argument, want string
		gone           client.Object
	}{
		"a run":     {compared(2).Name, "AnalysisRun \"checkout-" + stable + "-1-step-1\" was deleted", compared(2)},
		"a rollout": {"checkout", "rollout \"checkout\" was deleted", rollout("checkout")},
	} {
		t.Run(name, func(t *testing.T) {
			c := newTerminal(t, interceptor.Funcs{}, rollout("checkout"), compared(2))
			c.clock = hurried{clocktesting.NewFakeClock(now())}
			c.out.after = []func(){func() {
				if err := c.server.Delete(t.Context(), tc.gone); err != nil {
					t.Error(err)
				}
			}}
			code := c.run(t, "analysis", tc.argument, "-w")
			c.expect(t, code, exitFailed, c.out.String(), "error: "+tc.want+"\n")
		})
	}
}

func TestAnalysisOfNothing(t *testing.T) {
	for argument, want := range map[string]string{
		"chekout":          "there is neither a rollout nor an AnalysisRun \"chekout\" in namespace \"shop\"; did you mean \"checkout\"?",
		"payments":         "there is neither a rollout nor an AnalysisRun \"payments\" in namespace \"shop\"",
		"ar/checkout-1":    "there is no AnalysisRun \"checkout-1\" in namespace \"shop\"",
		"analysisrun/step": "there is no AnalysisRun \"step\" in namespace \"shop\"; did you mean \"checkout-" + stable + "-1-step-1\"?",
	} {
		t.Run(argument, func(t *testing.T) {
			c := newTerminal(t, interceptor.Funcs{}, rollout("checkout"), compared(2))
			c.expect(t, c.run(t, "analysis", argument), exitFailed, "", "error: "+want+"\n")
		})
	}
}
