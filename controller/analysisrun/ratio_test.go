package analysisrun

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// scrapes is a Prometheus whose targets count requests at a steady pace and are scraped every 15 s.
type scrapes struct {
	pace map[string]float64 // requests per second, by selector
	away bool
}

func (s *scrapes) serve(t *testing.T) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.away {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		selector, length, _ := strings.Cut(strings.TrimSuffix(r.FormValue("query"), "ms]"), "[")
		var milliseconds, at float64
		if _, err := fmt.Sscan(length+" "+r.FormValue("time"), &milliseconds, &at); err != nil {
			t.Errorf("asked %q: %v", r.FormValue("query"), err)
		}
		begin := float64(start().Add(-time.Hour).Unix())
		var values []string
		for when := begin; when <= at; when += 15 {
			if when > at-milliseconds/1000 {
				values = append(values, fmt.Sprintf(`[%f,"%d"]`, when, int(s.pace[selector]*(when-begin))))
			}
		}
		series := ""
		if _, ok := s.pace[selector]; ok {
			series = fmt.Sprintf(`{"metric":{"job":"web","instance":"a"},"values":[%s]}`, strings.Join(values, ","))
		}
		_, _ = fmt.Fprintf(w, `{"status":"success","data":{"resultType":"matrix","result":[%s]}}`, series)
	}))
	t.Cleanup(server.Close)
	return server
}

func ratioRun() *v1alpha1.AnalysisRun {
	return newRun(v1alpha1.Metric{
		Name: "errors", Interval: &metav1.Duration{Duration: 30 * time.Second}, Count: ptr.To[int32](20),
		Ratio: &v1alpha1.RatioMetric{
			Candidate: v1alpha1.RequestCounters{Bad: `bad{v="2"}`, Total: `all{v="2"}`},
			Stable:    v1alpha1.RequestCounters{Bad: `bad{v="1"}`, Total: `all{v="1"}`},
		},
		Provider: v1alpha1.MetricProvider{Prometheus: &v1alpha1.PrometheusMetric{}},
	})
}

func TestRatioOfABadCandidate(t *testing.T) {
	s := &scrapes{pace: map[string]float64{`bad{v="2"}`: 1, `all{v="2"}`: 20, `bad{v="1"}`: 0.2, `all{v="1"}`: 180}}
	w := against(t, s.serve(t).URL, ratioRun())
	w.follow(3)
	if run := w.run(); run.Status.Phase != v1alpha1.AnalysisRunning || run.Status.Metrics[0].Successful == 0 {
		t.Fatalf("%s: %s; want Running", run.Status.Phase, run.Status.Message)
	}
	w.restart() // all that is known is in the status
	w.follow(100)
	status := w.run().Status
	want := "errors: ×45 (19–116): candidate 90 bad of 1800, stable 18 bad of 16200; evidence of harm 100, fails at 100"
	if status.Phase != v1alpha1.AnalysisFailed || status.Message != want {
		t.Errorf("%s: %s\nwant Failed: %s", status.Phase, status.Message, want)
	}
	if got := status.CompletedAt.Sub(start()); got != 2*time.Minute {
		t.Errorf("failed after %s, want three batches of 30s and the lag of 30s", got)
	}
}

// TestRatioOutlivesAnOutage holds that a Prometheus that is away for minutes neither passes nor fails a candidate, and that
// what was served in the meantime is counted once it is back.
func TestRatioOutlivesAnOutage(t *testing.T) {
	s := &scrapes{pace: map[string]float64{`bad{v="2"}`: 0.02, `all{v="2"}`: 200, `bad{v="1"}`: 0.18, `all{v="1"}`: 1800}}
	w := against(t, s.serve(t).URL, ratioRun())
	w.follow(6)
	s.away = true
	w.follow(10)
	w.wantProblem(v1alpha1.ReasonProviderUnreachable, "spec.metrics[0].provider.prometheus.address")
	if run := w.run(); run.Status.Phase != v1alpha1.AnalysisRunning {
		t.Fatalf("%s: %s", run.Status.Phase, run.Status.Message)
	}
	s.away = false
	w.follow(200)
	status := w.run().Status
	if status.Phase != v1alpha1.AnalysisPassed {
		t.Fatalf("%s: %s", status.Phase, status.Message)
	}
	comparison := status.Metrics[0].Comparison
	served := comparison.Until.Sub(start()).Seconds() * 200
	if counted := float64(comparison.Candidate.Total); counted > served || counted <= served-15*200 {
		t.Errorf("%.0f requests of the candidate were counted, want all %.0f but for those since the last scrape", counted, served)
	}
}

// TestRatioWithoutTraffic holds that a candidate that gets none is reported as that, and waits.
func TestRatioWithoutTraffic(t *testing.T) {
	s := &scrapes{pace: map[string]float64{`bad{v="1"}`: 0.2, `all{v="1"}`: 180}}
	w := against(t, s.serve(t).URL, ratioRun())
	w.follow(100)
	w.wantProblem(v1alpha1.ReasonNoCanaryTraffic, "no request reached the candidate while stable served")
	if run := w.run(); run.Status.Phase.Ended() {
		t.Errorf("%s: %s", run.Status.Phase, run.Status.Message)
	}
}

// TestSLO holds that an objective is judged from the candidate's counters alone.
func TestSLO(t *testing.T) {
	run := ratioRun()
	metric := &run.Spec.Metrics[0]
	metric.SLO, metric.Ratio = &v1alpha1.SLOMetric{Candidate: metric.Ratio.Candidate, Objective: "99%"}, nil
	s := &scrapes{pace: map[string]float64{`bad{v="2"}`: 2, `all{v="2"}`: 20}}
	w := against(t, s.serve(t).URL, run)
	w.follow(100)
	status := w.run().Status
	want := "errors: candidate 180 bad of 1800, 90% good, objective 99%; evidence of harm 100, fails at 100"
	if status.Phase != v1alpha1.AnalysisFailed || status.Message != want {
		t.Errorf("%s: %s\nwant Failed: %s", status.Phase, status.Message, want)
	}
}
