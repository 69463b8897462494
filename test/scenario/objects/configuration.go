package objects

import (
	"context"
	"encoding/json"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/scenario"
)

// configure lets the pods of a Rollout read the ConfigMap, which says first when it is made.
func (w *World) configure(ctx context.Context, made *v1alpha1.Rollout) error {
	template, err := made.PodTemplate()
	if err != nil {
		return err
	}
	template.Spec.Containers[0].EnvFrom = []corev1.EnvFromSource{{ConfigMapRef: &corev1.ConfigMapEnvSource{
		LocalObjectReference: corev1.LocalObjectReference{Name: scenario.ConfigMap},
	}}}
	if made.Spec.Template.Raw, err = json.Marshal(template); err != nil {
		return err
	}
	err = w.client.Create(ctx, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: scenario.ConfigMap}, Data: map[string]string{scenario.Word: "first"},
	})
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}

// say changes the content of the ConfigMap.
func (w *World) say(ctx context.Context, e scenario.Event) error {
	return alter(ctx, w, scenario.ConfigMap, &corev1.ConfigMap{}, func(c *corev1.ConfigMap) {
		c.Data = map[string]string{scenario.Word: e.Word}
	})
}

// abandon deletes the Rollout and leaves its pods.
func (w *World) abandon(ctx context.Context, _ scenario.Event) error {
	rollout := &v1alpha1.Rollout{}
	if err := w.client.Get(ctx, w.key(scenario.Name), rollout); err != nil {
		return client.IgnoreNotFound(err)
	}
	return client.IgnoreNotFound(w.client.Delete(ctx, rollout, client.PropagationPolicy(metav1.DeletePropagationOrphan)))
}

// readConfiguration finds out what ready pods read, and which pods lack it.
func (s seen) readConfiguration(p *scenario.Picture) {
	p.Reads = map[string]int{}
	says := map[string]string{}
	for i := range s.configMaps {
		c := &s.configMaps[i]
		says[c.Name] = c.Data[scenario.Word]
		if c.Annotations[v1alpha1.AnnotationCopyOf] == scenario.ConfigMap {
			p.Copies++
		}
	}
	for i := range s.pods {
		pod := &s.pods[i]
		from := pod.Spec.Containers[0].EnvFrom
		if len(from) == 0 || from[0].ConfigMapRef == nil {
			continue
		}
		word, there := says[from[0].ConfigMapRef.Name]
		switch {
		case !there:
			p.Lacking = append(p.Lacking, pod.Name)
		case isReady(pod):
			p.Reads[word]++
		}
	}
}

// apart says whether every ReplicaSet of the Rollout keeps its pods from others.
func (s seen) apart() bool {
	found := false
	for i := range s.sets {
		if !metav1.IsControlledBy(&s.sets[i], s.rollout) {
			continue
		}
		found = true
		if !keepsAway(&s.sets[i]) {
			return false
		}
	}
	return found
}

func keepsAway(rs *appsv1.ReplicaSet) bool {
	affinity := rs.Spec.Template.Spec.Affinity
	if affinity == nil || affinity.PodAntiAffinity == nil {
		return false
	}
	rules := affinity.PodAntiAffinity
	return len(rules.PreferredDuringSchedulingIgnoredDuringExecution)+len(rules.RequiredDuringSchedulingIgnoredDuringExecution) > 0
}
