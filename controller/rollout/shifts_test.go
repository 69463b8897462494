package rollout

import (
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

func TestShiftsRememberTheLastMoveOfEachRollout(t *testing.T) {
	start := time.Date(2030, time.June, 1, 12, 0, 0, 0, time.UTC)
	web, api := types.NamespacedName{Namespace: "shop", Name: "web"}, types.NamespacedName{Namespace: "shop", Name: "api"}
	var s shifts
	s.note(web, start.Add(time.Minute))
	s.note(api, start.Add(-time.Minute))
	for key, want := range map[types.NamespacedName]time.Time{web: start.Add(time.Minute), api: start} {
		if got := s.since(key, start); !got.Equal(want) {
			t.Errorf("%s since %s, want %s", key, got, want)
		}
	}
	s.forget(web)
	if got := s.since(web, start); !got.Equal(start) {
		t.Errorf("since %s after it was forgotten, want %s", got, start)
	}
}

// A write that was refused has moved no traffic, so that nothing waits for gateways to hear of it: the next try comes when
// refusals are tried again, and not after every settle time.
func TestARefusedWriteMovesNoTraffic(t *testing.T) {
	h := started(t, routed(), network()...)
	h.release(imageV2)
	h.settle()
	h.refuse("patch *unstructured.Unstructured/web", math.MaxInt, apierrors.NewForbidden(
		schema.GroupResource{Resource: "httproutes"}, "web", errors.New("a policy")))
	h.command(v1alpha1.ActionPromote, h.rollout().Status.State.Candidate, "1")
	for range 20 { // until the pods are there, and the weight has been refused
		if _, err := h.pass(); err != nil {
			t.Fatal(err)
		}
		if err := h.plane.Step(t.Context()); err != nil {
			t.Fatal(err)
		}
		h.clock.SetTime(h.clock.Now().Add(time.Second))
	}
	for range 5 {
		result, err := h.pass()
		if err != nil || result.RequeueAfter != refusedWait {
			t.Errorf("the next try in %s, error %v, want it in %s: %s", result.RequeueAfter, err, refusedWait, h.rollout().Status.Message)
		}
		h.clock.SetTime(h.clock.Now().Add(result.RequeueAfter))
	}
}

// A way back that is refused is told once. A status that changes in every pass would be the cause of the next one.
func TestARefusedWayBackIsToldOnce(t *testing.T) {
	h := started(t, routed(), network()...)
	h.release(imageV2)
	h.settle()
	h.refuse("patch *unstructured.Unstructured/web", math.MaxInt, apierrors.NewForbidden(
		schema.GroupResource{Resource: "httproutes"}, "web", errors.New("a policy")))
	h.command(v1alpha1.ActionAbort, h.rollout().Status.State.Candidate, "1")
	h.mustPass()
	told := h.rollout()
	for range 5 {
		h.clock.SetTime(h.clock.Now().Add(refusedWait))
		h.mustPass()
	}
	if diff := cmp.Diff(told, h.rollout()); diff != "" {
		t.Errorf("the Rollout changes from try to try (-before +after):\n%s", diff)
	}
}

func TestWhatIsRefusedAltogether(t *testing.T) {
	forbidden := apierrors.NewForbidden(schema.GroupResource{Resource: "httproutes"}, "web", errors.New("a policy"))
	late := apierrors.NewTimeoutError("too late", 1)
	for name, row := range map[string]struct {
		err  error
		want bool
	}{
		"a refusal":               {forbidden, true},
		"two of them":             {errors.Join(fmt.Errorf("web: %w", forbidden), fmt.Errorf("api: %w", forbidden)), true},
		"a refusal and a timeout": {errors.Join(forbidden, late), false},
		"a timeout":               {late, false},
		"success":                 {nil, false},
	} {
		if got := allRefused(row.err); got != row.want {
			t.Errorf("%s: %v, want %v", name, got, row.want)
		}
	}
}
