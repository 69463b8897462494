package rollout

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/cache"

	"github.com/sluice-dev/sluice/controller/planner"
	"github.com/sluice-dev/sluice/trafficrouting"
)

// KeepWriters shrinks the managed fields of what is cached, for every kind that CachedObjects has no other rule for. Of
// Services they stay as far as they are about the selector, and of routes, which are all that is cached unstructured, but
// for those of the status: they name who puts back a weight or a selector. Everything else loses them.
func KeepWriters(in any) (any, error) {
	switch object := in.(type) {
	case *corev1.Service:
		manager := trafficrouting.LastWriter(object.ManagedFields, "f:spec", "f:selector")
		object.ManagedFields = nil
		if manager != "" {
			object.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: manager, FieldsV1: metav1.NewFieldsV1(`{"f:spec":{"f:selector":{}}}`)}}
		}
		return object, nil
	case *unstructured.Unstructured:
		var kept []metav1.ManagedFieldsEntry
		for _, entry := range object.GetManagedFields() {
			if entry.Subresource == "" {
				kept = append(kept, entry)
			}
		}
		object.SetManagedFields(kept)
		return object, nil
	}
	return cache.TransformStripManagedFields()(in)
}

// selectorWriter is the field manager that wrote the selector of a Service last, when it was none of ours.
func selectorWriter(service *corev1.Service) string {
	return trafficrouting.LastWriter(service.ManagedFields, "f:spec", "f:selector")
}

// hands are the writers of routes as the planner knows them.
func hands(writers []trafficrouting.Writer) []planner.Hand {
	out := make([]planner.Hand, 0, len(writers))
	for _, w := range writers {
		out = append(out, planner.Hand{Route: w.Route, Weight: w.Weight, Laid: w.Overlays, By: w.Manager, Altered: w.Altered})
	}
	return out
}
