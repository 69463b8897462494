//go:build apiserver

package controller_test

import (
	"encoding/json"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/apiserver/env"
	"github.com/sluice-dev/sluice/test/apiserver/live"
	"github.com/sluice-dev/sluice/test/builder"
)

// bytesOf is the route as JSON, apart from what every write changes: its version, its generation, its owners by field, and
// what the gateway says of it.
func bytesOf(w *world, kind schema.GroupVersionKind) string {
	w.T.Helper()
	route := &unstructured.Unstructured{}
	route.SetGroupVersionKind(kind)
	w.Get("web", route)
	route.SetResourceVersion("")
	route.SetGeneration(0)
	route.SetManagedFields(nil)
	delete(route.Object, "status")
	out, err := json.Marshal(route.Object)
	if err != nil {
		w.T.Fatal(err)
	}
	return string(out)
}

// TestARouteIsWhatItWas holds that a deleted Rollout leaves the bytes that there were before it came, from wherever it is in
// a release, for routes as people write them.
func TestARouteIsWhatItWas(t *testing.T) {
	kind := builder.RouteKind(v1alpha1.RouteKindHTTP)
	backends := map[string][]any{
		"no weight": {map[string]any{"name": "web", "port": int64(80)}},
		"a weight beside another": {
			map[string]any{"name": "old", "port": int64(80), "weight": int64(3)}, map[string]any{"name": "web", "port": int64(80), "weight": int64(9)},
		},
		"a standby without traffic": {
			map[string]any{"name": "web", "port": int64(80), "weight": int64(100)},
			map[string]any{"name": "web-standby", "port": int64(80), "weight": int64(0)},
		},
	}
	moments := map[string]func(*world){
		"at rest": func(*world) {},
		"at a step": func(w *world) {
			w.Release(live.ImageV2)
			w.Reaches("the first step", live.Awaiting)
		},
		"after an abort": func(w *world) {
			w.Release(live.ImageV2)
			w.Reaches("the first step", live.Awaiting)
			w.Command(v1alpha1.ActionAbort)
			w.Reaches("aborted", live.Aborted)
		},
		"after a promotion": func(w *world) {
			w.Release(live.ImageV2)
			w.Reaches("the first step", live.Awaiting)
			w.Command(v1alpha1.ActionPromoteFull)
			w.Reaches("promoted", live.Promoted)
		},
	}
	for what, refs := range backends {
		for when, moment := range moments {
			t.Run(what+", "+when, func(t *testing.T) {
				route := routeOfKind(kind)
				route.Object["spec"].(map[string]any)["rules"].([]any)[0].(map[string]any)["backendRefs"] = refs
				w := &world{live.New(t, env.Start(t), live.Service(), route)}
				before := bytesOf(w, kind)
				w.Make(routed().Obj())
				w.StartPlane()
				w.StartControllers()
				w.Reaches("healthy", live.Healthy)
				moment(w)
				w.Remove(&v1alpha1.Rollout{ObjectMeta: w.Rollout().ObjectMeta})
				w.Eventually("the end of the Rollout", func() (bool, string) {
					left := &v1alpha1.Rollout{}
					err := w.Client.Get(t.Context(), client.ObjectKey{Namespace: w.Namespace, Name: "web"}, left)
					return apierrors.IsNotFound(err), left.Status.Message
				})
				if after := bytesOf(w, kind); after != before {
					t.Errorf("the route was\n%s\nand is\n%s", before, after)
				}
			})
		}
	}
}
