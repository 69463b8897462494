package analysis

import (
	"strings"
	"testing"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

func doubts(n int32) func(*v1alpha1.Metric) {
	return func(m *v1alpha1.Metric) { m.InconclusiveLimit = n }
}

func errorsInARow(n int32) func(*v1alpha1.Metric) {
	return func(m *v1alpha1.Metric) { m.ConsecutiveErrorLimit = &n }
}

func goodInARow(n int32) func(*v1alpha1.Metric) {
	return func(m *v1alpha1.Metric) { m.ConsecutiveSuccessLimit = &n }
}

func keeping(n int32) func(*v1alpha1.Metric) {
	return func(m *v1alpha1.Metric) { m.MeasurementRetention = &n }
}

func dry(m *v1alpha1.Metric) { m.DryRun = new(true) }

func TestLimits(t *testing.T) {
	both := failing("result < 0.85")
	const noServer = "spec.metrics[0].provider.prometheus.address: cannot use http://x: nobody there"
	tests := map[string]struct {
		metric      v1alpha1.Metric
		script      string
		wantPhase   v1alpha1.AnalysisPhase
		wantMessage string
	}{
		"inconclusive ones up to the limit are tolerated": {
			metric: metric("rate", both, every(10*second), times(4), doubts(2)), script: "IISS",
			wantPhase: v1alpha1.AnalysisPassed, wantMessage: "rate: 2 of 4 measurements succeeded, last 0.98",
		},
		"one more makes the end inconclusive": {
			metric: metric("rate", both, every(10*second), times(4), doubts(1)), script: "ISIS",
			wantPhase:   v1alpha1.AnalysisInconclusive,
			wantMessage: "rate: 0.9 met neither result >= 0.95 nor result < 0.85 in 2 of 4 measurements, limit 1",
		},
		"without an end, one more ends it": {
			metric: metric("rate", both, every(10*second), doubts(1)), script: "ISI",
			wantPhase:   v1alpha1.AnalysisInconclusive,
			wantMessage: "rate: 0.9 met neither result >= 0.95 nor result < 0.85 in 2 of 3 measurements, limit 1",
		},
		"errors within the limit are tried again": {
			metric: metric("rate", errorsInARow(2)), script: "EES",
			wantPhase: v1alpha1.AnalysisPassed, wantMessage: "rate: 1 of 1 measurement succeeded, last 0.98",
		},
		"one more error ends it, and nothing has failed": {
			metric: metric("rate", every(10*second), times(9), errorsInARow(2)), script: "SEEE",
			wantPhase: v1alpha1.AnalysisInconclusive, wantMessage: "rate: 3 errors in a row, limit 2; the last: " + noServer,
		},
		"an error between figures does not count": {
			metric: metric("rate", every(10*second), times(3), errorsInARow(0)), script: "SNS",
			wantPhase: v1alpha1.AnalysisRunning, wantMessage: "rate: 2 of 3 measurements taken, last 0.98",
		},
		"no errors at all": {
			metric: metric("rate", every(10*second), times(3), errorsInARow(0)), script: "SE",
			wantPhase: v1alpha1.AnalysisInconclusive, wantMessage: "rate: 1 error in a row, limit 0; the last: " + noServer,
		},
		"enough in a row pass at once": {
			metric: metric("rate", every(10*second), times(9), limit(3), goodInARow(3)), script: "SFSSS",
			wantPhase:   v1alpha1.AnalysisPassed,
			wantMessage: "rate: 4 of 5 measurements succeeded, 3 in a row of 3, 1 failed, limit 3, last 0.98",
		},
		"what gave no figure does not break a row": {
			metric: metric("rate", every(10*second), goodInARow(3)), script: "SNSES",
			wantPhase: v1alpha1.AnalysisPassed, wantMessage: "rate: 3 of 3 measurements succeeded, 3 in a row of 3, last 0.98",
		},
		"any number may fail on the way": {
			metric: metric("rate", every(10*second), limit(-1), goodInARow(2)), script: "FFFSFSS",
			wantPhase:   v1alpha1.AnalysisPassed,
			wantMessage: "rate: 3 of 7 measurements succeeded, 2 in a row of 2, 4 failed, last 0.98",
		},
		"never enough in a row": {
			metric: metric("rate", every(10*second), times(4), limit(-1), goodInARow(2)), script: "SFSF",
			wantPhase:   v1alpha1.AnalysisInconclusive,
			wantMessage: "rate: there were never 2 good ones in a row: 2 of 4 measurements succeeded, last 0.81",
		},
		"too many failures outrank a row": {
			metric: metric("rate", every(10*second), times(9), goodInARow(2)), script: "SF",
			wantPhase: v1alpha1.AnalysisFailed, wantMessage: "rate: 0.81 failed result >= 0.95 in 1 of 2 measurements, limit 0",
		},
		"a row does not outrank doubt": {
			metric: metric("rate", both, every(10*second), times(4), goodInARow(2)), script: "ISSS",
			wantPhase:   v1alpha1.AnalysisInconclusive,
			wantMessage: "rate: 0.9 met neither result >= 0.95 nor result < 0.85 in 1 of 4 measurements",
		},
		"doubt ends a row that has no end": {
			metric: metric("rate", both, every(10*second), goodInARow(2)), script: "SI",
			wantPhase:   v1alpha1.AnalysisInconclusive,
			wantMessage: "rate: 0.9 met neither result >= 0.95 nor result < 0.85 in 1 of 2 measurements",
		},
		"-1 without a row is 0": {
			metric: metric("rate", every(10*second), times(4), limit(-1)), script: "F",
			wantPhase: v1alpha1.AnalysisFailed, wantMessage: "rate: 0.81 failed result >= 0.95 in 1 of 1 measurement, limit 0",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := play(t, v1alpha1.AnalysisRunSpec{Metrics: []v1alpha1.Metric{test.metric}}, map[string]string{"rate": test.script}).status
			if got.Phase != test.wantPhase || got.Message != test.wantMessage {
				t.Errorf("got %s: %s\nwant %s: %s", got.Phase, got.Message, test.wantPhase, test.wantMessage)
			}
		})
	}
}

func TestDryRun(t *testing.T) {
	counted := func(name string, change ...func(*v1alpha1.Metric)) v1alpha1.Metric {
		return metric(name, append(change, every(10*second), times(3))...)
	}
	tests := map[string]struct {
		metrics     []v1alpha1.Metric
		a, b        string
		wantPhase   v1alpha1.AnalysisPhase
		wantMessage string
	}{
		"one that fails ends nothing": {
			metrics: []v1alpha1.Metric{counted("a", dry), counted("b")}, a: "F", b: "SSS", wantPhase: v1alpha1.AnalysisPassed,
			wantMessage: "b: 3 of 3 measurements succeeded, last 0.98; " +
				"dry run of a would have failed: 0.81 failed result >= 0.95 in 1 of 1 measurement, limit 0",
		},
		"one without data holds nothing up": {
			metrics: []v1alpha1.Metric{counted("a", dry), counted("b")}, a: "NNN", b: "SSS", wantPhase: v1alpha1.AnalysisPassed,
			wantMessage: "b: 3 of 3 measurements succeeded, last 0.98",
		},
		"one that takes longer is stopped": {
			metrics: []v1alpha1.Metric{counted("a", dry), metric("b")}, a: "SSS", b: "S", wantPhase: v1alpha1.AnalysisPassed,
			wantMessage: "b: 1 of 1 measurement succeeded, last 0.98",
		},
		"one that passes saves nobody": {
			metrics: []v1alpha1.Metric{counted("a", dry), counted("b")}, a: "SSS", b: "SSF", wantPhase: v1alpha1.AnalysisFailed,
			wantMessage: "b: 0.81 failed result >= 0.95 in 1 of 3 measurements, limit 0",
		},
		"the others are waited for": {
			metrics: []v1alpha1.Metric{metric("a", dry, failing("result < 0.85")), counted("b")}, a: "I", b: "S", wantPhase: v1alpha1.AnalysisRunning,
			wantMessage: "b: 1 of 3 measurements taken, last 0.98; dry run of a would have been inconclusive: " +
				"0.9 met neither result >= 0.95 nor result < 0.85 in 1 of 1 measurement",
		},
		"dry runs only": {
			metrics: []v1alpha1.Metric{counted("a", dry), counted("b", dry)}, a: "F", b: "SSS", wantPhase: v1alpha1.AnalysisPassed,
			wantMessage: "dry run of a would have failed: 0.81 failed result >= 0.95 in 1 of 1 measurement, limit 0",
		},
		"dry runs only, all well": {
			metrics: []v1alpha1.Metric{counted("a", dry), counted("b", dry)}, a: "SSS", b: "SSS", wantPhase: v1alpha1.AnalysisPassed,
			wantMessage: "dry runs only, which decide nothing",
		},
		"dry runs only, without data": {
			metrics: []v1alpha1.Metric{counted("a", dry), counted("b", dry)}, a: "SSS", b: "NN", wantPhase: v1alpha1.AnalysisRunning,
			wantMessage: "b: spec.metrics[0].provider: no data: the query found nothing",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := play(t, v1alpha1.AnalysisRunSpec{Metrics: test.metrics}, map[string]string{"a": test.a, "b": test.b}).status
			if got.Phase != test.wantPhase || got.Message != test.wantMessage {
				t.Errorf("got %s: %s\nwant %s: %s", got.Phase, got.Message, test.wantPhase, test.wantMessage)
			}
			if !got.Metrics[0].DryRun || got.Metrics[1].DryRun != test.metrics[1].IsDryRun() {
				t.Errorf("dry runs %t and %t", got.Metrics[0].DryRun, got.Metrics[1].DryRun)
			}
		})
	}
}

// TestDryRunTellsWhatIsWrong holds that a dry run without figures says why, although nothing waits for it.
func TestDryRunTellsWhatIsWrong(t *testing.T) {
	spec := v1alpha1.AnalysisRunSpec{Metrics: []v1alpha1.Metric{metric("a", dry, every(10*second), times(9)), metric("b", every(10*second), times(9))}}
	got := play(t, spec, map[string]string{"a": "EEEE", "b": "SSS"}).status
	want := "no figure yet: spec.metrics[0].provider.prometheus.address: cannot use http://x: nobody there (4 errors in a row)"
	if got.Metrics[0].Message != want || got.Conditions[0].Reason != v1alpha1.ReasonMeasuring {
		t.Errorf("got %q and reason %s, want %q and %s", got.Metrics[0].Message, got.Conditions[0].Reason, want, v1alpha1.ReasonMeasuring)
	}
}

// TestDryRunsHaveOddsOfTheirOwn holds that a ratio which decides nothing takes no odds of a false abort from one that does.
func TestDryRunsHaveOddsOfTheirOwn(t *testing.T) {
	alone := falseAbort(v1alpha1.AnalysisRunSpec{Metrics: []v1alpha1.Metric{ratioMetric()}}, 0)
	if got := falseAbort(v1alpha1.AnalysisRunSpec{Metrics: []v1alpha1.Metric{ratioMetric(), ratioMetric(dry)}}, 0); got != alone {
		t.Errorf("odds of %v, want %v", got, alone)
	}
}

func TestMeasurementRetention(t *testing.T) {
	tests := map[string]struct {
		change []func(*v1alpha1.Metric)
		others int
		want   int
	}{
		"as usual":                       {want: 10},
		"fewer":                          {change: []func(*v1alpha1.Metric){keeping(1)}, want: 1},
		"more":                           {change: []func(*v1alpha1.Metric){keeping(100)}, want: 100},
		"more than fit beside many":      {change: []func(*v1alpha1.Metric){keeping(100)}, others: 31, want: 20},
		"none, which the API refuses":    {change: []func(*v1alpha1.Metric){keeping(0)}, want: 1},
		"ten always fit, as they always": {change: []func(*v1alpha1.Metric){keeping(100)}, others: 99, want: 10},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			spec := v1alpha1.AnalysisRunSpec{Metrics: []v1alpha1.Metric{metric("rate", append(test.change, every(second), times(150))...)}}
			scripts := map[string]string{"rate": strings.Repeat("S", 120)}
			for range test.others {
				spec.Metrics = append(spec.Metrics, metric("x"+strings.Repeat("x", len(spec.Metrics))))
				scripts[spec.Metrics[len(spec.Metrics)-1].Name] = "S"
			}
			got := play(t, spec, scripts).status.Metrics[0]
			if len(got.Measurements) != test.want || got.Successful != 120 {
				t.Errorf("%d of %d measurements are kept, want %d", len(got.Measurements), got.Successful, test.want)
			}
			if newest := got.Measurements[len(got.Measurements)-1].At.Sub(start()); newest != 119*second {
				t.Errorf("the newest is of %s", newest)
			}
		})
	}
}
