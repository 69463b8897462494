package external

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

func answer(text string) providertest.Answer { return ok(`{"value":` + text + `}`) }

func TestContract(t *testing.T) {
	providertest.Test(t, providertest.Subject{
		Provider: newProvider(),
		Source: func(address string, timeout time.Duration) v1alpha1.MetricProvider {
			return v1alpha1.MetricProvider{External: &v1alpha1.ExternalMetric{URL: address, Timeout: &metav1.Duration{Duration: timeout}}}
		},
		Number: func(value float64) providertest.Answer {
			text := strconv.FormatFloat(value, 'g', -1, 64)
			switch text {
			case "NaN":
				text = `"NaN"`
			case "+Inf":
				text = `"Infinity"`
			case "-Inf":
				text = `"-Infinity"`
			}
			return answer(text)
		},
		Literal: answer,
		Warned: func(value float64, warning string) providertest.Answer {
			return ok(fmt.Sprintf(`{"value":%g,"warnings":[%q]}`, value, warning))
		},
		Empty: answer("null"),
		BadQuery: []providertest.Answer{
			{Status: 400, Body: `{"error":"the reason: no such service"}`}, {Status: 422, Body: `{"error":"the reason"}`},
		},
		Malformed: []providertest.Answer{
			ok("{}"), ok("null"), ok("[]"), ok("0.97"), ok(`{"Value":1}`), ok(`{"value":1,"warnings":"x"}`), ok(`{"value":1,"warnings":[1]}`),
			answer(`"0.97"`), answer("[1]"), answer("{}"), answer("true"), answer(`"nan"`),
			{Status: 204},
			{Status: 201, Body: `{"value":1}`},
			{Status: 400, Body: "{}"},
			{Status: 400, Body: "no"},
			{Status: 422, Body: `{"error":7}`},
		},
	})
}

func TestRequest(t *testing.T) {
	var got []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = []string{r.Method, r.URL.String(), r.Header.Get("Content-Type"), r.Header.Get("Accept"), r.Header.Get("X-Key"), string(body)}
		_, _ = io.WriteString(w, answer("1").Body)
	}))
	defer server.Close()
	_, err := newProvider().Measure(t.Context(), analysis.Query{
		Source: v1alpha1.MetricProvider{External: &v1alpha1.ExternalMetric{
			URL:        server.URL + "/measure?x=1",
			Headers:    []v1alpha1.MetricHeader{{Name: "X-Key", SecretKeyRef: &v1alpha1.SecretKeyReference{Name: "s", Key: "k"}}},
			Parameters: []v1alpha1.NamedValue{{Name: "service", Value: `web"`}, {Name: "minutes", Value: "5"}},
		}},
		At: time.Unix(1_700_000_000, 500_000_000), Secrets: providertest.NamedSecrets,
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"POST", "/measure?x=1", "application/json", "application/json", "s/k",
		`{"version":"v1","at":"2023-11-14T22:13:20.5Z","parameters":{"minutes":"5","service":"web\""}}`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
}
