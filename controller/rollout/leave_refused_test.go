package rollout

import (
	"errors"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

func webhookRestarts() error {
	return apierrors.NewInternalError(errors.New(`failed calling webhook "policy.example": connection refused`))
}

// A refusal that passes is waited for: no pod of ours goes before the Deployment has its own.
func TestARefusalAtADeletionIsAskedAgain(t *testing.T) {
	h := referredTo(t, routed())
	h.refuse("/cart", 3, webhookRestarts())
	took := h.end()
	if wanted, available := h.size(); wanted != 4 || available != 4 {
		t.Errorf("of %d pods of the Deployment %d are available, want 4 of 4", wanted, available)
	}
	if took < 3*webhookWait {
		t.Errorf("it took %s, and three refusals take %s", took, 3*webhookWait)
	}
	if told := strings.Join(h.told(), "\n"); !strings.Contains(told, "Warning WriteRefused") {
		t.Errorf("told of %s", told)
	}
}

// Where pods stay, a Service that could not be written for a moment does not keep the revision in its selector.
func TestARefusalAtADeletionWithoutPodsLeavesNothingBehind(t *testing.T) {
	for _, text := range []string{"patch *v1.Service/web", "patch *unstructured.Unstructured/web"} {
		t.Run(text, func(t *testing.T) {
			h := started(t, routed(), network()...)
			h.release(imageV2)
			h.settle()
			h.orphan()
			h.refuse(text, 5, webhookRestarts())
			h.end()
			if h.selected("web") != "" {
				t.Errorf("web selects %q", h.selected("web"))
			}
			if diff := cmp.Diff([]string{"web"}, slices.Collect(maps.Keys(h.backends()))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// When patience is over, what is not refused is done all the same.
func TestWhatIsNotRefusedIsDoneInTheEnd(t *testing.T) {
	h := referredTo(t, routed())
	h.edit(func(r *v1alpha1.Rollout) { r.Spec.ProgressDeadlineSeconds = new(int32(120)) })
	alter(h, "cart", &appsv1.Deployment{}, func(d *appsv1.Deployment) { d.Spec.Template.Spec.Containers[0].Image = imageV2 })
	h.settle()
	if h.weight() != 20 {
		t.Fatalf("the weight is %d: %s", h.weight(), h.rollout().Status.Message)
	}
	h.refuse("patch *unstructured.Unstructured/web", math.MaxInt, apierrors.NewForbidden(
		schema.GroupResource{Resource: "httproutes"}, "web", errors.New("a policy")))
	if took := h.end(); took < 2*time.Minute || took > 3*time.Minute {
		t.Errorf("it took %s, and the deadline is two minutes", took)
	}
	if _, available := h.size(); available != 4 || h.selected("web") != "" {
		t.Errorf("of the Deployment %d pods are available, and web selects %q", available, h.selected("web"))
	}
}
