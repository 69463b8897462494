package simulation

import (
	"encoding/json"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// What people do. Each is one write of the API, as kubectl makes it.

// Change edits a Rollout.
func (w *World) Change(key types.NamespacedName, change func(*v1alpha1.Rollout)) {
	edit(w, "user", kindRollout(), key, change)
}

// Release writes another image into the template, or into that of the Deployment that has it.
func (w *World) Release(key types.NamespacedName, image string) {
	if rollout := w.Rollout(key); rollout != nil && rollout.Spec.WorkloadRef != nil {
		workload := types.NamespacedName{Namespace: key.Namespace, Name: rollout.Spec.WorkloadRef.Name}
		edit(w, "user", kindDeployment(), workload, func(d *appsv1.Deployment) { d.Spec.Template.Spec.Containers[0].Image = image })
		return
	}
	w.Change(key, func(r *v1alpha1.Rollout) {
		template, err := r.Spec.PodTemplate()
		if err != nil {
			return
		}
		template.Spec.Containers[0].Image = image
		if raw, err := json.Marshal(template); err == nil {
			r.Spec.Template.Raw = raw
		}
	})
}

// Delete deletes a Rollout and what it owns, or leaves that.
func (w *World) Delete(key types.NamespacedName, orphan bool) error {
	policy := metav1.DeletePropagationBackground
	if orphan {
		policy = metav1.DeletePropagationOrphan
	}
	return w.Server.remove(Write{By: "user"}, kindRollout(), key, client.DeleteOptions{PropagationPolicy: &policy})
}

// Scale writes spec.replicas, as an autoscaler does.
func (w *World) Scale(key types.NamespacedName, replicas int32) {
	w.Change(key, func(r *v1alpha1.Rollout) { r.Spec.Replicas = ptr.To(replicas) })
}

// Pause writes spec.paused.
func (w *World) Pause(key types.NamespacedName, paused bool) {
	w.Change(key, func(r *v1alpha1.Rollout) { r.Spec.Paused = paused })
}

// Command writes a command into the annotation, and returns its id; without a revision it writes nothing.
func (w *World) Command(key types.NamespacedName, action, revision string) (id string) {
	if revision == "" {
		return ""
	}
	w.commands++
	id = fmt.Sprintf("request-%d", w.commands)
	w.Change(key, func(r *v1alpha1.Rollout) {
		if r.Annotations == nil {
			r.Annotations = map[string]string{}
		}
		r.Annotations[v1alpha1.AnnotationCommand] = v1alpha1.Command{
			Action: action, Revision: revision, ID: id,
		}.String()
	})
	return id
}

// Steer writes a command for the revision under release.
func (w *World) Steer(key types.NamespacedName, action string) {
	if rollout := lookup[*v1alpha1.Rollout](w.Server, kindRollout(), key); rollout != nil {
		w.Command(key, action, rollout.Status.State.Candidate)
	}
}

// Rollout as the API server has it; nil when there is none.
func (w *World) Rollout(key types.NamespacedName) *v1alpha1.Rollout {
	return lookup[*v1alpha1.Rollout](w.Server, kindRollout(), key)
}
