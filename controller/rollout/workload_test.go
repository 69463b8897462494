package rollout

import (
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/builder"
)

// webDeployment is a Deployment of web with the first image.
func webDeployment(replicas int32) *appsv1.Deployment {
	labels := map[string]string{"app": "web"}
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "web", Generation: 1},
		Spec: appsv1.DeploymentSpec{
			Replicas: ptr.To(replicas), Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "web", Image: imageV1}}},
			},
		},
	}
}

// referring makes a Rollout take its template from the Deployment web.
func referring(b *builder.RolloutBuilder, scaleDown v1alpha1.WorkloadScaleDown) *v1alpha1.Rollout {
	rollout := b.Obj()
	rollout.Spec.Template, rollout.Spec.Selector = runtime.RawExtension{}, nil
	rollout.Spec.WorkloadRef = &v1alpha1.WorkloadReference{Name: "web", ScaleDown: scaleDown}
	return rollout
}

// setImage is what kubectl set image does to a Deployment.
func (h *harness) setImage(image string) {
	h.t.Helper()
	alter(h, "web", &appsv1.Deployment{}, func(d *appsv1.Deployment) {
		d.Generation++
		d.Spec.Template.Spec.Containers[0].Image = image
	})
}

// ofRollout is the number of pods of the Rollout by image.
func (h *harness) ofRollout() map[string]int32 {
	h.t.Helper()
	out := map[string]int32{}
	for _, rs := range h.listReplicaSets() {
		if metav1.IsControlledBy(&rs, h.rollout()) {
			out[rs.Spec.Template.Spec.Containers[0].Image] += *rs.Spec.Replicas
		}
	}
	return out
}

// wantWorkload checks what the status says of the Deployment: its selector, and which generation of it was seen.
func (h *harness) wantWorkload(generation int64) {
	h.t.Helper()
	status := h.rollout().Status
	if status.Selector != "app=web" || status.Workload == nil || status.Workload.ObservedGeneration != generation {
		h.t.Fatalf("selector %q, workload %v, want generation %d: %s", status.Selector, status.Workload, generation, status.Message)
	}
}

func TestATemplateOfADeploymentIsReleased(t *testing.T) {
	h := newHarness(t, append(network(), webDeployment(4), referring(routed(), v1alpha1.WorkloadScaleDownNever))...)
	h.settle()
	h.wantWorkload(1)
	if status := h.rollout().Status; status.Phase != v1alpha1.PhaseHealthy {
		t.Fatalf("%s: %s", status.Phase, status.Message)
	}
	h.setImage(imageV2)
	h.settle()
	h.wantWorkload(2)
	if status := h.rollout().Status; h.weight() != 20 || status.State.Stage != v1alpha1.StageStepping {
		t.Errorf("weight %d, %s: %s", h.weight(), status.State.Stage, status.Message)
	}
	if diff := cmp.Diff(map[string]int32{imageV1: 4, imageV2: 1}, h.ofRollout()); diff != "" {
		t.Error(diff)
	}
	if rollout := h.rollout(); rollout.Spec.Template.Raw != nil || rollout.Spec.Selector != nil || rollout.Spec.WorkloadRef == nil {
		t.Errorf("the spec was changed: %+v", rollout.Spec)
	}
}

func TestAMissingDeploymentHoldsEverything(t *testing.T) {
	h := newHarness(t, append(network(), referring(routed(), v1alpha1.WorkloadScaleDownNever))...)
	h.settle()
	h.wantStalled(v1alpha1.ReasonWorkloadNotFound, []string{"spec.workloadRef.name", `Deployment "web" does not exist`, "create it"})
	h.make(webDeployment(0))
	h.settle()
	h.setImage(imageV2)
	h.settle()
	before := h.picture()
	h.remove(&appsv1.Deployment{ObjectMeta: web()})
	h.settle()
	h.wantStalled(v1alpha1.ReasonWorkloadNotFound, []string{"web"})
	after := h.picture()
	for _, key := range []string{"stage", "stable", "update", "sizes", "active"} {
		if before[key] != after[key] {
			t.Errorf("%s was %s and is %s", key, before[key], after[key])
		}
	}
	if h.weight() != 20 || h.rollout().Status.Selector != "app=web" {
		t.Errorf("weight %d, selector %q", h.weight(), h.rollout().Status.Selector)
	}
}

// The pods of the Deployment go when ours have all traffic, or one by one before that; there are never fewer than wanted.
func TestPodsOfTheDeploymentGo(t *testing.T) {
	for _, scaleDown := range []v1alpha1.WorkloadScaleDown{
		v1alpha1.WorkloadScaleDownNever, v1alpha1.WorkloadScaleDownOnSuccess, v1alpha1.WorkloadScaleDownProgressively,
	} {
		t.Run(string(scaleDown), func(t *testing.T) {
			h := newHarness(t, append(network(), webDeployment(4))...)
			h.settleWorkload()
			h.make(referring(routed(), scaleDown))
			h.fault = func(_ int, write func() error) error {
				err := write()
				if n := h.endpoints("web"); n < 4 {
					t.Errorf("after %s web has %d ready endpoints", h.writes[len(h.writes)-1], n)
				}
				return err
			}
			h.settle()
			d := &appsv1.Deployment{}
			h.get("web", d)
			want, remembered := int32(0), ptr.To[int32](4)
			if scaleDown == v1alpha1.WorkloadScaleDownNever {
				want, remembered = 4, nil
			}
			if *d.Spec.Replicas != want || !cmp.Equal(h.rollout().Status.Workload.Replicas, remembered) {
				t.Errorf("the Deployment has %d pods, and %v are remembered", *d.Spec.Replicas, h.rollout().Status.Workload.Replicas)
			}
			// Going away gives the Deployment its pods again, before those of the Rollout may go.
			h.end()
			h.get("web", d)
			if *d.Spec.Replicas != 4 || d.Status.AvailableReplicas != 4 || h.selected("web") != "" {
				t.Errorf("after the end the Deployment has %d pods, %d available; web selects %q", *d.Spec.Replicas,
					d.Status.AvailableReplicas, h.selected("web"))
			}
			if told := h.told(); slices.ContainsFunc(told, func(e string) bool { return strings.HasPrefix(e, "Warning") }) {
				t.Errorf("told of %v", told)
			}
		})
	}
}

// settleWorkload lets the Deployment come up.
func (h *harness) settleWorkload() {
	h.t.Helper()
	for range 5 {
		if err := h.plane.Step(h.t.Context()); err != nil {
			h.t.Fatal(err)
		}
	}
}

// endpoints is the number of ready pods that a Service selects.
func (h *harness) endpoints(name string) int {
	h.t.Helper()
	service, pods := &corev1.Service{}, &corev1.PodList{}
	h.get(name, service)
	if err := h.base.List(h.t.Context(), pods, client.InNamespace(namespace), client.MatchingLabels(service.Spec.Selector)); err != nil {
		h.t.Fatal(err)
	}
	return len(pods.Items)
}
