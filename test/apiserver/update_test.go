//go:build apiserver

package apiserver_test

import (
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/apiserver/env"
	"github.com/sluice-dev/sluice/test/builder"
)

func TestSelectorCannotBeChanged(t *testing.T) {
	e := env.Start(t)
	for name, change := range map[string]func(*v1alpha1.Rollout){
		"another value": func(r *v1alpha1.Rollout) {
			r.Spec.Selector.MatchLabels["app"] = "shop"
			r.Spec.Template.Raw = labelled(map[string]string{"app": "shop"})
		},
		"one more label": func(r *v1alpha1.Rollout) {
			r.Spec.Selector.MatchLabels["tier"] = "front"
			r.Spec.Template.Raw = labelled(map[string]string{"app": r.Name, "tier": "front"})
		},
		"an expression of the same meaning": func(r *v1alpha1.Rollout) {
			r.Spec.Selector.MatchExpressions = []metav1.LabelSelectorRequirement{
				{Key: "app", Operator: metav1.LabelSelectorOpExists},
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			rollout := builder.Rollout("web").Namespace(e.Namespace).Obj()
			rollout.Name, rollout.GenerateName = "", "web-"
			if err := e.Client.Create(t.Context(), rollout); err != nil {
				t.Fatal(err)
			}
			change(rollout)
			wantInvalid(t, e.Client.Update(t.Context(), rollout), "spec.selector: Invalid value",
				"selector cannot be changed: keep it, or create a Rollout with another name for another selector")
		})
	}
}

// The size of a Deployment that was scaled down is known to the status of its Rollout alone.
func TestADeploymentThatWasScaledDownIsNotForgotten(t *testing.T) {
	e := env.Start(t)
	inline := builder.Rollout("web").Obj().Spec
	for name, tc := range map[string]struct {
		replicas *int32
		change   func(*v1alpha1.RolloutSpec)
		refused  bool
	}{
		"another Deployment": {ptr.To[int32](4), func(s *v1alpha1.RolloutSpec) { s.WorkloadRef.Name = "other" }, true},
		"a template instead": {ptr.To[int32](4), func(s *v1alpha1.RolloutSpec) {
			s.WorkloadRef, s.Template, s.Selector = nil, inline.Template, inline.Selector
		}, true},
		"another scaleDown":               {ptr.To[int32](4), func(s *v1alpha1.RolloutSpec) { s.WorkloadRef.ScaleDown = v1alpha1.WorkloadScaleDownNever }, false},
		"something else":                  {ptr.To[int32](4), func(s *v1alpha1.RolloutSpec) { s.Paused = true }, false},
		"one that has its pods, or never": {nil, func(s *v1alpha1.RolloutSpec) { s.WorkloadRef.Name = "other" }, false},
	} {
		t.Run(name, func(t *testing.T) {
			rollout := builder.Rollout("web").Namespace(e.Namespace).RollingUpdate("1", "0").Obj()
			rollout.Name, rollout.GenerateName = "", "web-"
			rollout.Spec.Template.Raw, rollout.Spec.Selector = nil, nil
			rollout.Spec.WorkloadRef = &v1alpha1.WorkloadReference{Name: "cart", ScaleDown: v1alpha1.WorkloadScaleDownOnSuccess}
			if err := e.Client.Create(t.Context(), rollout); err != nil {
				t.Fatal(err)
			}
			rollout.Status.Workload = &v1alpha1.WorkloadStatus{ObservedGeneration: 1, Replicas: tc.replicas}
			if err := e.Client.Status().Update(t.Context(), rollout); err != nil {
				t.Fatal(err)
			}
			tc.change(&rollout.Spec)
			err := e.Client.Update(t.Context(), rollout)
			if !tc.refused {
				if err != nil {
					t.Error(err)
				}
				return
			}
			wantInvalid(t, err, "spec.workloadRef: Invalid value", "write scaleDown: Never and give the Deployment its replicas back")
		})
	}
}

func TestAnalysisRunCannotBeEdited(t *testing.T) {
	e := env.Start(t)
	const cure = "an AnalysisRun records what was measured and cannot be changed, other than terminate: create another one"
	cases := map[string]struct {
		change func(*v1alpha1.AnalysisRunSpec)
		field  string
	}{
		"a query":     {func(s *v1alpha1.AnalysisRunSpec) { s.Metrics[0].Provider.Prometheus.Query = "vector(2)" }, "spec.metrics"},
		"a condition": {func(s *v1alpha1.AnalysisRunSpec) { s.Metrics[0].SuccessCondition = "result > 0.0" }, "spec.metrics"},
		"one metric more": {func(s *v1alpha1.AnalysisRunSpec) {
			s.Metrics = append(s.Metrics, builder.Metric("b", "vector(1)").Obj())
		}, "spec.metrics"},
		"an argument":        {func(s *v1alpha1.AnalysisRunSpec) { s.Args[0].Value = ptr.To("2") }, "spec.args"},
		"no arguments":       {func(s *v1alpha1.AnalysisRunSpec) { s.Args = nil }, "spec.args"},
		"another Rollout":    {func(s *v1alpha1.AnalysisRunSpec) { s.Rollout = "shop" }, "spec.rollout"},
		"another revision":   {func(s *v1alpha1.AnalysisRunSpec) { s.Revision = "def" }, "spec.revision"},
		"no gate any longer": {func(s *v1alpha1.AnalysisRunSpec) { s.Gate = "" }, "spec.gate"},
		"more odds":          {func(s *v1alpha1.AnalysisRunSpec) { s.ErrorBudget = "5%" }, "spec.errorBudget"},
		"more steps":         {func(s *v1alpha1.AnalysisRunSpec) { s.PlannedSteps = 2 }, "spec.plannedSteps"},
		"other evidence": {func(s *v1alpha1.AnalysisRunSpec) {
			s.Carried = []v1alpha1.CarriedEvidence{{Metric: "a", Run: "web", Gate: "step-1", Evidence: "1", Memory: "x"}}
		}, "spec.carried"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			run := newRun(t, e)
			tc.change(&run.Spec)
			wantInvalid(t, e.Client.Update(t.Context(), run), tc.field+": Invalid value", cure)
		})
	}
}

// TestShiftsAreOnlyAddedTo holds that what a batch was cut by stays.
func TestShiftsAreOnlyAddedTo(t *testing.T) {
	e := env.Start(t)
	run := newRun(t, e)
	at := func(seconds int64, weight string) v1alpha1.TrafficShift {
		return v1alpha1.TrafficShift{At: metav1.NewMicroTime(time.Unix(1_700_000_000+seconds, 5000)), Weight: weight}
	}
	for _, shifts := range [][]v1alpha1.TrafficShift{{at(0, "5")}, {at(0, "5"), at(60, ""), at(65, "12.5")}} {
		run.Spec.Shifts = shifts
		if err := e.Client.Update(t.Context(), run); err != nil {
			t.Fatal(err)
		}
	}
	for name, shifts := range map[string][]v1alpha1.TrafficShift{
		"one taken away": {at(0, "5"), at(60, "")}, "one changed": {at(0, "5"), at(60, ""), at(66, "12.5")}, "all": nil,
	} {
		changed := run.DeepCopy()
		changed.Spec.Shifts = shifts
		t.Log(name)
		wantInvalid(t, e.Client.Update(t.Context(), changed), "spec.shifts: Invalid value", "shifts record when traffic moved and are only added to")
	}
}

func TestAnalysisRunIsTerminatedForGood(t *testing.T) {
	e := env.Start(t)
	run := newRun(t, e)
	run.Spec.Terminate = true
	if err := e.Client.Update(t.Context(), run); err != nil {
		t.Fatalf("terminate: %v", err)
	}
	run.Spec.Terminate = false
	wantInvalid(t, e.Client.Update(t.Context(), run), "spec.terminate: Invalid value", "terminate cannot be taken back")
}

// TestStatusOfAnAnalysisRunIsWritten: the rules on the spec must not stand in the way of the controller.
func TestStatusOfAnAnalysisRunIsWritten(t *testing.T) {
	e := env.Start(t)
	run := newRun(t, e)
	run.Status.Phase = v1alpha1.AnalysisRunning
	run.Status.StartedAt = metav1.NewMicroTime(time.Date(2026, 3, 1, 10, 0, 0, 123456000, time.UTC))
	if err := e.Client.Status().Update(t.Context(), run); err != nil {
		t.Fatal(err)
	}
	if got := run.Status.StartedAt.UTC().Format(time.RFC3339Nano); got != "2026-03-01T10:00:00.123456Z" {
		t.Errorf("startedAt = %s: microseconds are lost", got)
	}
}

func newRun(t *testing.T, e *env.Env) *v1alpha1.AnalysisRun {
	t.Helper()
	run := builder.AnalysisRun("", builder.Metric("a", "vector(1)")).Namespace(e.Namespace).
		For("web", "abc", "step-1").Arg("threshold", "1").Obj()
	run.GenerateName = "run-"
	if err := e.Client.Create(t.Context(), run); err != nil {
		t.Fatal(err)
	}
	return run
}

// wantInvalid wants a refusal with every one of the pieces.
func wantInvalid(t *testing.T, err error, want ...string) {
	t.Helper()
	if !apierrors.IsInvalid(err) {
		t.Fatalf("error %v, want a refusal", err)
	}
	for _, piece := range want {
		if !strings.Contains(err.Error(), piece) {
			t.Errorf("refused with\n%v\nwant in it\n%s", err, piece)
		}
	}
}
