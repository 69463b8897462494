package analysis

import (
	"time"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// thresholdPhase judges a metric whose measurements are compared with thresholds, by its counts alone.
func thresholdPhase(metric v1alpha1.Metric, result v1alpha1.MetricResult) v1alpha1.AnalysisPhase {
	open, streak := isOpen(metric), metric.ConsecutiveSuccessLimit
	over := !open && withData(result) >= wanted(metric)
	if failsWith(metric, result.Failed) {
		return v1alpha1.AnalysisFailed
	}
	if result.Inconclusive > max(metric.InconclusiveLimit, 0) {
		return ended(open || over, v1alpha1.AnalysisInconclusive)
	}
	if streak == nil {
		return ended(over, v1alpha1.AnalysisPassed)
	}
	if result.ConsecutiveSuccesses >= max(*streak, 1) {
		return v1alpha1.AnalysisPassed
	}
	return ended(over, v1alpha1.AnalysisInconclusive)
}

// ended is the phase of a metric that has ended, and Running for one that has not.
func ended(over bool, phase v1alpha1.AnalysisPhase) v1alpha1.AnalysisPhase {
	if over {
		return phase
	}
	return v1alpha1.AnalysisRunning
}

// failsWith says that so many failed measurements are too many.
func failsWith(metric v1alpha1.Metric, failed int32) bool {
	if metric.FailureLimit < 0 && metric.ConsecutiveSuccessLimit != nil {
		return false
	}
	return failed > max(metric.FailureLimit, 0)
}

// erred says that a metric of any kind had more errors in a row than it tolerates.
func erred(metric v1alpha1.Metric, result v1alpha1.MetricResult) bool {
	return metric.ConsecutiveErrorLimit != nil && result.ConsecutiveErrors > max(*metric.ConsecutiveErrorLimit, 0)
}

// kept is how many measurements of a metric the status of a run with so many metrics keeps. A measurement takes up to 1.1 kB,
// and an object must stay below 1.5 MB.
func kept(metric v1alpha1.Metric, metrics int) int {
	if metric.MeasurementRetention == nil {
		return v1alpha1.DefaultMeasurementRetention
	}
	most := max(v1alpha1.DefaultMeasurementRetention, maxKept/max(metrics, 1))
	return min(max(int(*metric.MeasurementRetention), 1), most)
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

// isOpen says that no number of measurements ends a metric: it has an interval and no count.
func isOpen(metric v1alpha1.Metric) bool {
	return metric.Count == nil && interval(metric) > 0
}

// isEndless says that a metric never passes, and is measured until the run is stopped: it is open, and no number of successes
// in a row is enough.
func isEndless(metric v1alpha1.Metric) bool {
	return isOpen(metric) && metric.ConsecutiveSuccessLimit == nil
}

// interval between two measurements; 0 when the metric has none.
func interval(metric v1alpha1.Metric) time.Duration {
	every := duration(metric.Interval)
	if every == 0 {
		return 0
	}
	return max(every, minInterval)
}
