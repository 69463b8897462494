package trafficrouting

import (
	"errors"
	"fmt"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// Routers is the one list of routers: a field for each way of sharing traffic that a spec can name. Whoever starts the
// controllers fills it.
type Routers struct {
	// GatewayAPI writes weights on Gateway API routes: spec.traffic.gatewayAPI.
	GatewayAPI Router
	// Istio writes weights on VirtualServices: spec.traffic.istio.
	Istio Router
	// Traefik writes weights on TraefikServices: spec.traffic.traefik.
	Traefik Router
	// Nginx keeps canary Ingresses of ingress-nginx: spec.traffic.nginx.
	Nginx Router
}

// For returns the router that a spec asks for, and what it is to act on. It is an error to ask for a Rollout that moves
// traffic by Service selectors (see RolloutSpec.UsesRoutes), or without Services.
func (r Routers) For(namespace string, spec *v1alpha1.RolloutSpec) (Router, Target, error) {
	if spec.Services == nil {
		return nil, Target{}, errors.New("spec.services: missing: name the Service that callers use as services.active")
	}
	if !spec.UsesRoutes() {
		return nil, Target{}, errors.New("spec.traffic: names no router: name the routes in traffic.gatewayAPI.routes")
	}
	name := spec.Traffic.Routers()[0]
	router := r.named(name)
	if router == nil {
		return nil, Target{}, fmt.Errorf("spec.traffic.%s: this controller was started without a router for it", name)
	}
	return router, Target{
		Namespace: namespace,
		Routes:    RoutesOf(namespace, spec),
		Active:    spec.Services.Active,
		Standby:   spec.Services.StandbyName(),
	}, nil
}

// named is the router behind a field of spec.traffic.
func (r Routers) named(field string) Router {
	switch field {
	case v1alpha1.RouterGatewayAPI:
		return r.GatewayAPI
	case v1alpha1.RouterIstio:
		return r.Istio
	case v1alpha1.RouterTraefik:
		return r.Traefik
	case v1alpha1.RouterNginx:
		return r.Nginx
	}
	return nil
}

// RoutesOf are the objects that a spec names, in its order.
func RoutesOf(namespace string, spec *v1alpha1.RolloutSpec) []Route {
	traffic := spec.Traffic
	var out []Route
	add := func(list string, route Route) {
		route.Namespace, route.Field = namespace, fmt.Sprintf("spec.traffic.%s[%d]", list, len(out))
		out = append(out, route)
	}
	switch {
	case traffic == nil:
	case traffic.GatewayAPI != nil:
		for _, ref := range traffic.GatewayAPI.Routes {
			add("gatewayAPI.routes", Route{Kind: ref.KindOrDefault(), Name: ref.Name, Rules: ref.Rules})
		}
	case traffic.Istio != nil:
		for _, ref := range traffic.Istio.VirtualServices {
			add("istio.virtualServices", Route{Kind: v1alpha1.KindVirtualService, Name: ref.Name, Rules: ref.Routes})
		}
	case traffic.Traefik != nil:
		for _, ref := range traffic.Traefik.TraefikServices {
			add("traefik.traefikServices", Route{Kind: v1alpha1.KindTraefikService, Name: ref.Name})
		}
	case traffic.Nginx != nil:
		for _, ref := range traffic.Nginx.Ingresses {
			add("nginx.ingresses", Route{
				Kind: v1alpha1.KindIngress, Name: ref.Name, Companion: ref.Name + "-" + spec.Services.StandbyName(),
			})
		}
	}
	return out
}
