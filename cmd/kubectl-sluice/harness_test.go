package main

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta/testrestmapper"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/utils/clock"
	clocktesting "k8s.io/utils/clock/testing"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller/planner"
	"github.com/sluice-dev/sluice/test/builder"
	"github.com/sluice-dev/sluice/test/golden"
)

func TestMain(m *testing.M) { golden.Main(m) }

const (
	stable    = "c9x4wlnd7f"
	candidate = "tp5zq6bhsr"
)

func now() time.Time { return time.Date(2026, 8, 20, 12, 0, 0, 0, time.UTC) }

func ago(d time.Duration) metav1.Time { return metav1.Time{Time: now().Add(-d)} }

func key(name string) client.ObjectKey { return client.ObjectKey{Namespace: "shop", Name: name} }

// terminal is a test's stand-in for the process: a command line goes in, output and exit code come out.
type terminal struct {
	*environment
	server   client.WithWatch
	out, err *screenBuffer
}

// screenBuffer holds what was written, and does the next thing after each write.
type screenBuffer struct {
	bytes.Buffer
	after []func()
}

// Write implements io.Writer.
func (s *screenBuffer) Write(p []byte) (int, error) {
	n, err := s.Buffer.Write(p)
	if len(s.after) > 0 {
		next := s.after[0]
		s.after = s.after[1:]
		next()
	}
	return n, err
}

// newTerminal connects to an API server with objects; funcs stand in front of it.
func newTerminal(t *testing.T, funcs interceptor.Funcs, objects ...client.Object) *terminal {
	t.Helper()
	scheme, err := newScheme()
	if err != nil {
		t.Fatal(err)
	}
	server := interceptor.NewClient(fake.NewClientBuilder().WithScheme(scheme).
		WithRESTMapper(testrestmapper.TestOnlyStaticRESTMapper(scheme)).WithStatusSubresource(&v1alpha1.Rollout{}).WithObjects(objects...).Build(), funcs)
	out, errOut := &screenBuffer{}, &screenBuffer{}
	flags := genericclioptions.NewConfigFlags(false)
	return &terminal{server: server, out: out, err: errOut, environment: &environment{
		IOStreams: genericiooptions.IOStreams{In: &bytes.Buffer{}, Out: out, ErrOut: errOut},
		flags:     flags,
		connect:   func() (client.WithWatch, error) { return server, nil },
		namespace: func() (string, error) {
			if *flags.Namespace != "" {
				return *flags.Namespace, nil
			}
			return "shop", nil
		},
		clock:   clocktesting.NewFakeClock(now()),
		newID:   func() string { return "7" },
		screen:  screen{size: func() (int, int) { return 0, 0 }},
		version: "v1.2.3",
	}}
}

// run runs a command line and returns the exit code.
func (c *terminal) run(t *testing.T, args ...string) int {
	t.Helper()
	return run(t.Context(), c.environment, args)
}

// expect compares the exit code, the output and the error output of a command line.
func (c *terminal) expect(t *testing.T, code, wantCode int, wantOut, wantErr string) {
	t.Helper()
	if code != wantCode {
		t.Errorf("exit code %d, want %d", code, wantCode)
	}
	if diff := cmp.Diff(wantOut, c.out.String()); diff != "" {
		t.Errorf("output (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(wantErr, c.err.String()); diff != "" {
		t.Errorf("error output (-want +got):\n%s", diff)
	}
}

// expectGolden compares the exit code with the wanted one, the output with a file, and finds nothing in the error output.
func (c *terminal) expectGolden(t *testing.T, code, wantCode int, name string) {
	t.Helper()
	c.expect(t, code, wantCode, c.out.String(), "")
	golden.Compare(t, filepath.Join("testdata", name+".txt"), c.out.String())
}

func (c *terminal) rolloutNamed(t *testing.T, name string) *v1alpha1.Rollout {
	t.Helper()
	r := &v1alpha1.Rollout{}
	if err := c.server.Get(t.Context(), key(name), r); err != nil {
		t.Fatal(err)
	}
	return r
}

// update changes the status of Rollout web, as the controller does.
func (c *terminal) update(t *testing.T, change func(*v1alpha1.Rollout)) func() {
	t.Helper()
	return func() {
		r := c.rolloutNamed(t, "web")
		change(r)
		if err := c.server.Status().Update(t.Context(), r); err != nil {
			t.Error(err)
		}
	}
}

// remove deletes a Rollout.
func (c *terminal) remove(t *testing.T, name string) func() {
	t.Helper()
	return func() {
		if err := c.server.Delete(t.Context(), c.rolloutNamed(t, name)); err != nil {
			t.Error(err)
		}
	}
}

// hurried is a clock on which every wait is over at once.
type hurried struct{ *clocktesting.FakeClock }

func (h hurried) After(time.Duration) <-chan time.Time {
	c := make(chan time.Time, 1)
	c <- now()
	return c
}

func (h hurried) NewTimer(d time.Duration) clock.Timer { return over{c: h.After(d)} }

type over struct {
	clock.Timer
	c <-chan time.Time
}

func (o over) C() <-chan time.Time { return o.c }

func (over) Stop() bool { return false }

// answering answers commands as soon as they are written.
func answering(answer func(*v1alpha1.Rollout, v1alpha1.Command) (*v1alpha1.CommandStatus, error)) interceptor.Funcs {
	return interceptor.Funcs{Patch: func(ctx context.Context, c client.WithWatch, object client.Object, patch client.Patch,
		opts ...client.PatchOption,
	) error {
		if err := c.Patch(ctx, object, patch, opts...); err != nil {
			return err
		}
		r := &v1alpha1.Rollout{}
		if err := c.Get(ctx, client.ObjectKeyFromObject(object), r); err != nil {
			return err
		}
		if r.Annotations[v1alpha1.AnnotationCommand] == "" {
			return nil
		}
		command, err := v1alpha1.ParseCommand(r.Annotations[v1alpha1.AnnotationCommand])
		if err != nil {
			return err
		}
		if r.Status.LastCommand, err = answer(r, command); err != nil {
			return err
		}
		return c.Status().Update(ctx, r)
	}}
}

// controller answers commands as the controller does, since it asks the same planner.
func controller() interceptor.Funcs {
	return answering(func(r *v1alpha1.Rollout, c v1alpha1.Command) (*v1alpha1.CommandStatus, error) {
		spec, err := planner.Compile(&r.Spec, 0)
		if err != nil {
			return nil, err
		}
		plan := planner.Next(planner.Snapshot{
			Now: now(), Spec: spec, Target: r.Status.UpdateRevision, State: r.Status.State, Command: c,
		})
		return plan.Command, nil
	})
}

// rollout is a canary with a pause, at rest, seen by the controller.
func rollout(name string, change ...func(*v1alpha1.Rollout)) *v1alpha1.Rollout {
	r := builder.Rollout(name).Namespace("shop").Image("shop/web:v2").Replicas(3).Routes(name).
		Canary(builder.Step().Weight("20").Hold(), builder.Step().Weight("50")).Obj()
	r.UID, r.Generation, r.CreationTimestamp = types.UID("uid-of-"+name), 2, ago(time.Hour)
	r.Status = v1alpha1.RolloutStatus{
		ObservedGeneration: 2, Phase: v1alpha1.PhaseHealthy, Message: "revision " + stable + " is stable with 3 pods",
		Replicas: 3, UpdatedReplicas: 3, ReadyReplicas: 3, AvailableReplicas: 3,
		StableRevision: stable, UpdateRevision: stable, State: v1alpha1.RolloutState{Stable: stable},
	}
	for _, f := range change {
		f(r)
	}
	return r
}

// stepping is at its first step and waits for a person.
func stepping(r *v1alpha1.Rollout) {
	r.Status.Phase, r.Status.Message = v1alpha1.PhasePaused, "step 1/2: revision "+candidate+" waits for a person to promote or abort it"
	r.Status.Step, r.Status.Weight, r.Status.UpdateRevision = "1/2", "20", candidate
	r.Status.State.Stage, r.Status.State.Candidate = v1alpha1.StageStepping, candidate
}

func aborted(r *v1alpha1.Rollout) {
	r.Status.Phase, r.Status.Message = v1alpha1.PhaseDegraded, "revision "+candidate+" was aborted by hand"
	r.Status.UpdateRevision = candidate
	r.Status.State.Stage, r.Status.State.Candidate, r.Status.State.Message = v1alpha1.StageAborted, candidate, "aborted by hand"
}

func retreating(r *v1alpha1.Rollout) {
	aborted(r)
	r.Status.State.Stage = v1alpha1.StageRetreating
}

func deployedByArgo(r *v1alpha1.Rollout) {
	r.Annotations = map[string]string{"argocd.argoproj.io/tracking-id": "shop"}
}

// replicaSet is a revision of a Rollout with one pod, and that pod.
func replicaSet(r *v1alpha1.Rollout, hash string, number int, image string, replicas int32) []client.Object {
	labels := map[string]string{"app": r.Name, v1alpha1.LabelPodTemplateHash: hash}
	rs := &appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "shop", Name: r.Name + "-" + hash, UID: types.UID("uid-of-" + hash), Labels: labels, CreationTimestamp: ago(time.Hour),
			Annotations:     map[string]string{v1alpha1.AnnotationRevisionNumber: strconv.Itoa(number)},
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(r, v1alpha1.GroupVersion.WithKind("Rollout"))},
		},
		Spec: appsv1.ReplicaSetSpec{Replicas: &replicas, Template: corev1.PodTemplateSpec{
			ObjectMeta: metav1.ObjectMeta{Labels: labels},
			Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: image}}},
		}},
		Status: appsv1.ReplicaSetStatus{Replicas: replicas, ReadyReplicas: replicas, AvailableReplicas: replicas},
	}
	objects := []client.Object{rs}
	for i := range replicas {
		objects = append(objects, &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: "shop", Name: fmt.Sprintf("%s-%d", rs.Name, i), Labels: labels, CreationTimestamp: ago(time.Minute),
				OwnerReferences: []metav1.OwnerReference{{Kind: "ReplicaSet", Name: rs.Name, UID: rs.UID, Controller: ptr.To(true)}},
			},
			Spec: corev1.PodSpec{NodeName: "node-a", Containers: []corev1.Container{{Name: "app", Image: image}}},
			Status: corev1.PodStatus{
				Phase: corev1.PodRunning, PodIP: fmt.Sprintf("10.0.%d.%d", number, i+1),
				ContainerStatuses: []corev1.ContainerStatus{{Ready: true}},
			},
		})
	}
	return objects
}
