package gatewayapi

import (
	"errors"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/trafficrouting"
)

// versions in which routes have been served, the best first. What is read and written here is the same in all of them.
func versions() []string { return []string{"v1", "v1beta1", "v1alpha3", "v1alpha2"} }

// Kinds are the kinds of the routes of a target.
func (r *Router) Kinds(t trafficrouting.Target) (kinds []schema.GroupVersionKind, all bool, err error) {
	var names []string
	for _, route := range slices.Concat(t.Routes, t.Known) {
		names = append(names, route.Kind)
	}
	for _, selector := range t.Selectors {
		names = append(names, selector.Kind)
	}
	all = true
	for _, name := range names {
		gvk, err := r.kindOf(name)
		switch mend := (*RouteError)(nil); {
		case errors.As(err, &mend):
			all = false
		case err != nil:
			return nil, false, err
		case !slices.Contains(kinds, gvk):
			kinds = append(kinds, gvk)
		}
	}
	return kinds, all, nil
}

// kindOf is a kind of route in the best version that the cluster serves. The error is a *RouteError for a kind that it does
// not serve, or that is none of ours.
func (r *Router) kindOf(kind string) (schema.GroupVersionKind, error) {
	if !slices.Contains(v1alpha1.RouteKinds(), kind) {
		return schema.GroupVersionKind{}, trafficrouting.Unusable("kind %s cannot be shared: write one of %s", kind,
			strings.Join(v1alpha1.RouteKinds(), ", "))
	}
	gvk, err := trafficrouting.Best(r.served, schema.GroupKind{Group: gatewayv1.GroupName, Kind: kind}, versions()...)
	if meta.IsNoMatchError(err) {
		err = unserved(kind)
	}
	return gvk, err
}

func unserved(kind string) *RouteError {
	return trafficrouting.NotFound("the cluster does not serve %s of %s: install the CRDs of the Gateway API that have it; TLSRoute and "+
		"TCPRoute were in its experimental channel at first", kind, gatewayv1.GroupName)
}
