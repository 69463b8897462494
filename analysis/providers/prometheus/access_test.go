package prometheus

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sluice-dev/sluice/analysis"
	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// stored reads the one Secret of these tests.
func stored(_ context.Context, ref v1alpha1.SecretKeyReference) (string, error) {
	return "value-of-" + ref.Key, nil
}

// TestOtherServers asks servers that answer as those do which speak the same API: below another path, for a tenant, to those
// who say who they are, and with warnings where a store did not answer.
func TestOtherServers(t *testing.T) {
	const one = `{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1700000000,"0.97"]}]}%s}`
	tests := map[string]struct {
		path     string // of the API
		address  string // below the server
		access   v1alpha1.PrometheusAccess
		header   string
		answer   string
		wantWarn string
	}{
		"Prometheus": {path: "/api/v1/query", answer: fmt.Sprintf(one, "")},
		"Prometheus behind a prefix": {
			path: "/tools/prom/api/v1/query", address: "/tools/prom/", answer: fmt.Sprintf(one, `,"infos":["metric might not be a counter"]`),
		},
		"Mimir": {
			path: "/prometheus/api/v1/query", address: "/prometheus", header: "X-Scope-OrgID: shop", answer: fmt.Sprintf(one, ""),
			access: v1alpha1.PrometheusAccess{Headers: []v1alpha1.MetricHeader{{Name: "X-Scope-OrgID", Value: "shop"}}},
		},
		"VictoriaMetrics, a cluster": {
			path: "/select/0/prometheus/api/v1/query", address: "/select/0/prometheus",
			answer: fmt.Sprintf(strings.TrimSuffix(one, "}")+`,"isPartial":false,"stats":{"seriesFetched":"1"}}`, ""),
		},
		"Thanos": {path: "/api/v1/query", answer: fmt.Sprintf(one, `,"warnings":[]`)},
		"Thanos without one of its stores": {
			path: "/api/v1/query", answer: fmt.Sprintf(one, `,"warnings":["receive series from Addr: thanos-store: EOF"]`),
			wantWarn: "receive series from Addr: thanos-store: EOF",
		},
		"behind a token": {
			path: "/api/v1/query", header: "Authorization: Bearer value-of-token", answer: fmt.Sprintf(one, ""),
			access: v1alpha1.PrometheusAccess{Authentication: &v1alpha1.MetricAuthentication{
				Bearer: &v1alpha1.SecretKeyReference{Name: "prometheus", Key: "token"},
			}},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				key, value, _ := strings.Cut(test.header, ": ")
				if key != "" && r.Header.Get(key) != value {
					w.WriteHeader(http.StatusUnauthorized)
					return
				}
				if r.URL.Path != test.path || r.FormValue("query") != query || r.FormValue("timeout") != "5s" {
					http.NotFound(w, r)
					return
				}
				_, _ = io.WriteString(w, test.answer)
			}))
			defer server.Close()
			from := source(server.URL+test.address, 5*time.Second)
			from.Prometheus.PrometheusAccess = test.access
			reading, err := newProvider(t, Options{Guard: open(t)}).Measure(t.Context(), analysis.Query{
				Source: from, At: time.Unix(1_700_000_000, 0), Secrets: stored,
			})
			if err != nil || reading.Value != 0.97 || strings.Join(reading.Warnings, "") != test.wantWarn {
				t.Errorf("got %+v and error %v, want 0.97 and the warning %q", reading, err, test.wantWarn)
			}
		})
	}
}

// TestServersThatRefuse holds that a refusal leads to the field that is about who asks.
func TestServersThatRefuse(t *testing.T) {
	for _, status := range []int{http.StatusUnauthorized, http.StatusForbidden} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
		defer server.Close()
		for _, test := range []struct {
			by        *v1alpha1.MetricAuthentication
			wantField string
			want      string
		}{
			{wantField: fieldAddress, want: "say who asks, with authentication or headers"},
			{
				by:        &v1alpha1.MetricAuthentication{Bearer: &v1alpha1.SecretKeyReference{Name: "prometheus", Key: "token"}},
				wantField: fieldLogin, want: "check the credentials, and what they permit",
			},
		} {
			from := source(server.URL, time.Second)
			from.Prometheus.Authentication = test.by
			_, err := newProvider(t, Options{Guard: open(t)}).Measure(t.Context(), analysis.Query{Source: from, Secrets: stored})
			var fault *analysis.Fault
			if !errors.As(err, &fault) || fault.Field != test.wantField || !strings.Contains(fault.Message, test.want) {
				t.Errorf("%d: got error %v, want one of %s with %q", status, err, test.wantField, test.want)
			}
		}
	}
}

func TestReduce(t *testing.T) {
	tests := map[string]struct {
		values []string
		by     v1alpha1.Reduction
		want   float64
	}{
		"sum":                 {values: []string{"1", "2", "6"}, by: v1alpha1.ReduceSum, want: 9},
		"max":                 {values: []string{"1", "6", "2"}, by: v1alpha1.ReduceMax, want: 6},
		"min":                 {values: []string{"2", "-1", "6"}, by: v1alpha1.ReduceMin, want: -1},
		"avg":                 {values: []string{"1", "2", "6"}, by: v1alpha1.ReduceAvg, want: 3},
		"any":                 {values: []string{"0", "0", "2"}, by: v1alpha1.ReduceAny, want: 1},
		"any of none":         {values: []string{"0", "0"}, by: v1alpha1.ReduceAny, want: 0},
		"all":                 {values: []string{"1", "-1"}, by: v1alpha1.ReduceAll, want: 1},
		"all but one":         {values: []string{"1", "0"}, by: v1alpha1.ReduceAll, want: 0},
		"one that is none":    {values: []string{"1", "NaN"}, by: v1alpha1.ReduceMax, want: math.NaN()},
		"any, one is none":    {values: []string{"1", "NaN"}, by: v1alpha1.ReduceAny, want: math.NaN()},
		"a single one":        {values: []string{"3"}, by: v1alpha1.ReduceAny, want: 1},
		"a single one, plain": {values: []string{"3"}, want: 3},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var series []string
			for i, value := range test.values {
				series = append(series, fmt.Sprintf(`{"metric":{"pod":"%d"},"value":[1700000000,%q]}`, i, value))
			}
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				_, _ = fmt.Fprintf(w, `{"status":"success","data":{"resultType":"vector","result":[%s]}}`, strings.Join(series, ","))
			}))
			defer server.Close()
			from := source(server.URL, time.Second)
			from.Prometheus.Reduce = test.by
			got, err := newProvider(t, Options{Guard: open(t)}).Measure(t.Context(), analysis.Query{Source: from})
			if err != nil || !got.Found || got.Value != test.want && !(math.IsNaN(got.Value) && math.IsNaN(test.want)) {
				t.Errorf("got %+v and error %v, want %v", got, err, test.want)
			}
		})
	}
	if _, err := reduced([]float64{1}, "median"); err == nil || !strings.Contains(err.Error(), "write sum, max") {
		t.Errorf("got error %v, want one that lists the reductions", err)
	}
}
