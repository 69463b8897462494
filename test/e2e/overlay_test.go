//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/demo/workload"
	"github.com/sluice-dev/sluice/test/load/stats"
	"github.com/sluice-dev/sluice/trafficrouting"
)

// Loads of requests that a step picks by what is in them.
const (
	withHeader = workload.LoadName + "-header"
	withCookie = workload.LoadName + "-cookie"
)

// TestRequestsArePicked releases to those who carry a header or a cookie before anybody else: all of their requests go to
// the candidate, none of the others' beyond its weight, and with an abort all of it goes at once. Before that, a step asks
// for what this gateway says it cannot do, and is told so.
func TestRequestsArePicked(t *testing.T) {
	t.Parallel()
	e := newEnv(t, "picked")
	picked := v1alpha1.CanaryStep{
		Match: []v1alpha1.RequestMatch{
			{Headers: []v1alpha1.ValueMatch{{Name: "x-canary", Value: "yes"}}},
			{Cookie: &v1alpha1.CookieMatch{Name: "beta", Value: "1"}},
		},
		Replicas: ptr.To[int32](2), Pause: &v1alpha1.Pause{},
	}
	mirrored := picked
	mirrored.Mirror = &v1alpha1.Mirror{Percent: ptr.To[int32](10)}
	e.install(canary(picked, untilPromoted(50)), func(spec *v1alpha1.RolloutSpec) { spec.Traffic.SettleTime = nil })
	wrote := e.routeSpec()
	e.loadGateway(rate)
	e.send(withHeader, workload.Load{Target: e.gateway, Rate: rate, Fresh: 0.1, Duration: loadFor, Header: "x-canary: yes"})
	e.send(withCookie, workload.Load{Target: e.gateway, Rate: rate, Fresh: 0.1, Duration: loadFor, Header: "Cookie: a=b; beta=1"})
	e.loadAnswered()
	from := e.mark()

	e.edit(func(spec *v1alpha1.RolloutSpec) {
		spec.Strategy, spec.Template = canary(mirrored, untilPromoted(50)), e.Template(good(v2))
	})
	rollout := e.await("the mirror is told of", func(r *v1alpha1.Rollout) bool {
		return containsAll(r.Status.Message, []string{"HTTPRouteRequestMirror", "spec.strategy.canary.steps[0]"})
	})
	e.notReady(rollout, v1alpha1.ReasonRouteUnusable, "GatewayClass traefik", "does not support HTTPRouteRequestMirror")
	e.only(v1)
	e.edit(func(spec *v1alpha1.RolloutSpec) { spec.Strategy = canary(picked, untilPromoted(50)) })

	e.await("requests are picked", atGates(0))
	e.settled(trafficrouting.SettleTraefik)
	e.picks(map[string]float64{withHeader: 100, withCookie: 100, throughGateway: 0})
	e.says(0, nil, "promote", workload.Name)
	e.await("half of the others go to v2", atGates(1))
	e.picks(map[string]float64{withHeader: 100, withCookie: 100, throughGateway: 50})
	e.says(0, nil, "abort", workload.Name)
	e.await("v2 is aborted", aborted)
	e.picks(map[string]float64{withHeader: 0, withCookie: 0, throughGateway: 0})
	if diff := cmp.Diff(wrote, e.routeSpec()); diff != "" {
		t.Errorf("the route is not what its user wrote (-want +got):\n%s", diff)
	}
	e.onlyStable()
	e.noFailures(from)
}

// settled holds how long the gateway was given, by its class, before the gates of a step began.
func (e *env) settled(want time.Duration) {
	e.t.Helper()
	text := fmt.Sprintf("gateways are given %s", want)
	if story := strings.Join(e.watched.story(), "\n"); !strings.Contains(story, text) {
		e.t.Errorf("want %q in what the Rollout said:\n%s", text, story)
	}
}

// routeSpec is what the route says.
func (e *env) routeSpec() gatewayv1.HTTPRouteSpec {
	e.t.Helper()
	route := e.Route()
	if err := e.Get(e.t.Context(), client.ObjectKeyFromObject(route), route); err != nil {
		e.t.Fatal(err)
	}
	return route.Spec
}

// picks holds which share of each load v2 answers from now on, in percent.
func (e *env) picks(want map[string]float64) {
	e.t.Helper()
	from := e.marks()
	for load, percent := range want {
		var counted stats.Tally
		eventually(e.t, "more requests of "+load, func(context.Context) (bool, string) {
			counted = e.marks()[load].Minus(from[load])
			return counted.All.Requests >= 6*rate, ""
		})
		e.within(load, counted, v2, percent)
	}
}
