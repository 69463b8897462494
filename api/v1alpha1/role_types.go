package v1alpha1

// RoleMetadata are labels and annotations of pods by the role of their revision.
type RoleMetadata struct {
	// Stable is for pods of the stable revision.
	// +optional
	Stable *PodMetadata `json:"stable,omitempty"`

	// Candidate is for pods of the revision under release.
	// +optional
	Candidate *PodMetadata `json:"candidate,omitempty"`
}

// PodMetadata are labels and annotations.
type PodMetadata struct {
	// Labels of the pods. Labels of the selector and of the template cannot be written here.
	// +optional
	// +kubebuilder:validation:MaxProperties=32
	// +kubebuilder:validation:XValidation:rule="!('pod-template-hash' in self)",message="the label pod-template-hash is set by the controller: remove it from the labels of roleMetadata"
	Labels map[string]string `json:"labels,omitempty"`

	// Annotations of the pods.
	// +optional
	// +kubebuilder:validation:MaxProperties=32
	Annotations map[string]string `json:"annotations,omitempty"`
}

// AntiAffinityStrength says whether anti-affinity is a must.
//
// +kubebuilder:validation:Enum=Required;Preferred
type AntiAffinityStrength string

const (
	// AntiAffinityRequired leaves a pod unscheduled rather than beside another revision.
	AntiAffinityRequired AntiAffinityStrength = "Required"
	// AntiAffinityPreferred avoids other revisions where that is possible.
	AntiAffinityPreferred AntiAffinityStrength = "Preferred"
)

// AntiAffinity keeps pods of one revision away from those of every other revision of the Rollout.
//
// +kubebuilder:validation:XValidation:rule="!has(self.weight) || !has(self.strength) || self.strength == 'Preferred'",message="weight is for strength Preferred: remove weight, or write strength: Preferred",fieldPath=".weight"
type AntiAffinity struct {
	// Strength says whether it is a must.
	// +optional
	// +kubebuilder:default=Preferred
	Strength AntiAffinityStrength `json:"strength,omitempty"`

	// Weight of the preference among others, 1 to 100. Defaults to 100. Only with strength Preferred.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	Weight *int32 `json:"weight,omitempty"`

	// TopologyKey is the label of nodes that says what "away" means.
	// +optional
	// +kubebuilder:default="kubernetes.io/hostname"
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=316
	TopologyKey string `json:"topologyKey,omitempty"`
}

// RollbackWindow says which revisions go out without the steps.
type RollbackWindow struct {
	// Revisions is how many revisions before stable, counted by those that were stable once, are within the window.
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	Revisions int32 `json:"revisions"`
}
