package prometheus

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-dev/sluice/analysis"
	"github.com/sluice-dev/sluice/analysis/judge"
	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// bucketSeries is one of an answer: labels, and values or histograms every 15 s from epoch on.
type bucketSeries struct {
	labels     string // instance/le
	values     []float64
	histograms []map[string]any
}

// native is a native histogram with so many requests in each of its buckets, from 0.25 on, doubling; or from a power of two
// that a finer one has, by its factor.
func native(factor float64, counts ...float64) map[string]any {
	total, lower := 0.0, 0.25
	var buckets [][]any
	for _, n := range counts {
		buckets = append(buckets, []any{0, fmt.Sprint(lower), fmt.Sprint(lower * factor), fmt.Sprint(n)})
		total, lower = total+n, lower*factor
	}
	return map[string]any{"count": fmt.Sprint(total), "sum": "1", "buckets": buckets}
}

// answers serves series by their selector, whatever the range.
func answers(t *testing.T, all map[string][]bucketSeries) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		selector, _, _ := strings.Cut(r.FormValue("query"), "[")
		result := []any{}
		for _, s := range all[selector] {
			instance, le, _ := strings.Cut(s.labels, "/")
			metric := map[string]string{"job": "web", "instance": instance}
			if le != "" {
				metric["le"] = le
			}
			one := map[string]any{"metric": metric}
			for i, v := range s.values {
				one["values"] = append(asList(one["values"]), []any{epoch + 15*i, fmt.Sprint(v)})
			}
			for i, h := range s.histograms {
				one["histograms"] = append(asList(one["histograms"]), []any{epoch + 15*i, h})
			}
			result = append(result, one)
		}
		_ = json.NewEncoder(w).Encode(map[string]any{
			"status": "success", "data": map[string]any{"resultType": "matrix", "result": result},
		})
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func asList(v any) []any {
	list, _ := v.([]any)
	return list
}

func latencyQuery(address string, from, to int) analysis.LatencyQuery {
	return analysis.LatencyQuery{
		Source:    v1alpha1.MetricProvider{Prometheus: &v1alpha1.PrometheusMetric{Address: address}},
		Candidate: "new", Stable: "old",
		From: time.Unix(int64(epoch+from), 0), To: time.Unix(int64(epoch+to), 0),
	}
}

// TestCountLatencies counts how many requests of the candidate took longer than 1 within a span.
func TestCountLatencies(t *testing.T) {
	pod := func(name string) []bucketSeries {
		return []bucketSeries{
			{labels: name + "/0.5", values: []float64{10, 15, 18, 18}},
			{labels: name + "/1.0", values: []float64{10, 16, 20, 25}},
			{labels: name + "/+Inf", values: []float64{20, 27, 33, 40}},
		}
	}
	stable := []bucketSeries{
		{labels: "s/0.5", values: []float64{10, 15, 18, 18}},
		{labels: "s/1", values: []float64{10, 15, 18, 18}},
		{labels: "s/+Inf", values: []float64{10, 15, 18, 18}},
	}
	natively := func(all ...map[string]any) []bucketSeries { return []bucketSeries{{labels: "a", histograms: all}} }
	for _, row := range []struct {
		name      string
		candidate []bucketSeries
		stable    []bucketSeries
		from, to  int
		want      judge.Arm
	}{
		{"classic", pod("a"), stable, 0, 45, judge.Arm{Bad: 5, Total: 20}},
		{"classic, a part of the time", pod("a"), stable, 15, 30, judge.Arm{Bad: 2, Total: 6}},
		{"classic, of two pods", append(pod("a"), pod("b")...), stable, 0, 45, judge.Arm{Bad: 10, Total: 40}},
		{"classic, a bound written in two ways", append(pod("a"), []bucketSeries{
			{labels: "b/0.5", values: []float64{0, 1}}, {labels: "b/1", values: []float64{0, 2}}, {labels: "b/+Inf", values: []float64{0, 5}},
		}...), stable, 0, 45, judge.Arm{Bad: 8, Total: 25}},
		{"classic, no stable", pod("a"), nil, 0, 45, judge.Arm{Bad: 5, Total: 20}},
		{"nothing", nil, stable, 0, 45, judge.Arm{}},
		{
			"native", natively(native(2, 1, 2, 3, 4), native(2, 1, 3, 5, 7), native(2, 4, 4, 9, 9)), natively(native(2, 1), native(2, 2)),
			0, 45,
			judge.Arm{Bad: 11, Total: 16},
		},
		{
			"native, with a reset", natively(native(2, 10, 20, 30), native(2, 11, 22, 33), native(2, 0, 1, 2)), nil,
			0, 45,
			judge.Arm{Bad: 5, Total: 9},
		},
		{
			"native, with a reset and then more than before", natively(native(2, 0, 0, 3), native(2, 9, 9, 1)), nil,
			0, 45,
			judge.Arm{Bad: 1, Total: 19},
		},
		{
			"native, of half the resolution later", natively(native(math.Sqrt2, 1, 2, 3, 4, 5, 6), native(2, 4, 8, 15)), nil,
			0, 45,
			judge.Arm{Bad: 4, Total: 6},
		},
		{"native, new together with its target", natively(native(2, 50, 50, 50)), nil, -10, 45, judge.Arm{}},
	} {
		t.Run(row.name, func(t *testing.T) {
			address := answers(t, map[string][]bucketSeries{"new": row.candidate, "old": row.stable})
			got, err := newProvider(t, Options{Guard: open(t)}).CountLatencies(t.Context(), latencyQuery(address, row.from, row.to))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(row.want, got.Candidate.Above(1)); diff != "" {
				t.Errorf("counted (-want +got):\n%s", diff)
			}
		})
	}
}

// TestCountOfNativeHistograms holds that requests can be counted by a native histogram.
func TestCountOfNativeHistograms(t *testing.T) {
	address := answers(t, map[string][]bucketSeries{
		`all{v="2"}`: {{labels: "a", histograms: []map[string]any{native(2, 1, 2), native(2, 5, 9), native(2, 0, 3)}}},
		`all{v="1"}`: {{labels: "b", values: []float64{1, 5, 9}}},
	})
	got, err := newProvider(t, Options{Guard: open(t)}).Count(t.Context(), countQuery(address, 0, 45))
	want := judge.Batch{Candidate: judge.Arm{Total: 11 + 3}, Stable: judge.Arm{Total: 8}}
	if diff := cmp.Diff(want, got.Batch); err != nil || diff != "" {
		t.Errorf("error %v, counted (-want +got):\n%s", err, diff)
	}
}

func TestCountLatenciesFaults(t *testing.T) {
	good := []bucketSeries{{labels: "s/0.5", values: []float64{1, 2}}, {labels: "s/+Inf", values: []float64{1, 2}}}
	for _, row := range []struct {
		name              string
		candidate, stable []bucketSeries
		field, want       string
	}{
		{"no bucket of all", good[:1], good, "candidate", "its buckets are le=[0.5], and stable's le=[0.5 +Inf]"},
		{"no bucket of all in either", good[:1], good[:1], "candidate", `le="+Inf", is missing`},
		{"no buckets", []bucketSeries{{labels: "a", values: []float64{1, 2}}}, good, "candidate", "without the label le"},
		{"a bound that is none", good, []bucketSeries{{labels: "a/fast", values: []float64{1, 2}}}, "stable", `le="fast", which is no number`},
		{
			"other buckets",
			[]bucketSeries{{labels: "a/0.2", values: []float64{1, 2}}, {labels: "a/+Inf", values: []float64{1, 2}}},
			good, "candidate",
			"both versions need the same",
		},
		{
			"another kind",
			[]bucketSeries{{labels: "a", histograms: []map[string]any{native(2, 1), native(2, 2)}}},
			good, "candidate",
			"one version has classic buckets and the other native histograms",
		},
		{
			"both kinds", append([]bucketSeries{{labels: "a", histograms: []map[string]any{native(2, 1), native(2, 2)}}}, good...),
			append([]bucketSeries{{labels: "a", histograms: []map[string]any{native(2, 1), native(2, 2)}}}, good...), "candidate", "select one",
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			address := answers(t, map[string][]bucketSeries{"new": row.candidate, "old": row.stable})
			_, err := newProvider(t, Options{Guard: open(t)}).CountLatencies(t.Context(), latencyQuery(address, 0, 45))
			var fault *analysis.Fault
			if !errors.As(err, &fault) || fault.Field != row.field || !strings.Contains(fault.Message, row.want) {
				t.Errorf("error %v, want one of %s with %q", err, row.field, row.want)
			}
		})
	}
}

// TestLatencies holds what is asked for stable's past, and how it is read.
func TestLatencies(t *testing.T) {
	for _, row := range []struct {
		name, result string
		want         judge.Arm // slower than 1
		fault        string
	}{
		{
			"classic", `[{"metric":{"le":"0.5"},"value":[1,"10"]},{"metric":{"le":"1.0"},"value":[1,"15.5"]},{"metric":{"le":"+Inf"},"value":[1,"20"]}]`,
			judge.Arm{Bad: 4.5, Total: 20},
			"",
		},
		{
			"native", `[{"metric":{},"histogram":[1,{"count":"6","sum":"1","buckets":[[0,"0.5","1","2"],[0,"1","2","4"]]}]}]`,
			judge.Arm{Bad: 4, Total: 6},
			"",
		},
		{"nothing", `[]`, judge.Arm{}, ""},
		{"no buckets", `[{"metric":{},"value":[1,"10"]}]`, judge.Arm{}, "without the label le"},
	} {
		t.Run(row.name, func(t *testing.T) {
			var asked string
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked = r.FormValue("query")
				_, _ = fmt.Fprintf(w, `{"status":"success","data":{"resultType":"vector","result":%s}}`, row.result)
			}))
			defer server.Close()
			got, err := newProvider(t, Options{Guard: open(t)}).Latencies(t.Context(), analysis.HistoryQuery{
				Source:   v1alpha1.MetricProvider{Prometheus: &v1alpha1.PrometheusMetric{Address: server.URL}},
				Selector: `took{v="1"}`, At: time.Unix(epoch, 0), For: time.Hour,
			})
			if want := `sum by (le) (increase(took{v="1"}[3600000ms]))`; asked != want {
				t.Errorf("asked %s, want %s", asked, want)
			}
			if row.fault != "" {
				if err == nil || !strings.Contains(err.Error(), row.fault) {
					t.Errorf("error %v, want one with %q", err, row.fault)
				}
				return
			}
			if diff := cmp.Diff(row.want, got.Above(1)); err != nil || diff != "" {
				t.Errorf("error %v, got (-want +got):\n%s", err, diff)
			}
		})
	}
}
