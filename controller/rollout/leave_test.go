package rollout

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/builder"
)

// gone says whether the Rollout is gone.
func (h *harness) gone() bool {
	h.t.Helper()
	err := h.base.Get(h.t.Context(), h.key, &v1alpha1.Rollout{})
	if err != nil && !apierrors.IsNotFound(err) {
		h.t.Fatal(err)
	}
	return err != nil
}

// end deletes the Rollout and lets everything act until it is gone. It says after how long.
func (h *harness) end() time.Duration {
	h.t.Helper()
	h.remove(h.rollout())
	if !h.gone() {
		h.clock.SetTime(h.rollout().DeletionTimestamp.Time) // a fake API server has a clock of its own
	}
	return h.leaves()
}

// leaves lets everything act until a Rollout is gone that is being deleted. It says after how long.
func (h *harness) leaves() time.Duration {
	h.t.Helper()
	begun := h.clock.Now()
	for range 200 {
		before, version := h.done, h.version()
		result, err := h.pass()
		if stepErr := h.plane.Step(h.t.Context()); stepErr != nil {
			h.t.Fatal(stepErr)
		}
		if h.gone() {
			return h.clock.Now().Sub(begun)
		}
		idle := h.done == before && h.version() == version
		if wait := result.RequeueAfter; err == nil && wait > 0 && (idle || wait <= 10*time.Second) {
			h.clock.SetTime(h.clock.Now().Add(wait))
		}
	}
	h.t.Fatalf("the rollout does not go: %s; the last writes are %v", h.rollout().Status.Message, h.writes[max(0, len(h.writes)-20):])
	return 0
}

// orphan takes the owner out of everything, as the garbage collector does for a deletion without dependents.
func (h *harness) orphan() {
	h.t.Helper()
	for _, rs := range h.listReplicaSets() {
		alter(h, rs.Name, &appsv1.ReplicaSet{}, func(rs *appsv1.ReplicaSet) { rs.OwnerReferences = nil })
	}
	alter(h, "web-standby", &corev1.Service{}, func(s *corev1.Service) { s.OwnerReferences = nil })
}

// backends are the names and weights on the route.
func (h *harness) backends() map[string]int32 {
	h.t.Helper()
	route := &gatewayv1.HTTPRoute{}
	h.get("web", route)
	out := map[string]int32{}
	for _, ref := range route.Spec.Rules[0].BackendRefs {
		out[string(ref.Name)] = 1
		if ref.Weight != nil {
			out[string(ref.Name)] = *ref.Weight
		}
	}
	return out
}

// wantLeft checks what a Rollout leaves: the route and the Service as they were, and the pods of stable.
func (h *harness) wantLeft() {
	h.t.Helper()
	if got := h.backends(); len(got) != 1 || got["web"] == 0 {
		h.t.Errorf("the route has %v", got)
	}
	if h.selected("web") != "" {
		h.t.Errorf("web selects %q", h.selected("web"))
	}
	if got := h.replicaSets(); got[imageV2] != 0 || got[imageV1] != 4 {
		h.t.Errorf("pods: %v", got)
	}
}

// A deletion, at rest and in mid-release, with the pods and without, leaves the route and the Service as they were, and the
// traffic on pods of stable.
func TestADeletedRolloutLeavesNothingBehind(t *testing.T) {
	for name, orphan := range map[string]bool{"with its pods": false, "without its pods": true} {
		for stage, release := range map[string]bool{"at rest": false, "in mid-release": true} {
			t.Run(name+", "+stage, func(t *testing.T) {
				h := started(t, routed(), network()...)
				if release {
					h.release(imageV2)
					h.settle()
					if h.weight() != 20 {
						t.Fatalf("the weight is %d", h.weight())
					}
				}
				if orphan {
					h.orphan()
				}
				mark := len(h.writes)
				took := h.end()
				h.wantLeft()
				if deletes := slices.Contains(h.writes[mark:], "delete *v1.Service/web-standby"); deletes != orphan {
					t.Errorf("the standby Service is deleted by us: %v, want %v: %v", deletes, orphan, h.writes[mark:])
				}
				if took > 10*time.Second {
					t.Errorf("it took %s", took)
				}
			})
		}
	}
}

// The finalizer is there before the first Service is written, and leaves with the Services in the spec.
func TestTheFinalizerComesWithServices(t *testing.T) {
	h := newHarness(t, append(network(), routed().Obj())...)
	h.fault = func(_ int, write func() error) error {
		if last := h.writes[len(h.writes)-1]; strings.Contains(last, "Service/") &&
			!slices.Contains(h.rollout().Finalizers, v1alpha1.FinalizerTraffic) {
			t.Errorf("%s without a finalizer", last)
		}
		return write()
	}
	h.settle()
	if !slices.Contains(h.rollout().Finalizers, v1alpha1.FinalizerTraffic) {
		t.Error("there is no finalizer")
	}
	h.edit(func(r *v1alpha1.Rollout) {
		r.Spec.Services, r.Spec.Traffic = nil, nil
		r.Spec.Strategy = v1alpha1.Strategy{RollingUpdate: &v1alpha1.RollingUpdateStrategy{}}
	})
	h.settle()
	if got := h.rollout().Finalizers; len(got) != 0 {
		t.Errorf("without services the finalizers are %v", got)
	}
}

// What a person would have to mend holds no deletion up.
func TestNothingHoldsADeletionUp(t *testing.T) {
	for name, breaks := range map[string]func(h *harness){
		"the active Service is gone": func(h *harness) { h.remove(&corev1.Service{ObjectMeta: web()}) },
		"the route is gone":          func(h *harness) { h.remove(&gatewayv1.HTTPRoute{ObjectMeta: web()}) },
		"a gateway refuses the route": func(h *harness) {
			h.plane.Refuse("web", "no such certificate")
		},
		"the pods are gone": func(h *harness) {
			for _, rs := range h.listReplicaSets() {
				h.remove(&rs)
			}
		},
		"nothing may be written but the Rollout": func(h *harness) {
			h.fault = func(_ int, write func() error) error {
				if strings.Contains(h.writes[len(h.writes)-1], "Rollout/") {
					return write()
				}
				return apierrors.NewForbidden(schema.GroupResource{Resource: "services"}, "web", errors.New("no"))
			}
		},
		"the spec cannot be carried out": func(h *harness) {
			h.edit(func(r *v1alpha1.Rollout) { r.Spec.Strategy = v1alpha1.Strategy{} })
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := started(t, routed(), network()...)
			h.release(imageV2)
			h.settle()
			breaks(h)
			if took := h.end(); took > 90*time.Second {
				t.Errorf("it took %s", took)
			}
		})
	}
}

// web is the name of what the tests are about.
func web() metav1.ObjectMeta { return metav1.ObjectMeta{Name: "web"} }

// A deletion whose writes fail, or whose answers are lost, at any one of them, ends the same.
func TestAFaultAtAnyWriteOfADeletionEndsTheSame(t *testing.T) {
	end := func(at int, fault func(h *harness, write func() error) error) (map[string]int32, int) {
		h := started(t, routed(), network()...)
		h.release(imageV2)
		h.settle()
		before := len(h.writes)
		h.fault = func(n int, write func() error) error {
			if n == before+at {
				return fault(h, write)
			}
			return write()
		}
		h.end()
		return h.backends(), len(h.writes) - before
	}
	want, total := end(0, nil)
	for name, fault := range map[string]func(h *harness, write func() error) error{
		"crash after the write": func(h *harness, write func() error) error {
			err := write()
			h.restart()
			return errors.Join(err, errors.New("the controller has died"))
		},
		"request lost": func(*harness, func() error) error { return unavailable() },
		"conflict":     func(*harness, func() error) error { return conflict() },
	} {
		for at := 1; at <= total; at++ {
			if got, _ := end(at, fault); !cmp.Equal(want, got) {
				t.Errorf("%s at write %d of %d: the route has %v, want %v", name, at, total, got, want)
			}
		}
	}
}

// A standby Service that the user made stays, without our revision in its selector; the route is as it was.
func TestAStandbyOfTheUserStays(t *testing.T) {
	h := started(t, routed(), append(network(), builder.Service(namespace, "web-standby", "web"))...)
	h.release(imageV2)
	h.settle()
	h.end()
	if h.selected("web-standby") != "" || h.selected("web") != "" {
		t.Errorf("web selects %q, web-standby %q", h.selected("web"), h.selected("web-standby"))
	}
	if diff := cmp.Diff(map[string]int32{"web": 1}, h.backends()); diff != "" {
		t.Error(diff)
	}
	var services corev1.ServiceList
	if err := h.base.List(t.Context(), &services, client.InNamespace(namespace)); err != nil || len(services.Items) != 2 {
		t.Errorf("%d Services, %v", len(services.Items), err)
	}
}

// A standby Service that we made and that something still names stays, where pods stay: it selects them all.
func TestAStandbyThatIsStillNamedStays(t *testing.T) {
	for name, names := range map[string]func(h *harness){
		"by a route that may not be written": func(h *harness) {
			h.refuse("patch *unstructured.Unstructured/web", math.MaxInt,
				apierrors.NewForbidden(schema.GroupResource{Resource: "httproutes"}, "web", errors.New("a policy")))
		},
		"by another Rollout": func(h *harness) {
			other := routed().Obj()
			other.Name, other.CreationTimestamp = "other", metav1.Time{Time: h.clock.Now().Add(time.Hour)}
			other.Spec.Services = &v1alpha1.Services{Active: "other", Standby: "web-standby"}
			h.make(other)
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := started(t, routed(), network()...)
			h.release(imageV2)
			h.settle()
			h.orphan()
			names(h)
			h.end()
			h.get("web-standby", &corev1.Service{})
			if got := h.selected("web-standby"); got != "" {
				t.Errorf("web-standby selects %q", got)
			}
		})
	}
}
