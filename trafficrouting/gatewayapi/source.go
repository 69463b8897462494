package gatewayapi

import "github.com/sluice-dev/sluice/api/v1alpha1"

// SourceOf is what counts the requests of a gateway, by the controller that its class names; empty for one of which that is
// not known.
func SourceOf(controller string) v1alpha1.MetricSource {
	switch controller {
	case "traefik.io/gateway-controller":
		return v1alpha1.SourceTraefik
	case "istio.io/gateway-controller":
		return v1alpha1.SourceIstio
	case "projectcontour.io/gateway-controller":
		return v1alpha1.SourceContour
	case "gateway.envoyproxy.io/gatewayclass-controller":
		return v1alpha1.SourceEnvoyGateway
	case "gateway.nginx.org/nginx-gateway-controller":
		return v1alpha1.SourceNginx
	case "haproxy-ingress.github.io/controller":
		return v1alpha1.SourceHAProxy
	}
	return ""
}

// countedBy is what counts the requests of a route; empty when its parents differ, since each counts its own only.
func countedBy(classes []class) v1alpha1.MetricSource {
	if len(classes) == 0 {
		return ""
	}
	source := SourceOf(classes[0].controller)
	for _, c := range classes[1:] {
		if SourceOf(c.controller) != source {
			return ""
		}
	}
	return source
}
