package analysis

import (
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/sluice-dev/sluice/analysis/judge"
	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// Release is what the analyses of one release have in common: the odds of a false abort, and what they have seen.
//
// A release has threads of evidence. The analyses of its steps that measure the same metric are one thread: each goes on
// from what the one before has seen, so that together they are one test, whatever happens between them. The analysis in the
// background is another thread, and so are those before and after a promotion, since they look at the same requests in
// their own time. The odds of a false abort, 1 % of all releases, are divided evenly among the threads that are planned. By
// the union bound the chance that any of them ever fails a candidate without harm is at most their sum.
type Release struct {
	// Planned are the analyses that the release is to have, in their order, as if they began now.
	Planned []v1alpha1.AnalysisRunSpec
	// Earlier are those that it has had, oldest first.
	Earlier []v1alpha1.AnalysisRun
	// Weights is at how many weights the analysis in the background is to measure; less than 1 counts as 1.
	Weights int
}

// Endow gives a run that begins now its part of the odds, what earlier runs have seen of its metrics, and how many steps
// are still to come. A run that weighs nothing stays as it is.
//
// Where templates are edited while a release is at its steps, new threads share what is left of the odds. When nothing is
// left they get what they would have had from the start: such a release may have more than 1 %.
func (r Release) Endow(spec *v1alpha1.AnalysisRunSpec) {
	own := threads(*spec)
	if len(own) == 0 {
		return
	}
	parts := r.parts(deciding(*spec))
	sum := 0.0
	for _, thread := range own {
		sum += parts[thread]
		if carried, ok := r.carried(thread); ok {
			spec.Carried = append(spec.Carried, carried)
		}
	}
	if sum > 0 {
		spec.ErrorBudget = asPercent(sum)
	}
	spec.PlannedSteps = r.steps(*spec)
}

// parts are the odds of each thread: what earlier runs were given, and an even part of what is left for those to come.
func (r Release) parts(own []thread) map[thread]float64 {
	parts, left := map[thread]float64{}, judge.Defaults().FalseAbort
	for _, run := range r.Earlier {
		for _, thread := range deciding(run.Spec) {
			if _, known := parts[thread]; !known {
				parts[thread] = falseAbort(run.Spec, slices.IndexFunc(run.Spec.Metrics, thread.isOf))
				left -= parts[thread]
			}
		}
	}
	var coming []thread
	for _, spec := range r.Planned {
		coming = append(coming, deciding(spec)...)
	}
	coming = slices.DeleteFunc(append(coming, own...), func(t thread) bool { _, known := parts[t]; return known })
	slices.SortFunc(coming, func(a, b thread) int { return strings.Compare(a.text(), b.text()) })
	coming = slices.Compact(coming)
	each := left / float64(max(len(coming), 1))
	if each < leastPart {
		each = judge.Defaults().FalseAbort / float64(len(parts)+len(coming))
	}
	for _, thread := range coming {
		parts[thread] = each
	}
	return parts
}

// leastPart of the odds is what a text with six digits of a percent can hold.
const leastPart = 1e-8

// carried is what the last earlier run of a thread has seen. One that failed, and was overruled, leaves nothing: what a
// person has seen and let pass is not held against the next step.
func (r Release) carried(of thread) (v1alpha1.CarriedEvidence, bool) {
	for _, run := range slices.Backward(r.Earlier) {
		if !slices.Contains(threads(run.Spec), of) {
			continue
		}
		i := slices.IndexFunc(run.Status.Metrics, func(m v1alpha1.MetricResult) bool { return m.Name == of.metric })
		switch {
		case run.Status.Phase == v1alpha1.AnalysisFailed:
			return v1alpha1.CarriedEvidence{}, false
		case i < 0 || run.Status.Metrics[i].Comparison == nil:
			if before := carriedBy(run.Spec, of.metric); before != nil {
				return *before, true // nothing was counted, so that what it had got is still all there is
			}
			return v1alpha1.CarriedEvidence{}, false
		}
		c := run.Status.Metrics[i].Comparison
		return v1alpha1.CarriedEvidence{
			Metric: of.metric, Run: run.Name, Gate: run.Spec.Gate, Evidence: c.Evidence, Memory: c.Memory,
		}, true
	}
	return v1alpha1.CarriedEvidence{}, false
}

// steps is at how many weights the release is to be measured from here on, by the runs that go on from this one.
func (r Release) steps(spec v1alpha1.AnalysisRunSpec) int32 {
	if spec.Gate == GateBackground {
		return int32(min(max(r.Weights, 1), maxSteps))
	}
	here := slices.IndexFunc(r.Planned, func(p v1alpha1.AnalysisRunSpec) bool { return p.Gate == spec.Gate })
	if here < 0 {
		return 1
	}
	steps := int32(0)
	for _, planned := range r.Planned[here:] {
		if gateClass(planned.Gate) == gateClass(spec.Gate) && len(threads(planned)) > 0 {
			steps++
		}
	}
	return max(steps, 1)
}

// maxSteps is the limit of the API.
const maxSteps = 1000

// thread is what makes two metrics of a release one test: the same metric, at gates that follow each other.
type thread struct{ class, metric, what string }

// isOf says whether a metric of a run that has the thread is the one.
func (t thread) isOf(metric v1alpha1.Metric) bool { return metric.Name == t.metric }

func (t thread) text() string { return t.class + "\n" + t.metric + "\n" + t.what }

// threads of a run: one for each metric whose batches are weighed.
func threads(spec v1alpha1.AnalysisRunSpec) []thread {
	var all []thread
	for i := range spec.Metrics {
		if kindOf(&spec.Metrics[i]) != nil {
			all = append(all, thread{gateClass(spec.Gate), spec.Metrics[i].Name, testOf(spec.Metrics[i])})
		}
	}
	return all
}

// deciding are those threads of a run that may fail it: metrics that are tried out need no part of the odds.
func deciding(spec v1alpha1.AnalysisRunSpec) []thread {
	spec.Metrics = slices.DeleteFunc(slices.Clone(spec.Metrics), func(m v1alpha1.Metric) bool { return m.IsDryRun() })
	return threads(spec)
}

// testOf is all of a metric that its test depends on. How often and how long it is measured makes no other test of it.
func testOf(metric v1alpha1.Metric) string {
	same := metric.DeepCopy()
	same.InitialDelay, same.Interval, same.Count = nil, nil, nil
	switch {
	case same.Ratio != nil:
		same.Ratio.PassAfter = nil
	case same.Latency != nil:
		same.Latency.PassAfter = nil
	case same.SLO != nil:
		same.SLO.PassAfter = nil
	}
	text, err := json.Marshal(same)
	if err != nil {
		return "" // a metric is made of texts and numbers, which can always be written
	}
	return string(text)
}

// gateClass is the name of all gates that follow each other in one release: those of the steps.
func gateClass(gate string) string {
	if strings.HasPrefix(gate, "step-") {
		return "steps"
	}
	return gate
}

// Compares says whether a run has a metric that compares both versions, so that it has to know when traffic moves.
func Compares(spec v1alpha1.AnalysisRunSpec) bool { return len(threads(spec)) > 0 }

// carriedBy is what was brought along for a metric of a run; nil for nothing.
func carriedBy(spec v1alpha1.AnalysisRunSpec, metric string) *v1alpha1.CarriedEvidence {
	for i := range spec.Carried {
		if spec.Carried[i].Metric == metric {
			return &spec.Carried[i]
		}
	}
	return nil
}

// falseAbort are the odds with which one metric of a run may abort a candidate without harm: its part, by weight, of those
// of all whose evidence decides. A dry run has what it would have if it decided with the others.
func falseAbort(spec v1alpha1.AnalysisRunSpec, index int) float64 {
	all, own := 0.0, spec.Metrics[index]
	for i := range spec.Metrics {
		all += weight(&spec.Metrics[i])
	}
	odds := judge.Defaults().FalseAbort
	if given, err := percent("spec.errorBudget", spec.ErrorBudget, odds); err == nil && given > 0 {
		odds = given
	}
	if own.IsDryRun() {
		own.DryRun = nil
		all += weight(&own)
	}
	return odds * weight(&own) / max(all, 1)
}

// asPercent writes odds as a text such as "0.5%", rounded down to the six digits that the API holds.
func asPercent(odds float64) string {
	const digits = 1e6
	return strconv.FormatFloat(math.Floor(odds*100*digits+1e-3)/digits, 'f', -1, 64) + "%"
}
