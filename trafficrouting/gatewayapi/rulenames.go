package gatewayapi

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// chooses says whether a rule may be managed: it is named, or no names are given.
func (s services) chooses(rule map[string]any) bool {
	name, _ := rule["name"].(string)
	return len(s.rules) == 0 || slices.Contains(s.rules, name)
}

// missing says which of the named rules are not there, or send nothing to the active Service. The rest is managed all the
// same, so that an abort works. The error is a *RouteError, or nil.
func (s services) missing(route *unstructured.Unstructured) error {
	list, err := ruleList(route)
	if err != nil {
		return err
	}
	shares := s.byName(list)
	for _, name := range s.rules {
		if managed, there := shares[name]; there && !managed {
			return unusable("the rule %[1]s sends no requests to the Service %[2]s, the active Service of the Rollout: add a "+
				"backendRef with the name %[2]s, and a weight above 0, to it, or take %[1]s out of rules", name, s.active)
		}
	}
	absent := slices.DeleteFunc(slices.Clone(s.rules), func(name string) bool { return shares[name] })
	if len(absent) > 0 {
		return unusable("no rule is called %s: write the name into spec.rules[].name of the route, or take it out of rules; "+
			"CRDs of the Gateway API that have no names of rules drop them", strings.Join(absent, ", "))
	}
	return nil
}

// byName says of each rule that has a name whether it sends requests to the active Service.
func (s services) byName(list []any) map[string]bool {
	out := map[string]bool{}
	for i, item := range list {
		fields, _ := item.(map[string]any)
		name, _ := fields["name"].(string)
		if r, err := parseRule(rulePath(i), item, s); err == nil && name != "" {
			out[name] = out[name] || r.Managed()
		}
	}
	return out
}
