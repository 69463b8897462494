package analysis

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/analysis/judge"
	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// usualScrape is taken for the time between two samples where it cannot be told, or is less.
const usualScrape = 15 * time.Second

// weighed is a kind of metric whose measurements are batches, which a test weighs. A kind says what it counts and which
// test weighs it. How batches are cut, resumed, judged and told of is the same for all: this file and weigh.go.
type weighed interface {
	// field of the metric that makes it one of this kind: ratio.
	field() string
	// selectors are its texts in which arguments may stand, and none is a query by itself.
	selectors() []selector
	// check finds what is wrong with it, once arguments are in place.
	check() error
	// alone says that the candidate is compared with no stable.
	alone() bool
	// told says what was counted.
	told(c v1alpha1.Comparison) string
	// count asks for a batch.
	count(ctx context.Context, ask question) (Count, error)
	// resume makes the test as it was left; a new one, of so many steps, when nothing was.
	resume(odds odds, left *v1alpha1.Comparison) (test, error)
}

// kindOf gives what weighs a metric; nil for one with conditions. Its texts are those of the metric that it is given.
func kindOf(metric *v1alpha1.Metric) weighed {
	switch {
	case metric.Ratio != nil:
		return ratio{metric}
	case metric.Latency != nil:
		return latency{metric}
	case metric.SLO != nil:
		return slo{metric}
	}
	return nil
}

// selector is a text with its field.
type selector struct {
	field string
	text  *string
}

// selectorsOf are the texts of a metric beside conditions and providers in which arguments may stand.
func selectorsOf(metric *v1alpha1.Metric) []selector {
	if kind := kindOf(metric); kind != nil {
		return kind.selectors()
	}
	return nil
}

// Counted is what both versions served since the last batch.
type Counted struct {
	// Batch of requests.
	Batch judge.Batch
	// Histograms are how long requests took; nil where it does not matter.
	Histograms *Histograms
	// Scrape is the time between two samples; 0 when it cannot be told.
	Scrape time.Duration
	// Until is the end of the batch.
	Until time.Time
}

// longestLag bounds how long after its end a batch is counted, where something pretends to be scraped once an hour.
const longestLag = 10 * time.Minute

// lagOf is how long after its end a batch is counted: once two scrapes are in.
func lagOf(left *v1alpha1.Comparison) time.Duration {
	if left == nil || left.Lag == nil {
		return v1alpha1.RatioLag
	}
	return min(max(left.Lag.Duration, v1alpha1.RatioLag), longestLag)
}

// lagged is the lag that a scrape asks for; nil for no more than the usual one.
func lagged(scrape time.Duration) *metav1.Duration {
	if 2*scrape <= v1alpha1.RatioLag {
		return nil
	}
	return &metav1.Duration{Duration: min(2*scrape, longestLag).Round(time.Second)}
}

// told says what was counted in a batch.
func (c Counted) told(kind weighed) string {
	return kind.told(v1alpha1.Comparison{Candidate: requests(c.Batch.Candidate), Stable: requests(c.Batch.Stable)})
}

// upcoming is a batch to count: within a time in which traffic stands still, after those that were.
type upcoming struct {
	rest
	left *v1alpha1.Comparison // nil when nothing was left, by this run or an earlier one
}

// leftOf is what the batches of a metric have come to so far.
func leftOf(spec v1alpha1.AnalysisRunSpec, status v1alpha1.AnalysisRunStatus, index int) *v1alpha1.Comparison {
	if index < len(status.Metrics) && status.Metrics[index].Comparison != nil {
		return status.Metrics[index].Comparison
	}
	if carried := carriedBy(spec, spec.Metrics[index].Name); carried != nil {
		return &v1alpha1.Comparison{Memory: carried.Memory}
	}
	return nil
}

// question is all that it takes to ask for a batch: whom, for which time, and what was left of the batches before.
type question struct {
	Meter
	span
	left *v1alpha1.Comparison
}

// span is a time after from, until to and at to.
type span struct{ from, to time.Time }

// from is where the next batch begins.
func from(metric v1alpha1.Metric, status v1alpha1.AnalysisRunStatus, index int) time.Time {
	if index < len(status.Metrics) {
		if c := status.Metrics[index].Comparison; c != nil {
			return c.Until.Time
		}
	}
	return status.StartedAt.Add(duration(metric.InitialDelay))
}

// count takes the next batch, within a time in which traffic stands still. One that is not whole is left for later: the next one begins where the last whole one has
// ended. One in which a version served nothing is over, as there is nothing more to come.
func (m Meter) count(
	ctx context.Context, kind weighed, due upcoming, now time.Time,
) (v1alpha1.Measurement, *Counted, error) {
	begin, end := due.from, now.Add(-lagOf(due.left)).Truncate(time.Second)
	if due.over() && due.to.Before(end) {
		end = due.to
	}
	if !end.After(begin) {
		return v1alpha1.Measurement{}, nil, &Fault{
			Reason: v1alpha1.ReasonNoData, Field: kind.field(),
			Message: "the batch has no length yet, as traffic moved or the clock was put back; it waits",
		}
	}
	answer, err := kind.count(ctx, question{m, span{begin, end}, due.left})
	if err != nil {
		return v1alpha1.Measurement{}, nil, belowKind(kind, err)
	}
	return batched(kind, answer, end)
}

// errNoCounter says that a provider cannot count.
func errNoCounter() error {
	return &Fault{
		Reason: v1alpha1.ReasonQueryInvalid, Field: "provider", Message: "it cannot count requests; use provider.prometheus",
	}
}

// belowKind puts the field of a selector below its kind, where it stands; that of a server stays below provider.
func belowKind(kind weighed, err error) error {
	var fault *Fault
	if errors.As(err, &fault) && (strings.HasPrefix(fault.Field, "candidate") || strings.HasPrefix(fault.Field, "stable")) {
		return fault.below(kind.field())
	}
	return err
}

// batched makes a measurement of what was counted.
func batched(kind weighed, answer Count, end time.Time) (v1alpha1.Measurement, *Counted, error) {
	if err := answer.Batch.Check(); err != nil {
		return v1alpha1.Measurement{}, nil, &Fault{Reason: v1alpha1.ReasonQueryInvalid, Field: kind.field(), Message: err.Error() +
			"; let bad select a part of what total selects"}
	}
	state := judge.Answer{
		Partial: len(answer.Warnings) > 0, Age: age(answer, end), Scrape: max(answer.Scrape, usualScrape), Weight: 1, Batch: answer.Batch,
		Objective: kind.alone(),
	}.State()
	counted := &Counted{Batch: answer.Batch, Histograms: answer.Histograms, Scrape: answer.Scrape, Until: end}
	if state == judge.Ok {
		return v1alpha1.Measurement{
			State: v1alpha1.MeasurementSuccessful, Value: formatValue(answer.Batch.Candidate.Rate()), Message: counted.told(kind),
		}, counted, nil
	}
	fault := &Fault{Reason: string(state), Field: kind.field(), Message: stateMessage(kind, state, answer, end)}
	counted.Batch = judge.Batch{} // What one version served alone is compared with nothing.
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

// stateMessage says why a batch is no evidence, by the name of its state, and what would help.
func stateMessage(kind weighed, state judge.State, answer Count, end time.Time) string {
	switch state {
	case judge.NoCanaryTraffic:
		if kind.alone() {
			return string(state) + ": no request reached the candidate; look whether the route sends it traffic, and whether " +
				kind.field() + ".candidate selects its series"
		}
		return string(state) + ": no request reached the candidate while " + arm("stable served", answer.Batch.Stable) +
			"; look whether the route sends it traffic, and whether " + kind.field() + ".candidate selects its series"
	case judge.NoBaseline:
		return string(state) + ": " + noBaseline(kind, answer.Batch.Candidate)
	case judge.Stale:
		return fmt.Sprintf("%s: the newest sample is %s old; look whether the server still scrapes both versions",
			state, age(answer, end).Round(time.Second))
	case judge.Partial:
		return string(state) + ": the answer may not be whole, and is asked for again; warning: " + clip(strings.Join(answer.Warnings, "; "), maxMessage/2)
	case judge.Ok, judge.SourceError, judge.Ambiguous:
	}
	return string(state)
}

// noBaseline says that stable served nothing, and whether the candidate did.
func noBaseline(kind weighed, candidate judge.Arm) string {
	if candidate.Total == 0 {
		return "no request reached either version, so there is nothing to compare; it waits for requests; look whether " +
			kind.field() + " selects the series of both"
	}
	return "stable served nothing while " + arm("the candidate served", candidate) +
		", so there is nothing to compare with; look whether " + kind.field() + ".stable selects its series"
}

// served says what both versions served.
func served(b judge.Batch) string {
	return arm("candidate", b.Candidate) + ", " + arm("stable", b.Stable)
}

// arm says how many of a version's requests were bad.
func arm(who string, a judge.Arm) string {
	return fmt.Sprintf("%s %.0f bad of %.0f", who, a.Bad, a.Total)
}
