package rollout

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller/planner"
)

// Labels and annotations of a role move without a restart. They are written to the template of the ReplicaSet, for the
// pods to come, and then to the pods that there are: in this order, and the second only when the controller of
// ReplicaSets has seen the first, or a pod made in between would keep what it had. An annotation of the ReplicaSet
// records how far that has come, so that a Rollout at rest reads no pods.

// roleRecord is the annotation v1alpha1.AnnotationRoleMetadata.
type roleRecord struct {
	v1alpha1.PodMetadata `json:",inline"`
	// Moving says that pods may still have what the revision had before.
	Moving bool `json:"moving,omitempty"`
	// LeftLabels and LeftAnnotations are keys to take from the pods.
	LeftLabels      []string `json:"leftLabels,omitempty"`
	LeftAnnotations []string `json:"leftAnnotations,omitempty"`
}

// roleMetadata is what pods of a revision are to have by its role. The first revision of all is to be stable, and an
// aborted one is on its way out with what it has.
func roleMetadata(roles *v1alpha1.RoleMetadata, state v1alpha1.RolloutState, hash string) v1alpha1.PodMetadata {
	var out *v1alpha1.PodMetadata
	switch {
	case roles == nil:
	case hash == state.Stable, hash == state.Candidate && state.Stage == v1alpha1.StageInitial:
		out = roles.Stable
	case hash == state.Candidate:
		out = roles.Candidate
	}
	if out == nil {
		return v1alpha1.PodMetadata{}
	}
	return *out
}

// roleRecordOf reads the record of a ReplicaSet; one that nobody of us has written counts as none.
func roleRecordOf(rs *appsv1.ReplicaSet) roleRecord {
	var out roleRecord
	if text := rs.Annotations[v1alpha1.AnnotationRoleMetadata]; text != "" && json.Unmarshal([]byte(text), &out) != nil {
		return roleRecord{}
	}
	return out
}

// moved is the record of a revision that is to have other metadata: what it had and loses is remembered until its pods
// have lost it.
func (r roleRecord) moved(wanted v1alpha1.PodMetadata) roleRecord {
	return roleRecord{
		PodMetadata: wanted, Moving: true,
		LeftLabels:      left(r.Labels, r.LeftLabels, wanted.Labels),
		LeftAnnotations: left(r.Annotations, r.LeftAnnotations, wanted.Annotations),
	}
}

// left are the keys that are not wanted any more, in order.
func left(had map[string]string, before []string, wanted map[string]string) []string {
	keys := slices.DeleteFunc(append(slices.Collect(maps.Keys(had)), before...), func(key string) bool {
		_, stays := wanted[key]
		return stays
	})
	slices.Sort(keys)
	return slices.Compact(keys)
}

// is says whether the record is of that metadata.
func (r roleRecord) is(wanted v1alpha1.PodMetadata) bool {
	return maps.Equal(r.Labels, wanted.Labels) && maps.Equal(r.Annotations, wanted.Annotations)
}

// fields are the labels and annotations of the record as a merge patch of metadata: what has left is taken away.
func (r roleRecord) fields() map[string]any {
	out := map[string]any{}
	for name, part := range map[string]struct {
		set  map[string]string
		gone []string
	}{"labels": {r.Labels, r.LeftLabels}, "annotations": {r.Annotations, r.LeftAnnotations}} {
		values := map[string]any{}
		for _, key := range part.gone {
			values[key] = nil
		}
		for key, value := range part.set {
			values[key] = value
		}
		if len(values) > 0 {
			out[name] = values
		}
	}
	return out
}

// annotation is the record as text.
func (r roleRecord) annotation() (string, error) {
	text, err := json.Marshal(r)
	return string(text), err
}

// followRoles brings metadata of their role to revisions that have pods, but for those that were changed already.
func (r *Reconciler) followRoles(ctx context.Context, w *world, changed map[string]bool) error {
	for _, rev := range w.snapshot.Revisions {
		rs := w.replicaSets[rev.Hash]
		if rev.Desired+rev.Created == 0 || changed[rev.Hash] {
			continue
		}
		wanted := roleMetadata(w.rollout.Spec.RoleMetadata, w.snapshot.State, rev.Hash)
		if err := r.followRole(ctx, rs, wanted); err != nil {
			return explainAs(planner.Problem{Reason: v1alpha1.ReasonWriteRefused, Field: "spec.roleMetadata"},
				"write the metadata of its role to revision "+rev.Hash, err)
		}
		if record := roleRecordOf(rs); record.Moving || !record.is(wanted) {
			changed[rev.Hash] = true // one write of an object in a pass: the next needs its new version
		}
	}
	return nil
}

// followRole takes the next step of bringing metadata to one revision, if there is one.
func (r *Reconciler) followRole(ctx context.Context, rs *appsv1.ReplicaSet, wanted v1alpha1.PodMetadata) error {
	record := roleRecordOf(rs)
	switch {
	case !record.is(wanted):
		next := record.moved(wanted)
		return r.patchRole(ctx, rs, next, map[string]any{"template": map[string]any{"metadata": next.fields()}})
	case !record.Moving || rs.Status.ObservedGeneration < rs.Generation:
		return nil
	}
	if err := r.labelPods(ctx, rs, record); err != nil {
		return err
	}
	return r.patchRole(ctx, rs, roleRecord{PodMetadata: wanted}, nil)
}

// patchRole writes the record of a ReplicaSet, and fields of its spec.
func (r *Reconciler) patchRole(ctx context.Context, rs *appsv1.ReplicaSet, record roleRecord, spec map[string]any) error {
	text, err := record.annotation()
	if err != nil {
		return err
	}
	fields := map[string]any{"metadata": map[string]any{"annotations": map[string]any{v1alpha1.AnnotationRoleMetadata: text}}}
	if spec != nil {
		fields["spec"] = spec
	}
	return r.patch(ctx, rs, fields)
}

// labelPods writes the metadata of a record to the pods of a ReplicaSet that lack it. A pod that the API server does not
// let us write, such as one that a policy protects, does not hold up the others; the first refusal is told of.
func (r *Reconciler) labelPods(ctx context.Context, rs *appsv1.ReplicaSet, record roleRecord) error {
	var list corev1.PodList
	if err := r.live.List(ctx, &list, client.InNamespace(rs.Namespace),
		client.MatchingLabels{v1alpha1.LabelPodTemplateHash: revisionOf(rs)}); err != nil {
		return fmt.Errorf("listing the pods of %s: %w", rs.Name, err)
	}
	var refused error
	for i := range list.Items {
		pod := &list.Items[i]
		if !metav1.IsControlledBy(pod, rs) || pod.DeletionTimestamp != nil || record.on(pod) {
			continue
		}
		err := r.labelPod(ctx, pod, record)
		if err != nil && !refusal(err) {
			return err
		}
		refused = cmp.Or(refused, err)
	}
	return refused
}

// labelPod writes metadata to the very pod that was read, whatever its kubelet has reported of it meanwhile.
func (r *Reconciler) labelPod(ctx context.Context, pod *corev1.Pod, record roleRecord) error {
	metadata := record.fields()
	metadata["uid"] = pod.UID
	data, err := json.Marshal(map[string]any{"metadata": metadata})
	if err != nil {
		return err
	}
	err = r.writes.Patch(ctx, pod, client.RawPatch(types.MergePatchType, data))
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil
	}
	return err
}

// on says whether a pod has what the record says, and nothing of what has left.
func (r roleRecord) on(pod *corev1.Pod) bool {
	return holds(pod.Labels, r.Labels, r.LeftLabels) && holds(pod.Annotations, r.Annotations, r.LeftAnnotations)
}

func holds(have, want map[string]string, gone []string) bool {
	for key, value := range want {
		if have[key] != value {
			return false
		}
	}
	return !slices.ContainsFunc(gone, func(key string) bool {
		_, still := have[key]
		return still
	})
}
