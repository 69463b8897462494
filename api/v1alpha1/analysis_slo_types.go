package v1alpha1

// SLOMetric holds the candidate to an objective, whatever stable does.
type SLOMetric struct {
	// Candidate selects the candidate's requests.
	// +required
	Candidate RequestCounters `json:"candidate"`

	// Objective is the share of requests that are to be good, in percent: "99.5%" tolerates one bad request in 200.
	// +required
	// +kubebuilder:validation:MaxLength=16
	// +kubebuilder:validation:XValidation:rule="self.matches('^[0-9]{1,2}([.][0-9]{1,6})?%$')",message="write the objective in percent, less than 100, such as \"99.5%\""
	Objective string `json:"objective"`

	// PassAfter is how many batches a pass takes at least. Absent: count, so that nothing passes early.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	PassAfter *int32 `json:"passAfter,omitempty"`
}
