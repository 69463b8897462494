package analysis

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/sluice-dev/sluice/analysis/judge"
	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// test weighs the batches of one metric.
type test interface {
	// observe takes in a batch. The error says why it cannot be one; then nothing has changed.
	observe(counted Counted) error
	// fail and pass are the logarithms of the evidence of harm, and of none.
	fail() float64
	pass() float64
	// settings of the test.
	settings() judge.Settings
	// requests of the candidate that were seen, and how many it takes to find what is not to pass.
	requests() (seen, needed float64)
	// tell writes down what was seen, and what is needed to resume.
	tell(c *v1alpha1.Comparison, interval bool)
}

// counts is a test of one kind of bad requests.
type counts struct{ test *judge.Counts }

// resumeCounts makes a test of counts as it was left.
func resumeCounts(settings judge.Settings, left *v1alpha1.Comparison) (test, error) {
	made, err := judge.NewCounts(settings)
	if left != nil {
		made, err = judge.Restore(settings, left.Memory)
	}
	if err != nil {
		return nil, err
	}
	return counts{made}, nil
}

func (c counts) observe(counted Counted) error { return c.test.Observe(counted.Batch) }
func (c counts) fail() float64                 { return c.test.Fail() }
func (c counts) pass() float64                 { return c.test.Pass() }
func (c counts) settings() judge.Settings      { return c.test.Settings() }

func (c counts) requests() (seen, needed float64) {
	return c.test.Seen().Candidate.Total, judge.Needed(c.test.Settings(), c.test.Seen())
}

func (c counts) tell(into *v1alpha1.Comparison, interval bool) {
	seen := c.test.Seen()
	into.Candidate, into.Stable = requests(seen.Candidate), requests(seen.Stable)
	into.Ratio = short(c.test.Ratio())
	if interval {
		into.RatioRange = between(
			judge.RatioInterval([]judge.Batch{seen}, judge.Defaults().FalseAbort, judge.Defaults().FalsePass))
	}
	into.Memory = c.test.Memory()
}

// compare folds a batch into the comparison of a metric.
func compare(spec v1alpha1.AnalysisRunSpec, index int, result *v1alpha1.MetricResult, counted Counted) error {
	metric := spec.Metrics[index]
	test, err := kindOf(&metric).resume(falseAbort(spec), result.Comparison)
	if err != nil {
		return err
	}
	if err := test.observe(counted); err != nil {
		return err
	}
	_, needed := test.requests()
	c := &v1alpha1.Comparison{
		Until:    moment(counted.Until),
		Evidence: short(math.Exp(min(test.fail(), maxShown))), Limit: short(math.Exp(test.settings().FailAt())),
		Needed:  whole(needed),
		History: prolonged(historyOf(result.Comparison), counted.Until, interval(metric), test.fail()),
	}
	test.tell(c, !isEndless(metric))
	result.Comparison = c
	return nil
}

// maxShown is the largest logarithm that is shown as a factor, a million million.
const maxShown = 27.6

// weighedPhase judges a metric by all its batches.
func weighedPhase(spec v1alpha1.AnalysisRunSpec, index int, result v1alpha1.MetricResult) v1alpha1.AnalysisPhase {
	decision, err := decide(spec, index, result)
	switch {
	case err != nil:
		return v1alpha1.AnalysisInconclusive
	case decision.Verdict == judge.Failed:
		return v1alpha1.AnalysisFailed
	case decision.Verdict == judge.Passed:
		return v1alpha1.AnalysisPassed
	case decision.Verdict == judge.Inconclusive:
		return v1alpha1.AnalysisInconclusive
	}
	return v1alpha1.AnalysisRunning
}

// decide gives the verdict on a metric with its reasons. The error says that its memory cannot be read.
func decide(spec v1alpha1.AnalysisRunSpec, index int, result v1alpha1.MetricResult) (judge.Decision, error) {
	metric := spec.Metrics[index]
	kind := kindOf(&metric)
	test, err := kind.resume(falseAbort(spec), result.Comparison)
	if err != nil {
		return judge.Decision{}, err
	}
	rule := judge.Rule{FalseAbort: test.settings().FalseAbort, FalsePass: test.settings().FalsePass}
	if !isEndless(metric) {
		taken := withData(result)
		rule.Over = taken >= wanted(metric)
		early := kind.passAfter()
		rule.MayPass = early != nil && taken >= *early
	}
	seen, needed := test.requests()
	return judge.Decide([]judge.Metric{{
		Name: metric.Name, Fail: test.fail(), Pass: test.pass(), Requests: seen, Needed: needed,
	}}, rule), nil
}

// weighedMessage says in a few words, with numbers, where a metric is and why.
func weighedMessage(spec v1alpha1.AnalysisRunSpec, index int, result v1alpha1.MetricResult) string {
	metric, c := spec.Metrics[index], result.Comparison
	decision, err := decide(spec, index, result)
	switch {
	case err != nil:
		return err.Error()
	case c == nil && result.Phase == v1alpha1.AnalysisStopped:
		return "stopped before anything was counted" + tally(result)
	case c == nil:
		return fmt.Sprintf("the first batch is counted %s after the start", metric.FirstAfter())
	}
	text := fmt.Sprintf("%s%s; evidence of harm %s, fails at %s", factor(*c), served(seenOf(*c)), c.Evidence, c.Limit)
	switch result.Phase {
	case v1alpha1.AnalysisPassed:
		if decision.Proven {
			return text + "; shown to be no worse than tolerated"
		}
		return text + fmt.Sprintf("; %d requests would have shown what matters", c.Needed)
	case v1alpha1.AnalysisInconclusive:
		lacking := strings.Join(decision.Lacking, "; ")
		return text + "; too few to tell: " + strings.TrimPrefix(lacking, metric.Name+": ")
	case v1alpha1.AnalysisFailed, v1alpha1.AnalysisStopped, v1alpha1.AnalysisPending, v1alpha1.AnalysisRunning:
	}
	return text
}

// factor says the ratio, when there is one: "×5.8 (1.9–14): ".
func factor(c v1alpha1.Comparison) string {
	switch {
	case c.Ratio == "":
		return ""
	case c.RatioRange == "":
		return "×" + c.Ratio + ": "
	}
	return fmt.Sprintf("×%s (%s): ", c.Ratio, c.RatioRange)
}

// seenOf is what a comparison has counted.
func seenOf(c v1alpha1.Comparison) judge.Batch {
	return judge.Batch{
		Candidate: judge.Arm{Bad: float64(c.Candidate.Bad), Total: float64(c.Candidate.Total)},
		Stable:    judge.Arm{Bad: float64(c.Stable.Bad), Total: float64(c.Stable.Total)},
	}
}

// requests are whole numbers of requests.
func requests(a judge.Arm) v1alpha1.RequestCounts {
	return v1alpha1.RequestCounts{Bad: whole(a.Bad), Total: whole(a.Total)}
}

// whole rounds to a whole number; 0 for what is none.
func whole(n float64) int64 {
	if !(n >= 0 && n < math.MaxInt64/2) {
		return 0
	}
	return int64(math.Round(n))
}

// between writes a range; empty when nothing is known.
func between(low, high float64) string {
	if math.IsNaN(low) || low == 0 && math.IsInf(high, 1) {
		return ""
	}
	return short(low) + "–" + short(high)
}

// short gives two digits of a number, and more of a large one; empty for what is none.
func short(n float64) string {
	switch {
	case math.IsNaN(n):
		return ""
	case math.IsInf(n, 1):
		return "∞"
	case n >= 10:
		return strconv.FormatFloat(n, 'f', 0, 64)
	case n < 0.001:
		return "0"
	}
	return strconv.FormatFloat(n, 'g', 2, 64)
}
