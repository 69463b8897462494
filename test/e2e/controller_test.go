//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// Where config/install.yaml puts the controller.
const (
	controllerNamespace = "sluice-system"
	controllerLease     = "sluice-controller"
	controllerUser      = "system:serviceaccount:sluice-system:sluice-controller"
)

func TestControllerIsKilledInEveryStep(t *testing.T) {
	e := newEnv(t, "killed")
	const pause = 5 * time.Second
	e.install(canary(analysed(20), pausing(pause), analysed(80)))
	e.load()
	from := e.mark()

	e.release(good(v2))
	e.await("the analysis of the first step runs", e.measures("step-1"))
	e.killController()
	e.await("the pause of the second step runs", atGates(1))
	e.deleteController()
	e.await("the analysis of the third step runs", e.measures("step-3"))
	e.killController()
	e.await("the promotion has begun", func(r *v1alpha1.Rollout) bool {
		return r.Status.State.Stage == v1alpha1.StagePromoting
	})
	e.killController()
	e.outcome(e.await("v2 is promoted", healthy), v1alpha1.OutcomePromoted, v1alpha1.ReasonPromoted)
	e.onlyStable()
	e.only(v2)
	e.noFailures(from)
	e.gatesBegunOnce(3)
	if shifted, gates := e.pauseOf(1); shifted.Sub(gates) < pause {
		t.Errorf("the pause of %s took %s", pause, shifted.Sub(gates))
	}
	for _, gate := range []string{"step-1", "step-3"} {
		metric := e.runs()[gate].Status.Metrics[0]
		if metric.Successful != 3 || metric.Failed+metric.Inconclusive != 0 {
			t.Errorf("analysis %s has taken %d good measurements and %d others, want the 3 that were asked for", gate,
				metric.Successful, metric.Failed+metric.Inconclusive)
		}
	}
}

// measures says that an analysis has taken a measurement and has no verdict.
func (e *env) measures(gate string) func(*v1alpha1.Rollout) bool {
	return func(*v1alpha1.Rollout) bool {
		run := e.runs()[gate]
		return run.Status.Phase == v1alpha1.AnalysisRunning && len(run.Status.Metrics) > 0 &&
			run.Status.Metrics[0].Successful > 0
	}
}

// gatesBegunOnce holds, over every state that the Rollout has been in, that steps follow each other, and that the gates
// of each began once.
func (e *env) gatesBegunOnce(steps int) {
	e.t.Helper()
	begun := map[int32][]time.Time{}
	last := int32(0)
	for _, r := range e.watched.all() {
		state := r.Status.State
		if state.Stage != v1alpha1.StageStepping {
			continue
		}
		if state.Step < last {
			e.t.Errorf("step %d came after step %d", state.Step, last)
		}
		last = state.Step
		if at := state.GatesAt.Time; !at.IsZero() && !slices.Contains(begun[state.Step], at) {
			begun[state.Step] = append(begun[state.Step], at)
		}
	}
	for step := range int32(steps) {
		if len(begun[step]) != 1 {
			e.t.Errorf("the gates of step %d began at %v, want once", step, begun[step])
		}
	}
}

// pauseOf gives when the gates of a step began, and when the traffic of the next had moved.
func (e *env) pauseOf(step int32) (shifted, gates time.Time) {
	e.t.Helper()
	all := e.watched.all()
	for _, r := range all {
		if atGates(step)(&r) {
			gates = r.Status.State.GatesAt.Time
		}
	}
	next := slices.IndexFunc(all, func(r v1alpha1.Rollout) bool {
		state := r.Status.State
		return state.Stage == v1alpha1.StageStepping && state.Step == step+1 && state.ShiftedAt.After(gates)
	})
	if next >= 0 {
		shifted = all[next].Status.State.ShiftedAt.Time
	}
	if shifted.IsZero() || gates.IsZero() {
		e.t.Errorf("step %d and the next were not seen", step)
	}
	return shifted, gates
}

// killController ends the process of the controller as the kernel would when memory runs out, and waits until the
// kubelet has started another that acts.
func (e *env) killController() {
	e.t.Helper()
	e.killedController()()
}

// killedController ends the process of the controller, and returns a function that waits until the kubelet has started
// another that acts. Until then, nobody acts.
func (e *env) killedController() (back func()) {
	e.t.Helper()
	pod := e.controllerPod()
	holder := e.leaseHolder()
	pid := processOf(e.t, pod) // Last, so that the number cannot have passed to another process.
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		e.t.Fatalf("killing the controller, process %d: %v", pid, err)
	}
	e.t.Logf("killed the controller, process %d of pod %s", pid, pod.Name)
	return func() {
		e.t.Helper()
		e.controllerActs(holder)
	}
}

// deleteController removes the pod of the controller without a moment's notice, and waits until another one acts.
func (e *env) deleteController() {
	e.t.Helper()
	pod := e.controllerPod()
	holder := e.leaseHolder()
	if err := e.Delete(e.t.Context(), &pod, &client.DeleteOptions{GracePeriodSeconds: ptr.To[int64](0)}); err != nil {
		e.t.Fatal(err)
	}
	e.t.Logf("removed pod %s", pod.Name)
	e.controllerActs(holder)
}

func (e *env) controllerPod() corev1.Pod {
	e.t.Helper()
	var running []corev1.Pod
	eventually(e.t, "one pod of the controller runs", func(ctx context.Context) (bool, string) {
		var pods corev1.PodList
		err := e.List(ctx, &pods, client.InNamespace(controllerNamespace),
			client.MatchingLabels{"app.kubernetes.io/component": "controller"})
		if err != nil {
			return false, err.Error()
		}
		running = slices.DeleteFunc(pods.Items, func(pod corev1.Pod) bool {
			return !pod.DeletionTimestamp.IsZero() || len(pod.Status.ContainerStatuses) == 0 ||
				pod.Status.ContainerStatuses[0].State.Running == nil
		})
		return len(running) == 1, fmt.Sprintf("%d run", len(running))
	})
	return running[0]
}

func (e *env) leaseHolder() string {
	e.t.Helper()
	lease := &coordinationv1.Lease{}
	key := client.ObjectKey{Namespace: controllerNamespace, Name: controllerLease}
	if err := e.Get(e.t.Context(), key, lease); err != nil {
		e.t.Fatal(err)
	}
	return ptr.Deref(lease.Spec.HolderIdentity, "")
}

// controllerActs waits until another process than before holds the lease.
func (e *env) controllerActs(before string) {
	e.t.Helper()
	eventually(e.t, "another controller acts", func(context.Context) (bool, string) {
		holder := e.leaseHolder()
		return holder != "" && holder != before, "the lease is held by " + holder
	})
}

// processOf finds the process of a pod's container on this machine: it is in a control group that carries the UID of the
// pod.
func processOf(t *testing.T, pod corev1.Pod) int {
	t.Helper()
	processes, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	var found []int
	for _, process := range processes {
		groups, err := os.ReadFile(filepath.Join(process, "cgroup"))
		if err != nil || !strings.Contains(string(groups), "pod"+string(pod.UID)) {
			continue // It has ended, or is not of this pod.
		}
		name, err := os.ReadFile(filepath.Join(process, "comm"))
		if err != nil || strings.TrimSpace(string(name)) == "pause" {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(process))
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, pid)
	}
	if len(found) != 1 {
		t.Fatalf("pod %s has processes %v on this machine, want one", pod.Name, found)
	}
	return found[0]
}
