package trafficrouting

import (
	"encoding/json"
	"fmt"
	"hash/fnv"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// Template is what an object says while the standby Service has no share of its requests, where the router makes it.
type Template struct {
	// Labels and Annotations that it has; others that somebody gives it stay.
	Labels, Annotations map[string]string
	// Spec of the object, with whole numbers as int64. It is not changed. It is nil when it cannot be read, of which
	// v1alpha1.ValidateRollout tells.
	Spec map[string]any
}

// templateOf is the template of a route of a spec.
func templateOf(t *v1alpha1.RouteTemplate) *Template {
	spec, err := t.SpecFields()
	if err != nil {
		spec = nil
	}
	return &Template{Labels: t.Metadata.Labels, Annotations: t.Metadata.Annotations, Spec: spec}
}

// Digest tells templates apart, 16 digits. Keys of objects are in the order of the alphabet, so that a template which is written
// in another order has the same.
func (t *Template) Digest() string {
	sum := fnv.New64a()
	// What was read from JSON can be written as such, and a hash takes everything.
	text, _ := json.Marshal([]any{t.Labels, t.Annotations, t.Spec})
	_, _ = sum.Write(text)
	return fmt.Sprintf("%016x", sum.Sum64())
}
