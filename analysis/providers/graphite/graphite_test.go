package graphite

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

func answer(text string) providertest.Answer {
	return ok(`[{"target":"web.errors","tags":{"name":"web.errors"},"datapoints":[[3,1699999880],[` + text + `,1699999940],[null,1700000000]]}]`)
}

func TestContract(t *testing.T) {
	providertest.Test(t, providertest.Subject{
		Provider: newProvider(),
		Source: func(address string, timeout time.Duration) v1alpha1.MetricProvider {
			return v1alpha1.MetricProvider{Graphite: &v1alpha1.GraphiteMetric{
				Address: address, Target: "web.errors", Timeout: &metav1.Duration{Duration: timeout},
			}}
		},
		Number:  func(value float64) providertest.Answer { return answer(strconv.FormatFloat(value, 'g', -1, 64)) },
		Finite:  true,
		Literal: answer,
		Empty:   ok("[]"),
		Several: ok(`[{"target":"a","datapoints":[[1,1700000000]]},{"target":"b","datapoints":[[2,1700000000]]}]`),
		Malformed: []providertest.Answer{
			ok("{}"), ok("null"), ok("[1]"), ok("[null]"), ok("[{}]"), ok(`[{"target":"a"}]`), ok(`[{"datapoints":[]}]`),
			ok(`[{"target":"a","datapoints":[[1]]}]`), ok(`[{"target":"a","datapoints":[[1,2,3]]}]`), ok(`[{"target":"a","datapoints":[1,2]}]`),
			ok(`[{"target":"a","datapoints":[[1,null]]}]`), ok(`[{"target":"a","datapoints":[[]]}]`),
			answer(`"0.97"`), answer("[1]"), answer("NaN"),
			{Status: 204},
			{Status: 400, Body: "Invalid target"},
		},
	})
}

func TestNothing(t *testing.T) {
	for _, points := range []string{"", "[null,1700000000]", "[null,1699999940],[null,1700000000]"} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = fmt.Fprintf(w, `[{"target":"a","datapoints":[%s]}]`, points)
		}))
		got := providertest.Told(newProvider().Measure(t.Context(), analysis.Query{
			Source: v1alpha1.MetricProvider{Graphite: &v1alpha1.GraphiteMetric{Address: server.URL}},
		}))
		server.Close()
		if got != "no data" {
			t.Errorf("points %q: got %s, want no data", points, got)
		}
	}
}

func TestRequest(t *testing.T) {
	var got []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = []string{r.Method, r.URL.String(), r.Header.Get("Content-Type"), r.Header.Get("Authorization"), string(body)}
		_, _ = io.WriteString(w, answer("1").Body)
	}))
	defer server.Close()
	_, err := newProvider().Measure(t.Context(), analysis.Query{
		Source: v1alpha1.MetricProvider{Graphite: &v1alpha1.GraphiteMetric{
			Address: server.URL + "/graphite/", Target: "sum(web.*.errors)", Window: &metav1.Duration{Duration: time.Minute},
			Headers: []v1alpha1.MetricHeader{{Name: "Authorization", Value: "Basic ", SecretKeyRef: &v1alpha1.SecretKeyReference{Name: "g", Key: "h"}}},
		}},
		At: time.Unix(1_700_000_000, 0), Secrets: providertest.NamedSecrets,
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"POST", "/graphite/render", "application/x-www-form-urlencoded", "Basic g/h",
		"format=json&from=1699999940&target=sum%28web.%2A.errors%29&until=1700000000",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
}
