// Package stats counts the answers to a load, and carries the counts from the load generator to whoever asks.
//
// An answer is one of three: a success; an error that the sample app was told to give and marked as its own; or a
// failure, which is everything else: no connection, no answer in time, an error that the app did not mark, an answer
// that names no version. A success or an error of the app names the version that gave it. A failure often cannot.
package stats

import "time"

// Counts are numbers of requests that have ended.
type Counts struct {
	// Requests are all of them, whatever their end.
	Requests int64 `json:"requests"`
	// AppErrors are those that the app itself answered with an error, and marked.
	AppErrors int64 `json:"appErrors"`
	// Failures are those that went wrong for any other reason.
	Failures int64 `json:"failures"`
}

// Bad is the number of requests that did not get what they asked for.
func (c Counts) Bad() int64 { return c.AppErrors + c.Failures }

// BadShare is the share of requests, from 0 to 1, that did not get what they asked for; 0 without requests.
func (c Counts) BadShare() float64 {
	if c.Requests == 0 {
		return 0
	}
	return float64(c.Bad()) / float64(c.Requests)
}

func (c Counts) minus(d Counts) Counts {
	return Counts{
		Requests:  c.Requests - d.Requests,
		AppErrors: c.AppErrors - d.AppErrors,
		Failures:  c.Failures - d.Failures,
	}
}

func (c Counts) plus(d Counts) Counts {
	return Counts{
		Requests:  c.Requests + d.Requests,
		AppErrors: c.AppErrors + d.AppErrors,
		Failures:  c.Failures + d.Failures,
	}
}

// Tally is Counts of all requests, and of those of each version. Requests whose version is not known are in All only.
type Tally struct {
	// All counts every request.
	All Counts `json:"all"`
	// Versions count the requests that named their version.
	Versions map[string]Counts `json:"versions,omitempty"`
}

// Minus is what was counted after earlier, a tally of the same load.
func (t Tally) Minus(earlier Tally) Tally {
	d := Tally{All: t.All.minus(earlier.All), Versions: map[string]Counts{}}
	for version, counts := range t.Versions {
		if c := counts.minus(earlier.Versions[version]); c != (Counts{}) {
			d.Versions[version] = c
		}
	}
	return d
}

// Plus adds up two tallies of different times.
func (t Tally) Plus(other Tally) Tally {
	sum := Tally{All: t.All.plus(other.All), Versions: map[string]Counts{}}
	for version, counts := range t.Versions {
		sum.Versions[version] = counts
	}
	for version, counts := range other.Versions {
		sum.Versions[version] = sum.Versions[version].plus(counts)
	}
	return sum
}

// Second is what ended within one second.
type Second struct {
	// At is the second, in Unix time.
	At int64 `json:"at"`
	Tally
}

// Failure is one way in which requests failed.
type Failure struct {
	// Message says what happened.
	Message string `json:"message"`
	// Count is how often.
	Count int64 `json:"count"`
	// FirstAt and LastAt are when it happened first and last.
	FirstAt time.Time `json:"firstAt"`
	LastAt  time.Time `json:"lastAt"`
}

// Latency is how long answers took, from the moment their request was due: a request that had to wait for its turn has
// waited. The figures are within 5 % of the truth.
type Latency struct {
	P50 time.Duration `json:"p50"`
	P99 time.Duration `json:"p99"`
	Max time.Duration `json:"max"`
}

// Report is all that is known at one moment.
type Report struct {
	// Now is the moment, by the clock of the load generator.
	Now time.Time `json:"now"`
	// StartedAt and EndsAt are when the load began and when it ends by itself.
	StartedAt time.Time `json:"startedAt"`
	EndsAt    time.Time `json:"endsAt"`
	// Rate is the number of requests that are begun each second, whatever becomes of them.
	Rate float64 `json:"rate"`
	// InFlight is the number of requests that have begun and not ended.
	InFlight int64 `json:"inFlight"`
	// Retried is the number of requests that the HTTP client sent a second time by itself, as it does when a connection
	// that it had kept turns out to be closed.
	Retried int64 `json:"retried"`
	// Total counts from the start.
	Total Tally `json:"total"`
	// LastAnswer is when each version last answered.
	LastAnswer map[string]time.Time `json:"lastAnswer,omitempty"`
	// Latency is of all answers since the start.
	Latency Latency `json:"latency"`
	// Seconds are the latest seconds, oldest first, without those in which nothing ended.
	Seconds []Second `json:"seconds,omitempty"`
	// Failures are the ways in which requests failed, in the order in which they first occurred.
	Failures []Failure `json:"failures,omitempty"`
}

// Last adds up the last n whole seconds: those before the one that Now is in.
func (r Report) Last(n int64) Tally {
	sum := Tally{Versions: map[string]Counts{}}
	end := r.Now.Unix()
	for _, second := range r.Seconds {
		if second.At >= end-n && second.At < end {
			sum = sum.Plus(second.Tally)
		}
	}
	return sum
}
