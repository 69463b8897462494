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

// Kinds are the kinds of the routes of a target, and that of grants when one of them is of another namespace.
func (r *Router) Kinds(t trafficrouting.Target) (kinds []schema.GroupVersionKind, all bool, err error) {
	all = true
	for _, name := range kindNames(t) {
		find := r.kindOf
		if name == grantKind {
			find = r.servedAs
		}
		gvk, err := find(name)
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

// kindNames are the kinds that are read for a target.
func kindNames(t trafficrouting.Target) []string {
	var out []string
	for _, route := range slices.Concat(t.Routes, t.Known) {
		out = append(out, route.Kind)
		if route.Namespace != t.Namespace {
			out = append(out, grantKind)
		}
	}
	for _, selector := range t.Selectors {
		out = append(out, selector.Kind)
	}
	return out
}

// kindOf is a kind of route in the best version that the cluster serves. The error is a *RouteError for a kind that it does
// not serve, or that is none of ours.
func (r *Router) kindOf(kind string) (schema.GroupVersionKind, error) {
	if err := ours(kind); err != nil {
		return schema.GroupVersionKind{}, err
	}
	return r.servedAs(kind)
}

// ours says whether a kind is one of those that can be shared. The error is a *RouteError.
func ours(kind string) error {
	if slices.Contains(v1alpha1.RouteKinds(), kind) {
		return nil
	}
	return trafficrouting.Unusable("kind %s cannot be shared: write one of %s", kind, strings.Join(v1alpha1.RouteKinds(), ", "))
}

// servedAs is a kind of the Gateway API in the best version that the cluster serves. The error is a *RouteError for one that
// it does not serve.
func (r *Router) servedAs(kind string) (schema.GroupVersionKind, error) {
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
