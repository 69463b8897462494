package analysis

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

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
	// step begins the next step: harm may begin here, and a pass is shown anew.
	step()
	// since leaves what an earlier test has seen out of all that is told of requests, and in the evidence.
	since(before test)
	// requests of the candidate that were seen, and how many it takes to find what is not to pass.
	requests() (seen, needed float64)
	// tell writes down what was seen, and what is needed to resume. The counts by weight are there already.
	tell(c *v1alpha1.Comparison, interval bool)
}

// odds are what a test of one metric may use up.
type odds struct {
	// falseAbort is how likely a candidate without harm may be found to do some.
	falseAbort float64
	// steps is at how many weights harm may begin.
	steps int
}

// oddsOf are those of one metric of a run.
func oddsOf(spec v1alpha1.AnalysisRunSpec, index int) odds {
	return odds{falseAbort: falseAbort(spec, index), steps: int(spec.PlannedSteps)}
}

// resumed is the test of a metric as it was left: by this run, or by the one before it in the release.
func resumed(spec v1alpha1.AnalysisRunSpec, index int, left *v1alpha1.Comparison) (test, error) {
	metric := spec.Metrics[index]
	kind, carried := kindOf(&metric), carriedBy(spec, metric.Name)
	if carried == nil {
		return kind.resume(oddsOf(spec, index), left)
	}
	memory := &v1alpha1.Comparison{Memory: carried.Memory}
	before, err := kind.resume(oddsOf(spec, index), memory)
	if err != nil {
		return nil, err
	}
	if left == nil {
		left = memory
	}
	test, err := kind.resume(oddsOf(spec, index), left)
	if err != nil {
		return nil, err
	}
	if left == memory && carried.Gate != spec.Gate {
		test.step()
	}
	test.since(before)
	return test, nil
}

// counts is a test of one kind of bad requests.
type counts struct {
	test   *judge.Counts
	before *judge.Counts // what earlier runs had seen; nil for nothing
}

// resumeCounts makes a test of counts as it was left.
func resumeCounts(settings judge.Settings, left *v1alpha1.Comparison) (test, error) {
	made, err := judge.NewCounts(settings)
	if left != nil {
		made, err = judge.Restore(settings, left.Memory)
	}
	if err != nil {
		return nil, err
	}
	return &counts{test: made}, nil
}

func (c *counts) observe(counted Counted) error { return c.test.Observe(counted.Batch) }
func (c *counts) fail() float64                 { return c.test.Fail() }
func (c *counts) pass() float64                 { return c.test.Pass() }
func (c *counts) settings() judge.Settings      { return c.test.Settings() }

func (c *counts) step() { c.test.Step() }

func (c *counts) since(before test) {
	if earlier, ok := before.(*counts); ok {
		c.before = earlier.test
	}
}

func (c *counts) requests() (seen, needed float64) {
	here, _ := c.test.Since(c.before)
	return here.Candidate.Total, judge.Needed(c.test.Settings(), here)
}

func (c *counts) tell(into *v1alpha1.Comparison, interval bool) {
	seen, ratio := c.test.Since(c.before)
	into.Candidate, into.Stable = requests(seen.Candidate), requests(seen.Stable)
	into.Ratio = short(ratio)
	if interval {
		into.RatioRange = between(
			judge.RatioInterval(byWeight(*into, seen), judge.Defaults().FalseAbort, judge.Defaults().FalsePass))
	}
	into.Memory = c.test.Memory()
}

// compare folds a batch into the comparison of a metric.
func compare(spec v1alpha1.AnalysisRunSpec, index int, result *v1alpha1.MetricResult, counted Counted) error {
	test, err := resumed(spec, index, result.Comparison)
	if err != nil {
		return err
	}
	weights, risen := weighedAt(weightAt(spec.Shifts, counted.Until), result.Comparison, counted.Batch)
	if risen {
		test.step()
	}
	if err := test.observe(counted); err != nil {
		return err
	}
	_, needed := test.requests()
	c := &v1alpha1.Comparison{
		Until:    moment(counted.Until),
		Evidence: short(math.Exp(min(test.fail(), maxShown))), Limit: short(math.Exp(test.settings().FailAt())),
		Needed:     whole(needed),
		Lag:        lagged(counted.Scrape),
		Weights:    weights,
		Dispersion: short(test.settings().Dispersion),
		History:    prolonged(historyOf(result.Comparison), counted.Until, interval(spec.Metrics[index]), test.fail()),
	}
	test.tell(c, !isEndless(spec.Metrics[index]) || len(weights) > 0)
	result.Comparison = c
	return nil
}

// weighedAt adds a batch to the counts of its weight, and says whether that is another weight than the one before. Beyond
// what a status holds, what is served at further weights is added to the last.
func weighedAt(weight string, left *v1alpha1.Comparison, batch judge.Batch) (all []v1alpha1.WeightCounts, another bool) {
	if left != nil {
		all = slices.Clone(left.Weights)
	}
	if weight == "" {
		return all, false
	}
	another = len(all) > 0 && all[len(all)-1].Weight != weight
	if len(all) == 0 || another && len(all) < maxWeights {
		all = append(all, v1alpha1.WeightCounts{Weight: weight})
	}
	last := &all[len(all)-1]
	last.Weight = weight
	last.Candidate = plus(last.Candidate, requests(batch.Candidate))
	last.Stable = plus(last.Stable, requests(batch.Stable))
	return all, another
}

// maxWeights is how many weights a status tells apart.
const maxWeights = 64

func plus(a, b v1alpha1.RequestCounts) v1alpha1.RequestCounts {
	return v1alpha1.RequestCounts{Bad: a.Bad + b.Bad, Total: a.Total + b.Total}
}

// byWeight are the batches of a comparison, one for each weight, as far as weights are known.
func byWeight(c v1alpha1.Comparison, seen judge.Batch) []judge.Batch {
	if len(c.Weights) == 0 {
		return []judge.Batch{seen}
	}
	all := make([]judge.Batch, 0, len(c.Weights))
	for _, w := range c.Weights {
		all = append(all, seenOf(v1alpha1.Comparison{Candidate: w.Candidate, Stable: w.Stable}))
	}
	return all
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
	test, err := resumed(spec, index, result.Comparison)
	if err != nil {
		return judge.Decision{}, err
	}
	rule := judge.Rule{FalseAbort: test.settings().FalseAbort, FalsePass: test.settings().FalsePass}
	if !isEndless(metric) {
		taken := withData(result)
		rule.Over = taken >= wanted(metric)
		early := metric.PassAfter()
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
		return fmt.Sprintf("the first batch is counted %s after the start", firstAfter(spec, index)) + brought(spec, metric.Name)
	}
	text := fmt.Sprintf("%s; evidence of harm %s, fails at %s%s", kindOf(&metric).told(*c), c.Evidence, c.Limit,
		brought(spec, metric.Name))
	return text + reason(spec, index, result, decision)
}

// reason says why a metric with batches is where it is.
func reason(spec v1alpha1.AnalysisRunSpec, index int, result v1alpha1.MetricResult, decision judge.Decision) string {
	name, c := spec.Metrics[index].Name, result.Comparison
	switch result.Phase {
	case v1alpha1.AnalysisPassed:
		if decision.Proven {
			return "; shown to be no worse than tolerated"
		}
		return fmt.Sprintf("; %d requests would have shown what matters", c.Needed)
	case v1alpha1.AnalysisInconclusive:
		lacking := strings.Join(decision.Lacking, "; ")
		return "; too few to tell: " + strings.TrimPrefix(lacking, name+": ")
	case v1alpha1.AnalysisRunning:
		return moving(spec, c.Until.Time)
	case v1alpha1.AnalysisFailed:
		if decision.Verdict != judge.Failed {
			return " alone, and with the evidence of the other metrics before"
		}
	case v1alpha1.AnalysisStopped, v1alpha1.AnalysisPending:
	}
	return ""
}

// moving says that nothing is counted because traffic moves; empty while it rests.
func moving(spec v1alpha1.AnalysisRunSpec, since time.Time) string {
	if _, rests := restAfter(spec.Shifts, since); rests {
		return ""
	}
	return "; traffic moves, and nothing is counted until it rests"
}

// firstAfter is how long after the start the first batch of a run is counted at the earliest.
func firstAfter(spec v1alpha1.AnalysisRunSpec, index int) time.Duration {
	first := spec.Metrics[index].FirstAfter()
	if len(spec.Shifts) > 0 {
		first += max(0, v1alpha1.ShiftMargin-duration(spec.Metrics[index].InitialDelay))
	}
	return first
}

// brought says which earlier analysis evidence goes on from; empty for none.
func brought(spec v1alpha1.AnalysisRunSpec, metric string) string {
	carried := carriedBy(spec, metric)
	if carried == nil {
		return ""
	}
	return fmt.Sprintf(" (goes on from %s of %s)", carried.Evidence, carried.Gate)
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
