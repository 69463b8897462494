//go:build apiserver

package apiserver_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/apiserver/env"
	"github.com/sluice-dev/sluice/test/builder"
	"github.com/sluice-dev/sluice/trafficrouting"
	"github.com/sluice-dev/sluice/trafficrouting/gatewayapi"
	"github.com/sluice-dev/sluice/trafficrouting/routertest"
)

// TestRouterConformance holds the Gateway API router to its promises with the published CRDs of the routes: their defaults,
// their validation and their atomic lists.
func TestRouterConformance(t *testing.T) {
	for _, kind := range v1alpha1.RouteKinds() {
		t.Run(kind, func(t *testing.T) {
			routertest.Run(t, func(t *testing.T) routertest.World {
				t.Helper()
				return newRoutesOf(t, env.Start(t), builder.RouteKind(kind))
			}, routertest.Features{Others: true, Overlays: kind == v1alpha1.RouteKindHTTP || kind == v1alpha1.RouteKindGRPC})
		})
	}
}

// TestConformanceOfMadeRoutes holds the same of routes that are made of templates, which meet the defaults of the API server.
func TestConformanceOfMadeRoutes(t *testing.T) {
	for _, kind := range v1alpha1.RouteKinds() {
		t.Run(kind, func(t *testing.T) {
			routertest.Run(t, func(t *testing.T) routertest.World {
				t.Helper()
				return routertest.NewMadeRoutes(newRoutesOf(t, env.Start(t), builder.RouteKind(kind)))
			}, routertest.Features{Others: true, Overlays: kind == v1alpha1.RouteKindHTTP || kind == v1alpha1.RouteKindGRPC})
		})
	}
}

func newRoutes(t *testing.T, e *env.Env) *routertest.Routes {
	t.Helper()
	return newRoutesOf(t, e, builder.RouteKind(v1alpha1.DefaultRouteKind))
}

func newRoutesOf(t *testing.T, e *env.Env, kind schema.GroupVersionKind) *routertest.Routes {
	t.Helper()
	c, err := client.NewWithWatch(e.Config, client.Options{Scheme: e.Scheme})
	if err != nil {
		t.Fatal(err)
	}
	return routertest.NewRoutes(c, kind, e.Namespace, func(c client.Client) trafficrouting.Router {
		return gatewayapi.New(c, c, c.RESTMapper())
	})
}

const route = `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: shop}
spec:
  parentRefs: [{name: public}]
  rules:
  - backendRefs: [{name: old-shop, port: 80}]
  - backendRefs: [{name: web, port: 80}]
`

// TestWhoOwnsTheRules holds what docs/gitops.md says to users of version control: that the rules are owned by
// sluice-traffic while the standby has traffic, that a server-side apply is told so, that a client-side apply is not and
// takes the weight back, and that the rules are not kept once the traffic is.
func TestWhoOwnsTheRules(t *testing.T) {
	e := env.Start(t)
	w := newRoutes(t, e)
	kubectl(t, e, "apply", "-f", "-")
	give := func(weight int32, wantOwner string) {
		t.Helper()
		if err := w.Router().Apply(t.Context(), w.Target("shop"), trafficrouting.Wanted{Weight: weight}); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{wantOwner}, ownersOfRules(t, e)); diff != "" {
			t.Errorf("owners of spec.rules at weight %d (-want +got):\n%s", weight, diff)
		}
	}
	observe := func(want int32) {
		t.Helper()
		got, err := w.Router().Observe(t.Context(), w.Target("shop"))
		if err != nil || got.Weight != want {
			t.Errorf("weight is %d, want %d; error %v", got.Weight, want, err)
		}
	}

	refused := func(wantOwner string) {
		t.Helper()
		_, err := e.Kubectl(t, route, "apply", "--server-side", "-f", "-")
		if err == nil || !strings.Contains(err.Error(), strconv.Quote(wantOwner)) {
			t.Errorf("a server-side apply gives %v, want a conflict with %q", err, wantOwner)
		}
	}

	give(200, gatewayapi.FieldManager)
	refused(gatewayapi.FieldManager)
	observe(200)
	kubectl(t, e, "apply", "-f", "-")
	observe(0)
	give(200, gatewayapi.FieldManager)
	kubectl(t, e, "apply", "--server-side", "--force-conflicts", "-f", "-")
	observe(0)
	give(1000, gatewayapi.FieldManager)
	give(0, gatewayapi.RestFieldManager)
	refused(gatewayapi.RestFieldManager)
	observe(0)
}

func kubectl(t *testing.T, e *env.Env, args ...string) {
	t.Helper()
	if _, err := e.Kubectl(t, route, args...); err != nil {
		t.Fatal(err)
	}
}

func ownersOfRules(t *testing.T, e *env.Env) []string {
	t.Helper()
	o := &gatewayv1.HTTPRoute{}
	if err := e.Client.Get(t.Context(), client.ObjectKey{Namespace: e.Namespace, Name: "shop"}, o); err != nil {
		t.Fatal(err)
	}
	var owners []string
	for _, f := range o.ManagedFields {
		if strings.Contains(f.FieldsV1.GetRawString(), `"f:rules"`) {
			owners = append(owners, f.Manager)
		}
	}
	return owners
}
