//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/demo/workload"
)

// Versions of the sample app.
const (
	v1, v2, v3 = "v1", "v2", "v3"
)

// rate is the load of a test, in requests per second.
const rate = 50

// env is one test's part of the cluster: a namespace with the sample app.
type env struct {
	*cluster
	t *testing.T
	workload.Settings
	watched *watched
	// loads are the names of the pods that send load.
	loads []string
}

// newEnv makes a namespace with a Service, an analysis template, a Gateway and a route. It goes when the test ends.
func newEnv(t *testing.T, name string) *env {
	t.Helper()
	c := connect(t)
	e := &env{cluster: c, t: t, Settings: workload.Settings{
		Namespace: "e2e-" + name, GatewayClass: "traefik", ListenerPort: 8000, AppImage: c.appImage, LoadImage: c.loadImage,
		Replicas: 4, Window: 4 * time.Second, Drain: 5 * time.Second,
	}}
	e.removeNamespace(true)
	t.Cleanup(func() {
		if t.Failed() {
			e.tell()
		}
		e.removeNamespace(false)
	})
	for _, object := range []client.Object{
		e.NamespaceObject(), e.Service(), e.AnalysisTemplate(), e.Gateway(), e.Route(),
	} {
		e.create(object)
	}
	return e
}

// removeNamespace removes what an earlier run left, or what this one leaves.
func (e *env) removeNamespace(wait bool) {
	e.t.Helper()
	namespace := e.NamespaceObject()
	ctx := context.WithoutCancel(e.t.Context())
	if err := client.IgnoreNotFound(e.Delete(ctx, namespace)); err != nil {
		e.t.Error(err)
	}
	if !wait {
		return
	}
	eventually(e.t, "removal of an earlier namespace "+namespace.Name, func(ctx context.Context) (bool, string) {
		err := e.Get(ctx, client.ObjectKeyFromObject(namespace), namespace)
		return apierrors.IsNotFound(err), fmt.Sprint(namespace.Status.Conditions)
	})
}

func (e *env) create(object client.Object) {
	e.t.Helper()
	if err := e.Create(e.t.Context(), object); err != nil {
		e.t.Fatal(err)
	}
}

// install makes the Rollout of v1 and waits until it serves. Changes are made before it is created.
func (e *env) install(strategy v1alpha1.Strategy, changes ...func(*v1alpha1.RolloutSpec)) *v1alpha1.Rollout {
	e.t.Helper()
	e.begin(strategy, changes...)
	return e.await("v1 is Healthy", healthy)
}

// begin makes the Rollout of v1. Changes are made before it is created.
func (e *env) begin(strategy v1alpha1.Strategy, changes ...func(*v1alpha1.RolloutSpec)) {
	e.t.Helper()
	rollout := e.Rollout(workload.Version{Name: v1}, strategy)
	// The gateway of this cluster acts on a change within 200 ms, which is not its default: see test/cluster.
	rollout.Spec.Traffic.SettleTime = &metav1.Duration{Duration: 2 * time.Second}
	for _, change := range changes {
		change(&rollout.Spec)
	}
	e.create(rollout)
	e.watched = watch(e)
}

// edit changes the spec as a user would.
func (e *env) edit(change func(*v1alpha1.RolloutSpec)) {
	e.t.Helper()
	rollout := e.rollout(e.t.Context())
	before := rollout.DeepCopy()
	change(&rollout.Spec)
	if err := e.Patch(e.t.Context(), rollout, client.MergeFrom(before)); err != nil {
		e.t.Fatal(err)
	}
}

// release gives the Rollout the template of another version.
func (e *env) release(version workload.Version) {
	e.t.Helper()
	e.edit(func(spec *v1alpha1.RolloutSpec) { spec.Template = e.Template(version) })
}

// good is a version without errors of its own, and bad one that answers every fifth request with one.
func good(name string) workload.Version { return workload.Version{Name: name} }
func bad(name string) workload.Version  { return workload.Version{Name: name, ErrorRate: 0.2} }

func (e *env) rollout(ctx context.Context) *v1alpha1.Rollout {
	e.t.Helper()
	rollout := &v1alpha1.Rollout{}
	if err := e.Get(ctx, client.ObjectKey{Namespace: e.Namespace, Name: workload.Name}, rollout); err != nil && ctx.Err() == nil {
		e.t.Fatal(err)
	}
	return rollout
}

// await waits until the Rollout is as holds says, and the status speaks of the latest edit.
func (e *env) await(what string, holds func(*v1alpha1.Rollout) bool) *v1alpha1.Rollout {
	e.t.Helper()
	var rollout *v1alpha1.Rollout
	eventually(e.t, what, func(ctx context.Context) (bool, string) {
		rollout = e.rollout(ctx)
		current := rollout.Status.ObservedGeneration == rollout.Generation
		return current && holds(rollout), summary(rollout)
	})
	return rollout
}

// summary is a Rollout in one line.
func summary(r *v1alpha1.Rollout) string {
	s := r.Status
	return fmt.Sprintf("generation %d of %d, %s, stage %q, step %s, weight %s: %s", s.ObservedGeneration, r.Generation,
		s.Phase, s.State.Stage, s.Step, s.Weight, s.Message)
}

// healthy says that what the spec asks for is stable.
func healthy(r *v1alpha1.Rollout) bool {
	return r.Status.Phase == v1alpha1.PhaseHealthy && r.Status.StableRevision == r.Status.UpdateRevision
}

// aborted says that the release was aborted and that traffic is back on stable.
func aborted(r *v1alpha1.Rollout) bool {
	return r.Status.State.Stage == v1alpha1.StageAborted && r.Status.Phase == v1alpha1.PhaseDegraded
}

// atGates says that the traffic of a step, counted from 0, is in place and that its gates have begun.
func atGates(step int32) func(*v1alpha1.Rollout) bool {
	return func(r *v1alpha1.Rollout) bool {
		state := r.Status.State
		return state.Stage == v1alpha1.StageStepping && state.Step == step && !state.GatesAt.IsZero()
	}
}

// outcome holds how the last release ended.
func (e *env) outcome(r *v1alpha1.Rollout, want v1alpha1.Outcome, wantReason string) {
	e.t.Helper()
	if len(r.Status.History) == 0 {
		e.t.Fatalf("no release is recorded: %s", summary(r))
	}
	got := r.Status.History[0]
	if got.Outcome != want || got.Reason != wantReason || got.Revision != r.Status.UpdateRevision {
		e.t.Errorf("the last release is recorded as %s (%s) of %s: %s; want %s (%s) of %s", got.Outcome, got.Reason,
			got.Revision, got.Message, want, wantReason, r.Status.UpdateRevision)
	}
}

// onlyStable waits until every pod but those of stable has gone: what a release leaves behind must not cost a request.
func (e *env) onlyStable() {
	e.t.Helper()
	eventually(e.t, "only pods of stable are left", func(ctx context.Context) (bool, string) {
		rollout := e.rollout(ctx)
		var others []string
		for _, pod := range e.pods(ctx) {
			if pod.Labels[v1alpha1.LabelPodTemplateHash] != rollout.Status.StableRevision {
				others = append(others, pod.Name)
			}
		}
		return len(others) == 0, strings.Join(others, ", ")
	})
}

// pods are those of the app.
func (e *env) pods(ctx context.Context) []corev1.Pod {
	e.t.Helper()
	var pods corev1.PodList
	err := e.List(ctx, &pods, client.InNamespace(e.Namespace), client.MatchingLabels(e.Service().Spec.Selector))
	if err != nil && ctx.Err() == nil {
		e.t.Fatal(err)
	}
	return pods.Items
}

// podsOf are those of one revision that are not ending.
func (e *env) podsOf(revision string) []corev1.Pod {
	e.t.Helper()
	var out []corev1.Pod
	for _, pod := range e.pods(e.t.Context()) {
		if pod.Labels[v1alpha1.LabelPodTemplateHash] == revision && pod.DeletionTimestamp.IsZero() {
			out = append(out, pod)
		}
	}
	return out
}

// runs are the AnalysisRuns, by their gate.
func (e *env) runs() map[string]v1alpha1.AnalysisRun {
	e.t.Helper()
	var list v1alpha1.AnalysisRunList
	if err := e.List(e.t.Context(), &list, client.InNamespace(e.Namespace)); err != nil {
		e.t.Fatal(err)
	}
	out := map[string]v1alpha1.AnalysisRun{}
	for _, run := range list.Items {
		if other, twice := out[run.Spec.Gate]; twice && other.Spec.Revision == run.Spec.Revision {
			e.t.Errorf("gate %s of revision %s has two AnalysisRuns: %s and %s", run.Spec.Gate, run.Spec.Revision,
				other.Name, run.Name)
		}
		out[run.Spec.Gate] = run
	}
	return out
}

// event waits for an event about the Rollout or one of its AnalysisRuns.
func (e *env) event(reason string, fragments ...string) {
	e.t.Helper()
	eventually(e.t, fmt.Sprintf("an event %s with %q", reason, fragments), func(ctx context.Context) (bool, string) {
		var list eventsv1.EventList
		if err := e.List(ctx, &list, client.InNamespace(e.Namespace)); err != nil {
			return false, err.Error()
		}
		var others []string
		for _, event := range list.Items {
			if event.Reason == reason && containsAll(event.Note, fragments) {
				return true, ""
			}
			others = append(others, event.Reason+": "+event.Note)
		}
		return false, strings.Join(others, "\n")
	})
}

func containsAll(text string, fragments []string) bool {
	for _, fragment := range fragments {
		if !strings.Contains(text, fragment) {
			return false
		}
	}
	return true
}

// plugin runs kubectl sluice, and returns what it wrote and its exit code.
func (e *env) plugin(args ...string) (output string, code int) {
	e.t.Helper()
	args = append(args, "--namespace", e.Namespace, "--kubeconfig", e.kubeconfig)
	command := exec.CommandContext(e.t.Context(), e.sluice, args...)
	out, err := command.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		e.t.Fatalf("%s: %v", command, err)
	}
	return string(out), command.ProcessState.ExitCode()
}

// says runs kubectl sluice and holds its exit code and what it wrote.
func (e *env) says(wantCode int, wantFragments []string, args ...string) {
	e.t.Helper()
	out, code := e.plugin(args...)
	if code != wantCode || !containsAll(out, wantFragments) {
		e.t.Errorf("kubectl sluice %s: exit code %d, want %d, and output, want %q in it:\n%s", strings.Join(args, " "), code,
			wantCode, wantFragments, out)
	}
}

// notReady holds what the condition Ready says.
func (e *env) notReady(r *v1alpha1.Rollout, wantReason string, fragments ...string) {
	e.t.Helper()
	got := meta.FindStatusCondition(r.Status.Conditions, v1alpha1.ConditionReady)
	if got == nil || got.Reason != wantReason || !containsAll(got.Message, fragments) || got.ObservedGeneration != r.Generation {
		e.t.Errorf("condition Ready is %+v, want reason %s with %q for generation %d", got, wantReason, fragments, r.Generation)
	}
}

// tell writes what is left of a test that failed.
func (e *env) tell() {
	e.t.Helper()
	out, _ := exec.CommandContext(context.WithoutCancel(e.t.Context()), e.sluice, "get", workload.Name, "--namespace", e.Namespace,
		"--kubeconfig", e.kubeconfig).CombinedOutput()
	e.t.Logf("kubectl sluice get %s:\n%s", workload.Name, out)
	if e.watched != nil {
		e.t.Logf("what the Rollout said:\n%s", strings.Join(e.watched.story(), "\n"))
	}
}
