package gatewayapi

import (
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/sluice-dev/sluice/trafficrouting"
)

// Split is the wanted state of a route: which Services share its requests, and how.
type Split struct {
	// Active and Standby are the names of two Services in the namespace of the route.
	Active, Standby string
	// Weight is the share of the standby Service in tenths of a percent, 0 to 1000.
	Weight int32
}

// Render returns the route as it should be, and whether that differs from what it is. The route that is passed is not
// changed; the one that is returned shares nothing with it. Rules that carry the weight already stay as they are.
//
// The error is a *RouteError that says what is wrong with the route and what would mend it. A weight of 0 is refused
// only to a route that cannot be read, that has no managed rule, or whose weights of active and standby together are
// beyond what the API allows for one backend.
func Render(route *unstructured.Unstructured, s Split) (desired *unstructured.Unstructured, changed bool, err error) {
	desired = route.DeepCopy()
	rules, err := parseRules(desired, s.services(route))
	if err != nil {
		return nil, false, err
	}
	for _, r := range rules {
		if weight, ok := r.weight(); ok && weight == s.Weight {
			continue
		}
		refs, err := r.render(s)
		if err != nil {
			return nil, false, err
		}
		r.fields["backendRefs"], changed = refs, true
	}
	return desired, changed, nil
}

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
	if slices.Min(weights) != slices.Max(weights) {
		return trafficrouting.WeightUnknown, err
	}
	return weights[0], err
}

func (s Split) services(route *unstructured.Unstructured) services {
	return services{namespace: route.GetNamespace(), active: s.Active, standby: s.Standby}
}

// render returns the backendRefs of a rule with the wanted weights. A standby that is missing is put in behind its
// active backend, as a copy of it.
func (r *rule) render(s Split) ([]any, error) {
	if s.Weight > 0 {
		if err := r.room(); err != nil {
			return nil, err
		}
	}
	out, ok := r.shares().at(s.Weight)
	if !ok {
		return nil, unusable("%s has weights that cannot give %s an exact share within the %d that the API allows: write "+
			"weights of at most %d, those of the two Services counted together", r.path, s.Standby, maxBackendWeight,
			maxBackendWeight/perMille)
	}
	for i, other := range r.others {
		r.setWeight(other, out.others[i])
	}
	twins := make(map[int]map[string]any)
	for i, p := range r.pools {
		r.setWeight(p.active, out.active[i])
		r.setStandby(p, out.standby[i])
		if p.standby == none && out.standby[i] > 0 {
			twin := runtime.DeepCopyJSON(r.refs[p.active])
			twin["name"], twin["weight"] = s.Standby, out.standby[i]
			twins[p.active] = twin
		}
	}
	refs := make([]any, 0, len(r.refs)+len(twins))
	for i, ref := range r.refs {
		refs = append(refs, ref)
		if twin, ok := twins[i]; ok {
			refs = append(refs, twin)
		}
	}
	return refs, nil
}

// setStandby writes the weight of the standby backend that a pool has, and takes the rest of them out of traffic.
func (r *rule) setStandby(p pool, weight int64) {
	if p.standby != none {
		r.setWeight(p.standby, weight)
	}
	for _, surplus := range p.surplus {
		r.setWeight(surplus, 0)
	}
}

// setWeight writes the weight of a backend, unless it has it already, by default or in writing.
func (r *rule) setWeight(i int, weight int64) {
	if r.weights[i] != weight {
		r.refs[i]["weight"] = weight
	}
}
