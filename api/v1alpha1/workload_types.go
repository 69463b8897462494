package v1alpha1

// WorkloadScaleDown says what becomes of the pods of a referenced workload.
//
// +kubebuilder:validation:Enum=Never;OnSuccess;Progressively
type WorkloadScaleDown string

const (
	// WorkloadScaleDownNever leaves the size of the workload to its owner.
	WorkloadScaleDownNever WorkloadScaleDown = "Never"
	// WorkloadScaleDownOnSuccess brings the workload to 0 once the Rollout has its first stable revision and all traffic.
	WorkloadScaleDownOnSuccess WorkloadScaleDown = "OnSuccess"
	// WorkloadScaleDownProgressively takes a pod of the workload away for each pod of the first revision that becomes
	// available.
	WorkloadScaleDownProgressively WorkloadScaleDown = "Progressively"
)

// WorkloadReference names a workload in the namespace of the Rollout.
type WorkloadReference struct {
	// APIVersion of the workload.
	// +optional
	// +kubebuilder:default="apps/v1"
	// +kubebuilder:validation:Enum=apps/v1
	APIVersion string `json:"apiVersion,omitempty"`

	// Kind of the workload.
	// +optional
	// +kubebuilder:default=Deployment
	// +kubebuilder:validation:Enum=Deployment
	Kind string `json:"kind,omitempty"`

	// Name of the workload.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`

	// ScaleDown says what becomes of the workload's own pods.
	// +optional
	// +kubebuilder:default=Never
	ScaleDown WorkloadScaleDown `json:"scaleDown,omitempty"`
}

// WorkloadStatus is what was seen of the referenced workload.
type WorkloadStatus struct {
	// ObservedGeneration is the generation of the workload whose template is in updateRevision.
	ObservedGeneration int64 `json:"observedGeneration"`

	// Replicas is how many pods the workload had before it was scaled down; absent when it was not.
	// +optional
	Replicas *int32 `json:"replicas,omitempty"`
}
