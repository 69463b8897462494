package trafficrouting

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// named is a router that is only told apart by its name.
type named struct{ name string }

func (named) Observe(context.Context, Target) (Observed, error)     { return Observed{}, nil }
func (named) Kinds(Target) ([]schema.GroupVersionKind, bool, error) { return nil, true, nil }
func (named) Detach(context.Context, Target) error                  { return nil }
func (named) Apply(context.Context, Target, Wanted) error           { return nil }

func TestFor(t *testing.T) {
	traffic := &v1alpha1.Traffic{GatewayAPI: &v1alpha1.GatewayAPITraffic{
		Routes: []v1alpha1.RouteReference{{Name: "web"}, {Name: "api"}},
	}}
	routes := []Route{
		{Kind: "HTTPRoute", Namespace: "shop", Name: "web", Field: "spec.traffic.gatewayAPI.routes[0]"},
		{Kind: "HTTPRoute", Namespace: "shop", Name: "api", Field: "spec.traffic.gatewayAPI.routes[1]"},
	}
	all := Routers{GatewayAPI: named{"gatewayAPI"}, Istio: named{"istio"}, Traefik: named{"traefik"}, Nginx: named{"nginx"}, ALB: named{"alb"}}
	for name, tc := range map[string]struct {
		routers    Routers
		spec       v1alpha1.RolloutSpec
		wantRouter Router
		wantTarget Target
		wantErr    string
	}{
		"routes": {
			routers: all, wantRouter: all.GatewayAPI,
			spec:       v1alpha1.RolloutSpec{Services: &v1alpha1.Services{Active: "web"}, Traffic: traffic},
			wantTarget: Target{Namespace: "shop", Routes: routes, Active: "web", Standby: "web-standby"},
		},
		"a standby with a name of its own": {
			routers: all, wantRouter: all.GatewayAPI,
			spec:       v1alpha1.RolloutSpec{Services: &v1alpha1.Services{Active: "web", Standby: "next"}, Traffic: traffic},
			wantTarget: Target{Namespace: "shop", Routes: routes, Active: "web", Standby: "next"},
		},
		"VirtualServices": {
			routers: all, wantRouter: all.Istio,
			spec: v1alpha1.RolloutSpec{Services: &v1alpha1.Services{Active: "web"}, Traffic: &v1alpha1.Traffic{
				Istio: &v1alpha1.IstioTraffic{VirtualServices: []v1alpha1.VirtualServiceReference{
					{Name: "edge"}, {Name: "mesh", Routes: []string{"primary"}},
				}},
			}},
			wantTarget: Target{Namespace: "shop", Active: "web", Standby: "web-standby", Routes: []Route{
				{Kind: "VirtualService", Namespace: "shop", Name: "edge", Field: "spec.traffic.istio.virtualServices[0]"},
				{
					Kind: "VirtualService", Namespace: "shop", Name: "mesh", Rules: []string{"primary"},
					Field: "spec.traffic.istio.virtualServices[1]",
				},
			}},
		},
		"TraefikServices": {
			routers: all, wantRouter: all.Traefik,
			spec: v1alpha1.RolloutSpec{Services: &v1alpha1.Services{Active: "web"}, Traffic: &v1alpha1.Traffic{
				Traefik: &v1alpha1.TraefikTraffic{TraefikServices: []v1alpha1.TraefikServiceReference{{Name: "web"}}},
			}},
			wantTarget: Target{Namespace: "shop", Active: "web", Standby: "web-standby", Routes: []Route{
				{Kind: "TraefikService", Namespace: "shop", Name: "web", Field: "spec.traffic.traefik.traefikServices[0]"},
			}},
		},
		"Ingresses for ingress-nginx": {
			routers: all, wantRouter: all.Nginx,
			spec: v1alpha1.RolloutSpec{Services: &v1alpha1.Services{Active: "web"}, Traffic: &v1alpha1.Traffic{
				Nginx: &v1alpha1.NginxTraffic{Ingresses: []v1alpha1.IngressReference{{Name: "shop"}}},
			}},
			wantTarget: Target{Namespace: "shop", Active: "web", Standby: "web-standby", Routes: []Route{{
				Kind: "Ingress", Namespace: "shop", Name: "shop", Companion: "shop-web-standby",
				Field: "spec.traffic.nginx.ingresses[0]",
			}}},
		},
		"Ingresses for a load balancer of AWS": {
			routers: all, wantRouter: all.ALB,
			spec: v1alpha1.RolloutSpec{Services: &v1alpha1.Services{Active: "web"}, Traffic: &v1alpha1.Traffic{
				ALB: &v1alpha1.ALBTraffic{Ingresses: []v1alpha1.ActionReference{{Name: "shop"}, {Name: "api", Action: "split"}}},
			}},
			wantTarget: Target{Namespace: "shop", Active: "web", Standby: "web-standby", Routes: []Route{
				{Kind: "Ingress", Namespace: "shop", Name: "shop", Field: "spec.traffic.alb.ingresses[0]"},
				{
					Kind: "Ingress", Namespace: "shop", Name: "api", Rules: []string{"split"},
					Field: "spec.traffic.alb.ingresses[1]",
				},
			}},
		},
		"no routes": {
			routers: all, spec: v1alpha1.RolloutSpec{Services: &v1alpha1.Services{Active: "web"}},
			wantErr: "spec.traffic: ",
		},
		"no Services": {
			routers: all, spec: v1alpha1.RolloutSpec{Traffic: traffic}, wantErr: "spec.services: ",
		},
		"no router": {
			spec:    v1alpha1.RolloutSpec{Services: &v1alpha1.Services{Active: "web"}, Traffic: traffic},
			wantErr: "spec.traffic.gatewayAPI: ",
		},
	} {
		t.Run(name, func(t *testing.T) {
			router, target, err := tc.routers.For("shop", &tc.spec)
			if (err != nil) != (tc.wantErr != "") || err != nil && !strings.HasPrefix(err.Error(), tc.wantErr) {
				t.Errorf("error is %v, want one on %q", err, tc.wantErr)
			}
			if router != tc.wantRouter {
				t.Errorf("router is %v, want %v", router, tc.wantRouter)
			}
			if diff := cmp.Diff(tc.wantTarget, target); diff != "" {
				t.Errorf("target (-want +got):\n%s", diff)
			}
		})
	}
}
