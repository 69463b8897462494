package analysis

import (
	"context"
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-dev/sluice/analysis/judge"
	"github.com/sluice-dev/sluice/api/v1alpha1"
)

const (
	// usualScrape is taken for the time between two samples where it cannot be told, or is less.
	usualScrape = 15 * time.Second
	// passOverFail is by how many times what passes may exceed what fails: with the defaults, a quarter more fails and
	// twice as many do not pass. Between both lies what is neither shown to be harm nor to be none.
	passOverFailRelative, passOverFailAbsolute = 4, 2
)

// selectorForm is a series selector: a name, matchers in braces, or both. Nothing follows, so that a range can.
var selectorForm = regexp.MustCompile(
	"^\\s*(?:[a-zA-Z_:][a-zA-Z0-9_:]*)?\\s*(?:\\{(?:[^{}\"'`#]|\"(?:[^\"\\\\]|\\\\.)*\"|'(?:[^'\\\\]|\\\\.)*'|`[^`]*`)*\\})?\\s*$")

// Counted is what both versions served since the last batch of a ratio.
type Counted struct {
	// Batch of requests.
	Batch judge.Batch
	// Until is the end of the batch.
	Until time.Time
}

// selector is a text of a ratio, with its field.
type selector struct {
	field string
	text  *string
}

// selectors are the texts of a ratio in which arguments may stand.
func selectors(ratio *v1alpha1.RatioMetric) []selector {
	if ratio == nil {
		return nil
	}
	return []selector{
		{"ratio.candidate.bad", &ratio.Candidate.Bad},
		{"ratio.candidate.total", &ratio.Candidate.Total},
		{"ratio.stable.bad", &ratio.Stable.Bad},
		{"ratio.stable.total", &ratio.Stable.Total},
	}
}

// checkRatio finds what is wrong with a ratio in which arguments have been put in place.
func checkRatio(metric v1alpha1.Metric) error {
	for _, s := range selectors(metric.Ratio) {
		if strings.TrimSpace(*s.text) == "" || !selectorForm.MatchString(*s.text) {
			return &Fault{Reason: v1alpha1.ReasonQueryInvalid, Field: s.field, Message: fmt.Sprintf(
				"%q is no series selector; write one without a function or a range, such as http_requests_total{pod=~\"web-.*\"}",
				clip(*s.text, maxInMessages))}
		}
	}
	_, err := ratioSettings(metric, 1)
	return err
}

// ratioSettings are the settings of a test, where so many metrics of a run share the odds of a false abort.
func ratioSettings(metric v1alpha1.Metric, sharing int) (judge.Settings, error) {
	settings := judge.Defaults()
	relative, err := percent("ratio.maxRelativeIncrease", metric.Ratio.MaxRelativeIncrease, settings.Fail.Relative-1)
	if err != nil {
		return settings, err
	}
	absolute, err := percent("ratio.maxAbsoluteIncrease", metric.Ratio.MaxAbsoluteIncrease, settings.Fail.Absolute)
	if err != nil {
		return settings, err
	}
	settings.Fail = judge.Margin{Relative: 1 + relative, Absolute: absolute}
	settings.Pass = judge.Margin{
		Relative: 1 + passOverFailRelative*max(relative, 0.01), Absolute: passOverFailAbsolute * max(absolute, 0.0001),
	}
	settings.FalseAbort /= float64(max(sharing, 1))
	if err := settings.Check(); err != nil {
		return settings, &Fault{Reason: v1alpha1.ReasonQueryInvalid, Field: "ratio", Message: err.Error()}
	}
	return settings, nil
}

// percent reads a number such as "25%"; an empty text is the default.
func percent(field, text string, otherwise float64) (float64, error) {
	if text == "" {
		return otherwise, nil
	}
	value, err := strconv.ParseFloat(strings.TrimSuffix(text, "%"), 64)
	if err != nil || !strings.HasSuffix(text, "%") || !(value >= 0 && value <= 50_000) {
		return 0, &Fault{Reason: v1alpha1.ReasonQueryInvalid, Field: field, Message: fmt.Sprintf(
			"%q is no percentage; write one such as \"25%%\"", text)}
	}
	return value / 100, nil
}

// ratios is how many metrics of a run share the odds of a false abort.
func ratios(spec v1alpha1.AnalysisRunSpec) int {
	n := 0
	for _, metric := range spec.Metrics {
		if metric.Ratio != nil {
			n++
		}
	}
	return n
}

// from is where the next batch of a ratio begins.
func from(metric v1alpha1.Metric, status v1alpha1.AnalysisRunStatus, index int) time.Time {
	if index < len(status.Metrics) {
		if c := status.Metrics[index].Comparison; c != nil {
			return c.Until.Time
		}
	}
	return status.StartedAt.Add(duration(metric.InitialDelay))
}

// count takes the next batch of a ratio. A batch that is not whole is left for later: the next one begins where the last
// whole one has ended. One in which a version served nothing is over, as there is nothing more to come.
func (m Meter) count(
	ctx context.Context, metric v1alpha1.Metric, begin, now time.Time,
) (v1alpha1.Measurement, *Counted, error) {
	counter, ok := m.Provider.(Counter)
	if !ok {
		return v1alpha1.Measurement{}, nil, &Fault{
			Reason: v1alpha1.ReasonQueryInvalid, Field: "provider", Message: "it cannot count requests; use provider.prometheus",
		}
	}
	end := now.Add(-v1alpha1.RatioLag).Truncate(time.Second)
	if !end.After(begin) {
		return v1alpha1.Measurement{}, nil, &Fault{
			Reason: v1alpha1.ReasonNoData, Field: "ratio", Message: "the batch has no length yet, as the clock was put back; it waits",
		}
	}
	ratio := metric.Ratio
	answer, err := counter.Count(ctx, CountQuery{
		Source:    metric.Provider,
		Candidate: Selectors{Bad: ratio.Candidate.Bad, Total: ratio.Candidate.Total},
		Stable:    Selectors{Bad: ratio.Stable.Bad, Total: ratio.Stable.Total},
		From:      begin, To: end,
	})
	if err != nil {
		return v1alpha1.Measurement{}, nil, belowRatio(err)
	}
	return batched(answer, end)
}

// belowRatio puts the field of a selector below ratio, where it stands; that of a server stays below provider.
func belowRatio(err error) error {
	var fault *Fault
	if errors.As(err, &fault) && (strings.HasPrefix(fault.Field, "candidate.") || strings.HasPrefix(fault.Field, "stable.")) {
		return fault.below("ratio")
	}
	return err
}

// batched makes a measurement of what was counted.
func batched(answer Count, end time.Time) (v1alpha1.Measurement, *Counted, error) {
	if err := answer.Batch.Check(); err != nil {
		return v1alpha1.Measurement{}, nil, &Fault{Reason: v1alpha1.ReasonQueryInvalid, Field: "ratio", Message: err.Error() +
			"; let bad select a part of what total selects"}
	}
	state := judge.Answer{
		Partial: len(answer.Warnings) > 0, Age: age(answer, end), Scrape: max(answer.Scrape, usualScrape), Weight: 1, Batch: answer.Batch,
	}.State()
	counted := &Counted{Batch: answer.Batch, Until: end}
	if state == judge.Ok {
		return v1alpha1.Measurement{
			State: v1alpha1.MeasurementSuccessful, Value: formatValue(answer.Batch.Candidate.Rate()), Message: served(answer.Batch),
		}, counted, nil
	}
	fault := &Fault{Reason: string(state), Field: "ratio", Message: stateMessage(state, answer, end)}
	if state == judge.Partial || state == judge.Stale {
		counted = nil
	}
	return v1alpha1.Measurement{}, counted, fault
}

// age of the newest sample; 0 without any, which says nothing of age.
func age(answer Count, end time.Time) time.Duration {
	if answer.Newest.IsZero() {
		return 0
	}
	return end.Sub(answer.Newest)
}

// stateMessage says why a batch is no evidence, and what would help.
func stateMessage(state judge.State, answer Count, end time.Time) string {
	switch state {
	case judge.NoCanaryTraffic:
		return "no request reached the candidate while " + arm("stable served", answer.Batch.Stable) +
			"; look whether the route sends it traffic, and whether ratio.candidate.total selects its series"
	case judge.NoBaseline:
		return "stable served nothing, so there is nothing to compare with; look whether ratio.stable.total selects its series"
	case judge.Stale:
		return fmt.Sprintf("the newest sample is %s old; look whether the server still scrapes both versions",
			age(answer, end).Round(time.Second))
	case judge.Partial:
		return "the answer may not be whole, and is asked for again; warning: " + clip(strings.Join(answer.Warnings, "; "), maxMessage/2)
	case judge.Ok, judge.SourceError, judge.Ambiguous:
	}
	return string(state)
}

// served says what both versions served.
func served(b judge.Batch) string {
	return arm("candidate", b.Candidate) + ", " + arm("stable", b.Stable)
}

// arm says how many of a version's requests were bad.
func arm(who string, a judge.Arm) string {
	return fmt.Sprintf("%s %.0f bad of %.0f", who, a.Bad, a.Total)
}

// compare folds a batch into the comparison of a ratio.
func compare(metric v1alpha1.Metric, result *v1alpha1.MetricResult, counted Counted, sharing int) error {
	test, err := resume(metric, *result, sharing)
	if err != nil {
		return err
	}
	if err := test.Observe(counted.Batch); err != nil {
		return err
	}
	seen := test.Seen()
	low, high := math.NaN(), math.NaN()
	if !isEndless(metric) {
		low, high = judge.RatioInterval([]judge.Batch{seen}, judge.Defaults().FalseAbort, judge.Defaults().FalsePass)
	}
	result.Comparison = &v1alpha1.Comparison{
		Until: moment(counted.Until), Candidate: requests(seen.Candidate), Stable: requests(seen.Stable),
		Ratio: short(test.Ratio()), RatioRange: between(low, high),
		Evidence: short(math.Exp(min(test.Fail(), maxShown))), Limit: short(math.Exp(test.Settings().FailAt())),
		Needed: whole(judge.Needed(test.Settings(), seen)), Memory: test.Memory(),
	}
	return nil
}

// maxShown is the largest logarithm that is shown as a factor, a million million.
const maxShown = 27.6

// resume makes the test of a ratio as it was left.
func resume(metric v1alpha1.Metric, result v1alpha1.MetricResult, sharing int) (*judge.Counts, error) {
	settings, err := ratioSettings(metric, sharing)
	if err != nil {
		return nil, err
	}
	if result.Comparison == nil {
		return judge.NewCounts(settings)
	}
	return judge.Restore(settings, result.Comparison.Memory)
}

// ratioPhase judges a ratio by all its batches.
func ratioPhase(metric v1alpha1.Metric, result v1alpha1.MetricResult, sharing int) v1alpha1.AnalysisPhase {
	decision, err := decide(metric, result, sharing)
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

// decide gives the verdict on a ratio with its reasons. The error says that its memory cannot be read.
func decide(metric v1alpha1.Metric, result v1alpha1.MetricResult, sharing int) (judge.Decision, error) {
	test, err := resume(metric, result, sharing)
	if err != nil {
		return judge.Decision{}, err
	}
	rule := judge.Rule{FalseAbort: test.Settings().FalseAbort, FalsePass: test.Settings().FalsePass}
	if !isEndless(metric) {
		taken := withData(result)
		rule.Over = taken >= wanted(metric)
		rule.MayPass = metric.Ratio.PassAfter != nil && taken >= *metric.Ratio.PassAfter
	}
	return judge.Decide([]judge.Metric{{
		Name: metric.Name, Fail: test.Fail(), Pass: test.Pass(), Requests: test.Seen().Candidate.Total,
		Needed: judge.Needed(test.Settings(), test.Seen()),
	}}, rule), nil
}

// ratioMessage says in a few words, with numbers, where a ratio is and why.
func ratioMessage(metric v1alpha1.Metric, result v1alpha1.MetricResult, sharing int) string {
	c := result.Comparison
	decision, err := decide(metric, result, sharing)
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
