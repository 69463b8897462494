package rollout

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/ptr"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/builder"
)

// size is the number of pods that the Deployment cart asks for, and how many of them are available.
func (h *harness) size() (wanted, available int32) {
	h.t.Helper()
	d := &appsv1.Deployment{}
	h.get("cart", d)
	return *d.Spec.Replicas, d.Status.AvailableReplicas
}

// referredTo is a harness with a Rollout at rest that has scaled its Deployment down.
func referredTo(t *testing.T, b *builder.RolloutBuilder) *harness {
	t.Helper()
	cart, rollout := webDeployment(4), referring(b, v1alpha1.WorkloadScaleDownOnSuccess)
	cart.Name, rollout.Spec.WorkloadRef.Name = "cart", "cart"
	h := newHarness(t, append(network(), cart)...)
	h.settleWorkload()
	h.make(rollout)
	h.settle()
	if wanted, _ := h.size(); wanted != 0 {
		t.Fatalf("at rest the Deployment asks for %d pods: %s", wanted, h.rollout().Status.Message)
	}
	h.told()
	return h
}

// refuse makes the API server refuse the first writes whose line has a text.
func (h *harness) refuse(text string, times int, err error) {
	h.fault = func(_ int, write func() error) error {
		if times > 0 && strings.Contains(h.writes[len(h.writes)-1], text) {
			times--
			return err
		}
		return write()
	}
}

// A Rollout that names no Service gives its Deployment the pods back as well.
func TestARolloutWithoutServicesLeavesItsWorkloadServed(t *testing.T) {
	for name, edit := range map[string]func(*v1alpha1.Rollout){
		"as it was":           func(*v1alpha1.Rollout) {},
		"after an edit to it": func(r *v1alpha1.Rollout) { r.Spec.WorkloadRef.ScaleDown = v1alpha1.WorkloadScaleDownNever },
	} {
		t.Run(name, func(t *testing.T) {
			h := referredTo(t, builder.Rollout("web").Image(imageV1).Replicas(4).RollingUpdate("1", "0"))
			h.edit(edit)
			h.settle()
			h.end()
			if wanted, available := h.size(); wanted != 4 || available != 4 {
				t.Errorf("of %d pods of the Deployment %d are available, want 4 of 4", wanted, available)
			}
		})
	}
}

func TestTheFinalizerComesWithAWorkloadThatIsScaledDown(t *testing.T) {
	for scaleDown, want := range map[v1alpha1.WorkloadScaleDown]bool{
		v1alpha1.WorkloadScaleDownNever: false, v1alpha1.WorkloadScaleDownOnSuccess: true, v1alpha1.WorkloadScaleDownProgressively: true,
	} {
		h := newHarness(t, webDeployment(0))
		h.make(referring(builder.Rollout("web").Replicas(2).RollingUpdate("1", "0"), scaleDown))
		h.settle()
		if got := slices.Contains(h.rollout().Finalizers, v1alpha1.FinalizerTraffic); got != want {
			t.Errorf("%s: finalizer %v, want %v", scaleDown, got, want)
		}
	}
}

// A second Rollout of the same Services is a mistake. Its end changes nothing of the first.
func TestADeletedRolloutLeavesTheServicesOfAnotherAlone(t *testing.T) {
	h := started(t, routed(), network()...)
	h.release(imageV2)
	h.settle()
	other := routed().Obj()
	other.Name, other.CreationTimestamp = "web-copy", metav1.Time{Time: h.clock.Now().Add(time.Hour)}
	h.make(other)
	h.key.Name = "web-copy"
	for range 4 {
		if _, err := h.pass(); err != nil {
			t.Fatal(err)
		}
	}
	if got := h.rollout().Finalizers; len(got) != 0 {
		t.Errorf("the second has the finalizers %v", got)
	}
	// One that was made before the first, or by an earlier version, has it.
	h.edit(func(r *v1alpha1.Rollout) { r.Finalizers = []string{v1alpha1.FinalizerTraffic} })
	mark := len(h.writes)
	h.end()
	for _, write := range h.writes[mark:] {
		if !strings.Contains(write, "Rollout/web-copy") {
			t.Errorf("its end writes %q", write)
		}
	}
}

// Without its finalizer a Rollout takes no pods that it could not give back.
func TestNoPodOfADeploymentGoesWithoutTheFinalizer(t *testing.T) {
	h := newHarness(t, append(network(), webDeployment(4))...)
	h.settleWorkload()
	h.make(referring(routed(), v1alpha1.WorkloadScaleDownProgressively))
	h.refuse("patch *v1alpha1.Rollout/web", math.MaxInt, apierrors.NewForbidden(schema.GroupResource{Resource: "rollouts"}, "web", errors.New("a policy")))
	h.settle()
	d := &appsv1.Deployment{}
	h.get("web", d)
	if *d.Spec.Replicas != 4 {
		t.Errorf("the Deployment asks for %d pods: %s", *d.Spec.Replicas, h.rollout().Status.Message)
	}
}

// After an abort the Deployment has the template that was aborted: its pods must not take the traffic of stable.
func TestNoEjectionToATemplateThatIsNotStable(t *testing.T) {
	h := newHarness(t, append(network(), webDeployment(4))...)
	h.settleWorkload()
	h.make(referring(routed(), v1alpha1.WorkloadScaleDownOnSuccess))
	h.settle()
	h.setImage(imageV2)
	h.settle()
	h.command(v1alpha1.ActionAbort, h.rollout().Status.UpdateRevision, "1")
	h.settle()
	err := h.takeover(nil).Eject(t.Context(), h.key)
	if err == nil || !strings.Contains(err.Error(), "kubectl sluice undo web") || h.rollout().DeletionTimestamp != nil {
		t.Errorf("stage %s: %v", h.rollout().Status.State.Stage, err)
	}
}

// The size of a Deployment is remembered until the Deployment has it again, or is gone: until then the API server refuses that
// another one is named.
func TestTheSizeOfADeploymentIsRememberedAsLongAsItIsOwed(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(h *harness)
		want   *int32
	}{
		"it is not to be scaled down any more": {func(*harness) {}, new(int32(4))},
		"a part of it is back":                 {func(h *harness) { h.cart(func(d *appsv1.Deployment) { d.Spec.Replicas = new(int32(3)) }) }, new(int32(4))},
		"all of it is back":                    {func(h *harness) { h.cart(func(d *appsv1.Deployment) { d.Spec.Replicas = new(int32(4)) }) }, nil},
		"it is gone":                           {func(h *harness) { h.remove(&appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: "cart"}}) }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			h := referredTo(t, builder.Rollout("web").Image(imageV1).Replicas(4).RollingUpdate("1", "0"))
			h.edit(func(r *v1alpha1.Rollout) { r.Spec.WorkloadRef.ScaleDown = v1alpha1.WorkloadScaleDownNever })
			tc.change(h)
			h.settleWorkload()
			h.settle()
			if got := h.rollout().Status.Workload.Replicas; !cmp.Equal(got, tc.want) {
				t.Errorf("%v is remembered: %s", ptr.Deref(got, -1), h.rollout().Status.Message)
			}
			if has := len(h.rollout().Finalizers) > 0; has != (tc.want != nil) {
				t.Errorf("there is a finalizer: %v", has)
			}
		})
	}
}
