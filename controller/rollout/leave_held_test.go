package rollout

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// stays deletes the Rollout and lets an hour pass, after which it must still be there with its four pods, and say what it
// waits for.
func (h *harness) stays(want string) {
	h.t.Helper()
	h.remove(h.rollout())
	h.clock.SetTime(h.rollout().DeletionTimestamp.Time)
	for range 6 {
		h.elapse(10 * time.Minute)
	}
	if h.gone() {
		h.t.Fatal("it is gone")
	}
	status := h.rollout().Status
	stalled := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionStalled)
	if stalled.Status != metav1.ConditionTrue || !strings.Contains(status.Message, want) {
		h.t.Errorf("Stalled is %s: %s: %q, want %q in it", stalled.Status, stalled.Reason, status.Message, want)
	}
	if status.AvailableReplicas != 4 || h.selected("web") != status.State.Stable {
		h.t.Errorf("%d pods are available, and web selects %q", status.AvailableReplicas, h.selected("web"))
	}
}

// cart changes the Deployment as a person does.
func (h *harness) cart(change func(*appsv1.Deployment)) {
	h.t.Helper()
	alter(h, "cart", &appsv1.Deployment{}, func(d *appsv1.Deployment) {
		change(d)
		d.Generation++
	})
}

// The pods that serve do not go before those of the Deployment are there to take their place, however long that takes. Then
// they do.
func TestTheOnlyPodsThatServeStay(t *testing.T) {
	const pods = "0 of 4 pods of deployment cart are available"
	policy := apierrors.NewForbidden(schema.GroupResource{Resource: "deployments"}, "cart", errors.New("a policy"))
	for name, tc := range map[string]struct {
		breaks, mends func(h *harness)
		want          string
	}{
		"its image cannot be pulled": {
			func(h *harness) { h.plane.Hold(imageV1, true) }, func(h *harness) { h.plane.Hold(imageV1, false) }, pods,
		},
		"its size may not be written": {
			func(h *harness) { h.refuse("/cart", math.MaxInt, policy) }, func(h *harness) { h.fault = nil }, "a policy",
		},
		"the Service may not be written": {
			func(h *harness) { h.refuse("patch *v1.Service/web", math.MaxInt, policy) }, func(h *harness) { h.fault = nil }, "a policy",
		},
		"it cannot be read": {
			func(h *harness) {
				h.r.workload.start = func(context.Context) (func() bool, error) { return func() bool { return false }, nil }
			},
			func(h *harness) { h.restart() }, "cannot be read",
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := referredTo(t, routed())
			tc.breaks(h)
			h.stays(tc.want)
			tc.mends(h)
			h.leaves()
			if wanted, available := h.size(); wanted != 4 || available != 4 {
				t.Errorf("of %d pods of the Deployment %d are available, want 4 of 4", wanted, available)
			}
		})
	}
}

// Where there is nothing to wait for, a deletion ends: a namespace that goes takes the Deployment or the pods along.
func TestADeletionWaitsForNoDeploymentWithoutNeed(t *testing.T) {
	for name, breaks := range map[string]func(h *harness){
		"the Deployment is gone": func(h *harness) { h.remove(&appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: "cart"}}) },
		"the Deployment is being deleted": func(h *harness) {
			h.leave("cart", &appsv1.Deployment{})
		},
		"our pods are gone": func(h *harness) {
			for _, rs := range h.listReplicaSets() {
				h.remove(&rs)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := referredTo(t, routed())
			h.plane.Hold(imageV1, true)
			breaks(h)
			if took := h.end(); took > 11*time.Minute {
				t.Errorf("it took %s", took)
			}
		})
	}
}

// A release under way goes back to stable at once, also while the Deployment has no pods yet.
func TestTrafficDoesNotWaitForTheDeployment(t *testing.T) {
	h := referredTo(t, routed())
	h.cart(func(d *appsv1.Deployment) { d.Spec.Template.Spec.Containers[0].Image = imageV2 })
	h.settle()
	if h.weight() != 20 {
		t.Fatalf("the weight is %d: %s", h.weight(), h.rollout().Status.Message)
	}
	h.told()
	h.plane.Hold(imageV2, true)
	status := h.rollout().Status
	h.stays("0 of 4 pods of deployment cart are available; it has the template of " + status.UpdateRevision)
	if h.weight() != 0 {
		t.Errorf("the weight is %d", h.weight())
	}
	// The candidate is what the Deployment brings up in place of stable. Whoever deletes the Rollout hears of it once.
	want := "Warning Leaving deployment cart has the template of " + status.UpdateRevision + ", and " + status.State.Stable + " is stable"
	if told := strings.Join(h.told(), "\n"); strings.Count(told, want) != 1 {
		t.Errorf("told of %s, want once %q", told, want)
	}
	// With the stable template in the Deployment its pods come.
	h.cart(func(d *appsv1.Deployment) { d.Spec.Template.Spec.Containers[0].Image = imageV1 })
	h.leaves()
	if _, available := h.size(); available != 4 || h.replicaSets()[imageV2] != 0 {
		t.Errorf("%d pods of the Deployment are available: %v", available, h.replicaSets())
	}
}
