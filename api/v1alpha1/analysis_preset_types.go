package v1alpha1

// Preset is a metric that needs no selectors.
//
// +kubebuilder:validation:Enum=success-rate
type Preset string

// PresetSuccessRate compares the share of answers 5xx of both versions.
const PresetSuccessRate Preset = "success-rate"

// MetricSource is what counts the requests of a preset.
//
// +kubebuilder:validation:Enum=App;OpenTelemetry;Traefik;Istio;Linkerd;Contour;EnvoyGateway;Nginx;HAProxy
type MetricSource string

const (
	// SourceApp: the application, in http_requests_total with the label status.
	SourceApp MetricSource = "App"
	// SourceOpenTelemetry: the application, in http_server_request_duration_seconds with the label
	// http_response_status_code.
	SourceOpenTelemetry MetricSource = "OpenTelemetry"
	// SourceTraefik: Traefik, by Service.
	SourceTraefik MetricSource = "Traefik"
	// SourceIstio: the sidecars or gateways of Istio that send requests, by Service.
	SourceIstio MetricSource = "Istio"
	// SourceLinkerd: the proxies of Linkerd beside the pods.
	SourceLinkerd MetricSource = "Linkerd"
	// SourceContour: the Envoys of Contour, by Service.
	SourceContour MetricSource = "Contour"
	// SourceEnvoyGateway: it does not count by version, and is refused with what to use.
	SourceEnvoyGateway MetricSource = "EnvoyGateway"
	// SourceNginx: it does not count by version, and is refused with what to use.
	SourceNginx MetricSource = "Nginx"
	// SourceHAProxy: it does not count by version, and is refused with what to use.
	SourceHAProxy MetricSource = "HAProxy"
)

// PresetMetric is a metric whose selectors Sluice knows.
type PresetMetric struct {
	// Preset compares both versions without selectors, in place of ratio: success-rate is the share of answers 5xx. The
	// AnalysisRun has the ratio that it stands for.
	// +optional
	Preset Preset `json:"preset,omitempty"`

	// Source of a preset says what counts the requests. Absent: what serves the routes of the Rollout, where that is known
	// and counts by version.
	// +optional
	Source MetricSource `json:"source,omitempty"`
}
