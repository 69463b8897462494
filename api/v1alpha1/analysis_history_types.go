package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// EvidenceHistory is evidence over time, in points that are equally far apart.
type EvidenceHistory struct {
	// From is the end of the first batch, and the time of the first point.
	From metav1.MicroTime `json:"from"`
	// Every is the time between two points. It doubles when there is no room for another: every other point goes then.
	Every metav1.Duration `json:"every"`
	// Points are the evidence at each time, in hundredths of its decimal logarithm: 0 is none, 200 a factor of 100, and what
	// is negative speaks for the candidate. The last is the latest.
	// +kubebuilder:validation:MaxItems=60
	// +listType=atomic
	Points []int32 `json:"points"`
}
