//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"math"
	"syscall"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/demo/workload"
)

// TestPrometheusStopsDuringAnalysis stops, for two minutes, what every other test needs, so that it runs by itself.
func TestPrometheusStopsDuringAnalysis(t *testing.T) {
	e := newEnv(t, "no-prometheus")
	e.create(e.comparison(gross(), ptr.To[int32](2)))
	step := analysed(20)
	step.Analysis.Templates = append(step.Analysis.Templates, analysis(compared).Templates...)
	e.install(canary(step))
	e.load()
	from := e.mark()

	e.release(good(v2))
	e.await("the analysis has begun", func(*v1alpha1.Rollout) bool { return e.runs()["step-1"].Name != "" })
	before := e.runs()["step-1"]
	t.Cleanup(func() { e.component(t, "start", "prometheus") })
	e.component(t, "stop", "prometheus")
	e.requests(120 * rate)
	for _, metric := range e.runs()["step-1"].Status.Metrics {
		if metric.Errors < 3 || metric.Successful > 0 || metric.Phase != v1alpha1.AnalysisRunning {
			t.Errorf("%s is %s after %d successes and %d errors, want it Running after none and some: %s", metric.Name, metric.Phase,
				metric.Successful, metric.Errors, metric.Message)
		}
	}
	e.event(v1alpha1.ReasonProviderUnreachable, "address")
	if run := e.runs()["step-1"]; run.Status.Phase != v1alpha1.AnalysisRunning {
		t.Errorf("the analysis is %s without a figure: %s", run.Status.Phase, run.Status.Message)
	}
	if rollout := e.rollout(t.Context()); !atGates(0)(rollout) {
		t.Errorf("the release went on without a verdict: %s", summary(rollout))
	}
	e.share(20)

	e.component(t, "start", "prometheus")
	e.await("v2 is promoted", healthy)
	e.onlyStable()
	e.only(v2)
	e.noFailures(from)
	if after := e.runs()["step-1"]; after.UID != before.UID {
		t.Errorf("the analysis was begun again: %s is %s, was %s", after.Name, after.UID, before.UID)
	} else {
		e.countedAll(after.Status)
	}
	e.gatesBegunOnce(1)
}

// countedAll holds that what was served in the meantime has been counted, all of it and each request once.
func (e *env) countedAll(status v1alpha1.AnalysisRunStatus) {
	e.t.Helper()
	for _, metric := range status.Metrics {
		if metric.Comparison == nil {
			continue
		}
		counts := *metric.Comparison
		counted := counts.Candidate.Total + counts.Stable.Total
		served := rate * counts.Until.Sub(status.StartedAt.Time).Seconds()
		e.t.Logf("%s: %d requests counted in %.0f s", metric.Name, counted, served/rate)
		if off := math.Abs(float64(counted) - served); off > 3*rate {
			e.t.Errorf("%s has counted %d requests, want about %.0f: %s", metric.Name, counted, served, metric.Message)
		}
	}
}

func TestPodOfTheCandidateIsLostAtHalfTheTraffic(t *testing.T) {
	t.Parallel()
	e := newEnv(t, "pod-lost")
	e.install(canary(untilPromoted(50)))
	e.load()
	from := e.mark()

	e.release(good(v2))
	revision := e.await("half the traffic on v2", atGates(0)).Status.UpdateRevision
	pod := e.podsOf(revision)[0]
	if err := e.Delete(t.Context(), &pod); err != nil {
		t.Fatal(err)
	}
	e.candidateIsWhole(revision, pod.Name)
	e.share(50)
	e.noFailures(from)

	// A process that dies at once takes its connections with it. Nobody can save the requests that are sent to it until
	// the kubelet has noticed; afterwards none may fail.
	pod = e.podsOf(revision)[0]
	if err := syscall.Kill(processOf(t, pod), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the container is started again", func(ctx context.Context) (bool, string) {
		if err := e.Get(ctx, client.ObjectKeyFromObject(&pod), &pod); err != nil {
			return false, err.Error()
		}
		return pod.Status.ContainerStatuses[0].RestartCount == 1, fmt.Sprintf("%+v", pod.Status.ContainerStatuses[0])
	})
	e.candidateIsWhole(revision, "")
	restarted := e.mark()
	e.share(50)
	e.says(0, []string{revision}, "promote", workload.Name)
	e.outcome(e.await("v2 is promoted", healthy), v1alpha1.OutcomePromoted, v1alpha1.ReasonPromoted)
	e.onlyStable()
	e.only(v2)
	e.noFailures(restarted)
	e.gatesBegunOnce(1)
}

// candidateIsWhole waits until two pods of the candidate are ready, none of them the one that went, and the Rollout is at
// the gates of its step.
func (e *env) candidateIsWhole(revision, gone string) {
	e.t.Helper()
	e.await("two pods of the candidate are ready", func(r *v1alpha1.Rollout) bool {
		ready := 0
		for _, pod := range e.podsOf(revision) {
			if pod.Name != gone && isReady(pod) {
				ready++
			}
		}
		return ready == 2 && atGates(0)(r) && r.Status.Phase == v1alpha1.PhasePaused
	})
}

func isReady(pod corev1.Pod) bool {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

func TestRouteIsDeletedInMidFlightAndComesBack(t *testing.T) {
	t.Parallel()
	e := newEnv(t, "route-back")
	e.install(canary(untilPromoted(50)))
	e.load()
	e.release(good(v2))
	e.await("half the traffic on v2", atGates(0))

	e.deleteRoute()
	e.create(e.Route())
	e.await("the release waits where it was", func(r *v1alpha1.Rollout) bool {
		return atGates(0)(r) && r.Status.Phase == v1alpha1.PhasePaused && r.Status.Weight == "50"
	})
	e.loadAnswered()
	from := e.mark()
	e.share(50)
	e.says(0, nil, "promote", workload.Name)
	e.await("v2 is promoted", healthy)
	e.onlyStable()
	e.only(v2)
	e.noFailures(from)
}

func TestAbortWhileTheRouteIsAway(t *testing.T) {
	t.Parallel()
	e := newEnv(t, "route-abort")
	e.install(canary(untilPromoted(50)))
	e.load()
	e.release(good(v2))
	revision := e.await("half the traffic on v2", atGates(0)).Status.UpdateRevision

	e.deleteRoute()
	e.says(0, []string{revision}, "abort", workload.Name)
	e.create(e.Route())
	e.await("v2 is aborted", aborted)
	e.loadAnswered()
	from := e.mark()
	e.only(v1)
	e.onlyStable()
	e.noFailures(from)
}

// deleteRoute removes the route and waits until the Rollout says so, and how to mend it.
func (e *env) deleteRoute() {
	e.t.Helper()
	if err := e.Delete(e.t.Context(), e.Route()); err != nil {
		e.t.Fatal(err)
	}
	field := "spec.traffic.gatewayAPI.routes[0]"
	rollout := e.await("the Rollout misses its route", func(r *v1alpha1.Rollout) bool {
		return containsAll(r.Status.Message, []string{field, workload.Name})
	})
	e.notReady(rollout, v1alpha1.ReasonRouteNotFound, field)
	e.event(v1alpha1.ReasonRouteNotFound, field)
}
