//go:build apiserver

package gitops_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/apiserver/env"
	"github.com/sluice-dev/sluice/test/apiserver/live"
	"github.com/sluice-dev/sluice/test/builder"
)

// rolloutOf is the Rollout as it stands in version control.
func rolloutOf(t *testing.T, image string, traffic v1alpha1.GatewayAPITraffic) *unstructured.Unstructured {
	t.Helper()
	rollout := builder.Rollout("web").Image(image).Replicas(2).Services("web").
		Canary(builder.Step().Weight("20").Hold(), builder.Step().Weight("50")).With(func(r *v1alpha1.Rollout) {
		r.Spec.Strategy.Canary.ScaleDownDelay = &metav1.Duration{Duration: time.Second}
		r.Spec.Traffic = &v1alpha1.Traffic{GatewayAPI: &traffic}
	}).Obj()
	text, err := json.Marshal(rollout)
	if err != nil {
		t.Fatal(err)
	}
	out := &unstructured.Unstructured{}
	if err := out.UnmarshalJSON(text); err != nil {
		t.Fatal(err)
	}
	out.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind(v1alpha1.RolloutKind))
	unstructured.RemoveNestedField(out.Object, "status")
	unstructured.RemoveNestedField(out.Object, "metadata", "creationTimestamp")
	return out
}

// inTemplates are the rules of the route as a template, with hosts.
func inTemplates(t *testing.T, hosts ...any) v1alpha1.GatewayAPITraffic {
	t.Helper()
	spec, _ := parse(t, route).Object["spec"].(map[string]any)
	if len(hosts) > 0 {
		spec["hostnames"] = hosts
	}
	out := v1alpha1.RouteTemplate{Kind: v1alpha1.RouteKindHTTP, Name: "web"}
	raw, err := json.Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	out.Spec.Raw = raw
	return v1alpha1.GatewayAPITraffic{Templates: []v1alpha1.RouteTemplate{out}}
}

// moving is how a tool lets go of the route.
type moving struct {
	made func(*live.World) tool
	// keep is the annotation, and service changes what stands of the active Service as the recipe of the tool says.
	keep, value string
	service     func(*unstructured.Unstructured)
}

func movings(t *testing.T) map[string]moving {
	t.Helper()
	none := func(*unstructured.Unstructured) {}
	const argo = "argocd.argoproj.io/sync-options"
	return map[string]moving{
		"Argo CD, on the client's side": {
			func(w *live.World) tool { return argoOf(t, w, false, recipe(t, "Argo CD")).look }, argo, "Prune=false", none,
		},
		"Argo CD, on the server": {
			func(w *live.World) tool { return argoOf(t, w, true, recipe(t, "Argo CD")).look }, argo, "Prune=false", none,
		},
		"Flux": {
			func(w *live.World) tool {
				return func(t *testing.T, wanted []*unstructured.Unstructured) {
					t.Helper()
					flux(t, w, wanted)
				}
			}, "kustomize.toolkit.fluxcd.io/prune", "disabled",
			func(service *unstructured.Unstructured) {
				service.SetAnnotations(map[string]string{ssa: "IfNotPresent"})
			},
		},
		"Helm": {helmOf(t), "helm.sh/resource-policy", "keep", none},
	}
}

// TestARouteMovesIntoTheRollout follows the page from a route in version control to its template in the Rollout, in the middle of a
// release, and holds that nothing is reverted from then on and that what is committed arrives at once.
func TestARouteMovesIntoTheRollout(t *testing.T) {
	page, err := os.ReadFile("../../../docs/gitops.md")
	if err != nil {
		t.Fatal(err)
	}
	named := v1alpha1.GatewayAPITraffic{Routes: []v1alpha1.RouteReference{{Kind: v1alpha1.RouteKindHTTP, Name: "web"}}}
	for name, m := range movings(t) {
		t.Run(name, func(t *testing.T) {
			if text := strings.ReplaceAll(string(page), "=", ": "); !strings.Contains(text, m.keep+": "+strings.ReplaceAll(m.value, "=", ": ")) {
				t.Errorf("the page does not say %s: %s", m.keep, m.value)
			}
			w := live.New(t, env.Start(t))
			bring := m.made(w)
			commit := func(rollout *unstructured.Unstructured, routes ...*unstructured.Unstructured) {
				t.Helper()
				active := parse(t, service)
				m.service(active)
				bring(t, append([]*unstructured.Unstructured{active, rollout}, routes...))
			}
			kept := parse(t, route)
			kept.SetAnnotations(map[string]string{m.keep: m.value})
			commit(rolloutOf(t, live.ImageV1, named), kept)
			w.StartPlane()
			w.StartControllers()
			w.Reaches("healthy", live.Healthy)
			there := &gatewayv1.HTTPRoute{}
			if w.Get("web", there); there.Annotations[m.keep] != m.value {
				t.Fatalf("the tool would delete the route: %v", there.Annotations)
			}
			commit(rolloutOf(t, live.ImageV2, named), kept)
			w.Reaches("the first step", live.Awaiting)

			commit(rolloutOf(t, live.ImageV2, inTemplates(t)))
			w.Reaches("the first step, with a route of its own", func(s *v1alpha1.RolloutStatus) bool {
				w.Get("web", there)
				return live.Awaiting(s) && metav1.GetControllerOf(there) != nil
			})
			for range 3 {
				commit(rolloutOf(t, live.ImageV2, inTemplates(t, "shop.example.com")))
			}
			w.Reaches("what was committed, at the step", func(s *v1alpha1.RolloutStatus) bool {
				w.Get("web", there)
				return live.Awaiting(s) && len(there.Spec.Hostnames) == 1
			})
			if weight := w.Weight(); weight != 20 {
				t.Errorf("weight %d, want that of the step", weight)
			}
			w.Command(v1alpha1.ActionPromote)
			w.Eventually("the promotion", func() (bool, string) {
				commit(rolloutOf(t, live.ImageV2, inTemplates(t, "shop.example.com")))
				status := w.Rollout().Status
				return live.Promoted(&status), status.Message
			})
			if told := append(w.Told(v1alpha1.ReasonTrafficReverted), w.Told(v1alpha1.ReasonTrafficContested)...); len(told) > 0 {
				t.Errorf("it was reverted: %q", told)
			}
		})
	}
}
