package why

import (
	"fmt"
	"strings"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller/planner"
	"github.com/sluice-dev/sluice/controller/planner/forecast"
)

// measured says how far the analyses of the current step are, each in a sentence that follows another.
func (v *view) measured() string {
	var out strings.Builder
	for _, g := range v.gates() {
		if g.Kind == planner.AnalysisGate {
			if sentence := v.analysis(g.Name); sentence != "" {
				out.WriteString(" " + sentence)
			}
		}
	}
	return out.String()
}

// beside says how far the analysis beside the steps is.
func (v *view) beside() string {
	if v.state.Stage != v1alpha1.StageStepping && v.state.Stage != v1alpha1.StagePromoting {
		return ""
	}
	if sentence := v.analysis(planner.GateBackground); sentence != "" {
		return fmt.Sprintf("Beside the steps, %s A failure there sends all traffic back to %s.", strings.ToLower(sentence[:1])+sentence[1:],
			v.state.Stable)
	}
	return ""
}

// analysis says how far the analysis of a gate is; empty when it has not begun.
func (v *view) analysis(gate string) string {
	for _, a := range v.status.Analyses {
		if a.Gate != gate {
			continue
		}
		if run := v.run(a.Name); run != nil && len(run.Status.Metrics) > 0 {
			return v.progress(run)
		}
		if a.Message != "" && strings.Contains(v.status.Message, a.Message) {
			return "" // it has been said
		}
		return fmt.Sprintf("Analysis %s is %s%s.", gate, phaseOf(a.Phase), because(a.Message))
	}
	return ""
}

// run finds an AnalysisRun by its name.
func (v *view) run(name string) *v1alpha1.AnalysisRun {
	for i := range v.Runs {
		if v.Runs[i].Name == name {
			return &v.Runs[i]
		}
	}
	return nil
}

func phaseOf(phase v1alpha1.AnalysisPhase) v1alpha1.AnalysisPhase {
	if phase == "" {
		return v1alpha1.AnalysisPending
	}
	return phase
}

func because(message string) string {
	if message == "" {
		return ""
	}
	return ": " + strings.TrimSuffix(message, ".")
}

// progress gives the measurements of a run.
func (v *view) progress(run *v1alpha1.AnalysisRun) string {
	var metrics []string
	for _, m := range run.Spec.Metrics {
		for i := range run.Status.Metrics {
			if run.Status.Metrics[i].Name == m.Name {
				metrics = append(metrics, v.metric(m, &run.Status.Metrics[i]))
			}
		}
	}
	phase := phaseOf(run.Status.Phase)
	out := fmt.Sprintf("Analysis %s is %s: %s", run.Spec.Gate, phase, strings.Join(metrics, "; "))
	left := forecast.LeastLeft(run, v.Now)
	if run.Spec.Gate != planner.GateBackground && left > 0 && (phase == v1alpha1.AnalysisRunning || phase == v1alpha1.AnalysisPending) {
		out += fmt.Sprintf("; it takes %s more at the least", forecast.Short(left))
	}
	return out + "."
}

// metric gives the measurements of one metric: "success-rate has 3 of 5 measurements, 1 failed of 1 allowed, the last 0.98,
// the next in 20s".
func (v *view) metric(m v1alpha1.Metric, r *v1alpha1.MetricResult) string {
	taken := r.Successful + r.Failed + r.Inconclusive
	out := fmt.Sprintf("%s has %s", m.Name, planner.Counted(taken, "measurement"))
	if m.Count != nil {
		out = fmt.Sprintf("%s has %d of %s", m.Name, taken, planner.Counted(*m.Count, "measurement"))
	}
	if m.IsDryRun() {
		out += " in a dry run"
	}
	if m.ConsecutiveSuccessLimit != nil {
		out += fmt.Sprintf(", %d of %d good ones in a row", r.ConsecutiveSuccesses, *m.ConsecutiveSuccessLimit)
	}
	out += fmt.Sprintf(", %d failed", r.Failed)
	if m.FailureLimit >= 0 {
		out += fmt.Sprintf(" of %d allowed", m.FailureLimit)
	}
	if r.Inconclusive > 0 {
		out += fmt.Sprintf(", %d inconclusive", r.Inconclusive)
	}
	if silent := r.NoData + r.Errors; silent > 0 {
		out += fmt.Sprintf(", %s without a figure", answers(silent))
	}
	if value := last(r); value != "" {
		out += ", the last " + value
	}
	if !r.NextAt.IsZero() {
		out += ", the next due " + in(r.NextAt.Sub(v.Now))
	}
	return out
}

// last is the last value that was measured; empty when there is none.
func last(r *v1alpha1.MetricResult) string {
	for i := len(r.Measurements) - 1; i >= 0; i-- {
		if r.Measurements[i].Value != "" {
			return r.Measurements[i].Value
		}
	}
	return ""
}

func answers(n int32) string {
	if n == 1 {
		return "1 query"
	}
	return fmt.Sprintf("%d queries", n)
}
