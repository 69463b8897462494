package simulation

import (
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/trafficrouting"
	"github.com/sluice-dev/sluice/trafficrouting/gatewayapi"
)

// servicesOf are the Services whose endpoints a change may change.
func (e *environment) servicesOf(c *Change) []item {
	switch c.Kind {
	case kindService():
		return []item{{kind: c.Kind, key: c.Key}}
	case kindPod():
		var out []item
		for key := range e.world.Server.table(kindService()).objects {
			if key.Namespace == c.Key.Namespace {
				out = append(out, item{kind: kindService(), key: key})
			}
		}
		slices.SortFunc(out, func(a, b item) int { return compareKeys(a.key, b.key) })
		return out
	}
	return nil
}

// publish writes the endpoints of a Service.
func (e *environment) publish(i item) time.Duration {
	s := e.world.Server
	service := lookup[*corev1.Service](s, i.kind, i.key)
	key := types.NamespacedName{Namespace: i.key.Namespace, Name: i.key.Name + "-slice"}
	present := lookup[*discoveryv1.EndpointSlice](s, kindSlice(), key)
	if service == nil {
		if present != nil {
			s.gone(e.by("endpoints-controller"), kindSlice(), key)
		}
		return 0
	}
	slice := &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: key.Namespace, Name: key.Name, Labels: map[string]string{discoveryv1.LabelServiceName: i.key.Name},
		},
		AddressType: discoveryv1.AddressTypeIPv4,
		Endpoints:   e.endpointsOf(service),
	}
	switch {
	case present == nil:
		if err := s.create(e.by("endpoints-controller"), kindSlice(), slice); err != nil {
			panic(fmt.Sprintf("creating %s: %v", key.Name, err))
		}
	case !equality.Semantic.DeepEqual(present.Endpoints, slice.Endpoints):
		e.put(e.by("endpoints-controller"), kindSlice(), slice)
	}
	return 0
}

func (e *environment) endpointsOf(service *corev1.Service) []discoveryv1.Endpoint {
	if len(service.Spec.Selector) == 0 {
		return nil
	}
	var out []discoveryv1.Endpoint
	selector := labels.SelectorFromSet(service.Spec.Selector)
	for _, pod := range listed[*corev1.Pod](e.world.Server, kindPod(), service.Namespace) {
		if !selector.Matches(labels.Set(pod.Labels)) {
			continue
		}
		_, ready := readySince(pod)
		ends := pod.DeletionTimestamp != nil
		out = append(out, discoveryv1.Endpoint{
			Conditions: discoveryv1.EndpointConditions{
				Ready: ptr.To(ready && !ends), Serving: ptr.To(ready), Terminating: ptr.To(ends),
			},
			TargetRef: &corev1.ObjectReference{Kind: "Pod", Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID},
		})
	}
	return out
}

// accept lets the gateway report on a route.
func (e *environment) accept(i item) time.Duration {
	route := lookup[*unstructured.Unstructured](e.world.Server, i.kind, i.key)
	if route == nil || route.GetDeletionTimestamp() != nil {
		return 0
	}
	accepted, reason, message := "True", "Accepted", ""
	if refusal := e.refusals[i.key.Name]; refusal != "" {
		accepted, reason, message = "False", "Refused", refusal
	}
	at := e.world.now.UTC().Format(time.RFC3339)
	condition := func(kind, status, reason, message string) any {
		return map[string]any{
			"type": kind, "status": status, "reason": reason, "message": message,
			"observedGeneration": route.GetGeneration(), "lastTransitionTime": at,
		}
	}
	refs, _, _ := unstructured.NestedSlice(route.Object, "spec", "parentRefs")
	var parents []any
	for _, ref := range refs {
		parents = append(parents, map[string]any{
			"parentRef": ref, "controllerName": "sluice.dev/simulation",
			"conditions": []any{
				condition("Accepted", accepted, reason, message), condition("ResolvedRefs", "True", "ResolvedRefs", ""),
			},
		})
	}
	if e.reported(route, accepted) {
		return 0
	}
	next := copyOf(route)
	next.Object["status"] = map[string]any{"parents": parents}
	e.put(e.status("gateway"), i.kind, next)
	return 0
}

// reported says whether the gateway has reported on this generation already.
func (e *environment) reported(route *unstructured.Unstructured, accepted string) bool {
	parents, _, _ := unstructured.NestedSlice(route.Object, "status", "parents")
	if len(parents) == 0 {
		return false
	}
	parent, _ := parents[0].(map[string]any)
	conditions, _ := parent["conditions"].([]any)
	first, _ := conditions[0].(map[string]any)
	return first["observedGeneration"] == route.GetGeneration() && first["status"] == accepted
}

// program makes the gateway serve by what a route says, later than it has reported it.
func (e *environment) program(i item) time.Duration {
	route := lookup[*unstructured.Unstructured](e.world.Server, i.kind, i.key)
	if route == nil {
		delete(e.programmed, i.key)
		delete(e.matching, i.key)
		return 0
	}
	if e.refusals[i.key.Name] != "" {
		return 0
	}
	for _, rollout := range listed[*v1alpha1.Rollout](e.world.Server, kindRollout(), i.key.Namespace) {
		if !namesRoute(rollout, i.key.Name) {
			continue
		}
		weight, err := gatewayapi.Weight(route, splitOf(rollout))
		if err != nil {
			continue
		}
		if wait := e.lateFor(i.key, weight); wait > 0 {
			return wait
		}
		e.programmed[i.key] = weight
		e.matching[i.key] = tracesOf(route, rollout.Spec.Services.StandbyName()).rules > 0
	}
	return 0
}

// splitOf are the Services of a Rollout that share the traffic of its routes.
func splitOf(rollout *v1alpha1.Rollout) gatewayapi.Split {
	return gatewayapi.Split{Active: rollout.Spec.Services.Active, Standby: rollout.Spec.Services.StandbyName()}
}

// namesRoute says whether a Rollout moves the traffic of a route.
func namesRoute(rollout *v1alpha1.Rollout, name string) bool {
	return rollout.Spec.Services != nil &&
		slices.ContainsFunc(routesOf(rollout), func(ref trafficrouting.Route) bool { return ref.Name == name })
}

// routesOf are the routes that a Rollout names, and those that it makes.
func routesOf(rollout *v1alpha1.Rollout) []trafficrouting.Route {
	return trafficrouting.RoutesOf(rollout.Namespace, &rollout.Spec)
}

// hear tells the gateway of endpoints, later than the API has them.
func (e *environment) hear(i item) time.Duration {
	slice := lookup[*discoveryv1.EndpointSlice](e.world.Server, i.kind, i.key)
	service := types.NamespacedName{Namespace: i.key.Namespace, Name: i.key.Name[:len(i.key.Name)-len("-slice")]}
	if slice == nil {
		delete(e.heard, service)
	} else {
		var pods []string
		for _, endpoint := range slice.Endpoints {
			if ptr.Deref(endpoint.Conditions.Ready, true) {
				pods = append(pods, endpoint.TargetRef.Name)
			}
		}
		e.heard[service] = pods
	}
	return 0
}
