package presets

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// preset is a metric of a template.
func preset(source v1alpha1.MetricSource) v1alpha1.Metric {
	return v1alpha1.Metric{
		Name: "errors", Interval: &metav1.Duration{Duration: 30 * time.Second},
		PresetMetric: v1alpha1.PresetMetric{Preset: v1alpha1.PresetSuccessRate, Source: source},
	}
}

// given puts the values of a release in the place of arguments.
func given(text string) string {
	return strings.NewReplacer(
		"{{args.namespace}}", "shop", "{{args.rollout}}", "web", "{{args.candidate-hash}}", "tp5zq", "{{args.stable-hash}}", "c9x4w",
		"{{args.active-service}}", "web", "{{args.standby-service}}", "web-standby",
	).Replace(text)
}

func TestSelectors(t *testing.T) {
	for source, want := range map[v1alpha1.MetricSource]v1alpha1.RatioMetric{
		v1alpha1.SourceApp: {
			Candidate: v1alpha1.RequestCounters{
				Bad:   `http_requests_total{namespace="shop", pod=~"web-tp5zq-.*", status=~".+", status=~"5.."}`,
				Total: `http_requests_total{namespace="shop", pod=~"web-tp5zq-.*", status=~".+"}`,
			},
			Stable: v1alpha1.RequestCounters{
				Bad:   `http_requests_total{namespace="shop", pod=~"web-c9x4w-.*", status=~".+", status=~"5.."}`,
				Total: `http_requests_total{namespace="shop", pod=~"web-c9x4w-.*", status=~".+"}`,
			},
		},
		v1alpha1.SourceOpenTelemetry: {
			Candidate: v1alpha1.RequestCounters{
				Bad:   `http_server_request_duration_seconds_count{namespace="shop", pod=~"web-tp5zq-.*", http_response_status_code=~".+", http_response_status_code=~"5.."}`,
				Total: `http_server_request_duration_seconds_count{namespace="shop", pod=~"web-tp5zq-.*", http_response_status_code=~".+"}`,
			},
			Stable: v1alpha1.RequestCounters{
				Bad:   `http_server_request_duration_seconds_count{namespace="shop", pod=~"web-c9x4w-.*", http_response_status_code=~".+", http_response_status_code=~"5.."}`,
				Total: `http_server_request_duration_seconds_count{namespace="shop", pod=~"web-c9x4w-.*", http_response_status_code=~".+"}`,
			},
		},
		v1alpha1.SourceTraefik: {
			Candidate: v1alpha1.RequestCounters{
				Bad:   `traefik_service_requests_total{service=~"(.+-svc-shop-web-standby-[0-9]+|shop-web-standby-http-[0-9]+)@kubernetesgateway|shop-web-standby-[0-9a-z]+@kubernetescrd", code=~"5.."}`,
				Total: `traefik_service_requests_total{service=~"(.+-svc-shop-web-standby-[0-9]+|shop-web-standby-http-[0-9]+)@kubernetesgateway|shop-web-standby-[0-9a-z]+@kubernetescrd"}`,
			},
			Stable: v1alpha1.RequestCounters{
				Bad:   `traefik_service_requests_total{service=~"(.+-svc-shop-web-[0-9]+|shop-web-http-[0-9]+)@kubernetesgateway|shop-web-[0-9a-z]+@kubernetescrd", code=~"5.."}`,
				Total: `traefik_service_requests_total{service=~"(.+-svc-shop-web-[0-9]+|shop-web-http-[0-9]+)@kubernetesgateway|shop-web-[0-9a-z]+@kubernetescrd"}`,
			},
		},
		v1alpha1.SourceIstio: {
			Candidate: v1alpha1.RequestCounters{
				Bad:   `istio_requests_total{reporter="source", destination_service_namespace="shop", destination_service_name="web-standby", response_code=~"0|5.."}`,
				Total: `istio_requests_total{reporter="source", destination_service_namespace="shop", destination_service_name="web-standby"}`,
			},
			Stable: v1alpha1.RequestCounters{
				Bad:   `istio_requests_total{reporter="source", destination_service_namespace="shop", destination_service_name="web", response_code=~"0|5.."}`,
				Total: `istio_requests_total{reporter="source", destination_service_namespace="shop", destination_service_name="web"}`,
			},
		},
		v1alpha1.SourceLinkerd: {
			Candidate: v1alpha1.RequestCounters{
				Bad:   `response_total{namespace="shop", pod=~"web-tp5zq-.*", direction="inbound", classification="failure"}`,
				Total: `response_total{namespace="shop", pod=~"web-tp5zq-.*", direction="inbound"}`,
			},
			Stable: v1alpha1.RequestCounters{
				Bad:   `response_total{namespace="shop", pod=~"web-c9x4w-.*", direction="inbound", classification="failure"}`,
				Total: `response_total{namespace="shop", pod=~"web-c9x4w-.*", direction="inbound"}`,
			},
		},
		v1alpha1.SourceContour: {
			Candidate: v1alpha1.RequestCounters{
				Bad:   `envoy_cluster_upstream_rq_xx{envoy_cluster_name=~"shop_web-standby_[^_]+", envoy_response_code_class="5"}`,
				Total: `envoy_cluster_upstream_rq_xx{envoy_cluster_name=~"shop_web-standby_[^_]+"}`,
			},
			Stable: v1alpha1.RequestCounters{
				Bad:   `envoy_cluster_upstream_rq_xx{envoy_cluster_name=~"shop_web_[^_]+", envoy_response_code_class="5"}`,
				Total: `envoy_cluster_upstream_rq_xx{envoy_cluster_name=~"shop_web_[^_]+"}`,
			},
		},
	} {
		t.Run(string(source), func(t *testing.T) {
			named, unnamed := preset(source), preset("")
			expect(t, named, "", want)
			expect(t, unnamed, source, want)
		})
	}
}

// expect compares what a preset stands for in a release.
func expect(t *testing.T, metric v1alpha1.Metric, found v1alpha1.MetricSource, want v1alpha1.RatioMetric) {
	t.Helper()
	got, err := Plain(metric, found)
	if err != nil {
		t.Fatal(err)
	}
	if got.Preset != "" || got.Source != "" || got.Provider.Prometheus == nil || got.Name != "errors" {
		t.Errorf("%+v is no plain metric", got)
	}
	for _, text := range []*string{&got.Ratio.Candidate.Bad, &got.Ratio.Candidate.Total, &got.Ratio.Stable.Bad, &got.Ratio.Stable.Total} {
		*text = given(*text)
	}
	if diff := cmp.Diff(want, *got.Ratio); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestNamesOfTraefik holds the selectors of both versions to the names of Services before and from 3.7.6 on.
func TestNamesOfTraefik(t *testing.T) {
	pattern := func(service string) *regexp.Regexp {
		text, _, _ := strings.Cut(strings.TrimPrefix(given(ofTraefik(service, "")), `service=~"`), `"`)
		return regexp.MustCompile("^(?:" + text + ")$")
	}
	candidate, stable := pattern("standby-service"), pattern("active-service")
	for name, want := range map[string]string{
		"httproute-shop-web-gw-default-ep-web-0-1c0cf64bde37d9d0df06-svc-shop-web-0@kubernetesgateway":         "stable",
		"httproute-shop-web-gw-default-ep-web-0-1c0cf64bde37d9d0df06-svc-shop-web-standby-1@kubernetesgateway": "candidate",
		"httproute-shop-web-gw-default-ep-web-0-1c0cf64bde37d9d0df06-wrr@kubernetesgateway":                    "",
		"shop-web-http-80@kubernetesgateway":         "stable",
		"shop-web-standby-http-80@kubernetesgateway": "candidate",
		"shop-web-admin-http-80@kubernetesgateway":   "",
		"bank-web-http-80@kubernetesgateway":         "",
		"shop-web-80@kubernetescrd":                  "stable",
		"shop-web-standby-http@kubernetescrd":        "candidate",
	} {
		got := ""
		if stable.MatchString(name) {
			got += "stable"
		}
		if candidate.MatchString(name) {
			got += "candidate"
		}
		if got != want {
			t.Errorf("%s is counted for %q, want %q", name, got, want)
		}
	}
}

func TestRefusals(t *testing.T) {
	for source, want := range map[v1alpha1.MetricSource]string{
		"":                          "what counts the requests cannot be told from the routes of the Rollout; write source, such as Traefik, Istio or App",
		"Kong":                      `"Kong" is not known; write one of the sources of the API, such as Traefik, Istio or App`,
		v1alpha1.SourceEnvoyGateway: "Envoy Gateway counts all backends of a rule together, so that both versions are one; " + useApp,
		v1alpha1.SourceNginx:        "NGINX Gateway Fabric counts neither by backend nor by status, and the labels of ingress-nginx depend on how it is scraped; " + useApp,
		v1alpha1.SourceHAProxy:      "HAProxy puts the servers of both Services of a rule into one backend, so that both versions are one; " + useApp,
	} {
		if _, err := Plain(preset(source), ""); err == nil || err.Error() != want {
			t.Errorf("%q: %v\nwant %s", source, err, want)
		}
	}
}

func TestOtherMetricsStay(t *testing.T) {
	metric := v1alpha1.Metric{Name: "m", SuccessCondition: "result > 1"}
	got, err := Plain(metric, v1alpha1.SourceTraefik)
	if diff := cmp.Diff(metric, got); err != nil || diff != "" || ByService(metric, v1alpha1.SourceTraefik) {
		t.Errorf("%v\n%s", err, diff)
	}
}

func TestByService(t *testing.T) {
	for source, want := range map[v1alpha1.MetricSource]bool{
		v1alpha1.SourceTraefik: true, v1alpha1.SourceIstio: true, v1alpha1.SourceContour: true, v1alpha1.SourceApp: false, v1alpha1.SourceLinkerd: false,
	} {
		if got := ByService(preset(source), ""); got != want {
			t.Errorf("%s: %v, want %v", source, got, want)
		}
	}
}
