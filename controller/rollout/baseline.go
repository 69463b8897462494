package rollout

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller/planner"
	"github.com/sluice-dev/sluice/controller/revision"
)

// A fresh baseline is a ReplicaSet made of that of stable, and a Service that reaches its pods. Its label
// v1alpha1.LabelBaselineOf is in its selector, which nobody can change, and tells it from a revision everywhere.

// isBaseline says whether a ReplicaSet is that of a fresh baseline.
func isBaseline(rs *appsv1.ReplicaSet) bool {
	return rs.Spec.Selector != nil && rs.Spec.Selector.MatchLabels[v1alpha1.LabelBaselineOf] != ""
}

// comesByBaseline says whether a ReplicaSet that nobody controls is a baseline. It is ours when the Rollout is deleted without
// its pods, as the garbage collector has taken the owner out.
func (w *world) comesByBaseline(rs *appsv1.ReplicaSet) bool {
	if !isBaseline(rs) {
		return false
	}
	ours := rs.Name == revision.ReplicaSetName(w.rollout.Name, revisionOf(rs))
	if w.rollout.DeletionTimestamp != nil && rs.DeletionTimestamp == nil && ours {
		w.baselines[revisionOf(rs)] = rs
	}
	return true
}

// sortOut keeps the ReplicaSets of a Rollout that are baselines apart from its revisions.
func (w *world) sortOut(sets []appsv1.ReplicaSet) (revisions []*appsv1.ReplicaSet) {
	w.baselines = map[string]*appsv1.ReplicaSet{}
	for i := range sets {
		rs := &sets[i]
		switch hash := revisionOf(rs); {
		case rs.DeletionTimestamp != nil || hash == "" || !metav1.IsControlledBy(rs, w.rollout):
		case isBaseline(rs):
			w.baselines[hash] = rs
		default:
			revisions = append(revisions, rs)
		}
	}
	return revisions
}

// owners are the hashes of revisions and baselines by the names of their ReplicaSets.
func (w *world) owners() map[string]string {
	out := make(map[string]string, len(w.replicaSets)+len(w.baselines))
	for hash, rs := range w.replicaSets {
		out[rs.Name] = hash
	}
	for hash, rs := range w.baselines {
		out[rs.Name] = hash
	}
	return out
}

// pretendOnBaseline changes a snapshot as if an action on a baseline had been observed.
func (w *world) pretendOnBaseline(action planner.Action) {
	switch a := action.(type) {
	case planner.CloseBaseline:
		w.snapshot.Baseline.Found = false
	case planner.DeleteBaseline:
		w.snapshot.Baselines = slices.DeleteFunc(w.snapshot.Baselines, func(rs planner.Revision) bool { return rs.Hash == a.Baseline })
	}
}

// observeBaseline counts the pods of baselines, and reads the Service that reaches them.
func (r *Reconciler) observeBaseline(ctx context.Context, w *world) error {
	for hash, rs := range w.baselines {
		w.snapshot.Baselines = append(w.snapshot.Baselines, observedRevision(hash, rs))
	}
	slices.SortFunc(w.snapshot.Baselines, func(a, b planner.Revision) int { return cmp.Compare(a.Hash, b.Hash) })
	name := revision.BaselineServiceName(w.rollout.Name)
	service, leaves, err := r.service(ctx, w, name)
	if err != nil {
		return err
	}
	if service != nil && !w.madeBaseline(service) {
		if w.rollout.Spec.Experiments() {
			w.problem(v1alpha1.ReasonServiceMismatch, "spec.strategy.canary.steps", fmt.Sprintf(
				"Service %q exists and is not of this Rollout, whose experiments need the name: delete it, or rename it", name))
		}
		service = nil
	}
	w.baseline = service
	w.snapshot.Baseline, err = r.observeService(ctx, w, name, service)
	w.snapshot.Baseline.Leaving = leaves
	return err
}

// madeBaseline says whether a Service with the name of the baseline's is one that we have made.
func (w *world) madeBaseline(service *corev1.Service) bool {
	if metav1.IsControlledBy(service, w.rollout) {
		return true
	}
	return w.rollout.DeletionTimestamp != nil && metav1.GetControllerOf(service) == nil &&
		service.Labels[v1alpha1.LabelRollout] == revision.LabelValue(w.rollout.Name)
}

// performOnBaseline carries out one action on a baseline.
func (r *Reconciler) performOnBaseline(ctx context.Context, w *world, action planner.Action) error {
	switch a := action.(type) {
	case planner.CreateBaseline:
		return r.createBaseline(ctx, w, a)
	case planner.ScaleBaseline:
		rs, err := w.baselineSet(a.Baseline)
		if err != nil {
			return err
		}
		return r.patch(ctx, rs, map[string]any{"spec": map[string]any{
			"replicas": a.Replicas, "minReadySeconds": w.rollout.Spec.MinReadySeconds,
		}})
	case planner.DeleteBaseline:
		rs, err := w.baselineSet(a.Baseline)
		if err != nil {
			return err
		}
		return r.remove(ctx, rs)
	case planner.OpenBaseline:
		return r.openBaseline(ctx, w, a)
	case planner.CloseBaseline:
		if w.baseline == nil {
			return fmt.Errorf("there is no Service %s to delete", w.snapshot.Baseline.Name)
		}
		return r.remove(ctx, w.baseline)
	}
	return fmt.Errorf("there is no way to %s", action)
}

func (w *world) baselineSet(hash string) (*appsv1.ReplicaSet, error) {
	rs, ok := w.baselines[hash]
	if !ok {
		return nil, fmt.Errorf("baseline %s has no ReplicaSet", hash)
	}
	return rs, nil
}

// createBaseline creates the ReplicaSet of a baseline.
func (r *Reconciler) createBaseline(ctx context.Context, w *world, a planner.CreateBaseline) error {
	stable, err := w.replicaSet(a.Revision)
	if err != nil {
		return err
	}
	whole := &unstructured.Unstructured{} // the cache has no templates
	whole.SetGroupVersionKind(appsv1.SchemeGroupVersion.WithKind("ReplicaSet"))
	if err := r.live.Get(ctx, client.ObjectKeyFromObject(stable), whole); err != nil {
		return client.IgnoreNotFound(err)
	}
	rs, err := newBaseline(w, a, whole, roleRecordOf(stable))
	if err != nil {
		return err
	}
	name := rs.GetName()
	if err = r.writes.Create(ctx, rs); !apierrors.IsAlreadyExists(err) {
		return err
	}
	existing := &appsv1.ReplicaSet{}
	if err := r.live.Get(ctx, client.ObjectKey{Namespace: w.rollout.Namespace, Name: name}, existing); err != nil {
		return client.IgnoreNotFound(err)
	}
	if metav1.IsControlledBy(existing, w.rollout) {
		return onItsWay("ReplicaSet", existing)
	}
	return &refused{retry: refusedWait, problem: planner.Problem{Reason: v1alpha1.ReasonReplicaSetRefused, Message: fmt.Sprintf(
		"ReplicaSet %q exists and is not of this Rollout, whose baseline needs the name: delete it", name)}}
}

// newBaseline makes a ReplicaSet of the template of another one as the API server has it, with the copies of configuration
// that its pods read. What its pods have because it is stable is left out, as a Service may select by that.
func newBaseline(w *world, a planner.CreateBaseline, stable *unstructured.Unstructured, role roleRecord) (*unstructured.Unstructured, error) {
	template, _, err := unstructured.NestedMap(stable.Object, "spec", "template")
	if err != nil {
		return nil, fmt.Errorf("spec.template of ReplicaSet %s: %w", stable.GetName(), err)
	}
	for key := range role.Labels {
		unstructured.RemoveNestedField(template, "metadata", "labels", key)
	}
	for key := range role.Annotations {
		unstructured.RemoveNestedField(template, "metadata", "annotations", key)
	}
	own := map[string]string{v1alpha1.LabelPodTemplateHash: a.Baseline, v1alpha1.LabelBaselineOf: a.Revision}
	if err := addStrings(template, own, "metadata", "labels"); err != nil {
		return nil, fmt.Errorf("spec.template.metadata.labels of ReplicaSet %s: %w", stable.GetName(), err)
	}
	renameApart(template, a.Revision, a.Baseline)
	selector := w.rollout.Spec.Selector.DeepCopy()
	for key, value := range own {
		metav1.AddLabelToSelector(selector, key, value)
	}
	rs := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{
		"replicas":        int64(a.Replicas),
		"minReadySeconds": int64(w.rollout.Spec.MinReadySeconds),
		"selector":        selectorFields(selector),
		"template":        template,
	}}}
	labels, _, err := unstructured.NestedStringMap(template, "metadata", "labels")
	if err != nil {
		return nil, err
	}
	rs.SetGroupVersionKind(appsv1.SchemeGroupVersion.WithKind("ReplicaSet"))
	rs.SetNamespace(w.rollout.Namespace)
	rs.SetName(revision.ReplicaSetName(w.rollout.Name, a.Baseline))
	rs.SetLabels(labels)
	rs.SetOwnerReferences([]metav1.OwnerReference{ownerOf(w.rollout)})
	return rs, nil
}

// openBaseline creates the Service that reaches a baseline, as a twin of the active one.
func (r *Reconciler) openBaseline(ctx context.Context, w *world, a planner.OpenBaseline) error {
	if w.active == nil {
		return fmt.Errorf("there is no Service %s to make a twin of", w.snapshot.Active.Name)
	}
	err := r.writes.Create(ctx, newTwin(w, w.snapshot.Baseline.Name, a.Baseline))
	if apierrors.IsAlreadyExists(err) {
		return &unsettledError{what: "Service " + w.snapshot.Baseline.Name}
	}
	return err
}
