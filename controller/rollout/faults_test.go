package rollout

import (
	"errors"
	"fmt"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller/revision"
	"github.com/sluice-dev/sluice/test/builder"
)

// story is a first rollout, a release that is promoted, and one that is aborted.
func story(h *harness) map[string]string {
	h.t.Helper()
	h.settle()
	h.release(imageV2)
	h.settle()
	h.command(v1alpha1.ActionPromote, h.rollout().Status.State.Candidate, "1")
	h.settle()
	h.elapse(v1alpha1.DefaultScaleDownDelay)
	h.release(imageV3)
	h.settle()
	h.command(v1alpha1.ActionAbort, h.rollout().Status.State.Candidate, "2")
	h.settle()
	h.elapse(v1alpha1.DefaultScaleDownDelay)
	return h.picture()
}

func newStory(t *testing.T) *harness {
	t.Helper()
	return newHarness(t, append(network(), routed().Obj())...)
}

// A write that fails, or whose answer is lost, or after which the controller dies, changes nothing about the end, at
// whichever write of the story it happens.
func TestAFaultAtAnyWriteEndsTheSame(t *testing.T) {
	clean := newStory(t)
	want := story(clean)
	total := len(clean.writes)
	faults := map[string]func(h *harness, write func() error) error{
		"crash after the write": func(h *harness, write func() error) error {
			err := write()
			h.restart()
			return errors.Join(err, errors.New("the controller has died"))
		},
		"answer lost":  func(_ *harness, write func() error) error { return errors.Join(write(), unavailable()) },
		"request lost": func(*harness, func() error) error { return unavailable() },
		"conflict":     func(*harness, func() error) error { return conflict() },
	}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for at := 1; at <= total; at++ {
				h := newStory(t)
				h.fault = func(n int, write func() error) error {
					if n == at {
						return fault(h, write)
					}
					return write()
				}
				if diff := cmp.Diff(want, story(h)); diff != "" {
					t.Fatalf("after a fault at write %d of %d, %s: %s", at, total, h.writes[at-1], diff)
				}
			}
		})
	}
}

func conflict() error {
	return apierrors.NewConflict(schema.GroupResource{Resource: "things"}, "web", errors.New("it has changed"))
}

// A conflict is no error: it is not logged, and does not slow down what comes next.
func TestAConflictIsQuiet(t *testing.T) {
	h := newStory(t)
	h.fault = func(int, func() error) error { return conflict() }
	result, err := h.pass()
	if err != nil || result.RequeueAfter != conflictWait {
		t.Errorf("got %v, %v, want another look after %s", result, err, conflictWait)
	}
}

// freeze is a cache that has stopped: it shows what is there now, for ever.
func freeze(t *testing.T, h *harness) client.Reader {
	t.Helper()
	b := fake.NewClientBuilder().WithScheme(h.base.Scheme())
	for _, index := range Indexes() {
		b = b.WithIndex(index.Object, index.Name, index.Values)
	}
	for _, list := range []client.ObjectList{&v1alpha1.RolloutList{}, &appsv1.ReplicaSetList{}, &corev1.ServiceList{}} {
		if err := h.base.List(t.Context(), list); err != nil {
			t.Fatal(err)
		}
		b = b.WithLists(list)
	}
	return b.Build()
}

// A pass whose cache is behind the controller's own writes does nothing, however often it is repeated.
func TestAStaleCacheDecidesNothing(t *testing.T) {
	h := newHarness(t, builder.Rollout("web").Namespace(namespace).Image(imageV1).Replicas(2).Obj())
	if _, err := h.pass(); err != nil { // the release begins
		t.Fatal(err)
	}
	h.r.cache = freeze(t, h)
	h.r.writes.cache = h.r.cache
	if _, err := h.pass(); err != nil { // the ReplicaSet is created
		t.Fatal(err)
	}
	if len(h.listReplicaSets()) != 1 {
		t.Fatalf("%d ReplicaSets, want 1", len(h.listReplicaSets()))
	}
	got := h.since(func() {
		for range 5 {
			result, err := h.pass()
			if err != nil || result.RequeueAfter != staleWait {
				t.Errorf("got %v, %v, want to wait for the cache", result, err)
			}
		}
	})
	if len(got) != 0 {
		t.Errorf("a pass with a stale cache wrote %v", got)
	}
	h.r.cache, h.r.writes.cache = h.base, h.base
	h.settle()
	if got := h.rollout().Status.Phase; got != v1alpha1.PhaseHealthy {
		t.Errorf("phase %s once the cache has caught up", got)
	}
}

// What was created and deleted before the cache saw it will never be in the cache: the API server is asked in the end.
func TestALostWriteIsNotWaitedForForEver(t *testing.T) {
	h := newHarness(t, builder.Rollout("web").Namespace(namespace).Image(imageV1).Replicas(2).Obj())
	if _, err := h.pass(); err != nil {
		t.Fatal(err)
	}
	stale := freeze(t, h)
	if _, err := h.pass(); err != nil {
		t.Fatal(err)
	}
	rs := h.replicaSetOf(imageV1)
	if err := h.base.Delete(t.Context(), rs); err != nil {
		t.Fatal(err)
	}
	ctx := onBehalfOf(t.Context(), h.key)
	h.r.writes.cache = stale
	if wait, err := h.r.writes.behind(ctx, h.key); err != nil || wait != staleWait {
		t.Fatalf("at first: wait %s, %v, want %s", wait, err, staleWait)
	}
	h.clock.SetTime(h.clock.Now().Add(doubtAfter))
	h.r.writes.cache = h.base // what it shows of the Rollout is new, and of the ReplicaSet nothing
	if wait, err := h.r.writes.behind(ctx, h.key); err != nil || wait != 0 {
		t.Fatalf("after %s: wait %s, %v, want none", doubtAfter, wait, err)
	}
	h.settle()
	if got := h.rollout().Status.Phase; got != v1alpha1.PhaseHealthy {
		t.Errorf("phase %s", got)
	}
}

// While the API server still has what the cache lacks, the cache is what is wrong, and is waited for.
func TestADoubtfulCacheIsWaitedFor(t *testing.T) {
	h := newHarness(t, builder.Rollout("web").Namespace(namespace).Image(imageV1).Replicas(2).Obj())
	if _, err := h.pass(); err != nil {
		t.Fatal(err)
	}
	h.r.writes.cache = freeze(t, h)
	if _, err := h.pass(); err != nil {
		t.Fatal(err)
	}
	h.clock.SetTime(h.clock.Now().Add(doubtAfter))
	if wait, err := h.r.writes.behind(t.Context(), h.key); err != nil || wait != doubtWait {
		t.Errorf("wait %s, %v, want %s", wait, err, doubtWait)
	}
}

func TestNothingIsRememberedAtRest(t *testing.T) {
	h := started(t, routed(), network()...)
	if _, err := h.pass(); err != nil {
		t.Fatal(err)
	}
	if n := len(h.r.writes.pending); n != 0 {
		t.Errorf("%d Rollouts are remembered at rest", n)
	}
	h.release(imageV2)
	if _, err := h.pass(); err != nil {
		t.Fatal(err)
	}
	h.end()
	if _, err := h.pass(); err != nil {
		t.Fatal(err)
	}
	if n := len(h.r.writes.pending); n != 0 {
		t.Errorf("%d Rollouts are remembered after the only one was deleted", n)
	}
}

// A start of the controller, a resync and an edit that means nothing write nothing; an edit that changes nothing for the
// machine writes that it was seen.
func TestQuiet(t *testing.T) {
	h := started(t, routed(), network()...)
	h.elapse(time.Hour)
	if got := h.since(func() { h.settle(); h.restart(); h.settle(); h.elapse(10 * time.Hour) }); len(got) != 0 {
		t.Errorf("at rest the controller wrote %v", got)
	}
	h.edit(func(r *v1alpha1.Rollout) { r.Labels = map[string]string{"team": "shop"} })
	if got := h.since(h.settle); len(got) != 0 {
		t.Errorf("after an edit of a label the controller wrote %v", got)
	}
	h.edit(func(r *v1alpha1.Rollout) {
		r.Spec.ProgressDeadlineSeconds = new(int32)
		*r.Spec.ProgressDeadlineSeconds = 300
	})
	got := h.since(h.settle)
	if diff := cmp.Diff([]string{"status *v1alpha1.Rollout/web"}, got); diff != "" {
		t.Errorf("after an edit of the deadline: %s", diff)
	}
	rollout := h.rollout()
	if rollout.Status.ObservedGeneration != rollout.Generation {
		t.Errorf("observed generation %d of %d", rollout.Status.ObservedGeneration, rollout.Generation)
	}
	if told := h.told(); len(told) != 0 {
		t.Errorf("at rest the controller told of %v", told)
	}
}

// A ReplicaSet of somebody else that has the name of the target changes the hash, once, and stays as it is.
func TestAForeignReplicaSetIsACollision(t *testing.T) {
	rollout := builder.Rollout("web").Namespace(namespace).Image(imageV1).Replicas(2)
	hash, err := revision.Hash(rollout.Obj().Spec.Template.Raw, 0)
	if err != nil {
		t.Fatal(err)
	}
	foreign := &appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{Name: revision.ReplicaSetName("web", hash), Labels: map[string]string{"app": "web", v1alpha1.LabelPodTemplateHash: hash}},
		Spec: appsv1.ReplicaSetSpec{
			Replicas: new(int32),
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web", v1alpha1.LabelPodTemplateHash: hash}},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "web", v1alpha1.LabelPodTemplateHash: hash}},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "other", Image: "registry.example/other:v1"}}},
			},
		},
	}
	h := newHarness(t, foreign, rollout.Obj())
	before := &appsv1.ReplicaSet{}
	h.get(foreign.Name, before)
	h.settle()
	status := h.rollout().Status
	if status.State.CollisionCount != 1 || status.Phase != v1alpha1.PhaseHealthy || status.StableRevision == hash {
		t.Fatalf("collision count %d, phase %s, stable %s: %s", status.State.CollisionCount, status.Phase, status.StableRevision, status.Message)
	}
	after := &appsv1.ReplicaSet{}
	h.get(foreign.Name, after)
	if diff := cmp.Diff(before.Spec, after.Spec); diff != "" {
		t.Errorf("the foreign ReplicaSet was changed: %s", diff)
	}
	h.release(imageV2)
	h.settle()
	if got := h.rollout().Status; got.State.CollisionCount != 1 || got.Phase != v1alpha1.PhaseHealthy {
		t.Errorf("the next release: collision count %d, phase %s: %s", got.State.CollisionCount, got.Phase, got.Message)
	}
	h.release(imageV1)
	h.settle()
	if got := h.rollout().Status; got.StableRevision != status.StableRevision || len(h.listReplicaSets()) != 3 {
		t.Errorf("the first template again is %s with %d ReplicaSets, want %s with 3", got.StableRevision,
			len(h.listReplicaSets()), status.StableRevision)
	}
}

// A ReplicaSet whose labels match, and that belongs to nobody or to another Rollout, is never touched.
func TestOthersReplicaSetsAreLeftAlone(t *testing.T) {
	h := started(t, builder.Rollout("web").Namespace(namespace).Image(imageV1).Replicas(2))
	mine := h.replicaSetOf(imageV1)
	for i, owner := range []types.UID{"", "another-uid"} {
		other := mine.DeepCopy()
		other.ObjectMeta = metav1.ObjectMeta{Namespace: namespace, Name: fmt.Sprintf("other-%d", i), Labels: mine.Labels}
		other.Spec.Replicas = new(int32)
		*other.Spec.Replicas = 3
		if owner != "" {
			ref := mine.OwnerReferences[0]
			ref.UID = owner
			other.OwnerReferences = []metav1.OwnerReference{ref}
		}
		if err := h.base.Create(t.Context(), other); err != nil {
			t.Fatal(err)
		}
	}
	h.release(imageV2)
	h.settle()
	h.elapse(time.Minute)
	for i := range 2 {
		other := &appsv1.ReplicaSet{}
		h.get(fmt.Sprintf("other-%d", i), other)
		if *other.Spec.Replicas != 3 {
			t.Errorf("%s was scaled to %d", other.Name, *other.Spec.Replicas)
		}
	}
	if got := h.rollout().Status; got.Replicas != 2 {
		t.Errorf("the status counts %d pods, want its own 2", got.Replicas)
	}
}

func TestADeletedRolloutIsLeftAlone(t *testing.T) {
	rollout := builder.Rollout("web").Namespace(namespace).Image(imageV1).Obj()
	rollout.Finalizers = []string{"example.com/hold"}
	h := newHarness(t, rollout)
	if err := h.base.Delete(t.Context(), h.rollout()); err != nil {
		t.Fatal(err)
	}
	h.settle()
	if len(h.writes) != 0 {
		t.Errorf("for a Rollout that is being deleted the controller wrote %v", h.writes)
	}
}
