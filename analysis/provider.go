package analysis

import (
	"context"
	"time"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// Provider fetches figures. It does not judge them, and keeps no state between two calls. It is safe for concurrent use.
type Provider interface {
	// Measure asks for one number. An answer without a number is no error: it is a Reading that is not Found. What
	// hinders the measurement is returned as a *Fault. Measure returns when ctx is done, and bounds by itself how long
	// it waits and how much it reads.
	Measure(ctx context.Context, query Query) (Reading, error)
}

// Query is one question to a provider.
type Query struct {
	// Source says whom to ask what. Placeholders of arguments have been replaced.
	Source v1alpha1.MetricProvider
	// At is the moment that the figure is asked for. Providers pass it on, so that a slow answer is still one for this
	// moment.
	At time.Time
	// Secrets gives the values of Secrets that Source refers to.
	Secrets Secrets
}

// Reading is the answer to a query.
type Reading struct {
	// Value is the number, when there is one. It may be NaN or infinite, which counts as no data.
	Value float64
	// Found says that there is a number at all. An empty result has none.
	Found bool
	// Warnings are what the server wants people to know about the answer, "some data may be missing".
	Warnings []string
}

// Fault says why a metric could not be measured, and what would help.
type Fault struct {
	// Reason in one word, one of the Reason constants of the API.
	Reason string
	// Field that the fault is about, below the metric: "provider.prometheus.address". Empty when it is about none.
	Field string
	// Message says what is wrong and what to write or do instead. It never holds what an unknown server answered.
	Message string
	// Cause is the error behind it, if any.
	Cause error
}

// Error gives the field and the message.
func (f *Fault) Error() string {
	if f.Field == "" {
		return f.Message
	}
	return f.Field + ": " + f.Message
}

// Unwrap gives the cause.
func (f *Fault) Unwrap() error { return f.Cause }

// below gives the same fault for a field seen from further up.
func (f *Fault) below(prefix string) *Fault {
	moved := *f
	moved.Field = prefix
	if f.Field != "" {
		moved.Field = prefix + "." + f.Field
	}
	return &moved
}
