package analysis

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/sluice-dev/sluice/analysis/judge"
	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// weight of a metric among those of a run whose evidence decides; 0 for one whose evidence does not.
func weight(metric *v1alpha1.Metric) float64 {
	switch {
	case kindOf(metric) == nil || metric.IsDryRun():
		return 0
	case metric.Weight != nil:
		return float64(max(*metric.Weight, 1))
	}
	return 1
}

// dispersion of a metric: what it says, or what is taken where nobody does.
func dispersion(metric *v1alpha1.Metric) (float64, error) {
	if metric.Dispersion == "" {
		return judge.UnknownDispersion, nil
	}
	phi, err := strconv.ParseFloat(metric.Dispersion, 64)
	if err != nil || !(phi >= 1 && phi < 1000) {
		return 0, &Fault{Reason: v1alpha1.ReasonQueryInvalid, Field: "dispersion", Message: fmt.Sprintf(
			"%q is no factor from 1 to 999; write how much more bad requests vary than independent ones, such as \"2\"", metric.Dispersion)}
	}
	return phi, nil
}

// together fails the metric that leads where the evidence of all metrics of a run is enough, and that of none alone. Each
// has a part of the odds by its weight, with which it fails alone; the mean by these parts is evidence too, however metrics
// depend on each other, and reaches 1/α whenever one of them does. One that has ended has its last evidence in it.
func together(spec v1alpha1.AnalysisRunSpec, results []v1alpha1.MetricResult) {
	var parts []judge.Part
	odds, leader, most := 0.0, -1, math.Inf(-1)
	for i, result := range results {
		part, ok := partOf(spec, i, result)
		if !ok {
			continue
		}
		parts, odds = append(parts, part), odds+part.Weight
		if own := part.Log + math.Log(part.Weight); own > most && !result.Phase.Ended() {
			leader, most = i, own
		}
	}
	failed := slices.ContainsFunc(results, func(r v1alpha1.MetricResult) bool { return r.Phase == v1alpha1.AnalysisFailed && !r.DryRun })
	if !failed && leader >= 0 && len(parts) > 1 && judge.Combine(parts)+math.Log(odds) >= 0 {
		results[leader].Phase = v1alpha1.AnalysisFailed
	}
}

// partOf is the evidence of a metric, with its part of the odds as its weight; false when it has none to decide with.
func partOf(spec v1alpha1.AnalysisRunSpec, index int, result v1alpha1.MetricResult) (judge.Part, bool) {
	if weight(&spec.Metrics[index]) == 0 || result.Comparison == nil {
		return judge.Part{}, false
	}
	test, err := resumed(spec, index, result.Comparison)
	if err != nil {
		return judge.Part{}, false
	}
	return judge.Part{Weight: test.settings().FalseAbort, Log: test.fail()}, true
}
