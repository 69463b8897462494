package v1alpha1

// LatencyMetric compares how long requests of both versions take, by how many take longer than a few bounds.
type LatencyMetric struct {
	// Candidate selects the candidate's histograms: all buckets of classic ones,
	// http_request_duration_seconds_bucket{pod=~"web-abc-.*"}, or native ones. It has no function and no range.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	Candidate string `json:"candidate"`

	// Stable selects stable's histograms, likewise.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	Stable string `json:"stable"`

	// Bounds are latencies in the unit of the histograms: ["0.1", "1"] are 100 ms and 1 s where they count seconds. Absent:
	// those that about 50, 10, 5 and 1 % of stable's requests exceeded in the hour before.
	// +optional
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=4
	// +kubebuilder:validation:items:MaxLength=16
	// +kubebuilder:validation:XValidation:rule="self.all(b, b.matches('^[0-9]{1,9}([.][0-9]{1,6})?$') && double(b) > 0.0)",message="write bounds as numbers of more than 0, in the unit of the histograms, such as \"0.25\""
	// +listType=set
	Bounds []string `json:"bounds,omitempty"`

	// MaxRelativeIncrease is how many more requests than stable's may exceed a bound, as a part of stable's share. Absent:
	// "25%", and none at a bound that a quarter of stable's requests exceed.
	// +optional
	// +kubebuilder:validation:MaxLength=16
	// +kubebuilder:validation:XValidation:rule="self.matches('^[0-9]{1,5}([.][0-9]{1,6})?%$')",message="write the tolerated increase in percent, such as \"25%\""
	MaxRelativeIncrease string `json:"maxRelativeIncrease,omitempty"`

	// MaxAbsoluteIncrease is how many more may on top, in percent of all requests. Absent: "0.3%", and "3%" at a bound that
	// a quarter of stable's requests exceed.
	// +optional
	// +kubebuilder:validation:MaxLength=16
	// +kubebuilder:validation:XValidation:rule="self.matches('^[0-9]{1,2}([.][0-9]{1,6})?%$')",message="write the tolerated increase in percent of all requests, such as \"0.3%\""
	MaxAbsoluteIncrease string `json:"maxAbsoluteIncrease,omitempty"`

	// PassAfter is how many batches a pass takes at least. Absent: count, so that nothing passes early.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	PassAfter *int32 `json:"passAfter,omitempty"`
}

// BoundCounts are what both versions have come to at one bound. Bad requests are those that took longer.
type BoundCounts struct {
	// Bound in the unit of the histograms.
	Bound string `json:"bound"`
	// Candidate counts the candidate's requests.
	Candidate RequestCounts `json:"candidate"`
	// Stable counts stable's requests.
	Stable RequestCounts `json:"stable"`
	// Ratio is how many times as high the candidate's share of slower requests is as stable's; empty when neither had any.
	// +optional
	Ratio string `json:"ratio,omitempty"`
	// Evidence that more of the candidate's requests are slower than is tolerated. That of the metric is the mean over bounds.
	Evidence string `json:"evidence"`
}
