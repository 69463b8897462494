//go:build apiserver

package controller_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/apiserver/env"
	"github.com/sluice-dev/sluice/test/apiserver/live"
	"github.com/sluice-dev/sluice/test/builder"
)

// routeOfKind sends everything to the active Service.
func routeOfKind(kind schema.GroupVersionKind) *unstructured.Unstructured {
	spec := map[string]any{
		"parentRefs": []any{map[string]any{"name": "gateway"}},
		"rules":      []any{map[string]any{"backendRefs": []any{map[string]any{"name": "web", "port": int64(80)}}}},
	}
	if kind.Kind == v1alpha1.RouteKindTLS {
		spec["hostnames"] = []any{"web.example.com"}
	}
	out := &unstructured.Unstructured{Object: map[string]any{"spec": spec}}
	out.SetGroupVersionKind(kind)
	out.SetName("web")
	return out
}

// routedBy is a canary with one route of a kind, which waits at 20 %.
func routedBy(kind string) client.Object {
	return routed().With(func(r *v1alpha1.Rollout) { r.Spec.Traffic.GatewayAPI.Routes[0].Kind = kind }).Obj()
}

// weightsOf are the weights of a route by the name of the backend.
func weightsOf(w *world, kind schema.GroupVersionKind) map[string]int64 {
	w.T.Helper()
	route := &unstructured.Unstructured{}
	route.SetGroupVersionKind(kind)
	w.Get("web", route)
	out := map[string]int64{}
	rules, _, _ := unstructured.NestedSlice(route.Object, "spec", "rules")
	for _, rule := range rules {
		for _, item := range rule.(map[string]any)["backendRefs"].([]any) {
			ref := item.(map[string]any)
			out[ref["name"].(string)], _ = ref["weight"].(int64)
		}
	}
	return out
}

// TestCanaryByEachKind takes a release over a route of each kind.
func TestCanaryByEachKind(t *testing.T) {
	for _, name := range v1alpha1.RouteKinds() {
		t.Run(name, func(t *testing.T) {
			kind := builder.RouteKind(name)
			w := &world{live.New(t, env.Start(t), live.Service(), routeOfKind(kind), routedBy(name))}
			w.Plane.Kinds = []schema.GroupVersionKind{kind}
			w.StartPlane()
			w.StartControllers()
			w.Reaches("healthy", live.Healthy)
			w.Release(live.ImageV2)
			w.Reaches("the first step", live.Awaiting)
			if diff := cmp.Diff(map[string]int64{"web": 80, "web-standby": 20}, weightsOf(w, kind)); diff != "" {
				t.Errorf("weights (-want +got):\n%s", diff)
			}
			w.Command(v1alpha1.ActionAbort)
			w.Reaches("aborted", live.Aborted)
			if got := weightsOf(w, kind)["web-standby"]; got != 0 {
				t.Errorf("the standby Service is left with weight %d", got)
			}
		})
	}
}

// TestKindThatComesLater holds that a kind which the cluster does not serve is told, and is used once it is installed, in a
// version that is not the best one, without a restart.
func TestKindThatComesLater(t *testing.T) {
	e := env.StartOwn(t)
	definition := &apiextensionsv1.CustomResourceDefinition{}
	if err := e.Client.Get(t.Context(), client.ObjectKey{Name: "tcproutes.gateway.networking.k8s.io"}, definition); err != nil {
		t.Fatal(err)
	}
	if err := e.Client.Delete(t.Context(), definition.DeepCopy()); err != nil {
		t.Fatal(err)
	}
	w := &world{live.New(t, e, append(live.Network(), routedBy(v1alpha1.RouteKindTCP))...)}
	w.Eventually("the end of the kind", func() (bool, string) {
		err := e.Client.Get(t.Context(), client.ObjectKeyFromObject(definition), &apiextensionsv1.CustomResourceDefinition{})
		return apierrors.IsNotFound(err), "still there"
	})
	old := schema.GroupVersionKind{Group: gatewayv1.GroupName, Version: "v1alpha2", Kind: v1alpha1.RouteKindTCP}
	w.Plane.Kinds = []schema.GroupVersionKind{old}
	w.StartPlane()
	w.StartControllers()
	w.Reaches("told", func(s *v1alpha1.RolloutStatus) bool { return live.Reason(s) == v1alpha1.ReasonRouteNotFound })

	definition.ObjectMeta = metav1.ObjectMeta{Name: definition.Name, Annotations: definition.Annotations}
	for i := range definition.Spec.Versions {
		v := &definition.Spec.Versions[i]
		v.Served, v.Storage = v.Name == old.Version, v.Name == old.Version
	}
	if err := e.Client.Create(t.Context(), definition); err != nil {
		t.Fatal(err)
	}
	w.Eventually("a route of the old version", func() (bool, string) {
		route := routeOfKind(old)
		route.SetNamespace(w.Namespace)
		err := w.Client.Create(t.Context(), route)
		return err == nil || apierrors.IsAlreadyExists(err), "not served yet"
	})
	w.Reaches("healthy", live.Healthy)
	w.Release(live.ImageV2)
	w.Reaches("the first step", live.Awaiting)
	if diff := cmp.Diff(map[string]int64{"web": 80, "web-standby": 20}, weightsOf(w, old)); diff != "" {
		t.Errorf("weights (-want +got):\n%s", diff)
	}
}
