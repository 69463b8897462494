package gatewayapi

import (
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/trafficrouting"
	"github.com/sluice-dev/sluice/trafficrouting/share"
)

const (
	// maxBackendWeight is the largest weight that the API allows for one backend.
	maxBackendWeight = 1_000_000
	// maxBackendRefs is how many backends the API allows in one rule.
	maxBackendRefs = 16
)

// RouteError says why a route cannot be used, in words for the person who wrote it.
type RouteError = trafficrouting.RouteError

func unusable(format string, args ...any) *RouteError {
	return trafficrouting.Unusable(format, args...)
}

// services are the names that a rule is read for.
type services struct {
	// home is the namespace of the route, and namespace that of the Services.
	home, namespace, active, standby string
	// rules are the names of the rules that may be managed; empty means all.
	rules []string
	// before is what is remembered of them; nil when nothing is.
	before []string
}

// rule is a managed rule of a route, as far as weights go.
type rule struct {
	*share.Remembered

	// path is where the rule is in the route, "spec.rules[0]", for messages.
	path string
	// services are the names that it is read for.
	services services
	// fields are those of the rule, as they stand in the route.
	fields map[string]any
}

// parseRules reads the managed rules of a route: those that send requests to the active Service, and of these the ones that
// are named, if some are. A rule that gives all its pools the weight 0 sends nothing to the application, on purpose, and is
// not managed either, nor is one that was generated for matched requests. One that is named no more is, as long as the standby Service has a share of it from us.
func parseRules(route *unstructured.Unstructured, s services) ([]*rule, error) {
	all, err := s.sharing(route)
	if err != nil {
		return nil, err
	}
	var rules, unnamed []*rule
	for _, r := range all {
		if s.chooses(r.fields) {
			rules = append(rules, r)
		} else if weight, ok := r.Weight(); !ok || weight > 0 {
			unnamed = append(unnamed, r)
		}
	}
	if s.before != nil {
		rules = recall(rules, unnamed, s.before)
	}
	if len(rules) > 0 {
		return rules, nil
	}
	if len(s.rules) > 0 {
		return nil, s.missing(route)
	}
	return nil, &RouteError{Reason: v1alpha1.ReasonRouteWithoutBackend, Message: fmt.Sprintf(
		"no rule sends requests to the Service %[1]s, the active Service of the Rollout: add a backendRef with the name "+
			"%[1]s, and a weight above 0, to the rule that is to be shared", s.active)}
}

// sharing reads the rules that send requests to the active Service, whatever their names.
func (s services) sharing(route *unstructured.Unstructured) ([]*rule, error) {
	list, err := ruleList(route)
	if err != nil {
		return nil, err
	}
	var rules []*rule
	for i, item := range list {
		r, err := parseRule(rulePath(i), item, s)
		if err != nil {
			return nil, err
		}
		if r.Managed() && !s.generated(item) {
			rules = append(rules, r)
		}
	}
	return rules, nil
}

// ruleList are the rules of a route, as they stand in it.
func ruleList(route *unstructured.Unstructured) ([]any, error) {
	items, _, err := unstructured.NestedFieldNoCopy(route.Object, "spec", "rules")
	if err != nil {
		return nil, unusable("spec.rules cannot be read: %v", err)
	}
	list, ok := items.([]any)
	if !ok && items != nil {
		return nil, unusable("spec.rules is not a list: write a list of rules")
	}
	return list, nil
}

// rulePath is where a rule is in its route, for messages.
func rulePath(i int) string { return fmt.Sprintf("spec.rules[%d]", i) }

// parseRule reads one rule. Without an active backend it comes back without pools.
func parseRule(path string, item any, s services) (*rule, error) {
	fields, ok := item.(map[string]any)
	if !ok {
		return nil, unusable("%s is not an object: write a rule", path)
	}
	list, ok := fields["backendRefs"].([]any)
	if !ok && fields["backendRefs"] != nil {
		return nil, unusable("%s.backendRefs is not a list: write a list of backendRefs", path)
	}
	backends := make([]share.Backend, 0, len(list))
	for i, item := range list {
		b, err := s.backend(fmt.Sprintf("%s.backendRefs[%d]", path, i), item)
		if err != nil {
			return nil, err
		}
		backends = append(backends, b)
	}
	name, _ := fields["name"].(string)
	form := s.form()
	form.Leaves = fields["sessionPersistence"] != nil
	return &rule{
		Remembered: &share.Remembered{List: share.NewList(path, form, backends), Name: name}, path: path, services: s, fields: fields,
	}, nil
}

// form is what the API asks of backendRefs.
func (s services) form() share.Form {
	return share.Form{
		Noun: "backendRefs", Largest: maxBackendWeight, Most: maxBackendRefs, Standby: s.standby,
		Rename: func(ref map[string]any) { ref["name"] = s.standby },
	}
}

// backend reads one backend. Without a weight it has the weight 1.
func (s services) backend(path string, item any) (share.Backend, error) {
	ref, ok := item.(map[string]any)
	if !ok {
		return share.Backend{}, unusable("%s is not an object: write a backendRef", path)
	}
	weight, found, err := unstructured.NestedInt64(ref, "weight")
	if err != nil || weight < 0 || weight > maxBackendWeight {
		return share.Backend{}, unusable("%s.weight is %v: write a whole number from 0 to %d", path, ref["weight"], maxBackendWeight)
	}
	if !found {
		weight = 1
	}
	return share.Backend{Fields: withoutCookie(ref), Role: s.role(ref), Port: ref["port"], Weight: weight}, nil
}

// role says whose backend a backendRef is.
func (s services) role(ref map[string]any) share.Role {
	switch {
	case s.refers(ref, s.active):
		return share.Active
	case s.refers(ref, s.standby):
		return share.Standby
	}
	return share.Other
}

// refers says whether a backendRef is a Service of the given name in the namespace of the Services. The API takes an empty
// group for the core group and leaves out a kind for a Service.
func (s services) refers(ref map[string]any, name string) bool {
	text := func(key, otherwise string) string {
		if v, ok := ref[key].(string); ok && v != "" {
			return v
		}
		return otherwise
	}
	return text("group", "") == "" && text("kind", "Service") == "Service" &&
		text("namespace", s.home) == s.namespace && text("name", "") == name
}
