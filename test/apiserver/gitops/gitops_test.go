//go:build apiserver

package gitops_test

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/apiserver/env"
	"github.com/sluice-dev/sluice/test/apiserver/live"
	"github.com/sluice-dev/sluice/test/builder"
)

// tool brings manifests to the API server: one sync, one interval, one upgrade.
type tool func(t *testing.T, wanted []*unstructured.Unstructured)

// started is a world whose Service and route a tool has made, at rest after the first release.
func started(t *testing.T, made func(*live.World) tool) (*live.World, tool) {
	t.Helper()
	w := live.New(t, env.Start(t))
	bring := made(w)
	bring(t, manifests(t))
	w.Make(builder.Rollout("web").Image(live.ImageV1).Replicas(2).Services("web").Routes("web").
		Canary(builder.Step().Weight("20").Hold(), builder.Step().Weight("50")).With(func(r *v1alpha1.Rollout) {
		r.Spec.Strategy.Canary.ScaleDownDelay = &metav1.Duration{Duration: time.Second}
	}).Obj())
	w.StartPlane()
	w.StartControllers()
	w.Reaches("healthy", live.Healthy)
	return w, bring
}

// recipes are the tools as docs/gitops.md sets them up.
func recipes(t *testing.T) map[string]func(*live.World) tool {
	t.Helper()
	return map[string]func(*live.World) tool{
		"Argo CD, on the client's side": func(w *live.World) tool { return argoOf(t, w, false, recipe(t, "Argo CD")).look },
		"Argo CD, on the server":        func(w *live.World) tool { return argoOf(t, w, true, recipe(t, "Argo CD")).look },
		"Helm":                          helmOf(t),
	}
}

// helmOf is Helm as the page has it.
func helmOf(t *testing.T) func(*live.World) tool {
	t.Helper()
	if !strings.Contains(recipe(t, "Helm"), "--server-side=false") {
		t.Fatal("the recipe is not on the client's side")
	}
	return func(w *live.World) tool { return (&helm{w: w}).upgrade }
}

// TestRecipes holds that with its recipe a tool reverts nothing, from the first release to the end of a promotion, and that
// what is committed in the middle of the release arrives.
func TestRecipes(t *testing.T) {
	for name, made := range recipes(t) {
		t.Run(name, func(t *testing.T) {
			w, bring := started(t, made)
			bring(t, manifests(t))
			w.Release(live.ImageV2)
			w.Reaches("the first step", live.Awaiting)
			bring(t, manifests(t))
			bring(t, manifests(t, hostname, label))
			route, service := &gatewayv1.HTTPRoute{}, &corev1.Service{}
			w.Get("web", route)
			w.Get("web", service)
			if len(route.Spec.Hostnames) != 1 || service.Labels["team"] != "shop" || live.WeightOf(route) != 20 {
				t.Errorf("hostnames %v, labels %v, weight %d: want what was committed, and the weight of the step",
					route.Spec.Hostnames, service.Labels, live.WeightOf(route))
			}
			w.Command(v1alpha1.ActionPromote)
			w.Eventually("the promotion", func() (bool, string) {
				bring(t, manifests(t, hostname, label))
				status := w.Rollout().Status
				return live.Promoted(&status), status.Message
			})
			bring(t, manifests(t, hostname, label))
			if told := append(w.Told(v1alpha1.ReasonTrafficReverted), w.Told(v1alpha1.ReasonTrafficContested)...); len(told) > 0 {
				t.Errorf("it was reverted: %q", told)
			}
		})
	}
}

// TestFlux holds the recipe of Flux, and its price: what is committed waits until the annotation is taken off at rest.
func TestFlux(t *testing.T) {
	annotated := func(service, route *unstructured.Unstructured) {
		text := parse(t, recipe(t, "Flux"))
		service.SetAnnotations(text.GetAnnotations())
		route.SetAnnotations(text.GetAnnotations())
	}
	w, _ := started(t, func(w *live.World) tool {
		return func(t *testing.T, _ []*unstructured.Unstructured) {
			t.Helper()
			flux(t, w, manifests(t, annotated))
		}
	})
	w.Release(live.ImageV2)
	w.Reaches("the first step", live.Awaiting)
	flux(t, w, manifests(t, annotated, hostname))
	if w.Weight() != 20 {
		t.Errorf("weight %d, want that of the step", w.Weight())
	}
	w.Command(v1alpha1.ActionPromote)
	w.Eventually("the promotion", func() (bool, string) {
		flux(t, w, manifests(t, annotated, hostname))
		status := w.Rollout().Status
		return live.Promoted(&status), status.Message
	})
	route := &gatewayv1.HTTPRoute{}
	if w.Get("web", route); len(route.Spec.Hostnames) != 0 {
		t.Errorf("hostnames %v: the page says that they wait", route.Spec.Hostnames)
	}
	flux(t, w, manifests(t, hostname))
	if w.Get("web", route); len(route.Spec.Hostnames) != 1 {
		t.Error("what was committed without the annotation has not arrived")
	}
	w.Reaches("rest", func(s *v1alpha1.RolloutStatus) bool { return live.Healthy(s) && w.Selected("web") == s.StableRevision })
	if told := append(w.Told(v1alpha1.ReasonTrafficReverted), w.Told(v1alpha1.ReasonTrafficContested)...); len(told) > 0 {
		t.Errorf("it was reverted: %q", told)
	}
}

// TestWithoutARecipe holds that a tool which is not told to look away is named.
func TestWithoutARecipe(t *testing.T) {
	for name, row := range map[string]struct {
		made    func(*live.World) tool
		manager string
	}{
		"Argo CD, on the client's side": {func(w *live.World) tool { return argoOf(t, w, false, "").look }, argoManager},
		"Argo CD, on the server":        {func(w *live.World) tool { return argoOf(t, w, true, "").look }, argoManager},
		"Flux": {func(w *live.World) tool {
			return func(t *testing.T, wanted []*unstructured.Unstructured) {
				t.Helper()
				flux(t, w, wanted)
			}
		}, fluxManager},
		"Helm 4 with --force-conflicts": {func(w *live.World) tool {
			return func(t *testing.T, wanted []*unstructured.Unstructured) {
				t.Helper()
				for _, target := range wanted {
					applier{w: w, manager: helmManager, force: true}.apply(t, target)
				}
			}
		}, helmManager},
	} {
		t.Run(name, func(t *testing.T) {
			w, bring := started(t, row.made)
			w.Release(live.ImageV2)
			w.Reaches("the first step", live.Awaiting)
			w.Eventually("the contest", func() (bool, string) {
				bring(t, manifests(t))
				status := w.Rollout().Status
				return live.Reason(&status) == v1alpha1.ReasonTrafficContested, status.Message
			})
			bring(t, manifests(t))
			status := w.Reaches("the hold", func(s *v1alpha1.RolloutStatus) bool { return s.Phase == v1alpha1.PhaseDegraded })
			if !strings.Contains(status.Message, "by "+row.manager+":") {
				t.Errorf("the message does not name %s: %s", row.manager, status.Message)
			}
			if told := w.Told(v1alpha1.ReasonTrafficReverted); len(told) == 0 || !strings.Contains(told[0], "by "+row.manager+";") {
				t.Errorf("the events are %q", told)
			}
			w.Command(v1alpha1.ActionAbort)
			w.Reaches("the abort", live.Aborted)
		})
	}
}

// TestHelmOnTheServer holds that an upgrade which applies on the server is refused in the middle of a release, by name.
func TestHelmOnTheServer(t *testing.T) {
	w, _ := started(t, func(w *live.World) tool {
		return func(t *testing.T, wanted []*unstructured.Unstructured) {
			t.Helper()
			for _, target := range wanted {
				applier{w: w, manager: helmManager}.apply(t, target)
			}
		}
	})
	w.Release(live.ImageV2)
	w.Reaches("the first step", live.Awaiting)
	for _, target := range manifests(t, hostname) {
		_, err := applier{w: w, manager: helmManager}.try(t, target)
		if !apierrors.IsConflict(err) || !strings.Contains(err.Error(), `"sluice`) {
			t.Errorf("%s: %v, want a conflict with sluice", target.GetKind(), err)
		}
	}
	if w.Weight() != 20 {
		t.Errorf("weight %d after an upgrade that was refused", w.Weight())
	}
}
