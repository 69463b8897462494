package rollout

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/builder"
)

// templated is a canary that makes its route: 20 %, a person, 50 %.
func templated(change ...func(*builder.HTTPRouteBuilder)) *builder.RolloutBuilder {
	route := builder.HTTPRoute("web", "gateway").Rule("/", "web")
	for _, c := range change {
		c(route)
	}
	return routed().Templates(route.Template())
}

// withRule has one more rule.
func withRule(b *builder.HTTPRouteBuilder) { b.Rule("/docs", "docs") }

func service() client.Object { return builder.Service(namespace, "web", "web") }

// httpRoute is the route as it is; nil when there is none.
func (h *harness) httpRoute() *gatewayv1.HTTPRoute {
	h.t.Helper()
	out := &gatewayv1.HTTPRoute{}
	err := h.base.Get(h.t.Context(), client.ObjectKey{Namespace: namespace, Name: "web"}, out)
	switch {
	case apierrors.IsNotFound(err):
		return nil
	case err != nil:
		h.t.Fatal(err)
	}
	return out
}

func (h *harness) wantOwned(when string, want bool) {
	h.t.Helper()
	route := h.httpRoute()
	if route == nil {
		h.t.Fatalf("%s: there is no route", when)
	}
	if got := metav1.IsControlledBy(route, h.rollout()); got != want {
		h.t.Errorf("%s: the route is the Rollout's own: %v, want %v", when, got, want)
	}
}

// wantRules compares the rules of the route with those of a template.
func (h *harness) wantRules(when string, template v1alpha1.RouteTemplate) {
	h.t.Helper()
	want, err := template.SpecFields()
	if err != nil {
		h.t.Fatal(err)
	}
	if diff := cmp.Diff(want, h.specOf()); diff != "" {
		h.t.Errorf("%s: spec of the route (-template +got):\n%s", when, diff)
	}
}

func (h *harness) specOf() map[string]any {
	h.t.Helper()
	out := newLoose(builder.RouteKind(v1alpha1.RouteKindHTTP))
	h.get("web", out)
	return out.Object["spec"].(map[string]any)
}

func routeTemplateOf(b *builder.RolloutBuilder) v1alpha1.RouteTemplate {
	return b.Obj().Spec.Traffic.GatewayAPI.Templates[0]
}

// A route is made once the first revision is there, is the Rollout's own, and has the weight of each step.
func TestARouteIsMade(t *testing.T) {
	h := newHarness(t, templated().Obj(), service())
	h.firstRevision()
	h.settle()
	h.wantHealthy()
	h.wantOwned("at rest", true)
	h.wantRules("at rest", routeTemplateOf(templated()))
	if writes := h.since(h.settle); len(writes) > 0 {
		t.Errorf("at rest it writes %v", writes)
	}
	h.release(imageV2)
	writes := h.since(h.settle)
	if h.weight() != 20 || routeWrites(writes) != 1 {
		t.Errorf("weight %d by %v", h.weight(), writes)
	}
	h.command(v1alpha1.ActionPromoteFull, h.rollout().Status.State.Candidate, "1")
	h.settle()
	h.wantHealthy()
	h.wantRules("once promoted", routeTemplateOf(templated()))
}

// firstRevision goes on until the first revision is stable. No route is there before, and it is not healthy without one.
func (h *harness) firstRevision() {
	h.t.Helper()
	for range 40 {
		h.mustPass()
		status := h.rollout().Status
		stable := status.State.Stage == v1alpha1.StageIdle && status.StableRevision != ""
		if h.httpRoute() != nil && !stable || status.Phase == v1alpha1.PhaseHealthy {
			h.t.Fatalf("there is a route, or it is healthy before one is accepted: %s", status.Message)
		}
		if stable {
			return
		}
		if err := h.plane.Step(h.t.Context()); err != nil {
			h.t.Fatal(err)
		}
	}
	h.t.Fatal("the first revision does not become stable")
}

func routeWrites(writes []string) int {
	n := 0
	for _, w := range writes {
		if strings.HasSuffix(w, "Unstructured/web") {
			n++
		}
	}
	return n
}

// A template that changes in mid-release arrives with the weight that there is, in one write, and so does a way back.
func TestATemplateChangesInMidRelease(t *testing.T) {
	h := started(t, templated(), service())
	h.release(imageV2)
	h.settle()
	h.edit(func(r *v1alpha1.Rollout) { r.Spec.Traffic = templated(withRule).Obj().Spec.Traffic })
	writes := h.since(h.settle)
	if h.weight() != 20 || len(h.httpRoute().Spec.Rules) != 2 || routeWrites(writes) != 1 {
		t.Errorf("weight %d, %d rules, by %v", h.weight(), len(h.httpRoute().Spec.Rules), writes)
	}
	if h.rollout().Status.State.Contest != nil {
		t.Error("it is taken for a contest")
	}
	h.edit(func(r *v1alpha1.Rollout) { r.Spec.Traffic = templated().Obj().Spec.Traffic })
	h.command(v1alpha1.ActionAbort, h.rollout().Status.State.Candidate, "1")
	writes = h.since(h.settle)
	if routeWrites(writes) != 1 {
		t.Errorf("an abort with another template writes %v", writes)
	}
	h.wantRules("after the abort", routeTemplateOf(templated()))
}

// What somebody else changes is put back, also when the weight is right, and a route that is deleted is made again with its weight.
func TestWhatSomebodyChangesOfAMadeRoute(t *testing.T) {
	h := started(t, templated(), service())
	h.release(imageV2)
	h.settle()
	before := h.specOf()
	for when, change := range map[string]func(){
		"another host": func() {
			alter(h, "web", &gatewayv1.HTTPRoute{}, func(r *gatewayv1.HTTPRoute) { r.Spec.Hostnames = []gatewayv1.Hostname{"x.example"} })
		},
		"no rules": func() {
			alter(h, "web", &gatewayv1.HTTPRoute{}, func(r *gatewayv1.HTTPRoute) { r.Spec.Rules = nil })
		},
		"no owner": func() {
			alter(h, "web", &gatewayv1.HTTPRoute{}, func(r *gatewayv1.HTTPRoute) { r.OwnerReferences = nil })
		},
		"no route": func() { h.remove(h.httpRoute()) },
	} {
		change()
		h.settle()
		if diff := cmp.Diff(before, h.specOf()); diff != "" {
			t.Errorf("%s: spec (-want +got):\n%s", when, diff)
		}
		h.wantOwned(when, true)
	}
}

// A route of the user's is taken over as it stands, with the weight of the step in mid-release, and nothing is deleted.
func TestARouteIsTakenOver(t *testing.T) {
	h := started(t, routed(), network()...)
	h.release(imageV2)
	h.settle()
	uid := h.httpRoute().UID
	h.edit(func(r *v1alpha1.Rollout) { r.Spec.Traffic = templated(withRule).Obj().Spec.Traffic })
	writes := h.since(h.settle)
	if h.weight() != 20 || h.httpRoute().UID != uid || routeWrites(writes) != 1 {
		t.Errorf("weight %d, uid %s, by %v", h.weight(), h.httpRoute().UID, writes)
	}
	h.wantOwned("taken over", true)
	if len(h.httpRoute().Spec.Rules) != 2 {
		t.Errorf("it has %d rules", len(h.httpRoute().Spec.Rules))
	}
}

// A route that becomes the user's again, because it is named or because nothing is said of it, stays and is what the template said.
func TestARouteIsGivenUp(t *testing.T) {
	for name, traffic := range map[string]*v1alpha1.GatewayAPITraffic{
		"named":     {Routes: []v1alpha1.RouteReference{{Kind: "HTTPRoute", Name: "web"}}},
		"forgotten": {Routes: []v1alpha1.RouteReference{{Kind: "HTTPRoute", Name: "other"}}},
	} {
		t.Run(name, func(t *testing.T) {
			h := started(t, templated(withRule), service(), labelled("other", "web"))
			h.release(imageV2)
			h.settle()
			uid := h.httpRoute().UID
			h.told()
			h.edit(func(r *v1alpha1.Rollout) { r.Spec.Traffic.GatewayAPI = traffic })
			writes := h.since(h.settle)
			h.wantOwned("given up", false)
			if h.httpRoute().UID != uid || routeWrites(writes) != 1 {
				t.Errorf("it was written by %v", writes)
			}
			if name == "named" && h.weight() != 20 {
				t.Errorf("weight %d, want 20", h.weight())
			}
			if told := strings.Join(h.told(), "\n"); (name == "forgotten") != strings.Contains(told, v1alpha1.ReasonRouteReleased) {
				t.Errorf("told: %s", told)
			}
			h.command(v1alpha1.ActionAbort, h.rollout().Status.State.Candidate, "1")
			h.settle()
			h.wantRules("after an abort", routeTemplateOf(templated(withRule)))
		})
	}
}

// What somebody else controls is left alone, and told of.
func TestARouteOfSomebodyElse(t *testing.T) {
	route := builder.HTTPRoute("web", "gateway").Namespace(namespace).Rule("/", "web").Obj()
	route.OwnerReferences = []metav1.OwnerReference{{APIVersion: "example.com/v1", Kind: "Portal", Name: "shop", UID: "p", Controller: ptr.To(true)}}
	h := newHarness(t, templated(withRule).Obj(), service(), route)
	h.settle()
	h.wantStalled(v1alpha1.ReasonRouteUnusable, []string{"spec.traffic.gatewayAPI.templates[0]", "Portal shop", "another name"})
	if len(h.httpRoute().Spec.Rules) != 1 {
		t.Error("it was written")
	}
}

// Another Rollout may not share what one makes: they would take it from each other for ever.
func TestARouteThatAnotherRolloutMakes(t *testing.T) {
	h := started(t, templated(), service())
	other := h.rollout().DeepCopy()
	h.edit(func(r *v1alpha1.Rollout) {
		r.Spec.Traffic.GatewayAPI = &v1alpha1.GatewayAPITraffic{Routes: []v1alpha1.RouteReference{{Name: "web"}}}
	})
	alter(h, "web", &gatewayv1.HTTPRoute{}, func(r *gatewayv1.HTTPRoute) {
		owner := ownerOf(other)
		owner.Name, owner.UID = "other", "other"
		r.OwnerReferences = []metav1.OwnerReference{owner}
	})
	h.settle()
	h.wantStalled(v1alpha1.ReasonRouteUnusable, []string{"Rollout other"})
}

// A template that cannot be shared is told of before a release, and does not keep an abort from its write.
func TestATemplateThatCannotBeShared(t *testing.T) {
	broken := func(b *builder.HTTPRouteBuilder) { b.Rule("/new", "web", "web-standby") }
	h := newHarness(t, templated(broken).Obj(), service())
	h.settle()
	h.wantStalled(v1alpha1.ReasonRouteUnusable, []string{"spec.traffic.gatewayAPI.templates[0]", "web-standby", "out of spec.rules"})
	if h.httpRoute() != nil {
		t.Error("the route was made")
	}
	h.edit(func(r *v1alpha1.Rollout) { r.Spec.Traffic = templated().Obj().Spec.Traffic })
	h.settle()
	h.release(imageV2)
	h.settle()
	h.edit(func(r *v1alpha1.Rollout) { r.Spec.Traffic = templated(broken).Obj().Spec.Traffic })
	h.settle()
	if h.weight() != 20 {
		t.Errorf("weight %d with a broken template", h.weight())
	}
	h.command(v1alpha1.ActionAbort, h.rollout().Status.State.Candidate, "1")
	h.settle()
	if h.weight() != 0 {
		t.Errorf("weight %d after the abort", h.weight())
	}
}

// A template that the API server refuses does not keep an abort from its write either.
func TestATemplateThatIsRefused(t *testing.T) {
	h := started(t, templated(), service())
	h.release(imageV2)
	h.settle()
	refusing := true
	h.fault = func(_ int, write func() error) error {
		if refusing && strings.HasSuffix(h.writes[len(h.writes)-1], "Unstructured/web") {
			refusing = false
			return apierrors.NewInvalid(schema.GroupKind{Kind: "HTTPRoute"}, "web", nil)
		}
		return write()
	}
	h.edit(func(r *v1alpha1.Rollout) { r.Spec.Traffic = templated(withRule).Obj().Spec.Traffic })
	h.command(v1alpha1.ActionAbort, h.rollout().Status.State.Candidate, "1")
	for range 3 {
		refusing = true // the first write of each pass, which has the template
		h.mustPass()
	}
	if h.weight() != 0 {
		t.Errorf("weight %d after the abort", h.weight())
	}
}

// A made route goes with the pods of its Rollout, and stays where something else serves.
func TestTheEndOfARolloutWithAMadeRoute(t *testing.T) {
	t.Run("with its pods", func(t *testing.T) {
		h := started(t, templated(), service())
		h.release(imageV2)
		h.settle()
		owner := ownerOf(h.rollout())
		h.end()
		if got := metav1.GetControllerOf(h.httpRoute()); !cmp.Equal(got, &owner) { // the garbage collector takes it
			t.Errorf("the owner of the route is %v", got)
		}
	})
	t.Run("beside other pods", func(t *testing.T) {
		h := started(t, templated(withRule), service())
		h.release(imageV2)
		h.settle()
		h.make(&corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: "other", Labels: map[string]string{"app": "web"}},
			Status:     corev1.PodStatus{Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}},
		})
		h.end()
		route := h.httpRoute()
		if route == nil || len(route.OwnerReferences) > 0 {
			t.Fatalf("the route is %v", route)
		}
		h.wantRules("at the end", routeTemplateOf(templated(withRule)))
	})
}
