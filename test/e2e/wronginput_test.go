//go:build e2e

package e2e

import (
	"encoding/json"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/demo/workload"
)

// wrong is an edit that cannot be carried out.
type wrong struct {
	name string
	// edit is made together with the release of v2.
	edit func(*env, *v1alpha1.RolloutSpec)
	// reason and fragments are in the condition Ready and in the event: the field, and the cure.
	reason    string
	fragments []string
}

func wrongs() []wrong {
	return []wrong{
		{
			"unknown Service",
			func(_ *env, spec *v1alpha1.RolloutSpec) { spec.Services.Active = "nobody" },
			v1alpha1.ReasonServiceNotFound,
			[]string{"spec.services.active", "nobody", "create it"},
		},
		{
			"missing route",
			func(_ *env, spec *v1alpha1.RolloutSpec) { spec.Traffic.GatewayAPI.Routes[0].Name = "nowhere" },
			v1alpha1.ReasonRouteNotFound,
			[]string{"spec.traffic.gatewayAPI.routes[0]", "nowhere", "create it"},
		},
		{
			"route without our backend",
			func(e *env, spec *v1alpha1.RolloutSpec) {
				other := e.Route()
				other.Name = "other"
				other.Spec.Hostnames[0] = "other." + other.Spec.Hostnames[0]
				other.Spec.Rules[0].BackendRefs[0].Name = "somebody-else"
				e.create(other)
				spec.Traffic.GatewayAPI.Routes[0].Name = other.Name
			},
			v1alpha1.ReasonRouteWithoutBackend,
			[]string{"spec.traffic.gatewayAPI.routes[0]", "other", "backendRef with the name web"},
		},
		{
			"template that the API server refuses",
			func(_ *env, spec *v1alpha1.RolloutSpec) {
				template(spec, func(pod *corev1.PodTemplateSpec) {
					pod.Spec.Containers[0].VolumeMounts = []corev1.VolumeMount{{Name: "nothing", MountPath: "/data"}}
				})
			},
			v1alpha1.ReasonReplicaSetRefused,
			[]string{"spec.template.spec.containers[0].volumeMounts[0].name", "Not found"},
		},
		{
			"Service that selects other pods",
			func(e *env, spec *v1alpha1.RolloutSpec) {
				other := e.Service()
				other.Name, other.Spec.Selector = "others", map[string]string{"app": "other"}
				e.create(other)
				spec.Services.Active = other.Name
			},
			v1alpha1.ReasonServiceMismatch,
			[]string{"spec.services.active", "others", "app=other", "write a selector"},
		},
		{
			"analysis without its template",
			func(_ *env, spec *v1alpha1.RolloutSpec) {
				spec.Strategy.Canary.Steps[0].Analysis = analysis("no-such-template")
			},
			v1alpha1.ReasonTemplateNotFound,
			[]string{"spec.strategy.canary.steps[0].analysis", "no-such-template", "create it"},
		},
	}
}

func analysis(template string) *v1alpha1.Analysis {
	return &v1alpha1.Analysis{Templates: []v1alpha1.AnalysisTemplateReference{
		{Kind: v1alpha1.DefaultTemplateKind, Name: template},
	}}
}

// template changes a pod template as it is written.
func template(spec *v1alpha1.RolloutSpec, change func(*corev1.PodTemplateSpec)) {
	pod, err := spec.PodTemplate()
	if err != nil {
		panic(err) // It was made by this test.
	}
	change(pod)
	raw, err := json.Marshal(pod)
	if err != nil {
		panic(err)
	}
	spec.Template = runtime.RawExtension{Raw: raw}
}

// TestWrongInput makes one mistake after the other on a Rollout that serves. Each is told with its field and its cure,
// moves no traffic, and is forgotten when it is mended.
func TestWrongInput(t *testing.T) {
	t.Parallel()
	e := newEnv(t, "wrong-input")
	e.install(canary(untilPromoted(50)))
	e.load()
	from := e.mark()
	for _, w := range wrongs() {
		e.makeMistake(w)
	}
	e.only(v1)
	e.noFailures(from)
	if counted := e.since(from); len(counted.Versions) != 1 {
		t.Errorf("requests by version are %+v, want v1 only", counted.Versions)
	}
}

// makeMistake is a step of TestWrongInput, and no subtest: subtests would share the Rollout, and a failure in one would
// leave it broken to the next.
func (e *env) makeMistake(w wrong) {
	e.t.Helper()
	right := e.rollout(e.t.Context()).Spec
	e.edit(func(spec *v1alpha1.RolloutSpec) {
		spec.Template = e.Template(good(v2))
		w.edit(e, spec)
	})
	rollout := e.await(w.name+": the Rollout says what is wrong", func(r *v1alpha1.Rollout) bool {
		return containsAll(r.Status.Message, w.fragments)
	})
	e.notReady(rollout, w.reason, w.fragments...)
	e.event(w.reason, w.fragments...)
	e.edit(func(spec *v1alpha1.RolloutSpec) { *spec = right })
	e.await(w.name+": the mistake is mended", healthy)
}

// TestAnalysisThatCannotMeasure has queries that cannot be asked or are no PromQL. They decide nothing: traffic stays at
// the weight of the step until they are mended.
func TestAnalysisThatCannotMeasure(t *testing.T) {
	t.Parallel()
	e := newEnv(t, "wrong-query")
	cases := []struct {
		template  string
		change    func(*v1alpha1.PrometheusMetric)
		reason    string
		fragments []string
	}{
		{
			"unreachable", func(m *v1alpha1.PrometheusMetric) { m.Address = "http://10.77.0.1:1" },
			v1alpha1.ReasonProviderUnreachable,
			[]string{"provider.prometheus.address", "10.77.0.1:1"},
		},
		{
			"no-promql", func(m *v1alpha1.PrometheusMetric) { m.Query = "sum(rate(" },
			v1alpha1.ReasonQueryInvalid,
			[]string{"provider.prometheus.query", "parse error"},
		},
	}
	e.install(canary(untilPromoted(50)))
	e.load()
	from := e.mark()
	for _, c := range cases {
		made := e.AnalysisTemplate()
		made.Name = c.template
		made.Spec.Metrics[0].InitialDelay = nil
		c.change(made.Spec.Metrics[0].Provider.Prometheus)
		e.create(made)
		e.edit(func(spec *v1alpha1.RolloutSpec) {
			spec.Template = e.Template(good(v2))
			spec.Strategy.Canary.Steps[0] = analysed(20)
			spec.Strategy.Canary.Steps[0].Analysis = analysis(c.template)
		})
		rollout := e.await(c.template+": the Rollout says what is wrong", func(r *v1alpha1.Rollout) bool {
			return atGates(0)(r) && containsAll(r.Status.Message, c.fragments)
		})
		e.notReady(rollout, v1alpha1.ReasonWaitingForAnalysis, c.fragments...)
		e.event(c.reason, c.fragments...)
		e.share(20)
		e.says(0, nil, "abort", workload.Name)
		e.await(c.template+": v2 is aborted", aborted)
		e.edit(func(spec *v1alpha1.RolloutSpec) { spec.Template = e.Template(good(v1)) })
		e.await(c.template+": v1 is Healthy", healthy)
	}
	e.only(v1)
	e.noFailures(from)
}

// TestSelectorThatDoesNotMatch is refused before there is anything to go wrong.
func TestSelectorThatDoesNotMatch(t *testing.T) {
	t.Parallel()
	e := newEnv(t, "wrong-selector")
	rollout := e.Rollout(good(v1), canary(untilPromoted(50)))
	rollout.Spec.Selector.MatchLabels = map[string]string{"app": "other"}
	err := e.Create(t.Context(), rollout, &client.CreateOptions{})
	if err == nil || !containsAll(err.Error(), []string{"spec", "selector", "template"}) {
		t.Errorf("error %v, want one that names selector and template", err)
	}
}
