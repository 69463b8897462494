//go:build apiserver

package controller_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/apiserver/live"
	"github.com/sluice-dev/sluice/test/builder"
)

func TestFirstRollout(t *testing.T) {
	w := start(t, append(live.Network(), routed().Obj())...)
	status := w.Reaches("healthy", live.Healthy)
	if status.Replicas != 4 || status.AvailableReplicas != 4 || status.Selector != "app=web" {
		t.Errorf("%d replicas, %d available, selector %q", status.Replicas, status.AvailableReplicas, status.Selector)
	}
	if w.Selected("web") != status.StableRevision || w.Weight() != 0 {
		t.Errorf("web selects %q, weight %d", w.Selected("web"), w.Weight())
	}
	standby := &corev1.Service{}
	w.Get("web-standby", standby)
	if !metav1.IsControlledBy(standby, w.Rollout()) || standby.Spec.ClusterIP == "" || standby.Spec.ClusterIP == "None" {
		t.Errorf("the standby Service is controlled by %v and has the address %q", standby.OwnerReferences, standby.Spec.ClusterIP)
	}
}

func TestCanaryByRoute(t *testing.T) {
	w := start(t, append(live.Network(), routed().Obj())...)
	w.Reaches("healthy", live.Healthy)
	w.Release(live.ImageV2)
	w.Reaches("the first step", live.Awaiting)
	if w.Weight() != 20 {
		t.Errorf("weight %d at the first step", w.Weight())
	}
	w.Command(v1alpha1.ActionPromote)
	w.Reaches("promoted", live.Promoted)
	if w.Weight() != 0 || w.Selected("web") != w.Rollout().Status.StableRevision {
		t.Errorf("weight %d, web selects %s", w.Weight(), w.Selected("web"))
	}
	w.SizesAre(map[string]int32{live.ImageV1: 0, live.ImageV2: 4})
}

func TestCanaryByRatio(t *testing.T) {
	w := start(t, live.Service(), builder.Rollout("web").Image(live.ImageV1).Replicas(4).Services("web").Canary(builder.Step().Weight("25").Hold()).Obj())
	w.Reaches("healthy", live.Healthy)
	w.Release(live.ImageV2)
	w.Reaches("the first step", live.Awaiting)
	w.SizesAre(map[string]int32{live.ImageV1: 3, live.ImageV2: 1})
	w.Command(v1alpha1.ActionPromote)
	w.Reaches("promoted", live.Promoted)
	w.SizesAre(map[string]int32{live.ImageV1: 0, live.ImageV2: 4})
}

func TestBlueGreenBySelector(t *testing.T) {
	rollout := builder.Rollout("web").Image(live.ImageV1).Replicas(2).BlueGreen().With(func(r *v1alpha1.Rollout) {
		r.Spec.Strategy.BlueGreen.ScaleDownDelay = &metav1.Duration{Duration: time.Second}
		r.Spec.Strategy.BlueGreen.AutoPromote = new(bool)
	}).Obj()
	w := start(t, live.Service(), rollout)
	v1 := w.Reaches("healthy", live.Healthy).StableRevision
	w.Release(live.ImageV2)
	status := w.Reaches("a preview", live.Awaiting)
	if w.Selected("web") != v1 || w.Selected("web-standby") != status.UpdateRevision {
		t.Errorf("web selects %s, web-standby %s", w.Selected("web"), w.Selected("web-standby"))
	}
	w.Command(v1alpha1.ActionPromote)
	status = w.Reaches("promoted", live.Promoted)
	if w.Selected("web") != status.StableRevision {
		t.Errorf("web selects %s, want %s", w.Selected("web"), status.StableRevision)
	}
	w.SizesAre(map[string]int32{live.ImageV1: 0, live.ImageV2: 2})
}

func TestAbort(t *testing.T) {
	w := start(t, append(live.Network(), routed().Obj())...)
	v1 := w.Reaches("healthy", live.Healthy).StableRevision
	w.Release(live.ImageV2)
	w.Reaches("the first step", live.Awaiting)
	w.Command(v1alpha1.ActionAbort)
	status := w.Reaches("aborted", live.Aborted)
	if status.Phase != v1alpha1.PhaseDegraded || w.Weight() != 0 || status.StableRevision != v1 {
		t.Errorf("phase %s, weight %d, stable %s", status.Phase, w.Weight(), status.StableRevision)
	}
	w.SizesAre(map[string]int32{live.ImageV1: 4, live.ImageV2: 0})
	w.Release(live.ImageV1)
	w.Reaches("healthy with the stable template", live.Healthy)
}

func TestSupersede(t *testing.T) {
	w := start(t, append(live.Network(), routed().Obj())...)
	w.Reaches("healthy", live.Healthy)
	w.Release(live.ImageV2)
	v2 := w.Reaches("the first step of v2", live.Awaiting).State.Candidate
	w.Release(live.ImageV3)
	w.Reaches("the first step of v3", func(s *v1alpha1.RolloutStatus) bool { return live.Awaiting(s) && s.State.Candidate != v2 })
	w.SizesAre(map[string]int32{live.ImageV1: 4, live.ImageV2: 0, live.ImageV3: 1})
	if last := w.Rollout().Status.History[0]; last.Outcome != v1alpha1.OutcomeSuperseded || last.Revision != v2 {
		t.Errorf("the last release is %s of %s", last.Outcome, last.Revision)
	}
}

func TestRestart(t *testing.T) {
	w := start(t, append(live.Network(), routed().Obj())...)
	stable := w.Reaches("healthy", live.Healthy).StableRevision
	before := w.podNames()
	w.Edit(func(r *v1alpha1.Rollout) {
		r.Annotations = map[string]string{v1alpha1.AnnotationCommand: v1alpha1.Command{
			Action: v1alpha1.ActionRestart, Revision: stable, ID: "1",
		}.String()}
	})
	w.Reaches("restarted", func(s *v1alpha1.RolloutStatus) bool {
		return live.Healthy(s) && s.LastCommand != nil && s.State.RestartAt.IsZero()
	})
	for name := range w.podNames() {
		if before[name] {
			t.Errorf("pod %s is still there", name)
		}
	}
}

func (w *world) podNames() map[string]bool {
	w.T.Helper()
	var list corev1.PodList
	if err := w.Client.List(w.T.Context(), &list, client.InNamespace(w.Namespace)); err != nil {
		w.T.Fatal(err)
	}
	out := map[string]bool{}
	for _, pod := range list.Items {
		out[pod.Name] = true
	}
	return out
}

// The controllers stop in the middle of a release, and others go on from there.
func TestAnotherControllerGoesOn(t *testing.T) {
	w := start(t, append(live.Network(), routed().Obj())...)
	w.Reaches("healthy", live.Healthy)
	w.Release(live.ImageV2)
	w.Reaches("the first step", live.Awaiting)
	w.Stop()
	w.Command(v1alpha1.ActionPromote)
	w.StartControllers()
	w.Reaches("promoted", live.Promoted)
	w.SizesAre(map[string]int32{live.ImageV1: 0, live.ImageV2: 4})
}

// prometheus answers every query with one number.
func prometheus(t testing.TB, value string) string {
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
			w := start(t, append(live.Network(), template, builder.Rollout("web").Image(live.ImageV1).Replicas(2).Services("web").Routes("web").
				Canary(builder.Step().Weight("20").Analysis("success-rate")).Obj())...)
			w.Reaches("healthy", live.Healthy)
			w.Release(live.ImageV2)
			status := w.Reaches("an end", func(s *v1alpha1.RolloutStatus) bool {
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
			if !metav1.IsControlledBy(&run, w.Rollout()) || run.Labels[v1alpha1.LabelRevision] != status.History[0].Revision ||
				!strings.Contains(run.Spec.Metrics[0].Provider.Prometheus.Query, status.History[0].Revision) {
				t.Errorf("the AnalysisRun has labels %v and asks %q", run.Labels, run.Spec.Metrics[0].Provider.Prometheus.Query)
			}
		})
	}
}
