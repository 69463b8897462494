//go:build apiserver

package apiserver_test

import (
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/test/apiserver/env"
	"github.com/sluice-dev/sluice/trafficrouting"
	"github.com/sluice-dev/sluice/trafficrouting/alb"
	"github.com/sluice-dev/sluice/trafficrouting/istio"
	"github.com/sluice-dev/sluice/trafficrouting/nginx"
	"github.com/sluice-dev/sluice/trafficrouting/routertest"
	"github.com/sluice-dev/sluice/trafficrouting/traefik"
)

// TestOtherRoutersConformance holds the other routers to their promises, with the published definitions of their kinds.
func TestOtherRoutersConformance(t *testing.T) {
	for name, tc := range map[string]struct {
		shape    routertest.Shape
		router   func(client.Client, meta.RESTMapper) trafficrouting.Router
		features routertest.Features
	}{
		"istio": {
			shape: routertest.VirtualServices(),
			router: func(c client.Client, served meta.RESTMapper) trafficrouting.Router {
				return istio.New(c, c, served)
			},
			features: routertest.Features{Others: true, Unreported: true},
		},
		"alb": {
			shape: routertest.Actions(),
			router: func(c client.Client, served meta.RESTMapper) trafficrouting.Router {
				return alb.New(c, c, served)
			},
			features: routertest.Features{Unreported: true},
		},
		"traefik": {
			shape: routertest.TraefikServices(),
			router: func(c client.Client, served meta.RESTMapper) trafficrouting.Router {
				return traefik.New(c, c, served)
			},
			features: routertest.Features{Others: true, Unreported: true},
		},
	} {
		t.Run(name, func(t *testing.T) {
			routertest.Run(t, func(t *testing.T) routertest.World {
				t.Helper()
				e := env.Start(t)
				c, err := client.NewWithWatch(e.Config, client.Options{Scheme: e.Scheme})
				if err != nil {
					t.Fatal(err)
				}
				return routertest.NewObjects(c, e.Namespace, tc.shape, func(c client.Client) trafficrouting.Router {
					return tc.router(c, c.RESTMapper())
				})
			}, tc.features)
		})
	}
}

// TestNginxConformance holds the router of ingress-nginx to its promises.
func TestNginxConformance(t *testing.T) {
	routertest.Run(t, func(t *testing.T) routertest.World {
		t.Helper()
		e := env.Start(t)
		c, err := client.NewWithWatch(e.Config, client.Options{Scheme: e.Scheme})
		if err != nil {
			t.Fatal(err)
		}
		return routertest.NewIngresses(c, e.Namespace, func(c client.Client) trafficrouting.Router { return nginx.New(c, c) })
	}, routertest.Features{Unreported: true})
}
