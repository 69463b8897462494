package analysis

import (
	"strings"
	"testing"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// TestBaselineArguments holds that an experiment has them, that nothing else does, and that a template may use them.
func TestBaselineArguments(t *testing.T) {
	spec := v1alpha1.AnalysisTemplateSpec{Metrics: []v1alpha1.Metric{{
		Name: "errors", SuccessCondition: "result < 1", Provider: v1alpha1.MetricProvider{Prometheus: &v1alpha1.PrometheusMetric{
			Query: `errors{hash="{{args.baseline-hash}}",service="{{args.baseline-service}}"}`,
		}},
	}}}
	conditions, err := NewConditions(4)
	if err != nil {
		t.Fatal(err)
	}
	if err := CheckTemplate(spec, conditions); err != nil {
		t.Errorf("the template is refused: %v", err)
	}
	request := Request{
		Templates: []Template{{Kind: "AnalysisTemplate", Name: "errors", Spec: spec}}, Gate: "step-1", Rollout: "web", Namespace: "shop",
		CandidateHash: "5d4b8d", StableHash: "5d4b8c", Conditions: conditions,
	}
	if _, err := Resolve(request); err == nil || !strings.Contains(err.Error(), "only the analysis of an experiment has it") {
		t.Errorf("without an experiment: %v", err)
	}
	request.BaselineHash, request.BaselineService = "b2-5d4b8c", "web-baseline"
	got, err := Resolve(request)
	if err != nil {
		t.Fatal(err)
	}
	if query := got.Metrics[0].Provider.Prometheus.Query; query != `errors{hash="b2-5d4b8c",service="web-baseline"}` {
		t.Errorf("query %s", query)
	}
}
