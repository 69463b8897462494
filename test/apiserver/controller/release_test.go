//go:build apiserver

package controller_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/builder"
)

// sizesAre waits until the ReplicaSets have sizes.
func (w *world) sizesAre(want map[string]int32) {
	w.t.Helper()
	w.eventually("the sizes", func() (bool, string) {
		diff := cmp.Diff(want, w.sizes())
		return diff == "", diff
	})
}

func TestFirstRollout(t *testing.T) {
	w := start(t, append(network(), routed().Obj())...)
	status := w.reaches("healthy", healthy)
	if status.Replicas != 4 || status.AvailableReplicas != 4 || status.Selector != "app=web" {
		t.Errorf("%d replicas, %d available, selector %q", status.Replicas, status.AvailableReplicas, status.Selector)
	}
	if w.selected("web") != status.StableRevision || w.weight() != 0 {
		t.Errorf("web selects %q, weight %d", w.selected("web"), w.weight())
	}
	standby := &corev1.Service{}
	w.get("web-standby", standby)
	if !metav1.IsControlledBy(standby, w.rollout()) || standby.Spec.ClusterIP == "" || standby.Spec.ClusterIP == "None" {
		t.Errorf("the standby Service is controlled by %v and has the address %q", standby.OwnerReferences, standby.Spec.ClusterIP)
	}
}

func TestCanaryByRoute(t *testing.T) {
	w := start(t, append(network(), routed().Obj())...)
	w.reaches("healthy", healthy)
	w.release(imageV2)
	w.reaches("the first step", awaiting)
	if w.weight() != 20 {
		t.Errorf("weight %d at the first step", w.weight())
	}
	w.command(v1alpha1.ActionPromote)
	w.reaches("promoted", func(s *v1alpha1.RolloutStatus) bool { return healthy(s) && s.StableRevision == s.UpdateRevision })
	if w.weight() != 0 || w.selected("web") != w.rollout().Status.StableRevision {
		t.Errorf("weight %d, web selects %s", w.weight(), w.selected("web"))
	}
	w.sizesAre(map[string]int32{imageV1: 0, imageV2: 4})
}

func TestCanaryByRatio(t *testing.T) {
	w := start(t, service(), builder.Rollout("web").Image(imageV1).Replicas(4).Services("web").Canary(builder.Step().Weight("25").Hold()).Obj())
	w.reaches("healthy", healthy)
	w.release(imageV2)
	w.reaches("the first step", awaiting)
	w.sizesAre(map[string]int32{imageV1: 3, imageV2: 1})
	w.command(v1alpha1.ActionPromote)
	w.reaches("promoted", func(s *v1alpha1.RolloutStatus) bool { return healthy(s) && s.StableRevision == s.UpdateRevision })
	w.sizesAre(map[string]int32{imageV1: 0, imageV2: 4})
}

func TestBlueGreenBySelector(t *testing.T) {
	rollout := builder.Rollout("web").Image(imageV1).Replicas(2).BlueGreen().With(func(r *v1alpha1.Rollout) {
		r.Spec.Strategy.BlueGreen.ScaleDownDelay = &metav1.Duration{Duration: time.Second}
		r.Spec.Strategy.BlueGreen.AutoPromote = new(bool)
	}).Obj()
	w := start(t, service(), rollout)
	v1 := w.reaches("healthy", healthy).StableRevision
	w.release(imageV2)
	status := w.reaches("a preview", awaiting)
	if w.selected("web") != v1 || w.selected("web-standby") != status.UpdateRevision {
		t.Errorf("web selects %s, web-standby %s", w.selected("web"), w.selected("web-standby"))
	}
	w.command(v1alpha1.ActionPromote)
	status = w.reaches("promoted", func(s *v1alpha1.RolloutStatus) bool { return healthy(s) && s.StableRevision == s.UpdateRevision })
	if w.selected("web") != status.StableRevision {
		t.Errorf("web selects %s, want %s", w.selected("web"), status.StableRevision)
	}
	w.sizesAre(map[string]int32{imageV1: 0, imageV2: 2})
}

func TestAbort(t *testing.T) {
	w := start(t, append(network(), routed().Obj())...)
	v1 := w.reaches("healthy", healthy).StableRevision
	w.release(imageV2)
	w.reaches("the first step", awaiting)
	w.command(v1alpha1.ActionAbort)
	status := w.reaches("aborted", func(s *v1alpha1.RolloutStatus) bool { return s.State.Stage == v1alpha1.StageAborted })
	if status.Phase != v1alpha1.PhaseDegraded || w.weight() != 0 || status.StableRevision != v1 {
		t.Errorf("phase %s, weight %d, stable %s", status.Phase, w.weight(), status.StableRevision)
	}
	w.sizesAre(map[string]int32{imageV1: 4, imageV2: 0})
	w.release(imageV1)
	w.reaches("healthy with the stable template", healthy)
}

func TestSupersede(t *testing.T) {
	w := start(t, append(network(), routed().Obj())...)
	w.reaches("healthy", healthy)
	w.release(imageV2)
	v2 := w.reaches("the first step of v2", awaiting).State.Candidate
	w.release(imageV3)
	w.reaches("the first step of v3", func(s *v1alpha1.RolloutStatus) bool { return awaiting(s) && s.State.Candidate != v2 })
	w.sizesAre(map[string]int32{imageV1: 4, imageV2: 0, imageV3: 1})
	if last := w.rollout().Status.History[0]; last.Outcome != v1alpha1.OutcomeSuperseded || last.Revision != v2 {
		t.Errorf("the last release is %s of %s", last.Outcome, last.Revision)
	}
}

func TestRestart(t *testing.T) {
	w := start(t, append(network(), routed().Obj())...)
	stable := w.reaches("healthy", healthy).StableRevision
	before := w.podNames()
	w.edit(func(r *v1alpha1.Rollout) {
		r.Annotations = map[string]string{v1alpha1.AnnotationCommand: v1alpha1.Command{
			Action: v1alpha1.ActionRestart, Revision: stable, ID: "1",
		}.String()}
	})
	w.reaches("restarted", func(s *v1alpha1.RolloutStatus) bool {
		return healthy(s) && s.LastCommand != nil && s.State.RestartAt.IsZero()
	})
	for name := range w.podNames() {
		if before[name] {
			t.Errorf("pod %s is still there", name)
		}
	}
}

func (w *world) podNames() map[string]bool {
	w.t.Helper()
	var list corev1.PodList
	if err := w.Client.List(w.t.Context(), &list, client.InNamespace(w.Namespace)); err != nil {
		w.t.Fatal(err)
	}
	out := map[string]bool{}
	for _, pod := range list.Items {
		out[pod.Name] = true
	}
	return out
}

// The controllers stop in the middle of a release, and others go on from there.
func TestAnotherControllerGoesOn(t *testing.T) {
	w := start(t, append(network(), routed().Obj())...)
	w.reaches("healthy", healthy)
	w.release(imageV2)
	w.reaches("the first step", awaiting)
	w.stop()
	w.command(v1alpha1.ActionPromote)
	w.startControllers()
	w.reaches("promoted", func(s *v1alpha1.RolloutStatus) bool { return healthy(s) && s.StableRevision == s.UpdateRevision })
	w.sizesAre(map[string]int32{imageV1: 0, imageV2: 4})
}

// prometheus answers every query with one number.
func prometheus(t *testing.T, value string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, _ *http.Request) {
		out.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(out, `{"status":"success","data":{"resultType":"scalar","result":[1,%q]}}`, value)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func TestAnalysisDecides(t *testing.T) {
	tests := map[string]struct {
		value       string
		wantOutcome v1alpha1.Outcome
		wantVerdict v1alpha1.AnalysisPhase
	}{
		"a good version arrives": {value: "0.99", wantOutcome: v1alpha1.OutcomePromoted, wantVerdict: v1alpha1.AnalysisPassed},
		"a bad one comes back":   {value: "0.80", wantOutcome: v1alpha1.OutcomeAborted, wantVerdict: v1alpha1.AnalysisFailed},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			template := builder.AnalysisTemplate("success-rate",
				builder.Metric("rate", `rate{revision="{{args.candidate-hash}}"}`).Address(prometheus(t, tt.value))).Obj()
			w := start(t, append(network(), template, builder.Rollout("web").Image(imageV1).Replicas(2).Services("web").Routes("web").
				Canary(builder.Step().Weight("20").Analysis("success-rate")).Obj())...)
			w.reaches("healthy", healthy)
			w.release(imageV2)
			status := w.reaches("an end", func(s *v1alpha1.RolloutStatus) bool {
				return len(s.History) == 2 && s.History[0].Outcome == tt.wantOutcome
			})
			var runs v1alpha1.AnalysisRunList
			if err := w.Client.List(t.Context(), &runs, client.InNamespace(w.Namespace)); err != nil {
				t.Fatal(err)
			}
			if len(runs.Items) != 1 || runs.Items[0].Status.Phase != tt.wantVerdict {
				t.Fatalf("%d AnalysisRuns, want one that %s: %+v", len(runs.Items), tt.wantVerdict, runs.Items)
			}
			run := runs.Items[0]
			if !metav1.IsControlledBy(&run, w.rollout()) || run.Labels[v1alpha1.LabelRevision] != status.History[0].Revision ||
				!strings.Contains(run.Spec.Metrics[0].Provider.Prometheus.Query, status.History[0].Revision) {
				t.Errorf("the AnalysisRun has labels %v and asks %q", run.Labels, run.Spec.Metrics[0].Provider.Prometheus.Query)
			}
		})
	}
}
