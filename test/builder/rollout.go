// Package builder makes objects for tests: what a test does not say has a value that works.
//
//	builder.Rollout("web").Image("web:v2").Services("web").Routes("web").
//		Canary(builder.Step().Weight("20").Pause(time.Minute), builder.Step().Weight("50")).Obj()
//
// Every object that is built this way is accepted by the API server, unless the test asks for something that is not.
package builder

import (
	"encoding/json"
	"fmt"
	"maps"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// RolloutBuilder makes a Rollout.
type RolloutBuilder struct {
	rollout  v1alpha1.Rollout
	template corev1.PodTemplateSpec
}

// Rollout starts one that replaces pods a few at a time: one replica, one container, and the label app with the name of
// the Rollout, which its selector picks.
func Rollout(name string) *RolloutBuilder {
	labels := map[string]string{"app": name}
	return &RolloutBuilder{
		rollout: v1alpha1.Rollout{
			TypeMeta: metav1.TypeMeta{
				APIVersion: v1alpha1.GroupVersion.String(),
				Kind:       v1alpha1.RolloutKind,
			},
			ObjectMeta: metav1.ObjectMeta{Name: name},
			Spec: v1alpha1.RolloutSpec{
				Replicas: ptr.To(v1alpha1.DefaultReplicas),
				Selector: &metav1.LabelSelector{MatchLabels: labels},
				Strategy: v1alpha1.Strategy{RollingUpdate: &v1alpha1.RollingUpdateStrategy{}},
			},
		},
		template: corev1.PodTemplateSpec{
			ObjectMeta: metav1.ObjectMeta{Labels: maps.Clone(labels)},
			Spec: corev1.PodSpec{
				Containers: []corev1.Container{{Name: name, Image: "registry.example/" + name + ":v1"}},
			},
		},
	}
}

// Namespace puts the Rollout into a namespace.
func (b *RolloutBuilder) Namespace(namespace string) *RolloutBuilder {
	b.rollout.Namespace = namespace
	return b
}

// Generation sets what the API server counts.
func (b *RolloutBuilder) Generation(generation int64) *RolloutBuilder {
	b.rollout.Generation = generation
	return b
}

// Replicas sets the number of pods.
func (b *RolloutBuilder) Replicas(n int32) *RolloutBuilder {
	b.rollout.Spec.Replicas = ptr.To(n)
	return b
}

// Image sets the image of the first container.
func (b *RolloutBuilder) Image(image string) *RolloutBuilder {
	b.template.Spec.Containers[0].Image = image
	return b
}

// Env sets a variable of the first container: the least that makes another revision.
func (b *RolloutBuilder) Env(name, value string) *RolloutBuilder {
	container := &b.template.Spec.Containers[0]
	container.Env = append(container.Env, corev1.EnvVar{Name: name, Value: value})
	return b
}

// TemplateJSON sets the whole pod template as it is to be written, with fields that Go does not know.
func (b *RolloutBuilder) TemplateJSON(template string) *RolloutBuilder {
	b.rollout.Spec.Template.Raw = []byte(template)
	return b
}

// MinReady sets how long a pod must be ready before it is available, in whole seconds.
func (b *RolloutBuilder) MinReady(d time.Duration) *RolloutBuilder {
	b.rollout.Spec.MinReadySeconds = int32(d.Seconds())
	return b
}

// ProgressDeadline sets how long a release may go without progress, in whole seconds.
func (b *RolloutBuilder) ProgressDeadline(d time.Duration) *RolloutBuilder {
	b.rollout.Spec.ProgressDeadlineSeconds = ptr.To(int32(d.Seconds()))
	return b
}

// HistoryLimit sets how many earlier revisions keep a ReplicaSet.
func (b *RolloutBuilder) HistoryLimit(n int32) *RolloutBuilder {
	b.rollout.Spec.RevisionHistoryLimit = ptr.To(n)
	return b
}

// Paused holds the release where it is.
func (b *RolloutBuilder) Paused() *RolloutBuilder {
	b.rollout.Spec.Paused = true
	return b
}

// Services names the active Service, and leaves the standby to its default.
func (b *RolloutBuilder) Services(active string) *RolloutBuilder {
	b.rollout.Spec.Services = &v1alpha1.Services{Active: active}
	return b
}

// Routes names HTTPRoutes that share the traffic. It names an active Service like the Rollout when there is none yet.
func (b *RolloutBuilder) Routes(names ...string) *RolloutBuilder {
	if b.rollout.Spec.Services == nil {
		b.Services(b.rollout.Name)
	}
	routes := make([]v1alpha1.RouteReference, 0, len(names))
	for _, name := range names {
		routes = append(routes, v1alpha1.RouteReference{Kind: v1alpha1.DefaultRouteKind, Name: name})
	}
	b.rollout.Spec.Traffic = &v1alpha1.Traffic{GatewayAPI: &v1alpha1.GatewayAPITraffic{Routes: routes}}
	return b
}

// Templates are HTTPRoutes that the Rollout makes. It names an active Service like the Rollout when there is none yet.
func (b *RolloutBuilder) Templates(templates ...v1alpha1.RouteTemplate) *RolloutBuilder {
	if b.rollout.Spec.Services == nil {
		b.Services(b.rollout.Name)
	}
	b.rollout.Spec.Traffic = &v1alpha1.Traffic{GatewayAPI: &v1alpha1.GatewayAPITraffic{Templates: templates}}
	return b
}

// Canary releases in steps.
func (b *RolloutBuilder) Canary(steps ...*StepBuilder) *RolloutBuilder {
	canary := &v1alpha1.CanaryStrategy{}
	for _, step := range steps {
		canary.Steps = append(canary.Steps, step.Obj())
	}
	b.rollout.Spec.Strategy = v1alpha1.Strategy{Canary: canary}
	return b
}

// BlueGreen switches all traffic at once. It names an active Service like the Rollout when there is none yet.
func (b *RolloutBuilder) BlueGreen() *RolloutBuilder {
	if b.rollout.Spec.Services == nil {
		b.Services(b.rollout.Name)
	}
	b.rollout.Spec.Strategy = v1alpha1.Strategy{BlueGreen: &v1alpha1.BlueGreenStrategy{}}
	return b
}

// RollingUpdate replaces pods a few at a time, within limits such as "1" or "25%".
func (b *RolloutBuilder) RollingUpdate(maxSurge, maxUnavailable string) *RolloutBuilder {
	b.rollout.Spec.Strategy = v1alpha1.Strategy{RollingUpdate: &v1alpha1.RollingUpdateStrategy{
		MaxSurge:       ptr.To(intstr.Parse(maxSurge)),
		MaxUnavailable: ptr.To(intstr.Parse(maxUnavailable)),
	}}
	return b
}

// Recreate ends all old pods before the first new one starts.
func (b *RolloutBuilder) Recreate() *RolloutBuilder {
	b.rollout.Spec.Strategy = v1alpha1.Strategy{Recreate: &v1alpha1.RecreateStrategy{}}
	return b
}

// With changes whatever has no method of its own.
func (b *RolloutBuilder) With(change func(*v1alpha1.Rollout)) *RolloutBuilder {
	change(&b.rollout)
	return b
}

// Obj returns the Rollout: a new one with each call.
func (b *RolloutBuilder) Obj() *v1alpha1.Rollout {
	out := b.rollout.DeepCopy()
	if out.Spec.Template.Raw == nil {
		out.Spec.Template.Raw = mustJSON(b.template)
	}
	return out
}

// mustJSON renders a value whose type always can be rendered.
func mustJSON(v any) []byte {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("render %T: %v", v, err))
	}
	return raw
}
