package analysisrun

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/events"
	clocktesting "k8s.io/utils/clock/testing"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/analysis"
	"github.com/sluice-dev/sluice/analysis/providers"
	"github.com/sluice-dev/sluice/api/v1alpha1"
)

const (
	loadRuns     = 1000
	loadInterval = 15 * time.Second
	loadMost     = 10.0 // percent of a core
)

// BenchmarkThousandRuns measures what 1,000 AnalysisRuns with an interval of 15 s cost: each iteration is one interval, in
// which each run is measured once and its status is written. Queries and writes go over HTTP to servers in this process, whose
// share is in the figure too, and what is written is decoded once more, as the cache does. It fails when metrics with a
// condition cost more than a tenth of a core. A ratio asks four queries for each measurement, and is shown beside them.
func BenchmarkThousandRuns(b *testing.B) {
	threshold := newMetric("rate", 1000)
	threshold.Interval.Duration = loadInterval
	ratio := ratioRun().Spec.Metrics[0]
	ratio.Interval, ratio.Count = &metav1.Duration{Duration: loadInterval}, nil
	for _, metric := range []v1alpha1.Metric{threshold, ratio} {
		name := "threshold"
		if metric.Ratio != nil {
			name = "ratio"
		}
		b.Run(name, func(b *testing.B) {
			w := newLoad(b, metric)
			for range 12 { // until the status has all measurements that it keeps
				w.interval(b)
			}
			asked, written, began := w.asked(), w.written(), processorTime(b)
			b.ResetTimer()
			for b.Loop() {
				w.interval(b)
			}
			used := (processorTime(b) - began).Seconds() / float64(b.N)
			percent := 100 * used / loadInterval.Seconds()
			b.ReportMetric(used, "cpu-s/interval")
			b.ReportMetric(percent, "%core")
			b.ReportMetric(float64(w.asked()-asked)/float64(b.N), "queries/interval")
			if n := w.written() - written; n != b.N*loadRuns {
				b.Errorf("%d statuses were written in %d intervals, want %d", n, b.N, b.N*loadRuns)
			}
			if percent > loadMost && metric.Ratio == nil {
				b.Errorf("%.1f %% of a core, want at most %.0f %%", percent, loadMost)
			}
		})
	}
}

// processorTime is what this process has used of all cores.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// load is 1,000 runs, a controller, an API server and a Prometheus.
type load struct {
	client.Client
	clock *clocktesting.FakePassiveClock
	runs  *runReconciler

	mu      sync.Mutex
	stored  map[types.NamespacedName]*v1alpha1.AnalysisRun // the controller's cache
	objects map[string]map[string]any                      // the API server's, by name
	bodies  map[string]string                              // Prometheus' answers, by what was asked
	queries int
	writes  int
}

func newLoad(b *testing.B, metric v1alpha1.Metric) *load {
	b.Helper()
	w := &load{
		clock: clocktesting.NewFakePassiveClock(start()), stored: map[types.NamespacedName]*v1alpha1.AnalysisRun{},
		objects: map[string]map[string]any{}, bodies: map[string]string{},
	}
	api, prometheus := httptest.NewServer(http.HandlerFunc(w.serveAPI)), httptest.NewServer(http.HandlerFunc(w.servePrometheus))
	b.Cleanup(api.Close)
	b.Cleanup(prometheus.Close)
	for i := range loadRuns {
		run := newRun(metric)
		run.Name, run.ResourceVersion = fmt.Sprintf("run-%d", i), "1"
		run.TypeMeta = metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "AnalysisRun"}
		w.stored[client.ObjectKeyFromObject(run)] = run
		w.objects[run.Name] = asMap(b, run)
	}
	scheme := newScheme(b)
	mapper := meta.NewDefaultRESTMapper(nil)
	mapper.Add(v1alpha1.GroupVersion.WithKind("AnalysisRun"), meta.RESTScopeNamespace)
	made, err := client.New(&rest.Config{Host: api.URL, QPS: -1}, client.Options{Scheme: scheme, Mapper: mapper})
	if err != nil {
		b.Fatal(err)
	}
	w.Client = made
	set, err := providers.New(providers.Options{PrometheusAddress: prometheus.URL})
	if err != nil {
		b.Fatal(err)
	}
	kept, err := analysis.NewConditions(conditionsKept)
	if err != nil {
		b.Fatal(err)
	}
	w.runs = &runReconciler{
		client: w, recorder: &events.FakeRecorder{}, clock: w.clock, meter: analysis.Meter{Provider: set, Conditions: kept}, live: made,
	}
	return w
}

// interval lets time pass, and every run be measured, as many at once as the controller does.
func (w *load) interval(b *testing.B) {
	b.Helper()
	w.clock.SetTime(w.clock.Now().Add(loadInterval))
	var group errgroup.Group
	group.SetLimit(DefaultConcurrency)
	for i := range loadRuns {
		group.Go(func() error {
			name := types.NamespacedName{Namespace: key().Namespace, Name: fmt.Sprintf("run-%d", i)}
			_, err := w.runs.Reconcile(b.Context(), ctrl.Request{NamespacedName: name})
			return err
		})
	}
	if err := group.Wait(); err != nil {
		b.Fatal(err)
	}
}

// Get reads from the cache.
func (w *load) Get(_ context.Context, key client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stored[key].DeepCopyInto(into.(*v1alpha1.AnalysisRun))
	return nil
}

// serveAPI stores a status, and tells the cache of it.
func (w *load) serveAPI(response http.ResponseWriter, request *http.Request) {
	var patch map[string]any
	if err := json.NewDecoder(request.Body).Decode(&patch); err != nil || request.Method != http.MethodPatch {
		http.Error(response, "no patch", http.StatusBadRequest)
		return
	}
	name := path.Base(strings.TrimSuffix(request.URL.Path, "/status"))
	w.mu.Lock()
	defer w.mu.Unlock()
	w.writes++
	merge(w.objects[name], patch)
	merge(w.objects[name], map[string]any{"metadata": map[string]any{"resourceVersion": fmt.Sprint(w.writes + 1)}})
	text, err := json.Marshal(w.objects[name])
	if err != nil {
		http.Error(response, err.Error(), http.StatusInternalServerError)
		return
	}
	seen := &v1alpha1.AnalysisRun{}
	if err := json.Unmarshal(text, seen); err != nil {
		http.Error(response, err.Error(), http.StatusInternalServerError)
		return
	}
	w.stored[client.ObjectKeyFromObject(seen)] = seen
	response.Header().Set("Content-Type", "application/json")
	_, _ = response.Write(text)
}

// servePrometheus answers with a number, or with the samples of a counter.
func (w *load) servePrometheus(response http.ResponseWriter, request *http.Request) {
	query, at := request.FormValue("query"), request.FormValue("time")
	w.mu.Lock()
	defer w.mu.Unlock()
	w.queries++
	body, known := w.bodies[query+at]
	if !known {
		body = `{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[` + at + `,"0.98"]}]}}`
		if strings.HasSuffix(query, "ms]") {
			body = samplesUntil(at)
		}
		w.bodies = map[string]string{query + at: body}
	}
	_, _ = io.WriteString(response, body)
}

// samplesUntil are those of ten pods, each scraped every 15 s within the last three minutes.
func samplesUntil(at string) string {
	var until float64
	_, _ = fmt.Sscan(at, &until)
	var series []string
	for pod := range 10 {
		var values []string
		for when := until - 180; when <= until; when += 15 {
			values = append(values, fmt.Sprintf(`[%f,"%d"]`, when, int(when-float64(start().Unix()))+1000))
		}
		series = append(series, fmt.Sprintf(`{"metric":{"job":"web","instance":"%d"},"values":[%s]}`, pod, strings.Join(values, ",")))
	}
	return `{"status":"success","data":{"resultType":"matrix","result":[` + strings.Join(series, ",") + `]}}`
}

// merge changes an object as a merge patch says (RFC 7386).
func merge(into, patch map[string]any) {
	for name, value := range patch {
		inner, deeper := value.(map[string]any)
		known, ok := into[name].(map[string]any)
		switch {
		case value == nil:
			delete(into, name)
		case deeper && ok:
			merge(known, inner)
		default:
			into[name] = value
		}
	}
}

func asMap(b *testing.B, object any) map[string]any {
	b.Helper()
	text, err := json.Marshal(object)
	if err != nil {
		b.Fatal(err)
	}
	var made map[string]any
	if err := json.Unmarshal(text, &made); err != nil {
		b.Fatal(err)
	}
	return made
}

func (w *load) asked() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.queries
}

func (w *load) written() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.writes
}
