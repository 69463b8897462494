package routertest

import (
	"encoding/json"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// VirtualServices are Istio's, with the shared entry beside one that is redirected and one for TCP.
func VirtualServices() Shape {
	shared := func(o *unstructured.Unstructured) map[string]any {
		return o.Object["spec"].(map[string]any)["http"].([]any)[1].(map[string]any)
	}
	return Shape{
		Kind: schema.GroupVersionKind{Group: "networking.istio.io", Version: "v1", Kind: "VirtualService"},
		Content: func(entries []any) map[string]any {
			return map[string]any{
				"metadata": map[string]any{"annotations": map[string]any{"example.com/owner": "team-shop"}},
				"spec": map[string]any{
					"hosts":    []any{"shop.example.com", "shop.example.org"},
					"gateways": []any{"edge/public", "mesh"},
					"http": []any{
						map[string]any{
							"match":    []any{map[string]any{"uri": map[string]any{"exact": "/old"}}},
							"redirect": map[string]any{"uri": "/new", "redirectCode": int64(301)},
						},
						map[string]any{
							"name":    "primary",
							"route":   entries,
							"retries": map[string]any{"attempts": int64(3), "perTryTimeout": "2s"},
							"timeout": "10s",
						},
					},
					"tcp": []any{map[string]any{
						"match": []any{map[string]any{"port": int64(9000)}},
						"route": []any{map[string]any{"destination": map[string]any{"host": "database"}}},
					}},
				},
			}
		},
		Entries:    func(o *unstructured.Unstructured) []any { return shared(o)["route"].([]any) },
		SetEntries: func(o *unstructured.Unstructured, entries []any) { shared(o)["route"] = entries },
		Entry: func(b Backend) any {
			return map[string]any{
				"destination": map[string]any{"host": b.Service, "port": map[string]any{"number": int64(80)}},
				"headers":     map[string]any{"request": map[string]any{"set": map[string]any{"x-from": "mesh"}}},
				"weight":      b.Weight,
			}
		},
		Service: func(entry map[string]any) string {
			host, _, _ := unstructured.NestedString(entry, "destination", "host")
			return host
		},
	}
}

// TraefikServices are Traefik's, with a cookie.
func TraefikServices() Shape {
	weighted := func(o *unstructured.Unstructured) map[string]any {
		return o.Object["spec"].(map[string]any)["weighted"].(map[string]any)
	}
	return Shape{
		Kind: schema.GroupVersionKind{Group: "traefik.io", Version: "v1alpha1", Kind: "TraefikService"},
		Content: func(entries []any) map[string]any {
			return map[string]any{
				"metadata": map[string]any{"annotations": map[string]any{"example.com/owner": "team-shop"}},
				"spec": map[string]any{"weighted": map[string]any{
					"services": entries,
					"sticky":   map[string]any{"cookie": map[string]any{"name": "shop", "httpOnly": true}},
				}},
			}
		},
		Entries:    func(o *unstructured.Unstructured) []any { return weighted(o)["services"].([]any) },
		SetEntries: func(o *unstructured.Unstructured, entries []any) { weighted(o)["services"] = entries },
		Entry: func(b Backend) any {
			return map[string]any{"name": b.Service, "port": int64(80), "scheme": "http", "weight": b.Weight}
		},
		Service:    func(entry map[string]any) string { return entry["name"].(string) },
		Unweighted: 1,
	}
}

// Actions are those of Ingresses for the AWS Load Balancer Controller.
func Actions() Shape {
	const key = "alb.ingress.kubernetes.io/actions.shop"
	read := func(o *unstructured.Unstructured) map[string]any {
		out := &unstructured.Unstructured{}
		text := `{"apiVersion":"v1","kind":"Action","action":` + o.GetAnnotations()[key] + `}`
		if err := out.UnmarshalJSON([]byte(text)); err != nil {
			return nil
		}
		return out.Object["action"].(map[string]any)
	}
	write := func(action map[string]any) string {
		text, err := json.MarshalIndent(action, "", " ")
		if err != nil {
			return err.Error()
		}
		return string(text)
	}
	forward := func(entries []any) map[string]any {
		return map[string]any{"type": "forward", "forwardConfig": map[string]any{
			"targetGroups":                entries,
			"targetGroupStickinessConfig": map[string]any{"enabled": false},
		}}
	}
	return Shape{
		Kind:  schema.GroupVersionKind{Group: "networking.k8s.io", Version: "v1", Kind: "Ingress"},
		Rules: []string{"shop"},
		Content: func(entries []any) map[string]any {
			return map[string]any{
				"metadata": map[string]any{"annotations": map[string]any{
					key: write(forward(entries)), "alb.ingress.kubernetes.io/scheme": "internet-facing",
				}},
				"spec": map[string]any{"ingressClassName": "alb", "rules": []any{map[string]any{
					"host": "shop.example.com", "http": map[string]any{"paths": []any{map[string]any{
						"path": "/", "pathType": "Prefix", "backend": map[string]any{"service": map[string]any{
							"name": "shop", "port": map[string]any{"name": "use-annotation"},
						}},
					}}},
				}}},
			}
		},
		Entries: func(o *unstructured.Unstructured) []any {
			return read(o)["forwardConfig"].(map[string]any)["targetGroups"].([]any)
		},
		SetEntries: func(o *unstructured.Unstructured, entries []any) {
			annotations := o.GetAnnotations()
			annotations[key] = write(forward(entries))
			o.SetAnnotations(annotations)
		},
		Entry: func(b Backend) any {
			return map[string]any{"serviceName": b.Service, "servicePort": "80", "weight": b.Weight}
		},
		Service: func(entry map[string]any) string { return entry["serviceName"].(string) },
		Pairs:   true,
	}
}
