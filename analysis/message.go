package analysis

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// metricMessage says in a few words, with numbers, where a metric is and why.
func metricMessage(spec v1alpha1.AnalysisRunSpec, index int, result v1alpha1.MetricResult) string {
	metric, taken := spec.Metrics[index], withData(result)
	if result.Phase == v1alpha1.AnalysisInconclusive && erred(metric, result) {
		return fmt.Sprintf("%s in a row, limit %d; the last: %s", counted(result.ConsecutiveErrors, "error"),
			max(*metric.ConsecutiveErrorLimit, 0), lastWith(result, v1alpha1.MeasurementError).Message)
	}
	if kindOf(&metric) != nil {
		return weighedMessage(spec, index, result)
	}
	if metric.Kubernetes != nil {
		return podsMessage(metric, result)
	}
	switch result.Phase {
	case v1alpha1.AnalysisFailed:
		return fmt.Sprintf("%s in %d of %s, limit %d",
			failure(metric, lastWith(result, v1alpha1.MeasurementFailed)), result.Failed, measurements(taken),
			max(metric.FailureLimit, 0))
	case v1alpha1.AnalysisInconclusive:
		return undecided(metric, result)
	case v1alpha1.AnalysisPassed:
		return fmt.Sprintf("%d of %s succeeded%s%s, last %s",
			result.Successful, measurements(taken), streak(metric, result), tolerated(metric, result), lastValue(result))
	case v1alpha1.AnalysisStopped:
		return fmt.Sprintf("stopped after %s%s", measurements(taken), tally(result))
	case v1alpha1.AnalysisPending, v1alpha1.AnalysisRunning:
		return progress(metric, result)
	}
	return ""
}

// progress says how far a metric without a verdict is.
func progress(metric v1alpha1.Metric, result v1alpha1.MetricResult) string {
	taken := withData(result)
	if delay := duration(metric.InitialDelay); result.Phase == v1alpha1.AnalysisPending && delay > 0 {
		return fmt.Sprintf("the first measurement is due %s after the start", delay)
	}
	if taken == 0 {
		if text, _ := problemOf(result); result.DryRun && text != "" {
			return "no figure yet: " + text
		}
		return "no figure yet"
	}
	total := measurements(taken)
	if !isOpen(metric) {
		total = fmt.Sprintf("%d of %s", taken, measurements(wanted(metric)))
	}
	return fmt.Sprintf("%s taken%s%s, last %s", total, streak(metric, result), tolerated(metric, result), lastValue(result))
}

// undecided says why a metric has neither passed nor failed.
func undecided(metric v1alpha1.Metric, result v1alpha1.MetricResult) string {
	taken := measurements(withData(result))
	if result.Inconclusive <= max(metric.InconclusiveLimit, 0) {
		return fmt.Sprintf("there were never %d good ones in a row: %d of %s succeeded, last %s",
			*metric.ConsecutiveSuccessLimit, result.Successful, taken, lastValue(result))
	}
	text := fmt.Sprintf("%s in %d of %s",
		doubt(metric, lastWith(result, v1alpha1.MeasurementInconclusive)), result.Inconclusive, taken)
	if metric.InconclusiveLimit > 0 {
		text += fmt.Sprintf(", limit %d", metric.InconclusiveLimit)
	}
	return text
}

// streak mentions the successful measurements in a row, where they decide.
func streak(metric v1alpha1.Metric, result v1alpha1.MetricResult) string {
	if metric.ConsecutiveSuccessLimit == nil {
		return ""
	}
	return fmt.Sprintf(", %d in a row of %d", result.ConsecutiveSuccesses, *metric.ConsecutiveSuccessLimit)
}

// failure says which value met or missed which condition. With both conditions, only meeting failureCondition fails.
func failure(metric v1alpha1.Metric, m v1alpha1.Measurement) string {
	if metric.FailureCondition != "" {
		return figure(m) + " met failureCondition " + condition(metric.FailureCondition)
	}
	return figure(m) + " failed " + condition(metric.SuccessCondition)
}

// doubt says which value met neither condition.
func doubt(metric v1alpha1.Metric, m v1alpha1.Measurement) string {
	return fmt.Sprintf("%s met neither %s nor %s",
		figure(m), condition(metric.SuccessCondition), condition(metric.FailureCondition))
}

// tolerated mentions failed measurements below the limit, if there are any.
func tolerated(metric v1alpha1.Metric, result v1alpha1.MetricResult) string {
	switch {
	case result.Failed == 0:
		return ""
	case metric.FailureLimit < 0:
		return fmt.Sprintf(", %d failed", result.Failed)
	}
	return fmt.Sprintf(", %d failed, limit %d", result.Failed, metric.FailureLimit)
}

// tally lists the outcomes of the measurements of a metric that was stopped.
func tally(result v1alpha1.MetricResult) string {
	var parts []string
	for _, part := range []struct {
		count int32
		what  string
	}{
		{result.Successful, "successful"},
		{result.Failed, "failed"},
		{result.Inconclusive, "inconclusive"},
		{result.NoData, "without data"},
		{result.Errors, "with errors"},
	} {
		if part.count > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", part.count, part.what))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return " (" + strings.Join(parts, ", ") + ")"
}

// runMessage is the sentence of the run: the metrics that decide it, or that hold it up, in the order of the spec.
func runMessage(status v1alpha1.AnalysisRunStatus) string {
	if len(status.Metrics) == 0 {
		return "spec.metrics: the run has no metrics; add one"
	}
	if !status.Phase.Ended() {
		if waits, _ := problems(status.Metrics); len(waits) > 0 {
			return joinProblems(waits)
		}
	}
	var parts, trials []string
	for _, result := range status.Metrics {
		switch {
		case result.DryRun && trial(result.Phase) != "":
			trials = append(trials, fmt.Sprintf("dry run of %s %s: %s", result.Name, trial(result.Phase), result.Message))
		case !result.DryRun && decides(status.Phase, result.Phase):
			parts = append(parts, result.Name+": "+result.Message)
		}
	}
	if parts = append(parts, trials...); len(parts) == 0 {
		return "dry runs only, which decide nothing"
	}
	return strings.Join(parts, "; ")
}

// trial says what a dry run would have done; empty where that is nothing.
func trial(phase v1alpha1.AnalysisPhase) string {
	switch phase {
	case v1alpha1.AnalysisFailed:
		return "would have failed"
	case v1alpha1.AnalysisInconclusive:
		return "would have been inconclusive"
	case v1alpha1.AnalysisPassed, v1alpha1.AnalysisStopped, v1alpha1.AnalysisPending, v1alpha1.AnalysisRunning:
	}
	return ""
}

// decides says whether a metric in one phase explains a run in another: a failed run is explained by what failed, any
// other end by all metrics that share it, and a run without an end by the metrics that have none.
func decides(run, metric v1alpha1.AnalysisPhase) bool {
	if run.Ended() {
		return metric == run
	}
	return !metric.Ended()
}

// problem is a metric whose last measurement gave no figure.
type problem struct {
	reason string
	text   string
}

// problems lists the metrics whose last measurement gave no figure, and says whether all metrics were measured. Dry runs hold
// nobody up, so that theirs are told of only where there is nothing else.
func problems(results []v1alpha1.MetricResult) (found []problem, measured bool) {
	measured = len(results) > 0
	trial := onlyDryRuns(results)
	for _, result := range results {
		if result.DryRun && !trial {
			continue
		}
		if len(result.Measurements) == 0 {
			measured = false
			continue
		}
		if text, reason := problemOf(result); reason != "" {
			found = append(found, problem{reason: reason, text: result.Name + ": " + text})
		}
	}
	return found, measured
}

// problemOf says why the last measurement gave no figure; empty when it gave one, or when there is none.
func problemOf(result v1alpha1.MetricResult) (text, reason string) {
	if len(result.Measurements) == 0 {
		return "", ""
	}
	last := result.Measurements[len(result.Measurements)-1]
	if last.State != v1alpha1.MeasurementNoData && last.State != v1alpha1.MeasurementError {
		return "", ""
	}
	text = last.Message
	if result.ConsecutiveErrors > 1 {
		text += fmt.Sprintf(" (%d errors in a row)", result.ConsecutiveErrors)
	}
	return text, reasonOf(last)
}

// reasonOf is the reason of a measurement without a figure. A condition must have one, whatever the status holds.
func reasonOf(m v1alpha1.Measurement) string {
	switch {
	case m.Reason != "":
		return m.Reason
	case m.State == v1alpha1.MeasurementNoData:
		return v1alpha1.ReasonNoData
	default:
		return v1alpha1.ReasonProviderUnreachable
	}
}

// joinProblems makes one sentence of several problems.
func joinProblems(problems []problem) string {
	texts := make([]string, 0, len(problems))
	for _, p := range problems {
		texts = append(texts, p.text)
	}
	return strings.Join(texts, "; ")
}

// lastWith finds the newest measurement in a state; it is empty when that is no longer kept.
func lastWith(result v1alpha1.MetricResult, state v1alpha1.MeasurementState) v1alpha1.Measurement {
	for _, m := range slices.Backward(result.Measurements) {
		if m.State == state {
			return m
		}
	}
	return v1alpha1.Measurement{}
}

// lastValue is the newest figure.
func lastValue(result v1alpha1.MetricResult) string {
	for _, m := range slices.Backward(result.Measurements) {
		if m.Value != "" {
			return figure(m)
		}
	}
	return "unknown"
}

// figure shortens a value for people to six significant digits: 0.8148148148148148 reads 0.814815.
func figure(m v1alpha1.Measurement) string {
	value, err := strconv.ParseFloat(m.Value, 64)
	if err != nil {
		return "a value"
	}
	if rounded, err := strconv.ParseFloat(strconv.FormatFloat(value, 'g', 6, 64), 64); err == nil {
		value = rounded
	}
	return formatValue(value)
}

// formatValue writes a number as people do, and with an exponent only where digits would not fit a line.
func formatValue(value float64) string {
	if abs := max(value, -value); abs != 0 && (abs < 1e-6 || abs >= 1e15) {
		return strconv.FormatFloat(value, 'g', -1, 64)
	}
	return strconv.FormatFloat(value, 'f', -1, 64)
}

// condition shortens an expression for a message.
func condition(expression string) string {
	return clip(strings.Join(strings.Fields(expression), " "), maxInMessages)
}

// measurements writes how many there are.
func measurements(n int32) string { return counted(n, "measurement") }

// counted writes how many of something there are.
func counted(n int32, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// cutMark stands where a text was cut.
const cutMark = "…"

// clip cuts a text to at most so many bytes, at a character, and marks the cut.
func clip(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	cut := limit - len(cutMark)
	for cut > 0 && !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut] + cutMark
}
