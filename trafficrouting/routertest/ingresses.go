package routertest

import (
	"encoding/json"
	"fmt"
	"strconv"
	"testing" //nolint:depguard // a conformance suite is test code, for the tests of several packages

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/trafficrouting"
)

// Ingresses is a World of Ingresses with canary Ingresses of ingress-nginx beside them. Nothing acts on them, and nothing
// reports.
type Ingresses struct {
	place
}

var _ World = (*Ingresses)(nil)

// NewIngresses makes a World in a namespace. The router is made with a client that the World listens in on.
func NewIngresses(c client.WithWatch, namespace string, newRouter func(client.Client) trafficrouting.Router) *Ingresses {
	w := &Ingresses{place{client: c, namespace: namespace, kind: schema.GroupVersionKind{Group: "networking.k8s.io", Version: "v1", Kind: "Ingress"}}}
	w.open(newRouter)
	return w
}

// Target names Ingresses of this world.
func (w *Ingresses) Target(routes ...string) trafficrouting.Target {
	t := trafficrouting.Target{Namespace: w.namespace, Active: Active, Standby: Standby}
	for i, name := range routes {
		t.Routes = append(t.Routes, trafficrouting.Route{
			Kind: "Ingress", Namespace: w.namespace, Name: name, Companion: name + "-canary",
			Field: fmt.Sprintf("spec.traffic.nginx.ingresses[%d]", i),
		})
	}
	return t
}

// Put makes an Ingress, and the canary Ingress that gives the standby Service its share.
func (w *Ingresses) Put(t *testing.T, route string, backends ...Backend) {
	t.Helper()
	o := w.object(route)
	o.SetAnnotations(map[string]string{"nginx.ingress.kubernetes.io/affinity": "cookie", "example.com/owner": "team-shop"})
	o.Object["spec"] = map[string]any{
		"ingressClassName": "nginx",
		"tls":              []any{map[string]any{"hosts": []any{"shop.example.com"}, "secretName": "shop"}},
		"rules": []any{
			map[string]any{"host": "shop.example.com", "http": map[string]any{"paths": []any{
				pathTo("/", backends[0].Service), pathTo("/search", "search"),
			}}},
			map[string]any{"host": "old.example.com", "http": map[string]any{"paths": []any{pathTo("/", "old")}}},
		},
	}
	if err := w.client.Create(t.Context(), o, client.FieldOwner("kubectl")); err != nil {
		t.Fatalf("make the Ingress %s: %v", route, err)
	}
	w.share(t, route, backends)
}

// Overwrite gives the standby Service another share.
func (w *Ingresses) Overwrite(t *testing.T, route string, backends ...Backend) {
	t.Helper()
	w.share(t, route, backends)
}

// share writes the canary Ingress as another controller would that is told the same.
func (w *Ingresses) share(t *testing.T, route string, backends []Backend) {
	t.Helper()
	var weight, total int64
	for _, b := range backends {
		if total += b.Weight; b.Service == Standby {
			weight += b.Weight
		}
	}
	canary := w.object(route + "-canary")
	err := w.client.Get(t.Context(), client.ObjectKeyFromObject(canary), canary)
	if err != nil && !apierrors.IsNotFound(err) {
		t.Fatal(err)
	}
	exists := err == nil
	if weight == 0 {
		if err := w.client.Delete(t.Context(), canary); client.IgnoreNotFound(err) != nil {
			t.Fatal(err)
		}
		return
	}
	canary.SetLabels(map[string]string{"app.kubernetes.io/managed-by": "sluice"})
	canary.SetOwnerReferences([]metav1.OwnerReference{{
		APIVersion: "networking.k8s.io/v1", Kind: "Ingress", Name: route, UID: w.get(t, route).GetUID(),
	}})
	canary.SetAnnotations(map[string]string{
		"nginx.ingress.kubernetes.io/affinity":            "cookie",
		"nginx.ingress.kubernetes.io/canary":              "true",
		"nginx.ingress.kubernetes.io/canary-weight":       strconv.FormatInt(weight, 10),
		"nginx.ingress.kubernetes.io/canary-weight-total": strconv.FormatInt(total, 10),
	})
	canary.Object["spec"] = map[string]any{"ingressClassName": "nginx", "rules": []any{map[string]any{
		"host": "shop.example.com", "http": map[string]any{"paths": []any{pathTo("/", Standby)}},
	}}}
	if exists {
		err = w.client.Update(t.Context(), canary, client.FieldOwner("somebody-else"))
	} else {
		err = w.client.Create(t.Context(), canary, client.FieldOwner("somebody-else"))
	}
	if err != nil {
		t.Fatalf("write the canary Ingress of %s: %v", route, err)
	}
}

// Remove deletes an Ingress, with its canary.
func (w *Ingresses) Remove(t *testing.T, route string) {
	t.Helper()
	w.share(t, route, nil)
	if err := w.client.Delete(t.Context(), w.object(route)); err != nil {
		t.Fatalf("remove the Ingress %s: %v", route, err)
	}
}

// Report does nothing: nothing reports on Ingresses.
func (w *Ingresses) Report(*testing.T, string, Report) {}

// Backends reads what the canary Ingress gets, and what is left.
func (w *Ingresses) Backends(t *testing.T, route string) []Backend {
	t.Helper()
	canary := w.object(route + "-canary")
	err := w.client.Get(t.Context(), client.ObjectKeyFromObject(canary), canary)
	if apierrors.IsNotFound(err) {
		return []Backend{{Active, 1}}
	}
	if err != nil {
		t.Fatal(err)
	}
	annotation := func(name string) int64 {
		n, err := strconv.ParseInt(canary.GetAnnotations()["nginx.ingress.kubernetes.io/"+name], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	weight := annotation("canary-weight")
	return []Backend{{Active, annotation("canary-weight-total") - weight}, {Standby, weight}}
}

// Surroundings is the Ingress as JSON, without its status and what the server counts.
func (w *Ingresses) Surroundings(t *testing.T, route string) string {
	t.Helper()
	o := w.get(t, route)
	text, err := json.MarshalIndent(map[string]any{
		"annotations": o.GetAnnotations(), "labels": o.GetLabels(), "finalizers": o.GetFinalizers(), "spec": o.Object["spec"],
	}, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func pathTo(path, service string) any {
	return map[string]any{"path": path, "pathType": "Prefix", "backend": map[string]any{
		"service": map[string]any{"name": service, "port": map[string]any{"number": int64(80)}},
	}}
}
