package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// AskedTraffic is what the Services and routes of a release were last asked to be, or were last seen to be as we had
// written them. Whoever makes something else of it is another writer.
type AskedTraffic struct {
	// Of tells which Services and routes it is about: a digest of their names. Of others nothing was asked yet.
	Of string `json:"of"`

	// Weight is the share of the standby Service in the routes, in tenths of a percent; absent when none was asked for.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000
	Weight *int32 `json:"weight,omitempty"`

	// Overlay is a digest of the matches and mirrors that were asked for with the weight; empty for none.
	// +optional
	// +kubebuilder:validation:MaxLength=32
	Overlay string `json:"overlay,omitempty"`

	// Active is the revision that the active Service selects; empty when none was asked for.
	// +optional
	Active string `json:"active,omitempty"`

	// Standby is the revision that the standby Service selects; empty when none was asked for.
	// +optional
	Standby string `json:"standby,omitempty"`
}

// Contest is what another writer does to the traffic of a release.
type Contest struct {
	// Count is how often in a row it has changed something.
	Count int32 `json:"count"`

	// Since is when the first change of this row was seen.
	Since metav1.MicroTime `json:"since"`

	// At is when the last change was seen.
	At metav1.MicroTime `json:"at"`

	// By is the field manager that made the last change.
	// +kubebuilder:validation:MaxLength=128
	By string `json:"by"`

	// Change is what it changed, in words: "HTTPRoute shop/web: the weight 20% was changed to 0%".
	// +kubebuilder:validation:MaxLength=640
	Change string `json:"change"`

	// Pending says that the last change has not been put back yet.
	// +optional
	Pending bool `json:"pending,omitempty"`
}
