package gatewayapi

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/builder"
	"github.com/sluice-dev/sluice/test/golden/render"
	"github.com/sluice-dev/sluice/trafficrouting"
)

const publicGateway = `apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {namespace: edge, name: public}
spec:
  gatewayClassName: traefik
  listeners:
  - {name: raw, port: 9000, protocol: TCP}
  - {name: secure, port: 443, protocol: HTTPS, hostname: "*.example.com"}
  - {name: web, port: 80, protocol: HTTP}
  - {name: other, port: 8080, protocol: HTTP}
status: {addresses: [{type: example.com/named, value: x}, {type: IPAddress, value: 10.77.0.1}]}
`

func TestDoors(t *testing.T) {
	const through, route = "HTTPRoute shop/web through ", "rules: [{backendRefs: [{name: web, port: 80}]}]"
	web := trafficrouting.Door{Through: through + "Gateway edge/public, listener web", Address: "10.77.0.1", Port: 80, Path: "/"}
	with := func(change func(*trafficrouting.Door)) []trafficrouting.Door {
		out := web
		change(&out)
		return []trafficrouting.Door{out}
	}
	for name, row := range map[string]struct {
		parents, gateway, spec string
		probe                  v1alpha1.TrafficProbe
		want                   []trafficrouting.Door
		err                    string
	}{
		"the first listener of HTTP": {spec: route, want: with(func(*trafficrouting.Door) {})},
		"that of the section": {
			parents: "[{namespace: edge, name: public, sectionName: other}]", spec: route,
			want: with(func(d *trafficrouting.Door) {
				d.Through, d.Port = through+"Gateway edge/public, listener other", 8080
			}),
		},
		"that of the port, of HTTPS": {
			parents: "[{namespace: edge, name: public, port: 443}]", spec: route,
			want: with(func(d *trafficrouting.Door) {
				d.Through, d.Port, d.TLS, d.Host = through+"Gateway edge/public, listener secure", 443, true, "sluice-probe.example.com"
			}),
		},
		"the first hostname": {spec: "hostnames: [shop.example.com, b.example.com], " + route, want: with(func(d *trafficrouting.Door) {
			d.Host = "shop.example.com"
		})},
		"a hostname with a star": {spec: `hostnames: ["*.example.com"], ` + route, want: with(func(d *trafficrouting.Door) {
			d.Host = "sluice-probe.example.com"
		})},
		"what the probe says": {
			spec: "hostnames: [shop.example.com], " + route, probe: v1alpha1.TrafficProbe{Host: "a.example.com", Path: "/x?y=z"},
			want: with(func(d *trafficrouting.Door) { d.Host, d.Path = "a.example.com", "/x?y=z" }),
		},
		"the path of the shared rule": {
			spec: "rules: [{matches: [{path: {value: /other}}], backendRefs: [{name: other, port: 80}]}, " +
				"{matches: [{path: {value: /a}, method: POST}, {path: {value: /b}, headers: [{name: x, value: why}]}, " +
				"{path: {type: RegularExpression, value: '/c.*'}}, {path: {type: Exact, value: /d}}], backendRefs: [{name: web, port: 80}]}]",
			want: with(func(d *trafficrouting.Door) { d.Path = "/d" }),
		},
		"no path alone": {
			spec: "rules: [{matches: [{path: {value: /a}, method: POST}], backendRefs: [{name: web, port: 80}]}]",
			err:  "HTTPRoute shop/web: no shared rule can be asked by its path alone: write traffic.probe.path, and headers if it asks for some",
		},
		"several gateways": {
			parents: "[{namespace: edge, name: public}, {group: '', kind: Service, name: web}, {namespace: edge, name: public, sectionName: other}]",
			spec:    route, want: []trafficrouting.Door{web, with(func(d *trafficrouting.Door) {
				d.Through, d.Port = through+"Gateway edge/public, listener other", 8080
			})[0]},
		},
		"a mesh": {
			parents: "[{group: '', kind: Service, name: web}]", spec: route,
			err: "HTTPRoute shop/web: none of its parents is a Gateway, and a probe asks nothing else: remove traffic.probe",
		},
		"a gateway that is not there": {
			parents: "[{namespace: edge, name: gone}]", spec: route,
			err: "HTTPRoute shop/web: Gateway edge/gone does not exist",
		},
		"one of several that is not there": {
			parents: "[{namespace: edge, name: public}, {namespace: edge, name: gone}]", spec: route,
			err: "HTTPRoute shop/web: Gateway edge/gone does not exist",
		},
		"no listener": {
			parents: "[{namespace: edge, name: public, sectionName: raw}]", spec: route,
			err: "HTTPRoute shop/web: Gateway edge/public, section raw has no listener for the route that speaks HTTP or HTTPS",
		},
		"no address": {
			gateway: strings.Split(publicGateway, "status:")[0], spec: route,
			err: "HTTPRoute shop/web: Gateway edge/public reports no address in status.addresses",
		},
		"a load balancer with a name": {
			gateway: strings.Replace(publicGateway, "{type: IPAddress, value: 10.77.0.1}", "{type: Hostname, value: lb.example.com}", 1),
			spec:    route, want: with(func(d *trafficrouting.Door) { d.Address = "lb.example.com" }),
		},
	} {
		t.Run(name, func(t *testing.T) {
			if row.gateway == "" {
				row.gateway = publicGateway
			}
			if row.parents == "" {
				row.parents = "[{namespace: edge, name: public}]"
			}
			object := render.Parse(t, "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {namespace: shop, name: web}\n"+
				"spec: {parentRefs: "+row.parents+", "+row.spec+"}\n")
			router := New(fakeServer(t, render.Parse(t, row.gateway), object), nil, builder.RouteMapper())
			target := trafficrouting.Target{
				Namespace: "shop", Active: "web", Standby: "web-standby", Informed: true,
				Routes: []trafficrouting.Route{{Kind: v1alpha1.RouteKindHTTP, Namespace: "shop", Name: "web"}},
			}
			got, err := router.Doors(t.Context(), target, row.probe)
			if text := message(err); text != row.err {
				t.Errorf("error %q, want %q", text, row.err)
			}
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Errorf("doors (-want +got):\n%s", diff)
			}
		})
	}
}

func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestDoorsOfWhatIsNoHTTPRoute(t *testing.T) {
	router := New(fakeServer(t, []client.Object{}...), nil, builder.RouteMapper())
	target := trafficrouting.Target{Informed: true, Routes: []trafficrouting.Route{{Kind: v1alpha1.RouteKindGRPC, Namespace: "shop", Name: "web"}}}
	if _, err := router.Doors(t.Context(), target, v1alpha1.TrafficProbe{}); err == nil || !strings.Contains(err.Error(), "no route is an HTTPRoute") {
		t.Errorf("error %v of a GRPCRoute", err)
	}
	target.Informed = false
	if _, err := router.Doors(t.Context(), target, v1alpha1.TrafficProbe{}); err == nil || !strings.Contains(err.Error(), "Gateways cannot be read") {
		t.Errorf("error %v without Gateways", err)
	}
}
