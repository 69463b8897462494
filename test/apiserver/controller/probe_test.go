//go:build apiserver

package controller_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/apiserver/env"
	"github.com/sluice-dev/sluice/test/apiserver/live"
)

// gate is a gateway that answers in the names of two revisions, and may be slow to hear of a share.
type gate struct {
	slow atomic.Bool
	n    atomic.Int64
	// revisions are the hashes of the candidate and of stable.
	revisions atomic.Pointer[[2]string]
}

// ServeHTTP answers every fifth request for the candidate.
func (g *gate) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	revisions := g.revisions.Load()
	if revisions == nil {
		return
	}
	candidate := g.n.Add(1)%5 == 0 && !g.slow.Load()
	of := revisions[1]
	if candidate {
		of = revisions[0]
	}
	w.Header().Set("X-Pod", "web-"+of+"-x2x4z")
}

// TestAProbeConfirmsTheShare holds gates of a release back, with the controllers as they are started and requests on the wire, until
// the gateway serves by the weight that it has accepted.
func TestAProbeConfirmsTheShare(t *testing.T) {
	e := env.Start(t)
	behind := &gate{}
	behind.slow.Store(true)
	server := httptest.NewServer(behind)
	t.Cleanup(server.Close)
	at, ok := server.Listener.Addr().(*net.TCPAddr)
	if !ok {
		t.Fatalf("the gateway listens at %s", server.Listener.Addr())
	}
	gateway := &gatewayv1.Gateway{Spec: gatewayv1.GatewaySpec{
		GatewayClassName: "example",
		Listeners:        []gatewayv1.Listener{{Name: "http", Protocol: gatewayv1.HTTPProtocolType, Port: gatewayv1.PortNumber(at.Port)}},
	}}
	gateway.Name = string(live.Route().Spec.ParentRefs[0].Name)
	rollout := routed().With(func(r *v1alpha1.Rollout) { r.Spec.Traffic.Probe = &v1alpha1.TrafficProbe{RevisionHeader: "X-Pod"} })
	w := &world{live.New(t, e, live.Service(), live.Route(), gateway)}
	before := gateway.DeepCopy()
	gateway.Status.Addresses = []gatewayv1.GatewayStatusAddress{{Value: at.IP.String()}}
	if err := w.Client.Status().Patch(t.Context(), gateway, client.MergeFrom(before)); err != nil {
		t.Fatal(err)
	}
	w.Make(rollout.Obj())
	w.StartPlane()
	w.StartControllers()
	w.Reaches("healthy", live.Healthy)
	w.Release(live.ImageV2)
	state := w.Reaches("the candidate is known", func(s *v1alpha1.RolloutStatus) bool {
		return s.State.Stage == v1alpha1.StageStepping
	}).State
	behind.revisions.Store(&[2]string{state.Candidate, state.Stable})
	w.Reaches("the share is not confirmed", func(s *v1alpha1.RolloutStatus) bool {
		return strings.Contains(s.Message, "probe: 0 of 200 answers came from the candidate, and 20% is 22 to 59") && s.State.GatesAt.IsZero()
	})
	behind.slow.Store(false)
	w.Reaches("the gates begin", func(s *v1alpha1.RolloutStatus) bool { return !s.State.GatesAt.IsZero() && s.Weight == "20" })
}
