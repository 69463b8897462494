package judge

import "time"

// State is what a source of figures had to say about a batch. Only Ok batches are evidence. The others neither pass nor
// fail anything; how long they may go on is said where an analysis is used: onError.
type State string

const (
	// Ok: both arms were counted.
	Ok State = "Ok"
	// NoCanaryTraffic: the candidate has a share of the traffic, stable was asked, and the candidate was not.
	NoCanaryTraffic State = "NoCanaryTraffic"
	// NoBaseline: stable served nothing, so there is nothing to compare with.
	NoBaseline State = "NoBaseline"
	// Stale: the newest sample is too old for the batch to be complete.
	Stale State = "Stale"
	// SourceError: the source could not be asked, or refused.
	SourceError State = "SourceError"
	// Partial: the source warned that its answer is not whole.
	Partial State = "Partial"
	// Ambiguous: there were several series where one is needed.
	Ambiguous State = "Ambiguous"
)

// Answer is what a source gave for a batch.
type Answer struct {
	// Failed, Ambiguous and Partial are what the source said of itself.
	Failed, Ambiguous, Partial bool
	// Age of the newest sample at the end of the batch, the lag that samples are known to have, and the time between two.
	Age, Lag, Scrape time.Duration
	// Weight is the candidate's share of the traffic, 0 to 1.
	Weight float64
	// Objective says that the candidate is not compared with stable.
	Objective bool
	// Batch that was counted.
	Batch Batch
}

// State of an answer: the first that holds of what the source said, the age of the samples, and the traffic. Requests
// that nobody sent to either arm are NoBaseline.
func (a Answer) State() State {
	switch {
	case a.Failed || a.Batch.Check() != nil:
		return SourceError
	case a.Ambiguous:
		return Ambiguous
	case a.Partial:
		return Partial
	case a.Age > a.Lag+2*a.Scrape:
		return Stale
	}
	return a.traffic()
}

// traffic is the state of an answer that the source stands by.
func (a Answer) traffic() State {
	stable := a.Batch.Stable.Total > 0 || a.Objective
	switch {
	case !stable:
		return NoBaseline
	case a.Batch.Candidate.Total == 0 && a.Weight > 0:
		return NoCanaryTraffic
	}
	return Ok
}
