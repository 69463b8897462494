package command

import (
	"context"
	"encoding/json"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller/configuration"
	"github.com/sluice-dev/sluice/controller/revision"
)

// keepCopies makes the copies of configuration that a Deployment has from its Rollout objects like any others: pods read them,
// and a later Rollout of the name must not take them for its own.
func (t Takeover) keepCopies(ctx context.Context, d *appsv1.Deployment) error {
	template, err := json.Marshal(d.Spec.Template)
	if err != nil {
		return err
	}
	uses, err := configuration.Uses(template)
	if err != nil {
		return err
	}
	for _, use := range uses {
		if err := t.keepCopy(ctx, d, use.Object); err != nil {
			return err
		}
	}
	return nil
}

// keepCopy takes our marks off one object, if it is a copy. Whoever may not look at it or change it is not held up by that.
func (t Takeover) keepCopy(ctx context.Context, d *appsv1.Deployment, o configuration.Object) error {
	found := &metav1.PartialObjectMetadata{}
	found.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind(o.Kind))
	exists, err := t.get(ctx, client.ObjectKey{Namespace: d.Namespace, Name: o.Name}, found)
	if apierrors.IsForbidden(err) {
		return nil
	}
	if err != nil || !exists || found.Labels[v1alpha1.LabelRollout] != revision.LabelValue(d.Name) {
		return err
	}
	err = t.patch(ctx, found, map[string]any{"metadata": map[string]any{
		"labels":      map[string]any{v1alpha1.LabelRollout: nil},
		"annotations": map[string]any{v1alpha1.AnnotationCopyOf: nil},
	}})
	if err != nil && !apierrors.IsForbidden(err) {
		return err
	}
	t.Say("deployment %q reads %s, a copy that was made for the rollout: name an object of yours there at the next release", d.Name, o)
	return nil
}
