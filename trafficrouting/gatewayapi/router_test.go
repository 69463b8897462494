package gatewayapi

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/builder"
	"github.com/sluice-dev/sluice/trafficrouting"
	"github.com/sluice-dev/sluice/trafficrouting/routertest"
)

func TestConformance(t *testing.T) {
	for _, kind := range v1alpha1.RouteKinds() {
		t.Run(kind, func(t *testing.T) {
			routertest.Run(t, func(t *testing.T) routertest.World {
				t.Helper()
				return newWorldOf(t, kind, fakeServer(t))
			}, routertest.Features{Others: true, Overlays: kind == v1alpha1.RouteKindHTTP || kind == v1alpha1.RouteKindGRPC})
		})
	}
}

// TestConformanceOfMadeRoutes holds the same of routes that are made of templates.
func TestConformanceOfMadeRoutes(t *testing.T) {
	for _, kind := range v1alpha1.RouteKinds() {
		t.Run(kind, func(t *testing.T) {
			routertest.Run(t, func(t *testing.T) routertest.World {
				t.Helper()
				return routertest.NewMadeRoutes(newWorldOf(t, kind, fakeServer(t)))
			}, routertest.Features{Others: true, Overlays: kind == v1alpha1.RouteKindHTTP || kind == v1alpha1.RouteKindGRPC})
		})
	}
}

func newWorld(t *testing.T, c client.WithWatch) *routertest.Routes {
	t.Helper()
	return newWorldOf(t, v1alpha1.DefaultRouteKind, c)
}

func newWorldOf(t *testing.T, kind string, c client.WithWatch) *routertest.Routes {
	t.Helper()
	return routertest.NewRoutes(c, builder.RouteKind(kind), "shop", newRouter)
}

func newRouter(c client.Client) trafficrouting.Router { return New(c, c, builder.RouteMapper()) }

// fakeServer keeps routes as an API server would: it counts a generation for each change of a spec, keeps the status
// apart, and knows who owns which field.
func fakeServer(t *testing.T, objects ...client.Object) client.WithWatch {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := gatewayv1.Install(scheme); err != nil {
		t.Fatal(err)
	}
	return fake.NewClientBuilder().WithScheme(scheme).WithStatusSubresource(
		&gatewayv1.HTTPRoute{}, &gatewayv1.GRPCRoute{}, &gatewayv1.TLSRoute{}, &gatewayv1.TCPRoute{}).
		WithReturnManagedFields().WithObjects(objects...).
		WithInterceptorFuncs(interceptor.Funcs{Patch: patchAndCount}).Build()
}

// patchAndCount counts the generation, which the fake client leaves to its users.
func patchAndCount(ctx context.Context, c client.WithWatch, o client.Object, p client.Patch, opts ...client.PatchOption) error {
	before := &unstructured.Unstructured{}
	before.SetGroupVersionKind(o.GetObjectKind().GroupVersionKind())
	if err := c.Get(ctx, client.ObjectKeyFromObject(o), before); err != nil {
		return err
	}
	if err := c.Patch(ctx, o, p, opts...); err != nil {
		return err
	}
	if after := o.(*unstructured.Unstructured); !cmp.Equal(before.Object["spec"], after.Object["spec"]) {
		o.SetGeneration(before.GetGeneration() + 1)
		return c.Update(ctx, o)
	}
	return nil
}

// TestOwnership holds that the rules of a route belong to sluice-traffic as long as the standby has traffic, to sluice
// afterwards, and that nothing else ever belongs to either.
func TestOwnership(t *testing.T) {
	c := fakeServer(t)
	w := newWorld(t, c)
	w.Put(t, "shop", routertest.Backend{Service: routertest.Active, Weight: 1})
	for _, step := range []struct {
		weight int32
		want   string
	}{{200, FieldManager}, {1000, FieldManager}, {0, RestFieldManager}, {5, FieldManager}} {
		if err := w.Router().Apply(t.Context(), w.Target("shop"), trafficrouting.Wanted{Weight: step.weight}); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(map[string]string{step.want: `{"f:spec":{"f:rules":{}}}`}, ownedByUs(t, c)); diff != "" {
			t.Errorf("fields of ours at weight %d (-want +got):\n%s", step.weight, diff)
		}
	}
}

// ownedByUs lists the fields of our two field managers.
func ownedByUs(t *testing.T, c client.Client) map[string]string {
	t.Helper()
	route := &gatewayv1.HTTPRoute{}
	if err := c.Get(t.Context(), client.ObjectKey{Namespace: "shop", Name: "shop"}, route); err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, f := range route.ManagedFields {
		if strings.HasPrefix(f.Manager, "sluice") {
			out[f.Manager] = f.FieldsV1.GetRawString()
		}
	}
	return out
}

func TestProblemsOfReading(t *testing.T) {
	deleted := routeOf(anyRule(web(1)))
	deleted.SetFinalizers([]string{"example.com/wait"})
	for name, tc := range map[string]struct {
		server  client.WithWatch
		kind    string
		wantMsg string
	}{
		"no such kind in the cluster": {
			server: interceptor.NewClient(fakeServer(t), interceptor.Funcs{Get: func(_ context.Context, _ client.WithWatch,
				_ client.ObjectKey, _ client.Object, _ ...client.GetOption,
			) error {
				return &meta.NoKindMatchError{GroupKind: schema.GroupKind{Group: gatewayv1.GroupName, Kind: "HTTPRoute"}}
			}}),
			kind:    "HTTPRoute",
			wantMsg: "HTTPRoute shop/web: " + unserved("HTTPRoute").Message,
		},
		"no such route": {
			server: fakeServer(t), kind: "HTTPRoute",
			wantMsg: "HTTPRoute shop/web: does not exist: create it, or name the route that serves the active Service",
		},
		"a route on its way out": {
			server: deleting(t, deleted), kind: "HTTPRoute",
			wantMsg: "HTTPRoute shop/web: is being deleted: create it again, or name the route that serves the active Service",
		},
		"a kind of a later version": {
			server: fakeServer(t), kind: "UDPRoute",
			wantMsg: "UDPRoute shop/web: kind UDPRoute cannot be shared: write one of HTTPRoute, GRPCRoute, TLSRoute, TCPRoute",
		},
	} {
		t.Run(name, func(t *testing.T) {
			target := trafficrouting.Target{
				Namespace: "shop", Active: "web", Standby: "web-standby", Routes: []trafficrouting.Route{{
					Kind: tc.kind, Namespace: "shop", Name: "web", Field: "spec.traffic.gatewayAPI.routes[0]",
				}},
			}
			router := newRouter(tc.server)
			got, err := router.Observe(t.Context(), target)
			if err != nil {
				t.Fatal(err)
			}
			reason := v1alpha1.ReasonRouteNotFound
			if tc.kind == "UDPRoute" {
				reason = v1alpha1.ReasonRouteUnusable
			}
			want := trafficrouting.Observed{Weight: trafficrouting.WeightUnknown, Versions: []string{""}, Routes: target.Routes, Problems: []trafficrouting.Problem{{
				Reason: reason, Field: "spec.traffic.gatewayAPI.routes[0]", Message: tc.wantMsg,
			}}, Writers: []trafficrouting.Writer{{Route: target.Routes[0].String(), Weight: trafficrouting.WeightUnknown}}}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("observed (-want +got):\n%s", diff)
			}
			if err := router.Apply(t.Context(), target, trafficrouting.Wanted{Weight: 200}); err != nil {
				t.Errorf("a problem is not an error of Apply: %v", err)
			}
		})
	}
}

func deleting(t *testing.T, route *unstructured.Unstructured) client.WithWatch {
	t.Helper()
	c := fakeServer(t, route)
	if err := c.Delete(t.Context(), route.DeepCopy()); err != nil {
		t.Fatal(err)
	}
	return c
}
