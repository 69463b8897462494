package rollout

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller/command"
)

// orphaning does what an API server does with a deletion that leaves dependents, and the fake one does not: the object stays
// until the garbage collector has let them go.
func (h *harness) orphaning(ctx context.Context, c client.WithWatch, obj client.Object, opts ...client.DeleteOption) error {
	options := (&client.DeleteOptions{}).ApplyOptions(opts)
	if options.PropagationPolicy == nil || *options.PropagationPolicy != metav1.DeletePropagationOrphan {
		return c.Delete(ctx, obj, opts...)
	}
	if err := c.Get(ctx, client.ObjectKeyFromObject(obj), obj); err != nil {
		return err
	}
	if controllerutil.AddFinalizer(obj, metav1.FinalizerOrphanDependents) {
		if err := c.Update(ctx, obj); err != nil {
			return err
		}
	}
	return c.Delete(ctx, obj)
}

// acting is a clock on which everything acts while somebody waits.
type acting struct {
	clock.Clock
	h *harness
}

func (a acting) Now() time.Time { return a.h.clock.Now() }

func (a acting) After(time.Duration) <-chan time.Time {
	result, err := a.h.pass()
	if stepErr := a.h.plane.Step(a.h.t.Context()); stepErr != nil {
		a.h.t.Fatal(stepErr)
	}
	if wait := result.RequeueAfter; err == nil && wait > 0 && wait <= 10*time.Second {
		a.h.clock.SetTime(a.h.clock.Now().Add(wait))
	} else {
		a.h.clock.SetTime(a.h.clock.Now().Add(100 * time.Millisecond))
	}
	c := make(chan time.Time, 1)
	c <- a.h.clock.Now()
	return c
}

// takeover is a run of the command line; its writes go through a fault, if there is one.
func (h *harness) takeover(fault func(write func() error) error) command.Takeover {
	if fault == nil {
		fault = func(write func() error) error { return write() }
	}
	c := interceptor.NewClient(h.base, interceptor.Funcs{
		Create: func(ctx context.Context, c client.WithWatch, obj client.Object, opts ...client.CreateOption) error {
			return fault(func() error { return c.Create(ctx, obj, opts...) })
		},
		Delete: func(ctx context.Context, c client.WithWatch, obj client.Object, opts ...client.DeleteOption) error {
			return fault(func() error { return c.Delete(ctx, obj, opts...) })
		},
		Patch: func(ctx context.Context, c client.WithWatch, obj client.Object, p client.Patch, opts ...client.PatchOption) error {
			return fault(func() error { return c.Patch(ctx, obj, p, opts...) })
		},
	})
	return command.Takeover{Client: c, Clock: acting{h: h}, Timeout: time.Minute, Say: func(string, ...any) {}}
}

// scaler is an autoscaler of the Deployment web.
func scaler() *autoscalingv2.HorizontalPodAutoscaler {
	return &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: web(), Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
		ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "web"}, MaxReplicas: 9,
	}}
}

// deployed is a harness with a Deployment of four pods, a route, a Service and an autoscaler.
func deployed(t *testing.T) *harness {
	t.Helper()
	h := newHarness(t, append(network(), webDeployment(4), scaler())...)
	h.settleWorkload()
	return h
}

func migration() command.Migration {
	return command.Migration{Active: "web", Route: "web", Strategy: routed().Obj().Spec.Strategy}
}

// holders is what counts after a takeover.
func (h *harness) holders() map[string]string {
	h.t.Helper()
	out := map[string]string{"web selects": h.selected("web")}
	for name, object := range map[string]client.Object{"deployment": &appsv1.Deployment{}, "rollout": &v1alpha1.Rollout{}} {
		err := h.base.Get(h.t.Context(), h.key, object)
		if err != nil && !apierrors.IsNotFound(err) {
			h.t.Fatal(err)
		}
		out[name] = "gone"
		if err == nil {
			out[name] = "there"
		}
	}
	hpa := &autoscalingv2.HorizontalPodAutoscaler{}
	h.get("web", hpa)
	out["autoscaler"] = hpa.Spec.ScaleTargetRef.APIVersion + " " + hpa.Spec.ScaleTargetRef.Kind
	for _, rs := range h.listReplicaSets() {
		if owner := metav1.GetControllerOf(&rs); owner != nil && *rs.Spec.Replicas > 0 {
			out["pods of"] = owner.Kind
		}
	}
	for backend := range h.backends() {
		out["route names"] += backend + " "
	}
	return out
}

func migrated() map[string]string {
	return map[string]string{"deployment": "gone", "rollout": "there", "autoscaler": "sluice.dev/v1alpha1 Rollout", "pods of": "Rollout"}
}

func ejected() map[string]string {
	return map[string]string{
		"deployment": "there", "rollout": "gone", "autoscaler": "apps/v1 Deployment", "pods of": "Deployment", "web selects": "",
		"route names": "web ",
	}
}

// wantTakenOver checks that the Rollout has all that the Deployment had, and nothing left to do.
func (h *harness) wantTakenOver() {
	h.t.Helper()
	got, want := h.holders(), migrated()
	want["web selects"], want["route names"] = h.rollout().Status.StableRevision, got["route names"]
	if diff := cmp.Diff(want, got); diff != "" {
		h.t.Fatalf("after the takeover: %s", diff)
	}
	if r := h.rollout(); r.Status.Phase != v1alpha1.PhaseHealthy || r.Spec.Paused || len(r.Annotations) > 0 || len(r.Status.History) != 1 {
		h.t.Fatalf("the rollout is %s, paused %v, annotations %v, history %v", r.Status.Phase, r.Spec.Paused, r.Annotations, r.Status.History)
	}
}

// wantGivenBack checks that the Deployment has its four pods again, and that nothing of the Rollout is left.
func (h *harness) wantGivenBack() {
	h.t.Helper()
	if diff := cmp.Diff(ejected(), h.holders()); diff != "" {
		h.t.Fatalf("after the return: %s", diff)
	}
	d := &appsv1.Deployment{}
	h.get("web", d)
	if d.Spec.Paused || len(d.Annotations) > 0 || d.Status.AvailableReplicas != 4 {
		h.t.Fatalf("the deployment is paused %v, annotations %v, %d available", d.Spec.Paused, d.Annotations, d.Status.AvailableReplicas)
	}
	var services corev1.ServiceList
	if err := h.base.List(h.t.Context(), &services, client.InNamespace(namespace)); err != nil || len(services.Items) != 1 {
		h.t.Fatalf("%d services are left, %v", len(services.Items), err)
	}
}

// A Deployment is taken over and given back, with the very same pods, and again.
func TestADeploymentIsTakenOverAndGivenBack(t *testing.T) {
	h := deployed(t)
	pods := h.podNames()
	for range 2 {
		if err := h.takeover(nil).Migrate(t.Context(), h.key, migration()); err != nil {
			t.Fatal(err)
		}
		h.settle()
		h.wantTakenOver()
		if err := h.takeover(nil).Eject(t.Context(), h.key); err != nil {
			t.Fatal(err)
		}
		h.settleWorkload()
		h.wantGivenBack()
		if diff := cmp.Diff(pods, h.podNames()); diff != "" {
			t.Fatalf("pods were replaced: %s", diff)
		}
	}
}

// cutShort is a fault that ends a command at one of its writes, before it or after it.
func cutShort(at int, after bool) func(write func() error) error {
	errCut := errors.New("the command was ended")
	writes := 0
	return func(write func() error) error {
		if writes++; writes != at {
			return write()
		}
		if after {
			return errors.Join(write(), errCut)
		}
		return errCut
	}
}

// takenUp runs a command that may be cut short, and if it was, once more. It says whether it was. The second run may find
// that all was done, which it refuses in these words.
func (h *harness) takenUp(cut func(write func() error) error, run func(command.Takeover) error, done string) (wasCut bool) {
	h.t.Helper()
	if run(h.takeover(cut)) == nil {
		return false
	}
	if err := run(h.takeover(nil)); err != nil && !strings.Contains(err.Error(), done) {
		h.t.Fatal(err)
	}
	return true
}

// backAndForth takes a Deployment over and gives it back, with the same pods, in commands that are cut short at one of their
// writes. It says whether there was such a write.
func backAndForth(t *testing.T, cut func(write func() error) error) (wasCut bool) {
	t.Helper()
	h := deployed(t)
	pods := h.podNames()
	first := h.takenUp(cut, func(c command.Takeover) error { return c.Migrate(t.Context(), h.key, migration()) }, "exists already")
	h.settle()
	second := h.takenUp(cut, func(c command.Takeover) error { return c.Eject(t.Context(), h.key) }, "does not exist")
	h.settleWorkload()
	if diff := cmp.Diff(ejected(), h.holders()); diff != "" || !maps.Equal(pods, h.podNames()) {
		t.Fatalf("pods %v were %v; %s", h.podNames(), pods, diff)
	}
	return first || second
}

// A run that ends at any of its writes is taken up by the next one.
func TestATakeoverGoesOnWhereItWasCutShort(t *testing.T) {
	for when, after := range map[string]bool{"before": false, "after": true} {
		wasCut := true
		for at := 1; wasCut; at++ {
			wasCut = false
			t.Run(fmt.Sprintf("%s write %d", when, at), func(t *testing.T) { wasCut = backAndForth(t, cutShort(at, after)) })
		}
	}
}

// What an autoscaler has asked for in the meantime is not lost.
func TestATakeoverKeepsTheSizeOfTheMoment(t *testing.T) {
	h := deployed(t)
	writes := 0
	scale := func(write func() error) error {
		err := write()
		if writes++; writes == 1 { // the Rollout is made, with four replicas
			alter(h, "web", &appsv1.Deployment{}, func(d *appsv1.Deployment) { *d.Spec.Replicas = 6 })
			h.settleWorkload()
		}
		return err
	}
	if err := h.takeover(scale).Migrate(t.Context(), h.key, migration()); err != nil {
		t.Fatal(err)
	}
	h.settle()
	if got := *h.rollout().Spec.Replicas; got != 6 || len(h.podNames()) != 6 {
		t.Errorf("%d replicas and %d pods, want 6", got, len(h.podNames()))
	}
}

func TestATakeoverIsRefused(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(h *harness)
		want   string
	}{
		"paused": {func(h *harness) {
			alter(h, "web", &appsv1.Deployment{}, func(d *appsv1.Deployment) { d.Spec.Paused = true })
		}, "is paused"},
		"in mid-rollout": {func(h *harness) {
			alter(h, "web", &appsv1.Deployment{}, func(d *appsv1.Deployment) { d.Generation = 9 })
		}, "mid-rollout"},
		"no such Service": {func(h *harness) { h.remove(&corev1.Service{ObjectMeta: web()}) }, "cannot take over"},
	} {
		t.Run(name, func(t *testing.T) {
			h := deployed(t)
			tc.change(h)
			err := h.takeover(nil).Migrate(t.Context(), h.key, migration())
			var refusal *command.Refusal
			if !errors.As(err, &refusal) || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want a refusal with %q", err, tc.want)
			}
			h.get("web", &appsv1.Deployment{})
		})
	}
	h := deployed(t)
	if err := h.takeover(nil).Migrate(t.Context(), h.key, migration()); err != nil {
		t.Fatal(err)
	}
	h.settle()
	h.release(imageV2)
	h.settle()
	if err := h.takeover(nil).Eject(t.Context(), h.key); err == nil || !strings.Contains(err.Error(), "kubectl sluice abort web") {
		t.Errorf("in mid-release: %v, want to be told to abort", err)
	}
}

// An autoscaler that somebody else makes is not pointed at anything: it would not stay so.
func TestATakeoverLeavesTheAutoscalersOfOthersAlone(t *testing.T) {
	h := deployed(t)
	point := func(kind, apiVersion string) {
		alter(h, "web", &autoscalingv2.HorizontalPodAutoscaler{}, func(hpa *autoscalingv2.HorizontalPodAutoscaler) {
			hpa.Spec.ScaleTargetRef.Kind, hpa.Spec.ScaleTargetRef.APIVersion = kind, apiVersion
			hpa.OwnerReferences = []metav1.OwnerReference{{
				APIVersion: "keda.sh/v1alpha1", Kind: "ScaledObject", Name: "web-load", UID: "1", Controller: new(true),
			}}
		})
	}
	refused := func(err error, want string) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), `ScaledObject "web-load"`) {
			t.Fatalf("got %v, want in it %q", err, want)
		}
	}
	point("Deployment", "apps/v1")
	refused(h.takeover(nil).Migrate(t.Context(), h.key, migration()),
		`write "scaleTargetRef: {apiVersion: sluice.dev/v1alpha1, kind: Rollout, name: web}" there`)
	h.get("web", &appsv1.Deployment{})
	point("Rollout", "sluice.dev/v1alpha1") // as somebody writes there
	if err := h.takeover(nil).Migrate(t.Context(), h.key, migration()); err != nil {
		t.Fatal(err)
	}
	h.settle()
	h.wantTakenOver()
	refused(h.takeover(nil).Eject(t.Context(), h.key), `write "scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}" there`)
	if h.rollout().DeletionTimestamp != nil {
		t.Error("the Rollout is being deleted")
	}
}
