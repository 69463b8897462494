package gatewayapi

import (
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/golden/render"
	"github.com/sluice-dev/sluice/trafficrouting"
)

func TestSettleTimeOfTheSlowestParent(t *testing.T) {
	var objects []client.Object
	for name, controller := range map[string]string{
		"traefik": "traefik.io/gateway-controller", "istio": "istio.io/gateway-controller", "gke": "networking.gke.io/gateway",
		"aws": "gateway.k8s.aws/alb", "envoy": "gateway.envoyproxy.io/gatewayclass-controller",
	} {
		class := &gatewayv1.GatewayClass{Spec: gatewayv1.GatewayClassSpec{ControllerName: gatewayv1.GatewayController(controller)}}
		class.Name = name + "-class"
		gateway := &gatewayv1.Gateway{Spec: gatewayv1.GatewaySpec{GatewayClassName: gatewayv1.ObjectName(class.Name)}}
		gateway.Namespace, gateway.Name = "edge", name
		objects = append(objects, class, gateway)
	}
	router := New(fakeServer(t, objects...), nil, nil)
	for name, row := range map[string]struct {
		parents string
		want    time.Duration
		source  v1alpha1.MetricSource
	}{
		"a known one":             {"[{namespace: edge, name: traefik}]", 3 * time.Second, v1alpha1.SourceTraefik},
		"the slowest of several":  {"[{namespace: edge, name: traefik}, {namespace: edge, name: gke}, {namespace: edge, name: istio}]", 45 * time.Second, ""},
		"beside an unknown one":   {"[{namespace: edge, name: envoy}, {namespace: edge, name: aws}]", time.Minute, ""},
		"an unknown one":          {"[{namespace: edge, name: envoy}]", 0, v1alpha1.SourceEnvoyGateway},
		"one that does not exist": {"[{namespace: edge, name: gone}]", 0, ""},
		"a mesh":                  {"[{group: '', kind: Service, name: gke}]", 0, ""},
		"none":                    {"[]", 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			route := render.Parse(t, "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {namespace: shop, name: web}\n"+
				"spec: {parentRefs: "+row.parents+", rules: [{backendRefs: [{name: web, port: 80}]}]}\n")
			if got := slowest(router.classesOf(t.Context(), trafficrouting.Target{Informed: true}, route)); got != row.want {
				t.Errorf("settle time %s, want %s", got, row.want)
			}
			if got := countedBy(router.classesOf(t.Context(), trafficrouting.Target{Informed: true}, route)); got != row.source {
				t.Errorf("counted by %q, want %q", got, row.source)
			}
			if got := slowest(router.classesOf(t.Context(), trafficrouting.Target{}, route)); got != 0 {
				t.Errorf("settle time %s of gateways that must not be read", got)
			}
		})
	}
}
