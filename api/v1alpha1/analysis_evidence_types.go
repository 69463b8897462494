package v1alpha1

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ShiftMargin is how long after traffic has come to rest its requests are counted: one scrape of 15 s. What a counter has
// grown by belongs to its later sample, and the first sample after a shift still holds requests from before it.
const ShiftMargin = 15 * time.Second

// TrafficShift says that traffic began to move, or has come to rest.
type TrafficShift struct {
	// At is when.
	// +required
	At metav1.MicroTime `json:"at"`

	// Weight is the candidate's share of the traffic in percent, "12.5", from then on. Empty while traffic moves: what is
	// served then is counted for no ratio.
	// +optional
	// +kubebuilder:validation:MaxLength=8
	Weight string `json:"weight,omitempty"`
}

// CarriedEvidence is what an earlier analysis of the same release has seen with a metric of this run. The metric goes on
// from there.
type CarriedEvidence struct {
	// Metric is its name.
	// +required
	// +kubebuilder:validation:MaxLength=63
	Metric string `json:"metric"`

	// Run is the name of the AnalysisRun that it comes from.
	// +required
	// +kubebuilder:validation:MaxLength=253
	Run string `json:"run"`

	// Gate of that run.
	// +required
	// +kubebuilder:validation:MaxLength=63
	Gate string `json:"gate"`

	// Evidence that the candidate has more bad requests than is tolerated, as that run left it.
	// +required
	// +kubebuilder:validation:MaxLength=32
	Evidence string `json:"evidence"`

	// Memory is the state of the test, as that run left it.
	// +required
	// +kubebuilder:validation:MaxLength=4096
	Memory string `json:"memory"`
}

// WeightCounts are what both versions served at one weight.
type WeightCounts struct {
	// Weight is the candidate's share of the traffic in percent.
	Weight string `json:"weight"`
	// Candidate counts the candidate's requests.
	Candidate RequestCounts `json:"candidate"`
	// Stable counts stable's requests.
	Stable RequestCounts `json:"stable"`
}
