package prometheus

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-dev/sluice/analysis"
	"github.com/sluice-dev/sluice/analysis/judge"
	"github.com/sluice-dev/sluice/analysis/providers/fetch"
	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// counters are series by the selector that selects them: labels, and values at seconds after the epoch of the test.
type counters map[string][]counter

type counter struct {
	labels string // instance and whatever else, as in PromQL: a/200
	values map[int]float64
}

const epoch = 1_700_000_000

// every makes values at the seconds from, from+15, from+30 and so on.
func every(from int, values ...float64) map[int]float64 {
	all := map[int]float64{}
	for i, value := range values {
		all[from+15*i] = value
	}
	return all
}

// serve answers queries for samples as Prometheus does: all of a selector within a range before the time.
func (c counters) serve(t *testing.T) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		selector, length, ok := strings.Cut(strings.TrimSuffix(r.FormValue("query"), "ms]"), "[")
		var milliseconds, at float64
		if _, err := fmt.Sscan(length+" "+r.FormValue("time"), &milliseconds, &at); err != nil || !ok {
			t.Errorf("asked %q at %q: %v", r.FormValue("query"), r.FormValue("time"), err)
		}
		result := []any{}
		for _, series := range c[selector] {
			var values []any
			for second := range 1000 {
				value, ok := series.values[second]
				if when := float64(epoch + second); ok && when <= at && when > at-milliseconds/1000 {
					values = append(values, []any{when, fmt.Sprint(value)})
				}
			}
			instance, code, _ := strings.Cut(series.labels, "/")
			if len(values) > 0 {
				metric := map[string]string{"job": "web", "instance": instance, "code": code}
				result = append(result, map[string]any{"metric": metric, "values": values})
			}
		}
		_ = json.NewEncoder(w).Encode(map[string]any{
			"status": "success", "data": map[string]any{"resultType": "matrix", "result": result}, "warnings": []string{},
		})
	}))
	t.Cleanup(server.Close)
	return server
}

func countQuery(address string, from, to int) analysis.CountQuery {
	return analysis.CountQuery{
		Source:    v1alpha1.MetricProvider{Prometheus: &v1alpha1.PrometheusMetric{Address: address}},
		Candidate: analysis.Selectors{Bad: `bad{v="2"}`, Total: `all{v="2"}`},
		Stable:    analysis.Selectors{Bad: `bad{v="1"}`, Total: `all{v="1"}`},
		From:      time.Unix(int64(epoch+from), 0), To: time.Unix(int64(epoch+to), 0),
	}
}

func TestCount(t *testing.T) {
	both := func(candidate ...counter) counters {
		return counters{
			`all{v="2"}`: candidate,
			`all{v="1"}`: {{"s1/200", every(0, 1000, 1010, 1020, 1030, 1040, 1050, 1060, 1070, 1080)}},
		}
	}
	for _, row := range []struct {
		name     string
		counters counters
		from, to int
		want     judge.Arm // of the candidate
	}{
		{"growth", both(counter{"a/200", every(0, 5, 8, 9, 20)}), 0, 45, judge.Arm{Total: 15}},
		{"growth since the last sample at or before the beginning", both(counter{"a/200", every(0, 5, 8, 9, 20)}), 20, 40, judge.Arm{Total: 1}},
		{"nothing after the end", both(counter{"a/200", every(0, 5, 8, 9, 20)}), 0, 44, judge.Arm{Total: 4}},
		{"a restart", both(counter{"a/200", every(0, 50, 58, 3, 7)}), 0, 45, judge.Arm{Total: 15}},
		{"a restart between two spans", both(counter{"a/200", every(0, 50, 58, 3, 7)}), 15, 30, judge.Arm{Total: 3}},
		{"two pods", both(counter{"a/200", every(0, 5, 8)}, counter{"b/200", every(3, 1, 9)}), 5, 30, judge.Arm{Total: 11}},
		{"new, of a target that was there", both(
			counter{"a/200", every(0, 5, 8, 9, 20)}, counter{"a/404", every(30, 4, 6)}), 10, 45, judge.Arm{Total: 21}},
		{"new, together with its target", both(counter{"a/200", every(30, 4, 6)}), 10, 45, judge.Arm{Total: 2}},
		{"new, of a target that serves the other version", both(counter{"s1/500", every(30, 4, 6)}), 10, 45, judge.Arm{Total: 6}},
		{"not a number in between", both(counter{"a/200", map[int]float64{0: 5, 15: -1, 30: 9}}), 0, 30, judge.Arm{Total: 4}},
		{"no series", both(), 0, 45, judge.Arm{}},
	} {
		t.Run(row.name, func(t *testing.T) {
			server := row.counters.serve(t)
			got, err := newProvider(t, Options{Guard: open(t)}).Count(t.Context(), countQuery(server.URL, row.from, row.to))
			if err != nil {
				t.Fatal(err)
			}
			if got.Batch.Candidate != row.want {
				t.Errorf("counted %+v, want %+v", got.Batch.Candidate, row.want)
			}
		})
	}
}

// TestCountTiles holds that spans that touch count each request once, whatever happens to the counters.
func TestCountTiles(t *testing.T) {
	c := counters{
		`all{v="2"}`: {{"a/200", every(2, 5, 8, 9, 20, 2, 6, 6, 30)}, {"a/500", every(32, 1, 1, 2, 9, 1)}},
		`bad{v="2"}`: {{"a/500", every(32, 1, 1, 2, 9, 1)}},
		`all{v="1"}`: {{"s1/200", every(0, 1000, 1010, 1020, 1030, 1040, 1050, 1060, 1070)}},
	}
	provider := newProvider(t, Options{Guard: open(t)})
	address := c.serve(t).URL
	counted := func(from, to int) analysis.Count {
		got, err := provider.Count(t.Context(), countQuery(address, from, to))
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	whole := counted(5, 110)
	var sum judge.Batch
	for from := 5; from < 110; from += 7 {
		sum = sum.Plus(counted(from, from+7).Batch)
	}
	if diff := cmp.Diff(whole.Batch, sum); diff != "" {
		t.Errorf("the parts differ from the whole (-whole +parts):\n%s", diff)
	}
	want := judge.Batch{
		Candidate: judge.Arm{Bad: 1 + 1 + 7 + 1, Total: 3 + 1 + 11 + 2 + 4 + 24 + 10},
		Stable:    judge.Arm{Total: 70},
	}
	if diff := cmp.Diff(want, whole.Batch); diff != "" {
		t.Errorf("counted (-want +got):\n%s", diff)
	}
	if newest := time.Unix(epoch+105, 0); !whole.Newest.Equal(newest) || whole.Scrape != 15*time.Second {
		t.Errorf("newest sample %s, scraped every %s; want %s and 15s", whole.Newest, whole.Scrape, newest)
	}
}

func TestCountFaults(t *testing.T) {
	matrix := func(result string) string {
		return `{"status":"success","data":{"resultType":"matrix","result":` + result + `}}`
	}
	for _, row := range []struct {
		name, body, field, text string
	}{
		{"a number", success("scalar", 1, "").Body, "candidate.total", "no samples"},
		{"a counter that became a native histogram", matrix(`[{"metric":{},"values":[[1700000000,"1"]],"histograms":[[1700000015,{"count":"1","sum":"1"}]]}]`), "candidate.total", "has turned from a counter"},
		{"a series that is none", matrix(`[null]`), "candidate.total", "a series that is none"},
		{"a refusal", `{"status":"error","errorType":"bad_data","error":"parse error"}`, "candidate.total", "parse error"},
		{"too much", strings.Repeat(" ", fetch.MaxBody+1), "candidate.total", "fewer series"},
		{"no JSON", "hello", "provider.prometheus.address", "HTTP API"},
	} {
		t.Run(row.name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				if strings.Contains(row.body, `"error"`) {
					w.WriteHeader(http.StatusBadRequest)
				}
				_, _ = w.Write([]byte(row.body))
			}))
			defer server.Close()
			_, err := newProvider(t, Options{Guard: open(t)}).Count(t.Context(), countQuery(server.URL, 0, 60))
			var fault *analysis.Fault
			if !errors.As(err, &fault) || fault.Field != row.field || !strings.Contains(fault.Message, row.text) {
				t.Errorf("error %v, want one of %s with %q", err, row.field, row.text)
			}
		})
	}
}

func TestCountWarnings(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"status":"success","data":{"resultType":"matrix","result":[]},"warnings":["a store is away"]}`))
	}))
	defer server.Close()
	got, err := newProvider(t, Options{Guard: open(t)}).Count(t.Context(), countQuery(server.URL, 0, 60))
	if err != nil || len(got.Warnings) != 4 || got.Batch != (judge.Batch{}) || !got.Newest.IsZero() {
		t.Errorf("got %+v, error %v; want nothing but the warning of each query", got, err)
	}
}
