package v1alpha1

// ConfigurationChange says what a change of a ConfigMap or Secret leads to.
//
// +kubebuilder:validation:Enum=Release;Restart;Ignore
type ConfigurationChange string

const (
	// ConfigurationChangeRelease makes the content part of the revision: each revision has an immutable copy, and a change
	// starts a release.
	ConfigurationChangeRelease ConfigurationChange = "Release"
	// ConfigurationChangeRestart replaces the pods of every revision, within the availability limits. There is no copy.
	ConfigurationChangeRestart ConfigurationChange = "Restart"
	// ConfigurationChangeIgnore does nothing.
	ConfigurationChangeIgnore ConfigurationChange = "Ignore"
)

// Configuration names ConfigMaps and Secrets, in the namespace of the Rollout, that the pod template refers to.
//
// +kubebuilder:validation:XValidation:rule="has(self.configMaps) && size(self.configMaps) > 0 || has(self.secrets) && size(self.secrets) > 0",message="configuration names nothing: write configMaps or secrets, or remove it"
type Configuration struct {
	// ConfigMaps that are tracked.
	// +optional
	// +kubebuilder:validation:MaxItems=32
	// +listType=map
	// +listMapKey=name
	ConfigMaps []ConfigurationReference `json:"configMaps,omitempty"`

	// Secrets that are tracked. The controller may read them only in namespaces where a RoleBinding lets it.
	// +optional
	// +kubebuilder:validation:MaxItems=32
	// +listType=map
	// +listMapKey=name
	Secrets []ConfigurationReference `json:"secrets,omitempty"`
}

// ConfigurationReference names one ConfigMap or Secret.
type ConfigurationReference struct {
	// Name of the object.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`

	// OnChange says what a change of the object leads to.
	// +optional
	// +kubebuilder:default=Release
	OnChange ConfigurationChange `json:"onChange,omitempty"`

	// Version pins the content to that of an earlier copy: the hash in the name of the copy. A rollback writes it; remove it to
	// follow the object again.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Version string `json:"version,omitempty"`
}
