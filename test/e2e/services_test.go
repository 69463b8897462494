//go:build e2e

package e2e

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/demo/workload"
)

// withoutRoutes moves traffic by Services alone.
func withoutRoutes(spec *v1alpha1.RolloutSpec) { spec.Traffic = nil }

func TestCanaryByRatioOfPods(t *testing.T) {
	t.Parallel()
	e := newEnv(t, "ratio")
	strategy := canary(untilPromoted(25), pausing(time.Second))
	strategy.Canary.ScaleDownDelay = nil
	strategy.Canary.MaxSurge = ptr.To(intstr.FromInt32(1))
	strategy.Canary.MaxUnavailable = ptr.To(intstr.FromInt32(0))
	e.install(strategy, withoutRoutes)
	e.loadService()
	from := e.mark()

	e.release(good(v2))
	rollout := e.await("a quarter of the pods is of v2", atGates(0))
	if stable, candidate := len(e.podsOf(rollout.Status.StableRevision)), len(e.podsOf(rollout.Status.UpdateRevision)); stable != 3 || candidate != 1 {
		t.Errorf("%d pods of v1 and %d of v2, want 3 and 1", stable, candidate)
	}
	counted := e.requests(6 * rate).Versions
	if counted[v1].Requests == 0 || counted[v2].Requests == 0 {
		t.Errorf("requests by version are %+v, want some for each", counted)
	}
	e.says(0, nil, "promote", workload.Name)
	e.outcome(e.await("v2 is promoted", healthy), v1alpha1.OutcomePromoted, v1alpha1.ReasonPromoted)
	e.onlyStable()
	e.only(v2)
	e.noFailures(from)
}

func TestCanaryByRatioOfPodsIsAborted(t *testing.T) {
	t.Parallel()
	e := newEnv(t, "ratio-bad")
	strategy := canary(analysed(25), pausing(time.Second))
	strategy.Canary.ScaleDownDelay = nil
	strategy.Canary.MaxUnavailable = ptr.To(intstr.FromInt32(0))
	e.install(strategy, withoutRoutes)
	e.loadService()
	from := e.mark()

	e.release(bad(v3))
	rollout := e.await("v3 is aborted by itself", aborted)
	e.outcome(rollout, v1alpha1.OutcomeAborted, v1alpha1.ReasonAnalysisFailed)
	e.onlyStable()
	e.only(v1)
	e.noFailures(from, v3)
}

func TestBlueGreenByServiceSelectors(t *testing.T) {
	t.Parallel()
	e := newEnv(t, "selectors")
	e.install(v1alpha1.Strategy{BlueGreen: &v1alpha1.BlueGreenStrategy{
		AutoPromote: ptr.To(false), PostPromotionAnalysis: workload.Analysis(),
		ScaleDownDelay: &metav1.Duration{Duration: scaleDownDelay},
	}}, withoutRoutes)
	e.loadService()
	from := e.mark()

	e.release(good(v2))
	e.await("v2 waits beside v1", func(r *v1alpha1.Rollout) bool { return r.Status.Phase == v1alpha1.PhasePaused })
	e.only(v1)
	e.says(0, nil, "promote", workload.Name)
	e.outcome(e.await("v2 is promoted", healthy), v1alpha1.OutcomePromoted, v1alpha1.ReasonPromoted)
	e.onlyStable()
	e.only(v2)
	e.noFailures(from)
}

func TestRollingUpdate(t *testing.T) {
	t.Parallel()
	e := newEnv(t, "rolling")
	e.install(v1alpha1.Strategy{RollingUpdate: &v1alpha1.RollingUpdateStrategy{
		MaxSurge: ptr.To(intstr.FromInt32(1)), MaxUnavailable: ptr.To(intstr.FromInt32(0)),
	}}, withoutRoutes)
	e.loadService()
	from := e.mark()

	e.release(good(v2))
	e.outcome(e.await("v2 is promoted", healthy), v1alpha1.OutcomePromoted, v1alpha1.ReasonPromoted)
	e.onlyStable()
	e.only(v2)
	e.noFailures(from)
	for _, r := range e.watched.all() {
		if r.Status.UpdateRevision == r.Status.StableRevision || r.Status.StableRevision == "" {
			continue
		}
		if r.Status.AvailableReplicas < e.Replicas {
			t.Errorf("%d pods were available, want %d always: %s", r.Status.AvailableReplicas, e.Replicas, summary(&r))
		}
	}
}

func TestRecreate(t *testing.T) {
	t.Parallel()
	e := newEnv(t, "recreate")
	first := e.install(v1alpha1.Strategy{Recreate: &v1alpha1.RecreateStrategy{}}, withoutRoutes)
	e.release(good(v2))
	rollout := e.await("v2 is promoted", healthy)
	e.outcome(rollout, v1alpha1.OutcomePromoted, v1alpha1.ReasonPromoted)
	created := e.podsOf(rollout.Status.StableRevision)
	if len(created) != int(e.Replicas) || len(e.podsOf(first.Status.StableRevision)) != 0 {
		t.Errorf("%d pods of v2 and %d of v1, want %d and none", len(created), len(e.podsOf(first.Status.StableRevision)), e.Replicas)
	}
}
