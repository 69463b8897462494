package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Experiment runs the candidate and a fresh baseline side by side at equal size, before the candidate gets production
// traffic. The baseline is pods of stable's template that are as new as those of the candidate, so that caches, connections
// and ages are alike and the version is all that differs. The standby Service reaches the candidate and <rollout>-baseline
// the baseline; no Service that has traffic selects either. The experiment is over when its duration has passed and its
// analysis, if it has one, has passed; the baseline goes with it.
//
// +kubebuilder:validation:XValidation:rule="has(self.duration) || has(self.analysis)",message="an experiment needs an end: write duration, analysis or both"
type Experiment struct {
	// Replicas is the number of pods of the candidate, and of the baseline.
	// +optional
	// +kubebuilder:default=1
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000000
	Replicas *int32 `json:"replicas,omitempty"`

	// Duration is how long it takes at the least, from the moment all its pods are reachable. A promote ends it early.
	// +optional
	// +sluice:validation:Duration:min="1s",max="720h",example="5m",otherwise="remove duration to wait for the analysis alone"
	Duration *metav1.Duration `json:"duration,omitempty"`

	// Analysis measures both and must pass. Beside the other arguments it has baseline-hash, the value of the label
	// pod-template-hash on the pods of the baseline, and baseline-service, the name of the Service that reaches them.
	// +optional
	Analysis *Analysis `json:"analysis,omitempty"`
}

// ExperimentStatus is what was last seen of the baseline of an experiment.
type ExperimentStatus struct {
	// Baseline is the value of the label pod-template-hash on its pods.
	Baseline string `json:"baseline"`
	// Replicas is the number of its pods.
	// +optional
	Replicas int32 `json:"replicas"`
	// Available is the number of its available pods.
	// +optional
	Available int32 `json:"available"`
}
