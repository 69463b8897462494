//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"math"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/demo/workload"
	"github.com/sluice-dev/sluice/test/load/stats"
)

// gatewayRate is the load of a release by route, in requests per second, all of it through the gateway.
const gatewayRate = 500

// TestRouteUnderFullLoad takes one Rollout through everything that moves weights: an abort and another version at each
// step, the death of the controller between writes, of the gateway, and of pods of the candidate, and a promotion.
func TestRouteUnderFullLoad(t *testing.T) {
	e := newEnv(t, "full-load")
	e.Drain = longDrain
	e.install(canary(untilPromoted(10), untilPromoted(50)))
	e.loadGateway(gatewayRate)
	e.loadAnswered()
	began, from := time.Now(), e.mark()

	e.release(good(v2))
	e.reachesStep(0)
	e.sharesWithin(v2, 10)
	e.abortsTo(v1)
	e.says(0, nil, "retry", workload.Name)
	e.reachesStep(1)
	e.sharesWithin(v2, 50)
	e.abortsTo(v1)
	e.noFailures(from)

	e.says(0, nil, "retry", workload.Name)
	e.reachesStep(0)
	e.release(good(v3))
	e.reachesStep(0)
	e.sharesWithin(v3, 10)
	e.answersNothing(v2)
	e.reachesStep(1)
	e.release(good(v2))
	e.reachesStep(0)
	e.answersNothing(v3)
	e.noFailures(from)

	e.diesBetweenWrites()
	e.noFailures(from)
	e.onlyStable()
	e.answersNothing(v1)

	e.release(good(v3))
	e.reachesStep(1)
	e.candidateDies()
	lost := e.since(from).All.Bad()
	e.sharesWithin(v3, 50)
	e.gatewayDies()
	lost = e.since(from).All.Bad() - lost
	t.Logf("%d requests failed while the gateway was down", lost)
	settled := e.mark()
	e.sharesWithin(v3, 50)
	e.abortsTo(v2)
	e.noFailures(settled)

	const least = 0.95 // The last answers are still on their way.
	sum, d := e.since(from), time.Since(began)
	t.Logf("%d requests in %s: %+v", sum.All.Requests, d, sum.Versions)
	if float64(sum.All.Requests) < least*gatewayRate*d.Seconds() {
		t.Errorf("%d requests in %s, want %d a second", sum.All.Requests, d, gatewayRate)
	}
}

// reachesStep promotes a release step by step until one of them, counted from 0, is in place.
func (e *env) reachesStep(step int32) {
	e.t.Helper()
	for i := range step {
		e.await(fmt.Sprintf("step %d is in place", i+1), atGates(i))
		e.says(0, nil, "promote", workload.Name)
	}
	e.await(fmt.Sprintf("step %d is in place", step+1), atGates(step))
}

// abortsTo aborts, and holds that one version answers everything once that is said to be done.
func (e *env) abortsTo(version string) {
	e.t.Helper()
	e.says(0, nil, "abort", workload.Name)
	e.await("the release is aborted", aborted)
	counted := e.requests(gatewayRate)
	if got := counted.Versions[version].Requests; got != counted.All.Requests {
		e.t.Errorf("%d of %d requests after an abort were answered by %s, want all: %+v", got, counted.All.Requests, version,
			counted.Versions)
	}
	e.onlyStable()
}

// answersNothing holds that a version answers no request from now on.
func (e *env) answersNothing(version string) {
	e.t.Helper()
	counted := e.requests(gatewayRate)
	if got := counted.Versions[version].Requests; got != 0 {
		e.t.Errorf("%d of %d requests were answered by %s, want none: %+v", got, counted.All.Requests, version, counted.Versions)
	}
}

// sharesWithin holds that a version answers such a share of the requests from now on, in percent, as closely as 99.9 of
// 100 binomial samples of this size would have it.
func (e *env) sharesWithin(version string, percent float64) {
	e.t.Helper()
	e.within("the load", e.requests(4*gatewayRate), version, percent)
}

// within holds that a version has answered such a share of what was counted, in percent, as closely as sharesWithin says.
func (e *env) within(what string, counted stats.Tally, version string, percent float64) {
	e.t.Helper()
	const quantile = 3.2905 // of the normal distribution, for both ends together
	n, p := float64(counted.All.Requests), percent/100
	within := quantile * math.Sqrt(n*p*(1-p))
	if p > 0 && p < 1 {
		within += 0.5
	}
	got := float64(counted.Versions[version].Requests)
	e.t.Logf("%s: %s answered %.2f %% of %.0f requests, want %.0f ± %.2f %%", what, version, 100*got/n, n, percent, 100*within/n)
	if math.Abs(got-n*p) > within {
		e.t.Errorf("%s: %s answered %.0f of %.0f requests, want %.0f ± %.0f", what, version, got, n, n*p, within)
	}
}

// diesBetweenWrites promotes the release at step 1, and takes the controller away whenever the next write of its traffic
// has been seen.
func (e *env) diesBetweenWrites() {
	e.t.Helper()
	const all = v1alpha1.MaxWeight
	writes := []struct {
		what    string
		command bool
		seen    func(context.Context) bool
	}{
		{"the weight is 50 %", true, func(ctx context.Context) bool { return e.standbyWeight(ctx) == all/2 }},
		{"the weight is 100 %", true, func(ctx context.Context) bool { return e.standbyWeight(ctx) == all }},
		{"the active Service selects v2", false, func(ctx context.Context) bool {
			return e.selected(ctx) == e.rollout(ctx).Status.UpdateRevision
		}},
		{"the weight is 0 again", false, func(ctx context.Context) bool { return e.standbyWeight(ctx) == 0 }},
	}
	for _, w := range writes {
		if w.command {
			e.says(0, nil, "promote", workload.Name)
		}
		eventually(e.t, w.what, func(ctx context.Context) (bool, string) { return w.seen(ctx), summary(e.rollout(ctx)) })
		e.deleteController()
		if w.command && e.standbyWeight(e.t.Context()) == all/2 {
			e.await("step 2 is in place", atGates(1))
		}
	}
	e.await("v2 is promoted", healthy)
}

// standbyWeight is the share of the standby Service that the route says, in tenths of a percent.
func (e *env) standbyWeight(ctx context.Context) int32 {
	e.t.Helper()
	route := e.Route()
	if err := e.Get(ctx, client.ObjectKeyFromObject(route), route); err != nil {
		if ctx.Err() == nil {
			e.t.Fatal(err)
		}
		return -1
	}
	var sum, standby int32
	for _, ref := range route.Spec.Rules[0].BackendRefs {
		weight := ptr.Deref(ref.Weight, 1)
		sum += weight
		if ref.Name == workload.Standby {
			standby += weight
		}
	}
	return v1alpha1.MaxWeight * standby / sum
}

// selected is the revision that the active Service selects.
func (e *env) selected(ctx context.Context) string {
	e.t.Helper()
	service := e.Service()
	if err := e.Get(ctx, client.ObjectKeyFromObject(service), service); err != nil && ctx.Err() == nil {
		e.t.Fatal(err)
	}
	return service.Spec.Selector[v1alpha1.LabelPodTemplateHash]
}

// candidateDies ends every pod of the candidate without a moment's notice. Requests fail until the gateway has heard of
// it, and none after that, while the pods are replaced and get their share again.
func (e *env) candidateDies() {
	e.t.Helper()
	before := e.mark()
	candidate := e.rollout(e.t.Context()).Status.UpdateRevision
	dead := map[string]bool{}
	for _, pod := range e.podsOf(candidate) {
		dead[pod.Name] = true
		if err := e.Delete(e.t.Context(), &pod, &client.DeleteOptions{GracePeriodSeconds: ptr.To[int64](0)}); err != nil {
			e.t.Fatal(err)
		}
	}
	e.await("v3 has lost its traffic, or has pods again", func(r *v1alpha1.Rollout) bool {
		return r.Status.Weight == "0" || e.ready(candidate, dead) > 0
	})
	e.requests(gatewayRate)
	heard := e.mark()
	e.await("v3 has its traffic again", func(r *v1alpha1.Rollout) bool {
		return e.ready(candidate, dead) >= 2 && r.Status.Weight == "50"
	})
	e.requests(gatewayRate)
	e.noFailures(heard)
	e.t.Logf("%d requests failed on pods that were gone", heard.Minus(before).All.Bad())
}

// ready counts ready pods of a revision that are not among others.
func (e *env) ready(revision string, others map[string]bool) int {
	e.t.Helper()
	n := 0
	for _, pod := range e.podsOf(revision) {
		if isReady(pod) && !others[pod.Name] {
			n++
		}
	}
	return n
}

// gatewayDies ends the gateway without a moment's notice and starts it again.
func (e *env) gatewayDies() {
	e.t.Helper()
	e.t.Cleanup(func() { e.component(e.t, "start", "traefik") })
	e.component(e.t, "kill", "traefik")
	e.component(e.t, "start", "traefik")
	const whole = 2 // seconds without a failure, after the one in which it was started: that may be the one in which it died
	var started int64
	eventually(e.t, "the gateway serves again", func(ctx context.Context) (bool, string) {
		report, err := stats.Read(ctx, e.plain, e.Namespace, throughGateway, 4)
		if err != nil {
			return false, err.Error()
		}
		now := report.Now.Unix()
		if started == 0 {
			started = now
		}
		lately := report.Last(whole).All
		return now-whole > started && lately.Requests > 0 && lately.Bad() == 0, fmt.Sprintf("%+v", lately)
	})
}

// TestPodsThatEndAtOnce releases an app that stops answering in the moment in which it is told to end, wherever weight or a
// selector can leave its pods first: after a promotion, an abort and another version. Nothing may be on its way to a pod
// by then.
func TestPodsThatEndAtOnce(t *testing.T) {
	t.Parallel()
	strategies := map[string]struct {
		strategy v1alpha1.Strategy
		changes  []func(*v1alpha1.RolloutSpec)
	}{
		"canary-by-route":       {strategy: canary(untilPromoted(50))},
		"bluegreen-by-route":    {strategy: workload.BlueGreen(0)},
		"bluegreen-by-selector": {strategy: workload.BlueGreen(0), changes: []func(*v1alpha1.RolloutSpec){withoutRoutes}},
	}
	for name, c := range strategies {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t, "at-once-"+name)
			e.Drain = 0
			if c.strategy.Canary != nil {
				c.strategy.Canary.ScaleDownDelay = &metav1.Duration{}
			} else {
				c.strategy.BlueGreen.AutoPromote, c.strategy.BlueGreen.PostPromotionAnalysis = ptr.To(false), nil
			}
			e.install(c.strategy, c.changes...)
			e.loadGateway(rate)
			e.loadConnections(rate, 1)
			e.loadAnswered()
			e.endsAtOnce()
		})
	}
}

// endsAtOnce aborts a release, lets another version take its place, and promotes that.
func (e *env) endsAtOnce() {
	e.t.Helper()
	from := e.mark()
	e.release(good(v2))
	e.await("v2 waits for a person", atGates(0))
	e.says(0, nil, "abort", workload.Name)
	e.await("v2 is aborted", aborted)
	e.onlyStable()
	e.noFailures(from)

	e.says(0, nil, "retry", workload.Name)
	e.await("v2 waits for a person again", atGates(0))
	e.release(good(v3))
	e.await("v3 waits for a person", atGates(0))
	e.noFailures(from)

	e.says(0, nil, "promote", workload.Name)
	e.await("v3 is promoted", healthy)
	e.onlyStable()
	e.only(v3)
	e.noFailures(from)
}
