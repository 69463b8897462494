package analysis

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// answering is a provider with one answer.
type answering struct {
	reading Reading
	err     error
	asked   *[]Query
}

func (a answering) Measure(_ context.Context, query Query) (Reading, error) {
	if a.asked != nil {
		*a.asked = append(*a.asked, query)
	}
	return a.reading, a.err
}

func TestMeasure(t *testing.T) {
	plain := metric("rate", asking("up"))
	tests := map[string]struct {
		metric  v1alpha1.Metric
		reading Reading
		err     error
		want    v1alpha1.Measurement
	}{
		"a good figure": {
			metric: plain, reading: Reading{Value: 0.97, Found: true},
			want: v1alpha1.Measurement{State: v1alpha1.MeasurementSuccessful, Value: "0.97"},
		},
		"a bad figure": {
			metric: plain, reading: Reading{Value: 0.5, Found: true},
			want: v1alpha1.Measurement{State: v1alpha1.MeasurementFailed, Value: "0.5"},
		},
		"a large figure": {
			metric: plain, reading: Reading{Value: 1234567, Found: true},
			want: v1alpha1.Measurement{State: v1alpha1.MeasurementSuccessful, Value: "1234567"},
		},
		"a huge figure": {
			metric: plain, reading: Reading{Value: 1e300, Found: true},
			want: v1alpha1.Measurement{State: v1alpha1.MeasurementSuccessful, Value: "1e+300"},
		},
		"a figure with warnings": {
			metric: plain, reading: Reading{Value: 1, Found: true, Warnings: []string{"some data", "is missing"}},
			want: v1alpha1.Measurement{
				State: v1alpha1.MeasurementNoData, Reason: v1alpha1.ReasonPartial,
				Message: "spec.metrics[0].provider: the answer may not be whole, and decides nothing; warning: some data; is missing",
			},
		},
		"nothing": {
			metric: plain, reading: Reading{Warnings: []string{"a store is down"}},
			want: v1alpha1.Measurement{
				State: v1alpha1.MeasurementNoData, Reason: v1alpha1.ReasonNoData,
				Message: "spec.metrics[0].provider: no data: the query found nothing; " +
					"check that it selects series that exist; warning: a store is down",
			},
		},
		"not a number": {
			metric: plain, reading: Reading{Value: math.NaN(), Found: true},
			want: v1alpha1.Measurement{
				State: v1alpha1.MeasurementNoData, Reason: v1alpha1.ReasonNoData,
				Message: "spec.metrics[0].provider: no data: the query gave NaN, as a quotient does when nothing was counted",
			},
		},
		"infinity": {
			metric: plain, reading: Reading{Value: math.Inf(1), Found: true},
			want: v1alpha1.Measurement{
				State: v1alpha1.MeasurementNoData, Reason: v1alpha1.ReasonNoData,
				Message: "spec.metrics[0].provider: no data: the query gave +Inf, as a quotient does when nothing was counted",
			},
		},
		"a fault of the provider": {
			metric: plain,
			err:    &Fault{Reason: v1alpha1.ReasonAmbiguous, Field: "provider.prometheus.query", Message: "too many"},
			want: v1alpha1.Measurement{
				State: v1alpha1.MeasurementError, Reason: v1alpha1.ReasonAmbiguous,
				Message: "spec.metrics[0].provider.prometheus.query: too many",
			},
		},
		"an error that is no fault": {
			metric: plain, err: errors.New("it broke"),
			want: v1alpha1.Measurement{
				State: v1alpha1.MeasurementError, Reason: v1alpha1.ReasonProviderUnreachable, Message: "it broke",
			},
		},
		"an argument without a value": {
			metric: metric("rate", asking("sum({{args.x}})")),
			want: v1alpha1.Measurement{
				State: v1alpha1.MeasurementError, Reason: v1alpha1.ReasonArgumentInvalid,
				Message: `spec.metrics[0].provider.prometheus.query: argument "x" has no value; give it one in args`,
			},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			meter := Meter{Provider: answering{reading: test.reading, err: test.err}, Conditions: newConditions(t, 4)}
			spec := v1alpha1.AnalysisRunSpec{Metrics: []v1alpha1.Metric{test.metric}}
			got := meter.Measure(t.Context(), spec, v1alpha1.AnalysisRunStatus{}, 0, start())
			test.want.At = metav1.NewMicroTime(start())
			if diff := cmp.Diff(Measured{Metric: "rate", Measurement: test.want}, got); diff != "" {
				t.Errorf("measured (-want +got):\n%s", diff)
			}
		})
	}
}

// TestMeasureAsks has a run made by hand, whose query still holds a placeholder.
func TestMeasureAsks(t *testing.T) {
	var asked []Query
	meter := Meter{Provider: answering{reading: Reading{Value: 1, Found: true}, asked: &asked}, Conditions: newConditions(t, 4)}
	spec := v1alpha1.AnalysisRunSpec{
		Args:    []v1alpha1.Argument{arg("x", "web"), arg("unused")},
		Metrics: []v1alpha1.Metric{metric("a", asking("up")), metric("b", asking(`up{job="{{args.x}}"}`))},
	}
	at := start().Add(time.Hour)
	if got := meter.Measure(t.Context(), spec, v1alpha1.AnalysisRunStatus{}, 1, at); got.Metric != "b" {
		t.Errorf("measured %q, want b", got.Metric)
	}
	want := []Query{{
		Source: v1alpha1.MetricProvider{Prometheus: &v1alpha1.PrometheusMetric{Query: `up{job="web"}`}}, At: at,
	}}
	if diff := cmp.Diff(want, asked); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
}

// TestMeasureAsksNothingInVain has a condition that no figure can meet.
func TestMeasureAsksNothingInVain(t *testing.T) {
	var asked []Query
	meter := Meter{Provider: answering{asked: &asked}, Conditions: newConditions(t, 4)}
	spec := v1alpha1.AnalysisRunSpec{Metrics: []v1alpha1.Metric{metric("a", asking("up"), failing("result >"))}}
	got := meter.Measure(t.Context(), spec, v1alpha1.AnalysisRunStatus{}, 0, start()).Measurement
	if got.Reason != v1alpha1.ReasonConditionInvalid || !strings.HasPrefix(got.Message, "spec.metrics[0].failureCondition: ") {
		t.Errorf("got %+v, want ConditionInvalid of spec.metrics[0].failureCondition", got)
	}
	if len(asked) != 0 {
		t.Error("the provider was asked")
	}
}
