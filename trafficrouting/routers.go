package trafficrouting

import (
	"cmp"
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
	// ALB writes weights in actions of Ingresses for the AWS Load Balancer Controller: spec.traffic.alb.
	ALB Router
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
	overlays, _ := spec.Overlays()
	if len(overlays) == 1 {
		overlays = nil
	}
	return router, Target{
		Namespace: namespace,
		Overlays:  overlays,
		Routes:    RoutesOf(namespace, spec),
		Selectors: SelectorsOf(namespace, spec),
		Active:    spec.Services.Active,
		Standby:   spec.Services.StandbyName(),
	}, nil
}

// named is the router behind a field of spec.traffic.
func (r Routers) named(field string) Router {
	return map[string]Router{
		v1alpha1.RouterGatewayAPI: r.GatewayAPI,
		v1alpha1.RouterIstio:      r.Istio,
		v1alpha1.RouterTraefik:    r.Traefik,
		v1alpha1.RouterNginx:      r.Nginx,
		v1alpha1.RouterALB:        r.ALB,
	}[field]
}

// RoutesOf are the objects that a spec names, in its order, and those that it has templates of.
func RoutesOf(namespace string, spec *v1alpha1.RolloutSpec) []Route {
	if !spec.UsesRoutes() {
		return nil
	}
	out, list := ingressesOf(spec)
	switch traffic := spec.Traffic; {
	case traffic.GatewayAPI != nil:
		list = "gatewayAPI.routes"
		for _, ref := range traffic.GatewayAPI.Routes {
			out = append(out, Route{Kind: ref.KindOrDefault(), Namespace: ref.Namespace, Name: ref.Name, Rules: ref.Rules})
		}
	case traffic.Istio != nil:
		list = "istio.virtualServices"
		for _, ref := range traffic.Istio.VirtualServices {
			out = append(out, Route{Kind: v1alpha1.KindVirtualService, Name: ref.Name, Rules: ref.Routes})
		}
	case traffic.Traefik != nil:
		list = "traefik.traefikServices"
		for _, ref := range traffic.Traefik.TraefikServices {
			out = append(out, Route{Kind: v1alpha1.KindTraefikService, Name: ref.Name})
		}
	}
	for i := range out {
		out[i].Namespace, out[i].Field = cmp.Or(out[i].Namespace, namespace), fmt.Sprintf("spec.traffic.%s[%d]", list, i)
	}
	return append(out, madeBy(namespace, spec.Traffic.GatewayAPI)...)
}

// madeBy are the routes that a spec has templates of.
func madeBy(namespace string, traffic *v1alpha1.GatewayAPITraffic) []Route {
	if traffic == nil {
		return nil
	}
	var out []Route
	for i := range traffic.Templates {
		t := &traffic.Templates[i]
		out = append(out, Route{
			Kind: t.KindOrDefault(), Namespace: namespace, Name: t.Name, Rules: t.Rules, Template: templateOf(t),
			Field: fmt.Sprintf("spec.traffic.gatewayAPI.templates[%d]", i),
		})
	}
	return out
}

// ingressesOf are the Ingresses that a spec names, and the field that names them.
func ingressesOf(spec *v1alpha1.RolloutSpec) (out []Route, list string) {
	switch traffic := spec.Traffic; {
	case traffic.Nginx != nil:
		for _, ref := range traffic.Nginx.Ingresses {
			out = append(out, Route{
				Kind: v1alpha1.KindIngress, Name: ref.Name, Companion: ref.Name + "-" + spec.Services.StandbyName(),
			})
		}
		return out, "nginx.ingresses"
	case traffic.ALB != nil:
		for _, ref := range traffic.ALB.Ingresses {
			route := Route{Kind: v1alpha1.KindIngress, Name: ref.Name}
			if ref.Action != "" {
				route.Rules = []string{ref.Action}
			}
			out = append(out, route)
		}
		return out, "alb.ingresses"
	}
	return nil, ""
}

// SelectorsOf are the selectors of a spec, in its order.
func SelectorsOf(namespace string, spec *v1alpha1.RolloutSpec) []Selector {
	if spec.Traffic == nil || spec.Traffic.GatewayAPI == nil {
		return nil
	}
	var out []Selector
	for i, s := range spec.Traffic.GatewayAPI.Selectors {
		out = append(out, Selector{
			Kind: s.KindOrDefault(), Namespace: namespace, Labels: s.MatchLabels, Rules: s.Rules,
			Field: fmt.Sprintf("spec.traffic.gatewayAPI.selectors[%d]", i),
		})
	}
	return out
}
