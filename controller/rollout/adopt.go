package rollout

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/json"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller/planner"
	"github.com/sluice-dev/sluice/controller/revision"
)

// A ReplicaSet that nobody owns is what a Deployment or a Rollout leaves behind when it is deleted without its pods. One
// whose pods are those of the template is the revision of the template, pods and all: it is adopted, and nothing restarts.
// One without pods is an earlier revision to go back to. One with other pods is somebody's, and is left alone.

// annotationDeploymentRevision is the number of a revision on a ReplicaSet that a Deployment has made.
const annotationDeploymentRevision = "deployment.kubernetes.io/revision"

// orphans remembers what was found out about ReplicaSets that nobody owns, so that one which stays is asked about once.
type orphans struct {
	mu      sync.Mutex
	verdict map[types.NamespacedName]map[question]bool
}

// question is whether a ReplicaSet, as it was, has the pods of a template. Without a template it is whether a person was
// told that it has not.
type question struct {
	replicaSet types.UID
	template   string
}

// known gives the answer to a question.
func (o *orphans) known(rollout types.NamespacedName, q question) (answer, known bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	answer, known = o.verdict[rollout][q]
	return answer, known
}

func (o *orphans) learn(rollout types.NamespacedName, q question, answer bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.verdict == nil {
		o.verdict = map[types.NamespacedName]map[question]bool{}
	}
	if o.verdict[rollout] == nil {
		o.verdict[rollout] = map[question]bool{}
	}
	o.verdict[rollout][q] = answer
}

// forget drops what was found out for a Rollout that is gone, or that has no orphans any more.
func (o *orphans) forget(rollout types.NamespacedName) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.verdict, rollout)
}

// observeOrphans finds ReplicaSets that nobody controls and that the selector selects.
func (r *Reconciler) observeOrphans(ctx context.Context, w *world) error {
	if w.reference != nil && w.rollout.DeletionTimestamp == nil {
		return nil // the Deployment adopts them
	}
	var list appsv1.ReplicaSetList
	if err := r.cache.List(ctx, &list, client.InNamespace(w.rollout.Namespace),
		client.MatchingFields{indexController: nobody}); err != nil {
		return fmt.Errorf("listing ReplicaSets that nobody controls: %w", err)
	}
	selector := selectorOf(w.rollout)
	for i := range list.Items {
		rs := &list.Items[i]
		if w.comesByBaseline(rs) {
			continue
		}
		if hash := revisionOf(rs); hash != "" && w.replicaSets[hash] == nil && rs.DeletionTimestamp == nil &&
			selector.Matches(labels.Set(rs.Labels)) {
			w.orphans = append(w.orphans, rs)
		}
	}
	slices.SortFunc(w.orphans, func(a, b *appsv1.ReplicaSet) int {
		return cmp.Or(cmp.Compare(numberOf(b), numberOf(a)), cmp.Compare(a.Name, b.Name))
	})
	return nil
}

// numberOf is the number of a revision, by whoever counted it.
func numberOf(rs *appsv1.ReplicaSet) int64 {
	if own := v1alpha1.RevisionNumber(rs); own > 0 {
		return own
	}
	number, err := strconv.ParseInt(rs.Annotations[annotationDeploymentRevision], 10, 64)
	if err != nil {
		return 0
	}
	return number
}

// adopt takes over the ReplicaSets that nobody owns and that are revisions of the Rollout. When it has written, the pass
// ends with an unsettledError: the world has another target now.
func (r *Reconciler) adopt(ctx context.Context, w *world) error {
	if len(w.orphans) == 0 {
		r.orphans.forget(client.ObjectKeyFromObject(w.rollout))
		return nil
	}
	if w.template == nil || w.configuration.unknown {
		return nil
	}
	changed := false
	for _, orphan := range w.orphans {
		taken, err := r.consider(ctx, w, orphan)
		if err != nil {
			return explainAs(planner.Problem{Reason: v1alpha1.ReasonReplicaSetRefused, Field: "spec.template"},
				"adopt ReplicaSet "+orphan.Name, err)
		}
		changed = changed || taken
	}
	if changed {
		return &unsettledError{what: "the adoption of ReplicaSets"}
	}
	return nil
}

// consider adopts a ReplicaSet if it is the revision of the template, or an earlier one.
func (r *Reconciler) consider(ctx context.Context, w *world, orphan *appsv1.ReplicaSet) (taken bool, err error) {
	same, err := r.isTarget(ctx, w, orphan)
	switch {
	case err != nil:
		return false, err
	case same:
		return r.adoptTarget(ctx, w, orphan)
	case ptr.Deref(orphan.Spec.Replicas, 1) > 0 || orphan.Status.Replicas > 0:
		r.tellOfStrange(w, orphan)
		return false, nil
	case revisionOf(orphan) == w.snapshot.Target:
		return false, nil // it has our name, and another template: a collision
	}
	return r.adoptEarlier(ctx, w, orphan)
}

// isTarget says whether a ReplicaSet is the revision of the template, which has none yet. The API server is asked once.
func (r *Reconciler) isTarget(ctx context.Context, w *world, orphan *appsv1.ReplicaSet) (bool, error) {
	if _, exists := w.replicaSets[w.snapshot.Target]; exists || !revision.TellsPods(orphan.Name) || !w.mayBeTarget(orphan) {
		return false, nil
	}
	key, q := client.ObjectKeyFromObject(w.rollout), question{replicaSet: orphan.UID, template: w.snapshot.Target}
	if same, known := r.orphans.known(key, q); known {
		return same, nil
	}
	same, err := r.hasPodsOfTemplate(ctx, w, orphan)
	if err == nil {
		r.orphans.learn(key, q, same)
	}
	return same, err
}

// tellOfStrange tells, once, of a ReplicaSet whose pods nobody owns.
func (r *Reconciler) tellOfStrange(w *world, orphan *appsv1.ReplicaSet) {
	key, q := client.ObjectKeyFromObject(w.rollout), question{replicaSet: orphan.UID}
	if _, told := r.orphans.known(key, q); !told {
		r.orphans.learn(key, q, true)
		r.emit(w.rollout, planner.Event{Warning: true, Reason: v1alpha1.ReasonNotAdopted, Message: w.strange(orphan)})
	}
}

// strange says why a ReplicaSet with pods is not adopted, and what to do.
func (w *world) strange(orphan *appsv1.ReplicaSet) string {
	why := "its pods are not those of the template"
	if !revision.TellsPods(orphan.Name) {
		why = "its name is too long for its pods to carry it"
	}
	return fmt.Sprintf("ReplicaSet %s with %d pods belongs to nobody, and is not adopted: %s; delete it when its pods are not needed",
		orphan.Name, orphan.Status.Replicas, why)
}

// mayBeTarget says whether the containers that the cache knows of a ReplicaSet are those of the template: only then is it
// worth a question to the API server.
func (w *world) mayBeTarget(orphan *appsv1.ReplicaSet) bool {
	return slices.EqualFunc(orphan.Spec.Template.Spec.Containers, w.template.Spec.Containers,
		func(a, b corev1.Container) bool { return a.Name == b.Name && a.Image == b.Image })
}

// hasPodsOfTemplate says whether a ReplicaSet has the template that the API server would make of ours, with the defaults
// that it fills in, but for the label that names the revision. One that a Rollout has made says by itself which template
// it was made from.
func (r *Reconciler) hasPodsOfTemplate(ctx context.Context, w *world, orphan *appsv1.ReplicaSet) (bool, error) {
	if recorded := orphan.Annotations[v1alpha1.AnnotationTemplate]; recorded != "" {
		if identity, err := identityOf(w.rollout.Name, []byte(recorded), orphan); err == nil && identity == w.identity {
			return true, nil
		}
	}
	bare := *w // what the spec adds beside the template is for revisions that we make
	bare.rollout = w.rollout.DeepCopy()
	bare.rollout.Spec.RoleMetadata, bare.rollout.Spec.AntiAffinity = nil, nil
	ours, err := newReplicaSet(&bare, planner.CreateRevision{Revision: w.snapshot.Target})
	if err != nil {
		return false, err
	}
	ours.SetName("")
	ours.SetGenerateName(w.rollout.Name + "-")
	if err := r.writes.Preview(ctx, ours); err != nil {
		return false, err
	}
	theirs, err := r.whole(ctx, orphan)
	if err != nil || theirs == nil {
		return false, err
	}
	a, err := templateOf(ours)
	if err != nil {
		return false, err
	}
	b, err := templateOf(theirs)
	return slices.Equal(a, b), err
}

// whole reads a ReplicaSet as the API server has it, which the cache does not; nil when it is gone, or somebody's.
func (r *Reconciler) whole(ctx context.Context, orphan *appsv1.ReplicaSet) (*unstructured.Unstructured, error) {
	rs := &unstructured.Unstructured{}
	rs.SetGroupVersionKind(appsv1.SchemeGroupVersion.WithKind("ReplicaSet"))
	err := r.live.Get(ctx, client.ObjectKeyFromObject(orphan), rs)
	if err != nil || rs.GetUID() != orphan.UID || rs.GetDeletionTimestamp() != nil || metav1.GetControllerOf(rs) != nil {
		return nil, client.IgnoreNotFound(err)
	}
	return rs, nil
}

// templateOf is the template of a ReplicaSet as canonical JSON, without the label that names the revision.
func templateOf(rs *unstructured.Unstructured) ([]byte, error) {
	template, _, err := unstructured.NestedMap(rs.Object, "spec", "template")
	if err != nil {
		return nil, err
	}
	unstructured.RemoveNestedField(template, "metadata", "labels", v1alpha1.LabelPodTemplateHash)
	raw, err := json.Marshal(template)
	if err != nil {
		return nil, err
	}
	return revision.Canonical(raw)
}

// adoptTarget makes a ReplicaSet the revision of the template, as the template was written.
func (r *Reconciler) adoptTarget(ctx context.Context, w *world, orphan *appsv1.ReplicaSet) (bool, error) {
	raw, err := w.rollout.Spec.Template.MarshalJSON()
	if err != nil {
		return false, err
	}
	taken, err := r.own(ctx, w, orphan, w.written(raw))
	if taken {
		r.emit(w.rollout, planner.Event{Reason: v1alpha1.ReasonAdopted, Message: fmt.Sprintf(
			"ReplicaSet %s with %d pods is the revision of the template, and goes on as it is", orphan.Name, orphan.Status.Replicas)})
	}
	return taken, err
}

// adoptEarlier makes a ReplicaSet without pods an earlier revision, with its template as the API server has it.
func (r *Reconciler) adoptEarlier(ctx context.Context, w *world, orphan *appsv1.ReplicaSet) (bool, error) {
	rs, err := r.whole(ctx, orphan)
	if err != nil || rs == nil {
		return false, err
	}
	raw, err := templateOf(rs)
	if err != nil {
		return false, err
	}
	if recorded := rs.GetAnnotations()[v1alpha1.AnnotationTemplate]; recorded != "" {
		raw = []byte(recorded)
	}
	return r.own(ctx, w, orphan, raw)
}

// own writes a Rollout down as the owner of a ReplicaSet that has a template, if it is as it was observed, and if the
// Rollout is still there and means to stay.
func (r *Reconciler) own(ctx context.Context, w *world, orphan *appsv1.ReplicaSet, template []byte) (bool, error) {
	identity, err := identityOf(w.rollout.Name, template, orphan)
	if err != nil {
		return false, err
	}
	current := &v1alpha1.Rollout{}
	err = r.live.Get(ctx, client.ObjectKeyFromObject(w.rollout), current)
	if err != nil || current.UID != w.rollout.UID || current.DeletionTimestamp != nil {
		return false, client.IgnoreNotFound(err)
	}
	number := numberOf(orphan)
	if number == 0 {
		number = w.nextNumber()
	}
	annotations := map[string]any{v1alpha1.AnnotationIdentity: identity}
	for key, value := range annotationsOf(number, template) {
		annotations[key] = value
	}
	err = r.patch(ctx, orphan, map[string]any{"metadata": map[string]any{
		"ownerReferences": append(slices.Clone(orphan.OwnerReferences), ownerOf(w.rollout)),
		"annotations":     annotations,
	}})
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	return err == nil, err
}
