package gatewayapi

import (
	"cmp"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/trafficrouting"
)

// Split is the wanted state of a route: which Services share its requests, and how.
type Split struct {
	// Active and Standby are the names of two Services.
	Active, Standby string
	// Namespace of the two Services; that of the route when it is empty.
	Namespace string
	// Rules are the names of the rules that are managed; empty means each that sends requests to the active Service.
	Rules []string
	// Before is what is remembered of the managed rules, as Before gives it; nil when nothing is and nothing is to be.
	Before []string
	// Weight is the share of the standby Service in tenths of a percent, 0 to 1000.
	Weight int32
	// Overlay has the requests that the standby Service gets whatever the weight, and copies of requests.
	Overlay v1alpha1.Overlay
}

// splitOf says which rules of a route of a target are shared between which Services.
func splitOf(t trafficrouting.Target, route trafficrouting.Route) Split {
	return Split{Active: t.Active, Standby: t.Standby, Namespace: t.Namespace, Rules: route.Rules, Before: route.Before}
}

// Render returns the route as it should be, and whether that differs from what it is. The route that is passed is not
// changed; the one that is returned shares nothing with it. Rules that carry the weight and the overlay already stay as
// they are.
//
// The error is a *RouteError that says what is wrong with the route and what would mend it. A weight of 0 without an
// overlay is refused only to a route that cannot be read, that has no managed rule and no generated one, or whose weights of
// active and standby together are beyond what the API allows for one backend.
func Render(route *unstructured.Unstructured, s Split) (desired *unstructured.Unstructured, changed bool, err error) {
	desired = route.DeepCopy()
	rules, err := parseRules(desired, s.services(route))
	if err != nil && s.nothing() && s.strip(desired) {
		return desired, true, nil
	}
	if err != nil {
		return nil, false, err
	}
	if changed, err = s.lay(desired, rules); err != nil {
		return nil, false, err
	}
	shared, err := s.share(rules)
	if err != nil {
		return nil, false, err
	}
	marked, err := s.markAll(desired, rules)
	if err != nil {
		return nil, false, err
	}
	return desired, changed || shared || marked, nil
}

// share gives rules the weight, and says whether one of them had another.
func (s Split) share(rules []*rule) (changed bool, err error) {
	for _, r := range rules {
		refs, differs, err := r.Share(s.Weight)
		if err != nil {
			return false, err
		}
		if differs {
			r.fields["backendRefs"], changed = refs, true
		}
	}
	return changed, nil
}

// nothing says whether the standby Service is to have no requests at all.
func (s Split) nothing() bool { return s.Weight == 0 && s.None() }

// Weight is the share of the standby Service that all managed rules of a route agree on, in tenths of a percent; the
// Weight of the Split has no meaning here. It is trafficrouting.WeightUnknown when rules disagree, when the share is no
// whole number of tenths, and for a route without a managed rule.
//
// The error is a *RouteError for a route that could not carry every weight, so that it is found before a release starts
// and not in the middle of it. What the route says now is returned all the same, as an abort needs no more than that.
func Weight(route *unstructured.Unstructured, s Split) (int32, error) {
	rules, err := parseRules(route, s.services(route))
	if err != nil {
		return trafficrouting.WeightUnknown, err
	}
	var weights []int32
	for _, r := range rules {
		share, ok := r.weight()
		if !ok {
			share = trafficrouting.WeightUnknown
		}
		weights = append(weights, share)
		if err == nil {
			err = r.check()
		}
	}
	if err == nil {
		err = s.services(route).reserved(rules)
	}
	if err == nil {
		err = s.services(route).missing(route)
	}
	if slices.Min(weights) != slices.Max(weights) {
		return trafficrouting.WeightUnknown, err
	}
	return weights[0], err
}

func (s Split) services(route *unstructured.Unstructured) services {
	return services{
		home: route.GetNamespace(), namespace: cmp.Or(s.Namespace, route.GetNamespace()), active: s.Active, standby: s.Standby, rules: s.Rules, before: s.Before,
	}
}
