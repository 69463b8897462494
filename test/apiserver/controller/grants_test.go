//go:build apiserver

package controller_test

import (
	"context"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	gatewayv1beta1 "sigs.k8s.io/gateway-api/apis/v1beta1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/apiserver/env"
	"github.com/sluice-dev/sluice/test/apiserver/live"
	"github.com/sluice-dev/sluice/test/builder"
	"github.com/sluice-dev/sluice/test/dataplane"
)

// TestARouteOfAnotherNamespace holds that such a route is shared once both namespaces allow it, that a release does not go
// on when one of them does no more, and that an abort works then.
func TestARouteOfAnotherNamespace(t *testing.T) {
	e := env.Start(t)
	edge := e.Another(t).Namespace
	w := &world{live.New(t, e, live.Service(), routed().With(func(r *v1alpha1.Rollout) {
		r.Spec.Traffic.GatewayAPI.Routes[0].Namespace = edge
	}).Obj())}
	route := builder.HTTPRoute("web", "gateway").Namespace(edge).Rule("/", "web").Obj()
	route.Spec.Rules[0].BackendRefs[0].Namespace = ptr.To(gatewayv1.Namespace(w.Namespace))
	there := grantOf(edge,
		gatewayv1beta1.ReferenceGrantFrom{Group: "sluice.dev", Kind: "Rollout", Namespace: gatewayv1.Namespace(w.Namespace)},
		gatewayv1beta1.ReferenceGrantTo{Group: gatewayv1.GroupName, Kind: "HTTPRoute"})
	here := grantOf(w.Namespace,
		gatewayv1beta1.ReferenceGrantFrom{Group: gatewayv1.GroupName, Kind: "HTTPRoute", Namespace: gatewayv1.Namespace(edge)},
		gatewayv1beta1.ReferenceGrantTo{Kind: "Service"})
	for _, object := range []client.Object{route, here} {
		if err := w.Client.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
	w.StartPlane()
	gateway := &dataplane.Plane{Client: w.Client, Namespace: edge, Now: time.Now}
	w.Run("the gateway", func(ctx context.Context) error { return gateway.Run(ctx, live.Glance) })
	w.StartControllersWith(w.Config, w.Namespace, edge)

	w.stalls(v1alpha1.ReasonRouteUnusable, "spec.traffic.gatewayAPI.routes[0]", edge, "no ReferenceGrant", "Rollout")
	if err := w.Client.Create(t.Context(), there); err != nil {
		t.Fatal(err)
	}
	w.Reaches("healthy", live.Healthy)
	w.Release(live.ImageV2)
	w.Reaches("the first step", live.Awaiting)
	weighs := func(want int32) {
		t.Helper()
		got := &gatewayv1.HTTPRoute{}
		if err := w.Client.Get(t.Context(), client.ObjectKeyFromObject(route), got); err != nil {
			t.Fatal(err)
		}
		if weight := live.WeightOf(got); weight != want {
			t.Errorf("weight is %d, want %d", weight, want)
		}
	}
	weighs(20)
	if err := w.Client.Delete(t.Context(), here); err != nil {
		t.Fatal(err)
	}
	w.Reaches("told", func(s *v1alpha1.RolloutStatus) bool { return live.Reason(s) == v1alpha1.ReasonRouteUnusable })
	weighs(20)
	w.Command(v1alpha1.ActionAbort)
	w.Reaches("aborted", live.Aborted)
	weighs(0)
}

func grantOf(namespace string, from gatewayv1beta1.ReferenceGrantFrom, to gatewayv1beta1.ReferenceGrantTo) *gatewayv1beta1.ReferenceGrant {
	return &gatewayv1beta1.ReferenceGrant{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "sluice"},
		Spec: gatewayv1beta1.ReferenceGrantSpec{
			From: []gatewayv1beta1.ReferenceGrantFrom{from}, To: []gatewayv1beta1.ReferenceGrantTo{to},
		},
	}
}
