package prometheus

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/analysis"
	"github.com/sluice-dev/sluice/analysis/providers/fetch"
	"github.com/sluice-dev/sluice/analysis/providertest"
	"github.com/sluice-dev/sluice/api/v1alpha1"
)

const query = `sum(rate(http_requests_total{code!~"5.."}[1m]))`

func TestContract(t *testing.T) {
	for _, shape := range []string{"scalar", "vector"} {
		t.Run(shape, func(t *testing.T) {
			providertest.Test(t, providertest.Subject{
				Provider: newProvider(t, Options{Guard: open(t)}),
				Source: func(address string, timeout time.Duration) v1alpha1.MetricProvider {
					return source(address, timeout)
				},
				Number: func(value float64) providertest.Answer {
					return success(shape, value, "")
				},
				Literal: func(text string) providertest.Answer {
					return literal(shape, text, "")
				},
				Warned: func(value float64, warning string) providertest.Answer {
					return success(shape, value, fmt.Sprintf(`,"warnings":[%q],"infos":["an info"]`, warning))
				},
				Empty: ok(`{"resultType":"vector","result":[]}`, ""),
				Several: ok(`{"resultType":"vector","result":[
					{"metric":{"pod":"a"},"value":[1700000000,"1"]},{"metric":{"pod":"b"},"value":[1700000000,"2"]}]}`, ""),
				BadQuery: []providertest.Answer{
					{Status: 400, Body: `{"status":"error","errorType":"bad_data","error":"the reason: parse error"}`},
					{Status: 422, Body: `{"status":"error","errorType":"execution","error":"the reason: many-to-many"}`},
				},
				Malformed: malformed(),
			})
		})
	}
}

// malformed are answers that a Prometheus never gives to a query for one number.
func malformed() []providertest.Answer {
	answers := []providertest.Answer{
		{Status: 200, Body: ""},
		{Status: 200, Body: "<html>hello</html>"},
		{Status: 200, Body: "{}"},
		{Status: 200, Body: "null"},
		{Status: 204, Body: ""},
		{Status: 400, Body: "no JSON"},
		{Status: 200, Body: `{"status":"error","errorType":"timeout","error":"query timed out"}`},
		{Status: 200, Body: `{"status":"error","errorType":"internal","error":"a fault"}`},
		{Status: 200, Body: strings.Repeat("[", 200_000)},
	}
	for _, data := range []string{
		`null`,
		`{"resultType":"scalar"}`,
		`{"resultType":"scalar","result":null}`,
		`{"resultType":"scalar","result":[]}`,
		`{"resultType":"scalar","result":[1700000000,"many"]}`,
		`{"resultType":"string","result":[1700000000,"0.97"]}`,
		`{"resultType":"vector","result":[null]}`,
		`{"resultType":"vector","result":[{}]}`,
		`{"resultType":"vector","result":[{"metric":{}}]}`,
		`{"resultType":"vector","result":[{"metric":{},"value":null}]}`,
		`{"resultType":"vector","result":[{"metric":{},"histogram":[1700000000,{"count":"1","sum":"1"}]}]}`,
		`{"resultType":"matrix","result":[{"metric":{},"values":[[1700000000,"0.97"]]}]}`,
		`{"resultType":"else","result":[]}`,
	} {
		answers = append(answers, ok(data, ""))
	}
	return answers
}

// success is an answer with one number, as Prometheus writes it.
func success(shape string, value float64, more string) providertest.Answer {
	return literal(shape, strconv.FormatFloat(value, 'f', -1, 64), more)
}

// literal is an answer with a text in the place of a number.
func literal(shape, text, more string) providertest.Answer {
	if shape == "scalar" {
		return ok(fmt.Sprintf(`{"resultType":"scalar","result":[1700000000.123,%q]}`, text), more)
	}
	return ok(fmt.Sprintf(`{"resultType":"vector","result":[{"metric":{"job":"web"},"value":[1700000000.123,%q]}]}`, text), more)
}

// ok is an answer of the API with data and more fields beside it.
func ok(data, more string) providertest.Answer {
	return providertest.Answer{Status: 200, Body: `{"status":"success","data":` + data + more + `}`}
}

// source asks a server.
func source(address string, timeout time.Duration) v1alpha1.MetricProvider {
	return v1alpha1.MetricProvider{Prometheus: &v1alpha1.PrometheusMetric{
		Address: address, Query: query, Timeout: &metav1.Duration{Duration: timeout},
	}}
}

// open is a guard that lets metrics ask servers of this test.
func open(t *testing.T) *fetch.Guard {
	t.Helper()
	guard, err := fetch.NewGuard(fetch.Rules{AllowLocal: true})
	if err != nil {
		t.Fatal(err)
	}
	return guard
}

// newProvider makes a provider that must be makeable.
func newProvider(t *testing.T, options Options) *Provider {
	t.Helper()
	provider, err := New(options)
	if err != nil {
		t.Fatal(err)
	}
	return provider
}

// TestRequest checks what a server is asked: by POST, with the query, for the very moment, below a path.
func TestRequest(t *testing.T) {
	var got url.Values
	var method, path, agent string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			t.Error(err)
		}
		got, method, path, agent = r.PostForm, r.Method, r.URL.Path, r.UserAgent()
		_, _ = w.Write([]byte(success("scalar", 1, "").Body))
	}))
	defer server.Close()
	provider := newProvider(t, Options{Guard: open(t)})
	at := time.Unix(1_700_000_000, 250_000_000)
	_, err := provider.Measure(t.Context(), analysis.Query{Source: source(server.URL+"/tenant/", 7*time.Second), At: at})
	if err != nil {
		t.Fatal(err)
	}
	if method != http.MethodPost || path != "/tenant/api/v1/query" || agent != "sluice" {
		t.Errorf("got %s %s by %q, want POST /tenant/api/v1/query by sluice", method, path, agent)
	}
	want := url.Values{"query": {query}, "time": {"1700000000.25"}, "timeout": {"7s"}}
	if got.Encode() != want.Encode() {
		t.Errorf("got form %v, want %v", got, want)
	}
}

// TestReadOnlyServer has a server that takes no POST, as some proxies in front of Prometheus do.
func TestReadOnlyServer(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet || r.URL.Query().Get("query") != query {
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		_, _ = w.Write([]byte(success("scalar", 0.5, "").Body))
	}))
	defer server.Close()
	provider := newProvider(t, Options{Guard: open(t)})
	reading, err := provider.Measure(t.Context(), analysis.Query{Source: source(server.URL, time.Minute)})
	if err != nil || reading.Value != 0.5 {
		t.Errorf("got %+v and error %v, want 0.5", reading, err)
	}
}

func TestAddress(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(success("scalar", 1, "").Body))
	}))
	defer server.Close()
	_, port, _ := strings.Cut(strings.TrimPrefix(server.URL, "http://"), ":")
	tests := map[string]struct {
		options  Options
		address  string
		wantText string // of a fault of the address; none when empty
	}{
		"that of the controller":                  {options: Options{DefaultAddress: server.URL}},
		"that of the controller, said again":      {options: Options{DefaultAddress: server.URL}, address: server.URL},
		"that of the metric":                      {options: Options{Guard: open(t)}, address: server.URL},
		"that of the metric before the default":   {options: Options{DefaultAddress: "http://localhost:1", Guard: open(t)}, address: server.URL},
		"none":                                    {wantText: "--prometheus-address"},
		"no scheme":                               {address: "prometheus:9090", wantText: "http://"},
		"another scheme":                          {address: "file:///etc/passwd", wantText: "http://"},
		"a password":                              {address: "http://me:secret@prometheus:9090", wantText: "password"},
		"no host":                                 {address: "http://", wantText: "host"},
		"a query":                                 {address: "http://prometheus:9090/?x=1", wantText: "path"},
		"a password, and no URL":                  {address: "http://me:secret@%zz", wantText: "URL"},
		"a password, and no HTTP":                 {address: "ftp://me:secret@prometheus", wantText: "password"},
		"no URL":                                  {address: "http://%zz", wantText: "URL"},
		"loopback from a metric":                  {address: server.URL, wantText: "loopback"},
		"loopback by name from a metric":          {address: "http://localhost:" + port, wantText: "loopback"},
		"loopback as IPv6 from a metric":          {address: "http://[::1]:" + port, wantText: "loopback"},
		"loopback mapped into IPv6 from a metric": {address: "http://[::ffff:127.0.0.1]:" + port, wantText: "loopback"},
		"metadata from a metric":                  {address: "http://169.254.169.254", wantText: "link-local"},
		"unspecified from a metric":               {address: "http://0.0.0.0:" + port, wantText: "loopback"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			provider := newProvider(t, test.options)
			_, err := provider.Measure(t.Context(), analysis.Query{Source: source(test.address, time.Minute)})
			if test.wantText == "" {
				if err != nil {
					t.Fatalf("got error %v, want none", err)
				}
				return
			}
			var fault *analysis.Fault
			if !errors.As(err, &fault) || fault.Reason != v1alpha1.ReasonAddressInvalid || fault.Field != fieldAddress {
				t.Fatalf("got %#v, want a fault of the address", err)
			}
			if !strings.Contains(err.Error(), test.wantText) || strings.Contains(err.Error(), "secret") {
				t.Errorf("got message %q, want one with %q and without the password", err, test.wantText)
			}
		})
	}
}

func TestDefaultAddressIsChecked(t *testing.T) {
	_, err := New(Options{DefaultAddress: "prometheus"})
	if err == nil || !strings.Contains(err.Error(), "--prometheus-address") {
		t.Errorf("got error %v, want one that names --prometheus-address", err)
	}
}

func TestTimeout(t *testing.T) {
	tests := map[string]struct {
		given *metav1.Duration
		want  time.Duration
	}{
		"none":     {nil, DefaultTimeout},
		"zero":     {&metav1.Duration{}, DefaultTimeout},
		"given":    {&metav1.Duration{Duration: 3 * time.Second}, 3 * time.Second},
		"too long": {&metav1.Duration{Duration: time.Hour}, MaxTimeout},
	}
	for name, test := range tests {
		if got := timeout(&v1alpha1.PrometheusMetric{Timeout: test.given}); got != test.want {
			t.Errorf("%s: got %s, want %s", name, got, test.want)
		}
	}
}

// TestManySeries has more series than a message shows, with labels that no terminal should see.
func TestManySeries(t *testing.T) {
	var results []string
	for i := range 50 {
		results = append(results, fmt.Sprintf(`{"metric":{"pod":"%s\u001b[31m%d"},"value":[1,"1"]}`, strings.Repeat("x", 500), i))
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(ok(`{"resultType":"vector","result":[`+strings.Join(results, ",")+`]}`, "").Body))
	}))
	defer server.Close()
	provider := newProvider(t, Options{DefaultAddress: server.URL})
	_, err := provider.Measure(t.Context(), analysis.Query{Source: source("", time.Minute)})
	if err == nil || len(err.Error()) > 700 || strings.ContainsRune(err.Error(), 0x1b) {
		t.Errorf("got error %q, want a short one without control characters", err)
	}
	if err != nil && !strings.Contains(err.Error(), "50 series") {
		t.Errorf("got error %q, want the number of series", err)
	}
}
