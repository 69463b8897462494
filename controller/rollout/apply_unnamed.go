package rollout

import (
	"context"
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller/planner"
)

// releaseUnnamed takes our revision out of the selectors of Services that the spec named once and names no more. Left
// alone, such a Service would select the same revision for ever, and lose its last endpoint with the next release.
func (r *Reconciler) releaseUnnamed(ctx context.Context, w *world) error {
	for hash := range w.replicaSets {
		var list corev1.ServiceList
		if err := r.cache.List(ctx, &list, client.InNamespace(w.rollout.Namespace),
			client.MatchingFields{indexRevision: hash}); err != nil {
			return fmt.Errorf("listing Services that select revision %s: %w", hash, err)
		}
		for i := range list.Items {
			service := &list.Items[i]
			if len(r.namingService(ctx, service)) > 0 || metav1.GetControllerOf(service) != nil || !w.mayMix(hash) {
				continue
			}
			if err := r.release(ctx, service); err != nil {
				return err
			}
		}
	}
	return nil
}

// mayMix says whether a Service that selects a revision may select the pods of all: those that it would get besides are
// meant to have traffic.
func (w *world) mayMix(hash string) bool {
	state := w.snapshot.State
	for _, rev := range w.snapshot.Revisions {
		meant := rev.Hash == hash || rev.Hash == state.Stable ||
			rev.Hash == state.Candidate && w.snapshot.Spec.Mode == planner.Ratio
		if rev.Created > 0 && !meant {
			return false
		}
	}
	return true
}

// release takes the revision out of the selector of a Service, if it was us who put it there.
func (r *Reconciler) release(ctx context.Context, cached *corev1.Service) error {
	service := &corev1.Service{} // who wrote what is not kept in the cache
	if err := r.live.Get(ctx, client.ObjectKeyFromObject(cached), service); err != nil {
		return client.IgnoreNotFound(err)
	}
	if service.ResourceVersion != cached.ResourceVersion || !weSelect(service) {
		return nil
	}
	err := r.patch(ctx, service, map[string]any{"spec": map[string]any{
		"selector": map[string]any{v1alpha1.LabelPodTemplateHash: nil},
	}})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return explainAs(planner.Problem{Reason: v1alpha1.ReasonWriteRefused, Field: "spec.services"},
		fmt.Sprintf("let service %s, which is named no more, select the pods of every revision", service.Name), err)
}

// weSelect says whether the selector of a Service was last changed by us. It is one field: whoever writes a label of it
// owns it whole.
func weSelect(service *corev1.Service) bool {
	for _, entry := range service.ManagedFields {
		var fields struct {
			Spec struct {
				Selector *struct{} `json:"f:selector"`
			} `json:"f:spec"`
		}
		if entry.Manager != FieldManager || entry.FieldsV1 == nil {
			continue
		}
		if err := json.Unmarshal(entry.FieldsV1.GetRawBytes(), &fields); err == nil && fields.Spec.Selector != nil {
			return true
		}
	}
	return false
}
