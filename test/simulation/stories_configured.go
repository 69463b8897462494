package simulation

import (
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// secretPoll is longer than it takes to notice that a Secret has changed.
const secretPoll = 2 * time.Minute

func named(name string) types.NamespacedName {
	return types.NamespacedName{Namespace: Namespace, Name: name}
}

// configured is a canary whose pods read a ConfigMap and a Secret.
func configured(onChange v1alpha1.ConfigurationChange) []client.Object {
	rollout := routed().TemplateJSON(configuredTemplate(imageV1)).With(func(r *v1alpha1.Rollout) {
		r.Spec.RevisionHistoryLimit = ptr.To[int32](1)
		r.Spec.Configuration = &v1alpha1.Configuration{
			ConfigMaps: []v1alpha1.ConfigurationReference{{Name: "web-config", OnChange: onChange}},
			Secrets:    []v1alpha1.ConfigurationReference{{Name: "database", OnChange: onChange}},
		}
	})
	return with(rollout, append(network(), configMap("hello"), secretOf("correct-horse"))...)
}

// deployed is a Deployment with pods of its own behind the active Service, and a Rollout that takes its template.
func deployed(scaleDown v1alpha1.WorkloadScaleDown) []client.Object {
	rollout := routed().With(func(r *v1alpha1.Rollout) {
		r.Spec.WorkloadRef = &v1alpha1.WorkloadReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "web", ScaleDown: scaleDown}
		r.Spec.Selector = nil
	}).Obj()
	template := corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "web"}},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "web", Image: imageV1}}},
	}
	rollout.Spec.Template.Raw = nil
	return append(network(), rollout, &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: Namespace, Name: "web"},
		Spec: appsv1.DeploymentSpec{
			Replicas: ptr.To[int32](4), Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}, Template: template,
		},
	})
}

// configuredStories are about ConfigMaps, Secrets and Deployments.
func configuredStories() []Story {
	orphaned := leftByDeployment(ownHash, corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "web"}},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "web", Image: imageV1}}},
	}, 4)
	return []Story{
		{
			Name: "a change of configuration is promoted, and the next one aborted", Objects: configured(v1alpha1.ConfigurationChangeRelease),
			Steps: []Step{
				greet("good day"), steer(v1alpha1.ActionPromote), settled(), rotate("battery-staple"), steer(v1alpha1.ActionAbort), settled(),
				rotate("correct-horse"), settled(),
			},
		},
		{
			Name: "a change of configuration restarts the pods", Objects: configured(v1alpha1.ConfigurationChangeRestart),
			Steps: []Step{greet("good day"), settled(), rotate("battery-staple"), settled()},
		},
		{
			Name: "the pods of a Deployment are adopted, and then released from", Objects: with(routed(), append(network(), orphaned)...),
			Prepare: func(w *World) { w.checker.kept = ownHash },
			Steps: []Step{
				{"the next version", func(w *World) error { w.checker.kept = ""; w.Release(Web(), imageV2); return nil }},
				steer(v1alpha1.ActionPromote), settled(),
			},
		},
		{
			Name: "a Deployment loses its pods once ours serve", Objects: deployed(v1alpha1.WorkloadScaleDownOnSuccess),
			Steps: []Step{release(imageV2), steer(v1alpha1.ActionPromote), settled(), {"the Rollout is deleted", func(w *World) error {
				return w.Delete(Web(), false)
			}}},
		},
		{
			Name: "a Deployment loses its pods one by one", Objects: deployed(v1alpha1.WorkloadScaleDownProgressively),
			Steps: []Step{release(imageV2), steer(v1alpha1.ActionAbort), settled()},
		},
	}
}
