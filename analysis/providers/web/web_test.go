package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/analysis"
	"github.com/sluice-dev/sluice/analysis/providers/fetch"
	"github.com/sluice-dev/sluice/analysis/providertest"
	"github.com/sluice-dev/sluice/api/v1alpha1"
)

func newProvider(t *testing.T) *Provider {
	t.Helper()
	provider, err := New(fetch.Transport{Guard: fetch.Anywhere()}.Client())
	if err != nil {
		t.Fatal(err)
	}
	return provider
}

func answer(value string) providertest.Answer {
	return providertest.Answer{Status: 200, Body: fmt.Sprintf(`{"status":"ok","data":{"rate":%s}}`, value)}
}

func TestContract(t *testing.T) {
	for _, method := range []v1alpha1.WebMethod{"", v1alpha1.WebGet, v1alpha1.WebPost} {
		t.Run("method "+string(method), func(t *testing.T) {
			providertest.Test(t, providertest.Subject{
				Provider: newProvider(t),
				Source: func(address string, timeout time.Duration) v1alpha1.MetricProvider {
					return v1alpha1.MetricProvider{Web: &v1alpha1.WebMetric{
						URL: address, Method: method, Value: "json.data.rate", Timeout: &metav1.Duration{Duration: timeout},
					}}
				},
				Number:  func(value float64) providertest.Answer { return answer(strconv.FormatFloat(value, 'g', -1, 64)) },
				Finite:  true,
				Literal: answer,
				Empty:   answer("null"),
				Malformed: []providertest.Answer{
					{Status: 200, Body: "{}"},
					{Status: 200, Body: "null"},
					{Status: 200, Body: "[]"},
					{Status: 204},
					{Status: 200, Body: `{"data":[0.5]}`},
					{Status: 200, Body: `{"data":"0.5"}`},
					{Status: 200, Body: `{"Data":{"rate":1}}`},
					answer(`"0.5"`), answer("true"), answer("[1]"), answer("{}"), answer("NaN"), answer("0x10"), answer("1}}{{"),
				},
			})
		})
	}
}

// TestRequest checks what a server is asked.
func TestRequest(t *testing.T) {
	type request struct{ Method, URI, Accept, Type, Agent, Token, Body string }
	var got request
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = request{
			r.Method, r.RequestURI, r.Header.Get("Accept"), r.Header.Get("Content-Type"), r.UserAgent(),
			r.Header.Get("Authorization"), string(body),
		}
		_, _ = io.WriteString(w, "1")
	}))
	defer server.Close()
	secrets := func(_ context.Context, ref v1alpha1.SecretKeyReference) (string, error) {
		return ref.Name + "-" + ref.Key + "\n", nil
	}
	token := []v1alpha1.MetricHeader{{
		Name: "authorization", Value: "Bearer ", SecretKeyRef: &v1alpha1.SecretKeyReference{Name: "figures", Key: "token"},
	}}
	tests := map[string]struct {
		source v1alpha1.WebMetric
		want   request
	}{
		"get": {
			v1alpha1.WebMetric{URL: server.URL + "/a/b?x=1&y=%20", Headers: token},
			request{"GET", "/a/b?x=1&y=%20", "application/json", "", "sluice", "Bearer figures-token", ""},
		},
		"post": {
			v1alpha1.WebMetric{URL: server.URL, Method: v1alpha1.WebPost, Body: `{"a": "b"}`},
			request{"POST", "/", "application/json", "application/json", "sluice", "", `{"a": "b"}`},
		},
		"other types": {
			v1alpha1.WebMetric{URL: server.URL, Method: v1alpha1.WebPost, Body: `{}`, Headers: []v1alpha1.MetricHeader{
				{Name: "Accept", Value: "application/vnd.x+json"}, {Name: "Content-Type", Value: "application/vnd.y+json"},
			}},
			request{"POST", "/", "application/vnd.x+json", "application/vnd.y+json", "sluice", "", `{}`},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			test.source.Value = "json"
			query := analysis.Query{Source: v1alpha1.MetricProvider{Web: &test.source}, Secrets: secrets}
			if _, err := newProvider(t).Measure(t.Context(), query); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("asked (-want +got):\n%s", diff)
			}
		})
	}
}

func TestValue(t *testing.T) {
	const body = `{"errors": 3, "requests": 2000, "name": "secret-name", "rate": "0.25", "healthy": true, "big": 9007199254740993,
		"pods": [{"pod": "a", "errors": 1}, {"pod": "b", "errors": 2}], "secret-key": {"secret-name": 1}, "none": null}`
	tests := map[string]struct {
		value string
		want  string // the reading, or a part of the message
	}{
		"a quotient of whole numbers":         {"json.errors / json.requests", "0.0015"},
		"an element":                          {"json.pods[1].errors", "2"},
		"an element by what is in it":         {"json.pods.filter(p, p.pod == 'b')[0].errors", "2"},
		"a size":                              {"json.pods.size()", "2"},
		"a text turned into a number":         {"double(json.rate)", "0.25"},
		"a bool turned into a number":         {"json.healthy ? 1.0 : 0.0", "1"},
		"the larger one":                      {"math.greatest([json.errors, json.requests])", "2000"},
		"an unsigned number":                  {"7u", "7"},
		"a large number":                      {"json.big", "9.007199254740992e+15"},
		"null":                                {"json.none", "no data"},
		"a field that may be missing":         {"json.?data.?errors", "no data"},
		"a field that may be missing and not": {"json.?errors", "3"},
		"a field with a default":              {"json.?data.?errors.orValue(0.0)", "0"},
		"no number by zero":                   {"0.0 / json.?x.orValue(0.0)", "NaN"},
		"a field that is missing":             {"json.data.errors", `no field "data"`},
		"a field of that, missing":            {"json.pods[0].rate", `no field "rate"`},
		"a field by what the answer says":     {"json['secret-key'][json.rate]", "not such that"},
		"an index outside":                    {"json.pods[9].errors", "not such that"},
		"a text as a number":                  {"double(json.name)", "not such that"},
		"a text":                              {"json.rate", "double(…)"},
		"a bool":                              {"json.healthy", "1.0 : 0.0"},
		"a list":                              {"json.pods.map(p, p.errors)", "[0]"},
		"an object":                           {"json", "no number"},
		"no expression":                       {"json.(", "does not compile"},
		"an unknown name":                     {"answer.errors", "undeclared reference"},
		"too deep":                            {strings.Repeat("(", 300) + "1" + strings.Repeat(")", 300), "does not compile"},
		"too expensive": {
			"json.pods.map(a, json.pods.map(b, json.pods.map(c, json.pods.map(d, json.pods.map(e, json.pods.map(f, json.pods.map(g, " +
				"json.pods.map(h, json.pods.map(i, json.pods.map(j, json.pods.map(k, json.pods.map(l, json.pods.map(m, json.pods.map(n, " +
				"json.pods.map(o, json.pods.map(p, json.pods.map(q, 1)))))))))))))))))[0][0]", "too long",
		},
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) }))
	defer server.Close()
	provider := newProvider(t)
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, failed := told(t, provider, v1alpha1.WebMetric{URL: server.URL, Value: test.value})
			if got != test.want && (!failed || !strings.Contains(got, test.want)) {
				t.Errorf("got %q, want %q", got, test.want)
			}
			if strings.Contains(got, "secret-name") {
				t.Errorf("message %q repeats the answer", got)
			}
		})
	}
}

// told measures, and gives the number as a text, "no data", or the message of a fault of the expression.
func told(t *testing.T, provider *Provider, source v1alpha1.WebMetric) (text string, failed bool) {
	t.Helper()
	reading, err := provider.Measure(t.Context(), analysis.Query{Source: v1alpha1.MetricProvider{Web: &source}})
	var fault *analysis.Fault
	switch {
	case errors.As(err, &fault) && fault.Field == fieldValue && fault.Reason == v1alpha1.ReasonQueryInvalid:
		return fault.Message, true
	case err != nil:
		t.Fatalf("got %v, want a fault of the expression", err)
	case !reading.Found:
		return "no data", false
	}
	return strconv.FormatFloat(reading.Value, 'g', -1, 64), false
}

func TestWrongInput(t *testing.T) {
	refused := &analysis.Fault{Reason: v1alpha1.ReasonSecretMissing, Message: "there is no Secret"}
	tests := map[string]struct {
		source    v1alpha1.WebMetric
		secret    string
		wantField string
		want      string
	}{
		"no URL":           {v1alpha1.WebMetric{URL: "http://%zz"}, "", fieldURL, "https://example.com"},
		"a password":       {v1alpha1.WebMetric{URL: "http://me:s3cret@a.b"}, "", fieldURL, "password"},
		"another protocol": {v1alpha1.WebMetric{URL: "file:///etc/passwd"}, "", fieldURL, "http://"},
		"a body that is no JSON": {
			v1alpha1.WebMetric{URL: "http://a.b", Method: v1alpha1.WebPost, Body: "{a: 1}"}, "", fieldBody, `{"service": "web"}`,
		},
		"a Secret that is not there": {
			v1alpha1.WebMetric{URL: "http://a.b", Headers: []v1alpha1.MetricHeader{{Name: "A"}, {Name: "B", SecretKeyRef: &v1alpha1.SecretKeyReference{}}}},
			"", "provider.web.headers[1].secretKeyRef", "there is no Secret",
		},
		"a Secret that is no header": {
			v1alpha1.WebMetric{URL: "http://a.b", Headers: []v1alpha1.MetricHeader{{Name: "B", SecretKeyRef: &v1alpha1.SecretKeyReference{Name: "x", Key: "y"}}}},
			"s3cret\r\nX-Other: 1", "provider.web.headers[0].secretKeyRef", "printable ASCII",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			test.source.Value = "json"
			_, err := newProvider(t).Measure(t.Context(), analysis.Query{
				Source: v1alpha1.MetricProvider{Web: &test.source},
				Secrets: func(context.Context, v1alpha1.SecretKeyReference) (string, error) {
					if test.secret == "" {
						return "", refused
					}
					return test.secret, nil
				},
			})
			var fault *analysis.Fault
			if !errors.As(err, &fault) || fault.Field != test.wantField || !strings.Contains(fault.Message, test.want) {
				t.Fatalf("got %v, want a fault of %s with %q", err, test.wantField, test.want)
			}
			if strings.Contains(err.Error(), "s3cret") {
				t.Errorf("message %q shows a secret", err)
			}
		})
	}
	if _, err := newProvider(t).Measure(t.Context(), analysis.Query{}); err == nil {
		t.Error("got no error without a source")
	}
}

// TestStranger has a guard, as a controller has.
func TestStranger(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the server was asked") }))
	defer server.Close()
	provider, err := New(fetch.Transport{}.Client())
	if err != nil {
		t.Fatal(err)
	}
	_, err = provider.Measure(t.Context(), analysis.Query{Source: v1alpha1.MetricProvider{
		Web: &v1alpha1.WebMetric{URL: server.URL, Value: "json"},
	}})
	var fault *analysis.Fault
	if !errors.As(err, &fault) || fault.Reason != v1alpha1.ReasonAddressInvalid || fault.Field != fieldURL {
		t.Errorf("got %v, want a fault of the URL", err)
	}
}
