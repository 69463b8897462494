package v1alpha1

// DefaultMeasurementRetention is how many measurements of a metric a status keeps; the counters remember the others.
const DefaultMeasurementRetention = 10

// MetricLimits say how much of what a metric measures is tolerated, how much of it is enough, and how much is kept.
type MetricLimits struct {
	// InconclusiveLimit is how many inconclusive measurements are tolerated; one more makes the metric inconclusive.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000
	InconclusiveLimit int32 `json:"inconclusiveLimit,omitempty"`

	// ConsecutiveErrorLimit is how many errors in a row are tolerated; one more makes the metric inconclusive. Absent:
	// errors never end a metric, and it is measured again until it gives a figure.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000
	ConsecutiveErrorLimit *int32 `json:"consecutiveErrorLimit,omitempty"`

	// ConsecutiveSuccessLimit is how many successful measurements in a row pass the metric at once. With a count, the
	// metric is inconclusive when there were never as many in a row.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	ConsecutiveSuccessLimit *int32 `json:"consecutiveSuccessLimit,omitempty"`

	// DryRun measures and judges the metric, and tells what it would have done; the verdict of the analysis is that of the
	// others.
	// +optional
	DryRun *bool `json:"dryRun,omitempty"`

	// MeasurementRetention is how many measurements the status keeps, the newest ones. More than 10 are kept in runs with
	// few metrics only: 640 in all.
	// +optional
	// +kubebuilder:default=10
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	MeasurementRetention *int32 `json:"measurementRetention,omitempty"`
}

// IsDryRun says that a metric has no say in the verdict.
func (m *Metric) IsDryRun() bool { return m.DryRun != nil && *m.DryRun }
