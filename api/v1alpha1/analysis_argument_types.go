package v1alpha1

// Argument is a named value. In a template, a value is a default; without one, the argument must be given.
//
// +kubebuilder:validation:XValidation:rule="!has(self.value) || !has(self.valueFrom)",message="an argument has one value: write value or valueFrom"
type Argument struct {
	// Name of the argument: lower case letters, digits and dashes.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +sluice:validation:Name:of="an argument",example="error-budget"
	Name string `json:"name"`

	// Value of the argument.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Value *string `json:"value,omitempty"`

	// ValueFrom says where the value comes from when a run begins.
	// +optional
	ValueFrom *ArgumentSource `json:"valueFrom,omitempty"`
}

// ArgumentSource is where a value comes from.
//
// +kubebuilder:validation:XValidation:rule="has(self.fieldPath) != has(self.secretKeyRef)",message="write exactly one of fieldPath and secretKeyRef"
type ArgumentSource struct {
	// FieldPath names a field of the Rollout: metadata.name, metadata.namespace, metadata.uid, metadata.labels['…'],
	// metadata.annotations['…'], spec.replicas, spec.services.active or spec.services.standby.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	FieldPath string `json:"fieldPath,omitempty"`

	// SecretKeyRef names a Secret. Its value may end the value of a header, and stand nowhere else.
	// +optional
	SecretKeyRef *SecretKeyReference `json:"secretKeyRef,omitempty"`
}
