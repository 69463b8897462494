package forecast

import (
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// LeastDuration is the least time from the start of an analysis until all its metrics have passed:
// the time of the first measurement + (count - 1) × interval of the metric that takes longest, when every measurement has
// data. A ratio needs no more than passAfter of them, and others no more than consecutiveSuccessLimit. A metric with an
// interval and none of these has no end; ends says that there is none of these. Dry runs are waited for where there is nothing else.
func LeastDuration(metrics []v1alpha1.Metric) (least time.Duration, ends bool) {
	ends = true
	for _, m := range deciding(metrics) {
		if !hasEnd(m) {
			ends = false
			continue
		}
		least = max(least, m.FirstAfter()+time.Duration(measurements(m)-1)*of(m.Interval))
	}
	return least, ends
}

// LeastLeft is the least time that a run still needs to pass, from what it has measured.
func LeastLeft(run *v1alpha1.AnalysisRun, now time.Time) time.Duration {
	var left time.Duration
	for _, m := range deciding(run.Spec.Metrics) {
		result, begun := resultOf(run, m.Name)
		if !hasEnd(m) || result.Phase == v1alpha1.AnalysisPassed {
			continue
		}
		taken := result.Successful + result.Failed + result.Inconclusive
		if m.ConsecutiveSuccessLimit != nil {
			taken = result.ConsecutiveSuccesses
		}
		next := m.FirstAfter()
		if begun {
			next = max(0, result.NextAt.Sub(now))
		}
		left = max(left, next+time.Duration(max(0, measurements(m)-taken-1))*of(m.Interval))
	}
	return left
}

func resultOf(run *v1alpha1.AnalysisRun, metric string) (result v1alpha1.MetricResult, begun bool) {
	for _, r := range run.Status.Metrics {
		if r.Name == metric {
			return r, true
		}
	}
	return v1alpha1.MetricResult{}, false
}

// deciding are the metrics that a verdict waits for: those that are no dry runs, or all when there are no others.
func deciding(metrics []v1alpha1.Metric) []v1alpha1.Metric {
	found := slices.DeleteFunc(slices.Clone(metrics), func(m v1alpha1.Metric) bool { return m.IsDryRun() })
	if len(found) == 0 {
		return metrics
	}
	return found
}

// hasEnd says that some number of measurements passes a metric.
func hasEnd(m v1alpha1.Metric) bool {
	return m.Count != nil || of(m.Interval) == 0 || m.ConsecutiveSuccessLimit != nil
}

// measurements is how many a metric needs at least.
func measurements(m v1alpha1.Metric) int32 {
	if m.ConsecutiveSuccessLimit != nil {
		return max(1, *m.ConsecutiveSuccessLimit)
	}
	if m.Count == nil {
		return 1
	}
	if early := m.PassAfter(); early != nil {
		return max(1, min(*m.Count, *early))
	}
	return max(1, *m.Count)
}

func of(d *metav1.Duration) time.Duration {
	if d == nil {
		return 0
	}
	return max(0, d.Duration)
}

// Short writes a time in whole seconds, rounded, without parts that are zero: 5m, 1m30s, 1h.
func Short(d time.Duration) string {
	text := d.Round(time.Second).String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
