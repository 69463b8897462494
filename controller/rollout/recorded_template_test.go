package rollout

import (
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller/revision"
)

// TestReplicaSetsKeepTheTemplateAsItWasWritten holds what an undo stands on: the template that comes back has the hash
// of the revision to go back to, whatever defaults the API server put into the ReplicaSet.
func TestReplicaSetsKeepTheTemplateAsItWasWritten(t *testing.T) {
	h := newHarness(t, append(network(), routed().Obj())...)
	h.settle()
	rs := h.replicaSetOf(imageV1)
	want := h.rollout().Status.StableRevision
	got, err := revision.Hash([]byte(rs.Annotations[v1alpha1.AnnotationTemplate]), 0)
	if err != nil || got != want {
		t.Errorf("the template of revision %s hashes to %q, %v", want, got, err)
	}
}

func TestTemplateTooLongForAnAnnotation(t *testing.T) {
	long := []byte(strings.Repeat("x", maxRecordedTemplate+1))
	if _, kept := annotationsOf(1, long)[v1alpha1.AnnotationTemplate]; kept {
		t.Error("the API server would refuse the ReplicaSet")
	}
}

// TestAMutatedTemplateIsStillItsRevision holds that defaults of the API server and the sidecar of a webhook, in the template
// of a ReplicaSet, start nothing: a revision is what the user wrote.
func TestAMutatedTemplateIsStillItsRevision(t *testing.T) {
	h := started(t, plain())
	first := h.rollout().Status.StableRevision
	mutate := func(image string) {
		alter(h, h.replicaSetOf(image).Name, &appsv1.ReplicaSet{}, func(rs *appsv1.ReplicaSet) {
			pod := &rs.Spec.Template
			pod.Annotations = map[string]string{"webhook.example/injected": "true"}
			pod.Spec.DNSPolicy, pod.Spec.SchedulerName = corev1.DNSClusterFirst, "default-scheduler"
			pod.Spec.Containers = append(pod.Spec.Containers, corev1.Container{Name: "proxy", Image: "registry.example/proxy:v1"})
		})
	}
	mutate(imageV1)
	before := h.version()
	for range 3 {
		h.mustPass()
	}
	if h.version() != before {
		t.Error("a mutated template was written after")
	}
	h.release(imageV2)
	h.mustPass()
	h.mustPass()
	mutate(imageV2)
	h.settle()
	h.release(imageV1)
	h.settle()
	got := h.rollout().Status
	if got.StableRevision != first || len(h.listReplicaSets()) != 2 || got.State.CollisionCount != 0 || got.State.Attempt != 3 {
		t.Errorf("stable %s, was %s; %d ReplicaSets, %d collisions, %d releases; want 2, 0 and 3", got.StableRevision, first,
			len(h.listReplicaSets()), got.State.CollisionCount, got.State.Attempt)
	}
}
