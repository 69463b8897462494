package newrelic

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

func answer(results string) providertest.Answer {
	return ok(`{"data":{"actor":{"account":{"nrql":{"results":[` + results + `]}}}}}`)
}

func percentage(text string) providertest.Answer { return answer(`{"percentage":` + text + `}`) }

func TestContract(t *testing.T) {
	providertest.Test(t, providertest.Subject{
		Provider: newProvider(),
		Source: func(address string, timeout time.Duration) v1alpha1.MetricProvider {
			return v1alpha1.MetricProvider{NewRelic: &v1alpha1.NewRelicMetric{
				Address: address, Account: 1, Query: "SELECT 1", Timeout: &metav1.Duration{Duration: timeout},
			}}
		},
		Number:  func(value float64) providertest.Answer { return percentage(strconv.FormatFloat(value, 'g', -1, 64)) },
		Finite:  true,
		Literal: percentage,
		Empty:   percentage("null"),
		Several: answer(`{"facet":"a","pod":"a","percentage":1},{"facet":"b","pod":"b","percentage":2}`),
		BadQuery: []providertest.Answer{
			ok(`{"data":{"actor":{"account":{"nrql":null}}},"errors":[{"message":"the reason: NRQL Syntax Error","path":["actor"]}]}`),
			ok(`{"errors":[{"message":"the reason: Argument has invalid value"}]}`),
		},
		Malformed: []providertest.Answer{
			ok("{}"), ok("null"), ok("[]"), ok(`{"data":null}`), ok(`{"data":{"actor":null}}`), ok(`{"data":{"actor":{"account":null}}}`),
			ok(`{"data":{"actor":{"account":{"nrql":null}}}}`), ok(`{"data":{"actor":{"account":{"nrql":{}}}}}`),
			percentage(`"0.97"`), percentage("[1]"), percentage("{}"), percentage("true"), answer("null"), answer("1"), answer("{}"),
			answer(`{"a":1,"b":2}`),
			{Status: 204},
			{Status: 400, Body: "{}"},
		},
	})
}

func TestShapes(t *testing.T) {
	tests := map[string]struct {
		results string
		want    string
	}{
		"nothing":               {"", "no data"},
		"a count":               {`{"count":7}`, "7"},
		"a percentile":          {`{"percentile.duration":{"99":0.25}}`, "0.25"},
		"one facet":             {`{"facet":["a","b"],"app":"a","average.duration":3}`, "3"},
		"one time":              {`{"beginTimeSeconds":1700000000,"endTimeSeconds":1700000060,"count":5}`, "5"},
		"a percentile of none":  {`{"percentile.duration":{"99":null}}`, "no data"},
		"several percentiles":   {`{"percentile.duration":{"50":1,"99":2}}`, "Ambiguous"},
		"several functions":     {`{"count":1,"average.duration":null}`, "Ambiguous"},
		"a number among others": {`{"latest.name":"x","latest.rate":0.5}`, "0.5"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				_, _ = io.WriteString(w, answer(test.results).Body)
			}))
			defer server.Close()
			got := providertest.Told(newProvider().Measure(t.Context(), analysis.Query{
				Source:  v1alpha1.MetricProvider{NewRelic: &v1alpha1.NewRelicMetric{Address: server.URL}},
				Secrets: providertest.Secrets,
			}))
			if got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

func TestRequest(t *testing.T) {
	var got []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = []string{r.Method, r.URL.String(), r.Header.Get("API-Key"), string(body)}
		_, _ = io.WriteString(w, percentage("1").Body)
	}))
	defer server.Close()
	_, err := newProvider().Measure(t.Context(), analysis.Query{
		Source: v1alpha1.MetricProvider{NewRelic: &v1alpha1.NewRelicMetric{
			Address: server.URL, Account: 4711, Query: `SELECT count(*) FROM Transaction WHERE app = 'web"'`,
			APIKey: v1alpha1.SecretKeyReference{Name: "newrelic", Key: "user"},
		}},
		Secrets: providertest.NamedSecrets,
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"POST", "/graphql", "newrelic/user", fmt.Sprintf(
		`{"query":%q,"variables":{"account":4711,"query":"SELECT count(*) FROM Transaction WHERE app = 'web\"'"}}`, document)}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
}
