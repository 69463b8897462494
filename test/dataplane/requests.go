package dataplane

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Request is what a gateway knows of a request when it looks for its rule.
type Request struct {
	// Method and Path of the request; empty ones are GET and /.
	Method, Path string
	// Headers by name, and the parameters of the query. Names of headers are in lower case.
	Headers, Query map[string]string
}

// Answer is what a rule of a route does with a request.
type Answer struct {
	// Weights of the Services that it goes to, by name. Empty when no rule takes the request.
	Weights map[string]int64
	// Mirrors are the percentages of copies that go to Services, by name.
	Mirrors map[string]int64
}

// Serve finds the rule of an HTTPRoute that a request belongs to, by the precedence that the Gateway API prescribes, and
// says what it does. It is written from the specification, and from nothing that writes routes.
func Serve(route *unstructured.Unstructured, request Request) Answer {
	request.Method, request.Path = cmp.Or(request.Method, "GET"), cmp.Or(request.Path, "/")
	rules, _, _ := unstructured.NestedSlice(route.Object, "spec", "rules")
	var best map[string]any
	var rank []int
	for _, item := range rules {
		rule, _ := item.(map[string]any)
		matches, _ := rule["matches"].([]any)
		if len(matches) == 0 {
			matches = []any{map[string]any{}}
		}
		for _, m := range matches {
			match, _ := m.(map[string]any)
			if !request.matches(match) {
				continue
			}
			if r := rankOf(match); best == nil || slices.Compare(r, rank) > 0 {
				best, rank = rule, r
			}
		}
	}
	return answerOf(best)
}

// matches says whether all conditions of a match hold.
func (r Request) matches(match map[string]any) bool {
	if method, ok := match["method"].(string); ok && method != r.Method {
		return false
	}
	return r.at(match) && holds(match["headers"], r.Headers) && holds(match["queryParams"], r.Query)
}

func (r Request) at(match map[string]any) bool {
	kind, value := pathOf(match)
	switch kind {
	case "Exact":
		return r.Path == value
	case "RegularExpression":
		return fully(value, r.Path)
	}
	prefix := strings.TrimSuffix(value, "/")
	return r.Path == prefix || strings.HasPrefix(r.Path, prefix+"/")
}

func pathOf(match map[string]any) (kind, value string) {
	path, _ := match["path"].(map[string]any)
	kind, _ = path["type"].(string)
	value, _ = path["value"].(string)
	return cmp.Or(kind, "PathPrefix"), cmp.Or(value, "/")
}

// holds says whether values satisfy a list of conditions.
func holds(conditions any, values map[string]string) bool {
	list, _ := conditions.([]any)
	for _, item := range list {
		condition, _ := item.(map[string]any)
		name, _ := condition["name"].(string)
		want, _ := condition["value"].(string)
		got, found := values[name]
		if !found {
			got, found = values[strings.ToLower(name)]
		}
		if kind, _ := condition["type"].(string); kind == "RegularExpression" {
			found = found && fully(want, got)
		} else {
			found = found && got == want
		}
		if !found {
			return false
		}
	}
	return true
}

// fully says whether an expression holds for the whole of a value, as some gateways compare.
func fully(expression, value string) bool {
	r, err := regexp.Compile("^(?:" + expression + ")$")
	return err == nil && r.MatchString(value)
}

// rankOf orders matches: an exact path, then the longest prefix, then a method, then the number of headers, then that of
// query parameters. Of two alike the first in the route wins.
func rankOf(match map[string]any) []int {
	kind, value := pathOf(match)
	exact, method := 0, 0
	if kind == "Exact" {
		exact = 1
	}
	if _, ok := match["method"].(string); ok {
		method = 1
	}
	headers, _ := match["headers"].([]any)
	query, _ := match["queryParams"].([]any)
	return []int{exact, len(value), method, len(headers), len(query)}
}

func answerOf(rule map[string]any) Answer {
	out := Answer{Weights: map[string]int64{}, Mirrors: map[string]int64{}}
	refs, _ := rule["backendRefs"].([]any)
	for _, item := range refs {
		ref, _ := item.(map[string]any)
		name, _ := ref["name"].(string)
		weight, ok := ref["weight"].(int64)
		if !ok {
			weight = 1
		}
		if weight > 0 {
			out.Weights[name] += weight
		}
	}
	filters, _ := rule["filters"].([]any)
	for _, item := range filters {
		filter, _ := item.(map[string]any)
		mirror, ok := filter["requestMirror"].(map[string]any)
		if !ok {
			continue
		}
		ref, _ := mirror["backendRef"].(map[string]any)
		name, _ := ref["name"].(string)
		percent, ok := mirror["percent"].(int64)
		if !ok {
			percent = 100
		}
		out.Mirrors[name] = percent
	}
	return out
}
