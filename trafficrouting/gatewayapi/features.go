package gatewayapi

import (
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/gateway-api/pkg/features"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// lacking says which overlay a gateway of the route cannot have, by the features that its class reports. The error is a
// *RouteError. A class that reports none, or that cannot be read, is not judged: the gateway will say of the route what it
// cannot do. Parents other than Gateways have no class.
func lacking(route *unstructured.Unstructured, classes []class, all []v1alpha1.Overlay) error {
	if route.GetKind() != v1alpha1.RouteKindHTTP {
		return nil
	}
	for _, c := range classes {
		if err := c.unsupported(all); err != nil {
			return err
		}
	}
	return nil
}

// unsupported is what a class cannot have of overlays; it is not judged by no features at all.
func (c class) unsupported(all []v1alpha1.Overlay) error {
	if len(c.features) == 0 {
		return nil
	}
	for _, overlay := range all {
		if need := c.lacks(needs(overlay)); need != "" {
			return unusable("cannot have what %s asks for: GatewayClass %s of %s does not support %s: remove it from the step, or use "+
				"another gateway", overlay.Field, c.name, c.parent, need)
		}
		if need := c.lacks(needsOfCohorts(overlay)); need != "" {
			return unusable("cannot keep clients with a version: GatewayClass %s of %s does not support %s, and so cannot set a cookie that "+
				"says which backend has answered: remove sticky, or use another gateway", c.name, c.parent, need)
		}
	}
	return nil
}

// lacks is the first feature that a class does not have.
func (c class) lacks(needed []features.FeatureName) features.FeatureName {
	for _, need := range needed {
		if !slices.ContainsFunc(c.features, func(f gatewayv1.SupportedFeature) bool { return string(f.Name) == string(need) }) {
			return need
		}
	}
	return ""
}

// needsOfCohorts are the features that it takes to keep clients with a version. There is no name for headers of answers of one
// backend: what does not even have those of requests does not have them.
func needsOfCohorts(o v1alpha1.Overlay) []features.FeatureName {
	if o.Cohorts == nil {
		return nil
	}
	return []features.FeatureName{features.SupportHTTPRouteResponseHeaderModification, features.SupportHTTPRouteBackendRequestHeaderModification}
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
