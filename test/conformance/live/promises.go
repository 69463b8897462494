package live

import (
	"context"
	"fmt"
	"math"
	"slices"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/gateway-api/pkg/features"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/demo/workload"
	"github.com/sluice-dev/sluice/test/load/stats"
)

// copied is the percentage of requests that are mirrored.
const copied = 20

// promises in the order in which they are tried. The last ones look back on all the others.
func (t *trial) promises() []promise {
	return []promise{
		{name: "a route as its user wrote it sends nothing to the standby Service", try: t.none},
		{name: "requests are shared by the weight, whatever their protocol", try: t.shares},
		{name: "all requests go to the standby Service", try: t.all},
		{name: "after an abort not one request reaches it, on connections that are kept neither", try: t.none},
		{name: "requests with a header go there whatever the weight, and no others", try: t.pickedByHeader},
		{
			name: "so do requests with a query parameter", needs: features.SupportHTTPRouteQueryParamMatching,
			try: t.pickedByQuery, without: t.refused(byQuery(), features.SupportHTTPRouteQueryParamMatching),
		},
		{
			name: "a percentage of requests is copied there", needs: features.SupportHTTPRouteRequestPercentageMirror,
			try: t.copies, without: t.refused(mirrored(), features.SupportHTTPRouteRequestMirror),
		},
		{name: "routes are what their user wrote in the end", try: t.restored},
		{name: fmt.Sprintf("no request is lost in all of this, such as take %s neither", t.Hold), try: t.lossless},
	}
}

func byHeader() v1alpha1.Overlay {
	return v1alpha1.Overlay{Match: []v1alpha1.RequestMatch{{Headers: []v1alpha1.ValueMatch{
		{Name: canaryHeader, Value: canaryValue, Type: v1alpha1.MatchExact},
	}}}, Field: "the header"}
}

func byQuery() v1alpha1.Overlay {
	return v1alpha1.Overlay{Match: []v1alpha1.RequestMatch{{QueryParams: []v1alpha1.ValueMatch{
		{Name: canaryHeader, Value: canaryValue, Type: v1alpha1.MatchExact},
	}}}, Field: "the query parameter"}
}

func mirrored() v1alpha1.Overlay { return v1alpha1.Overlay{Mirror: copied, Field: "the mirror"} }

// none holds that the standby Service gets no request: by who answered, and by what its pods have counted.
func (t *trial) none(ctx context.Context, r *Result) error {
	if err := t.shift(ctx, 0, v1alpha1.Overlay{}); err != nil {
		return err
	}
	heldBefore := t.held()
	before, err := t.answered(ctx)
	if err != nil {
		return err
	}
	if err := t.expect(ctx, r, func(string) float64 { return 0 }); err != nil || t.Answered == nil {
		return err
	}
	after, err := t.answered(ctx)
	if err != nil {
		return err
	}
	if err := t.wait(ctx, poll); err != nil { // an answer that a pod has counted is on its way
		return err
	}
	if n := after - before; n > t.held()-heldBefore {
		r.broken("pods of the standby Service have answered %d requests, want those alone that were under way, %d", n, t.held()-heldBefore)
	}
	return nil
}

// held is how many long requests the standby Service has answered: they may have begun long ago.
func (t *trial) held() int64 { return t.now()[asLong].Versions[standbyVersion].Requests }

// shares holds weights of small and large steps.
func (t *trial) shares(ctx context.Context, r *Result) error {
	for _, tenths := range []int32{50, 333, 500} {
		if err := t.shift(ctx, tenths, v1alpha1.Overlay{}); err != nil {
			return err
		}
		share := float64(tenths) / float64(v1alpha1.MaxWeight)
		if err := t.expect(ctx, r, func(string) float64 { return share }); err != nil {
			return err
		}
	}
	return nil
}

func (t *trial) all(ctx context.Context, r *Result) error {
	if err := t.shift(ctx, v1alpha1.MaxWeight, v1alpha1.Overlay{}); err != nil {
		return err
	}
	return t.expect(ctx, r, func(string) float64 { return 1 })
}

func (t *trial) pickedByHeader(ctx context.Context, r *Result) error {
	return t.picked(ctx, r, byHeader(), withHeader)
}

func (t *trial) pickedByQuery(ctx context.Context, r *Result) error {
	routes := t.target.Routes
	defer func() { t.target.Routes = routes }()
	t.target.Routes = slices.Clone(routes[:1]) // calls have no query
	return t.picked(ctx, r, byQuery(), withQuery)
}

// picked holds that an overlay sends all requests of one load to the standby Service and none of the others, and that it
// goes without a trace.
func (t *trial) picked(ctx context.Context, r *Result, overlay v1alpha1.Overlay, load string) error {
	if err := t.shift(ctx, 0, overlay); err != nil {
		return err
	}
	err := t.expect(ctx, r, func(name string) float64 {
		if name == load {
			return 1
		}
		return 0
	})
	if err != nil {
		return err
	}
	if err := t.shift(ctx, 0, v1alpha1.Overlay{}); err != nil {
		return err
	}
	return t.expect(ctx, r, func(string) float64 { return 0 })
}

// copies holds that answers come from the active Service alone, while the pods of the other count the percentage.
func (t *trial) copies(ctx context.Context, r *Result) error {
	if t.Answered == nil {
		r.LeftOut = "nothing counts what pods answer, and nobody sees the answers to copies"
		return nil
	}
	routes := t.target.Routes
	defer func() { t.target.Routes = routes }()
	t.target.Routes = slices.Clone(routes[:1])
	if err := t.shift(ctx, 0, mirrored()); err != nil {
		return err
	}
	before, sent := t.now(), int64(0)
	from, err := t.answered(ctx)
	if err != nil {
		return err
	}
	if err := t.expect(ctx, r, func(string) float64 { return 0 }); err != nil {
		return err
	}
	to, err := t.answered(ctx)
	if err != nil {
		return err
	}
	for name, tally := range t.now() {
		if name != asCalls {
			sent += tally.Minus(before[name]).All.Requests
		}
	}
	t.within(r, "copies", float64(to-from), float64(sent), copied/100.0)
	return t.shift(ctx, 0, v1alpha1.Overlay{})
}

// refused holds that what the Gateway cannot have is told of, and nothing of it written.
func (t *trial) refused(overlay v1alpha1.Overlay, feature features.FeatureName) func(context.Context, *Result) error {
	return func(ctx context.Context, r *Result) error {
		if len(t.features) == 0 {
			return nil // a class that reports nothing is not judged
		}
		target := t.target
		target.Routes, target.Overlays = slices.Clone(target.Routes[:1]), []v1alpha1.Overlay{{}, overlay}
		observed, err := t.router.Observe(ctx, target)
		if err != nil {
			return err
		}
		for _, p := range observed.Problems {
			r.measured("a Rollout that asks for it is told: %s", p.Message)
		}
		if len(observed.Problems) == 0 {
			r.broken("a Rollout that asks for it is not told that %s is missing", feature)
		}
		return nil
	}
}

// restored holds that the routes say what they said before the first weight.
func (t *trial) restored(ctx context.Context, r *Result) error {
	if err := t.shift(ctx, 0, v1alpha1.Overlay{}); err != nil {
		return err
	}
	for _, route := range t.routes {
		now, err := t.specOf(ctx, route)
		if err != nil {
			return err
		}
		if was := t.written[route.GetName()]; now != was {
			r.broken("%s says %s, and was written as %s", route.GetName(), now, was)
		}
	}
	return nil
}

// lossless ends the load, and holds that every request of it was answered.
func (t *trial) lossless(_ context.Context, r *Result) error {
	t.stop()
	for _, l := range t.loads {
		report := l.generator.Report(0)
		r.measured("%-6s %6d requests, %d failed: %+v", l.name, report.Total.All.Requests, report.Total.All.Bad(), report.Total.Versions)
		for _, f := range report.Failures {
			r.broken("%s: %d times: %s", l.name, f.Count, f.Message)
		}
		for _, version := range []string{activeVersion, standbyVersion} {
			if report.Total.Versions[version].Requests == 0 {
				r.broken("%s: no request was answered by %s, so that nothing was shown", l.name, version)
			}
		}
	}
	return nil
}

// expect waits until each load has sent more requests, and holds which share of them the standby Service has answered.
func (t *trial) expect(ctx context.Context, r *Result, share func(load string) float64) error {
	counted, err := t.count(ctx)
	if err != nil {
		return err
	}
	for _, l := range t.loads {
		if tally, ok := counted[l.name]; ok {
			t.within(r, l.name, float64(tally.Versions[standbyVersion].Requests), float64(tally.All.Requests), share(l.name))
		}
	}
	return nil
}

// within holds that so many of n requests are the share, as closely as a binomial sample of this size would be. About 20 samples
// are taken in a run: with bounds that 99.995 of 100 are within, 99.9 of 100 runs hold nothing against a gateway that draws
// lots. One that takes turns is closer.
func (t *trial) within(r *Result, what string, got, n, share float64) {
	const quantile = 4.056 // of the normal distribution, for both ends together
	bound := quantile * math.Sqrt(n*share*(1-share))
	if bound > 0 {
		bound += 0.5
	}
	r.measured("%-6s %6.2f %% of %.0f, want %.1f ± %.2f %%", what, 100*got/n, n, 100*share, 100*bound/n)
	if math.Abs(got-n*share) > bound {
		r.broken("%s: %.0f of %.0f reached the standby Service, want %.0f ± %.0f", what, got, n, n*share, bound)
	}
}

// answered is what the pods of the standby Service have counted; 0 when nothing reads it.
func (t *trial) answered(ctx context.Context) (int64, error) {
	if t.Answered == nil {
		return 0, nil
	}
	return t.Answered(ctx, client.ObjectKey{Namespace: t.Namespace, Name: workload.Standby})
}

// now is what each load has counted.
func (t *trial) now() map[string]stats.Tally {
	out := map[string]stats.Tally{}
	for _, l := range t.loads {
		out[l.name] = l.generator.Report(0).Total
	}
	return out
}
