package render

import (
	"fmt"
	"strings"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

func (d drawing) analysisRun(run *v1alpha1.AnalysisRun) node {
	phase := run.Status.Phase
	if phase == "" {
		phase = v1alpha1.AnalysisPending
	}
	metrics := make([]string, 0, len(run.Status.Metrics))
	for i := range run.Status.Metrics {
		metrics = append(metrics, metric(&run.Status.Metrics[i]))
	}
	details := strings.Join(metrics, "; ")
	switch {
	case details == "":
		details = run.Status.Message
	case d.wide && run.Status.Message != "":
		details += "; " + run.Status.Message
	}
	return node{row: []Cell{
		{Text: "AnalysisRun " + run.Name},
		{Text: string(phase), Style: analysisStyle(phase)},
		{},
		{Text: age(run.CreationTimestamp, d.Now)},
		{Text: details},
	}}
}

func analysisStyle(phase v1alpha1.AnalysisPhase) Style {
	switch phase {
	case v1alpha1.AnalysisPassed:
		return Good
	case v1alpha1.AnalysisFailed:
		return Bad
	case v1alpha1.AnalysisInconclusive:
		return Waiting
	case v1alpha1.AnalysisStopped:
		return Faint
	case v1alpha1.AnalysisPending, v1alpha1.AnalysisRunning:
		return Busy
	default:
		return Plain
	}
}

// metric gives the last value of a metric and its measurements so far: "success-rate 0.998 (3 good, 1 bad)".
func metric(m *v1alpha1.MetricResult) string {
	value := "no value yet"
	for _, measurement := range m.Measurements {
		if measurement.Value != "" {
			value = measurement.Value
		}
	}
	var counts []string
	for _, count := range tally(m) {
		if count.n > 0 {
			counts = append(counts, fmt.Sprintf("%d %s", count.n, count.what))
		}
	}
	if len(counts) == 0 {
		return m.Name + " " + value
	}
	return fmt.Sprintf("%s %s (%s)", m.Name, value, strings.Join(counts, ", "))
}

// Words for measurements that failed, and for those that gave no figure.
const (
	bad         = "bad"
	withoutData = "without data"
	unanswered  = "unanswered"
)

// outcome is how many measurements came to something.
type outcome struct {
	n    int32
	what string
}

// tally says how many measurements of a metric came to what.
func tally(m *v1alpha1.MetricResult) []outcome {
	return []outcome{
		{m.Successful, "good"},
		{m.Failed, bad},
		{m.Inconclusive, "unclear"},
		{m.NoData, withoutData},
		{m.Errors, unanswered},
	}
}
