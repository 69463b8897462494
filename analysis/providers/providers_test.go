package providers

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/sluice-dev/sluice/analysis"
	"github.com/sluice-dev/sluice/api/v1alpha1"
)

func TestMeasureAsksTheNamedProvider(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"status":"success","data":{"resultType":"scalar","result":[1,"0.25"]}}`))
	}))
	defer server.Close()
	set, err := New(Options{PrometheusAddress: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	source := v1alpha1.MetricProvider{Prometheus: &v1alpha1.PrometheusMetric{Query: "up"}}
	reading, err := set.Measure(t.Context(), analysis.Query{Source: source})
	if err != nil || reading.Value != 0.25 {
		t.Errorf("got %+v and error %v, want 0.25", reading, err)
	}
}

func TestMeasureWithoutProvider(t *testing.T) {
	set, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = set.Measure(t.Context(), analysis.Query{})
	if err == nil || !strings.HasPrefix(err.Error(), "provider: ") {
		t.Errorf("got error %v, want one about the field provider", err)
	}
}

func TestMeasureWithTwoProviders(t *testing.T) {
	both := func(v1alpha1.MetricProvider) bool { return true }
	set := &Set{entries: []entry{{"one", both, nil}, {"two", both, nil}}}
	_, err := set.Measure(t.Context(), analysis.Query{})
	if err == nil || !strings.Contains(err.Error(), "one and two") {
		t.Errorf("got error %v, want one that names both", err)
	}
}

func TestNewChecksOptions(t *testing.T) {
	if _, err := New(Options{PrometheusAddress: "ftp://x"}); err == nil {
		t.Error("got no error for an address that is none")
	}
}

// deaf is a provider that cannot count.
type deaf struct{ analysis.Provider }

func TestCount(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"status":"success","data":{"resultType":"matrix","result":[]},"warnings":["hello"]}`))
	}))
	defer server.Close()
	set, err := New(Options{PrometheusAddress: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	source := v1alpha1.MetricProvider{Prometheus: &v1alpha1.PrometheusMetric{}}
	both := analysis.Selectors{Bad: "bad", Total: "all"}
	count, err := set.Count(t.Context(), analysis.CountQuery{Source: source, Candidate: both, Stable: both})
	if err != nil || len(count.Warnings) != 4 {
		t.Errorf("got %+v and error %v, want the answer of the server", count, err)
	}
	if _, err := set.Count(t.Context(), analysis.CountQuery{}); err == nil {
		t.Error("got no error without a provider")
	}
	set.entries[0].asks = deaf{}
	if _, err := set.Count(t.Context(), analysis.CountQuery{Source: source}); err == nil || !strings.Contains(err.Error(), "cannot count") {
		t.Errorf("got error %v, want one that says what cannot count", err)
	}
}

// TestEveryProviderIsKnown sets each field of MetricProvider in turn: the provider that is chosen goes by its name.
func TestEveryProviderIsKnown(t *testing.T) {
	set, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	kind := reflect.TypeFor[v1alpha1.MetricProvider]()
	for i := range kind.NumField() {
		name, _, _ := strings.Cut(kind.Field(i).Tag.Get("json"), ",")
		var source v1alpha1.MetricProvider
		field := reflect.ValueOf(&source).Elem().Field(i)
		field.Set(reflect.New(field.Type().Elem()))
		chosen, err := set.choose(source)
		if err != nil || chosen.field != name {
			t.Errorf("%s: got %+v and error %v, want the provider of that name", name, chosen, err)
			continue
		}
		_, err = set.Measure(t.Context(), analysis.Query{Source: source})
		var fault *analysis.Fault
		if !errors.As(err, &fault) || !strings.HasPrefix(fault.Field, "provider."+name+".") {
			t.Errorf("%s: got error %v of an empty source, want a fault of a field below it", name, err)
		}
		_, err = set.Count(t.Context(), analysis.CountQuery{Source: source})
		if name != "prometheus" && (err == nil || !strings.Contains(err.Error(), name+" cannot count requests")) {
			t.Errorf("%s: got error %v, want one that it cannot count", name, err)
		}
	}
}
