// Package workload makes the objects of a release that is watched: a sample app behind a gateway, the Rollout that
// releases its versions, the template that judges them, and the load that counts every answer. It makes objects and
// talks to no cluster; the demonstration and the end-to-end tests create them.
package workload

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/load/stats"
)

// Names of the objects, the same in every namespace.
const (
	// Name is the name of the Rollout, its active Service, its HTTPRoute and the Gateway.
	Name = "web"
	// Standby is the name of the standby Service, which the controller creates.
	Standby = Name + v1alpha1.DefaultStandbySuffix
	// CallsName is the name of the GRPCRoute.
	CallsName = "calls"
	// LoadName is the name of the pod that sends the load.
	LoadName = "load"
	// SuccessRate is the name of the AnalysisTemplate, and of its metric.
	SuccessRate = "success-rate"
	// LabelDemo is on the namespaces that the demonstration may delete.
	LabelDemo = "sluice.dev/demo"
)

// Ports of the sample app, see test/app.
const (
	servingPort = 8080
	// AdminPort is where the app is told what to do wrong.
	AdminPort = 9090
	// servicePort is the port of its Services.
	servicePort = 80
)

// Settings are what the objects depend on.
type Settings struct {
	// Namespace of all objects.
	Namespace string
	// GatewayClass of the Gateway, and the port of its listener.
	GatewayClass string
	ListenerPort int32
	// Prometheus is the address of the metrics; empty leaves it to the controller's flag.
	Prometheus string
	// AppImage and LoadImage are images that the nodes have or can pull.
	AppImage, LoadImage string
	// Replicas of the Rollout.
	Replicas int32
	// Window is the time over which the success rate is taken: some intervals of Prometheus.
	Window time.Duration
	// Drain is how long a pod goes on answering after it was told to end.
	Drain time.Duration
}

// Version is one release of the sample app.
type Version struct {
	// Name is what the app answers.
	Name string
	// ErrorRate is the share of requests, from 0 to 1, that it answers with 500.
	ErrorRate float64
	// Scattered has requests fail at random, each by itself. Otherwise errors are spread evenly.
	Scattered bool
}

// Hostname is the name that requests to the app carry. Each namespace has its own, so that gateways may share a port.
func (s Settings) Hostname() string { return Name + "." + s.Namespace + ".example" }

// CallsHostname is the name that calls of gRPC carry.
func (s Settings) CallsHostname() string { return CallsName + "." + s.Namespace + ".example" }

// NamespaceObject is the namespace. It holds its pods to the strictest of the standards for pods.
func (s Settings) NamespaceObject() *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: s.Namespace, Labels: map[string]string{
		LabelDemo:                            "true",
		"pod-security.kubernetes.io/enforce": "restricted",
	}}}
}

// Gateway is where requests arrive.
func (s Settings) Gateway() *gatewayv1.Gateway {
	return &gatewayv1.Gateway{
		ObjectMeta: s.meta(Name),
		Spec: gatewayv1.GatewaySpec{
			GatewayClassName: gatewayv1.ObjectName(s.GatewayClass),
			Listeners: []gatewayv1.Listener{{
				Name: "http", Protocol: gatewayv1.HTTPProtocolType, Port: s.ListenerPort,
			}},
		},
	}
}

// Route sends all requests to the active Service. It is written as a user would write it, without the standby Service.
func (s Settings) Route() *gatewayv1.HTTPRoute {
	return &gatewayv1.HTTPRoute{
		ObjectMeta: s.meta(Name),
		Spec: gatewayv1.HTTPRouteSpec{
			CommonRouteSpec: gatewayv1.CommonRouteSpec{ParentRefs: []gatewayv1.ParentReference{{Name: Name}}},
			Hostnames:       []gatewayv1.Hostname{gatewayv1.Hostname(s.Hostname())},
			Rules: []gatewayv1.HTTPRouteRule{{
				BackendRefs: []gatewayv1.HTTPBackendRef{{BackendRef: gatewayv1.BackendRef{
					BackendObjectReference: gatewayv1.BackendObjectReference{
						Name: Name, Port: ptr.To[gatewayv1.PortNumber](servicePort),
					},
				}}},
			}},
		},
	}
}

// Calls is the route of those who speak gRPC, by a name of its own: a Gateway takes a hostname from routes of one kind
// only.
func (s Settings) Calls() *gatewayv1.GRPCRoute {
	return &gatewayv1.GRPCRoute{
		ObjectMeta: s.meta(CallsName),
		Spec: gatewayv1.GRPCRouteSpec{
			CommonRouteSpec: gatewayv1.CommonRouteSpec{ParentRefs: []gatewayv1.ParentReference{{Name: Name}}},
			Hostnames:       []gatewayv1.Hostname{gatewayv1.Hostname(s.CallsHostname())},
			Rules: []gatewayv1.GRPCRouteRule{{
				BackendRefs: []gatewayv1.GRPCBackendRef{{BackendRef: gatewayv1.BackendRef{
					BackendObjectReference: gatewayv1.BackendObjectReference{
						Name: Name, Port: ptr.To[gatewayv1.PortNumber](servicePort),
					},
				}}},
			}},
		},
	}
}

// Service is the active Service.
func (s Settings) Service() *corev1.Service {
	return &corev1.Service{
		ObjectMeta: s.meta(Name),
		Spec: corev1.ServiceSpec{
			Selector: appLabels(),
			Ports:    []corev1.ServicePort{{Name: "http", Port: servicePort, TargetPort: intstr.FromString("http")}},
		},
	}
}

// AnalysisTemplate judges a candidate by the share of requests that its pods answered without an error: three times, a
// second apart, once the window holds nothing but the traffic of the step.
func (s Settings) AnalysisTemplate() *v1alpha1.AnalysisTemplate {
	return &v1alpha1.AnalysisTemplate{
		ObjectMeta: s.meta(SuccessRate),
		Spec: v1alpha1.AnalysisTemplateSpec{
			Args: []v1alpha1.Argument{{Name: "window", Value: ptr.To(promDuration(s.Window))}},
			Metrics: []v1alpha1.Metric{{
				Name:             SuccessRate,
				InitialDelay:     &metav1.Duration{Duration: s.Window},
				Interval:         &metav1.Duration{Duration: time.Second},
				Count:            ptr.To[int32](3),
				SuccessCondition: "result >= 0.95",
				Provider: v1alpha1.MetricProvider{Prometheus: &v1alpha1.PrometheusMetric{
					Address: s.Prometheus,
					Query: SuccessRateQuery(`namespace="{{args.namespace}}",pod_template_hash="{{args.candidate-hash}}"`,
						"{{args.window}}"),
				}},
			}},
		},
	}
}

// SuccessRateQuery is the share of requests that were answered without an error, of series that label matchers pick. Without
// requests it is no number, which neither passes nor fails.
func SuccessRateQuery(matchers, window string) string {
	return fmt.Sprintf(`1 - (sum(rate(http_requests_total{%[1]s,code=~"5.."}[%[2]s])) or vector(0))`+
		` / sum(rate(http_requests_total{%[1]s}[%[2]s]))`, matchers, window)
}

// promDuration writes whole seconds as PromQL does.
func promDuration(d time.Duration) string { return strconv.Itoa(int(d.Seconds())) + "s" }

// Rollout releases version by strategy, through the route.
func (s Settings) Rollout(version Version, strategy v1alpha1.Strategy) *v1alpha1.Rollout {
	return &v1alpha1.Rollout{
		ObjectMeta: s.meta(Name),
		Spec: v1alpha1.RolloutSpec{
			Replicas: ptr.To(s.Replicas),
			Selector: &metav1.LabelSelector{MatchLabels: appLabels()},
			Template: s.Template(version),
			Services: &v1alpha1.Services{Active: Name},
			Traffic: &v1alpha1.Traffic{GatewayAPI: &v1alpha1.GatewayAPITraffic{
				Routes: []v1alpha1.RouteReference{{Kind: v1alpha1.DefaultRouteKind, Name: Name}},
			}},
			Strategy: strategy,
		},
	}
}

// Template is the pod template of a version.
func (s Settings) Template(version Version) runtime.RawExtension {
	template := corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{
			Labels: appLabels(),
			Annotations: map[string]string{
				"prometheus.io/scrape": "true",
				"prometheus.io/port":   strconv.Itoa(AdminPort),
			},
		},
		Spec: corev1.PodSpec{
			Containers:                    []corev1.Container{s.appContainer(version)},
			SecurityContext:               podSecurity(),
			AutomountServiceAccountToken:  ptr.To(false),
			TerminationGracePeriodSeconds: ptr.To(int64(s.Drain.Seconds()) + 10),
		},
	}
	raw, err := json.Marshal(template)
	if err != nil {
		// Strings and numbers always become JSON.
		panic(err)
	}
	return runtime.RawExtension{Raw: raw}
}

func (s Settings) appContainer(version Version) corev1.Container {
	container := corev1.Container{
		Name:            "app",
		Image:           s.AppImage,
		ImagePullPolicy: corev1.PullIfNotPresent,
		Env: []corev1.EnvVar{
			{Name: "VERSION", Value: version.Name},
			{Name: "ERROR_RATE", Value: strconv.FormatFloat(version.ErrorRate, 'g', -1, 64)},
			{Name: "DRAIN", Value: s.Drain.String()},
		},
		Ports: []corev1.ContainerPort{
			{Name: "http", ContainerPort: servingPort},
			{Name: "metrics", ContainerPort: AdminPort},
		},
		ReadinessProbe: &corev1.Probe{
			ProbeHandler: corev1.ProbeHandler{
				HTTPGet: &corev1.HTTPGetAction{Path: "/readyz", Port: intstr.FromString("http")},
			},
			PeriodSeconds: 1,
		},
		Resources:       small(),
		SecurityContext: containerSecurity(),
	}
	if version.Scattered {
		container.Env = append(container.Env, corev1.EnvVar{Name: "ERRORS", Value: "scattered"})
	}
	return container
}

// VersionOf is the name of the version in a pod template: the inverse of Template.
func VersionOf(template *corev1.PodTemplateSpec) string {
	for _, container := range template.Spec.Containers {
		for _, env := range container.Env {
			if env.Name == "VERSION" {
				return env.Value
			}
		}
	}
	return ""
}

// Load is what the load pod is told.
type Load struct {
	// Target is the URL that requests are sent to.
	Target string
	// Host is the name that they carry; empty is Settings.Hostname.
	Host string
	// Rate is the number of requests begun each second, and Fresh the share of them, from 0 to 1, on a connection of their
	// own: a proxy of connections, such as kube-proxy, shares out connections and not requests.
	Rate, Fresh float64
	// Duration is when the load ends by itself.
	Duration time.Duration
	// Protocol is one of test/load; empty is HTTP/1.1.
	Protocol string
	// Timeout is how long a request may take; zero is what test/load has.
	Timeout time.Duration
	// Header is a further header of each request, as "name: value"; empty is none.
	Header string
}

// args are the flags of test/load.
func (l Load) args(hostname string) []string {
	args := []string{
		"-target=" + l.Target,
		"-host=" + cmp.Or(l.Host, hostname),
		"-rate=" + strconv.FormatFloat(l.Rate, 'g', -1, 64),
		"-fresh=" + strconv.FormatFloat(l.Fresh, 'g', -1, 64),
		"-max-duration=" + l.Duration.String(),
	}
	if l.Protocol != "" {
		args = append(args, "-protocol="+l.Protocol)
	}
	if l.Header != "" {
		args = append(args, "-header="+l.Header)
	}
	if l.Timeout > 0 {
		args = append(args, "-timeout="+l.Timeout.String())
	}
	return args
}

// LoadPod is the pod that sends the load.
func (s Settings) LoadPod(load Load) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: s.meta(LoadName),
		Spec: corev1.PodSpec{
			RestartPolicy: corev1.RestartPolicyNever,
			Containers: []corev1.Container{{
				Name:            "load",
				Image:           s.LoadImage,
				ImagePullPolicy: corev1.PullIfNotPresent,
				Args:            load.args(s.Hostname()),
				Ports:           []corev1.ContainerPort{{Name: "stats", ContainerPort: stats.Port}},
				ReadinessProbe: &corev1.Probe{
					ProbeHandler: corev1.ProbeHandler{
						HTTPGet: &corev1.HTTPGetAction{Path: "/healthz", Port: intstr.FromString("stats")},
					},
					PeriodSeconds: 1,
				},
				Resources:       small(),
				SecurityContext: containerSecurity(),
			}},
			SecurityContext:               podSecurity(),
			AutomountServiceAccountToken:  ptr.To(false),
			TerminationGracePeriodSeconds: ptr.To[int64](5),
		},
	}
}

func (s Settings) meta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: s.Namespace, Name: name}
}

// appLabels are those of the app's pods. No other pod has them: the Services select by them.
func appLabels() map[string]string { return map[string]string{"app": Name} }
