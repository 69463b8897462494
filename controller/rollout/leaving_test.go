package rollout

import (
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/builder"
)

// leave deletes an object that a finalizer keeps, as a deletion in the foreground or a load balancer does. The function
// that is returned lets it go.
func (h *harness) leave(name string, obj client.Object) (gone func()) {
	h.t.Helper()
	h.get(name, obj)
	obj.SetFinalizers([]string{"example.com/hold"})
	if err := h.base.Update(h.t.Context(), obj); err != nil {
		h.t.Fatal(err)
	}
	if err := h.base.Delete(h.t.Context(), obj); err != nil {
		h.t.Fatal(err)
	}
	return func() {
		h.t.Helper()
		h.get(name, obj)
		obj.SetFinalizers(nil)
		if err := h.base.Update(h.t.Context(), obj); err != nil {
			h.t.Fatal(err)
		}
	}
}

// A ReplicaSet that is deleted in the foreground keeps its name until its last pod is gone. In the meantime the traffic
// leaves it, and nothing tries to make it again and again.
func TestTrafficLeavesAReplicaSetThatIsBeingDeleted(t *testing.T) {
	h := started(t, routed(), network()...)
	h.release(imageV2)
	h.settle()
	rs := h.replicaSetOf(imageV2)
	alter(h, rs.Name, &appsv1.ReplicaSet{}, func(rs *appsv1.ReplicaSet) { rs.Spec.Replicas = new(int32) })
	if err := h.plane.Step(t.Context()); err != nil {
		t.Fatal(err)
	}
	gone := h.leave(rs.Name, rs)
	h.settle()
	if h.weight() != 0 {
		t.Errorf("the weight is %d on a revision without pods: %s", h.weight(), h.rollout().Status.Message)
	}
	gone()
	h.settle()
	if got := h.rollout().Status; h.weight() != 20 || got.State.Stage != v1alpha1.StageStepping {
		t.Errorf("once it is gone, the weight is %d: %s", h.weight(), got.Message)
	}
}

// A standby Service may take minutes to go, when a load balancer goes with it.
func TestAStandbyServiceThatIsBeingDeleted(t *testing.T) {
	h := started(t, routed(), append(network(), builder.Service(namespace, "web-standby", "web"))...)
	gone := h.leave("web-standby", &corev1.Service{})
	h.settle()
	h.wantStalled(v1alpha1.ReasonServiceNotFound, []string{"spec.services.standby", "web-standby", "is being deleted", "finalizers"})
	if got := h.since(h.settle); len(got) != 0 {
		t.Errorf("while it goes the controller writes %v", got)
	}
	gone()
	h.settle()
	standby := &corev1.Service{}
	h.get("web-standby", standby)
	if got := h.rollout().Status; !metav1.IsControlledBy(standby, h.rollout()) || got.Phase != v1alpha1.PhaseHealthy {
		t.Errorf("phase %s: %s", got.Phase, got.Message)
	}
}

// An AnalysisRun that is being deleted is measured anew once it is gone.
func TestAnAnalysisRunThatIsBeingDeleted(t *testing.T) {
	h := measured(t)
	h.release(imageV2)
	h.settle()
	name := h.rollout().Status.Analyses[0].Name
	gone := h.leave(name, &v1alpha1.AnalysisRun{})
	h.settle()
	gone()
	h.settle()
	h.conclude(v1alpha1.AnalysisPassed, "good")
	h.settle()
	if got := h.rollout().Status; got.Phase != v1alpha1.PhaseHealthy || got.State.Candidate != "" {
		t.Errorf("phase %s: %s", got.Phase, got.Message)
	}
}

// recreate waits until the last pod of the old revision has ended, in a cluster too that does not count such pods.
func TestRecreateWaitsForPodsThatAreEnding(t *testing.T) {
	h := started(t, builder.Rollout("web").Namespace(namespace).Image(imageV1).Replicas(2).Recreate())
	h.release(imageV2)
	var gone func()
	for name := range h.podNames() {
		gone = h.leave(name, &corev1.Pod{})
		break
	}
	for range 10 {
		if _, err := h.pass(); err != nil {
			t.Fatal(err)
		}
		if err := h.plane.Step(t.Context()); err != nil {
			t.Fatal(err)
		}
		h.clock.SetTime(h.clock.Now().Add(time.Second))
	}
	if len(h.podNames()) != 1 {
		t.Errorf("a pod of v1 is still ending, and there are %d pods: %s", len(h.podNames()), h.rollout().Status.Message)
	}
	gone()
	h.settle()
	if got := h.rollout().Status; got.Phase != v1alpha1.PhaseHealthy || *h.replicaSetOf(imageV2).Spec.Replicas != 2 {
		t.Errorf("%s once the pod has ended: %s", got.Phase, got.Message)
	}
}
