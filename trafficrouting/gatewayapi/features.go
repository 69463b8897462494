package gatewayapi

import (
	"context"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/gateway-api/pkg/features"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// featuresTimeout is how long the features of a gateway may take to be read. What is not known by then is not told: nothing
// else may wait for it, an abort least of all.
const featuresTimeout = 2 * time.Second

// lacking says which overlay a gateway of the route cannot have, by the features that its class reports. The error is a
// *RouteError. A class that reports none, or that cannot be read, is not judged: the gateway will say of the route what it
// cannot do. Parents other than Gateways have no class.
func (r *Router) lacking(ctx context.Context, route *unstructured.Unstructured, all []v1alpha1.Overlay) error {
	if route.GetKind() != v1alpha1.RouteKindHTTP || !slices.ContainsFunc(all, func(o v1alpha1.Overlay) bool { return len(needs(o)) > 0 }) {
		return nil
	}
	var a attachment
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(route.Object, &a); err != nil {
		return nil // Accepted tells of it
	}
	ctx, cancel := context.WithTimeout(ctx, featuresTimeout)
	defer cancel()
	for _, p := range a.wanted(route.GetNamespace()) {
		class, supported := r.supported(ctx, p)
		if err := unsupported(p, class, supported, all); err != nil {
			return err
		}
	}
	return nil
}

// unsupported is what a class cannot have of overlays; it is not judged by no features at all.
func unsupported(p parent, class string, supported []gatewayv1.SupportedFeature, all []v1alpha1.Overlay) error {
	if len(supported) == 0 {
		return nil
	}
	for _, overlay := range all {
		for _, need := range needs(overlay) {
			has := func(f gatewayv1.SupportedFeature) bool { return string(f.Name) == string(need) }
			if !slices.ContainsFunc(supported, has) {
				return unusable("cannot have what %s asks for: GatewayClass %s of %s does not support %s: remove it from the step, or use "+
					"another gateway", overlay.Field, class, p, need)
			}
		}
	}
	return nil
}

// needs are the features that an overlay needs beyond what every gateway has.
func needs(o v1alpha1.Overlay) []features.FeatureName {
	var out []features.FeatureName
	if slices.ContainsFunc(o.Match, func(m v1alpha1.RequestMatch) bool { return len(m.QueryParams) > 0 }) {
		out = append(out, features.SupportHTTPRouteQueryParamMatching)
	}
	if o.Mirror > 0 {
		out = append(out, features.SupportHTTPRouteRequestMirror)
	}
	if o.Mirror > 0 && o.Mirror < allPercent {
		out = append(out, features.SupportHTTPRouteRequestPercentageMirror)
	}
	return out
}

// supported are the features that the class of a Gateway reports; none of what cannot be read.
func (r *Router) supported(ctx context.Context, p parent) (class string, out []gatewayv1.SupportedFeature) {
	if p.group != gatewayv1.GroupName || p.kind != gatewayKind {
		return "", nil
	}
	gateway := objectOf(gatewayKind)
	if err := r.reader.Get(ctx, client.ObjectKey{Namespace: p.namespace, Name: p.name}, gateway); err != nil {
		return "", nil
	}
	class, _, _ = unstructured.NestedString(gateway.Object, "spec", "gatewayClassName")
	object := objectOf("GatewayClass")
	if err := r.reader.Get(ctx, client.ObjectKey{Name: class}, object); err != nil {
		return class, nil
	}
	var read struct {
		Status gatewayv1.GatewayClassStatus `json:"status"`
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &read); err != nil {
		return class, nil
	}
	return class, read.Status.SupportedFeatures
}

func objectOf(kind string) *unstructured.Unstructured {
	out := &unstructured.Unstructured{}
	out.SetGroupVersionKind(schema.GroupVersionKind{Group: gatewayv1.GroupName, Version: "v1", Kind: kind})
	return out
}
