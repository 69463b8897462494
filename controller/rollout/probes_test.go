package rollout

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/trafficrouting"
	"github.com/sluice-dev/sluice/trafficrouting/probe"
)

// gatewayAt is the Gateway of the route, at an address.
func gatewayAt(address string) client.Object {
	out := &gatewayv1.Gateway{Spec: gatewayv1.GatewaySpec{
		GatewayClassName: "edge",
		Listeners:        []gatewayv1.Listener{{Name: "web", Port: 80, Protocol: gatewayv1.HTTPProtocolType}},
	}}
	out.Name = "gateway"
	if address != "" {
		out.Status.Addresses = []gatewayv1.GatewayStatusAddress{{Value: address}}
	}
	return out
}

// asker answers probes in the place of a gateway, when it is told to.
type asker struct {
	questions []probe.Question
	done      func([]probe.Count)
	begun     int
	ended     int
}

func (a *asker) begin(questions []probe.Question, done func([]probe.Count)) func() {
	a.questions, a.done = questions, done
	a.begun++
	return func() { a.ended++ }
}

// answers lets the candidate have answered so many requests, and stable the rest.
func (a *asker) answers(h *harness, candidate int) {
	h.t.Helper()
	if a.done == nil {
		h.t.Fatalf("no probe was asked: %s", h.rollout().Status.Message)
	}
	n := a.questions[0].Requests
	done := a.done
	a.done = nil
	done([]probe.Count{{Candidate: candidate, Stable: n - candidate}})
	h.settle()
}

// probed is a Rollout with a probe, at rest, and what answers for its gateway.
func probed(t *testing.T, gateway client.Object) (*harness, *asker) {
	t.Helper()
	h := started(t, routed(), append(network(), gateway)...)
	a := &asker{}
	h.probe = a.begin
	h.edit(func(r *v1alpha1.Rollout) { r.Spec.Traffic.Probe = &v1alpha1.TrafficProbe{RevisionHeader: "X-Pod"} })
	h.release(imageV2)
	h.settle()
	return h, a
}

func (h *harness) says(reason, message string) {
	h.t.Helper()
	status := h.rollout().Status
	if got := lastReason(&status); got != reason || !strings.Contains(status.Message, message) {
		h.t.Errorf("says %s: %s; want %s and %q", got, status.Message, reason, message)
	}
}

func TestAProbeComesBeforeTheGates(t *testing.T) {
	h, a := probed(t, gatewayAt("10.0.0.9"))
	h.says(v1alpha1.ReasonConfirmingShare, "step 1/2: weight 20% is in place; a probe of 200 requests is to confirm it")
	state := h.rollout().Status.State
	want := []probe.Question{{
		Probe: v1alpha1.TrafficProbe{RevisionHeader: "X-Pod"}, Requests: 200, Candidate: state.Candidate, Stable: state.Stable,
		Door: trafficrouting.Door{Through: "HTTPRoute shop/web through Gateway shop/gateway, listener web", Address: "10.0.0.9", Port: 80, Path: "/"},
	}}
	if diff := cmp.Diff(want, a.questions); diff != "" {
		t.Errorf("questions (-want +got):\n%s", diff)
	}
	a.answers(h, 0)
	h.says(v1alpha1.ReasonShareNotConfirmed, "step 1/2: probe: 0 of 200 answers came from the candidate, and 20% is 22 to 59 "+
		"(HTTPRoute shop/web through Gateway shop/gateway, listener web, http://10.0.0.9:80/)")
	if a.begun != 2 { // settle lets the pause pass
		t.Errorf("%d probes, want a second", a.begun)
	}
	a.answers(h, 40)
	h.says(v1alpha1.ReasonAwaitingPromotion, "step 1/2")
	h.command(v1alpha1.ActionPromote, state.Candidate, "1")
	h.settle()
	h.says(v1alpha1.ReasonConfirmingShare, "step 2/2: weight 50% is in place")
	if told := strings.Join(h.told(), "\n"); !strings.Contains(told, "Warning ShareNotConfirmed") || !strings.Contains(told, "Normal ShareConfirmed step 1/2: probe: 40 of 200") {
		t.Errorf("told %s", told)
	}
	a.answers(h, 100)
	if got := h.rollout().Status; got.Phase != v1alpha1.PhaseHealthy || a.begun != 3 {
		t.Errorf("%s after %d probes, want Healthy after 3: %s", got.Phase, a.begun, got.Message)
	}
}

// TestAProbeIsAskedAgainAfterAStart holds that nothing but time is lost with a controller.
func TestAProbeIsAskedAgainAfterAStart(t *testing.T) {
	h, a := probed(t, gatewayAt("10.0.0.9"))
	forgotten := a.done
	h.restart()
	h.settle()
	if a.begun != 2 {
		t.Errorf("%d probes, want another one", a.begun)
	}
	forgotten([]probe.Count{{Stable: 200}}) // the process that asked is gone
	h.says(v1alpha1.ReasonConfirmingShare, "step 1/2")
	a.answers(h, 40)
	h.restart()
	h.settle()
	h.says(v1alpha1.ReasonAwaitingPromotion, "step 1/2")
	if a.begun != 2 {
		t.Errorf("%d probes, want none after the gates have begun", a.begun)
	}
}

func TestAProbeEndsWithWhatItIsAbout(t *testing.T) {
	for name, end := range map[string]func(*harness){
		"an abort":         func(h *harness) { h.command(v1alpha1.ActionAbort, h.rollout().Status.State.Candidate, "1") },
		"another template": func(h *harness) { h.release(imageV3) },
		"the end":          func(h *harness) { h.remove(h.rollout()) },
		"a promoted step":  func(h *harness) { h.command(v1alpha1.ActionPromote, h.rollout().Status.State.Candidate, "1") },
		"a probe less":     func(h *harness) { h.edit(func(r *v1alpha1.Rollout) { r.Spec.Traffic.Probe = nil }) },
		"no pause":         func(h *harness) { h.edit(func(r *v1alpha1.Rollout) { r.Spec.Paused = true }) },
	} {
		t.Run(name, func(t *testing.T) {
			h, a := probed(t, gatewayAt("10.0.0.9"))
			late := a.done
			end(h)
			for range 3 {
				if _, err := h.pass(); err != nil {
					t.Fatal(err)
				}
			}
			want := 1
			if name == "no pause" {
				want = 0
			}
			if a.ended != want {
				t.Errorf("ended %d probes, want %d", a.ended, want)
			}
			late([]probe.Count{{Candidate: 40, Stable: 160}})
			if name == "no pause" {
				return
			}
			if got := h.r.probes.last(h.key); got != nil && got.Confirmed {
				t.Error("what was found of other traffic is remembered")
			}
		})
	}
}

// TestWhatStandsInTheWayOfAProbeIsTold holds that a share which cannot be asked for is not confirmed, and is asked for again.
func TestWhatStandsInTheWayOfAProbeIsTold(t *testing.T) {
	h, a := probed(t, gatewayAt(""))
	h.says(v1alpha1.ReasonShareNotConfirmed, "HTTPRoute shop/web: Gateway shop/gateway reports no address in status.addresses")
	if a.begun > 0 {
		t.Error("asked all the same")
	}
	alter(h, "gateway", &gatewayv1.Gateway{}, func(g *gatewayv1.Gateway) {
		g.Status.Addresses = []gatewayv1.GatewayStatusAddress{{Value: "10.0.0.9"}}
	})
	h.elapse(5 * time.Minute)
	a.answers(h, 40)
	h.says(v1alpha1.ReasonAwaitingPromotion, "step 1/2")
}

// TestAskBeside asks a gateway by the way that the controller does.
func TestAskBeside(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X-Pod", "web-v2-x2x4z") }))
	t.Cleanup(server.Close)
	at, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(at.Port())
	if err != nil {
		t.Fatal(err)
	}
	q := probe.Question{
		Probe: v1alpha1.TrafficProbe{RevisionHeader: "X-Pod"}, Requests: 20, Candidate: "v2", Stable: "v1",
		Door: trafficrouting.Door{Address: at.Hostname(), Port: int32(port), Path: "/"},
	}
	found := make(chan []probe.Count, 1)
	AskBeside(t.Context(), probe.NewAsker(probe.Guard{Loopback: true}).Ask)([]probe.Question{q, q}, func(c []probe.Count) { found <- c })
	if diff := cmp.Diff([]probe.Count{{Candidate: 20}, {Candidate: 20}}, <-found); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
	asked, answered := make(chan struct{}), make(chan struct{})
	end := AskBeside(t.Context(), func(ctx context.Context, _ probe.Question) probe.Count {
		close(asked)
		<-ctx.Done()
		close(answered)
		return probe.Count{}
	})([]probe.Question{q}, func([]probe.Count) { t.Error("done after the end") })
	<-asked
	end()
	<-answered
}
