//go:build apiserver

package faults_test

import (
	"testing"
	"time"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/apiserver/env"
	"github.com/sluice-dev/sluice/test/apiserver/live"
	"github.com/sluice-dev/sluice/test/apiserver/proxy"
)

// outage is how long the API server, and then etcd, is away.
const outage = 30 * time.Second

// The API server is killed, and then etcd, while one release is in the middle and another has just been told to abort.
// Both go on when the server is ready again, from where they were.
func TestOutages(t *testing.T) {
	t.Parallel()
	e := env.StartOwn(t)
	going, aborting := world(t, e), world(t, e.Another(t))
	tapes := []*tape{newTape(going), newTape(aborting)}
	p := proxy.Start(t, e.Config)
	going.StartControllersWith(p.Config(), going.Namespace, aborting.Namespace)
	atFirstStep(going)
	atFirstStep(aborting)
	plane := e.ControlPlane

	p.Part() // the controllers cannot have heard of what is asked now
	before := going.Rollout().Status.State
	going.Command(v1alpha1.ActionPromote)
	aborting.Command(v1alpha1.ActionAbort)
	must(t, plane.APIServer.Kill())
	p.Heal()
	for _, h := range tapes {
		h.wind()
	}
	tapes[0].compact() // who comes back with an old version of a list is refused
	elapse(outage)
	must(t, plane.APIServer.Start(t.Context()))
	ready := time.Now()
	retreats(t, aborting, "the API server", ready)
	movesOn(t, going, before, "the API server", ready)
	going.Reaches("the last step", atLastStep)

	aborting.Release(live.ImageV3)
	aborting.Reaches("the first step of v3", live.Awaiting)
	p.Part()
	before = going.Rollout().Status.State
	going.Command(v1alpha1.ActionPromote)
	aborting.Command(v1alpha1.ActionAbort)
	must(t, plane.Etcd.Kill())
	p.Heal()
	elapse(outage)
	must(t, plane.Etcd.Start(t.Context()))
	must(t, plane.APIServer.Wait(t.Context()))
	ready = time.Now()
	retreats(t, aborting, "etcd", ready)
	movesOn(t, going, before, "etcd", ready)
	going.Reaches("promoted", live.Promoted)
	going.SizesAre(map[string]int32{live.ImageV1: 0, live.ImageV2: 5})
	for _, h := range tapes {
		h.wantSafe()
	}
}

// retreats waits until the abort has taken the traffic back and is over.
func retreats(t testing.TB, w *live.World, what string, ready time.Time) {
	t.Helper()
	w.Eventually("no traffic", func() (bool, string) { return w.Weight() == 0, w.Rollout().Status.Message })
	t.Logf("%.1f s after %s was ready the abort had taken the traffic back", time.Since(ready).Seconds(), what)
	w.Reaches("aborted", live.Aborted)
}

// movesOn waits until the release has moved on from where it was before the outage. Afterwards is too late to look where
// that was: a controller may be back before the server is known to be ready, and the release over.
func movesOn(t testing.TB, w *live.World, before v1alpha1.RolloutState, what string, ready time.Time) {
	t.Helper()
	w.Eventually("moving on", func() (bool, string) {
		rollout := w.Rollout()
		return rollout.Status.State.Step != before.Step || rollout.Status.State.Stage != before.Stage, rollout.Status.Message
	})
	t.Logf("%.1f s after %s was ready the other release had moved on", time.Since(ready).Seconds(), what)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
