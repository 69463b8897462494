package builder

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// HTTPPort is the port of every Service and backend that is built here.
const HTTPPort = 80

// Service makes one that picks pods by the label app with the given value, and sends port 80 to the port called http.
func Service(namespace, name, app string) *corev1.Service {
	return &corev1.Service{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: corev1.ServiceSpec{
			Selector: map[string]string{"app": app},
			Ports:    []corev1.ServicePort{{Name: "http", Port: HTTPPort, TargetPort: intstr.FromString("http")}},
		},
	}
}

// HTTPRouteBuilder makes an HTTPRoute.
type HTTPRouteBuilder struct {
	route gatewayv1.HTTPRoute
}

// HTTPRoute starts one that hangs on the Gateway of the given name, in the namespace of the route.
func HTTPRoute(name, gateway string) *HTTPRouteBuilder {
	return &HTTPRouteBuilder{route: gatewayv1.HTTPRoute{
		TypeMeta:   metav1.TypeMeta{APIVersion: gatewayv1.GroupVersion.String(), Kind: "HTTPRoute"},
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: gatewayv1.HTTPRouteSpec{
			CommonRouteSpec: gatewayv1.CommonRouteSpec{
				ParentRefs: []gatewayv1.ParentReference{{Name: gatewayv1.ObjectName(gateway)}},
			},
		},
	}}
}

// Namespace puts the route into a namespace.
func (b *HTTPRouteBuilder) Namespace(namespace string) *HTTPRouteBuilder {
	b.route.Namespace = namespace
	return b
}

// Rule adds a rule that sends requests below a path to Services, all with the weight that the Gateway API gives to
// backends without one.
func (b *HTTPRouteBuilder) Rule(path string, services ...string) *HTTPRouteBuilder {
	rule := gatewayv1.HTTPRouteRule{Matches: []gatewayv1.HTTPRouteMatch{{
		Path: &gatewayv1.HTTPPathMatch{Type: ptr.To(gatewayv1.PathMatchPathPrefix), Value: ptr.To(path)},
	}}}
	for _, service := range services {
		rule.BackendRefs = append(rule.BackendRefs, gatewayv1.HTTPBackendRef{BackendRef: gatewayv1.BackendRef{
			BackendObjectReference: gatewayv1.BackendObjectReference{
				Name: gatewayv1.ObjectName(service), Port: ptr.To[gatewayv1.PortNumber](HTTPPort),
			},
		}})
	}
	b.route.Spec.Rules = append(b.route.Spec.Rules, rule)
	return b
}

// Obj returns the route.
func (b *HTTPRouteBuilder) Obj() *gatewayv1.HTTPRoute { return b.route.DeepCopy() }

// RouteMapper knows the kinds of the Gateway API, in the version v1, as the mapper of a cluster does that serves them all.
func RouteMapper() meta.RESTMapper {
	var kinds []schema.GroupVersionKind
	for _, kind := range append(v1alpha1.RouteKinds(), "ReferenceGrant") {
		kinds = append(kinds, RouteKind(kind))
	}
	return Mapper(kinds...)
}

// Mapper knows kinds with namespaces, as the mapper of a cluster does that serves them.
func Mapper(kinds ...schema.GroupVersionKind) meta.RESTMapper {
	mapper := meta.NewDefaultRESTMapper(nil)
	for _, kind := range kinds {
		mapper.Add(kind, meta.RESTScopeNamespace)
	}
	return mapper
}

// RouteKind is a kind of route in the version v1.
func RouteKind(kind string) schema.GroupVersionKind {
	return schema.GroupVersionKind{Group: gatewayv1.GroupName, Version: "v1", Kind: kind}
}

// Template is what a Rollout makes the route of, in its own namespace.
func (b *HTTPRouteBuilder) Template() v1alpha1.RouteTemplate {
	return v1alpha1.RouteTemplate{
		Kind: v1alpha1.RouteKindHTTP, Name: b.route.Name,
		Metadata: v1alpha1.RouteMetadata{Labels: b.route.Labels, Annotations: b.route.Annotations},
		Spec:     runtime.RawExtension{Raw: mustJSON(b.route.Spec)},
	}
}
