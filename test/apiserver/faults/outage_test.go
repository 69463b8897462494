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
	resumes(t, "the API server", ready, going, aborting)
	going.Reaches("the last step", atLastStep)

	aborting.Release(live.ImageV3)
	aborting.Reaches("the first step of v3", live.Awaiting)
	p.Part()
	going.Command(v1alpha1.ActionPromote)
	aborting.Command(v1alpha1.ActionAbort)
	must(t, plane.Etcd.Kill())
	p.Heal()
	elapse(outage)
	must(t, plane.Etcd.Start(t.Context()))
	must(t, plane.APIServer.Wait(t.Context()))
	ready = time.Now()
	resumes(t, "etcd", ready, going, aborting)
	going.Reaches("promoted", live.Promoted)
	going.SizesAre(map[string]int32{live.ImageV1: 0, live.ImageV2: 5})
	for _, h := range tapes {
		h.wantSafe()
	}
}

// resumes waits until the abort has taken the traffic back and the other release has moved on.
func resumes(t testing.TB, what string, ready time.Time, going, aborting *live.World) {
	t.Helper()
	before := going.Rollout().Status.State
	aborting.Eventually("no traffic", func() (bool, string) { return aborting.Weight() == 0, aborting.Rollout().Status.Message })
	t.Logf("%.1f s after %s was ready the abort had taken the traffic back", time.Since(ready).Seconds(), what)
	going.Eventually("moving on", func() (bool, string) {
		rollout := going.Rollout()
		return rollout.Status.State.Step != before.Step || rollout.Status.State.Stage != before.Stage, rollout.Status.Message
	})
	t.Logf("%.1f s after %s was ready the other release had moved on", time.Since(ready).Seconds(), what)
	aborting.Reaches("aborted", live.Aborted)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
