// Package dataplane stands in for what acts on the objects of a Rollout in a real cluster, where there is only an API
// server or a fake of one: the ReplicaSet controller, the endpoints controller, the kubelet, a gateway, and the garbage
// collector. Each is as fast as it can be, and as honest: it acts on what it finds in the API and on nothing else.
package dataplane

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Plane acts in one namespace.
type Plane struct {
	// Client reads and writes without a cache.
	Client client.Client
	// Namespace that it acts in.
	Namespace string
	// Now tells the time.
	Now func() time.Time
	// Kinds of routes that the gateway reports on; HTTPRoute alone when nil.
	Kinds []schema.GroupVersionKind

	mu       sync.Mutex
	refusals map[string]string
	held     map[string]bool
}

// Hold keeps pods of an image from becoming ready, or ends that. Pods that are ready stay so.
func (p *Plane) Hold(image string, hold bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.held == nil {
		p.held = map[string]bool{}
	}
	p.held[image] = hold
}

// Refuse makes the gateway refuse a route, with a message; an empty message ends that.
func (p *Plane) Refuse(route, message string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.refusals == nil {
		p.refusals = map[string]string{}
	}
	p.refusals[route] = message
}

// Step lets every part act once.
func (p *Plane) Step(ctx context.Context) error {
	for _, part := range []func(context.Context) error{p.orphan, p.collectGarbage, p.deployments, p.replicaSets, p.services, p.routes} {
		if err := part(ctx); err != nil && !errors.IsConflict(err) && !errors.IsNotFound(err) && !errors.IsAlreadyExists(err) {
			return err
		}
	}
	return nil
}

// Run acts until the context ends.
func (p *Plane) Run(ctx context.Context, every time.Duration) error {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			if err := p.Step(ctx); err != nil && ctx.Err() == nil {
				return err
			}
		}
	}
}

// pods lists the pods of the namespace, but for those that are being deleted.
func (p *Plane) pods(ctx context.Context) ([]corev1.Pod, error) {
	var list corev1.PodList
	err := p.Client.List(ctx, &list, client.InNamespace(p.Namespace))
	return slices.DeleteFunc(list.Items, func(pod corev1.Pod) bool { return pod.DeletionTimestamp != nil }), err
}

// collectGarbage deletes the pods of ReplicaSets that are gone.
func (p *Plane) collectGarbage(ctx context.Context) error {
	var sets appsv1.ReplicaSetList
	if err := p.Client.List(ctx, &sets, client.InNamespace(p.Namespace)); err != nil {
		return err
	}
	pods, err := p.pods(ctx)
	if err != nil {
		return err
	}
	for i := range pods {
		owner := metav1.GetControllerOf(&pods[i])
		if owner == nil || slices.ContainsFunc(sets.Items, func(rs appsv1.ReplicaSet) bool { return rs.UID == owner.UID }) {
			continue
		}
		if err := p.Client.Delete(ctx, &pods[i]); err != nil {
			return err
		}
	}
	return nil
}

// replicaSets brings every ReplicaSet to its size.
func (p *Plane) replicaSets(ctx context.Context) error {
	var sets appsv1.ReplicaSetList
	if err := p.Client.List(ctx, &sets, client.InNamespace(p.Namespace)); err != nil {
		return err
	}
	pods, err := p.pods(ctx)
	if err != nil {
		return err
	}
	for i := range sets.Items {
		if err := p.replicaSet(ctx, &sets.Items[i], pods); err != nil {
			return err
		}
	}
	return nil
}

func (p *Plane) replicaSet(ctx context.Context, rs *appsv1.ReplicaSet, all []corev1.Pod) error {
	pods := slices.DeleteFunc(slices.Clone(all), func(pod corev1.Pod) bool { return !metav1.IsControlledBy(&pod, rs) })
	want := int(ptr.Deref(rs.Spec.Replicas, 1))
	for len(pods) > want {
		if err := p.Client.Delete(ctx, &pods[0]); err != nil {
			return err
		}
		pods = pods[1:]
	}
	for len(pods) < want {
		pod, err := p.createPod(ctx, rs)
		if err != nil {
			return err
		}
		pods = append(pods, *pod)
	}
	if err := p.bringUp(ctx, pods); err != nil {
		return err
	}
	status := appsv1.ReplicaSetStatus{
		Replicas: int32(len(pods)), FullyLabeledReplicas: int32(len(pods)), ObservedGeneration: rs.Generation,
	}
	for _, pod := range pods {
		if ready(&pod) {
			status.ReadyReplicas++
		}
		if p.available(&pod, rs.Spec.MinReadySeconds) {
			status.AvailableReplicas++
		}
	}
	if equality.Semantic.DeepEqual(rs.Status, status) {
		return nil
	}
	rs.Status = status
	return p.Client.Status().Update(ctx, rs)
}

func (p *Plane) createPod(ctx context.Context, rs *appsv1.ReplicaSet) (*corev1.Pod, error) {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace:       rs.Namespace,
			GenerateName:    rs.Name + "-",
			Labels:          rs.Spec.Template.Labels,
			Annotations:     rs.Spec.Template.Annotations,
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(rs, appsv1.SchemeGroupVersion.WithKind("ReplicaSet"))},
			// A fake API server leaves this to the caller; a real one sets it.
			CreationTimestamp: metav1.NewTime(p.Now()),
		},
		Spec: rs.Spec.Template.Spec,
	}
	if err := p.Client.Create(ctx, pod); err != nil {
		return nil, fmt.Errorf("creating a pod of %s: %w", rs.Name, err)
	}
	return pod, nil
}

// bringUp makes pods ready at once, but for those that are held.
func (p *Plane) bringUp(ctx context.Context, pods []corev1.Pod) error {
	for i := range pods {
		pod := &pods[i]
		if ready(pod) || p.holds(pod) {
			continue
		}
		pod.Status.Phase = corev1.PodRunning
		pod.Status.Conditions = []corev1.PodCondition{{
			Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: metav1.NewTime(p.Now()),
		}}
		if err := p.Client.Status().Update(ctx, pod); err != nil {
			return err
		}
	}
	return nil
}

func (p *Plane) holds(pod *corev1.Pod) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(pod.Spec.Containers) > 0 && p.held[pod.Spec.Containers[0].Image]
}

func ready(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

// available says whether a pod has been ready for so many seconds.
func (p *Plane) available(pod *corev1.Pod, seconds int32) bool {
	since := p.Now().Add(-time.Duration(seconds) * time.Second)
	return slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue && !c.LastTransitionTime.After(since)
	})
}

// services writes the endpoints of every Service.
func (p *Plane) services(ctx context.Context) error {
	var services corev1.ServiceList
	if err := p.Client.List(ctx, &services, client.InNamespace(p.Namespace)); err != nil {
		return err
	}
	pods, err := p.pods(ctx)
	if err != nil {
		return err
	}
	for i := range services.Items {
		if err := p.endpoints(ctx, &services.Items[i], pods); err != nil {
			return err
		}
	}
	return nil
}

func (p *Plane) endpoints(ctx context.Context, service *corev1.Service, pods []corev1.Pod) error {
	slice := &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: service.Namespace, Name: service.Name + "-slice",
			Labels: map[string]string{discoveryv1.LabelServiceName: service.Name},
		},
		AddressType: discoveryv1.AddressTypeIPv4,
	}
	selector := labels.SelectorFromSet(service.Spec.Selector)
	for i, pod := range pods {
		if len(service.Spec.Selector) == 0 || !selector.Matches(labels.Set(pod.Labels)) {
			continue
		}
		slice.Endpoints = append(slice.Endpoints, discoveryv1.Endpoint{
			Addresses: []string{fmt.Sprintf("10.0.%d.%d", i/250, i%250+1)},
			Conditions: discoveryv1.EndpointConditions{
				Ready: ptr.To(ready(&pod)), Serving: ptr.To(ready(&pod)), Terminating: ptr.To(false),
			},
			TargetRef: &corev1.ObjectReference{Kind: "Pod", Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID},
		})
	}
	existing := &discoveryv1.EndpointSlice{}
	err := p.Client.Get(ctx, client.ObjectKeyFromObject(slice), existing)
	if errors.IsNotFound(err) {
		return p.Client.Create(ctx, slice)
	}
	if err != nil || equality.Semantic.DeepEqual(existing.Endpoints, slice.Endpoints) {
		return err
	}
	existing.Endpoints = slice.Endpoints
	return p.Client.Update(ctx, existing)
}
