package v1alpha1

// SecretKeyReference names one value of a Secret, in the namespace of the AnalysisRun: that of the Rollout, also in a
// ClusterAnalysisTemplate. The value is read by the controller when it measures, and stands in no other object.
type SecretKeyReference struct {
	// Name of the Secret.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')",message="write the name of a Secret in the namespace of the Rollout, such as prometheus-token"
	Name string `json:"name"`

	// Key of the value in the Secret.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[-._a-zA-Z0-9]+$')",message="write a key of the Secret, such as token"
	Key string `json:"key"`
}
