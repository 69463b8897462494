package v1alpha1

// MetricStatistics say how the evidence of a metric counts: of ratio, latency and slo.
type MetricStatistics struct {
	// Weight of the evidence beside that of the other metrics of an analysis. One with a weight of 3 needs a third of the
	// evidence that it would need with 1.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	Weight *int32 `json:"weight,omitempty"`

	// Dispersion is how much more bad requests vary than those that come alone would: 1 when they do, 2m-1 when m have one
	// cause. Absent: 2.
	// +optional
	// +kubebuilder:validation:MaxLength=8
	// +kubebuilder:validation:XValidation:rule="self.matches('^[1-9][0-9]{0,2}([.][0-9]{1,3})?$')",message="write how much more bad requests vary than independent ones, from 1 to 999, such as \"2\""
	Dispersion string `json:"dispersion,omitempty"`
}
