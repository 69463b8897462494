//go:build apiserver

package apiserver_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/apiserver/env"
	"github.com/sluice-dev/sluice/test/builder"
)

// accept wants the API server to take an object, and keeps nothing of it.
func accept(t *testing.T, e *env.Env, object client.Object) {
	t.Helper()
	object.SetNamespace(e.Namespace)
	if err := e.Client.Create(t.Context(), object, client.DryRunAll); err != nil {
		t.Errorf("refused: %v", err)
	}
}

// TestWeightsThatParseAreAccepted goes through every weight: what Go reads, the schema must let in.
func TestWeightsThatParseAreAccepted(t *testing.T) {
	e := env.Start(t)
	var weights []intstr.IntOrString
	for percent := range int32(101) {
		weights = append(weights, intstr.FromInt32(percent))
	}
	for tenths := range v1alpha1.MaxWeight + 1 {
		weights = append(weights, intstr.FromString(v1alpha1.FormatWeight(tenths)))
	}
	weights = append(weights, intstr.FromString("05"), intstr.FromString("0.0"), intstr.FromString("100.0"))
	for len(weights) > 0 {
		n := min(50, len(weights))
		accept(t, e, builder.Rollout("web").Canary(builder.Step().Hold()).With(func(r *v1alpha1.Rollout) {
			r.Spec.Strategy.Canary.Steps = nil
			for _, weight := range weights[:n] {
				r.Spec.Strategy.Canary.Steps = append(r.Spec.Strategy.Canary.Steps, v1alpha1.CanaryStep{Weight: &weight})
			}
		}).Obj())
		weights = weights[n:]
	}
}

// TestDurationsThatGoWritesAreAccepted: a client in Go sends durations as time.Duration prints them.
func TestDurationsThatGoWritesAreAccepted(t *testing.T) {
	e := env.Start(t)
	for _, d := range []time.Duration{
		time.Second, 1500 * time.Millisecond, 61 * time.Second, 90 * time.Minute, time.Hour, 25*time.Hour + time.Nanosecond,
		720 * time.Hour, 719*time.Hour + 59*time.Minute + 59*time.Second + 999999999,
	} {
		t.Run(d.String(), func(t *testing.T) {
			accept(t, e, builder.Rollout("web").Canary(builder.Step().Pause(d)).Obj())
		})
	}
}

func TestDurationsThatPeopleWriteAreAccepted(t *testing.T) {
	e := env.Start(t)
	for _, d := range []string{"1s", "500ms1s", "90s", "1h30m", "1m30s", "86400s", "1.5s", "1000ms", "720h0m0s"} {
		t.Run(d, func(t *testing.T) {
			manifest := strings.Replace(pauseManifest, "DURATION", d, 1)
			_, err := e.Kubectl(t, manifest, "create", "--dry-run=server", "--filename", "-")
			// Units in the wrong order are Go's, and nobody's: refused with an example of the right one.
			if wrongOrder := d == "500ms1s"; (err != nil) != wrongOrder {
				t.Errorf("error %v, want one: %t", err, wrongOrder)
			}
		})
	}
}

const pauseManifest = `
apiVersion: sluice.dev/v1alpha1
kind: Rollout
metadata:
  name: web
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: registry.example/web:v1}]}
  strategy:
    canary: {steps: [{weight: 20, pause: {duration: DURATION}}]}
`

func TestLimitsThatAreAccepted(t *testing.T) {
	e := env.Start(t)
	for name, rollout := range map[string]*builder.RolloutBuilder{
		"numbers":                 builder.Rollout("web").RollingUpdate("1", "0"),
		"percentages":             builder.Rollout("web").RollingUpdate("0%", "100%"),
		"a surge of three times":  builder.Rollout("web").RollingUpdate("300%", "0%"),
		"preview beyond replicas": builder.Rollout("web").BlueGreen().With(preview(20)),
		"no replicas":             builder.Rollout("web").Replicas(0),
		"a deadline for ever": builder.Rollout("web").With(func(r *v1alpha1.Rollout) {
			r.Spec.ProgressDeadlineSeconds = ptr.To[int32](2147483647)
		}),
		"a name as long as a Deployment's": builder.Rollout(strings.Repeat("a", 63)).With(func(r *v1alpha1.Rollout) {
			r.Name = strings.Repeat("a", 253)
		}),
		"limits of 0 with routes": builder.Rollout("web").Routes("web").Canary(builder.Step().Weight("1")).With(
			func(r *v1alpha1.Rollout) {
				r.Spec.Strategy.Canary.MaxSurge = ptr.To(intstr.FromInt32(0))
				r.Spec.Strategy.Canary.MaxUnavailable = ptr.To(intstr.FromInt32(0))
			}),
	} {
		t.Run(name, func(t *testing.T) { accept(t, e, rollout.Obj()) })
	}
}

func preview(n int32) func(*v1alpha1.Rollout) {
	return func(r *v1alpha1.Rollout) { r.Spec.Strategy.BlueGreen.PreviewReplicas = ptr.To(n) }
}

// TestLargestObjects: rules have a budget for each object. The largest that the schema allows must stay within it.
func TestLargestObjects(t *testing.T) {
	e := env.Start(t)
	t.Run("Rollout", func(t *testing.T) {
		steps := make([]*builder.StepBuilder, 50)
		for i := range steps {
			names := make([]string, 10)
			for j := range names {
				names[j] = strings.Repeat("x", 252) + strconv.Itoa(j)
			}
			steps[i] = builder.Step().Weight("99.9").Pause(time.Hour).Analysis(names...)
		}
		accept(t, e, builder.Rollout("web").Canary(steps...).With(func(r *v1alpha1.Rollout) {
			for i := range 63 {
				r.Spec.Selector.MatchLabels["label-"+strconv.Itoa(i)] = strings.Repeat("v", 63)
			}
			r.Spec.Template.Raw = labelled(r.Spec.Selector.MatchLabels)
		}).Obj())
	})
	t.Run("AnalysisRun", func(t *testing.T) {
		metrics := make([]*builder.MetricBuilder, 64)
		for i := range metrics {
			metrics[i] = builder.Metric("metric-"+strconv.Itoa(i), strings.Repeat("q", 8192)).Every(time.Second).Count(1000)
		}
		run := builder.AnalysisRun("large", metrics...).Namespace(e.Namespace).Obj()
		if err := e.Client.Create(t.Context(), run); err != nil {
			t.Fatal(err)
		}
		run.Spec.Terminate = true
		if err := e.Client.Update(t.Context(), run); err != nil {
			t.Error(err)
		}
	})
}
