package v1alpha1

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	// DefaultMaxRestarts lets one pod be unlucky twice, or two once: nodes and probes have hiccups too.
	DefaultMaxRestarts = 2
	// DefaultNotReadyAfter is three times what a readiness probe of 10 s takes to fail and to hold again.
	DefaultNotReadyAfter = time.Minute
)

// KubernetesMetric sets limits on what the API server tells of the candidate's pods.
type KubernetesMetric struct {
	// MaxRestarts is how many restarts of containers are tolerated, in all pods together, from the first look on.
	// +optional
	// +kubebuilder:default=2
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000
	MaxRestarts *int32 `json:"maxRestarts,omitempty"`

	// MaxOOMKills is how many of these restarts may be because a container was out of memory.
	// +optional
	// +kubebuilder:default=0
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000
	MaxOOMKills *int32 `json:"maxOOMKills,omitempty"`

	// MaxCrashLooping is how many pods may be in CrashLoopBackOff at the same time.
	// +optional
	// +kubebuilder:default=0
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000
	MaxCrashLooping *int32 `json:"maxCrashLooping,omitempty"`

	// MaxNotReady is how many pods may run without being ready, for notReadyAfter and longer, at the same time.
	// +optional
	// +kubebuilder:default=0
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000
	MaxNotReady *int32 `json:"maxNotReady,omitempty"`

	// NotReadyAfter is for how long a pod runs without being ready until it counts.
	// +optional
	// +kubebuilder:default="1m"
	// +sluice:validation:Duration:min="0s",max="1h",example="1m"
	NotReadyAfter *metav1.Duration `json:"notReadyAfter,omitempty"`
}

// PodCounts are what all looks at the candidate's pods have come to.
type PodCounts struct {
	// Pods that there were at the last look.
	Pods int32 `json:"pods"`
	// Restarts of containers since the first look, those of pods included that are gone.
	Restarts int32 `json:"restarts"`
	// OOMKills are the restarts of containers that were out of memory.
	OOMKills int32 `json:"oomKills"`
	// CrashLooping are the pods that were in CrashLoopBackOff at the last look.
	CrashLooping int32 `json:"crashLooping"`
	// NotReady are the pods that had not been ready for notReadyAfter at the last look.
	NotReady int32 `json:"notReady"`
	// Known are the restarts of each container at the last look, to count those that come. Containers without any are left out.
	// +optional
	// +kubebuilder:validation:MaxItems=256
	// +listType=atomic
	Known []ContainerRestarts `json:"known,omitempty"`
}

// ContainerRestarts is how often one container has restarted.
type ContainerRestarts struct {
	// Name is "<pod>/<container>".
	Name string `json:"name"`
	// Restarts as the API server tells them.
	Restarts int32 `json:"restarts"`
}
