//go:build apiserver

package controller_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/apiserver/live"
)

// BenchmarkAbort measures how long it takes from the moment before a person's abort is sent to the API server until a watch
// shows the route with all traffic on stable. That holds more than the decision and its write: the way of the abort to the
// controller, and that of the route to the watch. It reports the median and the longest.
func BenchmarkAbort(b *testing.B) {
	w := start(b, append(live.Network(), routed().Obj())...)
	w.Reaches("healthy", live.Healthy)
	w.Release(live.ImageV2)
	w.Reaches("the first step", live.Awaiting)
	var took []time.Duration
	for range b.N {
		returned := w.returns()
		from := time.Now()
		w.Command(v1alpha1.ActionAbort)
		took = append(took, (<-returned).Sub(from))
		w.Reaches("aborted", live.Aborted)
		w.Command(v1alpha1.ActionRetry)
		w.Reaches("the first step", live.Awaiting)
	}
	slices.Sort(took)
	milliseconds := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	b.ReportMetric(milliseconds(took[len(took)/2]), "median-ms")
	b.ReportMetric(milliseconds(took[len(took)-1]), "longest-ms")
	b.ReportMetric(0, "ns/op") // an operation is a whole release, most of which is waiting
}

// returns tells the moment in which a watch of the route shows the weight 0.
func (w *world) returns() <-chan time.Time {
	w.T.Helper()
	ctx, stop := context.WithCancel(w.T.Context())
	watching, err := client.NewWithWatch(w.Config, client.Options{Scheme: w.Scheme})
	if err != nil {
		w.T.Fatal(err)
	}
	watcher, err := watching.Watch(ctx, &gatewayv1.HTTPRouteList{}, client.InNamespace(w.Namespace))
	if err != nil {
		w.T.Fatal(err)
	}
	at := make(chan time.Time, 1)
	go func() {
		defer stop()
		for event := range watcher.ResultChan() {
			route, ok := event.Object.(*gatewayv1.HTTPRoute)
			if ok && event.Type == watch.Modified && live.WeightOf(route) == 0 {
				at <- time.Now()
				return
			}
		}
	}()
	return at
}
