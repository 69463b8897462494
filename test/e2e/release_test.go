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

// scaleDownDelay is short, so that the tests are.
const scaleDownDelay = 2 * time.Second

// canary makes a strategy of steps.
func canary(steps ...v1alpha1.CanaryStep) v1alpha1.Strategy {
	return v1alpha1.Strategy{Canary: &v1alpha1.CanaryStrategy{
		Steps: steps, ScaleDownDelay: &metav1.Duration{Duration: scaleDownDelay},
	}}
}

// untilPromoted is a step that waits for a person, and pausing one that gives half the traffic for a time.
func untilPromoted(weight int32) v1alpha1.CanaryStep {
	return v1alpha1.CanaryStep{Weight: ptr.To(intstr.FromInt32(weight)), Pause: &v1alpha1.Pause{}}
}

func pausing(d time.Duration) v1alpha1.CanaryStep {
	return v1alpha1.CanaryStep{Weight: ptr.To(intstr.FromInt32(50)), Pause: &v1alpha1.Pause{
		Duration: &metav1.Duration{Duration: d},
	}}
}

func analysed(weight int32) v1alpha1.CanaryStep {
	return v1alpha1.CanaryStep{Weight: ptr.To(intstr.FromInt32(weight)), Analysis: workload.Analysis()}
}

func TestGoodCanaryIsPromoted(t *testing.T) {
	t.Parallel()
	e := newEnv(t, "canary-good")
	e.install(canary(analysed(10), analysed(50)))
	e.load()
	from := e.mark()

	e.release(good(v2))
	e.await("half the traffic", atGates(1))
	e.share(50)
	e.outcome(e.await("v2 is promoted", healthy), v1alpha1.OutcomePromoted, v1alpha1.ReasonPromoted)
	e.onlyStable()

	e.only(v2)
	e.noFailures(from)
	for _, gate := range []string{"step-1", "step-2"} {
		if run := e.runs()[gate]; run.Status.Phase != v1alpha1.AnalysisPassed {
			t.Errorf("analysis %s is %q, want Passed: %s", gate, run.Status.Phase, run.Status.Message)
		}
	}
}

func TestBadCanaryIsAborted(t *testing.T) {
	t.Parallel()
	e := newEnv(t, "canary-bad")
	e.install(canary(analysed(20), analysed(50)))
	e.load()
	from := e.mark()

	e.release(bad(v3))
	rollout := e.await("v3 is aborted by itself", aborted)

	e.only(v1)
	e.outcome(rollout, v1alpha1.OutcomeAborted, v1alpha1.ReasonAnalysisFailed)
	e.notReady(rollout, v1alpha1.ReasonAnalysisFailed, "success-rate")
	e.event(v1alpha1.ReasonAnalysisFailed, "traffic goes back to "+rollout.Status.StableRevision)
	e.onlyStable()
	e.noFailures(from, v3)
	if e.since(from).Versions[v3].AppErrors == 0 {
		t.Error("v3 answered no error, so that nothing was shown")
	}
	if rollout := e.rollout(t.Context()); !aborted(rollout) {
		t.Errorf("an aborted revision is tried again: %s", summary(rollout))
	}
	if _, again := e.runs()["step-2"]; again {
		t.Error("a step after the abort has been analysed")
	}
}

func TestBlueGreenWithPreview(t *testing.T) {
	t.Parallel()
	e := newEnv(t, "bluegreen")
	e.install(v1alpha1.Strategy{BlueGreen: &v1alpha1.BlueGreenStrategy{
		PreviewReplicas: ptr.To[int32](1), AutoPromote: ptr.To(false), PostPromotionAnalysis: workload.Analysis(),
		ScaleDownDelay: &metav1.Duration{Duration: scaleDownDelay},
	}})
	e.load()
	from := e.mark()

	e.release(good(v2))
	rollout := e.await("v2 waits beside v1", func(r *v1alpha1.Rollout) bool { return r.Status.Phase == v1alpha1.PhasePaused })
	e.only(v1)
	if pods := e.podsOf(rollout.Status.UpdateRevision); len(pods) != 1 {
		t.Errorf("%d pods for the preview, want 1", len(pods))
	}
	e.says(0, []string{rollout.Status.UpdateRevision}, "promote", workload.Name)
	e.outcome(e.await("v2 is promoted", healthy), v1alpha1.OutcomePromoted, v1alpha1.ReasonPromoted)
	e.onlyStable()
	e.only(v2)
	e.noFailures(from)
}

func TestBlueGreenSwitchesBack(t *testing.T) {
	t.Parallel()
	e := newEnv(t, "bluegreen-bad")
	e.install(workload.BlueGreen(scaleDownDelay))
	e.load()
	from := e.mark()

	e.release(bad(v3))
	e.await("all traffic on v3", atGates(1))
	rollout := e.await("v3 is aborted by itself", aborted)
	e.only(v1)
	e.outcome(rollout, v1alpha1.OutcomeAborted, v1alpha1.ReasonAnalysisFailed)
	e.onlyStable()
	e.noFailures(from, v3)
}

func TestAnotherVersionInMidFlight(t *testing.T) {
	t.Parallel()
	e := newEnv(t, "superseded")
	e.install(canary(untilPromoted(50)))
	e.load()
	from := e.mark()

	e.release(good(v2))
	first := e.await("half the traffic on v2", atGates(0))
	e.edit(func(spec *v1alpha1.RolloutSpec) {
		spec.Template = e.Template(good(v3))
		spec.Strategy = canary(analysed(50))
	})
	rollout := e.await("v3 is promoted", healthy)
	e.onlyStable()
	e.only(v3)
	e.noFailures(from)
	second := rollout.Status.History[1]
	if second.Outcome != v1alpha1.OutcomeSuperseded || second.Revision != first.Status.UpdateRevision {
		t.Errorf("v2 is recorded as %+v, want Superseded", second)
	}
}

func TestBackToStableInMidFlight(t *testing.T) {
	t.Parallel()
	e := newEnv(t, "returned")
	e.install(canary(untilPromoted(50)))
	e.load()
	from := e.mark()

	e.release(good(v2))
	e.await("half the traffic on v2", atGates(0))
	e.release(good(v1))
	rollout := e.await("v1 is Healthy again", healthy)
	e.only(v1)
	e.onlyStable()
	e.noFailures(from)
	if got := rollout.Status.History[0].Outcome; got != v1alpha1.OutcomeReturned {
		t.Errorf("v2 is recorded as %s, want Returned", got)
	}
}
