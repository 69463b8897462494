package render_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/sluice-dev/sluice/analysis"
	"github.com/sluice-dev/sluice/analysis/judge"
	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/cmd/kubectl-sluice/render"
	"github.com/sluice-dev/sluice/test/builder"
	"github.com/sluice-dev/sluice/test/golden"
)

const every = 30 * time.Second

// errorsOf compares the errors of both versions.
func errorsOf(count *int32) v1alpha1.Metric {
	selectors := func(version string) v1alpha1.RequestCounters {
		return v1alpha1.RequestCounters{Bad: `errors{v="` + version + `"}`, Total: `requests{v="` + version + `"}`}
	}
	return v1alpha1.Metric{
		Name: "errors", Interval: &metav1.Duration{Duration: every}, Count: count,
		Ratio:    &v1alpha1.RatioMetric{Candidate: selectors("2"), Stable: selectors("1")},
		Provider: v1alpha1.MetricProvider{Prometheus: &v1alpha1.PrometheusMetric{}},
	}
}

// rate compares a figure with conditions.
func rate(change ...func(*v1alpha1.Metric)) v1alpha1.Metric {
	m := v1alpha1.Metric{
		Name: "success-rate", Interval: &metav1.Duration{Duration: every}, Count: ptr.To[int32](5), FailureLimit: 1,
		SuccessCondition: "result >= 0.99",
		Provider:         v1alpha1.MetricProvider{Prometheus: &v1alpha1.PrometheusMetric{Query: "up"}},
	}
	for _, f := range change {
		f(&m)
	}
	return m
}

// played is an AnalysisRun after measurements by the engine itself, a round of all metrics every 30 s.
func played(metrics []v1alpha1.Metric, rounds ...[]analysis.Measured) *v1alpha1.AnalysisRun {
	run := builder.AnalysisRun("web-"+v3+"-1-step-1").Namespace("shop").For("web", v3, "step-1").Obj()
	run.Spec.Metrics = metrics
	at := now().Add(-time.Duration(len(rounds)+1)*every - v1alpha1.RatioLag)
	run.Status = analysis.Next(run.Spec, run.Status, at).Status
	at = at.Add(v1alpha1.RatioLag)
	for _, round := range rounds {
		at = at.Add(every)
		for i := range round {
			round[i].Measurement.At = metav1.NewMicroTime(at)
			if round[i].Counted != nil {
				round[i].Counted.Until = at.Add(-v1alpha1.RatioLag)
			}
		}
		run.Status = analysis.Record(run.Spec, run.Status, round, at)
	}
	return run
}

// batch is one of the metric errors.
func batch(bad, total, stableBad, stableTotal float64) analysis.Measured {
	b := judge.Batch{Candidate: judge.Arm{Bad: bad, Total: total}, Stable: judge.Arm{Bad: stableBad, Total: stableTotal}}
	return analysis.Measured{Metric: "errors", Counted: &analysis.Counted{Batch: b}, Measurement: v1alpha1.Measurement{
		State: v1alpha1.MeasurementSuccessful, Value: fmt.Sprint(b.Candidate.Rate()),
		Message: fmt.Sprintf("candidate %.0f bad of %.0f, stable %.0f bad of %.0f", bad, total, stableBad, stableTotal),
	}}
}

// missed is a measurement without a figure.
func missed(metric string, state v1alpha1.MeasurementState, reason, message string) analysis.Measured {
	return analysis.Measured{Metric: metric, Measurement: v1alpha1.Measurement{State: state, Reason: reason, Message: message}}
}

// measured is a figure of the metric success-rate.
func measured(value string, state v1alpha1.MeasurementState) analysis.Measured {
	return analysis.Measured{Metric: "success-rate", Measurement: v1alpha1.Measurement{State: state, Value: value}}
}

// unheard is a batch in which no request reached the candidate.
func unheard() analysis.Measured {
	return missed("errors", v1alpha1.MeasurementNoData, v1alpha1.ReasonNoCanaryTraffic,
		"spec.metrics[0].ratio: no request reached the candidate while stable served 0 bad of 5400; look whether the route sends it traffic")
}

// watched is a look at a pod that has restarted so often.
func watched(look analysis.Measured, restarts int32) []analysis.Measured {
	look.Pods = []analysis.Pod{{Name: "web-" + v3 + "-x8c5t", Containers: []analysis.Container{{Name: "app", Restarts: restarts}}}}
	return []analysis.Measured{look}
}

func times(n int, of ...analysis.Measured) [][]analysis.Measured {
	var rounds [][]analysis.Measured
	for i := range n {
		round := make([]analysis.Measured, 0, len(of))
		for _, m := range of {
			if m.Counted != nil && m.Counted.Batch.Stable.Total > 0 {
				c := *m.Counted
				c.Batch.Stable.Bad += float64(i % 2) // no two minutes are alike
				m.Counted = &c
			}
			round = append(round, m)
		}
		rounds = append(rounds, round)
	}
	return rounds
}

func runs() map[string]*v1alpha1.AnalysisRun {
	const good, bad = v1alpha1.MeasurementSuccessful, v1alpha1.MeasurementFailed
	both := []v1alpha1.Metric{errorsOf(ptr.To[int32](20)), rate()}
	late := times(8, batch(1, 600, 9, 5400))
	late = append(late, times(12, batch(6, 600, 9, 5400))...)
	failed := played([]v1alpha1.Metric{errorsOf(nil)}, late...)
	broken := "provider.prometheus.address: no answer within 10s; look whether the server runs"
	between := func(m *v1alpha1.Metric) { m.FailureCondition = "result < 0.9" }
	unseen := played(both)
	unseen.Status = v1alpha1.AnalysisRunStatus{}
	byHand := played([]v1alpha1.Metric{rate()}, []analysis.Measured{measured("0.999", good)})
	byHand.Spec.Rollout, byHand.Spec.Revision, byHand.Spec.Gate = "", "", ""
	objective := errorsOf(ptr.To[int32](10))
	objective.SLO, objective.Ratio = &v1alpha1.SLOMetric{Candidate: objective.Ratio.Candidate, Objective: "99.5%"}, nil
	objective.DryRun = ptr.To(true)
	crashing := v1alpha1.Metric{Name: "pods", Interval: &metav1.Duration{Duration: every}, Kubernetes: &v1alpha1.KubernetesMetric{}}
	looks := analysis.Measured{Metric: "pods", Measurement: v1alpha1.Measurement{State: v1alpha1.MeasurementSuccessful}}
	return map[string]*v1alpha1.AnalysisRun{
		"objective": played([]v1alpha1.Metric{objective, rate()}, times(4, batch(1, 600, 0, 0))...),
		"pods":      played([]v1alpha1.Metric{crashing}, watched(looks, 0), watched(looks, 1), watched(looks, 4)),
		"failed":    failed,
		"pending":   played(both),
		"unseen":    unseen,
		"by-hand":   byHand,
		"running": played(both,
			[]analysis.Measured{batch(0, 600, 3, 5400), measured("0.999", good)},
			[]analysis.Measured{batch(2, 610, 4, 5510), measured("0.9871234567", bad)},
			[]analysis.Measured{batch(1, 590, 5, 5290), measured("0.994", good)}),
		"no-traffic": played(both[:1], append(times(2, batch(0, 600, 3, 5400)), times(4, unheard())...)...),
		"unreachable": played([]v1alpha1.Metric{rate()}, times(3, missed("success-rate", v1alpha1.MeasurementError,
			v1alpha1.ReasonProviderUnreachable, broken))...),
		"inconclusive": played([]v1alpha1.Metric{rate(between)},
			append(times(4, measured("0.995", good)), []analysis.Measured{measured("0.95", v1alpha1.MeasurementInconclusive)})...),
		"too-few": played(both[:1], times(20, batch(0, 30, 1, 270))...),
		"passed":  played(both[:1], times(20, batch(12, 12000, 108, 108000))...),
	}
}

func TestRun(t *testing.T) {
	for name, run := range runs() {
		t.Run(name, func(t *testing.T) {
			golden.Compare(t, "testdata/run-"+name+".txt", render.Run(run, now(), render.View{}))
		})
	}
}

func TestRunInOtherViews(t *testing.T) {
	for name, view := range map[string]render.View{
		"colour": {Palette: render.Colour}, "wide": {Wide: true}, "narrow": {Width: 60}, "too-narrow": {Width: 24},
		"ascii": {ASCII: true, Width: 80},
	} {
		t.Run(name, func(t *testing.T) {
			text := render.Run(runs()["running"], now(), view) + "\n" + render.Run(runs()["failed"], now(), view)
			golden.Compare(t, "testdata/run-"+name+".txt", text)
		})
	}
}

func TestRunInASCIIIsThat(t *testing.T) {
	for name, run := range runs() {
		text := render.Run(run, now(), render.View{ASCII: true})
		if at := strings.IndexFunc(text, func(r rune) bool { return r > '~' }); at >= 0 {
			t.Errorf("%s: %q", name, text[at:])
		}
	}
}

func TestRunWithoutItsTime(t *testing.T) {
	run := runs()["running"]
	before, after := render.Run(run, time.Time{}, render.View{}), render.Run(run, time.Time{}, render.View{})
	if before != after || strings.Contains(before, "next in") {
		t.Errorf("%s", before)
	}
}
