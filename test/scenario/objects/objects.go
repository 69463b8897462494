// Package objects plays the part of a scenario that is the API of Kubernetes: the objects that a user has, what is written
// to them, and the picture that they give. Every driver of scenarios is built on it, so that the same words mean the same
// everywhere.
package objects

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller/revision"
	"github.com/sluice-dev/sluice/test/builder"
	"github.com/sluice-dev/sluice/test/scenario"
)

// World is the namespace of one scenario. It is for one goroutine.
type World struct {
	client    client.Client
	namespace string
	make      Maker
	// versions are the versions of revisions by hash, kept when a ReplicaSet is gone.
	versions map[string]string
	commands int
}

// Maker makes the objects that differ from world to world. The namespace is set on them afterwards.
type Maker struct {
	// Service makes the active Service, and Route the route.
	Service func() *corev1.Service
	Route   func() *gatewayv1.HTTPRoute
	// Analysis makes the AnalysisTemplate.
	Analysis func() *v1alpha1.AnalysisTemplate
	// Rollout makes the Rollout with the template of a version. Its spec is replaced, but for the template and the selector.
	Rollout func(version string) *v1alpha1.Rollout
	// Version reads the version of a template.
	Version func(*corev1.PodTemplateSpec) string
}

// Figure is what the metric of Plain must measure for a verdict: Passed, Failed or Inconclusive.
func Figure(verdict v1alpha1.AnalysisPhase) float64 {
	switch verdict { //nolint:exhaustive // the other phases are no verdicts
	case v1alpha1.AnalysisPassed:
		return 1
	case v1alpha1.AnalysisFailed:
		return 0
	}
	return 0.7
}

// Plain makes objects for a world without real pods. The metric is asked of a Prometheus at the address once a second: no
// data lets it go on, and the first number ends it; see Figure.
func Plain(prometheus string) Maker {
	return Maker{
		Service: func() *corev1.Service { return builder.Service("", scenario.Name, scenario.Name) },
		Route: func() *gatewayv1.HTTPRoute {
			return builder.HTTPRoute(scenario.Name, "gateway").Rule("/", scenario.Name).Obj()
		},
		Analysis: func() *v1alpha1.AnalysisTemplate {
			metric := builder.Metric(scenario.Template, "verdict").Failure("result < 0.5").Every(time.Second).Count(1)
			return builder.AnalysisTemplate(scenario.Template, metric.Address(prometheus)).Obj()
		},
		Rollout: func(version string) *v1alpha1.Rollout {
			return builder.Rollout(scenario.Name).Image(Image(version)).Obj()
		},
		Version: func(template *corev1.PodTemplateSpec) string {
			return strings.TrimPrefix(template.Spec.Containers[0].Image, Image(""))
		},
	}
}

// Image is the image of a version of Plain.
func Image(version string) string { return "registry.example/web:" + version }

// New is a world in a namespace that is empty. The client must read what was written last, not a cache.
func New(c client.Client, namespace string, maker Maker) *World {
	return &World{client: c, namespace: namespace, make: maker, versions: map[string]string{}}
}

// Setup makes what the user has before the first release.
func (w *World) Setup(ctx context.Context) error {
	for _, kind := range []scenario.ObjectKind{scenario.ActiveService, scenario.Route, scenario.AnalysisTemplate} {
		if err := w.create(ctx, kind); err != nil {
			return err
		}
	}
	return nil
}

// Do makes an event happen if it is a write to the API; if not, done is false.
func (w *World) Do(ctx context.Context, e scenario.Event) (done bool, err error) {
	write, done := w.writes()[e.Kind]
	if !done {
		return false, nil
	}
	return true, write(ctx, e)
}

// writes are the events that are writes to the API.
func (w *World) writes() map[scenario.EventKind]func(context.Context, scenario.Event) error {
	return map[scenario.EventKind]func(context.Context, scenario.Event) error{
		scenario.Release:      w.release,
		scenario.ReleaseWrong: w.release,
		scenario.Change:       w.change,
		scenario.Command:      w.command,
		scenario.Delete:       func(ctx context.Context, e scenario.Event) error { return w.delete(ctx, e.Object) },
		scenario.Create:       func(ctx context.Context, e scenario.Event) error { return w.create(ctx, e.Object.Kind) },
		scenario.KillOne:      w.kill,
		scenario.KillAll:      w.kill,
		scenario.WriteWeight:  w.writeWeight,
		scenario.PutBack:      w.putBack,
		scenario.Repoint:      w.repoint,
		scenario.Resize:       w.resize,
		scenario.Occupy:       w.occupy,
		scenario.Say:          w.say,
		scenario.Abandon:      w.abandon,
	}
}

func (w *World) change(ctx context.Context, e scenario.Event) error {
	return client.IgnoreNotFound(w.edit(ctx, func(r *v1alpha1.Rollout) { w.respec(r, e.Spec) }))
}

// respec replaces the spec but for the template.
func (w *World) respec(r *v1alpha1.Rollout, spec v1alpha1.RolloutSpec) {
	template := r.Spec.Template
	selector := r.Spec.Selector
	spec.DeepCopyInto(&r.Spec)
	r.Spec.Selector = selector
	if spec.WorkloadRef == nil {
		r.Spec.Template = template
	}
}

func (w *World) key(name string) client.ObjectKey {
	return client.ObjectKey{Namespace: w.namespace, Name: name}
}

// edit changes the Rollout, however often somebody else does at the same time.
func (w *World) edit(ctx context.Context, change func(*v1alpha1.Rollout)) error {
	return alter(ctx, w, scenario.Name, &v1alpha1.Rollout{}, change)
}

// alter changes an object, however often somebody else does at the same time.
func alter[T client.Object](ctx context.Context, w *World, name string, object T, change func(T)) error {
	return retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		if err := w.client.Get(ctx, w.key(name), object); err != nil {
			return err
		}
		change(object)
		return w.client.Update(ctx, object)
	})
}

func (w *World) release(ctx context.Context, e scenario.Event) error {
	made := w.make.Rollout(e.Version)
	if e.Kind == scenario.ReleaseWrong {
		made.Spec.Template.Raw = bytes.Replace(made.Spec.Template.Raw, []byte(`"containers":[{"name":"`), []byte(`"containers":[{"name":"Not A Name `), 1)
	}
	if err := w.provide(ctx, made, e.Spec); err != nil {
		return err
	}
	err := w.edit(ctx, func(r *v1alpha1.Rollout) {
		if e.Spec.WorkloadRef == nil {
			r.Spec.Template = made.Spec.Template
		}
	})
	if !apierrors.IsNotFound(err) {
		return err
	}
	made.Namespace = w.namespace
	w.respec(made, e.Spec)
	return w.client.Create(ctx, made)
}

// provide makes what a Rollout reads: the ConfigMap, and the Deployment that has its template. A Deployment whose pods are to
// go has as many as the Rollout is to have, and another one none.
func (w *World) provide(ctx context.Context, made *v1alpha1.Rollout, spec v1alpha1.RolloutSpec) error {
	if spec.Configuration != nil {
		if err := w.configure(ctx, made); err != nil {
			return err
		}
	}
	if spec.WorkloadRef == nil {
		return nil
	}
	pods := int32(0)
	if spec.WorkloadRef.ScaleDown != "" {
		pods = ptr.Deref(spec.Replicas, 1)
	}
	return w.deploy(ctx, made, pods)
}

// deploy writes the template of a Rollout into a Deployment.
func (w *World) deploy(ctx context.Context, made *v1alpha1.Rollout, pods int32) error {
	template, err := made.PodTemplate()
	if err != nil {
		return err
	}
	err = alter(ctx, w, scenario.Name, &appsv1.Deployment{}, func(d *appsv1.Deployment) { d.Spec.Template = *template })
	if !apierrors.IsNotFound(err) {
		return err
	}
	return w.client.Create(ctx, &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: scenario.Name},
		Spec:       appsv1.DeploymentSpec{Replicas: &pods, Selector: made.Spec.Selector, Template: *template},
	})
}

// command sends a command for a version; without one, for the revision under release, or else for stable.
func (w *World) command(ctx context.Context, e scenario.Event) error {
	w.commands++
	if _, err := w.Picture(ctx); err != nil { // learns the versions of hashes
		return err
	}
	return w.edit(ctx, func(r *v1alpha1.Rollout) {
		revision := r.Status.State.Candidate
		if revision == "" {
			revision = r.Status.StableRevision
		}
		if e.Version != "" {
			revision = w.hash(e.Version)
		}
		if r.Annotations == nil {
			r.Annotations = map[string]string{}
		}
		r.Annotations[v1alpha1.AnnotationCommand] = v1alpha1.Command{
			Action: e.Action, Revision: revision, ID: strconv.Itoa(w.commands),
		}.String()
	})
}

// hash is the hash of a version; the version itself when it has never been seen.
func (w *World) hash(version string) string {
	for _, hash := range slices.Sorted(maps.Keys(w.versions)) {
		if w.versions[hash] == version {
			return hash
		}
	}
	return version
}

// create makes an object as Setup does.
func (w *World) create(ctx context.Context, kind scenario.ObjectKind) error {
	var object client.Object
	switch kind {
	case scenario.ActiveService:
		object = w.make.Service()
	case scenario.Route:
		object = w.make.Route()
	case scenario.AnalysisTemplate:
		object = w.make.Analysis()
	case scenario.StandbyService, scenario.BaselineService, scenario.AnalysisRun, scenario.ReplicaSet, scenario.Deployment, scenario.Rollout:
		return fmt.Errorf("nobody creates the %s by hand", kind)
	}
	object.SetNamespace(w.namespace)
	return w.client.Create(ctx, object)
}

// delete deletes an object, as kubectl does, and what it owns after it.
func (w *World) delete(ctx context.Context, o scenario.Object) error {
	found, err := w.find(ctx, o)
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return fmt.Errorf("there is no %s to delete", o)
	}
	for _, object := range found {
		if err := client.IgnoreNotFound(w.client.Delete(ctx, object, client.PropagationPolicy("Background"))); err != nil {
			return err
		}
	}
	return nil
}

// find returns the objects that a scenario names and that exist.
func (w *World) find(ctx context.Context, o scenario.Object) ([]client.Object, error) {
	switch o.Kind {
	case scenario.AnalysisRun:
		var list v1alpha1.AnalysisRunList
		err := w.client.List(ctx, &list, client.InNamespace(w.namespace))
		return pointers(list.Items, func(r *v1alpha1.AnalysisRun) client.Object { return r }), err
	case scenario.ReplicaSet:
		var list appsv1.ReplicaSetList
		err := w.client.List(ctx, &list, client.InNamespace(w.namespace))
		found := slices.DeleteFunc(list.Items, func(rs appsv1.ReplicaSet) bool { return w.make.Version(&rs.Spec.Template) != o.Version })
		return pointers(found, func(rs *appsv1.ReplicaSet) client.Object { return rs }), err
	case scenario.ActiveService, scenario.StandbyService, scenario.BaselineService, scenario.Route, scenario.AnalysisTemplate, scenario.Deployment, scenario.Rollout:
	}
	object := named(o.Kind)
	err := w.client.Get(ctx, w.key(object.GetName()), object)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	return []client.Object{object}, err
}

// named is an empty object with the name that it has in every scenario.
func named(kind scenario.ObjectKind) client.Object {
	name := scenario.Name
	var object client.Object = &v1alpha1.Rollout{}
	switch kind {
	case scenario.ActiveService:
		object = &corev1.Service{}
	case scenario.StandbyService:
		object, name = &corev1.Service{}, standby()
	case scenario.BaselineService:
		object, name = &corev1.Service{}, revision.BaselineServiceName(scenario.Name)
	case scenario.Route:
		object = &gatewayv1.HTTPRoute{}
	case scenario.AnalysisTemplate:
		object, name = &v1alpha1.AnalysisTemplate{}, scenario.Template
	case scenario.Deployment:
		object = &appsv1.Deployment{}
	case scenario.Rollout, scenario.AnalysisRun, scenario.ReplicaSet:
	}
	object.SetName(name)
	return object
}

func pointers[T any](items []T, object func(*T) client.Object) []client.Object {
	out := make([]client.Object, 0, len(items))
	for i := range items {
		out = append(out, object(&items[i]))
	}
	return out
}

// kill deletes pods of a version without a moment to end, as when their node is lost.
func (w *World) kill(ctx context.Context, e scenario.Event) error {
	if _, err := w.Picture(ctx); err != nil { // learns the versions of pods
		return err
	}
	pods, err := w.pods(ctx)
	if err != nil {
		return err
	}
	pods = slices.DeleteFunc(pods, func(pod corev1.Pod) bool { return w.versions[pod.Labels[v1alpha1.LabelPodTemplateHash]] != e.Version })
	if len(pods) == 0 {
		return fmt.Errorf("there is no pod of %s", e.Version)
	}
	if e.Kind == scenario.KillOne {
		pods = pods[:1]
	}
	for i := range pods {
		err := w.client.Delete(ctx, &pods[i], client.GracePeriodSeconds(0))
		if client.IgnoreNotFound(err) != nil {
			return err
		}
	}
	return nil
}

// writeWeight shares the traffic of the route as another hand would.
func (w *World) writeWeight(ctx context.Context, e scenario.Event) error {
	return alter(ctx, w, scenario.Name, &gatewayv1.HTTPRoute{}, func(route *gatewayv1.HTTPRoute) {
		refs := managed(route.Spec.Rules).BackendRefs
		for i := range refs {
			refs[i].Weight = ptr.To(100 - e.Number)
			if refs[i].Name != scenario.Name {
				refs[i].Weight = ptr.To(e.Number)
			}
		}
	})
}

// putBack writes the route as Setup did.
func (w *World) putBack(ctx context.Context, _ scenario.Event) error {
	return alter(ctx, w, scenario.Name, &gatewayv1.HTTPRoute{}, func(route *gatewayv1.HTTPRoute) {
		w.make.Route().Spec.DeepCopyInto(&route.Spec)
	})
}

// repoint lets the active Service select one version.
func (w *World) repoint(ctx context.Context, e scenario.Event) error {
	if _, err := w.Picture(ctx); err != nil { // learns the versions of hashes
		return err
	}
	return alter(ctx, w, scenario.Name, &corev1.Service{}, func(service *corev1.Service) {
		service.Spec.Selector[v1alpha1.LabelPodTemplateHash] = w.hash(e.Version)
	})
}

// resize scales a ReplicaSet.
func (w *World) resize(ctx context.Context, e scenario.Event) error {
	found, err := w.find(ctx, e.Object)
	if err != nil || len(found) == 0 {
		return errors.Join(err, fmt.Errorf("scaling the %s: %d found", e.Object, len(found)))
	}
	return alter(ctx, w, found[0].GetName(), &appsv1.ReplicaSet{}, func(rs *appsv1.ReplicaSet) { rs.Spec.Replicas = &e.Number })
}

// occupy makes a ReplicaSet of a stranger's pods, none at present, with the name that the one of a version would get.
func (w *World) occupy(ctx context.Context, e scenario.Event) error {
	hash, err := revision.Hash(w.make.Rollout(e.Version).Spec.Template.Raw, 0)
	if err != nil {
		return err
	}
	labels := map[string]string{"app": "stranger"}
	return w.client.Create(ctx, &appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: revision.ReplicaSetName(scenario.Name, hash)},
		Spec: appsv1.ReplicaSetSpec{
			Replicas: ptr.To[int32](0),
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "stranger", Image: "registry.example/stranger:1"}}},
			},
		},
	})
}
