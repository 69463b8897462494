package analysis

import (
	"context"
	"time"

	"github.com/sluice-dev/sluice/analysis/judge"
	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// Counter counts the requests of both versions. It does not judge them, and keeps no state between two calls. It is safe
// for concurrent use.
type Counter interface {
	// Count gives what both versions served within a span of time. That there are no series is no error: nothing was
	// served. What hinders counting is returned as a *Fault. Count returns when ctx is done, and bounds by itself how long
	// it waits and how much it reads.
	Count(ctx context.Context, query CountQuery) (Count, error)
}

// CountQuery asks for the requests of both versions after From, until To and at To.
type CountQuery struct {
	// Source says whom to ask. Placeholders of arguments have been replaced.
	Source v1alpha1.MetricProvider
	// Candidate and Stable select the counters of the two versions. Without selectors of Stable, only the candidate is counted.
	Candidate, Stable Selectors
	// From and To bound the time. Two queries of which one begins where the other ends count each request once.
	From, To time.Time
	// Secrets gives the values of Secrets that Source refers to.
	Secrets Secrets
}

// Selectors select the counters of one version: series selectors of the provider, without a function or a range.
type Selectors struct {
	// Bad requests, and Total of all requests, bad ones included.
	Bad, Total string
}

// Count is the answer to a CountQuery.
type Count struct {
	// Batch is what was counted.
	Batch judge.Batch
	// Histograms are how long requests took; nil where nobody asked.
	Histograms *Histograms
	// Newest is the time of the last sample, of that version whose samples end first; zero without any sample.
	Newest time.Time
	// Scrape is the time between two samples; 0 when it cannot be told.
	Scrape time.Duration
	// Warnings are what the server wants people to know about the answer, "some data may be missing".
	Warnings []string
}
