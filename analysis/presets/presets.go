// Package presets knows how gateways, meshes and applications count the requests of each version. It is pure: a preset
// becomes a plain metric, whose selectors name the arguments that are always there, so that everything that is true of
// arguments is true of it.
//
// What splits versions by Service counts the standby Service for the candidate and the active Service for stable, as it is
// while a release steps. What splits them by pod has the hash of the revision in the name of the pod.
//
// The total of an application selects series with its status label only: where the label has another name, both versions
// have no requests, which is told, and not no errors, which would be a pass.
package presets

import (
	"errors"
	"fmt"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// source is how something counts.
type source struct {
	// metric is the name of a counter of requests.
	metric string
	// arm selects those of one version, of which the Service and the hash are given.
	arm func(service, hash string) string
	// all selects what is counted, and bad the answers 5xx among it. Both may be empty.
	all, bad string
	// byService says that versions are told apart by their Services.
	byService bool
	// refusal says why versions cannot be told apart, and what to do instead; empty when they can.
	refusal string
}

// useApp is what works behind every gateway.
const useApp = "write source: App or OpenTelemetry, for counters of the application itself, or ratio with selectors"

// sourceOf finds a source.
func sourceOf(name v1alpha1.MetricSource) (source, bool) {
	s, known := map[v1alpha1.MetricSource]source{
		v1alpha1.SourceApp:           {metric: "http_requests_total", arm: byPod, all: `status=~".+"`, bad: `status=~"5.."`},
		v1alpha1.SourceOpenTelemetry: {metric: "http_server_request_duration_seconds_count", arm: byPod, all: `http_response_status_code=~".+"`, bad: `http_response_status_code=~"5.."`},
		v1alpha1.SourceTraefik:       {metric: "traefik_service_requests_total", arm: ofTraefik, bad: `code=~"5.."`, byService: true},
		v1alpha1.SourceIstio:         {metric: "istio_requests_total", arm: ofIstio, bad: `response_code=~"0|5.."`, byService: true},
		v1alpha1.SourceLinkerd:       {metric: "response_total", arm: byPod, all: `direction="inbound"`, bad: `classification="failure"`},
		v1alpha1.SourceContour:       {metric: "envoy_cluster_upstream_rq_xx", arm: ofContour, bad: `envoy_response_code_class="5"`, byService: true},
		v1alpha1.SourceEnvoyGateway:  {refusal: "Envoy Gateway counts all backends of a rule together, so that both versions are one; " + useApp},
		v1alpha1.SourceNginx:         {refusal: "NGINX Gateway Fabric counts neither by backend nor by status, and the labels of ingress-nginx depend on how it is scraped; " + useApp},
		v1alpha1.SourceHAProxy:       {refusal: "HAProxy puts the servers of both Services of a rule into one backend, so that both versions are one; " + useApp},
	}[name]
	return s, known
}

// byPod tells versions apart by the names of their pods.
func byPod(_, hash string) string {
	return fmt.Sprintf(`namespace="{{args.namespace}}", pod=~"{{args.rollout}}-{{args.%s}}-.*"`, hash)
}

// ofTraefik selects a Service in the names that Traefik gives it: for routes of the Gateway API
// <route>-svc-<namespace>-<service>-<index> from 3.7.6 on and <namespace>-<service>-http-<port> before, and for its own
// kinds <namespace>-<service>-<port>.
func ofTraefik(service, _ string) string {
	name := "{{args.namespace}}-{{args." + service + "}}"
	return fmt.Sprintf(`service=~"(.+-svc-%s-[0-9]+|%s-http-[0-9]+)@kubernetesgateway|%s-[0-9a-z]+@kubernetescrd"`, name, name, name)
}

// ofIstio selects what was sent to a Service, as the sender counts it: one that receives misses connections that fail.
func ofIstio(service, _ string) string {
	return fmt.Sprintf(`reporter="source", destination_service_namespace="{{args.namespace}}", destination_service_name="{{args.%s}}"`,
		service)
}

// ofContour selects the cluster <namespace>_<service>_<port> of a Service.
func ofContour(service, _ string) string {
	return fmt.Sprintf(`envoy_cluster_name=~"{{args.namespace}}_{{args.%s}}_[^_]+"`, service)
}

// Plain is the metric that one with a preset stands for; others are given back as they are. found is the source where the
// metric names none. The error says what to write in source.
func Plain(metric v1alpha1.Metric, found v1alpha1.MetricSource) (v1alpha1.Metric, error) {
	if metric.Preset == "" {
		return metric, nil
	}
	name := metric.Source
	if name == "" {
		name = found
	}
	if name == "" {
		return metric, errors.New("what counts the requests cannot be told from the routes of the Rollout; write source, such as Traefik, Istio or App")
	}
	s, known := sourceOf(name)
	switch {
	case !known:
		return metric, fmt.Errorf("%q is not known; write one of the sources of the API, such as Traefik, Istio or App", name)
	case s.refusal != "":
		return metric, errors.New(s.refusal)
	}
	plain := *metric.DeepCopy()
	plain.PresetMetric = v1alpha1.PresetMetric{}
	plain.Ratio = &v1alpha1.RatioMetric{
		Candidate: s.counters("standby-service", "candidate-hash"), Stable: s.counters("active-service", "stable-hash"),
	}
	if plain.Provider.Prometheus == nil {
		plain.Provider.Prometheus = &v1alpha1.PrometheusMetric{}
	}
	return plain, nil
}

// ByService says whether a metric with a preset tells versions apart by their Services, which have changed places once the
// candidate is promoted.
func ByService(metric v1alpha1.Metric, found v1alpha1.MetricSource) bool {
	name := metric.Source
	if name == "" {
		name = found
	}
	s, known := sourceOf(name)
	return metric.Preset != "" && known && s.byService
}

// counters select the requests of one version.
func (s source) counters(service, hash string) v1alpha1.RequestCounters {
	total := s.arm(service, hash)
	if s.all != "" {
		total += ", " + s.all
	}
	return v1alpha1.RequestCounters{Bad: s.metric + "{" + total + ", " + s.bad + "}", Total: s.metric + "{" + total + "}"}
}
