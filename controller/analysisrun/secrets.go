package analysisrun

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/analysis"
	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller/configuration"
)

// The right to read Secrets is nobody's by default: an administrator binds this role in a namespace.
//
// +kubebuilder:rbac:groups="",resources=secrets,verbs=get

// secretsRole is the ClusterRole that lets the controller read Secrets of a namespace by name.
const secretsRole = "sluice-analysis-secrets"

// wallet reads Secrets of one namespace by name, each at most once in its life, which is one pass over one run. Nothing of
// it is kept longer, so that a Secret that is changed or taken away counts from the next measurement on.
type wallet struct {
	live      client.Reader
	namespace string

	mu   sync.Mutex
	read map[string]opened
}

// opened is a Secret, or why it cannot be read.
type opened struct {
	data map[string][]byte
	err  error
}

// newWallet makes a wallet of a namespace, from a reader without a cache.
func newWallet(live client.Reader, namespace string) *wallet {
	return &wallet{live: live, namespace: namespace, read: map[string]opened{}}
}

// value is analysis.Secrets.
func (w *wallet) value(ctx context.Context, ref v1alpha1.SecretKeyReference) (string, error) {
	secret := w.open(ctx, ref.Name)
	if secret.err != nil {
		return "", secret.err
	}
	value, ok := secret.data[ref.Key]
	if !ok || len(value) == 0 {
		return "", &analysis.Fault{Reason: v1alpha1.ReasonSecretMissing, Message: fmt.Sprintf(
			"Secret %q in namespace %q has nothing under the key %q; it has %s", ref.Name, w.namespace, ref.Key, keys(secret.data))}
	}
	return string(value), nil
}

// open reads a Secret, unless that was done before.
func (w *wallet) open(ctx context.Context, name string) opened {
	w.mu.Lock()
	defer w.mu.Unlock()
	if known, ok := w.read[name]; ok {
		return known
	}
	var secret corev1.Secret
	err := w.live.Get(ctx, client.ObjectKey{Namespace: w.namespace, Name: name}, &secret)
	found := opened{data: secret.Data}
	if err != nil {
		found.err = w.explain(name, err)
	}
	w.read[name] = found
	return found
}

// explain says why a Secret cannot be read, and what would help.
func (w *wallet) explain(name string, err error) error {
	switch {
	case apierrors.IsNotFound(err):
		return &analysis.Fault{Reason: v1alpha1.ReasonSecretMissing, Cause: err, Message: fmt.Sprintf(
			"there is no Secret %q in namespace %q; create it", name, w.namespace)}
	case apierrors.IsForbidden(err):
		return &analysis.Fault{Reason: v1alpha1.ReasonSecretForbidden, Cause: err, Message: fmt.Sprintf(
			"the controller may not read Secret %q: %s", name, configuration.HowToGrant(w.namespace, secretsRole, err))}
	}
	cause := err
	if status := apierrors.APIStatus(nil); errors.As(err, &status) {
		cause = errors.New(status.Status().Message)
	}
	return &analysis.Fault{Reason: v1alpha1.ReasonProviderUnreachable, Cause: err, Message: fmt.Sprintf(
		"Secret %q cannot be read: %v; it is tried again", name, cause)}
}

// keys lists the keys of a Secret for a message, and never a value.
func keys(data map[string][]byte) string {
	if len(data) == 0 {
		return "no keys"
	}
	return strings.Join(slices.Sorted(maps.Keys(data)), ", ")
}
