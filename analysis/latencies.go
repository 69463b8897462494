package analysis

import (
	"context"
	"time"

	"github.com/sluice-dev/sluice/analysis/judge"
	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// LatencyCounter counts requests by how long they took. It does not judge them, and keeps no state between two calls. It
// is safe for concurrent use.
type LatencyCounter interface {
	// CountLatencies gives how long the requests of both versions took within a span of time. Otherwise it is as
	// Counter.Count; the fields of a fault are candidate and stable.
	CountLatencies(ctx context.Context, query LatencyQuery) (LatencyCount, error)
	// Latencies gives how long requests took in a time before a moment, near enough to choose bounds by. That there were
	// none is no error.
	Latencies(ctx context.Context, query HistoryQuery) (judge.Histogram, error)
}

// LatencyQuery asks how long requests took after From, until To and at To.
type LatencyQuery struct {
	// Source says whom to ask. Placeholders of arguments have been replaced.
	Source v1alpha1.MetricProvider
	// Candidate and Stable select the histograms of the two versions, without a function or a range.
	Candidate, Stable string
	// From and To bound the time, as in CountQuery.
	From, To time.Time
	// Secrets gives the values of Secrets that Source refers to.
	Secrets Secrets
}

// LatencyCount is the answer to a LatencyQuery. Both histograms have the same buckets.
type LatencyCount struct {
	// Candidate and Stable are how long requests took; empty for a version that served none.
	Candidate, Stable judge.Histogram
	// Newest, Scrape and Warnings are as in Count.
	Newest   time.Time
	Scrape   time.Duration
	Warnings []string
}

// HistoryQuery asks how long requests took in the time For before At.
type HistoryQuery struct {
	// Source says whom to ask. Placeholders of arguments have been replaced.
	Source v1alpha1.MetricProvider
	// Selector selects histograms, without a function or a range.
	Selector string
	// At is the end of the time, and For its length.
	At  time.Time
	For time.Duration
	// Secrets gives the values of Secrets that Source refers to.
	Secrets Secrets
}

// Histograms are how long the requests of a batch took.
type Histograms struct {
	// Candidate and Stable have the same buckets.
	Candidate, Stable judge.Histogram
	// Bounds are those that the test is to have from now on; nil when it has some, or when there is nothing to choose by.
	Bounds []judge.Bound
	// Judged says that the batch is evidence: Bounds were not chosen from it.
	Judged bool
}
