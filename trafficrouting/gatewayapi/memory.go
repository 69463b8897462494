package gatewayapi

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/sluice-dev/sluice/trafficrouting/share"
)

// What a managed rule was before a Rollout wrote to it is remembered in the status of the Rollout, as share.List.Before has
// it, so that the rule is what its owner wrote whenever the standby Service has no share of it: between releases, and when
// the Rollout is gone. Where nothing is remembered, backends of the standby Service stay with a weight of 0.

// recall finds what is remembered of rules, mostly in their order, and says for each of them what is to be remembered from
// now on. What is left over comes back.
func recall(rules []*rule, known []string) (left []string) {
	left = slices.Clone(known)
	open := map[int]bool{}
	for i, r := range rules {
		open[i] = true
		if i < len(known) && r.follows(known[i]) {
			r.before, left[i], open[i] = known[i], "", false
		}
	}
	for i, r := range rules {
		if !open[i] {
			continue
		}
		if at := slices.IndexFunc(left, r.follows); at >= 0 {
			r.before, left[at], open[i] = left[at], "", false
		}
	}
	for i, r := range rules {
		if !open[i] {
			continue
		}
		guess := ""
		if i < len(left) {
			guess, left[i] = left[i], ""
		}
		r.before = r.mark() + r.Before(strings.TrimPrefix(guess, r.mark()))
	}
	return slices.DeleteFunc(left, func(text string) bool { return text == "" })
}

// recallUnnamed are the rules that something is remembered of which is left over.
func recallUnnamed(rules []*rule, left []string) []*rule {
	var out []*rule
	for _, r := range rules {
		if at := slices.IndexFunc(left, r.follows); at >= 0 {
			r.before, left[at] = left[at], ""
			out = append(out, r)
		}
	}
	return out
}

// origin is the rule as it was; false when nothing is remembered.
func (r *rule) origin() (*share.List, bool) {
	if r.before == "" {
		return nil, false
	}
	return r.Origin(strings.TrimPrefix(r.before, r.mark()))
}

// mark is what comes before the backends of a rule with a name in what is remembered of it: "checkout/ active:80".
func (r *rule) mark() string {
	if name, ok := r.fields["name"].(string); ok && name != "" {
		return name + "/ "
	}
	return ""
}

// follows says whether a text is what is remembered of the rule.
func (r *rule) follows(text string) bool {
	rest, ok := strings.CutPrefix(text, r.mark())
	return ok && r.Follows(rest)
}

// share gives the backendRefs of a rule with the standby's share, in tenths of a percent, and says whether they differ from
// what they are. At a share of 0 they are what they were before.
func (r *rule) share(weight int32) (refs []any, changed bool, err error) {
	origin, known := r.origin()
	now, exact := r.Weight()
	switch {
	case known && weight == 0:
		return origin.Entries(), !r.Same(origin), nil
	case exact && now == weight:
		return nil, false, nil
	case known:
		refs, err = origin.Render(weight)
	default:
		refs, err = r.Render(weight)
	}
	return refs, err == nil, err
}

// Before is what is to be remembered of the managed rules of a route, as share.List.Before has it, given what has been:
// Split.Before. It is empty for a route without managed rules, and one that cannot be read.
func Before(route *unstructured.Unstructured, s Split) []string {
	if s.Before == nil {
		s.Before = []string{}
	}
	rules, err := parseRules(route, s.services(route))
	if err != nil {
		return s.Before
	}
	out := make([]string, 0, len(rules))
	for _, r := range rules {
		out = append(out, r.before)
	}
	return out
}
