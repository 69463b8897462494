package gatewayapi

import (
	"context"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-dev/sluice/trafficrouting"
)

var _ trafficrouting.Informed = (*Router)(nil)

// classKind is the kind of what says which controller a Gateway has, and what that can do.
const classKind = "GatewayClass"

// Beside are Gateway and GatewayClass, which have been served in this version for as long as features are reported in it.
func (r *Router) Beside() []schema.GroupVersionKind {
	return []schema.GroupVersionKind{kindV1(gatewayKind), kindV1(classKind)}
}

func kindV1(kind string) schema.GroupVersionKind {
	return schema.GroupVersionKind{Group: gatewayv1.GroupName, Version: "v1", Kind: kind}
}

// class is what the GatewayClass of a parent says.
type class struct {
	parent           parent
	name, controller string
	features         []gatewayv1.SupportedFeature
}

// classesOf are the classes of those parents of a route that are Gateways, as far as they can be read.
func (r *Router) classesOf(ctx context.Context, t trafficrouting.Target, route *unstructured.Unstructured) []class {
	var a attachment
	if !t.Informed || runtime.DefaultUnstructuredConverter.FromUnstructured(route.Object, &a) != nil {
		return nil // Accepted tells of a route that cannot be read
	}
	var out []class
	for _, p := range a.wanted(route.GetNamespace()) {
		if c, found := r.classOf(ctx, p); found {
			out = append(out, c)
		}
	}
	return out
}

func (r *Router) classOf(ctx context.Context, p parent) (class, bool) {
	if p.group != gatewayv1.GroupName || p.kind != gatewayKind {
		return class{}, false
	}
	gateway, object := objectOf(gatewayKind), objectOf(classKind)
	if r.reader.Get(ctx, client.ObjectKey{Namespace: p.namespace, Name: p.name}, gateway) != nil {
		return class{}, false
	}
	name, _, _ := unstructured.NestedString(gateway.Object, "spec", "gatewayClassName")
	if r.reader.Get(ctx, client.ObjectKey{Name: name}, object) != nil {
		return class{}, false
	}
	var read gatewayv1.GatewayClass
	if runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &read) != nil {
		return class{}, false
	}
	return class{
		parent: p, name: name, controller: string(read.Spec.ControllerName), features: read.Status.SupportedFeatures,
	}, true
}

func objectOf(kind string) *unstructured.Unstructured {
	out := &unstructured.Unstructured{}
	out.SetGroupVersionKind(kindV1(kind))
	return out
}
