package v1alpha1

import (
	"maps"
	"slices"
)

// Fields of spec.traffic.
const (
	// RouterGatewayAPI shares traffic by routes of the Gateway API.
	RouterGatewayAPI = "gatewayAPI"
	// RouterIstio shares traffic by VirtualServices.
	RouterIstio = "istio"
	// RouterTraefik shares traffic by TraefikServices.
	RouterTraefik = "traefik"
	// RouterNginx shares traffic by canary Ingresses.
	RouterNginx = "nginx"
	// RouterALB shares traffic by actions of Ingresses.
	RouterALB = "alb"
)

// Kinds of objects, beside routes of the Gateway API, that can share traffic.
const (
	// KindVirtualService is Istio's.
	KindVirtualService = "VirtualService"
	// KindTraefikService is Traefik's.
	KindTraefikService = "TraefikService"
	// KindIngress is that of Kubernetes, with the annotations of the controller behind it.
	KindIngress = "Ingress"
)

// Routers are the fields of spec.traffic that are set, each of which is a way of sharing traffic. An object with more than one
// is refused by the API server and by ValidateRollout.
func (t *Traffic) Routers() []string {
	set := map[string]bool{
		RouterGatewayAPI: t.GatewayAPI != nil, RouterIstio: t.Istio != nil, RouterTraefik: t.Traefik != nil,
		RouterNginx: t.Nginx != nil, RouterALB: t.ALB != nil,
	}
	maps.DeleteFunc(set, func(_ string, set bool) bool { return !set })
	return slices.Sorted(maps.Keys(set))
}

// IstioTraffic names VirtualServices in the namespace of the Rollout.
type IstioTraffic struct {
	// VirtualServices are those with a route that sends requests to the active Service. Only the weights of the active and
	// the standby Service in those routes are changed.
	// +required
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +listType=map
	// +listMapKey=name
	VirtualServices []VirtualServiceReference `json:"virtualServices"`
}

// VirtualServiceReference names one VirtualService in the namespace of the Rollout.
type VirtualServiceReference struct {
	// Name of the VirtualService.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`

	// Routes are the names of entries of spec.http that are shared, and no others are. When absent, every entry of spec.http,
	// spec.tls and spec.tcp is that sends requests to the active Service.
	// +optional
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=253
	// +listType=set
	Routes []string `json:"routes,omitempty"`
}

// TraefikTraffic names TraefikServices in the namespace of the Rollout.
type TraefikTraffic struct {
	// TraefikServices are those with a weighted list that has the active Service. Only the weights of the active and the
	// standby Service in those lists are changed; the standby Service is in them while it has a share.
	// +required
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +listType=map
	// +listMapKey=name
	TraefikServices []TraefikServiceReference `json:"traefikServices"`
}

// TraefikServiceReference names one TraefikService in the namespace of the Rollout.
type TraefikServiceReference struct {
	// Name of the TraefikService.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
}

// NginxTraffic names Ingresses of ingress-nginx in the namespace of the Rollout.
type NginxTraffic struct {
	// Ingresses are those with a path that sends requests to the active Service. They are not changed: beside each stands a
	// canary Ingress, named <ingress>-<standby Service>, while the standby Service has a share.
	// +required
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +listType=map
	// +listMapKey=name
	Ingresses []IngressReference `json:"ingresses"`
}

// IngressReference names one Ingress in the namespace of the Rollout.
type IngressReference struct {
	// Name of the Ingress.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=189
	Name string `json:"name"`
}

// ALBTraffic names actions of Ingresses in the namespace of the Rollout.
type ALBTraffic struct {
	// Ingresses are those with an action that sends requests to the active Service, and has the standby Service at weight 0.
	// Only the weights in the annotation of the action are changed.
	// +required
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +listType=map
	// +listMapKey=name
	Ingresses []ActionReference `json:"ingresses"`
}

// ActionReference names one action of an Ingress in the namespace of the Rollout.
type ActionReference struct {
	// Name of the Ingress.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`

	// Action is the name behind alb.ingress.kubernetes.io/actions. in the annotation. It defaults to the active Service.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Action string `json:"action,omitempty"`
}
