package analysis

import (
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

const (
	maxKept       = 640              // measurements in the status of a run, unless it has so many metrics with ten each
	minInterval   = time.Second      // a shorter interval is raised to this
	firstRetry    = 5 * time.Second  // after one error; doubles with each that follows at once
	lastRetry     = 60 * time.Second // and never exceeds this
	noDataRetry   = 15 * time.Second // after no data without an interval: the usual time between two scrapes
	maxMessage    = 1024             // of the API
	maxInMessages = 100              // characters of one condition within a message
)

// Step says what to do now.
type Step struct {
	// Status is what to persist. It equals the one that was given when nothing has changed.
	Status v1alpha1.AnalysisRunStatus
	// Due are the indices, in spec.Metrics, of the metrics to measure now.
	Due []int
	// WakeAt is when to look again; zero when the run has ended or when something is due now.
	WakeAt time.Time
}

// Measured is a new measurement of one metric.
type Measured struct {
	// Metric is the name of the metric.
	Metric string
	// Measurement is what was measured.
	Measurement v1alpha1.Measurement
	// Counted is the batch of a ratio; nil when there is none.
	Counted *Counted
	// Pods are what a metric with kubernetes has seen; empty when there was nothing to see.
	Pods []Pod
}

// Next says what a run needs at now: measurements, time, or nothing any more. It does not change what it is given.
// The observed generation in status is that of spec; the condition repeats it.
func Next(spec v1alpha1.AnalysisRunSpec, status v1alpha1.AnalysisRunStatus, now time.Time) Step {
	next := *status.DeepCopy()
	if next.Phase.Ended() {
		setReady(spec, &next, now)
		return Step{Status: next}
	}
	begin(spec, &next, now)
	conclude(spec, &next, now)
	if next.Phase.Ended() {
		return Step{Status: next}
	}
	return schedule(spec, next, now)
}

// Record folds measurements into a status, and gives the verdict when they bring one. Measurements of metrics that have
// ended, or that the run does not have, are left out. It does not change what it is given.
func Record(
	spec v1alpha1.AnalysisRunSpec, status v1alpha1.AnalysisRunStatus, measured []Measured, now time.Time,
) v1alpha1.AnalysisRunStatus {
	next := *status.DeepCopy()
	if next.Phase.Ended() {
		return next
	}
	begin(spec, &next, now)
	for _, m := range measured {
		index := slices.IndexFunc(next.Metrics, func(r v1alpha1.MetricResult) bool { return r.Name == m.Metric })
		if index >= 0 && !next.Metrics[index].Phase.Ended() {
			fold(spec, index, &next.Metrics[index], m)
		}
	}
	conclude(spec, &next, now)
	return next
}

// begin sets the start and gives each metric of the spec a result, in the order of the spec.
func begin(spec v1alpha1.AnalysisRunSpec, status *v1alpha1.AnalysisRunStatus, now time.Time) {
	if status.StartedAt.IsZero() {
		status.StartedAt = moment(now)
	}
	results := make([]v1alpha1.MetricResult, 0, len(spec.Metrics))
	for _, metric := range spec.Metrics {
		index := slices.IndexFunc(status.Metrics, func(r v1alpha1.MetricResult) bool { return r.Name == metric.Name })
		if index >= 0 {
			results = append(results, status.Metrics[index])
			continue
		}
		results = append(results, v1alpha1.MetricResult{
			Name:   metric.Name,
			Phase:  v1alpha1.AnalysisPending,
			NextAt: moment(status.StartedAt.Add(metric.FirstAfter())),
			DryRun: metric.IsDryRun(),
		})
	}
	status.Metrics = results
}

// schedule lists what is due at now, or says when something will be.
func schedule(spec v1alpha1.AnalysisRunSpec, status v1alpha1.AnalysisRunStatus, now time.Time) Step {
	step := Step{Status: status}
	for i, result := range status.Metrics {
		if result.Phase.Ended() {
			continue
		}
		at, known := dueAt(spec, i, status)
		switch {
		case !known: // a change of the spec will tell
		case !at.After(now) || leapt(spec.Metrics[i], result, now):
			step.Due = append(step.Due, i)
		case step.WakeAt.IsZero() || at.Before(step.WakeAt):
			step.WakeAt = at
		}
	}
	if len(step.Due) > 0 {
		step.WakeAt = time.Time{}
	}
	return step
}

// leapt says that the clock was put back since the last measurement: the next one lies further away than any pace could
// have set it. Without this, a clock that was 10 minutes ahead for one measurement would stop a metric for 10 minutes.
func leapt(metric v1alpha1.Metric, result v1alpha1.MetricResult, now time.Time) bool {
	if len(result.Measurements) == 0 {
		return false
	}
	return result.NextAt.Sub(now) > max(interval(metric), lastRetry)
}

// fold adds one measurement to the result of a metric that has not ended.
func fold(spec v1alpha1.AnalysisRunSpec, index int, result *v1alpha1.MetricResult, measured Measured) {
	metric, m := spec.Metrics[index], taken(spec, index, result, measured)
	countState(result, m.State)
	result.Measurements = append(result.Measurements, m)
	if surplus := len(result.Measurements) - kept(metric, len(spec.Metrics)); surplus > 0 {
		result.Measurements = slices.Clone(result.Measurements[surplus:])
	}
	result.Phase = phaseOf(spec, index, *result)
	result.NextAt = metav1.MicroTime{}
	if !result.Phase.Ended() {
		result.NextAt = moment(m.At.Add(pause(metric, *result, m.State)))
	}
}

// phaseOf judges a metric by all that was measured.
func phaseOf(spec v1alpha1.AnalysisRunSpec, index int, result v1alpha1.MetricResult) v1alpha1.AnalysisPhase {
	metric := spec.Metrics[index]
	phase := thresholdPhase(metric, result)
	if kindOf(&metric) != nil {
		phase = weighedPhase(spec, index, result)
	}
	if !phase.Ended() && erred(metric, result) {
		return v1alpha1.AnalysisInconclusive
	}
	return phase
}

// taken is a measurement together with what only those before it can tell: where a batch or a look at pods adds to them.
func taken(spec v1alpha1.AnalysisRunSpec, index int, result *v1alpha1.MetricResult, measured Measured) v1alpha1.Measurement {
	metric, m := spec.Metrics[index], measured.Measurement
	at := moment(m.At.Time)
	kind := kindOf(&metric)
	switch {
	case kind != nil && measured.Counted != nil:
		if err := compare(spec, index, result, *measured.Counted); err != nil {
			m = refused(&Fault{
				Reason: v1alpha1.ReasonQueryInvalid, Field: fmt.Sprintf("spec.metrics[%d].%s", index, kind.field()),
				Message: err.Error(),
			})
		}
	case metric.Kubernetes != nil && len(measured.Pods) > 0:
		result.Pods, m = look(metric, result.Pods, measured.Pods, at.Time)
	}
	m.At = at
	return m
}

// countState counts one measurement more in a state.
func countState(result *v1alpha1.MetricResult, state v1alpha1.MeasurementState) {
	switch state {
	case v1alpha1.MeasurementSuccessful:
		result.Successful++
	case v1alpha1.MeasurementFailed:
		result.Failed++
	case v1alpha1.MeasurementInconclusive:
		result.Inconclusive++
	case v1alpha1.MeasurementNoData:
		result.NoData++
	case v1alpha1.MeasurementError:
		result.Errors++
	}
	if state == v1alpha1.MeasurementError {
		result.ConsecutiveErrors++
	} else {
		result.ConsecutiveErrors = 0
	}
	switch state {
	case v1alpha1.MeasurementSuccessful:
		result.ConsecutiveSuccesses++
	case v1alpha1.MeasurementFailed, v1alpha1.MeasurementInconclusive:
		result.ConsecutiveSuccesses = 0
	case v1alpha1.MeasurementNoData, v1alpha1.MeasurementError:
	}
}

// pause is the time from one measurement to the next.
func pause(metric v1alpha1.Metric, result v1alpha1.MetricResult, state v1alpha1.MeasurementState) time.Duration {
	every := interval(metric)
	switch {
	case state == v1alpha1.MeasurementError && every > 0:
		return min(retryAfter(result.ConsecutiveErrors), every)
	case state == v1alpha1.MeasurementError:
		return retryAfter(result.ConsecutiveErrors)
	case every > 0:
		return every
	default:
		return noDataRetry
	}
}

// retryAfter is the pause after so many errors in a row: 5 s, 10 s, 20 s, 40 s, 60 s, 60 s…
func retryAfter(errors int32) time.Duration {
	wait := firstRetry
	for ; errors > 1 && wait < lastRetry; errors-- {
		wait *= 2
	}
	return min(wait, lastRetry)
}

// conclude derives phase, message and condition of the run from the results of its metrics.
func conclude(spec v1alpha1.AnalysisRunSpec, status *v1alpha1.AnalysisRunStatus, now time.Time) {
	together(spec, status.Metrics)
	status.Phase = count(spec, status.Metrics).phase()
	if spec.Terminate && !status.Phase.Ended() {
		status.Phase = v1alpha1.AnalysisStopped
	}
	if status.Phase.Ended() {
		status.CompletedAt = moment(now)
		for i := range status.Metrics {
			if !status.Metrics[i].Phase.Ended() {
				status.Metrics[i].Phase = v1alpha1.AnalysisStopped
				status.Metrics[i].NextAt = metav1.MicroTime{}
			}
		}
	}
	for i := range status.Metrics {
		status.Metrics[i].Message = clip(metricMessage(spec, i, status.Metrics[i]), maxMessage)
	}
	status.Message = clip(runMessage(*status), maxMessage)
	setReady(spec, status, now)
}

// census counts the metrics of a run by where they are. Dry runs are counted only in a run that has nothing else, which is
// over when they are, and then passes: there is nothing that it could wait for.
type census struct {
	all, pending, finite, endless, inconclusive, failed int
}

// count fills a census; finite and endless are metrics that have not ended.
func count(spec v1alpha1.AnalysisRunSpec, results []v1alpha1.MetricResult) census {
	var c census
	trial := onlyDryRuns(results)
	for i, result := range results {
		if result.DryRun == trial {
			c.add(result, isEndless(spec.Metrics[i]))
		}
	}
	return c
}

// add counts one metric more. What a dry run has come to makes no difference.
func (c *census) add(result v1alpha1.MetricResult, endless bool) {
	c.all++
	switch {
	case result.Phase == v1alpha1.AnalysisFailed && !result.DryRun:
		c.failed++
	case result.Phase == v1alpha1.AnalysisInconclusive && !result.DryRun:
		c.inconclusive++
	case result.Phase.Ended():
	case endless:
		c.endless++
	default:
		c.finite++
	}
	if result.Phase == v1alpha1.AnalysisPending {
		c.pending++
	}
}

// onlyDryRuns says that no metric of a run decides anything.
func onlyDryRuns(results []v1alpha1.MetricResult) bool {
	return !slices.ContainsFunc(results, func(r v1alpha1.MetricResult) bool { return !r.DryRun })
}

// phase is the verdict of a run, or Pending or Running as long as there is none. A run without metrics never passes.
func (c census) phase() v1alpha1.AnalysisPhase {
	switch {
	case c.failed > 0:
		return v1alpha1.AnalysisFailed
	case c.all == 0:
		return v1alpha1.AnalysisInconclusive
	case c.pending == c.all:
		return v1alpha1.AnalysisPending
	case c.finite > 0:
		return v1alpha1.AnalysisRunning
	case c.inconclusive > 0:
		return v1alpha1.AnalysisInconclusive
	case c.endless > 0:
		return v1alpha1.AnalysisRunning
	default:
		return v1alpha1.AnalysisPassed
	}
}

// setReady makes the condition Ready from the last measurement of each metric: False as long as one gave no figure.
func setReady(spec v1alpha1.AnalysisRunSpec, status *v1alpha1.AnalysisRunStatus, now time.Time) {
	condition := metav1.Condition{
		Type:               v1alpha1.ConditionReady,
		Status:             metav1.ConditionUnknown,
		Reason:             v1alpha1.ReasonNotMeasured,
		Message:            "No measurement has been taken yet.",
		ObservedGeneration: status.ObservedGeneration,
		LastTransitionTime: metav1.NewTime(now.Truncate(time.Second)),
	}
	problems, measured := problems(status.Metrics)
	switch {
	case len(problems) > 0:
		condition.Status = metav1.ConditionFalse
		condition.Reason = problems[0].reason
		condition.Message = clip(joinProblems(problems), maxMessage)
	case measured:
		condition.Status = metav1.ConditionTrue
		condition.Reason = v1alpha1.ReasonMeasuring
		condition.Message = "The last measurement of each metric gave a number."
	case len(spec.Metrics) == 0:
		condition.Status = metav1.ConditionFalse
		condition.Message = "spec.metrics: the run has no metrics; add one"
	}
	status.Conditions = withCondition(status.Conditions, condition)
}

// withCondition puts a condition in the place of the one of its type, whose transition time it keeps unless the status
// differs.
func withCondition(conditions []metav1.Condition, condition metav1.Condition) []metav1.Condition {
	index := slices.IndexFunc(conditions, func(c metav1.Condition) bool { return c.Type == condition.Type })
	if index < 0 {
		return append(conditions, condition)
	}
	if conditions[index].Status == condition.Status {
		condition.LastTransitionTime = conditions[index].LastTransitionTime
	}
	conditions[index] = condition
	return conditions
}

// moment cuts a time to what the API stores, so that a status compares equal after a round trip.
func moment(t time.Time) metav1.MicroTime { return metav1.NewMicroTime(t.Truncate(time.Microsecond)) }

// duration is an optional duration of the API, and 0 when it is absent or negative.
func duration(d *metav1.Duration) time.Duration {
	if d == nil {
		return 0
	}
	return max(d.Duration, 0)
}
