package gatewayapi

import (
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// Without returns the route as it was before, or, where nothing is remembered of it, without backends of the standby Service
// in its managed rules, and whether that differs from
// what it is. What they had of the requests goes to the active Service; the share of every other backend stays. The Weight
// of the Split has no meaning here. The error is a *RouteError, as that of Render for the weight 0.
func Without(route *unstructured.Unstructured, s Split) (desired *unstructured.Unstructured, changed bool, err error) {
	s.Weight, s.Overlay = 0, v1alpha1.Overlay{}
	desired, changed, err = Render(route, s)
	if err != nil || s.Before != nil {
		return desired, changed, err
	}
	rules, err := parseRules(desired, s.services(route))
	if err != nil {
		return nil, false, err
	}
	for _, r := range rules {
		if refs, found := r.Without(); found {
			r.fields["backendRefs"], changed = refs, true
		}
	}
	return desired, changed, nil
}

// Names says whether a managed rule of a route is not what it was, or, where nothing is remembered, names the standby
// Service, or whether a generated rule or a mirror is left.
func Names(route *unstructured.Unstructured, s Split) bool {
	rules, err := parseRules(route, s.services(route))
	return s.services(route).laidOn(route, rules) || err == nil && slices.ContainsFunc(rules, func(r *rule) bool {
		return r.Differs()
	})
}
