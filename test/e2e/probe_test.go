//go:build e2e

package e2e

import (
	"testing"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/demo/workload"
)

// TestProbesConfirmShares asks the gateway, by requests that the controller sends, whether the candidate has its share before the
// gates of each step. Where answers tell nothing, the release holds and says so, and an abort takes the traffic back all the same.
func TestProbesConfirmShares(t *testing.T) {
	t.Parallel()
	e := newEnv(t, "probe")
	e.install(canary(untilPromoted(20), untilPromoted(50)), func(spec *v1alpha1.RolloutSpec) {
		spec.Traffic.Probe = &v1alpha1.TrafficProbe{RevisionHeader: "X-Pod"}
	})
	e.loadGateway(rate)
	e.loadAnswered()
	from := e.mark()

	e.release(good(v2))
	e.await("a fifth of the traffic is confirmed", atGates(0))
	e.event(v1alpha1.ReasonShareConfirmed, "step 1/2: probe:", "of 200 answers came from the candidate, and 20% is 22 to 59")

	e.edit(func(spec *v1alpha1.RolloutSpec) { spec.Traffic.Probe.RevisionHeader = "X-Nothing" })
	e.says(0, nil, "promote", workload.Name)
	e.await("half of the traffic is not confirmed", func(r *v1alpha1.Rollout) bool {
		return containsAll(r.Status.Message, []string{"step 2/2: probe: 0 of", "answers told no revision", "through Gateway"})
	})
	e.says(0, nil, "abort", workload.Name)
	e.await("v2 is aborted", aborted)
	e.onlyStable()
	e.noFailures(from)
}
