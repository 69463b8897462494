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
	if r.GatewayAPI == nil {
		return nil, Target{}, errors.New("spec.traffic.gatewayAPI: this controller was started without a Gateway API router")
	}
	return r.GatewayAPI, Target{
		Namespace: namespace,
		Routes:    gatewayRoutes(namespace, spec.Traffic.GatewayAPI),
		Active:    spec.Services.Active,
		Standby:   spec.Services.StandbyName(),
	}, nil
}

// gatewayRoutes are the routes that a spec names.
func gatewayRoutes(namespace string, traffic *v1alpha1.GatewayAPITraffic) []Route {
	out := make([]Route, 0, len(traffic.Routes))
	for i, ref := range traffic.Routes {
		out = append(out, Route{
			Kind: ref.KindOrDefault(), Namespace: namespace, Name: ref.Name, Rules: ref.Rules,
			Field: fmt.Sprintf("spec.traffic.gatewayAPI.routes[%d]", i),
		})
	}
	return out
}
