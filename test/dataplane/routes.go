package dataplane

import (
	"context"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/builder"
)

// routes lets the gateway report on every route. A kind that the cluster does not serve has none.
func (p *Plane) routes(ctx context.Context) error {
	kinds := p.Kinds
	if kinds == nil {
		kinds = []schema.GroupVersionKind{builder.RouteKind(v1alpha1.DefaultRouteKind)}
	}
	for _, kind := range kinds {
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(kind)
		if err := p.Client.List(ctx, list, client.InNamespace(p.Namespace)); err != nil && !meta.IsNoMatchError(err) {
			return err
		}
		for i := range list.Items {
			if err := p.route(ctx, &list.Items[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// attachment is what routes of all kinds have in common.
type attachment struct {
	Spec   gatewayv1.CommonRouteSpec `json:"spec"`
	Status gatewayv1.RouteStatus     `json:"status"`
}

func (p *Plane) route(ctx context.Context, route *unstructured.Unstructured) error {
	var a attachment
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(route.Object, &a); err != nil {
		return err
	}
	status := p.report(route, a)
	if equality.Semantic.DeepEqual(a.Status, status) {
		return nil
	}
	for i := range status.Parents {
		for j := range status.Parents[i].Conditions {
			status.Parents[i].Conditions[j].LastTransitionTime = metav1.NewTime(p.Now())
		}
	}
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&status)
	if err != nil {
		return err
	}
	route.Object["status"] = content
	return p.Client.Status().Update(ctx, route)
}

// report is what the gateway says of a route as it is now. What it has said before keeps its time.
func (p *Plane) report(route *unstructured.Unstructured, a attachment) gatewayv1.RouteStatus {
	p.mu.Lock()
	refusal := p.refusals[route.GetName()]
	p.mu.Unlock()
	accepted := metav1.Condition{
		Type: string(gatewayv1.RouteConditionAccepted), Status: metav1.ConditionTrue,
		Reason: string(gatewayv1.RouteReasonAccepted), ObservedGeneration: route.GetGeneration(),
	}
	if refusal != "" {
		accepted.Status, accepted.Reason, accepted.Message = metav1.ConditionFalse, "Refused", refusal
	}
	resolved := metav1.Condition{
		Type: string(gatewayv1.RouteConditionResolvedRefs), Status: metav1.ConditionTrue,
		Reason: string(gatewayv1.RouteReasonResolvedRefs), ObservedGeneration: route.GetGeneration(),
	}
	status := gatewayv1.RouteStatus{}
	for _, ref := range a.Spec.ParentRefs {
		status.Parents = append(status.Parents, gatewayv1.RouteParentStatus{
			ParentRef: ref, ControllerName: "sluice.dev/test", Conditions: []metav1.Condition{accepted, resolved},
		})
	}
	for i, parent := range a.Status.Parents {
		for j := range parent.Conditions {
			if i < len(status.Parents) && j < len(status.Parents[i].Conditions) {
				status.Parents[i].Conditions[j].LastTransitionTime = parent.Conditions[j].LastTransitionTime
			}
		}
	}
	return status
}
