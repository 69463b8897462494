package analysis

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// presetRequest is a run of one metric with a preset, of a release with Services.
func presetRequest(source, found v1alpha1.MetricSource) Request {
	return Request{
		Templates: []Template{{Kind: "AnalysisTemplate", Name: "errors", Spec: v1alpha1.AnalysisTemplateSpec{Metrics: []v1alpha1.Metric{{
			Name: "errors", Interval: &metav1.Duration{Duration: 30 * time.Second}, Count: ptr.To[int32](10),
			PresetMetric: v1alpha1.PresetMetric{Preset: v1alpha1.PresetSuccessRate, Source: source},
		}}}}},
		Gate: "step-1", Rollout: "web", Namespace: "shop", CandidateHash: "tp5zq", StableHash: "c9x4w",
		ActiveService: "web", StandbyService: "web-standby", Source: found,
	}
}

// TestPresetIsWhatItStandsFor holds that a run has selectors with the values of the release, and no preset.
func TestPresetIsWhatItStandsFor(t *testing.T) {
	for _, row := range []struct {
		source, found v1alpha1.MetricSource
		want          string
	}{
		{"", v1alpha1.SourceIstio, `istio_requests_total{reporter="source", destination_service_namespace="shop", destination_service_name="web-standby"}`},
		{v1alpha1.SourceApp, v1alpha1.SourceEnvoyGateway, `http_requests_total{namespace="shop", pod=~"web-tp5zq-.*", status=~".+"}`},
	} {
		spec, err := Resolve(presetRequest(row.source, row.found))
		if err != nil {
			t.Errorf("%+v: %v", row, err)
			continue
		}
		metric := spec.Metrics[0]
		if metric.Preset != "" || metric.Source != "" || metric.Ratio == nil || metric.Ratio.Candidate.Total != row.want {
			t.Errorf("%+v: got %+v", row, metric)
		}
	}
}

func TestPresetsThatCannotBe(t *testing.T) {
	after := presetRequest("", v1alpha1.SourceTraefik)
	after.Gate = "post-promotion"
	alone := presetRequest(v1alpha1.SourceTraefik, "")
	alone.ActiveService, alone.StandbyService = "", ""
	for _, row := range []struct {
		request Request
		want    string
	}{
		{presetRequest("", ""), "spec.metrics[0].source: what counts the requests cannot be told from the routes of the Rollout; write source"},
		{presetRequest("", v1alpha1.SourceEnvoyGateway), "spec.metrics[0].source: Envoy Gateway counts all backends of a rule together"},
		{presetRequest(v1alpha1.SourceHAProxy, v1alpha1.SourceTraefik), "spec.metrics[0].source: HAProxy puts the servers of both Services"},
		{after, "spec.metrics[0].source: after the switch the active Service selects the candidate"},
		{alone, "spec.services.active of the Rollout"},
	} {
		if _, err := Resolve(row.request); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%v\nwant %s", err, row.want)
		}
	}
}

func TestTemplatesWithPresets(t *testing.T) {
	conditions, err := NewConditions(4)
	if err != nil {
		t.Fatal(err)
	}
	for source, want := range map[v1alpha1.MetricSource]string{
		"": "", v1alpha1.SourceTraefik: "", v1alpha1.SourceNginx: "spec.metrics[0].source: NGINX Gateway Fabric counts neither",
	} {
		err := CheckTemplate(presetRequest(source, "").Templates[0].Spec, conditions)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", source, err, want)
		}
	}
}

func TestPresetsAreForeseen(t *testing.T) {
	metrics := presetRequest("", "").Templates[0].Spec.Metrics
	found, err := Foresee(metrics, Traffic{Rate: 100, Bad: 0.01, Stages: []Stage{{Share: 0.1, For: 10 * time.Minute}}})
	if err != nil || len(found) != 1 || found[0].Lasts != 5*time.Minute+v1alpha1.RatioLag {
		t.Errorf("%+v, %v", found, err)
	}
}
