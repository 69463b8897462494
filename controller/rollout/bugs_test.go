package rollout

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller/planner"
	"github.com/sluice-dev/sluice/controller/revision"
	"github.com/sluice-dev/sluice/test/builder"
)

// The numbers are those of bugs_test.go in package planner.

func plain() *builder.RolloutBuilder {
	return builder.Rollout("web").Namespace(namespace).Image(imageV1).Replicas(2)
}

// mustPass is one Reconcile that has to succeed.
func (h *harness) mustPass() {
	h.t.Helper()
	if _, err := h.pass(); err != nil {
		h.t.Fatal(err)
	}
}

func (h *harness) wantHealthy() {
	h.t.Helper()
	if got := h.rollout().Status; got.Phase != v1alpha1.PhaseHealthy {
		h.t.Errorf("it is %s: %s", got.Phase, got.Message)
	}
}

// After a write that the cache never showed, or that met a newer object, nothing was ever done again.
func TestB09NoWriteIsWaitedForForEver(t *testing.T) {
	t.Run("what was made is deleted before the cache shows it", func(t *testing.T) {
		h := newHarness(t, plain().Obj())
		h.mustPass()
		h.mustPass()
		h.remove(h.replicaSetOf(imageV1))
		h.settle()
		h.wantHealthy()
	})
	t.Run("every write meets a newer object at first", func(t *testing.T) {
		h := newStory(t)
		met := map[string]bool{}
		h.fault = func(n int, write func() error) error {
			what := fmt.Sprint(h.writes[n-1], h.done)
			if met[what] {
				return write()
			}
			met[what] = true
			return conflict()
		}
		h.settle()
		h.wantHealthy()
	})
}

// A controller that had not seen its own ReplicaSet made a second one for the same template.
func TestB10OneReplicaSetForOneTemplate(t *testing.T) {
	t.Run("after a crash, with a cache that lacks it", func(t *testing.T) {
		h := newHarness(t, plain().Obj())
		h.mustPass()
		h.mustPass()
		h.restart()
		h.r.cache = interceptor.NewClient(h.base, interceptor.Funcs{
			List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
				if _, sets := list.(*appsv1.ReplicaSetList); sets {
					return nil
				}
				return c.List(ctx, list, opts...)
			},
		})
		for range 3 {
			h.mustPass()
		}
		if sets, status := len(h.listReplicaSets()), h.rollout().Status; sets != 1 || status.State.CollisionCount != 0 {
			t.Errorf("%d ReplicaSets, %d collisions", sets, status.State.CollisionCount)
		}
	})
	t.Run("after a collision of another template", func(t *testing.T) {
		h := started(t, plain())
		first := h.rollout().Status.StableRevision
		second, err := revision.Hash(plain().Image(imageV2).Obj().Spec.Template.Raw, 0)
		if err != nil {
			t.Fatal(err)
		}
		foreign := h.replicaSetOf(imageV1).DeepCopy()
		foreign.ObjectMeta = metav1.ObjectMeta{Name: revision.ReplicaSetName("web", second)}
		foreign.Spec.Replicas = new(int32)
		h.make(foreign)
		h.release(imageV2)
		h.settle()
		h.release(imageV1)
		h.settle()
		got := h.rollout().Status
		if got.StableRevision != first || got.State.CollisionCount != 1 || len(h.listReplicaSets()) != 3 {
			t.Errorf("the first template is %s, was %s; %d collisions; %d ReplicaSets, want its own two and the foreign one",
				got.StableRevision, first, got.State.CollisionCount, len(h.listReplicaSets()))
		}
	})
}

// Sizes went up and down forty times in half a minute, and four Rollouts that waited kept a core busy.
func TestB11WhatHasComeToRestIsNotWrittenAgain(t *testing.T) {
	waits := map[string]func(h *harness){
		"at rest":  func(*harness) {},
		"a person": func(h *harness) { h.release(imageV2) },
		"an abort": func(h *harness) {
			h.release(imageV2)
			h.settle()
			h.command(v1alpha1.ActionAbort, h.rollout().Status.State.Candidate, "1")
		},
		"a broken template": func(h *harness) {
			h.edit(func(r *v1alpha1.Rollout) { r.Spec.Template.Raw = []byte(`{}`) })
		},
	}
	for name, wait := range waits {
		t.Run(name, func(t *testing.T) {
			h := started(t, routed(), network()...)
			wait(h)
			h.settle()
			h.elapse(time.Hour)
			for range 20 {
				h.mustPass()
			}
			soon := 0
			written := h.since(func() {
				for range 20 {
					result, err := h.pass()
					if err != nil {
						t.Fatal(err)
					}
					if result.RequeueAfter > 0 && result.RequeueAfter < time.Second {
						soon++
					}
				}
			})
			if len(written) > 0 || soon > 0 {
				t.Errorf("wrote %v; %d of 20 passes want another one within a second", written, soon)
			}
		})
	}
	t.Run("on the way each size is written once", func(t *testing.T) {
		h := started(t, routed(), network()...)
		written := h.since(func() {
			h.release(imageV2)
			h.settle()
			h.command(v1alpha1.ActionPromote, h.rollout().Status.State.Candidate, "1")
			h.settle()
			h.elapse(v1alpha1.DefaultScaleDownDelay)
		})
		if sizes := strings.Count(strings.Join(written, "\n"), "ReplicaSet/"); sizes != 3 {
			t.Errorf("%d writes of ReplicaSets, want 3: v2 at 50 %% and in full, and v1 at none", sizes)
		}
	})
}

// zombie is a leader that has stopped between its look at the world and its writes.
type zombie struct {
	w    *world
	plan planner.Plan
}

func (h *harness) stopBeforeTheWrites() zombie {
	h.t.Helper()
	w, err := h.r.observe(h.t.Context(), h.rollout())
	if err != nil {
		h.t.Fatal(err)
	}
	return zombie{w, planner.Next(w.snapshot)}
}

// goOn performs each write of the plan, as if the one before had succeeded.
func (h *harness) goOn(z zombie) {
	h.t.Helper()
	for _, action := range z.plan.Actions {
		_ = h.r.perform(h.t.Context(), z.w, action)
	}
	_ = h.r.record(h.t.Context(), z.w, z.plan)
}

// versions are the versions of everything that a controller writes.
func (h *harness) versions() map[string]string {
	h.t.Helper()
	out := map[string]string{}
	for _, list := range []client.ObjectList{
		&v1alpha1.RolloutList{}, &appsv1.ReplicaSetList{}, &corev1.ServiceList{}, &corev1.PodList{}, &gatewayv1.HTTPRouteList{},
	} {
		if err := h.base.List(h.t.Context(), list, client.InNamespace(namespace)); err != nil {
			h.t.Fatal(err)
		}
		if err := meta.EachListItem(list, func(item runtime.Object) error {
			obj, err := meta.Accessor(item)
			out[fmt.Sprintf("%T %s", item, obj.GetName())] = obj.GetResourceVersion()
			return err
		}); err != nil {
			h.t.Fatal(err)
		}
	}
	return out
}

// Two leaders at once undid each other's work: one went on from what it had seen before the other took over.
func TestB12AZombieLeaderChangesNothing(t *testing.T) {
	since := map[string]func(h *harness){
		"aborted":  func(h *harness) { h.command(v1alpha1.ActionAbort, h.rollout().Status.State.Candidate, "9") },
		"promoted": func(h *harness) { h.command(v1alpha1.ActionPromoteFull, h.rollout().Status.State.Candidate, "9") },
		"another template, and then the same": func(h *harness) {
			h.release(imageV3)
			h.settle()
			h.release(imageV2)
		},
	}
	for name, happens := range since {
		t.Run(name, func(t *testing.T) {
			h := started(t, routed(), network()...)
			h.release(imageV2)
			var zombies []zombie
			for range 14 {
				zombies = append(zombies, h.stopBeforeTheWrites())
				h.mustPass()
				if err := h.plane.Step(t.Context()); err != nil {
					t.Fatal(err)
				}
				h.clock.SetTime(h.clock.Now().Add(settle))
			}
			happens(h)
			h.settle()
			h.elapse(time.Hour)
			want := h.versions()
			for i, z := range zombies {
				h.goOn(z)
				if diff := cmp.Diff(want, h.versions()); diff != "" {
					t.Fatalf("the leader that stopped before pass %d, and then did %q: %s", i+1, z.plan, diff)
				}
			}
		})
	}
	t.Run("about to delete what is wanted again", func(t *testing.T) {
		h := started(t, plain().HistoryLimit(0))
		h.release(imageV2)
		var z zombie
		for !strings.Contains(z.plan.String(), "delete") {
			h.mustPass()
			if err := h.plane.Step(t.Context()); err != nil {
				t.Fatal(err)
			}
			h.clock.SetTime(h.clock.Now().Add(time.Second))
			z = h.stopBeforeTheWrites()
		}
		rs := h.replicaSetOf(imageV1)
		alter(h, rs.Name, rs, func(rs *appsv1.ReplicaSet) { *rs.Spec.Replicas = 2 })
		h.goOn(z)
		if n := *h.replicaSetOf(imageV1).Spec.Replicas; n != 2 {
			t.Errorf("v1 has %d pods, want 2", n)
		}
	})
}

// A GitOps tool that owns the Rollout saw fields in it change that it had written, and was out of sync for ever.
func TestB19TheSpecIsTheUsersAlone(t *testing.T) {
	h := newStory(t)
	before := h.rollout()
	story(h)
	if n := strings.Count(strings.Join(h.writes, "\n"), "patch *v1alpha1.Rollout/"); n > 1 {
		t.Errorf("the controller wrote the Rollout %d times, want once, for its finalizer", n)
	}
	after := h.rollout()
	after.Spec.Template = before.Spec.Template // the story's releases
	delete(after.Annotations, v1alpha1.AnnotationCommand)
	if diff := cmp.Diff([]string{v1alpha1.FinalizerTraffic}, after.Finalizers); diff != "" || len(after.Annotations)+len(after.Labels) > 0 {
		t.Errorf("annotations %v, labels %v, finalizers %s", after.Annotations, after.Labels, diff)
	}
	if diff := cmp.Diff(before.Spec, after.Spec); diff != "" {
		t.Errorf("the spec: %s", diff)
	}
	alter(h, "web", &gatewayv1.HTTPRoute{}, func(route *gatewayv1.HTTPRoute) {
		route.Spec.Rules[0].BackendRefs = route.Spec.Rules[0].BackendRefs[:1] // as it stands in git
		route.Spec.Rules[0].BackendRefs[0].Weight = nil
	})
	if written := h.since(h.settle); len(written) > 0 {
		t.Errorf("a route as its author wrote it has no share of standby; the controller wrote %v", written)
	}
}

// Another strategy in mid-release left a finalizer, a pause or a selector of the old one behind, and both got stuck.
func TestB20AnEditedStrategyLeavesNothingHalfDone(t *testing.T) {
	edits := map[string]func(*v1alpha1.Rollout){
		"fewer steps": func(r *v1alpha1.Rollout) {
			r.Spec.Strategy.Canary.Steps = r.Spec.Strategy.Canary.Steps[1:]
		},
		"blueGreen": func(r *v1alpha1.Rollout) {
			r.Spec.Strategy = v1alpha1.Strategy{BlueGreen: &v1alpha1.BlueGreenStrategy{}}
		},
	}
	for name, edit := range edits {
		t.Run(name, func(t *testing.T) {
			h := started(t, routed().Canary(builder.Step().Weight("20"), builder.Step().Weight("50").Hold()), network()...)
			h.release(imageV2)
			h.settle()
			h.edit(edit)
			h.settle()
			if status := h.rollout().Status; status.Phase == v1alpha1.PhasePaused {
				h.command(v1alpha1.ActionPromote, status.State.Candidate, "1")
				h.settle()
			}
			h.elapse(time.Hour)
			h.wantHealthy()
			if diff := cmp.Diff(map[string]int32{imageV1: 0, imageV2: 4}, h.replicaSets()); diff != "" || h.weight() != 0 {
				t.Errorf("weight %d, sizes %s", h.weight(), diff)
			}
			h.wantFinalizers(v1alpha1.FinalizerTraffic)
			h.end()
		})
	}
	t.Run("no Services any more", func(t *testing.T) {
		h := started(t, plain().Services("web").BlueGreen(), builder.Service(namespace, "web", "web"))
		h.release(imageV2)
		h.mustPass()
		h.edit(func(r *v1alpha1.Rollout) {
			r.Spec.Services = nil
			r.Spec.Strategy = v1alpha1.Strategy{RollingUpdate: &v1alpha1.RollingUpdateStrategy{}}
		})
		h.settle()
		h.wantHealthy()
		h.wantFinalizers()
		h.end()
	})
	t.Run("from Services of its own to one for all", func(t *testing.T) {
		h := started(t, plain().Services("web").BlueGreen(), builder.Service(namespace, "web", "web"))
		h.edit(func(r *v1alpha1.Rollout) {
			r.Spec.Strategy = v1alpha1.Strategy{RollingUpdate: &v1alpha1.RollingUpdateStrategy{}}
		})
		h.settle()
		if got := h.selected("web"); got != "" {
			t.Errorf("web selects %q, and would lose its endpoints with the next release", got)
		}
		h.release(imageV2)
		h.settle()
		h.wantHealthy()
	})
}

// wantFinalizers holds that the Rollout has these, and that nothing else has any.
func (h *harness) wantFinalizers(want ...string) {
	h.t.Helper()
	if got := h.rollout().Finalizers; !slices.Equal(got, want) {
		h.t.Errorf("the Rollout has finalizers %v, want %v", got, want)
	}
	var objects []client.Object
	for _, rs := range h.listReplicaSets() {
		objects = append(objects, &rs)
	}
	for _, name := range []string{"web", "web-standby"} {
		service := &corev1.Service{}
		h.get(name, service)
		objects = append(objects, service)
	}
	for _, obj := range objects {
		if len(obj.GetFinalizers()) > 0 {
			h.t.Errorf("%T %s has finalizers %v", obj, obj.GetName(), obj.GetFinalizers())
		}
	}
}

// One object with a field left out, which the API allows, ended the controller, and again after each start.
func TestB21PartialObjectsAreSurvived(t *testing.T) {
	owned := func(h *harness, name string) metav1.ObjectMeta {
		return metav1.ObjectMeta{Name: name, Namespace: namespace, OwnerReferences: []metav1.OwnerReference{ownerOf(h.rollout())}}
	}
	partial := map[string]func(h *harness) client.Object{
		"a ReplicaSet without anything": func(h *harness) client.Object {
			return &appsv1.ReplicaSet{ObjectMeta: owned(h, "empty")}
		},
		"a ReplicaSet without a size": func(h *harness) client.Object {
			rs := h.replicaSetOf(imageV1).DeepCopy()
			rs.ObjectMeta, rs.Spec.Replicas = owned(h, "sizeless"), nil
			rs.Spec.Selector.MatchLabels[v1alpha1.LabelPodTemplateHash] = "other"
			return rs
		},
		"an AnalysisRun without anything": func(h *harness) client.Object {
			return &v1alpha1.AnalysisRun{ObjectMeta: owned(h, "empty")}
		},
		"endpoints of no pod": func(*harness) client.Object {
			return &discoveryv1.EndpointSlice{
				ObjectMeta: metav1.ObjectMeta{Name: "empty", Labels: map[string]string{discoveryv1.LabelServiceName: "web"}},
				Endpoints:  []discoveryv1.Endpoint{{}},
			}
		},
		"a Rollout without anything that names nothing": func(*harness) client.Object {
			return &v1alpha1.Rollout{ObjectMeta: metav1.ObjectMeta{Name: "empty"}}
		},
	}
	for name, object := range partial {
		t.Run(name, func(t *testing.T) {
			h := started(t, routed(), network()...)
			h.make(object(h))
			h.key.Name = "web"
			for range 3 {
				h.mustPass()
			}
			rs := &appsv1.ReplicaSet{}
			h.get(revision.ReplicaSetName("web", h.rollout().Status.StableRevision), rs)
			if h.selected("web") == "" || *rs.Spec.Replicas != 4 {
				t.Errorf("web selects %q, stable has %d pods", h.selected("web"), *rs.Spec.Replicas)
			}
		})
	}
	t.Run("what is kept of them", func(t *testing.T) {
		for _, shrink := range []func(any) (any, error){shrinkReplicaSet, shrinkEndpointSlice} {
			for _, in := range []any{nil, &appsv1.ReplicaSet{}, &discoveryv1.EndpointSlice{Endpoints: []discoveryv1.Endpoint{{}}}, "a tombstone"} {
				if _, err := shrink(in); err != nil {
					t.Errorf("%T: %v", in, err)
				}
			}
		}
	})
}

// Something was kept for every object that had ever been there, and the controller grew to 8.8 GB in four months.
func TestB22NothingIsKeptOfWhatIsGone(t *testing.T) {
	h := newHarness(t, network()...)
	for i := range 5 {
		rollout := routed().Obj()
		rollout.Name = fmt.Sprintf("web-%d", i)
		h.make(rollout)
		h.key.Name = rollout.Name
		h.mustPass()
		h.mustPass()
		if len(h.r.writes.pending) == 0 {
			t.Fatal("nothing is remembered in mid-release; the test has lost its point")
		}
		h.end()
		h.mustPass()
	}
	if n := len(h.r.writes.pending); n != 0 {
		t.Errorf("writes of %d Rollouts are remembered, and none is left", n)
	}
	owner := *metav1.NewControllerRef(&appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: "other", UID: "other"}},
		appsv1.SchemeGroupVersion.WithKind("Deployment"))
	whose := metav1.ObjectMeta{Name: "other-5d8c7b9f6z", OwnerReferences: []metav1.OwnerReference{owner}}
	foreign := &appsv1.ReplicaSet{ObjectMeta: whose}
	foreign.Labels = map[string]string{"app": "other"}
	foreign.Spec.Template.Spec.Containers = []corev1.Container{{Name: "other", Env: make([]corev1.EnvVar, 100)}}
	kept, err := shrinkReplicaSet(foreign)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(&appsv1.ReplicaSet{ObjectMeta: whose}, kept); diff != "" {
		t.Errorf("of a ReplicaSet of a Deployment is kept: %s", diff)
	}
}

// One pod that could not be changed, for reasons of its own, kept all the others from being looked at.
func TestB23OnePodThatCannotGoDoesNotHoldTheOthers(t *testing.T) {
	h := started(t, routed(), network()...)
	old := h.podNames()
	protected := slices.Sorted(maps.Keys(old))[0]
	h.fault = func(n int, write func() error) error {
		if h.writes[n-1] != "delete *v1.Pod/"+protected {
			return write()
		}
		return apierrors.NewForbidden(schema.GroupResource{Resource: "pods"}, protected, errors.New("a policy protects it"))
	}
	h.clock.SetTime(h.clock.Now().Add(time.Minute))
	h.command(v1alpha1.ActionRestart, h.rollout().Status.StableRevision, "1")
	for range 30 {
		h.mustPass()
		if err := h.plane.Step(t.Context()); err != nil {
			t.Fatal(err)
		}
		h.clock.SetTime(h.clock.Now().Add(time.Second))
		if ready := h.rollout().Status.AvailableReplicas; ready < 4 {
			t.Errorf("%d pods are available, 4 are needed", ready)
		}
	}
	maps.DeleteFunc(old, func(name string, _ bool) bool { return !h.podNames()[name] })
	if diff := cmp.Diff(map[string]bool{protected: true}, old); diff != "" {
		t.Errorf("old pods that are left: %s", diff)
	}
	if got := h.rollout().Status.Message; !strings.Contains(got, "a policy protects it") {
		t.Errorf("it does not tell why one is left: %s", got)
	}
}

// The same of labels that move with the role of a revision.
func TestB23OnePodThatCannotBeLabelledDoesNotHoldTheOthers(t *testing.T) {
	h := started(t, routed(), network()...)
	protected := slices.Sorted(maps.Keys(h.podNames()))[0]
	h.fault = func(n int, write func() error) error {
		if h.writes[n-1] != "patch *v1.Pod/"+protected {
			return write()
		}
		return apierrors.NewForbidden(schema.GroupResource{Resource: "pods"}, protected, errors.New("a policy protects it"))
	}
	h.edit(roles)
	for range 10 {
		h.mustPass()
		if err := h.plane.Step(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(map[string]int{"stable ": 3, " ": 1}, h.rolesOfPods()[imageV1]); diff != "" {
		t.Error(diff)
	}
	if got := h.rollout().Status.Message; !strings.Contains(got, "a policy protects it") {
		t.Errorf("it does not tell why one is left out: %s", got)
	}
}

// What cannot go while it is not available does not send one that is in its place.
func TestB23APodThatCannotGoIsNotReplacedByOneThatServes(t *testing.T) {
	h := started(t, plain())
	now := h.clock.Now()
	w := &world{rollout: h.rollout(), pods: map[string][]corev1.Pod{"v1": {
		podOf("hanging", now, time.Hour, -1), podOf("serving", now, time.Hour, time.Hour),
	}}}
	w.snapshot.Now = now
	h.fault = func(n int, _ func() error) error {
		if h.writes[n-1] != "delete *v1.Pod/hanging" {
			t.Errorf("it goes on to %s", h.writes[n-1])
		}
		return apierrors.NewForbidden(schema.GroupResource{Resource: "pods"}, "hanging", errors.New("a policy protects it"))
	}
	if err := h.r.restartPods(t.Context(), w, planner.RestartPods{Revision: "v1", Before: now, Max: 1}); err == nil {
		t.Error("nobody is told")
	}
}
