//go:build e2e

package e2e

import (
	"testing"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/demo/workload"
)

func TestPromoteByHand(t *testing.T) {
	t.Parallel()
	e := newEnv(t, "promote")
	e.install(canary(untilPromoted(25), untilPromoted(50)))
	e.load()
	from := e.mark()

	e.says(1, []string{"nothing to promote"}, "promote", workload.Name)
	e.release(good(v2))
	rollout := e.await("v2 waits for a person", atGates(0))
	revision := rollout.Status.UpdateRevision
	e.share(25)
	e.says(124, nil, "status", workload.Name, "--watch=false")
	e.says(0, nil, "status", workload.Name, "--pause-ok", "--timeout", "10s")
	e.says(0, []string{revision}, "promote", workload.Name)
	e.await("v2 waits again", atGates(1))
	e.share(50)
	e.says(0, []string{revision}, "promote", workload.Name)
	e.says(0, []string{"Healthy"}, "status", workload.Name, "--timeout", "2m")
	e.outcome(e.await("v2 is promoted", healthy), v1alpha1.OutcomePromoted, v1alpha1.ReasonPromoted)
	e.onlyStable()
	e.only(v2)
	e.noFailures(from)
}

func TestAbortByHand(t *testing.T) {
	t.Parallel()
	e := newEnv(t, "abort")
	e.install(canary(untilPromoted(50)))
	e.load()
	from := e.mark()

	e.says(1, nil, "abort", workload.Name)
	e.release(good(v2))
	rollout := e.await("v2 waits for a person", atGates(0))
	revision := rollout.Status.UpdateRevision
	e.says(0, []string{revision}, "abort", workload.Name)
	e.says(1, []string{"aborted"}, "status", workload.Name, "--timeout", "1m")
	e.outcome(e.await("v2 is aborted", aborted), v1alpha1.OutcomeAborted, v1alpha1.ReasonAborted)
	e.only(v1)
	e.onlyStable()
	e.says(1, []string{"retry"}, "promote", workload.Name)

	e.says(0, []string{revision}, "retry", workload.Name)
	e.await("v2 waits for a person again", atGates(0))
	e.says(0, []string{revision}, "promote", workload.Name, "--full")
	e.await("v2 is promoted", healthy)
	e.onlyStable()
	e.only(v2)
	e.noFailures(from)
}

func TestRestartAndUndo(t *testing.T) {
	t.Parallel()
	e := newEnv(t, "restart")
	before := e.install(canary(pausing(scaleDownDelay)))
	e.load()
	from := e.mark()
	old := map[string]bool{}
	for _, pod := range e.podsOf(before.Status.StableRevision) {
		old[pod.Name] = true
	}

	e.says(0, []string{before.Status.StableRevision}, "restart", workload.Name)
	e.await("every pod is another one", func(r *v1alpha1.Rollout) bool {
		pods := e.podsOf(r.Status.StableRevision)
		for _, pod := range pods {
			if old[pod.Name] {
				return false
			}
		}
		return healthy(r) && len(pods) == int(e.Replicas)
	})
	e.noFailures(from)

	e.release(good(v2))
	e.await("v2 is promoted", healthy)
	e.onlyStable()
	e.says(0, []string{before.Status.StableRevision}, "undo", workload.Name)
	rollout := e.await("v1 is stable again", healthy)
	if got := rollout.Status.StableRevision; got != before.Status.StableRevision {
		t.Errorf("stable is %s, want the revision of v1, %s", got, before.Status.StableRevision)
	}
	e.onlyStable()
	e.only(v1)
	e.noFailures(from)
}
