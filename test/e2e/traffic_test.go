//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/test/demo/workload"
	"github.com/sluice-dev/sluice/test/load/stats"
)

// loadFor is when a load ends by itself, should a test not end it.
const loadFor = 15 * time.Minute

// load sends requests through the gateway until the test ends, and waits until they are answered.
func (e *env) load() {
	e.t.Helper()
	e.loadGateway(rate)
	e.loadAnswered()
}

// loadService sends requests to the address of the active Service, without a gateway.
func (e *env) loadService() {
	e.t.Helper()
	e.loadAddress(rate)
	e.loadAnswered()
}

// Names of the pods that send load.
const (
	throughGateway = workload.LoadName + "-gateway"
	throughService = workload.LoadName + "-service"
)

// loadGateway begins to send requests through the gateway.
func (e *env) loadGateway(perSecond float64) {
	e.t.Helper()
	e.send(throughGateway, workload.Load{Target: e.gateway, Rate: perSecond, Fresh: 0.1, Duration: loadFor})
}

// loadAddress begins to send requests to the address of the active Service, half of them on connections of their own.
func (e *env) loadAddress(perSecond float64) {
	e.t.Helper()
	e.loadConnections(perSecond, 0.5)
}

// loadConnections begins to send requests to the address of the active Service, a share of them, from 0 to 1, on
// connections of their own: kube-proxy shares out connections, and one that is kept stays with its pod whatever the
// Service selects.
func (e *env) loadConnections(perSecond, fresh float64) {
	e.t.Helper()
	service := e.Service()
	if err := e.Get(e.t.Context(), client.ObjectKeyFromObject(service), service); err != nil {
		e.t.Fatal(err)
	}
	target := fmt.Sprintf("http://%s/", service.Spec.ClusterIP)
	e.send(throughService, workload.Load{Target: target, Rate: perSecond, Fresh: fresh, Duration: loadFor})
}

func (e *env) send(name string, load workload.Load) {
	e.t.Helper()
	pod := e.LoadPod(load)
	pod.Name = name
	e.create(pod)
	e.loads = append(e.loads, name)
}

// loadAnswered waits until every load is answered, be it with errors of the app's own.
func (e *env) loadAnswered() {
	e.t.Helper()
	for _, name := range e.loads {
		eventually(e.t, name+" is answered", func(ctx context.Context) (bool, string) {
			report, err := stats.Read(ctx, e.plain, e.Namespace, name, 4)
			if err != nil {
				return false, err.Error()
			}
			lately := report.Last(2).All
			return lately.Requests > 0 && lately.Failures == 0, fmt.Sprintf("%+v, %+v", lately, report.Failures)
		})
	}
}

// reports are what each load has counted, by its name.
func (e *env) reports() map[string]stats.Report {
	e.t.Helper()
	out := map[string]stats.Report{}
	for _, name := range e.loads {
		report, err := stats.Read(e.t.Context(), e.plain, e.Namespace, name, 60)
		if err != nil {
			e.t.Fatal(err)
		}
		out[name] = report
	}
	return out
}

// mark is the count of all loads now, to compare a later one with.
func (e *env) mark() stats.Tally {
	e.t.Helper()
	var sum stats.Tally
	for _, report := range e.reports() {
		sum = sum.Plus(report.Total)
	}
	return sum
}

// since is what was counted after a mark.
func (e *env) since(mark stats.Tally) stats.Tally {
	e.t.Helper()
	return e.mark().Minus(mark)
}

// requests waits until n more requests have ended, and counts them: time, measured in requests.
func (e *env) requests(n int64) stats.Tally {
	e.t.Helper()
	from := e.mark()
	var counted stats.Tally
	eventually(e.t, fmt.Sprintf("%d more requests", n), func(context.Context) (bool, string) {
		counted = e.since(from)
		return counted.All.Requests >= n, fmt.Sprintf("%+v", counted.All)
	})
	return counted
}

// noFailures holds that no request failed since a mark, but for errors that the faulty versions answered themselves.
func (e *env) noFailures(mark stats.Tally, faulty ...string) {
	e.t.Helper()
	counted := e.since(mark)
	own := int64(0)
	for _, version := range faulty {
		own += counted.Versions[version].AppErrors
	}
	if lost := counted.All.Bad() - own; lost != 0 {
		e.t.Errorf("%d of %d requests failed (%+v); the load says: %s", lost, counted.All.Requests, counted, e.failures())
	}
	if counted.All.Requests == 0 {
		e.t.Error("no request was sent, so that none could fail")
	}
}

// failures says in what ways requests failed.
func (e *env) failures() string {
	e.t.Helper()
	var out []string
	for name, report := range e.reports() {
		for _, f := range report.Failures {
			out = append(out, fmt.Sprintf("%s: %d times from %s to %s: %s", name, f.Count, f.FirstAt.Format(time.StampMilli),
				f.LastAt.Format(time.StampMilli), f.Message))
		}
	}
	return strings.Join(out, "; ")
}

// only holds that from now on every request is answered by one version.
func (e *env) only(version string) {
	e.t.Helper()
	counted := e.requests(6 * rate)
	if got := counted.Versions[version].Requests; got != counted.All.Requests {
		e.t.Errorf("%d of %d requests were answered by %s, want all: %+v", got, counted.All.Requests, version, counted.Versions)
	}
}

// share holds that v2 answers about such a share of the requests from now on, in percent. Of 300 requests at 50 %, fewer
// than one sample in a thousand is off by 10.
func (e *env) share(want float64) {
	e.t.Helper()
	const within = 10
	counted := e.requests(6 * rate)
	got := 100 * float64(counted.Versions[v2].Requests) / float64(counted.All.Requests)
	if math.Abs(got-want) > within {
		e.t.Errorf("%s answered %.1f %% of %d requests, want %.0f to %.0f %%", v2, got, counted.All.Requests, want-within,
			want+within)
	}
}
