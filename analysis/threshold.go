package analysis

import (
	"time"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// thresholdPhase judges a metric whose measurements are compared with thresholds, by its counts alone.
func thresholdPhase(metric v1alpha1.Metric, result v1alpha1.MetricResult) v1alpha1.AnalysisPhase {
	switch endless := isEndless(metric); {
	case result.Failed > max(metric.FailureLimit, 0):
		return v1alpha1.AnalysisFailed
	case endless && result.Inconclusive > 0:
		return v1alpha1.AnalysisInconclusive
	case endless || withData(result) < wanted(metric):
		return v1alpha1.AnalysisRunning
	case result.Inconclusive > 0:
		return v1alpha1.AnalysisInconclusive
	default:
		return v1alpha1.AnalysisPassed
	}
}

// withData counts the measurements that had data: the only ones that a count counts.
func withData(result v1alpha1.MetricResult) int32 {
	return result.Successful + result.Failed + result.Inconclusive
}

// wanted is how many measurements with data end a metric that has an end.
func wanted(metric v1alpha1.Metric) int32 {
	if metric.Count == nil {
		return 1
	}
	return max(*metric.Count, 1)
}

// isEndless says that a metric is measured until the run is stopped: it has an interval and no count.
func isEndless(metric v1alpha1.Metric) bool {
	return metric.Count == nil && interval(metric) > 0
}

// interval between two measurements; 0 when the metric has none.
func interval(metric v1alpha1.Metric) time.Duration {
	every := duration(metric.Interval)
	if every == 0 {
		return 0
	}
	return max(every, minInterval)
}
