//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// quietFor is how long nothing may be read or written once everything has converged.
const quietFor = 2 * time.Minute

// TestQuietOnceConverged leaves Rollouts of several strategies at rest, one of them aborted, and counts in the audit log
// what the controller asks of the API server. Its lease and its watches are how it stays alive and are not counted. On the
// way there, each change of a route's weights is one write.
func TestQuietOnceConverged(t *testing.T) {
	routed := newEnv(t, "quiet-canary")
	routed.install(canary(pausing(time.Second)))
	ratio := newEnv(t, "quiet-ratio")
	ratio.install(v1alpha1.Strategy{RollingUpdate: &v1alpha1.RollingUpdateStrategy{}}, withoutRoutes)
	gone := newEnv(t, "quiet-aborted")
	gone.install(canary(untilPromoted(25)))

	log := openAudit(t, routed.auditLog)
	for _, e := range []*env{routed, ratio, gone} {
		e.release(good(v2))
	}
	gone.await("v2 waits for a person", atGates(0))
	gone.says(0, nil, "abort", "web")
	gone.await("v2 is aborted", aborted)
	for _, e := range []*env{routed, ratio} {
		e.await("v2 is promoted", healthy)
	}
	for _, e := range []*env{routed, ratio, gone} {
		e.onlyStable()
	}

	eventually(t, "the controller has been quiet for 10 seconds", func(context.Context) (bool, string) {
		log.read(t)
		return log.now.Sub(log.lastCall) > 10*time.Second, log.last
	})
	wantWrites := map[string]int{
		routed.Namespace: 3, // 50 %, 100 %, and 0 % when the active Service selects v2
		gone.Namespace:   2, // 25 %, and 0 % on the way back
	}
	if diff := cmp.Diff(wantWrites, log.routeWrites); diff != "" {
		t.Errorf("writes of routes by namespace (-want +got):\n%s", diff)
	}
	from, before := log.now, log.calls
	eventually(t, "two minutes of the audit log", func(context.Context) (bool, string) {
		log.read(t)
		return log.now.Sub(from) >= quietFor, fmt.Sprintf("%s of it", log.now.Sub(from))
	})
	if log.calls != before {
		t.Errorf("the controller called the API server %d times in %s after everything had converged; the last was %s",
			log.calls-before, quietFor, log.last)
	}
}
