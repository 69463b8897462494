//go:build apiserver

package controller_test

import (
	"strings"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/apiserver/env"
	"github.com/sluice-dev/sluice/test/apiserver/live"
)

// TestWhatTheClassOfAGatewayDoesNotSupport tells of a step that the gateway cannot have, and goes on once its class says that
// it can: the controller watches what it reads beside routes.
func TestWhatTheClassOfAGatewayDoesNotSupport(t *testing.T) {
	e := env.Start(t)
	class := &gatewayv1.GatewayClass{Spec: gatewayv1.GatewayClassSpec{ControllerName: "example.com/gateway"}}
	class.Name = "class-of-" + e.Namespace
	gateway := &gatewayv1.Gateway{Spec: gatewayv1.GatewaySpec{
		GatewayClassName: gatewayv1.ObjectName(class.Name),
		Listeners:        []gatewayv1.Listener{{Name: "http", Protocol: gatewayv1.HTTPProtocolType, Port: 80}},
	}}
	gateway.Name = string(live.Route().Spec.ParentRefs[0].Name)
	rollout := routed().With(func(r *v1alpha1.Rollout) {
		percent := int32(10)
		r.Spec.Strategy.Canary.Steps[0].Mirror = &v1alpha1.Mirror{Percent: &percent}
	}).Obj()
	w := &world{live.New(t, e, live.Service(), live.Route(), gateway)}
	supports(w, class, "HTTPRoute", "HTTPRouteRequestMirror")
	w.Make(rollout)
	w.StartPlane()
	w.StartControllers()
	w.Reaches("the class is told of", func(s *v1alpha1.RolloutStatus) bool {
		return strings.Contains(s.Message, "GatewayClass "+class.Name) &&
			strings.Contains(s.Message, "does not support HTTPRouteRequestPercentageMirror")
	})
	supports(w, class, "HTTPRoute", "HTTPRouteRequestMirror", "HTTPRouteRequestPercentageMirror")
	w.Reaches("healthy", live.Healthy)
}

// supports makes a class report features..
func supports(w *world, class *gatewayv1.GatewayClass, features ...gatewayv1.FeatureName) {
	w.T.Helper()
	ctx := w.T.Context()
	if class.UID == "" {
		if err := w.Client.Create(ctx, class); err != nil {
			w.T.Fatal(err)
		}
	}
	before := class.DeepCopy()
	class.Status.SupportedFeatures = nil
	for _, name := range features {
		class.Status.SupportedFeatures = append(class.Status.SupportedFeatures, gatewayv1.SupportedFeature{Name: name})
	}
	if err := w.Client.Status().Patch(ctx, class, client.MergeFrom(before)); err != nil {
		w.T.Fatal(err)
	}
}
