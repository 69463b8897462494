//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/demo/workload"
)

// compared is the name of the template that compares both versions, and of its metric.
const compared = "compared"

// comparison compares both versions by counters of the app itself, every 10 s.
func (e *env) comparison(ratio v1alpha1.RatioMetric, count *int32) *v1alpha1.AnalysisTemplate {
	const of = `http_requests_total{namespace="{{args.namespace}}",pod_template_hash="{{args.%s-hash}}"%s}`
	const failed = `,code=~"5.."`
	ratio.Candidate = v1alpha1.RequestCounters{Bad: fmt.Sprintf(of, "candidate", failed), Total: fmt.Sprintf(of, "candidate", "")}
	ratio.Stable = v1alpha1.RequestCounters{Bad: fmt.Sprintf(of, "stable", failed), Total: fmt.Sprintf(of, "stable", "")}
	return e.comparing(ratio, count)
}

// gatewayComparison compares both versions by what the gateway counted for their Services.
func (e *env) gatewayComparison(ratio v1alpha1.RatioMetric, count *int32) *v1alpha1.AnalysisTemplate {
	const of = `traefik_service_requests_total{service="{{args.namespace}}-{{args.%s-service}}-http-80@kubernetesgateway"%s}`
	const failed = `,code=~"5.."`
	ratio.Candidate = v1alpha1.RequestCounters{Bad: fmt.Sprintf(of, "standby", failed), Total: fmt.Sprintf(of, "standby", "")}
	ratio.Stable = v1alpha1.RequestCounters{Bad: fmt.Sprintf(of, "active", failed), Total: fmt.Sprintf(of, "active", "")}
	return e.comparing(ratio, count)
}

func (e *env) comparing(ratio v1alpha1.RatioMetric, count *int32) *v1alpha1.AnalysisTemplate {
	return &v1alpha1.AnalysisTemplate{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: v1alpha1.DefaultTemplateKind},
		ObjectMeta: metav1.ObjectMeta{Namespace: e.Namespace, Name: compared},
		Spec: v1alpha1.AnalysisTemplateSpec{Metrics: []v1alpha1.Metric{{
			Name: compared, Interval: &metav1.Duration{Duration: 10 * time.Second}, Count: count, Ratio: &ratio,
			Provider: v1alpha1.MetricProvider{Prometheus: &v1alpha1.PrometheusMetric{}},
		}}},
	}
}

// gross tolerates one request in five, so that some hundred requests show that a version without errors is no worse.
func gross() v1alpha1.RatioMetric {
	return v1alpha1.RatioMetric{MaxRelativeIncrease: "25%", MaxAbsoluteIncrease: "20%"}
}

// failing is a version of which requests fail, at random, with some odds.
func failing(name string, odds float64) workload.Version {
	return workload.Version{Name: name, ErrorRate: odds, Scattered: true}
}

// running has the Rollout begin with a version.
func (e *env) running(version workload.Version) func(*v1alpha1.RolloutSpec) {
	return func(spec *v1alpha1.RolloutSpec) { spec.Template = e.Template(version) }
}

// TestSmallHarmIsFoundAsForetold releases a version with five times as many errors as stable, of which nobody would see
// anything at a weight of 10 %, and holds the time until it is found against the one that was foretold for the very
// template, load and steps.
func TestSmallHarmIsFoundAsForetold(t *testing.T) {
	t.Parallel()
	const perSecond, usual, harmful, weight = 200, 0.002, 0.01, 10
	e := newEnv(t, "small-harm")
	template := e.comparison(v1alpha1.RatioMetric{}, nil)
	foretold := e.foretells(template, fmt.Sprint(perSecond), "0.2%", "10:10m", regexp.MustCompile(`(?m)^×5 +1% +\S+ +(\S+) +10%$`))
	e.create(template)
	strategy := canary(v1alpha1.CanaryStep{
		Weight: ptr.To(intstr.FromInt32(weight)), Pause: &v1alpha1.Pause{Duration: &metav1.Duration{Duration: 10 * time.Minute}},
	})
	strategy.Canary.Analysis = &v1alpha1.BackgroundAnalysis{Analysis: *analysis(compared)}
	e.install(strategy, e.running(failing(v1, usual)))
	e.loadKept(perSecond)
	e.loadAnswered()
	from := e.mark()

	e.release(failing(v2, harmful))
	began := e.await("the weight is in force", atGates(0)).Status.State.GatesAt
	if out, code := e.plugin("status", workload.Name, "--timeout", (2*foretold + time.Minute).String()); code != 1 {
		t.Fatalf("kubectl sluice status: exit code %d, want that of an abort:\n%s", code, out)
	}
	e.outcome(e.await("v2 is aborted", aborted), v1alpha1.OutcomeAborted, v1alpha1.ReasonAnalysisFailed)
	run := e.runs()["background"]
	took := run.Status.CompletedAt.Sub(began.Time)
	t.Logf("found after %s, foretold were %s: %s", took.Round(time.Second), foretold, run.Status.Message)
	if run.Status.Phase != v1alpha1.AnalysisFailed || took > 2*foretold {
		t.Errorf("the analysis is %s %s after the weight was in force, want it Failed within twice the %s foretold: %s",
			run.Status.Phase, took, foretold, run.Status.Message)
	}
	e.onlyStable()
	e.noFailures(from, v1, v2)
}

// loadKept begins to send requests through the gateway, nearly all of them on connections that are kept: it is the
// number of requests that matters, and a connection costs several of them.
func (e *env) loadKept(perSecond float64) {
	e.t.Helper()
	e.send(throughGateway, workload.Load{Target: e.gateway, Rate: perSecond, Fresh: 0.01, Duration: loadFor})
}

// foretells asks kubectl sluice power about a template and takes the time from the row that is looked for.
func (e *env) foretells(template *v1alpha1.AnalysisTemplate, perSecond, usual, steps string, row *regexp.Regexp) time.Duration {
	e.t.Helper()
	raw, err := json.Marshal(template)
	if err != nil {
		e.t.Fatal(err)
	}
	file := filepath.Join(e.t.TempDir(), "template.json")
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		e.t.Fatal(err)
	}
	out, code := e.plugin("power", "-f", file, "--rate", perSecond, "--bad", usual, "--steps", steps)
	found := row.FindStringSubmatch(out)
	if code != 0 || found == nil {
		e.t.Fatalf("kubectl sluice power: exit code %d, want 0, and a row %s:\n%s", code, row, out)
	}
	foretold, err := time.ParseDuration(found[1])
	if err != nil {
		e.t.Fatal(err)
	}
	return foretold
}

// TestIdenticalReleasesArePromoted makes ten releases at once of a version that differs in nothing but its name. One in five
// requests fails, at random, so that some seem worse. Half are compared by what the app counts, half by what the
// gateway does.
func TestIdenticalReleasesArePromoted(t *testing.T) {
	t.Parallel()
	const releases, perSecond, odds, batches = 10, 20, 0.2, 7
	tolerated := v1alpha1.RatioMetric{MaxRelativeIncrease: "50%", MaxAbsoluteIncrease: "1%"}
	var all []*env
	for i := range releases {
		e := newEnv(t, fmt.Sprintf("same-%d", i))
		e.Replicas = 2
		template := e.comparison(tolerated, ptr.To[int32](batches))
		if i%2 == 1 {
			template = e.gatewayComparison(tolerated, ptr.To[int32](batches))
		}
		e.create(template)
		step := v1alpha1.CanaryStep{Weight: ptr.To(intstr.FromInt32(50)), Analysis: analysis(compared)}
		e.begin(canary(step), e.running(failing(v1, odds)))
		e.loadKept(perSecond)
		all = append(all, e)
	}
	for _, e := range all {
		e.await("v1 is Healthy", healthy)
		e.loadAnswered()
		e.release(failing(v2, odds))
	}
	for _, e := range all {
		e.outcome(e.await(e.Namespace+": v2 is promoted", healthy), v1alpha1.OutcomePromoted, v1alpha1.ReasonPromoted)
		run := e.runs()["step-1"]
		t.Logf("%s: %s: %s", e.Namespace, run.Status.Phase, run.Status.Message)
		if run.Status.Phase != v1alpha1.AnalysisPassed {
			t.Errorf("%s: the analysis is %s, want it Passed: %s", e.Namespace, run.Status.Phase, run.Status.Message)
		}
	}
}

// TestCandidateWithoutTrafficIsToldOf has everybody's requests go past the candidate, in two ways, one of which begins with
// nobody sending any. Both are told by name, and neither passes nor fails it; once it has traffic, the release goes on.
func TestCandidateWithoutTrafficIsToldOf(t *testing.T) {
	t.Parallel()
	header := canary(v1alpha1.CanaryStep{
		Match:    []v1alpha1.RequestMatch{{Headers: []v1alpha1.ValueMatch{{Name: "x-canary", Value: "yes"}}}},
		Replicas: ptr.To[int32](1), Analysis: analysis(compared),
	})
	for _, c := range []struct {
		name        string
		strategy    v1alpha1.Strategy
		nobody      bool
		past, there func(*env)
	}{
		{
			"around-the-gateway", canary(v1alpha1.CanaryStep{Weight: ptr.To(intstr.FromInt32(50)), Analysis: analysis(compared)}),
			true, func(e *env) { e.loadAddress(rate) }, func(e *env) { e.loadKept(rate) },
		},
		{
			"without-the-header", header, false, func(e *env) { e.loadKept(rate) },
			func(e *env) {
				e.send(withHeader, workload.Load{Target: e.gateway, Rate: rate, Fresh: 0.01, Duration: loadFor, Header: "x-canary: yes"})
			},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t, c.name)
			e.create(e.comparison(gross(), ptr.To[int32](2)))
			e.install(c.strategy)
			if c.nobody {
				e.release(good(v2))
				e.lacks(v1alpha1.ReasonNoBaseline, "no request reached either version")
			}
			c.past(e)
			e.loadAnswered()
			from := e.mark()
			if !c.nobody {
				e.release(good(v2))
			}
			e.lacks(v1alpha1.ReasonNoCanaryTraffic, "no request reached the candidate while stable served 0 bad of")
			e.event(v1alpha1.ReasonNoCanaryTraffic, compared)
			if answered := e.since(from).Versions[v2]; answered.Requests > 0 {
				t.Errorf("v2 answered %d requests, want none", answered.Requests)
			}

			c.there(e)
			e.await("v2 is promoted", healthy)
			if run := e.runs()["step-1"]; run.Status.Phase != v1alpha1.AnalysisPassed {
				t.Errorf("the analysis is %s, want it Passed: %s", run.Status.Phase, run.Status.Message)
			}
			e.onlyStable()
			e.noFailures(from)
		})
	}
}

// lacks waits until the analysis of the first step says by name why it has no figures, and holds that the Rollout and
// kubectl sluice status say it too, and that the release waits.
func (e *env) lacks(reason, text string) {
	e.t.Helper()
	fragments := []string{compared, reason + ": " + text}
	eventually(e.t, "the analysis says "+reason, func(context.Context) (bool, string) {
		run := e.runs()["step-1"]
		ready := meta.FindStatusCondition(run.Status.Conditions, v1alpha1.ConditionReady)
		found := ready != nil && ready.Reason == reason && containsAll(ready.Message, fragments) &&
			containsAll(run.Status.Message, fragments) && run.Status.Phase == v1alpha1.AnalysisRunning
		return found, fmt.Sprintf("%s: %s; %+v", run.Status.Phase, run.Status.Message, ready)
	})
	rollout := e.await("the Rollout says "+reason, func(r *v1alpha1.Rollout) bool {
		return atGates(0)(r) && containsAll(r.Status.Message, fragments)
	})
	e.notReady(rollout, v1alpha1.ReasonWaitingForAnalysis, fragments...)
	e.says(124, fragments, "status", workload.Name, "--watch=false")
}

// TestSlowerCandidateIsFound releases a version that answers as well as stable and 200 ms later.
func TestSlowerCandidateIsFound(t *testing.T) {
	t.Parallel()
	e := newEnv(t, "slower")
	const of = `http_request_duration_seconds_bucket{namespace="{{args.namespace}}",pod_template_hash="{{args.%s-hash}}"}`
	made := e.comparison(v1alpha1.RatioMetric{}, nil)
	made.Spec.Metrics[0].Ratio = nil
	made.Spec.Metrics[0].Latency = &v1alpha1.LatencyMetric{
		Candidate: fmt.Sprintf(of, "candidate"), Stable: fmt.Sprintf(of, "stable"), Bounds: []string{"0.1"},
	}
	e.create(made)
	strategy := canary(untilPromoted(20))
	strategy.Canary.Analysis = &v1alpha1.BackgroundAnalysis{Analysis: *analysis(compared)}
	e.install(strategy)
	e.loadKept(rate)
	e.loadAnswered()
	from := e.mark()

	e.edit(func(spec *v1alpha1.RolloutSpec) {
		spec.Template = e.Template(good(v2))
		template(spec, func(pod *corev1.PodTemplateSpec) {
			app := &pod.Spec.Containers[0]
			app.Env = append(app.Env, corev1.EnvVar{Name: "LATENCY", Value: "200ms"})
		})
	})
	rollout := e.await("v2 is aborted by itself", aborted)
	e.outcome(rollout, v1alpha1.OutcomeAborted, v1alpha1.ReasonAnalysisFailed)
	t.Log(e.runs()["background"].Status.Message)
	e.only(v1)
	e.onlyStable()
	e.noFailures(from)
}
