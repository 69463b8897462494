//go:build apiserver

package controller_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/apiserver/env"
	"github.com/sluice-dev/sluice/test/apiserver/live"
	"github.com/sluice-dev/sluice/test/golden/render"
)

const virtualService = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: web}
spec:
  hosts: [web]
  http:
  - name: primary
    route:
    - {destination: {host: web}, weight: 9}
    - {destination: {host: old-shop}, weight: 1}
`

const traefikService = `
apiVersion: traefik.io/v1alpha1
kind: TraefikService
metadata: {name: web}
spec:
  weighted:
    services: [{name: web, port: 80, weight: 7}]
`

// TestCanaryByOtherRouters takes a release over an object that is no route of the Gateway API, aborts it, and deletes the
// Rollout: the object is what its user wrote.
func TestCanaryByOtherRouters(t *testing.T) {
	for name, tc := range map[string]struct {
		object  string
		traffic v1alpha1.Traffic
		list    []string
		want    []int64
	}{
		"istio": {
			object: virtualService, list: []string{"http", "route"}, want: []int64{720, 180, 100},
			traffic: v1alpha1.Traffic{Istio: &v1alpha1.IstioTraffic{VirtualServices: []v1alpha1.VirtualServiceReference{
				{Name: "web", Routes: []string{"primary"}},
			}}},
		},
		"traefik": {
			object: traefikService, list: []string{"weighted", "services"}, want: []int64{80, 20},
			traffic: v1alpha1.Traffic{Traefik: &v1alpha1.TraefikTraffic{TraefikServices: []v1alpha1.TraefikServiceReference{
				{Name: "web"},
			}}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			object := render.Parse(t, tc.object)
			rollout := routed().With(func(r *v1alpha1.Rollout) {
				r.Spec.Traffic = &tc.traffic
				r.Spec.Traffic.SettleTime = &metav1.Duration{Duration: live.Settle}
			}).Obj()
			w := &world{live.New(t, env.Start(t), live.Service(), object.DeepCopy(), rollout)}
			w.StartPlane()
			w.StartControllers()
			w.Reaches("healthy", live.Healthy)
			w.Release(live.ImageV2)
			w.Reaches("the first step", live.Awaiting)
			if diff := cmp.Diff(tc.want, weightsIn(w, object, tc.list)); diff != "" {
				t.Errorf("weights at the first step (-want +got):\n%s", diff)
			}
			w.Command(v1alpha1.ActionAbort)
			w.Reaches("aborted", live.Aborted)
			if diff := cmp.Diff(object.Object["spec"], w.read(object).Object["spec"]); diff != "" {
				t.Errorf("after an abort (-want +got):\n%s", diff)
			}
			w.deleted(rollout)
			if diff := cmp.Diff(object.Object["spec"], w.read(object).Object["spec"]); diff != "" {
				t.Errorf("after the deletion of the Rollout (-want +got):\n%s", diff)
			}
		})
	}
}

const ingress = `
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web}
spec:
  ingressClassName: nginx
  rules:
  - host: shop.example.com
    http:
      paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]
`

// TestCanaryByNginx takes a release over a canary Ingress, whose weight somebody takes away, aborts it, and deletes the Rollout.
func TestCanaryByNginx(t *testing.T) {
	object := render.Parse(t, ingress)
	rollout := routed().With(func(r *v1alpha1.Rollout) {
		r.Spec.Traffic = &v1alpha1.Traffic{Nginx: &v1alpha1.NginxTraffic{Ingresses: []v1alpha1.IngressReference{{Name: "web"}}}}
		r.Spec.Traffic.SettleTime = &metav1.Duration{Duration: live.Settle}
	}).Obj()
	w := &world{live.New(t, env.Start(t), live.Service(), object.DeepCopy(), rollout)}
	w.StartPlane()
	w.StartControllers()
	w.Reaches("healthy", live.Healthy)
	w.Release(live.ImageV2)
	w.Reaches("the first step", live.Awaiting)
	canary := object.DeepCopy()
	canary.SetName("web-web-standby")
	weight := func() string {
		return w.read(canary).GetAnnotations()["nginx.ingress.kubernetes.io/canary-weight"]
	}
	if got := weight(); got != "200" {
		t.Errorf("the canary Ingress has weight %q, want 200", got)
	}
	stolen := w.read(canary)
	stolen.SetAnnotations(map[string]string{"nginx.ingress.kubernetes.io/canary": "false"})
	if err := w.Client.Update(t.Context(), stolen); err != nil {
		t.Fatal(err)
	}
	w.Eventually("the weight is back", func() (bool, string) { return weight() == "200", weight() })
	w.Command(v1alpha1.ActionAbort)
	w.Reaches("aborted", live.Aborted)
	w.deleted(rollout)
	canary.SetNamespace(w.Namespace)
	if err := w.Client.Get(t.Context(), client.ObjectKeyFromObject(canary), canary); !apierrors.IsNotFound(err) {
		t.Errorf("the canary Ingress is left, error %v", err)
	}
	if diff := cmp.Diff(object.Object["spec"], w.read(object).Object["spec"]); diff != "" {
		t.Errorf("the Ingress of the user (-want +got):\n%s", diff)
	}
}

// read gets an object as it is now.
func (w *world) read(object *unstructured.Unstructured) *unstructured.Unstructured {
	w.T.Helper()
	out := &unstructured.Unstructured{}
	out.SetGroupVersionKind(object.GroupVersionKind())
	w.Get(object.GetName(), out)
	return out
}

// weightsIn are the weights in the list that holds them, which may be that of the first entry of another one.
func weightsIn(w *world, object *unstructured.Unstructured, path []string) []int64 {
	w.T.Helper()
	at := w.read(object).Object["spec"]
	for _, key := range path {
		if list, ok := at.([]any); ok {
			at = list[0]
		}
		at = at.(map[string]any)[key]
	}
	var out []int64
	for _, entry := range at.([]any) {
		weight, _ := entry.(map[string]any)["weight"].(int64)
		out = append(out, weight)
	}
	return out
}

// deleted deletes a Rollout and waits until it is gone.
func (w *world) deleted(rollout client.Object) {
	w.T.Helper()
	if err := w.Client.Delete(w.T.Context(), rollout); err != nil {
		w.T.Fatal(err)
	}
	w.Eventually("the end of the Rollout", func() (bool, string) {
		err := w.Client.Get(w.T.Context(), client.ObjectKeyFromObject(rollout), &v1alpha1.Rollout{})
		return apierrors.IsNotFound(err), "still there"
	})
}
