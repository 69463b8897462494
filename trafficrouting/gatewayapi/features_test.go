package gatewayapi

import (
	"strings"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/golden/render"
	"github.com/sluice-dev/sluice/trafficrouting"
)

func TestWhatAClassCannotDoIsToldBefore(t *testing.T) {
	gateway := &gatewayv1.Gateway{Spec: gatewayv1.GatewaySpec{GatewayClassName: "edge"}}
	gateway.Namespace, gateway.Name = "shop", "public"
	class := func(features ...gatewayv1.FeatureName) *gatewayv1.GatewayClass {
		out := &gatewayv1.GatewayClass{}
		out.Name = "edge"
		for _, f := range features {
			out.Status.SupportedFeatures = append(out.Status.SupportedFeatures, gatewayv1.SupportedFeature{Name: f})
		}
		return out
	}
	const text = "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {namespace: shop, name: web}\n" +
		"spec: {parentRefs: [{name: public}], rules: [{backendRefs: [{name: web, port: 80}]}]}\n"
	for name, row := range map[string]struct {
		objects []client.Object
		step    string
		want    string
	}{
		"a mirror of a part": {
			[]client.Object{gateway, class("HTTPRoute", "HTTPRouteRequestMirror")}, "mirror: {percent: 10}", "HTTPRouteRequestPercentageMirror",
		},
		"a mirror of all":                {[]client.Object{gateway, class("HTTPRoute", "HTTPRouteRequestMirror")}, "mirror: {percent: 100}", ""},
		"no mirror at all":               {[]client.Object{gateway, class("HTTPRoute")}, "mirror: {percent: 100}", "HTTPRouteRequestMirror"},
		"a query parameter":              {[]client.Object{gateway, class("HTTPRoute")}, `match: [{queryParams: [{name: a, value: b}]}]`, "HTTPRouteQueryParamMatching"},
		"a header":                       {[]client.Object{gateway, class("HTTPRoute")}, `match: [{headers: [{name: a, value: b}]}]`, ""},
		"a class that says nothing":      {[]client.Object{gateway, class()}, "mirror: {percent: 10}", ""},
		"a gateway that cannot be found": {nil, "mirror: {percent: 10}", ""},
	} {
		t.Run(name, func(t *testing.T) {
			router := New(fakeServer(t, row.objects...), nil, nil)
			route := render.Parse(t, text)
			classes := router.classesOf(t.Context(), trafficrouting.Target{Informed: true}, route)
			err := lacking(route, classes, []v1alpha1.Overlay{{}, overlayOf(t, row.step)})
			if (err != nil) != (row.want != "") || err != nil && !strings.Contains(err.Error(), "does not support "+row.want+":") {
				t.Errorf("error is %v, want one that %q is not supported", err, row.want)
			}
		})
	}
}

// The features are those that Traefik 3.6 reports, as far as they are about headers.
func TestClientsAreKeptOnlyWhereAGatewayCan(t *testing.T) {
	sticky := []v1alpha1.Overlay{{}, {Cohorts: &v1alpha1.Cohorts{Cookie: "web-cohort", Weight: 100}}}
	for want, names := range map[string][]gatewayv1.FeatureName{
		"": {"HTTPRoute", "HTTPRouteResponseHeaderModification", "HTTPRouteBackendRequestHeaderModification"},
		"cannot keep clients with a version: GatewayClass edge of Gateway shop/public does not support " +
			"HTTPRouteBackendRequestHeaderModification, and so cannot set a cookie that says which backend has answered: remove sticky, " +
			"or use another gateway": {"HTTPRoute", "HTTPRouteResponseHeaderModification"},
	} {
		c := class{name: "edge", parent: parent{group: gatewayv1.GroupName, kind: gatewayKind, namespace: "shop", name: "public"}}
		for _, name := range names {
			c.features = append(c.features, gatewayv1.SupportedFeature{Name: name})
		}
		got := ""
		if err := c.unsupported(sticky); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
