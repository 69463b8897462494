package gatewayapi

import (
	"cmp"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// matches are those of a generated rule: every match of the managed rule with the conditions of every entry added. A match
// and an entry whose paths exclude each other have no request in common, and none comes of them.
func (s Split) matches(kind string, r *rule) ([]any, error) {
	if err := s.tellApart(kind); err != nil {
		return nil, err
	}
	return s.matching(kind, r, s.unlessCookie(s.Overlay.Match))
}

// matching are the matches of a managed rule with the conditions of entries.
func (s Split) matching(kind string, r *rule, entries []v1alpha1.RequestMatch) ([]any, error) {
	sources, _ := r.fields["matches"].([]any)
	if len(sources) == 0 {
		sources = []any{map[string]any{}}
	}
	var out []any
	for _, item := range sources {
		source, ok := item.(map[string]any)
		if !ok {
			return nil, unusable("%s.matches has an entry that is not an object: write a match", r.path)
		}
		for _, entry := range entries {
			match, common, err := combine(kind, source, entry)
			if err != nil {
				return nil, unusable("%s: %v", r.path, err)
			}
			if common {
				out = append(out, match)
			}
		}
	}
	return out, nil
}

// tellApart says whether routes of a kind can have the overlay.
func (s Split) tellApart(kind string) error {
	if s.None() || kind == v1alpha1.RouteKindHTTP {
		return nil
	}
	if kind != v1alpha1.RouteKindGRPC {
		return unusable("a %s sees connections and not requests: remove match and mirror from the steps, and sticky, or name "+
			"HTTPRoutes and GRPCRoutes only", kind)
	}
	if s.Overlay.Cohorts != nil {
		return unusable("callers of gRPC keep no cookies: remove sticky, or name HTTPRoutes only")
	}
	for _, m := range s.Overlay.Match {
		if m.Path != nil || m.Cookie != nil || len(m.QueryParams) > 0 {
			return unusable("a GRPCRoute tells requests apart by headers only: write headers in place of path, cookie and " +
				"queryParams, or name HTTPRoutes only")
		}
	}
	return nil
}

// combine adds the conditions of an entry to a match, and says whether both can hold for one request.
func combine(kind string, source map[string]any, entry v1alpha1.RequestMatch) (map[string]any, bool, error) {
	out := runtime.DeepCopyJSON(source)
	if kind == v1alpha1.RouteKindHTTP {
		path, common, err := joinPaths(source["path"], entry.Path)
		if err != nil || !common {
			return nil, false, err
		}
		out["path"] = path
	}
	headers := slices.Clone(entry.Headers)
	if entry.Cookie != nil {
		headers = append(headers, cookieHeader(*entry.Cookie))
	}
	if err := add(out, "headers", "header", headers, strings.EqualFold); err != nil {
		return nil, false, err
	}
	if err := add(out, "queryParams", "query parameter", entry.QueryParams, func(a, b string) bool { return a == b }); err != nil {
		return nil, false, err
	}
	return out, true, nil
}

// cookieHeader is the condition on the header Cookie that a cookie comes to. It holds alike for gateways that compare the
// whole value and for those that look for a part of it.
func cookieHeader(c v1alpha1.CookieMatch) v1alpha1.ValueMatch {
	return v1alpha1.ValueMatch{
		Type: v1alpha1.MatchRegularExpression, Name: "Cookie",
		Value: `^(.*;\s*)?` + regexp.QuoteMeta(c.Name+"="+c.Value) + `(;.*)?$`,
	}
}

// add adds conditions to a list of a match. The API allows one for each name.
func add(match map[string]any, key, what string, conditions []v1alpha1.ValueMatch, equal func(a, b string) bool) error {
	if len(conditions) == 0 {
		return nil
	}
	list, _ := match[key].([]any)
	for _, c := range conditions {
		if slices.ContainsFunc(list, func(item any) bool {
			fields, _ := item.(map[string]any)
			name, _ := fields["name"].(string)
			return equal(name, c.Name)
		}) {
			return unusable("it has a condition on the %s %s already, and cannot get another one: name another %s in match", what,
				c.Name, what)
		}
		list = append(list, map[string]any{"type": string(c.Type), "name": c.Name, "value": c.Value})
	}
	if len(list) > maxConditions {
		return unusable("a match of it would have conditions on %d %ss, and the API allows %d: write fewer", len(list), what, maxConditions)
	}
	match[key] = list
	return nil
}

// joinPaths is the condition on the path that holds when both do, and whether it can hold. A match without a path has the
// prefix /, which the API server would fill in.
func joinPaths(source any, entry *v1alpha1.PathMatch) (map[string]any, bool, error) {
	fields, ok := source.(map[string]any)
	if !ok {
		fields = map[string]any{"type": string(v1alpha1.MatchPathPrefix), "value": "/"}
	}
	fields = runtime.DeepCopyJSON(fields)
	if entry == nil || entry.Type == v1alpha1.MatchPathPrefix && entry.Value == "/" {
		return fields, true, nil
	}
	kind, _ := fields["type"].(string)
	value, _ := fields["value"].(string)
	own := v1alpha1.PathMatch{
		Type:  v1alpha1.MatchType(cmp.Or(kind, string(v1alpha1.MatchPathPrefix))),
		Value: cmp.Or(value, "/"),
	}
	if own.Type != v1alpha1.MatchExact && own.Type != v1alpha1.MatchPathPrefix {
		return nil, false, unusable("its path is a %s, to which no other path can be added: remove path from match", own.Type)
	}
	switch {
	case within(*entry, own):
		return map[string]any{"type": string(entry.Type), "value": entry.Value}, true, nil
	case within(own, *entry):
		return fields, true, nil
	}
	return nil, false, nil
}

// within says whether every path that the first condition holds for is one of the second.
func within(narrow, wide v1alpha1.PathMatch) bool {
	if wide.Type == v1alpha1.MatchExact {
		return narrow == wide
	}
	prefix := strings.TrimSuffix(wide.Value, "/")
	return strings.TrimSuffix(narrow.Value, "/") == prefix || strings.HasPrefix(narrow.Value, prefix+"/")
}

// distinct says whether generated rules can be told from all others of a route, by their names and by what they match.
func (s Split) distinct(route *unstructured.Unstructured, managed []*rule, wanted [][]map[string]any) error {
	if s.nothing() {
		return nil
	}
	if err := s.services(route).reserved(managed); err != nil {
		return err
	}
	for i, item := range ruleItems(route) {
		fields, ok := item.(map[string]any)
		if !ok || s.None() || s.services(route).generated(item) {
			continue
		}
		if name, _ := fields["name"].(string); strings.HasPrefix(name, s.prefix()) {
			return unusable("spec.rules[%d] is called %s, as rules for matched requests are, and is none: give it another name", i, name)
		}
		matches, _ := fields["matches"].([]any)
		for _, w := range slices.Concat(wanted...) {
			if shared(route.GetKind(), matches, w) {
				return unusable("spec.rules[%d] matches the same requests already: write a condition in match that no rule has", i)
			}
		}
	}
	return nil
}

// shared says whether a generated rule has a match that is in a list already. Which of two rules with the same match gets a
// request is for their order to say, and the order is the user's.
func shared(kind string, matches []any, generated map[string]any) bool {
	own, _ := generated["matches"].([]any)
	for _, a := range own {
		for _, b := range matches {
			if alike(whole(kind, b), whole(kind, a)) {
				return true
			}
		}
	}
	return false
}

// whole is a match with what the API server fills in, and with names of headers in lower case, so that two which mean the
// same are the same.
func whole(kind string, match any) any {
	fields, ok := match.(map[string]any)
	if !ok {
		return match
	}
	out := runtime.DeepCopyJSON(fields)
	if kind == v1alpha1.RouteKindHTTP && out["path"] == nil {
		out["path"] = map[string]any{"type": string(v1alpha1.MatchPathPrefix), "value": "/"}
	}
	for _, key := range []string{"headers", "queryParams"} {
		list, _ := out[key].([]any)
		for _, item := range list {
			condition, ok := item.(map[string]any)
			if !ok {
				continue
			}
			if condition["type"] == nil {
				condition["type"] = string(v1alpha1.MatchExact)
			}
			if name, ok := condition["name"].(string); ok && key == "headers" {
				condition["name"] = strings.ToLower(name)
			}
		}
	}
	return out
}

// fitting says whether a list of rules is within the limits of the API.
func fitting(list []any) error {
	all := 0
	for _, item := range list {
		fields, _ := item.(map[string]any)
		matches, _ := fields["matches"].([]any)
		n := max(1, len(matches))
		if n > maxMatches {
			return unusable("a rule would have %d matches, and the API allows %d: write fewer entries in match, or fewer matches in "+
				"the rule", n, maxMatches)
		}
		all += n
	}
	if len(list) > maxRules {
		return unusable("the route would have %d rules, and the API allows %d: take out %d", len(list), maxRules, len(list)-maxRules)
	}
	if all > maxMatchesOfAll {
		return unusable("the route would have %d matches, and the API allows %d: write fewer entries in match", all, maxMatchesOfAll)
	}
	return nil
}

// alike says whether what the API server stores is what was written. In a condition and in a reference it may have filled in
// fields that were left out; everything else must be alike.
func alike(live, wanted any) bool {
	switch w := wanted.(type) {
	case map[string]any:
		l, ok := live.(map[string]any)
		if !ok || len(l) != len(w) && !leaf(w) {
			return false
		}
		for key, value := range w {
			if !alike(l[key], value) {
				return false
			}
		}
		return true
	case []any:
		l, ok := live.([]any)
		return ok && slices.EqualFunc(l, w, alike)
	}
	return reflect.DeepEqual(live, wanted)
}

// leaf says whether an object is a condition or a reference: it has a name or a value, and nothing below it.
func leaf(object map[string]any) bool {
	if object["name"] == nil && object["value"] == nil {
		return false
	}
	for _, value := range object {
		switch value.(type) {
		case map[string]any, []any:
			return false
		}
	}
	return true
}

// sameObject says whether two are one and the same object, and not only alike.
func sameObject(a any, b map[string]any) bool {
	fields, ok := a.(map[string]any)
	return ok && fields != nil && b != nil && reflect.ValueOf(fields).Pointer() == reflect.ValueOf(b).Pointer()
}
