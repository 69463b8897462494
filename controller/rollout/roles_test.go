package rollout

import (
	"errors"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/builder"
)

// roles gives pods a label and an annotation by their role.
func roles(r *v1alpha1.Rollout) {
	r.Spec.RoleMetadata = &v1alpha1.RoleMetadata{
		Stable:    &v1alpha1.PodMetadata{Labels: map[string]string{"role": "stable"}},
		Candidate: &v1alpha1.PodMetadata{Labels: map[string]string{"role": "candidate"}, Annotations: map[string]string{"team/watch": "yes"}},
	}
}

// rolesOfPods are the labels and annotations of roles on the pods of each image: "label annotation" to the number of pods.
func (h *harness) rolesOfPods() map[string]map[string]int {
	h.t.Helper()
	var list corev1.PodList
	if err := h.base.List(h.t.Context(), &list); err != nil {
		h.t.Fatal(err)
	}
	out := map[string]map[string]int{}
	for _, pod := range list.Items {
		image := pod.Spec.Containers[0].Image
		if out[image] == nil {
			out[image] = map[string]int{}
		}
		out[image][pod.Labels["role"]+" "+pod.Annotations["team/watch"]]++
	}
	return out
}

func TestMetadataOfARoleMovesWithoutARestart(t *testing.T) {
	h := started(t, routed().With(roles), network()...)
	check := func(when string, want map[string]map[string]int) {
		t.Helper()
		if diff := cmp.Diff(want, h.rolesOfPods()); diff != "" {
			t.Errorf("%s: %s", when, diff)
		}
	}
	check("the first revision", map[string]map[string]int{imageV1: {"stable ": 4}})
	h.release(imageV2)
	h.settle()
	check("at the first step", map[string]map[string]int{imageV1: {"stable ": 4}, imageV2: {"candidate yes": 1}})
	before := h.podNames()
	h.command(v1alpha1.ActionPromote, h.rollout().Status.State.Candidate, "1")
	h.settle()
	check("promoted", map[string]map[string]int{imageV1: {" ": 4}, imageV2: {"stable ": 4}})
	h.elapse(v1alpha1.DefaultScaleDownDelay)
	check("the old pods are gone", map[string]map[string]int{imageV2: {"stable ": 4}})
	candidates := 0
	for name := range h.podNames() {
		if before[name] {
			candidates++
		}
	}
	if candidates != 1 {
		t.Errorf("%d pods of the candidate are still there, want the 1 that it had: moving metadata restarts nothing", candidates)
	}
	template := h.replicaSetOf(imageV2).Spec.Template
	if got := template.Labels["role"] + " " + template.Annotations["team/watch"]; got != "stable " {
		t.Errorf("pods to come get %q, want %q", got, "stable ")
	}
	if writes := h.since(h.settle); len(writes) > 0 {
		t.Errorf("at rest it writes %v", writes)
	}
}

// A role that is changed or taken out of the spec changes the pods that run, and an abort moves nothing.
func TestMetadataOfARoleFollowsTheSpec(t *testing.T) {
	h := started(t, routed().With(roles), network()...)
	h.edit(func(r *v1alpha1.Rollout) {
		r.Spec.RoleMetadata.Stable = &v1alpha1.PodMetadata{Annotations: map[string]string{"team/watch": "no"}}
	})
	h.settle()
	if diff := cmp.Diff(map[string]map[string]int{imageV1: {" no": 4}}, h.rolesOfPods()); diff != "" {
		t.Errorf("changed: %s", diff)
	}
	h.edit(func(r *v1alpha1.Rollout) { r.Spec.RoleMetadata = nil })
	h.settle()
	if diff := cmp.Diff(map[string]map[string]int{imageV1: {" ": 4}}, h.rolesOfPods()); diff != "" {
		t.Errorf("taken out: %s", diff)
	}
}

// Metadata of a role is no part of the identity of a revision.
func TestMetadataOfARoleStartsNoRelease(t *testing.T) {
	h := started(t, routed(), network()...)
	before := h.rollout().Status
	h.edit(roles)
	h.settle()
	after := h.rollout().Status
	if before.UpdateRevision != after.UpdateRevision || after.State.Attempt != before.State.Attempt {
		t.Errorf("revision %s attempt %d became %s attempt %d", before.UpdateRevision, before.State.Attempt,
			after.UpdateRevision, after.State.Attempt)
	}
	if diff := cmp.Diff(map[string]map[string]int{imageV1: {"stable ": 4}}, h.rolesOfPods()); diff != "" {
		t.Error(diff)
	}
}

// A crash at any write ends with the same metadata on every pod.
func TestMetadataOfARoleSurvivesACrash(t *testing.T) {
	rolling := func() *harness {
		return started(t, builder.Rollout("web").Namespace(namespace).Image(imageV1).Replicas(1).RollingUpdate("1", "0").With(roles))
	}
	story := func(h *harness) map[string]map[string]int {
		h.release(imageV2)
		h.settle()
		return h.rolesOfPods()
	}
	clean := rolling()
	first := len(clean.writes)
	want := story(clean)
	for at := first + 1; at <= len(clean.writes); at++ {
		h := rolling()
		h.fault = func(n int, write func() error) error {
			err := write()
			if n == at {
				h.restart()
				return errors.Join(err, errors.New("the controller has died"))
			}
			return err
		}
		if diff := cmp.Diff(want, story(h)); diff != "" {
			t.Fatalf("after a crash at write %d, %s: %s", at, h.writes[at-1], diff)
		}
	}
}

// A policy that keeps the metadata of a role from a ReplicaSet is told of, and holds up no release.
func TestARefusedRoleHoldsUpNoRelease(t *testing.T) {
	h := started(t, routed().With(roles), network()...)
	h.fault = func(_ int, write func() error) error {
		last := h.writes[len(h.writes)-1]
		candidate := h.rollout().Status.State.Stage == v1alpha1.StageIdle && strings.HasPrefix(last, "patch *v1.ReplicaSet")
		if candidate {
			return apierrors.NewForbidden(schema.GroupResource{Resource: "replicasets"}, "web", errors.New("a policy"))
		}
		return write()
	}
	h.release(imageV2)
	h.settle()
	h.command(v1alpha1.ActionPromote, h.rollout().Status.State.Candidate, "1")
	h.settle()
	status := h.rollout().Status
	if status.StableRevision != status.UpdateRevision || status.History[0].Outcome != v1alpha1.OutcomePromoted {
		t.Errorf("stable is %s of %s: %s", status.StableRevision, status.UpdateRevision, status.Message)
	}
	if !strings.Contains(status.Message, "spec.roleMetadata") || !strings.Contains(status.Message, "a policy") {
		t.Errorf("message %q, want the refusal in it", status.Message)
	}
}

func TestAntiAffinityIsAddedToWhatTheTemplateHas(t *testing.T) {
	rollout := builder.Rollout("web").Namespace(namespace).Replicas(1).Image(imageV1).With(func(r *v1alpha1.Rollout) {
		r.Spec.AntiAffinity = &v1alpha1.AntiAffinity{Strength: v1alpha1.AntiAffinityRequired}
	})
	h := started(t, rollout)
	rs := h.replicaSetOf(imageV1)
	terms := rs.Spec.Template.Spec.Affinity.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution
	if len(terms) != 1 || terms[0].TopologyKey != corev1.LabelHostname {
		t.Fatalf("terms %v, want one by host name", terms)
	}
	pods := map[string]bool{
		rs.Labels[v1alpha1.LabelPodTemplateHash]: false, "anotherone": true, "": false,
	}
	for hash, want := range pods {
		labels := map[string]string{"app": "web"}
		if hash != "" {
			labels[v1alpha1.LabelPodTemplateHash] = hash
		}
		if got := matches(t, terms[0].LabelSelector, labels); got != want {
			t.Errorf("away from pods with hash %q: %v, want %v", hash, got, want)
		}
	}
	before := h.rollout().Status.UpdateRevision
	h.edit(func(r *v1alpha1.Rollout) { r.Spec.AntiAffinity = nil })
	h.settle()
	if after := h.rollout().Status.UpdateRevision; after != before {
		t.Errorf("revision %s became %s: anti-affinity is no part of it", before, after)
	}
}

func TestPreferredAntiAffinity(t *testing.T) {
	weight := int32(7)
	template := map[string]any{}
	mine := map[string]any{"weight": int64(1), "podAffinityTerm": map[string]any{"topologyKey": "zone"}}
	if err := appendTerm(template, "preferredDuringSchedulingIgnoredDuringExecution", &corev1.WeightedPodAffinityTerm{
		Weight: 1, PodAffinityTerm: corev1.PodAffinityTerm{TopologyKey: "zone"},
	}); err != nil {
		t.Fatal(err)
	}
	rule := &v1alpha1.AntiAffinity{Strength: v1alpha1.AntiAffinityPreferred, Weight: &weight, TopologyKey: "rack"}
	if err := addAntiAffinity(template, builder.Rollout("web").Obj().Spec.Selector, "abc", rule); err != nil {
		t.Fatal(err)
	}
	terms := template["spec"].(map[string]any)["affinity"].(map[string]any)["podAntiAffinity"].(map[string]any)["preferredDuringSchedulingIgnoredDuringExecution"].([]any)
	if len(terms) != 2 || !equality.Semantic.DeepEqual(terms[0], mine) {
		t.Fatalf("terms %v, want that of the template and one more", terms)
	}
	if second := terms[1].(map[string]any); second["weight"] != int64(7) || second["podAffinityTerm"].(map[string]any)["topologyKey"] != "rack" {
		t.Errorf("term %v, want weight 7 by rack", second)
	}
}

func matches(t *testing.T, selector *metav1.LabelSelector, set map[string]string) bool {
	t.Helper()
	parsed, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		t.Fatal(err)
	}
	return parsed.Matches(labels.Set(set))
}
