//go:build apiserver

// Package faults_test breaks what the controllers depend on while a release is under way, on a real API server: the API
// server and etcd, the network, permissions, quotas, admission, the namespace, and the controllers themselves. Afterwards
// every write that etcd has committed is held against the rules in rules_test.go.
package faults_test

import (
	"os"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/apiserver/env"
	"github.com/sluice-dev/sluice/test/apiserver/live"
	"github.com/sluice-dev/sluice/test/apiserver/proxy"
	"github.com/sluice-dev/sluice/test/builder"
)

// pause is that of the steps in the middle.
const pause = 2 * time.Second

func TestMain(m *testing.M) {
	os.Exit(env.Main(m))
}

// canary is a release by route: a person, two pauses, a person, and all.
func canary() *builder.RolloutBuilder {
	return builder.Rollout("web").Image(live.ImageV1).Replicas(5).Services("web").Routes("web").Canary(
		builder.Step().Weight("20").Hold(),
		builder.Step().Weight("40").Pause(pause),
		builder.Step().Weight("60").Pause(pause),
		builder.Step().Weight("80").Hold(),
	).With(func(r *v1alpha1.Rollout) {
		r.Spec.Strategy.Canary.ScaleDownDelay = &metav1.Duration{Duration: time.Second}
	})
}

// world has a canary, and a data plane that outlives every fault; controllers are started by the test.
func world(t testing.TB, e *env.Env) *live.World {
	t.Helper()
	w := live.New(t, e, append(live.Network(), canary().Obj())...)
	w.StartHardyPlane()
	return w
}

// behindProxy has controllers whose way to the API server goes through a proxy.
func behindProxy(t testing.TB) (*live.World, *proxy.Proxy) {
	t.Helper()
	w := world(t, env.Start(t))
	p := proxy.Start(t, w.Config)
	w.StartControllersWith(p.Config(), w.Namespace)
	return w, p
}

// atFirstStep brings a world to the first step of a release of v2, where it waits for a person.
func atFirstStep(w *live.World) {
	w.T.Helper()
	w.Reaches("healthy", live.Healthy)
	w.Release(live.ImageV2)
	w.Reaches("the first step", live.Awaiting)
}

// atLastStep says that the release waits for a person at its last step.
func atLastStep(s *v1alpha1.RolloutStatus) bool { return live.Awaiting(s) && s.State.Step == 3 }

// aborts holds that the release comes back whole: no traffic, no pods, stable in full.
func aborts(w *live.World) {
	w.T.Helper()
	w.Reaches("aborted", live.Aborted)
	w.SizesAre(map[string]int32{live.ImageV1: 5, live.ImageV2: 0})
	if weight := w.Weight(); weight != 0 {
		w.T.Errorf("weight %d after the abort", weight)
	}
}

// elapse waits.
func elapse(d time.Duration) { <-clock.RealClock{}.After(d) }
