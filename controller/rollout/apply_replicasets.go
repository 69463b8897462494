package rollout

import (
	"context"
	"fmt"
	"maps"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller/planner"
	"github.com/sluice-dev/sluice/controller/revision"
)

// collisionError says that somebody else's ReplicaSet has the name of the target: its hash must change.
type collisionError struct{ name string }

func (e *collisionError) Error() string {
	return fmt.Sprintf("ReplicaSet %s exists and belongs to somebody else", e.name)
}

// createRevision creates the ReplicaSet of the target.
func (r *Reconciler) createRevision(ctx context.Context, w *world, a planner.CreateRevision) error {
	if a.Revision != w.snapshot.Target {
		return fmt.Errorf("only the target %s has a template to create a ReplicaSet from, and not %s", w.snapshot.Target, a.Revision)
	}
	if err := r.createCopies(ctx, w); err != nil {
		return err
	}
	rs, err := newReplicaSet(w, a)
	if err != nil {
		return err
	}
	name := rs.GetName()
	err = r.writes.Create(ctx, rs)
	if !apierrors.IsAlreadyExists(err) {
		return err
	}
	existing := &appsv1.ReplicaSet{}
	if err := r.live.Get(ctx, client.ObjectKey{Namespace: w.rollout.Namespace, Name: name}, existing); err != nil {
		return client.IgnoreNotFound(err)
	}
	if !metav1.IsControlledBy(existing, w.rollout) || revisionOf(existing) != a.Revision {
		return &collisionError{name: name}
	}
	return onItsWay("ReplicaSet", existing)
}

// newReplicaSet makes a ReplicaSet of the template as it was written: fields that this version does not know go with it.
func newReplicaSet(w *world, a planner.CreateRevision) (*unstructured.Unstructured, error) {
	raw, err := w.rollout.Spec.Template.MarshalJSON()
	if err != nil {
		return nil, fmt.Errorf("spec.template: %w", err)
	}
	template := map[string]any{}
	if err := json.Unmarshal(raw, &template); err != nil {
		return nil, fmt.Errorf("spec.template: %w", err)
	}
	if err := addStrings(template, map[string]string{v1alpha1.LabelPodTemplateHash: a.Revision}, "metadata", "labels"); err != nil {
		return nil, fmt.Errorf("spec.template.metadata.labels: %w", err)
	}
	labels, _, err := unstructured.NestedStringMap(template, "metadata", "labels")
	if err != nil {
		return nil, fmt.Errorf("spec.template.metadata.labels: %w", err)
	}
	annotations := annotationsOf(w.nextNumber(), w.written(raw))
	if err := w.configuration.annotate(annotations); err != nil {
		return nil, err
	}
	if err := w.decorate(template, annotations, a.Revision); err != nil {
		return nil, err
	}
	selector := w.rollout.Spec.Selector.DeepCopy()
	if selector.MatchLabels == nil {
		selector.MatchLabels = map[string]string{}
	}
	selector.MatchLabels[v1alpha1.LabelPodTemplateHash] = a.Revision
	rs := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{
		"replicas":        int64(a.Replicas),
		"minReadySeconds": int64(w.rollout.Spec.MinReadySeconds),
		"selector":        selectorFields(selector),
		"template":        template,
	}}}
	rs.SetGroupVersionKind(appsv1.SchemeGroupVersion.WithKind("ReplicaSet"))
	rs.SetNamespace(w.rollout.Namespace)
	rs.SetName(revision.ReplicaSetName(w.rollout.Name, a.Revision))
	rs.SetLabels(labels)
	rs.SetAnnotations(annotations)
	rs.SetOwnerReferences([]metav1.OwnerReference{ownerOf(w.rollout)})
	return rs, nil
}

// decorate adds to the template of a revision what the spec says beside it: metadata of its role, which is recorded in the
// annotations of the ReplicaSet, and anti-affinity.
func (w *world) decorate(template map[string]any, annotations map[string]string, hash string) error {
	spec := &w.rollout.Spec
	if role := roleMetadata(spec.RoleMetadata, w.snapshot.State, hash); len(role.Labels)+len(role.Annotations) > 0 {
		for name, values := range map[string]map[string]string{"labels": role.Labels, "annotations": role.Annotations} {
			if err := addStrings(template, values, "metadata", name); err != nil {
				return fmt.Errorf("spec.template.metadata.%s: %w", name, err)
			}
		}
		text, err := roleRecord{PodMetadata: role}.annotation()
		if err != nil {
			return err
		}
		annotations[v1alpha1.AnnotationRoleMetadata] = text
	}
	return addAntiAffinity(template, spec.Selector, hash, spec.AntiAffinity)
}

// addStrings adds values to a map of strings within an object.
func addStrings(object map[string]any, values map[string]string, path ...string) error {
	if len(values) == 0 {
		return nil
	}
	all, _, err := unstructured.NestedStringMap(object, path...)
	if err != nil {
		return err
	}
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, values)
	return unstructured.SetNestedStringMap(object, all, path...)
}

// maxRecordedTemplate is the longest template, in bytes, that is kept as an annotation: all annotations of an object
// together may have 262,144.
const maxRecordedTemplate = 200_000

// annotationsOf gives a revision its number, and keeps its template as it was written, to go back to: the API server
// fills defaults into the one in the spec, which gives it another hash.
func annotationsOf(number int64, template []byte) map[string]string {
	annotations := map[string]string{v1alpha1.AnnotationRevisionNumber: strconv.FormatInt(number, 10)}
	if len(template) <= maxRecordedTemplate {
		annotations[v1alpha1.AnnotationTemplate] = string(template)
	}
	return annotations
}

// selectorFields writes a selector as the fields of an unstructured object.
func selectorFields(selector *metav1.LabelSelector) map[string]any {
	matchLabels := make(map[string]any, len(selector.MatchLabels))
	for key, value := range selector.MatchLabels {
		matchLabels[key] = value
	}
	out := map[string]any{"matchLabels": matchLabels}
	var expressions []any
	for _, e := range selector.MatchExpressions {
		expression := map[string]any{"key": e.Key, "operator": string(e.Operator)}
		if len(e.Values) > 0 {
			values := make([]any, 0, len(e.Values))
			for _, value := range e.Values {
				values = append(values, value)
			}
			expression["values"] = values
		}
		expressions = append(expressions, expression)
	}
	if len(expressions) > 0 {
		out["matchExpressions"] = expressions
	}
	return out
}

// scaleRevision sets the size of a ReplicaSet. A revision that is asked for again becomes the newest: its number is what
// tells which revisions are old.
func (r *Reconciler) scaleRevision(ctx context.Context, w *world, a planner.ScaleRevision) error {
	rs, err := w.replicaSet(a.Revision)
	if err != nil {
		return err
	}
	fields := map[string]any{"spec": map[string]any{
		"replicas": a.Replicas, "minReadySeconds": w.rollout.Spec.MinReadySeconds,
	}}
	if next := w.nextNumber(); a.Revision == w.snapshot.Target && v1alpha1.RevisionNumber(rs) != next-1 {
		fields["metadata"] = map[string]any{"annotations": map[string]any{
			v1alpha1.AnnotationRevisionNumber: strconv.FormatInt(next, 10),
		}}
	}
	return r.patch(ctx, rs, fields)
}

// deleteRevision deletes a ReplicaSet that has no pods.
func (r *Reconciler) deleteRevision(ctx context.Context, w *world, a planner.DeleteRevision) error {
	rs, err := w.replicaSet(a.Revision)
	if err != nil {
		return err
	}
	return r.remove(ctx, rs)
}

func (w *world) replicaSet(hash string) (*appsv1.ReplicaSet, error) {
	rs, ok := w.replicaSets[hash]
	if !ok {
		return nil, fmt.Errorf("revision %s has no ReplicaSet", hash)
	}
	return rs, nil
}

// followMinReady brings minReadySeconds to the ReplicaSets that have pods, but for those that were changed already.
func (r *Reconciler) followMinReady(ctx context.Context, w *world, changed map[string]bool) error {
	want := w.rollout.Spec.MinReadySeconds
	for _, rev := range w.snapshot.Revisions {
		rs := w.replicaSets[rev.Hash]
		if rev.Desired == 0 || changed[rev.Hash] || rs.Spec.MinReadySeconds == want {
			continue
		}
		if err := r.patch(ctx, rs, map[string]any{"spec": map[string]any{"minReadySeconds": want}}); err != nil {
			return explainAs(planner.Problem{Reason: v1alpha1.ReasonReplicaSetRefused, Field: "spec.minReadySeconds"},
				fmt.Sprintf("set minReadySeconds of %s to %d", rev.Hash, want), err)
		}
	}
	return nil
}
