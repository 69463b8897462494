//go:build apiserver

package apiserver_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/apiserver/env"
	"github.com/sluice-dev/sluice/test/builder"
)

// TestStateIsReadAsItWasWritten: the status is the whole memory of the machine. A moment that loses its microseconds, or
// a stage that the schema does not know, would make it decide otherwise after a restart.
func TestStateIsReadAsItWasWritten(t *testing.T) {
	e := env.Start(t)
	rollout := builder.Rollout("web").Namespace(e.Namespace).Obj()
	if err := e.Client.Create(t.Context(), rollout); err != nil {
		t.Fatal(err)
	}
	for _, stage := range []v1alpha1.Stage{
		v1alpha1.StageInitial, v1alpha1.StageStepping, v1alpha1.StagePromoting, v1alpha1.StageRetreating,
		v1alpha1.StageAborted, v1alpha1.StageIdle,
	} {
		want := fullStatus(stage)
		rollout.Status = want
		if err := e.Client.Status().Update(t.Context(), rollout); err != nil {
			t.Fatalf("stage %q: %v", stage, err)
		}
		read := &v1alpha1.Rollout{}
		if err := e.Client.Get(t.Context(), client.ObjectKeyFromObject(rollout), read); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, read.Status); diff != "" {
			t.Errorf("stage %q (-written +read):\n%s", stage, diff)
		}
	}
}

// TestStateThatIsTakenBack: what the machine has left behind must be gone, not linger from the status before.
func TestStateThatIsTakenBack(t *testing.T) {
	e := env.Start(t)
	rollout := builder.Rollout("web").Namespace(e.Namespace).Obj()
	if err := e.Client.Create(t.Context(), rollout); err != nil {
		t.Fatal(err)
	}
	rollout.Status = fullStatus(v1alpha1.StageStepping)
	if err := e.Client.Status().Update(t.Context(), rollout); err != nil {
		t.Fatal(err)
	}
	before := rollout.DeepCopy()
	want := v1alpha1.RolloutStatus{ObservedGeneration: 2, State: v1alpha1.RolloutState{Stable: "5d8c7b9f6"}}
	rollout.Status = want
	if err := e.Client.Status().Patch(t.Context(), rollout, client.MergeFrom(before)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, readTyped(t, e).Status); diff != "" {
		t.Errorf("status after a patch (-wanted +read):\n%s", diff)
	}
}

// moment is one of its own for each number, with the precision that the API stores.
func moment(microseconds int) metav1.MicroTime {
	return metav1.NewMicroTime(time.Date(2026, 3, 1, 10, 0, 0, microseconds*1000, time.UTC))
}

func fullStatus(stage v1alpha1.Stage) v1alpha1.RolloutStatus {
	condition := func(kind string, status metav1.ConditionStatus, reason string) metav1.Condition {
		return metav1.Condition{
			Type: kind, Status: status, Reason: reason, Message: "step 2/4 waits", ObservedGeneration: 1,
			LastTransitionTime: metav1.NewTime(time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)),
		}
	}
	return v1alpha1.RolloutStatus{
		ObservedGeneration: 1, Phase: v1alpha1.PhaseProgressing, Message: "step 2/4 waits for 3 pods",
		Strategy: v1alpha1.StrategyCanary, Step: "2/4", Weight: "12.5",
		StableRevision: "5d8c7b9f6", UpdateRevision: "7f9d8c5b4",
		Replicas: 10, UpdatedReplicas: 2, ReadyReplicas: 9, AvailableReplicas: 8, Selector: "app=web",
		State: v1alpha1.RolloutState{
			Stage: stage, Stable: "5d8c7b9f6", Candidate: "7f9d8c5b4", CollisionCount: 1, Attempt: 2, Step: 1,
			StartedAt: moment(123456), ProgressAt: moment(7), ProgressMark: 2, ShiftedAt: moment(8),
			GatesAt: moment(9), PromotedAt: moment(10), Full: true, Reason: v1alpha1.ReasonAborted, Message: "by hand",
			ScaleDowns: []v1alpha1.ScaleDown{{Revision: "abc", At: moment(1)}}, RestartAt: moment(2),
		},
		LastCommand: &v1alpha1.CommandStatus{
			ID: "1", Action: v1alpha1.ActionAbort, Revision: "7f9d8c5b4", Accepted: true, Message: "aborting", At: moment(3),
		},
		Analyses: []v1alpha1.AnalysisStatus{
			{Name: "web-7f9d8c5b4-2-step-1", Gate: "step-1", Phase: v1alpha1.AnalysisPassed, Message: "5 of 5 passed"},
			{Name: "web-7f9d8c5b4-2-background", Gate: "background", Phase: v1alpha1.AnalysisRunning},
		},
		History: []v1alpha1.ReleaseRecord{{
			Revision: "5d8c7b9f6", Images: []string{"web:v1"}, Outcome: v1alpha1.OutcomePromoted,
			Reason: v1alpha1.ReasonPromoted, Message: "all steps held", Step: "4/4", StartedAt: moment(4), EndedAt: moment(5),
		}},
		Conditions: []metav1.Condition{
			condition(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonWaitingForPods),
			condition(v1alpha1.ConditionReconciling, metav1.ConditionTrue, v1alpha1.ReasonWaitingForPods),
		},
	}
}
