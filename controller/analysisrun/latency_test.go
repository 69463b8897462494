package analysisrun

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// stopwatch is a Prometheus whose targets count requests by duration at a steady pace and are scraped every 15 s.
type stopwatch struct {
	pace map[string]map[string]float64 // requests per second up to a bound, by selector and bound
}

func (s *stopwatch) serve(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		query := r.FormValue("query")
		inner, past := strings.CutPrefix(query, "sum by (le) (increase(")
		selector, length, _ := strings.Cut(inner, "[")
		var milliseconds, at float64
		if _, err := fmt.Sscan(strings.Trim(length, "ms])")+" "+r.FormValue("time"), &milliseconds, &at); err != nil {
			t.Errorf("asked %q: %v", query, err)
		}
		var result []string
		for le, pace := range s.pace[selector] {
			values := ""
			begin := float64(start().Unix()) - 7200
			for when := begin; when <= at && !past; when += 15 {
				if when > at-milliseconds/1000 {
					values += fmt.Sprintf(`,[%f,"%d"]`, when, int(pace*(when-begin)))
				}
			}
			if past {
				result = append(result, fmt.Sprintf(`{"metric":{"le":%q},"value":[%f,"%f"]}`, le, at, pace*milliseconds/1000))
				continue
			}
			result = append(result, fmt.Sprintf(`{"metric":{"job":"web","instance":"a","le":%q},"values":[%s]}`, le, strings.TrimPrefix(values, ",")))
		}
		kind := map[bool]string{true: "vector", false: "matrix"}[past]
		_, _ = fmt.Fprintf(w, `{"status":"success","data":{"resultType":%q,"result":[%s]}}`, kind, strings.Join(result, ","))
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// latencyRun compares took{v="2"} with took{v="1"}.
func latencyRun() *v1alpha1.AnalysisRun {
	run := ratioRun()
	metric := &run.Spec.Metrics[0]
	metric.Name, metric.Ratio = "latency", nil
	metric.Latency = &v1alpha1.LatencyMetric{Candidate: `took{v="2"}`, Stable: `took{v="1"}`}
	return run
}

func TestLatencyOfASlowCandidate(t *testing.T) {
	s := &stopwatch{pace: map[string]map[string]float64{
		`took{v="1"}`: {"0.1": 90, "0.5": 162, "1.0": 171, "2.5": 178.2, "+Inf": 180},
		`took{v="2"}`: {"0.1": 10, "0.5": 15, "1.0": 19, "2.5": 19.8, "+Inf": 20},
	}}
	w := against(t, s.serve(t), latencyRun())
	w.follow(3)
	w.restart() // the bounds are in the status
	w.follow(100)
	status := w.run().Status
	want := "latency: ×2.5 (2–3): candidate 450 slower than 0.5 of 1800, stable 1620 slower than 0.5 of 16200; evidence of harm "
	if status.Phase != v1alpha1.AnalysisFailed || !strings.HasPrefix(status.Message, want) {
		t.Errorf("%s: %s\nwant Failed: %s", status.Phase, status.Message, want)
	}
	if c := status.Metrics[0].Comparison; len(c.Bounds) != 4 || c.Bounds[0].Bound != "0.1" || c.Bounds[0].Ratio != "1" {
		t.Errorf("tested at %+v, want four bounds from 0.1 on", c.Bounds)
	}
}

func TestLatencyOfAGoodCandidate(t *testing.T) {
	s := &stopwatch{pace: map[string]map[string]float64{
		`took{v="1"}`: {"0.1": 90, "0.5": 162, "1.0": 171, "2.5": 178.2, "+Inf": 180},
		`took{v="2"}`: {"0.1": 10, "0.5": 18, "1.0": 19, "2.5": 19.8, "+Inf": 20},
	}}
	run := latencyRun()
	run.Spec.Metrics[0].Latency.Bounds = []string{"0.5"}
	w := against(t, s.serve(t), run)
	w.follow(100)
	if status := w.run().Status; status.Phase != v1alpha1.AnalysisPassed || !strings.Contains(status.Message, "shown to be no worse") {
		t.Errorf("%s: %s", status.Phase, status.Message)
	}
}

// TestLatencyOfCoarseBuckets holds that buckets which show nothing are told of, and decide nothing.
func TestLatencyOfCoarseBuckets(t *testing.T) {
	s := &stopwatch{pace: map[string]map[string]float64{
		`took{v="1"}`: {"10": 180, "+Inf": 180}, `took{v="2"}`: {"10": 20, "+Inf": 20},
	}}
	w := against(t, s.serve(t), latencyRun())
	w.follow(10)
	w.wantProblem(v1alpha1.ReasonQueryInvalid, "spec.metrics[0].latency: no bucket tells slow requests from fast ones")
}
