package gatewayapi

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/trafficrouting"
)

var _ trafficrouting.Open = (*Router)(nil)

// Doors are the ways in to the HTTPRoutes of a target: for each of their Gateways its first address, and the first listener that
// the route is attached to and that speaks HTTP, or else HTTPS.
func (r *Router) Doors(ctx context.Context, t trafficrouting.Target, p v1alpha1.TrafficProbe) ([]trafficrouting.Door, error) {
	if !t.Informed {
		return nil, unusable("Gateways cannot be read: let the service account of the controller get, list and watch them")
	}
	var doors []trafficrouting.Door
	var first error
	for _, ref := range t.Routes {
		if ref.Kind != v1alpha1.RouteKindHTTP {
			continue
		}
		found, err := r.doorsOf(ctx, t, ref, p)
		if _, err := trafficrouting.Mend(err); err != nil {
			return nil, err
		}
		if first == nil {
			first = err
		}
		doors = append(doors, found...)
	}
	switch {
	case first != nil: // each way in has to be confirmed
		return nil, first
	case len(doors) == 0:
		return nil, unusable("no route is an HTTPRoute, and a probe asks for nothing else: remove traffic.probe")
	}
	return doors[:min(len(doors), trafficrouting.MostDoors)], nil
}

// doorsOf are the ways in to one route. The error is a *RouteError when there is none.
func (r *Router) doorsOf(ctx context.Context, t trafficrouting.Target, ref trafficrouting.Route, p v1alpha1.TrafficProbe) (
	[]trafficrouting.Door, error,
) {
	if err := r.granted(ctx, t, ref); err != nil {
		return nil, err
	}
	object, err := r.read(ctx, ref)
	if err != nil {
		return nil, err
	}
	var route gatewayv1.HTTPRoute
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &route); err != nil {
		return nil, unusable("%s: it cannot be read: %v", ref, err)
	}
	path, err := pathInto(object, splitOf(t, ref), p.Path)
	if err != nil {
		return nil, unusable("%s: %s", ref, err)
	}
	a := attachment{Spec: route.Spec.CommonRouteSpec, Status: route.Status.RouteStatus}
	var doors []trafficrouting.Door
	for _, parent := range a.wanted(ref.Namespace) {
		if parent.group != gatewayv1.GroupName || parent.kind != gatewayKind {
			continue
		}
		door, err := r.door(ctx, parent)
		if err != nil {
			return nil, unusable("%s: %s", ref, err)
		}
		door.Through = fmt.Sprintf("%s through %s", ref, door.Through)
		door.Path = path
		door.Host = cmp.Or(p.Host, hostOf(route.Spec.Hostnames), door.Host)
		doors = append(doors, door)
	}
	if len(doors) == 0 {
		return nil, unusable("%s: none of its parents is a Gateway, and a probe asks nothing else: remove traffic.probe", ref)
	}
	return doors, nil
}

// door is the way in by one Gateway. The error is a *RouteError when there is none.
func (r *Router) door(ctx context.Context, p parent) (trafficrouting.Door, error) {
	object := objectOf(gatewayKind)
	if err := r.reader.Get(ctx, client.ObjectKey{Namespace: p.namespace, Name: p.name}, object); err != nil {
		if client.IgnoreNotFound(err) != nil {
			return trafficrouting.Door{}, err
		}
		return trafficrouting.Door{}, unusable("%s does not exist", p)
	}
	var gateway gatewayv1.Gateway
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &gateway); err != nil {
		return trafficrouting.Door{}, unusable("%s cannot be read: %v", p, err)
	}
	listener, found := p.listener(gateway.Spec.Listeners)
	if !found {
		return trafficrouting.Door{}, unusable("%s has no listener for the route that speaks HTTP or HTTPS", p)
	}
	address := addressOf(gateway.Status.Addresses)
	if address == "" {
		return trafficrouting.Door{}, unusable("%s reports no address in status.addresses", p)
	}
	return trafficrouting.Door{
		Through: fmt.Sprintf("Gateway %s/%s, listener %s", p.namespace, p.name, listener.Name),
		Address: address, Port: listener.Port, TLS: listener.Protocol == gatewayv1.HTTPSProtocolType,
		Host: hostOf([]gatewayv1.Hostname{ptr.Deref(listener.Hostname, "")}),
	}, nil
}

// listener is the first one that a reference to a Gateway means and that speaks HTTP, or else HTTPS.
func (p parent) listener(all []gatewayv1.Listener) (gatewayv1.Listener, bool) {
	for _, protocol := range []gatewayv1.ProtocolType{gatewayv1.HTTPProtocolType, gatewayv1.HTTPSProtocolType} {
		for _, l := range all {
			named := p.section == "" || string(l.Name) == p.section
			if l.Protocol == protocol && named && (p.port == 0 || l.Port == p.port) {
				return l, true
			}
		}
	}
	return gatewayv1.Listener{}, false
}

// addressOf is the first address that can be connected to; empty for none.
func addressOf(all []gatewayv1.GatewayStatusAddress) string {
	for _, a := range all {
		if kind := ptr.Deref(a.Type, gatewayv1.IPAddressType); kind == gatewayv1.IPAddressType || kind == gatewayv1.HostnameAddressType {
			return a.Value
		}
	}
	return ""
}

// hostOf is a name for the first of some hostnames; empty for none.
func hostOf(hostnames []gatewayv1.Hostname) string {
	if len(hostnames) == 0 {
		return ""
	}
	if rest, wild := strings.CutPrefix(string(hostnames[0]), "*"); wild {
		return "sluice-probe" + rest
	}
	return string(hostnames[0])
}

// pathInto is the path by which requests come to a managed rule: the one that is given, or else that of the first match which asks
// for nothing else. The error is a *RouteError.
func pathInto(route *unstructured.Unstructured, s Split, given string) (string, error) {
	if given != "" {
		return given, nil
	}
	rules, err := parseRules(route, s.services(route))
	if err != nil {
		return "", err
	}
	for _, managed := range rules {
		var rule gatewayv1.HTTPRouteRule
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(managed.fields, &rule); err != nil {
			return "", unusable("%s cannot be read: %v", managed.path, err)
		}
		if len(rule.Matches) == 0 {
			return "/", nil
		}
		for _, match := range rule.Matches {
			if path := plainPath(match); path != "" {
				return path, nil
			}
		}
	}
	return "", unusable("no shared rule can be asked by its path alone: write traffic.probe.path, and headers if it asks for some")
}

// plainPath is the path of a match that any GET request for the path meets; empty for one that asks for more.
func plainPath(match gatewayv1.HTTPRouteMatch) string {
	if len(match.Headers)+len(match.QueryParams) > 0 || ptr.Deref(match.Method, gatewayv1.HTTPMethodGet) != gatewayv1.HTTPMethodGet {
		return ""
	}
	if match.Path == nil {
		return "/"
	}
	if ptr.Deref(match.Path.Type, gatewayv1.PathMatchPathPrefix) == gatewayv1.PathMatchRegularExpression {
		return ""
	}
	return ptr.Deref(match.Path.Value, "/")
}
