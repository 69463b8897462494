//go:build e2e

package e2e

import (
	"fmt"
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/demo/workload"
	"github.com/sluice-dev/sluice/test/load/stats"
)

// fullRate is the load of each strategy, in requests per second: half of it through the gateway, half to the address of
// the Service.
const fullRate = 200

// longDrain outlasts what a gateway takes to hear that a pod is ending while a thousand requests a second keep two cores
// busy.
const longDrain = 10 * time.Second

// course is a strategy on its way from v1 to v2 in two stages, at each of which it can be met.
type course struct {
	*env
	name string
	// at says that the release is at the first or the second stage.
	at [2]func(*v1alpha1.Rollout) bool
	// passes says that a person lets the release go on from a stage.
	passes [2]bool
	// silent are the loads that may get no answer of v2 at the first stage.
	silent []string
	// from is the count when the load was answered for the first time, and since when.
	from stats.Tally
}

// TestEveryStrategyUnderLoad takes every strategy that promises to lose no request from v1 to v2, all at once, so that one
// death of the controller meets each of them at a stage:
//
//	v2 at its first stage, controller killed, aborted while nobody acts: all on v1
//	retried, at its second stage, aborted: all on v1
//	retried, at its second stage, controller killed, let go on, controller killed again: all on v2
//
// Recreate is not among them: it ends the old pods before the new ones start, and says so.
func TestEveryStrategyUnderLoad(t *testing.T) {
	all := courses(t)
	for _, c := range all {
		c.loadGateway(fullRate / 2)
		c.loadAddress(fullRate / 2)
	}
	for _, c := range all {
		c.loadAnswered()
		c.from = c.mark()
	}
	began := time.Now()

	for _, c := range all {
		c.release(good(v2))
	}
	each(all, func(c *course) { c.reach(0) })
	each(all, (*course).isSilent)
	back := all[0].killedController()
	each(all, func(c *course) { c.sends("abort", "--wait=false") })
	back()
	each(all, (*course).allOnStable)

	each(all, func(c *course) { c.sends("retry") })
	each(all, func(c *course) { c.reach(0) })
	each(all, func(c *course) { c.pass(0) })
	each(all, func(c *course) { c.reach(1); c.sends("abort") })
	each(all, (*course).allOnStable)

	each(all, func(c *course) { c.sends("retry") })
	each(all, func(c *course) { c.reach(0) })
	each(all, func(c *course) { c.pass(0) })
	each(all, func(c *course) { c.reach(1) })
	all[0].killController()
	each(all, func(c *course) { c.pass(1) })
	all[0].await("the promotion has begun", func(r *v1alpha1.Rollout) bool {
		return r.Status.State.Stage == v1alpha1.StagePromoting
	})
	all[0].killController()
	each(all, (*course).promoted)
	for _, c := range all {
		c.enough(time.Since(began))
	}
}

func each(all []*course, do func(*course)) {
	for _, c := range all {
		c.t.Helper()
		do(c)
	}
}

// courses installs v1 by every strategy. The one whose stages do not wait comes last, so that the others are met at
// theirs when it is.
func courses(t *testing.T) []*course {
	t.Helper()
	waits := [2]func(*v1alpha1.Rollout) bool{atGates(0), atGates(1)}
	byRatio := canary(untilPromoted(25), untilPromoted(50))
	byRatio.Canary.ScaleDownDelay = nil
	byRatio.Canary.MaxUnavailable = ptr.To(intstr.FromInt32(0))
	all := []*course{
		{
			name: "canary by route", at: waits, passes: [2]bool{true, true}, silent: []string{throughService},
			env: newEnv(t, "load-canary-route"),
		},
		{
			name: "canary by ratio", at: waits, passes: [2]bool{true, true},
			env: newEnv(t, "load-canary-ratio"),
		},
		{
			name: "blueGreen by route", at: waits, passes: [2]bool{true, false}, silent: []string{throughGateway, throughService},
			env: newEnv(t, "load-bluegreen-route"),
		},
		{
			name: "blueGreen by selector", at: waits, passes: [2]bool{true, false}, silent: []string{throughGateway, throughService},
			env: newEnv(t, "load-bluegreen-selector"),
		},
		{
			name: "rollingUpdate", at: [2]func(*v1alpha1.Rollout) bool{replaced(1), replaced(3)},
			env: newEnv(t, "load-rolling"),
		},
	}
	for _, c := range all {
		c.Drain = longDrain
	}
	all[0].install(canary(untilPromoted(25), untilPromoted(50)))
	all[1].install(byRatio, withoutRoutes)
	all[2].install(preview())
	all[3].install(preview(), withoutRoutes)
	all[4].install(v1alpha1.Strategy{RollingUpdate: &v1alpha1.RollingUpdateStrategy{
		MaxSurge: ptr.To(intstr.FromInt32(1)), MaxUnavailable: ptr.To(intstr.FromInt32(0)),
	}}, withoutRoutes, func(spec *v1alpha1.RolloutSpec) {
		spec.Replicas = ptr.To[int32](8)
		spec.MinReadySeconds = 2
	})
	return all
}

// preview is a strategy that waits for a person beside stable, and for an analysis with all the traffic.
func preview() v1alpha1.Strategy {
	return v1alpha1.Strategy{BlueGreen: &v1alpha1.BlueGreenStrategy{
		AutoPromote: ptr.To(false), PostPromotionAnalysis: workload.Analysis(),
		ScaleDownDelay: &metav1.Duration{Duration: scaleDownDelay},
	}}
}

// replaced says that a rolling update has come so far, and is not over.
func replaced(pods int32) func(*v1alpha1.Rollout) bool {
	return func(r *v1alpha1.Rollout) bool {
		return r.Status.State.Stage == v1alpha1.StageStepping && r.Status.UpdatedReplicas >= pods
	}
}

// reach waits until the release is at a stage.
func (c *course) reach(stage int) {
	c.t.Helper()
	c.await(fmt.Sprintf("%s: v2 is at stage %d", c.name, stage+1), c.at[stage])
}

// pass lets the release go on from a stage where it waits for a person.
func (c *course) pass(stage int) {
	c.t.Helper()
	if c.passes[stage] {
		c.sends("promote")
	}
}

// sends gives a command that must be taken.
func (c *course) sends(command string, flags ...string) {
	c.t.Helper()
	c.says(0, nil, append([]string{command, workload.Name}, flags...)...)
}

// isSilent holds that v2 has answered nothing where its first stage gives it no traffic.
func (c *course) isSilent() {
	c.t.Helper()
	for load, report := range c.reports() {
		if got := report.Total.Versions[v2].Requests; got > 0 && slices.Contains(c.silent, load) {
			c.t.Errorf("%s: %d requests %s were answered by v2 at its first stage, want none", c.name, got, load)
		}
	}
}

// allOnStable waits for the end of an abort, and holds that v2 answers nothing from then on, and that nothing has failed
// so far.
func (c *course) allOnStable() {
	c.t.Helper()
	c.await(c.name+": v2 is aborted", aborted)
	c.onlyStable()
	c.tells("aborted", v1)
}

// promoted waits for the end of the release, and holds that v1 answers nothing from then on, and that nothing has failed
// so far.
func (c *course) promoted() {
	c.t.Helper()
	rollout := c.await(c.name+": v2 is promoted", healthy)
	c.onlyStable()
	c.tells("promoted", v2)
	var outcomes []v1alpha1.Outcome
	for _, release := range rollout.Status.History[:3] {
		outcomes = append(outcomes, release.Outcome)
	}
	if !slices.Equal(outcomes, []v1alpha1.Outcome{v1alpha1.OutcomePromoted, v1alpha1.OutcomeAborted, v1alpha1.OutcomeAborted}) {
		c.t.Errorf("%s: the releases ended %v, want the third one promoted after two aborts", c.name, outcomes)
	}
}

// tells holds that one version answers everything from now on and that nothing has failed since the beginning, and
// writes down the count.
func (c *course) tells(stage, version string) {
	c.t.Helper()
	counted := c.requests(2 * fullRate)
	if got := counted.Versions[version].Requests; got != counted.All.Requests {
		c.t.Errorf("%s, %s: %d of %d requests were answered by %s, want all: %+v", c.name, stage, got, counted.All.Requests,
			version, counted.Versions)
	}
	sum := c.since(c.from)
	c.t.Logf("%-22s %-9s %6d requests, %5d of v1, %5d of v2, %d failed", c.name, stage, sum.All.Requests,
		sum.Versions[v1].Requests, sum.Versions[v2].Requests, sum.All.Bad())
	if sum.All.Bad() != 0 {
		c.t.Errorf("%s, %s: %d of %d requests failed: %s", c.name, stage, sum.All.Bad(), sum.All.Requests, c.failures())
	}
}

// enough holds that the load was as large as it should be: one that did not run loses nothing.
func (c *course) enough(d time.Duration) {
	c.t.Helper()
	const least = 0.95 // The last answers are still on their way.
	if got := c.since(c.from).All.Requests; float64(got) < least*fullRate*d.Seconds() {
		c.t.Errorf("%s: %d requests in %s, want %d a second", c.name, got, d, fullRate)
	}
}
