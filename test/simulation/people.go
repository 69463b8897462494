package simulation

import (
	"encoding/json"
	"fmt"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// What people do. Each is one write of the API, as kubectl makes it.

// Change edits a Rollout.
func (w *World) Change(key types.NamespacedName, change func(*v1alpha1.Rollout)) {
	edit(w, "user", kindRollout(), key, change)
}

// Release writes another image into the template.
func (w *World) Release(key types.NamespacedName, image string) {
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

// Scale writes spec.replicas, as an autoscaler does.
func (w *World) Scale(key types.NamespacedName, replicas int32) {
	w.Change(key, func(r *v1alpha1.Rollout) { r.Spec.Replicas = ptr.To(replicas) })
}

// Pause writes spec.paused.
func (w *World) Pause(key types.NamespacedName, paused bool) {
	w.Change(key, func(r *v1alpha1.Rollout) { r.Spec.Paused = paused })
}

// Command writes a command into the annotation; without a revision it writes nothing.
func (w *World) Command(key types.NamespacedName, action, revision string) {
	if revision == "" {
		return
	}
	w.commands++
	w.Change(key, func(r *v1alpha1.Rollout) {
		if r.Annotations == nil {
			r.Annotations = map[string]string{}
		}
		r.Annotations[v1alpha1.AnnotationCommand] = v1alpha1.Command{
			Action: action, Revision: revision, ID: fmt.Sprintf("request-%d", w.commands),
		}.String()
	})
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
