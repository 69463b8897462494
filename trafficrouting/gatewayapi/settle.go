package gatewayapi

import (
	"time"

	"github.com/sluice-dev/sluice/trafficrouting"
)

// SettleTime is how long a gateway takes from its report on a route until the change is in force everywhere, by the
// controller that its class names. It is 0 for a controller of which nothing is known but that it hands changes out as fast
// as it can, as those do that stream them to Envoy: what every gateway is given will do.
func SettleTime(controller string) time.Duration {
	switch controller {
	case "traefik.io/gateway-controller":
		return trafficrouting.SettleTraefik
	case "istio.io/gateway-controller":
		return trafficrouting.SettleIstio
	case "networking.gke.io/gateway":
		return trafficrouting.SettleGKE
	case "gateway.k8s.aws/alb", "gateway.k8s.aws/nlb":
		return trafficrouting.SettleAWS
	}
	return 0
}

// slowest is the settle time of a route with several parents: all of them must have taken a change in.
func slowest(classes []class) time.Duration {
	out := time.Duration(0)
	for _, c := range classes {
		out = max(out, SettleTime(c.controller))
	}
	return out
}
