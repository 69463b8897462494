package v1alpha1

import (
	"encoding/json"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

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
//
// +kubebuilder:validation:XValidation:rule="!has(self.version) || size(self.version) == 0 || !has(self.onChange) || self.onChange == 'Release'",message="only onChange Release has copies to go back to: remove version, or write onChange: Release",fieldPath=".version"
type ConfigurationReference struct {
	// Name of the object.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')",message="a ConfigMap or Secret cannot have this name: write lower case letters, digits, dashes and dots, such as \"web-config\""
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

// OnChangeOrDefault says what a change of the object leads to.
func (r ConfigurationReference) OnChangeOrDefault() ConfigurationChange {
	if r.OnChange == "" {
		return ConfigurationChangeRelease
	}
	return r.OnChange
}

// Kinds of objects that can be tracked.
const (
	// KindConfigMap is the kind of a ConfigMap.
	KindConfigMap = "ConfigMap"
	// KindSecret is the kind of a Secret.
	KindSecret = "Secret"
)

// ConfigurationStatus is what was last seen of a tracked object: hashes of its content, and never the content.
type ConfigurationStatus struct {
	// Kind is ConfigMap or Secret.
	Kind string `json:"kind"`

	// Name of the object.
	Name string `json:"name"`

	// Hash of the content that the spec asks for; empty when the object is tracked no more.
	// +optional
	Hash string `json:"hash,omitempty"`

	// StableHash is the hash of the content that the stable revision has a copy of; empty when it has none.
	// +optional
	StableHash string `json:"stableHash,omitempty"`

	// Versions are the hashes of all contents that revisions have copies of: what version in the spec may name.
	// +optional
	// +kubebuilder:validation:MaxItems=128
	// +listType=atomic
	Versions []string `json:"versions,omitempty"`
}

// ConfigurationVersions says which content a revision was made with: hashes by "ConfigMap/<name>" and "Secret/<name>",
// from the annotation of its ReplicaSet. A ReplicaSet without one, or with one that cannot be read, has none.
func ConfigurationVersions(replicaSet metav1.Object) map[string]string {
	var versions map[string]string
	if err := json.Unmarshal([]byte(replicaSet.GetAnnotations()[AnnotationConfiguration]), &versions); err != nil {
		return nil
	}
	return versions
}
