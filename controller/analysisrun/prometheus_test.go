package analysisrun

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/analysis"
	"github.com/sluice-dev/sluice/analysis/providers"
	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// server speaks the Prometheus HTTP API with one answer after another, and the last for ever.
type server struct {
	*httptest.Server
	answers []string // a value, a vector, or a status with a body
	asked   []string // time and query
}

func newServer(t *testing.T, answers ...string) *server {
	t.Helper()
	s := &server{answers: answers}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/api/v1/query" {
			http.NotFound(w, r)
			return
		}
		s.asked = append(s.asked, r.FormValue("time")+" "+r.FormValue("query"))
		answer := s.answers[0]
		if len(s.answers) > 1 {
			s.answers = s.answers[1:]
		}
		status, body, failed := strings.Cut(answer, " ")
		if failed {
			var code int
			if _, err := fmt.Sscan(status, &code); err != nil {
				t.Error(err)
			}
			w.WriteHeader(code)
			_, _ = w.Write([]byte(body))
			return
		}
		result := ""
		if answer != "" {
			result = fmt.Sprintf(`{"metric":{},"value":[%s,%q]}`, r.FormValue("time"), answer)
		}
		_, _ = fmt.Fprintf(w, `{"status":"success","data":{"resultType":"vector","result":[%s]}}`, result)
	}))
	t.Cleanup(s.Close)
	return s
}

// resolved makes the run that a Rollout's step would.
func resolved(t *testing.T) *v1alpha1.AnalysisRun {
	t.Helper()
	run := newRun()
	spec, err := analysis.Resolve(analysis.Request{
		Templates: []analysis.Template{{Kind: "AnalysisTemplate", Name: "errors", Spec: v1alpha1.AnalysisTemplateSpec{
			Args: []v1alpha1.Argument{{Name: "max"}},
			Metrics: []v1alpha1.Metric{{
				Name: "error-rate", Interval: &metav1.Duration{Duration: 30 * time.Second}, Count: ptr.To[int32](3),
				FailureCondition: "result > {{args.max}}",
				Provider: v1alpha1.MetricProvider{Prometheus: &v1alpha1.PrometheusMetric{
					Query: `sum(rate(errors{pod=~"{{args.rollout}}-{{args.candidate-hash}}-.*"}[1m]))`,
				}},
			}},
		}}},
		Args: []v1alpha1.Argument{{Name: "max", Value: ptr.To("0.05")}},
		Gate: "step-1", Rollout: "web", Namespace: "shop", CandidateHash: "7f9c6d",
	})
	if err != nil {
		t.Fatal(err)
	}
	run.Spec = spec
	return run
}

// against makes a world whose controller asks a server.
func against(t *testing.T, address string, objects ...client.Object) *world {
	t.Helper()
	set, err := providers.New(providers.Options{PrometheusAddress: address})
	if err != nil {
		t.Fatal(err)
	}
	return newWorld(t, set, objects...)
}

func TestPrometheus(t *testing.T) {
	const query = `sum(rate(errors{pod=~"web-7f9c6d-.*"}[1m]))`
	s := newServer(t, "0.01", "", "NaN", "503 overloaded", "0.02", "0.2")
	w := against(t, s.URL, resolved(t))
	w.follow(100)
	status := w.run().Status
	want := "error-rate: 0.2 met failureCondition result > 0.05 in 1 of 3 measurements, limit 0"
	if status.Phase != v1alpha1.AnalysisFailed || status.Message != want {
		t.Errorf("got %s: %s\nwant Failed: %s", status.Phase, status.Message, want)
	}
	var asked []string
	for _, seconds := range []int64{0, 30, 60, 90, 95, 125} {
		asked = append(asked, fmt.Sprintf("%d %s", start().Unix()+seconds, query))
	}
	if diff := cmp.Diff(asked, s.asked); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
	var states []v1alpha1.MeasurementState
	for _, m := range status.Metrics[0].Measurements {
		states = append(states, m.State)
	}
	wantStates := []v1alpha1.MeasurementState{
		v1alpha1.MeasurementSuccessful, v1alpha1.MeasurementNoData, v1alpha1.MeasurementNoData, v1alpha1.MeasurementError,
		v1alpha1.MeasurementSuccessful, v1alpha1.MeasurementFailed,
	}
	if diff := cmp.Diff(wantStates, states); diff != "" {
		t.Errorf("states (-want +got):\n%s", diff)
	}
}

// TestWrongInput has what a person may get wrong: each is told with its field and its cure, and the run goes on.
func TestWrongInput(t *testing.T) {
	gone := newServer(t, "1")
	gone.Close()
	tests := map[string]struct {
		address    string
		metric     func(*v1alpha1.PrometheusMetric)
		wantReason string
		want       []string
	}{
		"no address at all": {
			wantReason: v1alpha1.ReasonAddressInvalid,
			want:       []string{"spec.metrics[0].provider.prometheus.address: ", "set this field, or --prometheus-address"},
		},
		"a server that is not there": {
			address: gone.URL, wantReason: v1alpha1.ReasonProviderUnreachable,
			want: []string{
				"spec.metrics[0].provider.prometheus.address: cannot use " + gone.URL, "(from --prometheus-address)", "connection refused",
			},
		},
		"a query that is no PromQL": {
			address:    newServer(t, `400 {"status":"error","errorType":"bad_data","error":"parse error: unexpected end"}`).URL,
			wantReason: v1alpha1.ReasonQueryInvalid,
			want:       []string{"spec.metrics[0].provider.prometheus.query: the server refuses the query: parse error: unexpected end"},
		},
		"a server of something else": {
			address: newServer(t, "200 <html>").URL, wantReason: v1alpha1.ReasonProviderUnreachable,
			want: []string{"spec.metrics[0].provider.prometheus.address: ", "write the base address"},
		},
		"the machine of the controller": {
			address: "", wantReason: v1alpha1.ReasonAddressInvalid,
			metric: func(m *v1alpha1.PrometheusMetric) { m.Address = newServer(t, "1").URL },
			want:   []string{"spec.metrics[0].provider.prometheus.address: ", "name a server in the cluster"},
		},
		"no data": {
			address: newServer(t, "").URL, wantReason: v1alpha1.ReasonNoData,
			want: []string{"spec.metrics[0].provider", "check that it selects series that exist"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			run := resolved(t)
			if test.metric != nil {
				test.metric(run.Spec.Metrics[0].Provider.Prometheus)
			}
			w := against(t, test.address, run)
			w.follow(20)
			w.wantProblem(test.wantReason, test.want...)
			events := w.events()
			if len(events) != 1 || !strings.HasPrefix(events[0], "Warning "+test.wantReason+" ") {
				t.Fatalf("got events %q, want one %s", events, test.wantReason)
			}
			for _, want := range test.want {
				if !strings.Contains(events[0], want) {
					t.Errorf("event %q lacks %q", events[0], want)
				}
			}
		})
	}
}
