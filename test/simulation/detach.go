package simulation

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
)

// strandedTraffic looks at every route of the namespace of a Rollout that is gone: each backend that has weight must be a
// Service that selects a serving pod, if there is any serving pod.
func (w *World) strandedTraffic(s *subject) string {
	pods := listed[*corev1.Pod](w.Server, kindPod(), s.key.Namespace)
	if !slices.ContainsFunc(pods, serving) {
		return ""
	}
	for _, route := range listed[*unstructured.Unstructured](w.Server, kindRoute(), s.key.Namespace) {
		for _, ref := range backendsOf(route) {
			weight, has := ref["weight"].(int64)
			name, _ := ref["name"].(string)
			if has && weight == 0 {
				continue
			}
			service := lookup[*corev1.Service](w.Server, kindService(), types.NamespacedName{Namespace: s.key.Namespace, Name: name})
			if service == nil {
				return fmt.Sprintf("route %s sends requests to Service %s, which is gone", route.GetName(), name)
			}
			if !selectsServing(service, pods) {
				return fmt.Sprintf("Service %s selects no pod that serves", name)
			}
		}
	}
	return ""
}

func selectsServing(service *corev1.Service, pods []*corev1.Pod) bool {
	selector := labels.SelectorFromSet(service.Spec.Selector)
	for _, pod := range pods {
		if serving(pod) && selector.Matches(labels.Set(pod.Labels)) {
			return true
		}
	}
	return false
}
