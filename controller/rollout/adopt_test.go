package rollout

import (
	"maps"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller/revision"
	"github.com/sluice-dev/sluice/test/builder"
)

// abandoned is a ReplicaSet as a Deployment leaves it behind when it is deleted without its pods.
func abandoned(hash, number, image string, replicas int32) *appsv1.ReplicaSet {
	labels := map[string]string{"app": "web", v1alpha1.LabelPodTemplateHash: hash}
	return &appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{
			Name: "web-" + hash, Labels: labels, Annotations: map[string]string{annotationDeploymentRevision: number},
		},
		Spec: appsv1.ReplicaSetSpec{
			Replicas: ptr.To(replicas),
			Selector: &metav1.LabelSelector{MatchLabels: maps.Clone(labels)},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: maps.Clone(labels)},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "web", Image: image}}},
			},
		},
	}
}

// leftBehind is a harness with what a Deployment left behind, its pods running.
func leftBehind(t *testing.T, sets ...*appsv1.ReplicaSet) *harness {
	t.Helper()
	h := newHarness(t, network()...)
	for _, rs := range sets {
		h.make(rs)
	}
	for range 3 {
		if err := h.plane.Step(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	return h
}

func TestPodsOfADeploymentAreAdoptedAsTheyAre(t *testing.T) {
	h := leftBehind(t, abandoned("5d8f7c9b4", "7", imageV1, 4), abandoned("6c7d8e9f0", "6", "registry.example/web:v0", 0))
	pods := h.podNames()
	h.make(routed().Obj())
	h.settle()
	if diff := cmp.Diff(pods, h.podNames()); diff != "" {
		t.Errorf("pods were replaced: %s", diff)
	}
	status := h.rollout().Status
	if status.Phase != v1alpha1.PhaseHealthy || status.StableRevision != "5d8f7c9b4" || h.selected("web") != "5d8f7c9b4" {
		t.Errorf("%s at %s, web selects %s: %s", status.Phase, status.StableRevision, h.selected("web"), status.Message)
	}
	numbers := map[string]int64{}
	for _, rs := range h.listReplicaSets() {
		if !metav1.IsControlledBy(&rs, h.rollout()) {
			t.Errorf("%s is not adopted", rs.Name)
		}
		numbers[rs.Name] = v1alpha1.RevisionNumber(&rs)
	}
	if diff := cmp.Diff(map[string]int64{"web-5d8f7c9b4": 7, "web-6c7d8e9f0": 6}, numbers); diff != "" {
		t.Errorf("numbers of revisions: %s", diff)
	}
}

// A Rollout that was deleted without its pods comes back to them.
func TestARolloutComesBackToItsPods(t *testing.T) {
	rollout := routed().Obj()
	rollout.Spec.RoleMetadata = &v1alpha1.RoleMetadata{Stable: &v1alpha1.PodMetadata{Labels: map[string]string{"role": "stable"}}}
	h := leftBehind(t)
	h.make(rollout.DeepCopy())
	h.settle()
	pods, name := h.podNames(), h.replicaSetOf(imageV1).Name
	alter(h, name, &appsv1.ReplicaSet{}, func(rs *appsv1.ReplicaSet) { rs.OwnerReferences = nil })
	h.remove(h.rollout())
	h.settle()
	h.make(rollout)
	h.settle()
	if diff := cmp.Diff(pods, h.podNames()); diff != "" || !metav1.IsControlledBy(h.replicaSetOf(imageV1), h.rollout()) {
		t.Errorf("%s is owned by %v; pods: %s", name, h.replicaSetOf(imageV1).OwnerReferences, diff)
	}
}

// What an undo writes into the spec finds the ReplicaSet that it was read from.
func TestAnAdoptedRevisionIsFoundAgain(t *testing.T) {
	h := leftBehind(t, abandoned("5d8f7c9b4", "7", imageV1, 4), abandoned("6c7d8e9f0", "6", "registry.example/web:v0", 0))
	h.make(builder.Rollout("web").Image(imageV1).Replicas(4).Obj())
	h.settle()
	h.release(imageV2)
	h.settle()
	for _, back := range []string{"web-6c7d8e9f0", "web-5d8f7c9b4"} {
		rs := &appsv1.ReplicaSet{}
		h.get(back, rs)
		h.edit(func(r *v1alpha1.Rollout) { r.Spec.Template.Raw = []byte(rs.Annotations[v1alpha1.AnnotationTemplate]) })
		h.settle()
		if got := h.rollout().Status; "web-"+got.StableRevision != back || got.Phase != v1alpha1.PhaseHealthy {
			t.Errorf("back to %s is %s at %s: %s", back, got.Phase, got.StableRevision, got.Message)
		}
	}
	if got := len(h.listReplicaSets()); got != 3 {
		t.Errorf("%d ReplicaSets, want 3", got)
	}
}

func TestOtherPodsAreNotAdopted(t *testing.T) {
	strange := abandoned("5d8f7c9b4", "7", imageV1, 4)
	strange.Spec.Template.Spec.Containers[0].Env = []corev1.EnvVar{{Name: "A", Value: "b"}}
	long := abandoned("5d8f7c9b4", "7", imageV1, 4)
	long.Name = strings.Repeat("long-", 11) + "5d8f7c9b4"
	owned := abandoned("5d8f7c9b4", "7", imageV1, 4)
	owned.OwnerReferences = []metav1.OwnerReference{{
		APIVersion: "apps/v1", Kind: "Deployment", Name: "web", UID: types.UID("other"), Controller: ptr.To(true),
	}}
	other := abandoned("5d8f7c9b4", "7", imageV1, 4)
	other.Labels["app"] = "shop"
	for name, tc := range map[string]struct {
		rs       *appsv1.ReplicaSet
		wantTold bool
	}{
		"another template":    {strange, true},
		"a name that is long": {long, true},
		"another owner":       {owned, false},
		"another selector":    {other, false},
	} {
		t.Run(name, func(t *testing.T) {
			h := leftBehind(t, tc.rs)
			before := h.podNames()
			h.make(builder.Rollout("web").Image(imageV1).Replicas(2).Obj())
			h.settle()
			after := &appsv1.ReplicaSet{}
			h.get(tc.rs.Name, after)
			if diff := cmp.Diff(tc.rs.OwnerReferences, after.OwnerReferences); diff != "" || *after.Spec.Replicas != 4 {
				t.Errorf("it was touched: %d pods, owners %s", *after.Spec.Replicas, diff)
			}
			if got := len(h.podNames()); got != len(before)+2 {
				t.Errorf("%d pods, want the %d of the ReplicaSet and 2 of the Rollout", got, len(before))
			}
			told := slices.ContainsFunc(h.told(), func(e string) bool { return strings.Contains(e, v1alpha1.ReasonNotAdopted) })
			if told != tc.wantTold {
				t.Errorf("told %v, want %v", told, tc.wantTold)
			}
			if got := h.since(h.settle); len(got) != 0 {
				t.Errorf("at rest it writes %v", got)
			}
		})
	}
}

// A ReplicaSet without pods whose hash is that of the template, and whose template is not, is no earlier revision.
func TestATakenHashIsNotAdopted(t *testing.T) {
	rollout := builder.Rollout("web").Image(imageV1).Replicas(2).Obj()
	hash, err := revision.Hash(rollout.Spec.Template.Raw, 0)
	if err != nil {
		t.Fatal(err)
	}
	taken := abandoned(hash, "1", imageV2, 0)
	taken.Name = "shop-" + hash
	h := leftBehind(t, taken)
	// While the Rollout has another template, the ReplicaSet is an earlier revision like any other.
	h.make(builder.Rollout("web").Image(imageV3).Replicas(2).Obj())
	h.settle()
	h.edit(func(r *v1alpha1.Rollout) { r.Spec.Template = rollout.Spec.Template })
	h.settle()
	got := h.rollout().Status
	if got.Phase != v1alpha1.PhaseHealthy || got.StableRevision == hash || *h.replicaSetOf(imageV1).Spec.Replicas != 2 {
		t.Errorf("%s at %s: %s", got.Phase, got.StableRevision, got.Message)
	}
}

// A crash between two adoptions, or a Rollout that another one of the same selector overtakes, ends with one owner.
func TestAdoptionHasOneOwner(t *testing.T) {
	h := leftBehind(t, abandoned("5d8f7c9b4", "7", imageV1, 4), abandoned("6c7d8e9f0", "6", "registry.example/web:v0", 0))
	h.make(builder.Rollout("web").Image(imageV1).Replicas(4).Obj())
	died := false
	h.fault = func(_ int, write func() error) error {
		err := write()
		if !died {
			died = true
			h.restart()
			return unavailable()
		}
		return err
	}
	h.settle()
	for _, rs := range h.listReplicaSets() {
		if len(rs.OwnerReferences) != 1 || !metav1.IsControlledBy(&rs, h.rollout()) {
			t.Errorf("%s is owned by %v", rs.Name, rs.OwnerReferences)
		}
	}
	if len(h.listReplicaSets()) != 2 {
		t.Errorf("%d ReplicaSets, want 2", len(h.listReplicaSets()))
	}
}
