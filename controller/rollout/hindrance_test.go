package rollout

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

func waiting(reason, message string) corev1.ContainerState {
	return corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}
}

func ended(code int32, reason string) corev1.ContainerState {
	return corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: code, Reason: reason}}
}

func TestHindrance(t *testing.T) {
	container := func(state, last corev1.ContainerState) corev1.PodStatus {
		return corev1.PodStatus{
			Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionFalse}},
			ContainerStatuses: []corev1.ContainerStatus{{
				Name: "web", Image: imageV2, State: state, LastTerminationState: last,
			}},
		}
	}
	none := corev1.ContainerState{}
	running := corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}
	tests := map[string]struct {
		status corev1.PodStatus
		want   string
	}{
		"just made": {want: ""},
		"unscheduled": {
			status: corev1.PodStatus{Conditions: []corev1.PodCondition{{
				Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Message: "0/1 nodes are available: 1 Insufficient cpu.",
			}}},
			want: "pod web-1 finds no node: 0/1 nodes are available: 1 Insufficient cpu.",
		},
		"creating":         {status: container(waiting("ContainerCreating", ""), none), want: ""},
		"an image refused": {status: container(waiting("ErrImagePull", "rpc error"), none), want: "pod web-1 cannot pull image " + imageV2},
		"an image awaited": {status: container(waiting("ImagePullBackOff", "back-off"), none), want: "pod web-1 cannot pull image " + imageV2},
		"a missing Secret": {
			status: container(waiting("CreateContainerConfigError", `secret "tls" not found`), none),
			want:   `pod web-1 has a container web that cannot start: CreateContainerConfigError: secret "tls" not found`,
		},
		"ended":         {status: container(ended(1, "Error"), none), want: "pod web-1 has a container web that ends with exit code 1 (Error); look at its log"},
		"ended before":  {status: container(waiting("CrashLoopBackOff", "back-off 10s"), ended(1, "Error")), want: "pod web-1 has a container web that ends with exit code 1 (Error); look at its log"},
		"ended without": {status: container(waiting("CrashLoopBackOff", "back-off 10s"), none), want: "pod web-1 has a container web that does not keep running; look at its log"},
		"runs, unready": {status: container(running, none), want: "pod web-1 runs and is not ready; look at its readiness probe"},
		"an init container": {
			status: corev1.PodStatus{InitContainerStatuses: []corev1.ContainerStatus{{Name: "migrate", State: ended(2, "Error")}}},
			want:   "pod web-1 has a container migrate that ends with exit code 2 (Error); look at its log",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			pods := []corev1.Pod{
				{ObjectMeta: metav1.ObjectMeta{Name: "web-1"}, Status: tt.status},
				{ObjectMeta: metav1.ObjectMeta{Name: "web-0"}, Status: corev1.PodStatus{Phase: corev1.PodFailed}},
			}
			if got := hindrance(pods); got != tt.want {
				t.Errorf("hindrance = %q, want %q", got, tt.want)
			}
		})
	}
}

// What a release waits for is told when it has waited for some time, in the status and when the deadline aborts it.
func TestAReleaseSaysWhyItsPodsDoNotCome(t *testing.T) {
	h := started(t, routed(), network()...)
	h.plane.Hold(imageV2, true)
	h.release(imageV2)
	h.settle()
	if got := h.rollout().Status.Message; strings.Contains(got, "finds no node") {
		t.Errorf("at once it says %q", got)
	}
	var list corev1.PodList
	if err := h.base.List(t.Context(), &list); err != nil {
		t.Fatal(err)
	}
	for i := range list.Items {
		pod := &list.Items[i]
		if pod.Spec.Containers[0].Image == imageV2 {
			pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Message: "no node has room"}}
			if err := h.base.Status().Update(t.Context(), pod); err != nil {
				t.Fatal(err)
			}
		}
	}
	stray := list.Items[0].DeepCopy() // it sorts first, and is of no revision
	stray.Name, stray.ResourceVersion, stray.OwnerReferences = "a", "", nil
	stray.Labels[v1alpha1.LabelPodTemplateHash] = h.rollout().Status.State.Candidate
	stray.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Message: "of somebody else"}}
	h.make(stray)
	h.elapse(hinderedAfter)
	if got, want := h.rollout().Status.Message, "finds no node: no node has room"; !strings.Contains(got, want) {
		t.Errorf("message %q, want in it %q", got, want)
	}
	h.elapse(v1alpha1.DefaultProgressDeadline)
	if got, want := h.rollout().Status.History[0].Message, "finds no node: no node has room"; !strings.Contains(got, want) {
		t.Errorf("the record says %q, want in it %q", got, want)
	}
}
