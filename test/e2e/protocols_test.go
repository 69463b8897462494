//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/demo/workload"
	"github.com/sluice-dev/sluice/test/load/stats"
)

// holds is how long the long requests take.
const holds = 30 * time.Second

// TestLongRequestsAndCalls releases under requests that begin before a change of traffic and end after it, on connections
// that are kept: in HTTP/1.1, in HTTP/2, as calls of gRPC, and with answers that take 30 seconds. Pods that are told to end
// go on for longer than that, as those of every app with such answers must, so that an abort and a promotion cut none off.
func TestLongRequestsAndCalls(t *testing.T) {
	t.Parallel()
	e := newEnv(t, "protocols")
	e.Drain = holds + 5*time.Second
	e.create(e.Calls())
	e.install(canary(untilPromoted(50)), func(spec *v1alpha1.RolloutSpec) {
		spec.Traffic.GatewayAPI.Routes = append(spec.Traffic.GatewayAPI.Routes, v1alpha1.RouteReference{
			Kind: v1alpha1.RouteKindGRPC, Name: workload.CallsName,
		})
	})
	e.loadProtocols()
	from := e.marks()

	e.release(good(v2))
	e.await("half the traffic on v2", atGates(0))
	e.eachProtocol(from, "half the traffic on v2", v2)
	e.says(0, nil, "abort", workload.Name)
	e.await("v2 is aborted", aborted)
	aborted := e.marks()
	e.eachProtocol(aborted, "after the abort", v1)
	e.says(0, nil, "retry", workload.Name)
	e.await("half the traffic on v2 again", atGates(0))
	e.says(0, nil, "promote", workload.Name)
	e.await("v2 is promoted", healthy)
	promoted := e.marks()
	e.onlyStable()
	e.eachProtocol(promoted, "after the promotion", v2)
	for name, report := range e.reports() {
		sum := report.Total.Minus(from[name])
		t.Logf("%-13s %6d requests, %d failed: %+v", name, sum.All.Requests, sum.All.Bad(), sum.Versions)
		if sum.All.Bad() != 0 {
			t.Errorf("%s: %d of %d requests failed: %s", name, sum.All.Bad(), sum.All.Requests, e.failures())
		}
	}
}

// loadProtocols begins a load for each way of asking, all of them through the gateway.
func (e *env) loadProtocols() {
	e.t.Helper()
	base := workload.Load{Target: e.gateway, Rate: rate, Duration: loadFor}
	kept, http2, calls, long := base, base, base, base
	http2.Protocol = "h2c"
	calls.Protocol, calls.Host = "grpc", e.CallsHostname()
	long.Target, long.Rate, long.Timeout = fmt.Sprintf("%s/hold?for=%s", e.gateway, holds), 2, holds+15*time.Second
	e.send("load-kept", kept)
	e.send("load-http2", http2)
	e.send("load-calls", calls)
	e.loadAnswered()
	e.send("load-long", long)
	eventually(e.t, "the first long request is answered", func(ctx context.Context) (bool, string) {
		report, err := stats.Read(ctx, e.plain, e.Namespace, "load-long", 4)
		if err != nil {
			return false, err.Error()
		}
		return report.Total.All.Requests > 0, fmt.Sprintf("%+v", report.Total.All)
	})
}

// marks are the counts of each load now.
func (e *env) marks() map[string]stats.Tally {
	e.t.Helper()
	out := map[string]stats.Tally{}
	for name, report := range e.reports() {
		out[name] = report.Total
	}
	return out
}

// eachProtocol waits until a version has answered requests of every load since a mark.
func (e *env) eachProtocol(since map[string]stats.Tally, when, version string) {
	e.t.Helper()
	eventually(e.t, fmt.Sprintf("%s answers every load %s", version, when), func(context.Context) (bool, string) {
		for name, now := range e.marks() {
			counted := now.Minus(since[name])
			if counted.Versions[version].Requests == 0 {
				return false, fmt.Sprintf("%s: %+v", name, counted)
			}
		}
		return true, ""
	})
}
