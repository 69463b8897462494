package analysis

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-dev/sluice/analysis/judge"
	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// boundHistory is how much of stable's past bounds are chosen from: enough for the hundredth part of few requests.
const boundHistory = time.Hour

// latency compares how many requests of both versions take longer than a few bounds. Bounds are chosen, or looked at, once:
// before the first batch, by what stable served before it. A choice by the batches that are judged would choose the noise.
type latency struct{ metric *v1alpha1.Metric }

func (latency) field() string { return "latency" }

func (latency) alone() bool { return false }

func (l latency) selectors() []selector {
	spec := l.metric.Latency
	return []selector{{"latency.candidate", &spec.Candidate}, {"latency.stable", &spec.Stable}}
}

func (l latency) check() error {
	if err := checkSelectors(l.selectors()); err != nil {
		return err
	}
	if _, err := l.given(); err != nil {
		return err
	}
	_, err := l.settings(odds{falseAbort: judge.Defaults().FalseAbort})
	return err
}

// given are the bounds that the metric names, in order, without what stable has to do with them.
func (l latency) given() ([]judge.Bound, error) {
	var all []judge.Bound
	for i, text := range l.metric.Latency.Bounds {
		at, err := strconv.ParseFloat(text, 64)
		if err != nil || !(at > 0) || math.IsInf(at, 1) {
			return nil, &Fault{Reason: v1alpha1.ReasonQueryInvalid, Field: fmt.Sprintf("latency.bounds[%d]", i), Message: fmt.Sprintf(
				"%q is no latency; write a number in the unit of the histograms, such as \"0.25\"", text)}
		}
		all = append(all, judge.Bound{At: at})
	}
	slices.SortFunc(all, func(a, b judge.Bound) int { return int(math.Copysign(1, a.At-b.At)) })
	return all, nil
}

// settings gives those for each bound. The error says which margin is none.
func (l latency) settings(odds odds) (func(judge.Bound) judge.Settings, error) {
	spec, settings := l.metric.Latency, judge.Defaults()
	settings.FalseAbort, settings.Steps = odds.falseAbort, odds.steps
	var err error
	if settings.Dispersion, err = dispersion(l.metric); err != nil {
		return nil, err
	}
	var relative, absolute float64
	far := settings.At(judge.Bound{}).Fail
	for _, margin := range []struct {
		field, text string
		otherwise   float64
		to          *float64
	}{
		{"latency.maxRelativeIncrease", spec.MaxRelativeIncrease, far.Relative - 1, &relative},
		{"latency.maxAbsoluteIncrease", spec.MaxAbsoluteIncrease, far.Absolute, &absolute},
	} {
		value, err := percent(margin.field, margin.text, margin.otherwise)
		if err != nil {
			return nil, err
		}
		*margin.to = value
	}
	if spec.MaxRelativeIncrease == "" && spec.MaxAbsoluteIncrease == "" {
		return settings.At, nil
	}
	settings.Fail, settings.Pass = margins(relative, absolute)
	if err := settings.Check(); err != nil {
		return nil, &Fault{Reason: v1alpha1.ReasonQueryInvalid, Field: "latency", Message: err.Error()}
	}
	return func(judge.Bound) judge.Settings { return settings }, nil
}

func (l latency) count(ctx context.Context, ask question) (Count, error) {
	counter, ok := ask.Provider.(LatencyCounter)
	if !ok {
		return Count{}, errNoCounter()
	}
	spec := l.metric.Latency
	answer, err := counter.CountLatencies(ctx, LatencyQuery{
		Source: l.metric.Provider, Candidate: spec.Candidate, Stable: spec.Stable, From: ask.from, To: ask.to, Secrets: ask.Secrets,
	})
	if err != nil {
		return Count{}, err
	}
	count := Count{
		Histograms: &Histograms{Candidate: answer.Candidate, Stable: answer.Stable},
		Newest:     answer.Newest, Scrape: answer.Scrape, Warnings: answer.Warnings,
	}
	bounds := boundsOf(ask.left)
	if bounds == nil {
		past, err := l.past(ctx, counter, ask)
		if err != nil {
			return Count{}, err
		}
		count.Histograms.Judged = past.Requests() > 0
		if !count.Histograms.Judged {
			past = answer.Stable
		}
		if bounds, err = l.choose(past); err != nil {
			return Count{}, err
		}
		count.Histograms.Bounds = bounds
	}
	at := math.Inf(1) // before bounds are chosen, nothing is slow
	if len(bounds) > 0 {
		at = bounds[0].At
	}
	count.Batch = judge.Batch{Candidate: answer.Candidate.Above(at), Stable: answer.Stable.Above(at)}
	return count, nil
}

// past is how long stable's requests took before the first batch. Where it served none, its first batch is the history, and
// is not judged.
func (l latency) past(ctx context.Context, counter LatencyCounter, ask question) (judge.Histogram, error) {
	return counter.Latencies(ctx, HistoryQuery{
		Source: l.metric.Provider, Selector: l.metric.Latency.Stable, At: ask.from, For: boundHistory, Secrets: ask.Secrets,
	})
}

// choose gives the bounds of a test that has none yet: those of the metric, or those that tell most of stable; none as long
// as stable has served nothing.
func (l latency) choose(past judge.Histogram) ([]judge.Bound, error) {
	if past.Requests() == 0 {
		return nil, nil
	}
	given, err := l.given()
	if err != nil {
		return nil, err
	}
	if len(given) == 0 {
		chosen, err := judge.Bounds(past)
		if err != nil {
			return nil, &Fault{Reason: v1alpha1.ReasonQueryInvalid, Field: "latency", Message: err.Error()}
		}
		return chosen, nil
	}
	for i := range given {
		given[i].Tail = past.Above(given[i].At).Rate()
		if err := past.Tells(given[i].At); err != nil {
			return nil, &Fault{Reason: v1alpha1.ReasonQueryInvalid, Field: "latency.bounds", Message: err.Error()}
		}
	}
	return given, nil
}

// boundsOf are the bounds of a test as it was left; nil before they are chosen.
func boundsOf(left *v1alpha1.Comparison) []judge.Bound {
	if left == nil || left.Memory == "" {
		return nil
	}
	test, err := judge.RestoreLatency(judge.Defaults().At, left.Memory)
	if err != nil {
		return nil
	}
	return test.Bounds()
}

func (l latency) resume(odds odds, left *v1alpha1.Comparison) (test, error) {
	settings, err := l.settings(odds)
	if err != nil {
		return nil, err
	}
	t := &slowness{at: settings}
	if left != nil && left.Memory != "" {
		if t.test, err = judge.RestoreLatency(settings, left.Memory); err != nil {
			return nil, err
		}
	}
	return t, nil
}

func (l latency) told(c v1alpha1.Comparison) string {
	text := factor(c) + served(seenOf(c))
	if i := leading(c); i >= 0 {
		text = strings.Replace(text, " bad of ", " slower than "+c.Bounds[i].Bound+" of ", 2)
	}
	if len(c.Bounds) == 1 && len(l.metric.Latency.Bounds) == 0 {
		text += " (the buckets tell no more; finer ones would)"
	}
	return text
}

// leading is the bound at which the evidence of harm is largest; −1 before bounds are chosen.
func leading(c v1alpha1.Comparison) int {
	return slices.IndexFunc(c.Bounds, func(b v1alpha1.BoundCounts) bool { return b.Candidate == c.Candidate && b.Stable == c.Stable })
}

// slowness is a test at a few bounds.
type slowness struct {
	at     func(judge.Bound) judge.Settings
	test   *judge.Latency // nil until bounds are chosen
	before *judge.Latency // what earlier runs had seen; nil for nothing
}

// observe takes in a batch. The one that bounds were chosen from is not judged.
func (s *slowness) observe(counted Counted) error {
	h := counted.Histograms
	switch {
	case h == nil:
		return errors.New("the batch holds no histograms")
	case s.test == nil && len(h.Bounds) == 0:
		return nil
	case s.test == nil:
		settings := make([]judge.Settings, 0, len(h.Bounds))
		for _, bound := range h.Bounds {
			settings = append(settings, s.at(bound))
		}
		made, err := judge.NewLatency(h.Bounds, settings)
		if err != nil {
			return err
		}
		s.test = made
		if h.Judged {
			return made.Observe(h.Candidate, h.Stable)
		}
		return nil
	}
	return s.test.Observe(h.Candidate, h.Stable)
}

func (s *slowness) fail() float64 {
	if s.test == nil {
		return 0
	}
	return s.test.Fail()
}

func (s *slowness) pass() float64 {
	if s.test == nil {
		return 0
	}
	return s.test.Pass()
}

func (s *slowness) settings() judge.Settings {
	if s.test == nil {
		return s.at(judge.Bound{})
	}
	return s.test.Settings()
}

func (s *slowness) step() {
	if s.test != nil {
		s.test.Step()
	}
}

func (s *slowness) since(before test) {
	if earlier, ok := before.(*slowness); ok {
		s.before = earlier.test
	}
}

// here is what was seen at a bound in this run.
func (s *slowness) here(i int) (judge.Batch, float64) {
	if s.before == nil {
		return s.test.Tests()[i].Since(nil)
	}
	return s.test.Tests()[i].Since(s.before.Tests()[i])
}

// requests of the candidate, and how many it takes at the bound that takes most.
func (s *slowness) requests() (seen, needed float64) {
	if s.test == nil {
		return 0, math.Inf(1)
	}
	for i, test := range s.test.Tests() {
		batch, _ := s.here(i)
		seen, needed = batch.Candidate.Total, max(needed, judge.Needed(test.Settings(), batch))
	}
	return seen, needed
}

func (s *slowness) tell(into *v1alpha1.Comparison, interval bool) {
	if s.test == nil {
		return
	}
	into.Memory = s.test.Memory()
	most := math.Inf(-1)
	for i, test := range s.test.Tests() {
		seen, ratio := s.here(i)
		b := v1alpha1.BoundCounts{
			Bound:     formatValue(s.test.Bounds()[i].At),
			Candidate: requests(seen.Candidate), Stable: requests(seen.Stable), Ratio: short(ratio),
			Evidence: short(math.Exp(min(test.Fail(), maxShown))),
		}
		into.Bounds = append(into.Bounds, b)
		if test.Fail() <= most {
			continue
		}
		most = test.Fail()
		into.Candidate, into.Stable, into.Ratio, into.RatioRange = b.Candidate, b.Stable, b.Ratio, ""
		if interval && len(into.Weights) <= 1 { // counts by weight are those of the first bound
			into.RatioRange = between(
				judge.RatioInterval([]judge.Batch{seen}, judge.Defaults().FalseAbort, judge.Defaults().FalsePass))
		}
	}
}
