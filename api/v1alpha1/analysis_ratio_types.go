package v1alpha1

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// RatioLag is how long after the end of a batch its requests are counted: until two scrapes of 15 s are in. Without it, the
// last scrapes of a batch would be missing for some pods and not for others.
const RatioLag = 30 * time.Second

// FirstAfter is how long after the start of an analysis a metric is measured first: after its delay, or once the first
// batch of a ratio can be counted.
func (m *Metric) FirstAfter() time.Duration {
	delay := positive(m.InitialDelay)
	if m.Preset != "" || m.Ratio != nil || m.Latency != nil || m.SLO != nil {
		return delay + positive(m.Interval) + RatioLag
	}
	return delay
}

// PassAfter is how many batches an early pass takes; nil when the metric does not pass early.
func (m *Metric) PassAfter() *int32 {
	switch {
	case m.Ratio != nil:
		return m.Ratio.PassAfter
	case m.Latency != nil:
		return m.Latency.PassAfter
	case m.SLO != nil:
		return m.SLO.PassAfter
	}
	return nil
}

// positive is an optional duration, and 0 when it is absent or negative.
func positive(d *metav1.Duration) time.Duration {
	if d == nil {
		return 0
	}
	return max(d.Duration, 0)
}

// RatioMetric compares counted requests of the candidate with those of stable in the same time.
type RatioMetric struct {
	// Candidate selects the candidate's requests.
	// +required
	Candidate RequestCounters `json:"candidate"`

	// Stable selects stable's requests.
	// +required
	Stable RequestCounters `json:"stable"`

	// MaxRelativeIncrease is how many more bad requests than stable are tolerated, as a part of stable's share.
	// +optional
	// +kubebuilder:default="25%"
	// +kubebuilder:validation:MaxLength=16
	// +kubebuilder:validation:XValidation:rule="self.matches('^[0-9]{1,5}([.][0-9]{1,6})?%$')",message="write the tolerated increase in percent, such as \"25%\""
	MaxRelativeIncrease string `json:"maxRelativeIncrease,omitempty"`

	// MaxAbsoluteIncrease is how many more are tolerated on top, in percent of all requests: "0.05%" is one in 2,000.
	// +optional
	// +kubebuilder:default="0.05%"
	// +kubebuilder:validation:MaxLength=16
	// +kubebuilder:validation:XValidation:rule="self.matches('^[0-9]{1,2}([.][0-9]{1,6})?%$')",message="write the tolerated increase in percent of all requests, such as \"0.05%\""
	MaxAbsoluteIncrease string `json:"maxAbsoluteIncrease,omitempty"`

	// PassAfter is how many batches a pass takes at least. Absent: count, so that nothing passes early.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	PassAfter *int32 `json:"passAfter,omitempty"`
}

// RequestCounters select the counters of one version: series selectors, without a function or a range.
type RequestCounters struct {
	// Bad requests: http_requests_total{pod=~"web-abc-.*", code=~"5.."}.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	Bad string `json:"bad"`

	// Total of all requests, bad ones included: http_requests_total{pod=~"web-abc-.*"}.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	Total string `json:"total"`
}

// Comparison is what all batches of a ratio have come to.
type Comparison struct {
	// Until is the end of the last batch, and the beginning of the next.
	Until metav1.MicroTime `json:"until"`
	// Candidate counts the candidate's requests.
	Candidate RequestCounts `json:"candidate"`
	// Stable counts stable's requests; left out where the candidate is compared with no stable.
	// +optional
	Stable RequestCounts `json:"stable,omitzero"`
	// Ratio is how many times as high the candidate's share of bad requests is as stable's; empty when neither had any.
	// +optional
	Ratio string `json:"ratio,omitempty"`
	// RatioRange is where the ratio lies, "1.9–14", with 99 % certainty that it is no less and 95 % that it is no more,
	// at whatever moment one looks. Empty when the weight may have changed in the meantime, and nobody knows when.
	// +optional
	RatioRange string `json:"ratioRange,omitempty"`
	// Weights are the counts by weight, in the order in which they were in place. Absent where the weight is not known.
	// +optional
	// +kubebuilder:validation:MaxItems=64
	// +listType=atomic
	Weights []WeightCounts `json:"weights,omitempty"`
	// Evidence that the candidate has more bad requests than is tolerated, as a factor: 1 is none. What earlier analyses
	// of the release have seen is part of it.
	Evidence string `json:"evidence"`
	// Limit is the evidence at which the metric fails.
	Limit string `json:"limit"`
	// Needed is how many requests of the candidate it takes to find, with odds of 80 %, a candidate that is not to pass;
	// 0 when it cannot be told yet.
	// +optional
	Needed int64 `json:"needed,omitempty"`
	// History is the evidence over time.
	// +optional
	History *EvidenceHistory `json:"history,omitempty"`
	// Bounds are the latencies that a metric with latency tests at; the counts and the ratio above are those of the one that
	// has most evidence of harm.
	// +optional
	// +kubebuilder:validation:MaxItems=4
	// +listType=atomic
	Bounds []BoundCounts `json:"bounds,omitempty"`
	// Dispersion is how much more bad requests are taken to vary than independent ones: what the metric says, or 2.
	// +optional
	Dispersion string `json:"dispersion,omitempty"`
	// Lag is how long after its end a batch is counted: two scrapes. Absent: 30s.
	// +optional
	Lag *metav1.Duration `json:"lag,omitempty"`
	// Memory is the state of the test, for the next batch.
	// +kubebuilder:validation:MaxLength=4096
	Memory string `json:"memory"`
}

// RequestCounts are numbers of requests.
type RequestCounts struct {
	// Bad requests.
	Bad int64 `json:"bad"`
	// Total of all requests.
	Total int64 `json:"total"`
}
