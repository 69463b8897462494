package rollout

import (
	"context"
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller/configuration"
	"github.com/sluice-dev/sluice/controller/planner"
	"github.com/sluice-dev/sluice/controller/revision"
)

// createCopies makes the copies that the target reads, before its ReplicaSet: a pod never starts without its content. Their
// names follow from what is in them, so that a repeat finds them there.
func (r *Reconciler) createCopies(ctx context.Context, w *world) error {
	for _, ref := range w.configuration.references {
		hash, ok := w.configuration.versions[ref.Object]
		absent, err := configuration.HashAbsent(ref.Kind)
		if err != nil {
			return err
		}
		if !ok || hash == absent {
			continue
		}
		if err := r.createCopy(ctx, w, ref, hash); err != nil {
			return err
		}
	}
	return nil
}

// createCopy makes one copy, if it is not there.
func (r *Reconciler) createCopy(ctx context.Context, w *world, ref configuration.Reference, hash string) error {
	name := configuration.CopyOf(ref.Object, w.rollout.Name, hash)
	existing, err := r.metadataOf(ctx, w, name)
	if err == nil {
		return r.checkCopy(ctx, w, ref, existing)
	}
	if !apierrors.IsNotFound(err) {
		return explainCopy(ref, name, "read", err)
	}
	source, err := r.fetch(ctx, place{Object: ref.Object, namespace: w.rollout.Namespace})
	if err != nil && !apierrors.IsNotFound(err) {
		return explainCopy(ref, ref.Object, "read", err)
	}
	now, hashErr := hashOf(source)
	if err != nil || hashErr != nil || now != hash {
		// It has changed since it was looked at: the next look asks for another revision.
		r.contents.forget(w.rollout.Namespace, ref.Object, name)
		return &unsettledError{what: "the latest " + ref.String()}
	}
	duplicate := copyOf(w.rollout, source, name)
	err = r.writes.Create(ctx, duplicate)
	if apierrors.IsAlreadyExists(err) {
		return &unsettledError{what: name.String()}
	}
	return explainCopy(ref, name, "create", err)
}

// metadataOf reads the metadata of an object: of a ConfigMap from the cache, of a Secret from the API server.
func (r *Reconciler) metadataOf(ctx context.Context, w *world, o configuration.Object) (*metav1.PartialObjectMetadata, error) {
	reader := r.cache
	if o.Kind == v1alpha1.KindSecret {
		reader = r.live
	}
	metadata := newMetadata(o.Kind)
	err := reader.Get(ctx, client.ObjectKey{Namespace: w.rollout.Namespace, Name: o.Name}, metadata)
	return metadata, err
}

// copyOf is an immutable copy of a ConfigMap or Secret. It has no label or annotation of the original: a tool that owns that
// would take the copy for something it has to delete.
func copyOf(rollout *v1alpha1.Rollout, source client.Object, name configuration.Object) client.Object {
	metadata := metav1.ObjectMeta{
		Namespace: rollout.Namespace, Name: name.Name,
		Labels:          map[string]string{v1alpha1.LabelRollout: revision.LabelValue(rollout.Name)},
		Annotations:     map[string]string{v1alpha1.AnnotationCopyOf: source.GetName()},
		OwnerReferences: []metav1.OwnerReference{ownerOf(rollout)},
	}
	if secret, ok := source.(*corev1.Secret); ok {
		return &corev1.Secret{ObjectMeta: metadata, Type: secret.Type, Data: secret.Data, Immutable: ptr.To(true)}
	}
	out := &corev1.ConfigMap{ObjectMeta: metadata, Immutable: ptr.To(true)}
	if configMap, ok := source.(*corev1.ConfigMap); ok {
		out.Data, out.BinaryData = configMap.Data, configMap.BinaryData
	}
	return out
}

// checkCopy finds out whether an object that has the name of a copy is one: ours, or what a Rollout of the same name has
// left behind.
func (r *Reconciler) checkCopy(ctx context.Context, w *world, ref configuration.Reference, existing *metav1.PartialObjectMetadata) error {
	switch owner := metav1.GetControllerOf(existing); {
	case existing.DeletionTimestamp != nil:
		return &unsettledError{what: "the end of " + ref.Kind + " " + existing.Name}
	case owner != nil && owner.UID == w.rollout.UID:
		return nil
	case owner == nil && existing.Labels[v1alpha1.LabelRollout] == revision.LabelValue(w.rollout.Name):
		left, err := r.read(ctx, w, configuration.Object{Kind: ref.Kind, Name: existing.Name})
		if err != nil || left.found.Hash == w.configuration.versions[ref.Object] {
			return err
		}
	}
	return &refused{problem: planner.Problem{
		Reason: v1alpha1.ReasonConfigurationInvalid, Field: ref.Field + ".name", Message: fmt.Sprintf(
			"%s %q is somebody else's, and has the name of the copy of %q: delete it, or give the original another name", ref.Kind,
			existing.Name, ref.Name),
	}}
}

// explainCopy makes a problem of a copy of the target that the API server refuses.
func explainCopy(ref configuration.Reference, o configuration.Object, verb string, err error) error {
	return explainObject(planner.Problem{Reason: v1alpha1.ReasonConfigurationForbidden, Field: ref.Field + ".name"}, o, verb, err)
}

// explainRemoval makes a problem of a copy that nobody needs and that the API server keeps.
func explainRemoval(o configuration.Object, err error) error {
	return explainObject(planner.Problem{Reason: v1alpha1.ReasonWriteRefused}, o, "delete", err)
}

// explainObject makes a problem of a refusal that is about a ConfigMap or a Secret. What the API server says of a Secret is left
// out: a policy may quote what it refuses.
func explainObject(problem planner.Problem, o configuration.Object, verb string, err error) error {
	if !refusal(err) {
		return err
	}
	if o.Kind != v1alpha1.KindSecret {
		return explainAs(problem, verb+" "+o.String(), err)
	}
	problem.Message = fmt.Sprintf("the API server refuses to %s %s (%s): look at the quotas and policies of the namespace, and whether "+
		"the controller has the role %s there", verb, o, apierrors.ReasonForError(err), secretsRole)
	return &refused{problem: problem, retry: refusedWait}
}

// followConfiguration makes copies of the target that somebody has deleted, and deletes copies that no revision reads any
// more.
func (r *Reconciler) followConfiguration(ctx context.Context, w *world) error {
	if w.configuration.unknown || w.rollout.DeletionTimestamp != nil {
		return nil
	}
	if _, exists := w.replicaSets[w.snapshot.Target]; exists {
		if err := r.restoreCopies(ctx, w); err != nil {
			return err
		}
	}
	inUse := w.versionsInUse()
	for _, c := range w.rollout.Status.Configuration {
		o := configuration.Object{Kind: c.Kind, Name: c.Name}
		for _, hash := range c.Versions {
			if slices.Contains(inUse[o], hash) {
				continue
			}
			if err := r.collect(ctx, w, o, hash); err != nil {
				return err
			}
		}
	}
	return r.collectByLabel(ctx, w, inUse)
}

// restoreCopies makes ConfigMaps of the target that are gone, if the original still has their content. Of Secrets there is no
// cache, and nobody asks for them without need.
func (r *Reconciler) restoreCopies(ctx context.Context, w *world) error {
	for _, ref := range w.configuration.references {
		hash, ok := w.configuration.versions[ref.Object]
		if !ok || ref.Kind != v1alpha1.KindConfigMap {
			continue
		}
		_, err := r.metadataOf(ctx, w, configuration.CopyOf(ref.Object, w.rollout.Name, hash))
		if !apierrors.IsNotFound(err) {
			continue
		}
		now, err := r.read(ctx, w, ref.Object)
		if err != nil || now.found.Hash != hash {
			continue
		}
		if err := r.createCopy(ctx, w, ref, hash); err != nil {
			return err
		}
	}
	return nil
}

// collect deletes the copy of a content, if it is ours. Where Secrets may not be read any more it stays, and goes with the
// Rollout.
func (r *Reconciler) collect(ctx context.Context, w *world, o configuration.Object, hash string) error {
	duplicate := configuration.CopyOf(o, w.rollout.Name, hash)
	if w.namesItself(duplicate) {
		return nil
	}
	metadata, err := r.metadataOf(ctx, w, duplicate)
	if err == nil {
		err = r.removeCopy(ctx, w, metadata)
	}
	if apierrors.IsForbidden(err) {
		log.FromContext(ctx).V(1).Info("a copy that is not needed cannot be deleted", "kind", o.Kind, "name", duplicate.Name)
		return nil
	}
	if client.IgnoreNotFound(err) != nil {
		return explainRemoval(duplicate, err)
	}
	if w.configuration.collected == nil {
		w.configuration.collected = map[configuration.Object]map[string]bool{}
	}
	if w.configuration.collected[o] == nil {
		w.configuration.collected[o] = map[string]bool{}
	}
	w.configuration.collected[o][hash] = true
	return nil
}

// collectByLabel deletes copies of ConfigMaps that the status does not know of, as after it was restored from a backup.
func (r *Reconciler) collectByLabel(ctx context.Context, w *world, inUse map[configuration.Object][]string) error {
	if !w.usesConfigMaps() {
		return nil
	}
	needed := map[string]bool{}
	for o, hashes := range inUse {
		for _, hash := range hashes {
			needed[configuration.CopyOf(o, w.rollout.Name, hash).Key()] = true
		}
	}
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind(v1alpha1.KindConfigMap + "List"))
	if err := r.cache.List(ctx, list, client.InNamespace(w.rollout.Namespace),
		client.MatchingLabels{v1alpha1.LabelRollout: revision.LabelValue(w.rollout.Name)}); err != nil {
		return fmt.Errorf("listing copies of ConfigMaps: %w", err)
	}
	for i := range list.Items {
		found := &list.Items[i]
		duplicate := configuration.Object{Kind: v1alpha1.KindConfigMap, Name: found.Name}
		if needed[duplicate.Key()] || w.namesItself(duplicate) {
			continue
		}
		found.SetGroupVersionKind(newMetadata(v1alpha1.KindConfigMap).GroupVersionKind())
		if err := r.removeCopy(ctx, w, found); err != nil {
			return explainRemoval(duplicate, err)
		}
	}
	return nil
}

// removeCopy deletes an object that is a copy of ours, or one that a Rollout of the same name has left behind.
func (r *Reconciler) removeCopy(ctx context.Context, w *world, found *metav1.PartialObjectMetadata) error {
	owner := metav1.GetControllerOf(found)
	if found.DeletionTimestamp != nil || found.Labels[v1alpha1.LabelRollout] != revision.LabelValue(w.rollout.Name) ||
		owner != nil && owner.UID != w.rollout.UID {
		return nil
	}
	return r.remove(ctx, found)
}

// namesItself says whether a template names a copy by the copy's own name, as one does that was taken from a ReplicaSet. While
// there is a template that is not known, each of them may.
func (w *world) namesItself(duplicate configuration.Object) bool {
	c := &w.configuration
	if c.named == nil {
		c.named, c.unread = map[configuration.Object]bool{}, false
		w.readNames(w.rollout.Spec.Template.Raw, nil)
		for _, rs := range w.orphans {
			w.readNames([]byte(rs.Annotations[v1alpha1.AnnotationTemplate]), rs)
		}
		for _, rs := range w.replicaSets {
			w.readNames([]byte(rs.Annotations[v1alpha1.AnnotationTemplate]), rs)
		}
	}
	return c.unread || c.named[duplicate]
}

// readNames notes what a template names, with the copies that its ReplicaSet was made with.
func (w *world) readNames(template []byte, rs *appsv1.ReplicaSet) {
	var err error
	if rs != nil {
		template, err = configuration.WithVersions(w.rollout.Name, template, v1alpha1.ConfigurationVersions(rs))
	}
	uses, usesErr := configuration.Uses(template)
	if err != nil || usesErr != nil {
		w.configuration.unread = true
		return
	}
	for _, use := range uses {
		w.configuration.named[use.Object] = true
	}
}
