//go:build apiserver

package controller_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/apiserver/live"
	"github.com/sluice-dev/sluice/test/builder"
)

// template is what a Rollout makes the route web of, with hosts.
func template(hosts ...gatewayv1.Hostname) v1alpha1.RouteTemplate {
	route := builder.HTTPRoute("web", "gateway").Rule("/", "web").Rule("/docs", "docs").Obj()
	route.Spec.Hostnames = hosts
	route.Spec.Rules[0].Timeouts = &gatewayv1.HTTPRouteTimeouts{Request: new(gatewayv1.Duration)}
	*route.Spec.Rules[0].Timeouts.Request = "10s"
	spec, err := json.Marshal(route.Spec)
	if err != nil {
		panic(err)
	}
	out := v1alpha1.RouteTemplate{Kind: v1alpha1.RouteKindHTTP, Name: "web"}
	out.Metadata.Labels = map[string]string{"team": "shop"}
	out.Spec.Raw = spec
	return out
}

// templated is a canary with a route of that template.
func templated(hosts ...gatewayv1.Hostname) *builder.RolloutBuilder {
	return routed().Templates(template(hosts...))
}

// plainRoute is the route as a user would write it.
func plainRoute(hosts ...gatewayv1.Hostname) *gatewayv1.HTTPRoute {
	t := template(hosts...)
	out := &gatewayv1.HTTPRoute{ObjectMeta: metav1.ObjectMeta{Name: t.Name, Labels: t.Metadata.Labels}}
	if err := json.Unmarshal(t.Spec.Raw, &out.Spec); err != nil {
		panic(err)
	}
	return out
}

func (w *world) httpRoute() *gatewayv1.HTTPRoute {
	w.T.Helper()
	out := &gatewayv1.HTTPRoute{}
	w.Get("web", out)
	return out
}

// routeWrites are the writes of routes after the first n requests.
func (w *world) routeWrites(n int) []string {
	w.T.Helper()
	return slices.DeleteFunc(w.Log.Since(n), func(line string) bool {
		return strings.HasPrefix(line, "GET ") || !strings.Contains(line, "/httproutes")
	})
}

// wantPlain compares the route with one that a user has written, as the API server has made it.
func (w *world) wantPlain(when string, hosts ...gatewayv1.Hostname) {
	w.T.Helper()
	plain := plainRoute(hosts...)
	plain.Name = "plain"
	plain.Namespace = w.Namespace
	if err := w.Client.Create(w.T.Context(), plain); err != nil {
		w.T.Fatal(err)
	}
	defer w.Remove(plain)
	if diff := cmp.Diff(plain.Spec, w.httpRoute().Spec); diff != "" {
		w.T.Errorf("%s: spec of the route (-of a user +got):\n%s", when, diff)
	}
}

// traffic changes what the Rollout says of routes.
func (w *world) traffic(t *v1alpha1.GatewayAPITraffic) {
	w.T.Helper()
	w.Edit(func(r *v1alpha1.Rollout) { r.Spec.Traffic.GatewayAPI = t })
}

// settles waits until the route is as it is wanted, and then until nothing is written any more.
func (w *world) settles(what string, is func(*gatewayv1.HTTPRoute) bool) {
	w.T.Helper()
	w.Eventually(what, func() (bool, string) {
		route := w.httpRoute()
		text, _ := json.Marshal(route.Spec)
		return is(route), string(text)
	})
	w.calm()
}

// TestARouteOfATemplate makes one, lets its template change in the middle of a release, and holds that each change is one write,
// and that nothing is written when nothing changes, whatever the API server has filled in.
func TestARouteOfATemplate(t *testing.T) {
	w := start(t, live.Service(), templated().Obj())
	w.Reaches("healthy", live.Healthy)
	w.calm()
	if diff := cmp.Diff([]string{"POST /apis/gateway.networking.k8s.io/v1/namespaces/" + w.Namespace + "/httproutes"}, w.routeWrites(0)); diff != "" {
		t.Errorf("writes for a new route (-want +got):\n%s", diff)
	}
	if owner := metav1.GetControllerOf(w.httpRoute()); owner == nil || owner.UID != w.Rollout().UID {
		t.Errorf("its owner is %v", owner)
	}
	w.wantPlain("at rest")

	w.Release(live.ImageV2)
	w.Reaches("the first step", live.Awaiting)
	n := w.Log.Count()
	w.traffic(templated("shop.example.com").Obj().Spec.Traffic.GatewayAPI)
	w.settles("the host", func(r *gatewayv1.HTTPRoute) bool { return len(r.Spec.Hostnames) == 1 })
	if writes := w.routeWrites(n); w.Weight() != 20 || len(writes) != 1 || len(w.Told(v1alpha1.ReasonTrafficReverted)) > 0 {
		t.Errorf("a template that changes: weight %d, written by %v, told %v", w.Weight(), writes, w.Told(v1alpha1.ReasonTrafficReverted))
	}
	w.Reaches("the first step again", live.Awaiting)
	unlabelled := templated("shop.example.com").Obj().Spec.Traffic.GatewayAPI
	unlabelled.Templates[0].Metadata.Labels = nil
	w.traffic(unlabelled)
	w.settles("no label", func(r *gatewayv1.HTTPRoute) bool { return len(r.Labels) == 0 })

	w.Stop()
	n = w.Log.Count()
	w.StartControllers()
	w.calm()
	if writes := w.routeWrites(n); len(writes) > 0 {
		t.Errorf("a start writes %v", writes)
	}
	w.Command(v1alpha1.ActionPromoteFull)
	w.Reaches("promoted", live.Promoted)
	w.wantPlain("promoted", "shop.example.com")
}

// TestARouteIsTakenOverAndGivenUp takes over a user's route in mid-release and gives it back, with the share that it has, in one write
// each, and without a moment in which it is not there.
func TestARouteIsTakenOverAndGivenUp(t *testing.T) {
	w := start(t, live.Service(), plainRoute(), routed().Obj())
	w.Reaches("healthy", live.Healthy)
	w.Release(live.ImageV2)
	w.Reaches("the first step", live.Awaiting)
	uid, n := w.httpRoute().UID, w.Log.Count()
	w.traffic(templated("shop.example.com").Obj().Spec.Traffic.GatewayAPI)
	w.settles("taken over", func(r *gatewayv1.HTTPRoute) bool { return metav1.GetControllerOf(r) != nil })
	if writes := w.routeWrites(n); len(writes) != 1 || w.Weight() != 20 || len(w.httpRoute().Spec.Hostnames) != 1 {
		t.Errorf("taken over by %v: weight %d, hosts %v", writes, w.Weight(), w.httpRoute().Spec.Hostnames)
	}
	w.Reaches("the first step again", live.Awaiting)
	n = w.Log.Count()
	w.traffic(routed().Obj().Spec.Traffic.GatewayAPI)
	w.settles("given up", func(r *gatewayv1.HTTPRoute) bool { return len(r.OwnerReferences) == 0 })
	if writes := w.routeWrites(n); len(writes) != 1 || w.Weight() != 20 {
		t.Errorf("given up by %v: weight %d", writes, w.Weight())
	}
	if told := w.Told(v1alpha1.ReasonTrafficReverted); len(told) > 0 {
		t.Errorf("it is taken for a contest: %v", told)
	}
	w.Command(v1alpha1.ActionAbort)
	w.Reaches("aborted", live.Aborted)
	w.wantPlain("after the abort", "shop.example.com")
	if w.httpRoute().UID != uid {
		t.Error("the route was made again")
	}
}

// TestATemplateIsTakenOut: the route stays, with all requests on the active Service, and is nobody's.
func TestATemplateIsTakenOut(t *testing.T) {
	other := builder.HTTPRoute("other", "gateway").Rule("/other", "web").Obj()
	w := start(t, live.Service(), other, templated().Obj())
	w.Reaches("healthy", live.Healthy)
	w.Release(live.ImageV2)
	w.Reaches("the first step", live.Awaiting)
	w.traffic(&v1alpha1.GatewayAPITraffic{Routes: []v1alpha1.RouteReference{{Kind: v1alpha1.RouteKindHTTP, Name: "other"}}})
	w.settles("given up", func(r *gatewayv1.HTTPRoute) bool { return len(r.OwnerReferences) == 0 })
	w.wantPlain("given up")
	if told := strings.Join(w.Told(v1alpha1.ReasonRouteReleased), "\n"); !strings.Contains(told, "HTTPRoute "+w.Namespace+"/web has no template any more") {
		t.Errorf("told: %s", told)
	}
}

// TestSomebodyChangesAMadeRoute: a field that no release is about is put back, and contested as a weight is.
func TestSomebodyChangesAMadeRoute(t *testing.T) {
	w := start(t, live.Service(), templated().Obj())
	w.Reaches("healthy", live.Healthy)
	w.Release(live.ImageV2)
	w.Reaches("the first step", live.Awaiting)
	meddle := func(host gatewayv1.Hostname) {
		t.Helper()
		route := w.httpRoute()
		changed := route.DeepCopy()
		changed.Spec.Hostnames = []gatewayv1.Hostname{host}
		if err := w.Client.Patch(t.Context(), changed, client.MergeFrom(route), client.FieldOwner("meddler")); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 5 {
		meddle("meddled.example.com")
		w.Eventually("put back", func() (bool, string) {
			status := w.Rollout().Status.State
			back := len(w.httpRoute().Spec.Hostnames) == 0
			return back && status.Contest != nil && !status.Contest.Pending && int(status.Contest.Count) == i+1, w.Rollout().Status.Message
		})
	}
	if told := strings.Join(w.Told(v1alpha1.ReasonTrafficReverted), "\n"); !strings.Contains(told, "what its template says beside the weight 20% was changed by meddler") {
		t.Errorf("told: %s", told)
	}
	meddle("meddled.example.com")
	w.Reaches("contested", func(s *v1alpha1.RolloutStatus) bool { return live.Reason(s) == v1alpha1.ReasonTrafficContested })
	if hosts := w.httpRoute().Spec.Hostnames; len(hosts) != 1 {
		t.Errorf("it is put back once more: %v", hosts)
	}
	w.Command(v1alpha1.ActionAbort)
	w.Reaches("aborted", live.Aborted)
	w.settles("put right after the abort", func(r *gatewayv1.HTTPRoute) bool { return len(r.Spec.Hostnames) == 0 })
	w.wantPlain("after the abort")
}

// TestTheEndOfAMadeRoute: it goes with the pods, and stays with them.
func TestTheEndOfAMadeRoute(t *testing.T) {
	for policy, wantOwned := range map[metav1.DeletionPropagation]bool{
		metav1.DeletePropagationBackground: true, metav1.DeletePropagationOrphan: false,
	} {
		t.Run(string(policy), func(t *testing.T) {
			w := start(t, live.Service(), templated().Obj())
			w.Reaches("healthy", live.Healthy)
			w.Release(live.ImageV2)
			w.Reaches("the first step", live.Awaiting)
			rollout := w.Rollout()
			if err := w.Client.Delete(t.Context(), rollout, client.PropagationPolicy(policy)); err != nil {
				t.Fatal(err)
			}
			w.Eventually("the end of the Rollout", func() (bool, string) {
				left := &v1alpha1.Rollout{}
				err := w.Client.Get(t.Context(), client.ObjectKeyFromObject(rollout), left)
				return apierrors.IsNotFound(err), left.Status.Message
			})
			w.wantPlain("at the end")
			if owned := metav1.IsControlledBy(w.httpRoute(), rollout); owned != wantOwned {
				t.Errorf("the route is the Rollout's own: %v, want %v", owned, wantOwned)
			}
		})
	}
}

// TestATemplateThatTheServerRefuses is told of, and does not keep an abort from the route that there is.
func TestATemplateThatTheServerRefuses(t *testing.T) {
	w := start(t, live.Service(), templated().Obj())
	w.Reaches("healthy", live.Healthy)
	w.Release(live.ImageV2)
	w.Reaches("the first step", live.Awaiting)
	w.traffic(templated("no host").Obj().Spec.Traffic.GatewayAPI)
	status := w.Reaches("refused", func(s *v1alpha1.RolloutStatus) bool { return live.Reason(s) == v1alpha1.ReasonWriteRefused })
	if !strings.Contains(status.Message, "spec.hostnames[0]") {
		t.Errorf("it says %s", status.Message)
	}
	began := time.Now()
	w.Command(v1alpha1.ActionAbort)
	w.settles("no weight", func(r *gatewayv1.HTTPRoute) bool { return live.WeightOf(r) == 0 })
	w.traffic(templated("host.example.com").Obj().Spec.Traffic.GatewayAPI)
	w.settles("the mended template", func(r *gatewayv1.HTTPRoute) bool { return len(r.Spec.Hostnames) == 1 })
	t.Logf("mended after %s", time.Since(began))
	w.wantPlain("mended", "host.example.com")
}
