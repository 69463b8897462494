package command

import (
	"context"
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// Resolve gives a Rollout the template and the selector of the Deployment that it names, in a copy, and says which object
// has the template: that Deployment, or the Rollout itself. The error is a *Refusal when there is no such Deployment.
func Resolve(ctx context.Context, c client.Reader, r *v1alpha1.Rollout) (resolved *v1alpha1.Rollout, holder client.Object, err error) {
	ref := r.Spec.WorkloadRef
	if ref == nil {
		return r, r, nil
	}
	deployment := &unstructured.Unstructured{}
	deployment.SetGroupVersionKind(appsv1.SchemeGroupVersion.WithKind("Deployment"))
	err = c.Get(ctx, client.ObjectKey{Namespace: r.Namespace, Name: ref.Name}, deployment)
	if apierrors.IsNotFound(err) {
		return nil, nil, refuse(fmt.Sprintf("deployment %q, which has the template of rollout %q, does not exist", ref.Name, r.Name),
			"create it, or name one that does in spec.workloadRef")
	}
	if err != nil {
		return nil, nil, err
	}
	resolved = r.DeepCopy()
	if err := resolved.Spec.Resolve(deployment.Object); err != nil {
		return nil, nil, fmt.Errorf("deployment %q: %w", ref.Name, err)
	}
	return resolved, deployment, nil
}

// Selector is the selector of a Rollout; that of its status when the spec leaves it to a Deployment.
func Selector(r *v1alpha1.Rollout) (labels.Selector, error) {
	if r.Spec.Selector == nil && r.Spec.WorkloadRef != nil {
		selector, err := labels.Parse(r.Status.Selector)
		if err != nil || r.Status.Selector == "" {
			return labels.Nothing(), err
		}
		requirements, _ := selector.Requirements()
		return labels.NewSelector().Add(slices.DeleteFunc(requirements, func(r labels.Requirement) bool {
			return r.Key() == v1alpha1.LabelBaselineOf // whose pods the status leaves out
		})...), nil
	}
	return metav1.LabelSelectorAsSelector(r.Spec.Selector)
}

// editTemplate is edit for changes of the template, which may be in a Deployment: change sees the Rollout as it is stored, and
// the Rollout with its template, as the version of the object that it is written to.
func editTemplate(ctx context.Context, c Client, key client.ObjectKey,
	change func(stored, resolved *v1alpha1.Rollout) (client.Patch, error),
) error {
	return retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		rollout := &v1alpha1.Rollout{}
		if err := c.Get(ctx, key, rollout); err != nil {
			return err
		}
		if rollout.DeletionTimestamp != nil {
			return beingDeleted(rollout)
		}
		resolved, holder, err := Resolve(ctx, c, rollout)
		if err != nil {
			return err
		}
		resolved.ResourceVersion = holder.GetResourceVersion()
		patch, err := change(rollout, resolved)
		if err != nil || patch == nil {
			return err
		}
		return c.Patch(ctx, holder, patch, client.FieldOwner(FieldManager))
	})
}
