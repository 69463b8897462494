package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
)

// Kinds of routes of the Gateway API that can share traffic.
const (
	// RouteKindHTTP routes HTTP requests.
	RouteKindHTTP = "HTTPRoute"
	// RouteKindGRPC routes calls of gRPC.
	RouteKindGRPC = "GRPCRoute"
	// RouteKindTLS routes connections by the server name of their TLS handshake.
	RouteKindTLS = "TLSRoute"
	// RouteKindTCP routes connections.
	RouteKindTCP = "TCPRoute"
)

// RouteKinds are all of them.
func RouteKinds() []string { return []string{RouteKindHTTP, RouteKindGRPC, RouteKindTLS, RouteKindTCP} }

// Traffic names the objects that share traffic between the two Services, of exactly one kind.
//
// +kubebuilder:validation:XValidation:rule="[has(self.gatewayAPI), has(self.istio), has(self.traefik), has(self.nginx), has(self.alb)].filter(set, set).size() == 1",message="write exactly one way of sharing traffic: gatewayAPI, istio, traefik, nginx or alb"
// +kubebuilder:validation:XValidation:rule="!has(self.probe) || has(self.gatewayAPI)",message="a probe asks the Gateways of HTTPRoutes: remove probe, or share traffic by gatewayAPI",fieldPath=".probe"
type Traffic struct {
	// GatewayAPI shares traffic by the weights of Gateway API routes.
	// +optional
	GatewayAPI *GatewayAPITraffic `json:"gatewayAPI,omitempty"`

	// Istio shares traffic by the weights of VirtualServices.
	// +optional
	Istio *IstioTraffic `json:"istio,omitempty"`

	// Traefik shares traffic by the weights of TraefikServices.
	// +optional
	Traefik *TraefikTraffic `json:"traefik,omitempty"`

	// Nginx shares traffic by canary Ingresses of ingress-nginx.
	// +optional
	Nginx *NginxTraffic `json:"nginx,omitempty"`

	// ALB shares traffic by actions of Ingresses for the AWS Load Balancer Controller.
	// +optional
	ALB *ALBTraffic `json:"alb,omitempty"`

	// SettleTime is how long the data plane is given after each change of traffic that has been reported, and endpoints
	// before they get their first share: what a gateway or a mesh takes from its report to its last proxy. Defaults to what
	// is known of the gateways, by their class, and to the --settle-time of the controller, 2s, where that is longer.
	// +optional
	// +sluice:validation:Duration:min="0s",max="10m",example="30s"
	SettleTime *metav1.Duration `json:"settleTime,omitempty"`

	// Probe sends requests through the gateways once the settle time is over. The gates of a step begin when the candidate is
	// seen to answer its share of them; until then the release holds.
	// +optional
	Probe *TrafficProbe `json:"probe,omitempty"`
}

// GatewayAPITraffic names Gateway API routes.
//
// +kubebuilder:validation:XValidation:rule="has(self.routes) && size(self.routes) > 0 || has(self.selectors) && size(self.selectors) > 0 || has(self.templates) && size(self.templates) > 0",message="write the routes that send requests to the active Service, such as {kind: HTTPRoute, name: web}, or their labels in selectors, or what they are to be in templates",fieldPath=".routes"
// +kubebuilder:validation:XValidation:rule="!has(self.routes) || !has(self.templates) || !self.templates.exists(t, self.routes.exists(r, r.kind == t.kind && r.name == t.name && size(r.__namespace__) == 0))",message="a route is made of its template or written by you, and not both: remove it from routes, or from templates",fieldPath=".templates"
type GatewayAPITraffic struct {
	// Routes are routes with a rule that sends requests to the active Service. Only the weights of the active and the
	// standby Service in those rules are changed.
	// +optional
	// +kubebuilder:validation:MaxItems=16
	// +listType=map
	// +listMapKey=kind
	// +listMapKey=namespace
	// +listMapKey=name
	Routes []RouteReference `json:"routes,omitempty"`

	// Selectors are labels of such routes: each route of the kind that has them, in the namespace of the Rollout, is one of
	// the routes, as long as it has them. At most 32 routes are shared.
	// +optional
	// +kubebuilder:validation:MaxItems=8
	// +listType=atomic
	Selectors []RouteSelector `json:"selectors,omitempty"`

	// Templates are routes that the Rollout makes and owns, in its namespace. Each is at any time what its template says, with
	// the weights, matches and mirrors of the release in it.
	// +optional
	// +kubebuilder:validation:MaxItems=16
	// +listType=map
	// +listMapKey=kind
	// +listMapKey=name
	Templates []RouteTemplate `json:"templates,omitempty"`
}

// RouteTemplate says what a route is while the standby Service has no share of its requests.
type RouteTemplate struct {
	// Kind of the route. The version is the best one that the cluster serves.
	// +optional
	// +kubebuilder:default=HTTPRoute
	// +kubebuilder:validation:Enum=HTTPRoute;GRPCRoute;TLSRoute;TCPRoute
	Kind string `json:"kind,omitempty"`

	// Name of the route. One of the name that nobody controls is taken over as it stands, in one write.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')",message="this is not the name of a route: write lower case letters, digits, dashes and dots, such as web"
	Name string `json:"name"`

	// Metadata is what the route has of labels and annotations. Others that somebody gives it stay.
	// +optional
	Metadata RouteMetadata `json:"metadata,omitzero"`

	// Rules are names of rules of the route, those in spec.rules[].name. Only these are shared. When empty, every rule that
	// sends requests to the active Service is.
	// +optional
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=253
	// +listType=set
	Rules []string `json:"rules,omitempty"`

	// Spec is that of the route. It is kept as it was written, with fields that this version of Sluice does not know. Rules that
	// are to be shared name the active Service, and the standby Service not at all, or with a weight of 0.
	// +required
	// +kubebuilder:pruning:PreserveUnknownFields
	Spec runtime.RawExtension `json:"spec"`
}

// RouteMetadata are labels and annotations of a route.
type RouteMetadata struct {
	// Labels of the route.
	// +optional
	// +kubebuilder:validation:MaxProperties=64
	Labels map[string]string `json:"labels,omitempty"`
	// Annotations of the route.
	// +optional
	// +kubebuilder:validation:MaxProperties=64
	Annotations map[string]string `json:"annotations,omitempty"`
}

// RouteSelector picks routes in the namespace of the Rollout by their labels.
type RouteSelector struct {
	// Kind of the routes. The version is the best one that the cluster serves.
	// +optional
	// +kubebuilder:default=HTTPRoute
	// +kubebuilder:validation:Enum=HTTPRoute;GRPCRoute;TLSRoute;TCPRoute
	Kind string `json:"kind,omitempty"`

	// MatchLabels are labels that a route must have, all of them.
	// +required
	// +kubebuilder:validation:MinProperties=1
	// +kubebuilder:validation:MaxProperties=16
	MatchLabels map[string]string `json:"matchLabels"`

	// Rules are names of rules of the routes, those in spec.rules[].name. Only these are shared. When empty, every rule that
	// sends requests to the active Service is.
	// +optional
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=253
	// +listType=set
	Rules []string `json:"rules,omitempty"`
}

// RouteReference names one route.
type RouteReference struct {
	// Kind of the route. The version is the best one that the cluster serves.
	// +optional
	// +kubebuilder:default=HTTPRoute
	// +kubebuilder:validation:Enum=HTTPRoute;GRPCRoute;TLSRoute;TCPRoute
	Kind string `json:"kind,omitempty"`

	// Namespace of the route; that of the Rollout when it is empty. A route of another namespace needs two ReferenceGrants: one
	// there, that lets Rollouts of this namespace refer to routes of the kind, and one here, that lets routes of the kind
	// and of that namespace refer to both Services.
	// +optional
	// +kubebuilder:default=""
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace,omitempty"`

	// Name of the route.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`

	// Rules are names of rules of the route, those in spec.rules[].name. Only these are shared. When empty, every rule that
	// sends requests to the active Service is.
	// +optional
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=253
	// +listType=set
	Rules []string `json:"rules,omitempty"`
}

// RouteStatus is what is remembered of a route.
type RouteStatus struct {
	// Kind of the route.
	Kind string `json:"kind"`
	// Namespace of the route.
	Namespace string `json:"namespace"`
	// Name of the route.
	Name string `json:"name"`
	// UID of the route: another one of the same name is not what is remembered here.
	// +optional
	UID types.UID `json:"uid,omitempty"`
	// Before has for each managed rule its backends before the standby Service had a share of them, in order: their role,
	// port and, if one was written, weight, after the name of the rule, as in "checkout/ active:80 other:80=100".
	// +optional
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=1024
	// +listType=atomic
	Before []string `json:"before,omitempty"`
	// Template is a digest of the template that the route was last seen to be made of; empty for a route that was written by
	// somebody else.
	// +optional
	Template string `json:"template,omitempty"`
}
