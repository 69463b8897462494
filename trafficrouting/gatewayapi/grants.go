package gatewayapi

import (
	"context"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	gatewayv1beta1 "sigs.k8s.io/gateway-api/apis/v1beta1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/trafficrouting"
)

// grantKind is the kind by which a namespace lets objects of another one refer to its own.
const grantKind = "ReferenceGrant"

// granted says whether a Rollout may share a route. One of its own namespace it may. For one of another namespace two grants
// are needed, each from whoever has something to lose:
//
//   - in the namespace of the route, from Rollouts of ours to the route. Without it, whoever may write a Rollout could take
//     the traffic of another team by the hands of the controller, which may write routes everywhere;
//   - in our namespace, from routes of that one to both Services, as the Gateway API has it. Without it a gateway would
//     answer the requests that are sent to the standby Service with 500.
//
// Both are read each time. The error is a *RouteError that says what is missing, and nothing of the route.
func (r *Router) granted(ctx context.Context, t trafficrouting.Target, route trafficrouting.Route) error {
	if route.Namespace == t.Namespace {
		return nil
	}
	there, err := r.grants(ctx, route.Namespace)
	if err != nil {
		return err
	}
	rollouts := party{group: v1alpha1.GroupVersion.Group, kind: v1alpha1.RolloutKind, namespace: t.Namespace}
	routes := party{group: gatewayv1.GroupName, kind: route.Kind, namespace: route.Namespace}
	if !allowed(there, rollouts, routes, route.Name) {
		return ungranted(route.Namespace, rollouts, routes, route.Name)
	}
	here, err := r.grants(ctx, t.Namespace)
	if err != nil {
		return err
	}
	services := party{kind: "Service", namespace: t.Namespace}
	for _, name := range []string{t.Active, t.Standby} {
		if !allowed(here, routes, services, name) {
			return ungranted(t.Namespace, routes, services, name)
		}
	}
	return nil
}

// party is a kind of objects of a namespace, on one side of a grant.
type party struct{ group, kind, namespace string }

func ungranted(namespace string, from, to party, name string) error {
	return unusable("the namespace %[1]s has no ReferenceGrant that lets a %[2]s of the namespace %[3]s refer to the %[4]s %[5]s: create "+
		"one in %[1]s with from: [{group: %[6]s, kind: %[2]s, namespace: %[3]s}] and to: [{group: %[7]q, kind: %[4]s, name: %[5]s}]",
		namespace, from.kind, from.namespace, to.kind, name, from.group, to.group)
}

// allowed says whether one of the grants of a namespace is from one party to an object of another.
func allowed(grants []gatewayv1beta1.ReferenceGrantSpec, from, to party, name string) bool {
	return slices.ContainsFunc(grants, func(grant gatewayv1beta1.ReferenceGrantSpec) bool {
		return slices.ContainsFunc(grant.From, func(f gatewayv1beta1.ReferenceGrantFrom) bool {
			return string(f.Group) == from.group && string(f.Kind) == from.kind && string(f.Namespace) == from.namespace
		}) && slices.ContainsFunc(grant.To, func(g gatewayv1beta1.ReferenceGrantTo) bool {
			wanted := string(ptr.Deref(g.Name, ""))
			return string(g.Group) == to.group && string(g.Kind) == to.kind && (wanted == "" || wanted == name)
		})
	})
}

// grants are those of a namespace; none in a cluster that does not serve them. One that is on its way out counts no more.
func (r *Router) grants(ctx context.Context, namespace string) ([]gatewayv1beta1.ReferenceGrantSpec, error) {
	gvk, err := r.servedAs(grantKind)
	if err != nil {
		_, err := trafficrouting.Mend(err)
		return nil, err
	}
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(gvk)
	if err := r.reader.List(ctx, list, client.InNamespace(namespace)); err != nil {
		return nil, fmt.Errorf("listing %ss of %s: %w", grantKind, namespace, err)
	}
	var out []gatewayv1beta1.ReferenceGrantSpec
	for i := range list.Items {
		var grant gatewayv1beta1.ReferenceGrant
		err := runtime.DefaultUnstructuredConverter.FromUnstructured(list.Items[i].Object, &grant)
		if err == nil && list.Items[i].GetDeletionTimestamp() == nil {
			out = append(out, grant.Spec)
		}
	}
	return out, nil
}
