package rollout

import (
	"context"
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller/planner"
)

// deployment is the kind of the workloads that spec.workloadRef names, which are kept with fields of their pod template that
// this version does not know.
func deployment() schema.GroupVersionKind { return appsv1.SchemeGroupVersion.WithKind("Deployment") }

func newDeployment() *unstructured.Unstructured {
	out := &unstructured.Unstructured{}
	out.SetGroupVersionKind(deployment())
	return out
}

// shrinkDeployment keeps what a Rollout looks at: the template, the selector, the size and how many pods are available.
func shrinkDeployment(in any) (any, error) {
	whole, ok := in.(*unstructured.Unstructured)
	if !ok {
		return in, nil
	}
	small := newDeployment()
	small.SetNamespace(whole.GetNamespace())
	small.SetName(whole.GetName())
	small.SetUID(whole.GetUID())
	small.SetResourceVersion(whole.GetResourceVersion())
	small.SetGeneration(whole.GetGeneration())
	small.SetDeletionTimestamp(whole.GetDeletionTimestamp())
	for _, path := range [][]string{
		{"spec", "template"}, {"spec", "selector"}, {"spec", "replicas"}, {"status", "replicas"}, {"status", "availableReplicas"},
	} {
		if value, found, err := unstructured.NestedFieldNoCopy(whole.Object, path...); err == nil && found {
			if err := unstructured.SetNestedField(small.Object, value, path...); err != nil {
				return nil, err
			}
		}
	}
	return small, nil
}

// observeWorkload puts the template and the selector of the Deployment in spec.workloadRef where a Rollout has its own, in
// a copy: what comes after knows no difference. The spec.paused of the Deployment is about its own pods and means nothing
// here.
func (r *Reconciler) observeWorkload(ctx context.Context, w *world) error {
	ref := w.rollout.Spec.WorkloadRef
	if ref == nil {
		return nil
	}
	waited, err := r.workload.ensure(ctx, w.snapshot.Now)
	switch {
	case err != nil:
		return fmt.Errorf("watching Deployments: %w", err)
	case waited > 0 && waited <= routesTimeout:
		return &unsettledError{what: "the list of Deployments"}
	}
	w.reference, w.rollout = ref, w.rollout.DeepCopy()
	if waited > 0 {
		w.lookAgain(routesRetry)
		return w.missReading()
	}
	workload := newDeployment()
	err = r.cache.Get(ctx, client.ObjectKey{Namespace: w.rollout.Namespace, Name: ref.Name}, workload)
	switch {
	case apierrors.IsNotFound(err), err == nil && workload.GetDeletionTimestamp() != nil:
		return w.missWorkload(fmt.Sprintf("Deployment %q does not exist: create it, or name one that does, or write its pod "+
			"template in spec.template instead", ref.Name))
	case err != nil:
		return fmt.Errorf("reading Deployment %s: %w", ref.Name, err)
	}
	w.workload = workload
	return w.resolve()
}

// missReading goes on without a Deployment that may be there. What it is owed is not forgotten.
func (w *world) missReading() error {
	if status := w.rollout.Status.Workload; status != nil && status.Replicas != nil {
		w.snapshot.Workload = &planner.Workload{
			Name: w.reference.Name, ScaleDown: w.reference.ScaleDown, Before: status.Replicas, Unread: true,
		}
	}
	return w.missWorkload("Deployments cannot be read: let the service account of the controller list and watch them; its log says why")
}

// missWorkload goes on without a Deployment: what was released stays as it is until it is back.
func (w *world) missWorkload(why string) error {
	w.problem(v1alpha1.ReasonWorkloadNotFound, "spec.workloadRef.name", why)
	if w.rollout.Spec.Selector == nil && w.rollout.Status.Selector != "" {
		selector, err := metav1.ParseToLabelSelector(w.rollout.Status.Selector)
		if err != nil {
			return fmt.Errorf("status.selector: %w", err)
		}
		selector.MatchExpressions = slices.DeleteFunc(selector.MatchExpressions, func(e metav1.LabelSelectorRequirement) bool {
			return e.Key == v1alpha1.LabelBaselineOf // the status leaves baselines out, and the selector of the Deployment knows of none
		})
		w.rollout.Spec.Selector = selector
	}
	return nil
}

// resolve writes the template and the selector of the Deployment into the copy of the Rollout.
func (w *world) resolve() error {
	if err := w.rollout.Spec.Resolve(w.workload.Object); err != nil {
		return fmt.Errorf("reading Deployment %s: %w", w.reference.Name, err)
	}
	number := func(fields ...string) int32 {
		n, _, _ := unstructured.NestedInt64(w.workload.Object, fields...)
		return int32(n)
	}
	observed := &planner.Workload{
		Name: w.reference.Name, ScaleDown: w.reference.ScaleDown,
		Replicas: number("spec", "replicas"), Available: number("status", "availableReplicas"),
	}
	if status := w.rollout.Status.Workload; status != nil {
		observed.Before = status.Replicas
	}
	w.snapshot.Workload = observed
	return nil
}

// workloadStatus is what the status says of the workload: the generation whose template is the one that the status speaks
// of. Of a Deployment that cannot be read it stays as it was, and to one that is gone nothing is owed.
func (w *world) workloadStatus(plan planner.Plan) *v1alpha1.WorkloadStatus {
	seen := w.rollout.Status.Workload
	switch {
	case w.reference == nil:
		return nil
	case w.workload == nil && seen != nil:
		return &v1alpha1.WorkloadStatus{ObservedGeneration: seen.ObservedGeneration, Replicas: plan.WorkloadBefore}
	case w.workload == nil:
		return nil
	}
	return &v1alpha1.WorkloadStatus{ObservedGeneration: w.workload.GetGeneration(), Replicas: plan.WorkloadBefore}
}

// scaleWorkload sets the size of the Deployment, and nothing else of it.
func (r *Reconciler) scaleWorkload(ctx context.Context, w *world, a planner.ScaleWorkload) error {
	if w.workload == nil {
		return fmt.Errorf("there is no Deployment to %s", a)
	}
	return r.patch(ctx, w.workload, map[string]any{"spec": map[string]any{"replicas": a.Replicas}})
}
