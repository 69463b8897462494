package datadog

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/analysis"
	"github.com/sluice-dev/sluice/analysis/providers/fetch"
	"github.com/sluice-dev/sluice/analysis/providertest"
	"github.com/sluice-dev/sluice/api/v1alpha1"
)

func newProvider() *Provider { return New(fetch.Transport{Guard: fetch.Anywhere()}.Client()) }

func ok(body string) providertest.Answer { return providertest.Answer{Status: 200, Body: body} }

func answer(values string) providertest.Answer {
	return ok(fmt.Sprintf(`{"data":{"id":"0","type":"scalar_response","attributes":{"columns":[`+
		`{"name":"query","type":"number","values":[%s],"meta":{"unit":[{"name":"hit"},null]}}]}}}`, values))
}

func TestContract(t *testing.T) {
	providertest.Test(t, providertest.Subject{
		Provider: newProvider(),
		Source: func(address string, timeout time.Duration) v1alpha1.MetricProvider {
			return v1alpha1.MetricProvider{Datadog: &v1alpha1.DatadogMetric{
				Address: address, Query: "avg:a{b}", Timeout: &metav1.Duration{Duration: timeout},
			}}
		},
		Number:  func(value float64) providertest.Answer { return answer(strconv.FormatFloat(value, 'g', -1, 64)) },
		Finite:  true,
		Literal: answer,
		Empty:   answer("null"),
		Several: ok(`{"data":{"type":"scalar_response","attributes":{"columns":[
			{"name":"pod","type":"group","values":[["a"],["b"]]},{"name":"query","type":"number","values":[1,2]}]}}}`),
		BadQuery: []providertest.Answer{
			{Status: 400, Body: `{"errors":["the reason: unexpected token"]}`},
			ok(`{"data":{"type":"scalar_response","attributes":{"columns":[]}},"errors":"the reason: no such metric"}`),
		},
		Malformed: []providertest.Answer{
			ok("{}"), ok("null"), ok("[]"), ok(`{"data":null}`), ok(`{"data":{}}`), ok(`{"data":{"type":"scalar_response"}}`),
			ok(`{"data":{"type":"timeseries_response","attributes":{"columns":[]}}}`),
			ok(`{"data":{"type":"scalar_response","attributes":{}}}`),
			ok(`{"data":{"type":"scalar_response","attributes":{"columns":[{"name":"x","type":"else","values":[1]}]}}}`),
			ok(`{"data":{"type":"scalar_response","attributes":{"columns":[{"name":"x","type":"number"}]}}}`),
			ok(`{"data":{"type":"scalar_response","attributes":{"columns":[{"type":"group","values":["a"]},{"type":"number","values":[1]}]}}}`),
			ok(`{"data":{"type":"scalar_response","attributes":{"columns":[{"type":"number","values":[1]},{"type":"number","values":[2]}]}}}`),
			answer(`"0.97"`), answer("[1]"), answer("{}"),
			{Status: 400, Body: `{"errors":[]}`},
			{Status: 400, Body: "no"},
			{Status: 204},
		},
	})
}

func TestNothing(t *testing.T) {
	for _, body := range []string{answer("").Body, `{"data":{"type":"scalar_response","attributes":{"columns":[]}}}`} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) }))
		reading, err := newProvider().Measure(t.Context(), analysis.Query{
			Source:  v1alpha1.MetricProvider{Datadog: &v1alpha1.DatadogMetric{Address: server.URL, Query: "a"}},
			Secrets: providertest.Secrets,
		})
		server.Close()
		if err != nil || reading.Found {
			t.Errorf("%s: got %+v and error %v, want no data", body, reading, err)
		}
	}
}

// TestRequest checks what is asked, against the API's own description of a scalar query.
func TestRequest(t *testing.T) {
	var got []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = []string{r.Method, r.URL.String(), r.Header.Get("DD-API-KEY"), r.Header.Get("DD-APPLICATION-KEY"), string(body)}
		_, _ = io.WriteString(w, answer("1").Body)
	}))
	defer server.Close()
	tests := map[string]struct {
		source v1alpha1.DatadogMetric
		want   string
	}{
		"one query": {
			v1alpha1.DatadogMetric{Query: "avg:a{b}"},
			`{"data":{"type":"scalar_request","attributes":{"from":1699999700000,"to":1700000000000,` +
				`"queries":[{"data_source":"metrics","name":"query","query":"avg:a{b}","aggregator":"avg"}],"formulas":[{"formula":"query"}]}}}`,
		},
		"a formula": {
			v1alpha1.DatadogMetric{
				Queries: []v1alpha1.DatadogQuery{{Name: "errors", Query: "sum:e{*}"}, {Name: "all", Query: "sum:a{*}"}},
				Formula: "errors / all", Aggregator: "sum", Window: &metav1.Duration{Duration: time.Minute},
			},
			`{"data":{"type":"scalar_request","attributes":{"from":1699999940000,"to":1700000000000,` +
				`"queries":[{"data_source":"metrics","name":"errors","query":"sum:e{*}","aggregator":"sum"},` +
				`{"data_source":"metrics","name":"all","query":"sum:a{*}","aggregator":"sum"}],"formulas":[{"formula":"errors / all"}]}}}`,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			test.source.Address = server.URL + "/"
			test.source.APIKey = v1alpha1.SecretKeyReference{Name: "datadog", Key: "api"}
			test.source.ApplicationKey = v1alpha1.SecretKeyReference{Name: "datadog", Key: "app"}
			_, err := newProvider().Measure(t.Context(), analysis.Query{
				Source: v1alpha1.MetricProvider{Datadog: &test.source}, At: time.Unix(1_700_000_000, 0), Secrets: providertest.NamedSecrets,
			})
			if err != nil {
				t.Fatal(err)
			}
			want := []string{"POST", "/api/v2/query/scalar", "datadog/api", "datadog/app", test.want}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("asked (-want +got):\n%s", diff)
			}
		})
	}
}
