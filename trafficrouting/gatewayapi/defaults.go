package gatewayapi

import (
	"reflect"

	"k8s.io/apimachinery/pkg/runtime"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// filled are the values that the API server fills into routes, by the field that holds the object, and by their own: the
// defaults of all published CRDs of the Gateway API. A value that is left out and one of these are the same.
func filled() map[string]map[string]any {
	const exact = string(v1alpha1.MatchExact)
	service := map[string]any{"group": "", "kind": "Service"}
	// What the rules are filled with comes after what is within: a match of every path is an empty one then.
	all := []any{map[string]any{}}
	return map[string]map[string]any{
		"parentRefs":         {"group": gatewayv1.GroupName, "kind": gatewayKind},
		"backendRefs":        {"group": "", "kind": "Service", "weight": int64(1)},
		"backendRef":         service,
		"cors":               {"maxAge": int64(5)},
		"fraction":           {"denominator": int64(100)},
		"requestRedirect":    {"statusCode": int64(302)},
		"headers":            {"type": exact},
		"queryParams":        {"type": exact},
		"method":             {"type": exact},
		"path":               {"type": string(v1alpha1.MatchPathPrefix), "value": "/"},
		"matches":            {"path": map[string]any{}},
		"rules":              {"matches": all},
		"spec":               {"rules": all},
		"sessionPersistence": {"type": "Cookie"},
		"cookieConfig":       {"lifetimeType": "Session"},
	}
}

// same says whether two values of a field of a route are one to the API server.
func same(field string, a, b any) bool {
	defaults := filled()
	return reflect.DeepEqual(bare(defaults, field, a), bare(defaults, field, b))
}

// bare is a copy of a value without what the API server would fill in, and without nulls, which it drops.
func bare(defaults map[string]map[string]any, field string, value any) any {
	switch v := value.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, inner := range v {
			inner = bare(defaults, key, inner)
			if filling, ok := defaults[field][key]; inner != nil && (!ok || !reflect.DeepEqual(inner, filling)) {
				out[key] = inner
			}
		}
		return out
	case []any:
		out := make([]any, 0, len(v))
		for _, inner := range v {
			out = append(out, bare(defaults, field, inner))
		}
		return out
	}
	return value
}

// specFields are the fields of the spec of a route, as they stand in it.
func specFields(object map[string]any) map[string]any {
	fields, _ := object["spec"].(map[string]any)
	return fields
}

// follow gives the spec of a route what differs in another one, and says which fields did. The others stay as they are: who wrote
// them keeps them.
func follow(route map[string]any, wanted map[string]any) (differing []string) {
	spec := specFields(route)
	if spec == nil {
		spec = map[string]any{}
		route["spec"] = spec
	}
	defaults := filled()["spec"]
	for key, value := range wanted {
		if !same(key, withDefault(spec, key, defaults), withDefault(wanted, key, defaults)) {
			spec[key] = runtime.DeepCopyJSONValue(value)
			differing = append(differing, key)
		}
	}
	for key := range spec {
		if _, there := wanted[key]; !there && !same(key, spec[key], defaults[key]) {
			delete(spec, key)
			differing = append(differing, key)
		}
	}
	return differing
}

// withDefault is a field, or what the API server fills in for it.
func withDefault(fields map[string]any, key string, defaults map[string]any) any {
	if value := fields[key]; value != nil {
		return value
	}
	return defaults[key]
}
