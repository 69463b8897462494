//go:build apiserver

package controller_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/apiserver/env"
	"github.com/sluice-dev/sluice/test/apiserver/live"
	"github.com/sluice-dev/sluice/test/builder"
)

// edge makes the Gateway of live.Route, of a class that reports features.
func edge(t *testing.T, e *env.Env, features ...gatewayv1.FeatureName) *gatewayv1.GatewayClass {
	t.Helper()
	class := &gatewayv1.GatewayClass{
		ObjectMeta: metav1.ObjectMeta{Name: e.Namespace}, Spec: gatewayv1.GatewayClassSpec{ControllerName: "sluice.dev/test"},
	}
	gateway := &gatewayv1.Gateway{
		ObjectMeta: metav1.ObjectMeta{Name: "gateway", Namespace: e.Namespace},
		Spec: gatewayv1.GatewaySpec{
			GatewayClassName: gatewayv1.ObjectName(class.Name),
			Listeners:        []gatewayv1.Listener{{Name: "web", Port: 80, Protocol: gatewayv1.HTTPProtocolType}},
		},
	}
	for _, object := range []client.Object{class, gateway} {
		if err := e.Client.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
	reports(t, e, class, features...)
	return class
}

// reports sets features of a class, as its controller does.
func reports(t *testing.T, e *env.Env, class *gatewayv1.GatewayClass, features ...gatewayv1.FeatureName) {
	t.Helper()
	class.Status.SupportedFeatures = nil
	slices.Sort(features)
	for _, name := range features {
		class.Status.SupportedFeatures = append(class.Status.SupportedFeatures, gatewayv1.SupportedFeature{Name: name})
	}
	if err := e.Client.Status().Update(t.Context(), class); err != nil {
		t.Fatal(err)
	}
}

// TestWhatAGatewayCannotDoIsToldBefore holds that a class which reports features, and not those of a step, keeps the Rollout
// from its first release, and that one which learns them lets it go.
func TestWhatAGatewayCannotDoIsToldBefore(t *testing.T) {
	for name, row := range map[string]struct {
		change  func(*v1alpha1.CanaryStrategy)
		lacking []gatewayv1.FeatureName
		want    string
	}{
		"mirror": {
			func(c *v1alpha1.CanaryStrategy) { c.Steps[0].Mirror = &v1alpha1.Mirror{Percent: ptr.To[int32](10)} },
			[]gatewayv1.FeatureName{"HTTPRouteRequestMirror", "HTTPRouteRequestPercentageMirror"},
			"does not support HTTPRouteRequestMirror",
		},
		"sticky": {
			func(c *v1alpha1.CanaryStrategy) { c.Sticky = &v1alpha1.Sticky{Cookie: "web-cohort"} },
			[]gatewayv1.FeatureName{"HTTPRouteResponseHeaderModification", "HTTPRouteBackendRequestHeaderModification"},
			"cannot keep clients with a version",
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := env.Start(t)
			class := edge(t, e, "HTTPRoute", "HTTPRouteMethodMatching")
			rollout := routed().With(func(r *v1alpha1.Rollout) { row.change(r.Spec.Strategy.Canary) }).Obj()
			w := &world{live.New(t, e, append(live.Network(), rollout)...)}
			w.StartPlane()
			w.StartControllers()
			w.stalls(v1alpha1.ReasonRouteUnusable, row.want, "GatewayClass "+class.Name)
			reports(t, e, class, append(row.lacking, "HTTPRoute")...)
			w.Reaches("healthy", live.Healthy)
		})
	}
}

// TestClientsAreKept holds that the API server takes what keeps clients with a version, that nothing is written again when it
// has filled in its defaults, and that an abort leaves the route as it was.
func TestClientsAreKept(t *testing.T) {
	w := start(t, append(live.Network(), builder.Rollout("web").Image(live.ImageV1).Replicas(4).Services("web").Routes("web").
		Canary(builder.Step().Weight("10"), builder.Step().Weight("25").Header("x-canary", "yes").Hold()).With(func(r *v1alpha1.Rollout) {
		r.Spec.Strategy.Canary.Sticky = &v1alpha1.Sticky{Cookie: "web-cohort"}
	}).Obj())...)
	w.Reaches("healthy", live.Healthy)
	before, during := &gatewayv1.HTTPRoute{}, &gatewayv1.HTTPRoute{}
	w.Get("web", before)
	w.Release(live.ImageV2)
	status := w.Reaches("the second step", live.Awaiting)
	if want := "requests with header x-canary=yes, and clients kept by the cookie web-cohort"; status.Overlay != want {
		t.Errorf("the status says %q, want %q", status.Overlay, want)
	}
	w.Get("web", during)
	var names []string
	for _, rule := range during.Spec.Rules {
		names = append(names, strings.TrimPrefix(string(ptr.Deref(rule.Name, "")), "sluice-web-standby-"))
	}
	if diff := cmp.Diff([]string{"0", "0-candidate", "0-stable", "0-after-100", ""}, names); diff != "" {
		t.Errorf("rules (-want +got):\n%s", diff)
	}
	if n := during.Generation - before.Generation; n != 2 {
		t.Errorf("the route was written %d times for two steps", n)
	}
	w.Command(v1alpha1.ActionAbort)
	w.Reaches("aborted", live.Aborted)
	after := &gatewayv1.HTTPRoute{}
	w.Get("web", after)
	if diff := cmp.Diff(before.Spec, after.Spec); diff != "" {
		t.Errorf("the route is not what it was (-want +got):\n%s", diff)
	}
}
