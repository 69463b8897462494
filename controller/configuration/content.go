package configuration

import (
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller/revision"
)

// content is what a hash is made of. Keys are sorted by the encoder; bytes are written in base64.
type content struct {
	Kind       string            `json:"kind"`
	Type       string            `json:"type,omitempty"`
	Data       map[string]string `json:"data,omitempty"`
	BinaryData map[string][]byte `json:"binaryData,omitempty"`
	Absent     bool              `json:"absent,omitempty"`
}

// HashConfigMap is the hash of the content of a ConfigMap: its data and binaryData, and nothing of its metadata.
func HashConfigMap(configMap *corev1.ConfigMap) (string, error) {
	return content{Kind: v1alpha1.KindConfigMap, Data: configMap.Data, BinaryData: configMap.BinaryData}.hash()
}

// HashSecret is the hash of the content of a Secret: its type and data, and nothing of its metadata.
func HashSecret(secret *corev1.Secret) (string, error) {
	return content{Kind: v1alpha1.KindSecret, Type: string(secret.Type), BinaryData: secret.Data}.hash()
}

// HashAbsent is the hash of an object that does not exist, and that pods can do without: each of its uses is optional.
func HashAbsent(kind string) (string, error) {
	return content{Kind: kind, Absent: true}.hash()
}

// hash has the form of the hash of a revision. The error does not show the content.
func (c content) hash() (string, error) {
	encoded, err := json.Marshal(c)
	if err != nil {
		return "", fmt.Errorf("the content of a %s cannot be written as JSON", c.Kind)
	}
	return revision.Hash(encoded, 0)
}
