package routertest

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// shared is the name of the rule that is to be shared.
const shared = "shared"

// specOf is what a person writes into a route of a kind, but for its parents: host names, and the rules.
func specOf(kind, route string, backends []Backend) map[string]any {
	rule := map[string]any{"name": shared, "backendRefs": refsOf(backends)}
	switch kind {
	case v1alpha1.RouteKindTCP:
		return map[string]any{"rules": []any{rule}}
	case v1alpha1.RouteKindTLS:
		return map[string]any{"hostnames": []any{route + ".example.com"}, "rules": []any{rule}}
	case v1alpha1.RouteKindGRPC:
		rule["matches"] = []any{map[string]any{"method": map[string]any{"service": "shop.Cart"}}}
		rule["filters"] = []any{headersRemoved()}
	default:
		rule["matches"] = []any{
			map[string]any{"method": "GET"}, map[string]any{"path": map[string]any{"type": "PathPrefix", "value": "/cart"}},
		}
		rule["filters"], rule["timeouts"] = []any{headersRemoved()}, map[string]any{"request": "10s"}
	}
	rules := []any{preview(), rule}
	if kind == v1alpha1.RouteKindHTTP {
		rules = append(rules, map[string]any{
			"matches": []any{map[string]any{"path": map[string]any{"type": "Exact", "value": "/old"}}},
			"filters": []any{map[string]any{
				"type":            "RequestRedirect",
				"requestRedirect": map[string]any{"hostname": "old.example.com", "statusCode": int64(301)},
			}},
		})
	}
	return map[string]any{"hostnames": []any{route + ".example.com"}, "rules": rules}
}

// preview is a rule that sends requests to the standby Service only: it is a person's own.
func preview() any {
	return map[string]any{
		"matches":     []any{map[string]any{"headers": []any{map[string]any{"name": "x-preview", "value": "yes"}}}},
		"backendRefs": []any{map[string]any{"name": Standby, "port": int64(80), "weight": int64(1)}},
	}
}

func headersRemoved() any {
	return map[string]any{
		"type":                  "RequestHeaderModifier",
		"requestHeaderModifier": map[string]any{"remove": []any{"x-internal"}},
	}
}

func refsOf(backends []Backend) []any {
	refs := []any{}
	for _, b := range backends {
		refs = append(refs, map[string]any{"name": b.Service, "port": int64(80), "weight": b.Weight})
	}
	return refs
}

// sharedRule is the rule that is to be shared.
func sharedRule(o *unstructured.Unstructured) map[string]any {
	for _, item := range o.Object["spec"].(map[string]any)["rules"].([]any) {
		if rule := item.(map[string]any); rule["name"] == shared {
			return rule
		}
	}
	return map[string]any{}
}
