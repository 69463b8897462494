package why

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/builder"
	"github.com/sluice-dev/sluice/test/golden"
)

func TestMain(m *testing.M) { golden.Main(m) }

func now() time.Time { return time.Date(2026, 8, 20, 12, 0, 0, 0, time.UTC) }

func ago(d time.Duration) metav1.MicroTime { return metav1.NewMicroTime(now().Add(-d)) }

// rollout is a canary at rest: a pause and an analysis, then a person.
func rollout(change ...func(*v1alpha1.Rollout)) *v1alpha1.Rollout {
	r := builder.Rollout("web").Replicas(4).Routes("web").Generation(3).Canary(
		builder.Step().Weight("20").Pause(5*time.Minute).Analysis("success-rate"),
		builder.Step().Weight("50").Hold()).Obj()
	r.CreationTimestamp = metav1.NewTime(now().Add(-time.Hour))
	r.Status = v1alpha1.RolloutStatus{
		ObservedGeneration: 3, Replicas: 4, AvailableReplicas: 4, StableRevision: "v1", UpdateRevision: "v1",
		State: v1alpha1.RolloutState{Stable: "v1"},
	}
	for _, f := range change {
		f(r)
	}
	return r
}

// says sets what the planner says: a phase, a reason and a sentence.
func says(phase v1alpha1.RolloutPhase, reason, message string) func(*v1alpha1.Rollout) {
	return func(r *v1alpha1.Rollout) {
		r.Status.Phase, r.Status.Message = phase, message
		stalled := phase == v1alpha1.PhaseDegraded && r.Status.State.Stage != v1alpha1.StageRetreating
		for kind, holds := range map[string]bool{
			v1alpha1.ConditionReady: phase == v1alpha1.PhaseHealthy, v1alpha1.ConditionStalled: stalled,
			v1alpha1.ConditionReconciling: !stalled && phase != v1alpha1.PhaseHealthy,
		} {
			status := metav1.ConditionFalse
			if holds {
				status = metav1.ConditionTrue
			}
			r.Status.Conditions = append(r.Status.Conditions, metav1.Condition{
				Type: kind, Status: status, Reason: reason, LastTransitionTime: metav1.NewTime(now().Add(-90 * time.Second)),
			})
		}
	}
}

// stage is where a release is.
func stage(stage v1alpha1.Stage, change ...func(*v1alpha1.RolloutState)) func(*v1alpha1.Rollout) {
	return func(r *v1alpha1.Rollout) {
		state := &r.Status.State
		state.Stage, state.Candidate, state.StartedAt = stage, "v2", ago(10*time.Minute)
		r.Status.Step, r.Status.Weight, r.Status.UpdateRevision, r.Status.Replicas = "1/2", "20", "v2", 5
		for _, f := range change {
			f(state)
		}
	}
}

func gates(d time.Duration) func(*v1alpha1.RolloutState) {
	return func(s *v1alpha1.RolloutState) { s.GatesAt = ago(d) }
}

func progress(d time.Duration) func(*v1alpha1.RolloutState) {
	return func(s *v1alpha1.RolloutState) { s.ProgressAt = ago(d) }
}

func second(s *v1alpha1.RolloutState) { s.Step = 1 }

func why(reason string) func(*v1alpha1.RolloutState) {
	return func(s *v1alpha1.RolloutState) { s.Reason = reason }
}

// measuring has an analysis at the first step, after three measurements.
func measuring(phase v1alpha1.AnalysisPhase) func(*v1alpha1.Rollout) {
	return func(r *v1alpha1.Rollout) {
		r.Status.Analyses = []v1alpha1.AnalysisStatus{{Name: "run", Gate: "step-1", Phase: phase, Message: "3 of 5"}}
	}
}

func runs() []v1alpha1.AnalysisRun {
	run := builder.AnalysisRun("run",
		builder.Metric("success-rate", "q").Every(30*time.Second).Count(5).FailureLimit(1),
		builder.Metric("restarts", "q").Every(time.Minute)).For("web", "v2", "step-1").Obj()
	run.Status.Phase = v1alpha1.AnalysisRunning
	run.Status.Metrics = []v1alpha1.MetricResult{
		{Name: "success-rate", Phase: v1alpha1.AnalysisRunning, Successful: 2, Failed: 1, NoData: 1, Errors: 2, NextAt: ago(-20 * time.Second), Measurements: []v1alpha1.Measurement{{Value: "0.98"}, {}}},
		{Name: "restarts", Phase: v1alpha1.AnalysisRunning, Successful: 1, Inconclusive: 1, NoData: 1, NextAt: ago(time.Second)},
	}
	background := run.DeepCopy()
	background.Name, background.Spec.Gate = "beside", "background"
	return []v1alpha1.AnalysisRun{*run, *background}
}

func looks() map[string]Look {
	const degraded, progressing, paused = v1alpha1.PhaseDegraded, v1alpha1.PhaseProgressing, v1alpha1.PhasePaused
	stepping, promoting, initial := v1alpha1.StageStepping, v1alpha1.StagePromoting, v1alpha1.StageInitial
	retreating, aborted := v1alpha1.StageRetreating, v1alpha1.StageAborted
	first := func(r *v1alpha1.Rollout) {
		r.Status.State.Stable, r.Status.Step, r.Status.Weight, r.Status.Replicas, r.Status.AvailableReplicas = "", "", "", 4, 1
	}
	background := func(r *v1alpha1.Rollout) {
		r.Status.Analyses = append(r.Status.Analyses, v1alpha1.AnalysisStatus{Name: "beside", Gate: "background", Phase: v1alpha1.AnalysisRunning})
	}
	ended := func(r *v1alpha1.Rollout) {
		r.Status.Weight, r.Status.Replicas = "0", 4
		r.Status.History = []v1alpha1.ReleaseRecord{{Revision: "v2", Outcome: v1alpha1.OutcomeAborted, EndedAt: ago(4 * time.Minute)}}
	}
	out := map[string]Look{}
	add := func(name string, change ...func(*v1alpha1.Rollout)) {
		out[name] = Look{Rollout: rollout(change...), Now: now()}
	}
	measured := func(name string, change ...func(*v1alpha1.Rollout)) {
		out[name] = Look{Rollout: rollout(change...), Runs: runs(), Now: now()}
	}
	add("at rest", says(v1alpha1.PhaseHealthy, v1alpha1.ReasonPromoted, "revision v1 is stable with 4 pods"))
	add("at rest with old pods", func(r *v1alpha1.Rollout) {
		r.Status.State.ScaleDowns = []v1alpha1.ScaleDown{{Revision: "v0", At: ago(-25 * time.Second)}}
	}, says(v1alpha1.PhaseHealthy, v1alpha1.ReasonPromoted, "revision v1 is stable with 4 pods"))
	add("unseen", func(r *v1alpha1.Rollout) { r.Status = v1alpha1.RolloutStatus{ObservedGeneration: -1} })
	add("edited", func(r *v1alpha1.Rollout) { r.Generation = 4 }, says(v1alpha1.PhaseHealthy, v1alpha1.ReasonPromoted, "revision v1 is stable with 4 pods"))
	add("commanded", func(r *v1alpha1.Rollout) {
		r.Annotations = map[string]string{v1alpha1.AnnotationCommand: "promote/v2/7"}
	},
		stage(stepping, gates(time.Minute), second), says(paused, v1alpha1.ReasonAwaitingPromotion, "step 2/2: revision v2 waits for a person to promote or abort it"))
	add("begun", stage(stepping), says(progressing, v1alpha1.ReasonReleaseStarted, "revision v2 is released in 2 steps; v1 is stable"))
	add("pods", stage(stepping, progress(2*time.Minute)), says(progressing, v1alpha1.ReasonWaitingForPods, "step 1/2: 0 of 1 pod of v2 are available"))
	add("pods, first", stage(initial, progress(time.Minute)), first, says(progressing, v1alpha1.ReasonWaitingForPods, "first revision v2: 1 of 4 pods are available"))
	add("pods, late", stage(stepping, progress(11*time.Minute)), says(progressing, v1alpha1.ReasonWaitingForPods, "step 1/2: 0 of 1 pod of v2 are available"))
	add("endpoints", stage(stepping, progress(time.Second)), says(progressing, v1alpha1.ReasonWaitingForEndpoints, "step 1/2: service web-standby has 0 of 1 ready endpoints of v2, and 4 of other pods"))
	add("route", stage(stepping, progress(time.Second)), says(progressing, v1alpha1.ReasonWaitingForRoute, "step 1/2: weight 20% waits for every gateway to accept the route"))
	add("reverted", stage(stepping), says(progressing, v1alpha1.ReasonTrafficReverted, "step 1/2: HTTPRoute shop/web: the weight 20% was changed to 0% by argocd-controller; it is put back, and gates begin again"))
	add("contested", stage(stepping), says(degraded, v1alpha1.ReasonTrafficContested, "HTTPRoute shop/web: the weight 20% was changed to 0%, 6 times in 2m, by argocd-controller: tell it to leave that alone while a release runs, as docs/gitops.md says, or abort the release; it is put back again at 2026-08-20T12:10:00Z"))
	add("settling", stage(stepping), says(progressing, v1alpha1.ReasonSettling, "step 1/2: weight 20% is in place; gateways are given 2s"))
	add("confirming", stage(stepping), says(progressing, v1alpha1.ReasonConfirmingShare, "step 1/2: weight 20% is in place; a probe of 200 requests is to confirm it"))
	add("not confirmed", stage(stepping), says(progressing, v1alpha1.ReasonShareNotConfirmed, "step 1/2: probe: 3 of 200 answers came from the candidate, and 20% is 22 to 59; it is tried again, or let a person promote the step"))
	add("not confirmed for long", stage(stepping), says(degraded, v1alpha1.ReasonShareNotConfirmed, "step 1/2: probe: 3 of 200 answers came from the candidate, and 20% is 22 to 59; it is tried again, or let a person promote the step"))
	add("pause", stage(stepping, gates(time.Minute)), says(paused, v1alpha1.ReasonWaitingForPause, "step 1/2: revision v2 is paused for 5m0s, until 2026-08-20T12:04:00Z"))
	measured("pause and analysis", stage(stepping, gates(time.Minute)), measuring(v1alpha1.AnalysisRunning), background, says(paused, v1alpha1.ReasonWaitingForPause, "step 1/2: revision v2 is paused for 5m0s, until 2026-08-20T12:04:00Z"))
	add("pause that is no more", stage(stepping, gates(time.Minute), second), says(paused, v1alpha1.ReasonWaitingForPause, "step 1/2: revision v2 is paused for 5m0s, until 2026-08-20T12:04:00Z"))
	measured("person and analysis", func(r *v1alpha1.Rollout) { r.Spec.Strategy.Canary.Steps[0].Pause.Duration = nil }, stage(stepping, gates(time.Minute)), measuring(v1alpha1.AnalysisRunning), says(paused, v1alpha1.ReasonAwaitingPromotion, "step 1/2: revision v2 waits for a person to promote or abort it"))
	add("deserted", stage(stepping, gates(time.Hour), progress(time.Minute)), says(progressing, v1alpha1.ReasonWaitingForEndpoints, "step 1/2: v2 has no ready endpoint left; its traffic goes to v1 until it has"))
	add("person with matches", stage(stepping, gates(time.Hour), second), func(r *v1alpha1.Rollout) {
		r.Status.Weight, r.Status.Overlay = "0", "requests with header x-canary=yes"
	}, says(paused, v1alpha1.ReasonAwaitingPromotion, "step 2/2: revision v2 waits for a person to promote or abort it"))
	add("person", stage(stepping, gates(time.Hour), second), says(paused, v1alpha1.ReasonAwaitingPromotion, "step 2/2: revision v2 waits for a person to promote or abort it"))
	measured("analysis", stage(stepping, gates(6*time.Minute)), measuring(v1alpha1.AnalysisRunning), says(progressing, v1alpha1.ReasonWaitingForAnalysis, "step 1/2: analysis step-1 has no verdict yet: 3 of 5"))
	add("analysis that may not be read", stage(stepping, gates(6*time.Minute)), measuring(""), says(progressing, v1alpha1.ReasonWaitingForAnalysis, "step 1/2: analysis step-1 has no verdict yet: 3 of 5"))
	add("analysis begins", stage(stepping, gates(0)), says(progressing, v1alpha1.ReasonWaitingForAnalysis, "step 1/2: analysis step-1 begins"))
	add("inconclusive", stage(stepping, gates(6*time.Minute)), measuring(v1alpha1.AnalysisInconclusive), says(paused, v1alpha1.ReasonAnalysisInconclusive, "step 1/2: analysis step-1 ended Inconclusive: 3 of 5; promote or abort"))
	add("failed and held", stage(stepping, gates(6*time.Minute)), measuring(v1alpha1.AnalysisFailed), says(paused, v1alpha1.ReasonAwaitingDecision, "step 1/2: analysis step-1 ended Failed: 3 of 5; promote or abort; at 2026-08-20T13:00:00Z it is aborted"))
	add("step completed", stage(stepping, second), says(progressing, v1alpha1.ReasonStepCompleted, "revision v2 goes on to step 2/2"))
	add("promoting", stage(promoting, progress(30*time.Second)), background, says(progressing, v1alpha1.ReasonPromoting, "revision v2 is being promoted"))
	add("held", stage(stepping, gates(time.Minute)), says(paused, v1alpha1.ReasonPaused, "step 1/2: spec.paused holds revision v2; unset it to go on"))
	add("held before", func(r *v1alpha1.Rollout) { r.Status.UpdateRevision = "v2" }, says(paused, v1alpha1.ReasonPaused, "spec.paused holds revision v2; unset it to release it"))
	add("held at first", stage(initial), first, says(paused, v1alpha1.ReasonPaused, "spec.paused holds the first revision v2; unset it to go on"))
	add("late at first", stage(initial, progress(11*time.Minute)), first, says(degraded, v1alpha1.ReasonProgressDeadlineExceeded, "first revision v2: no progress for 10m0s with 1 of 4 pods available"))
	add("retreating", stage(retreating, why(v1alpha1.ReasonAborted)), says(degraded, v1alpha1.ReasonRetreating, "aborted by hand at step 1/2; traffic goes back to v1"))
	add("retreating without stable", stage(retreating, why(v1alpha1.ReasonAborted), progress(time.Minute)), says(degraded, v1alpha1.ReasonStableLost, "aborted by hand at step 1/2; weight 20% stays until more than 0 of 4 pods of v1 are ready endpoints of service web"))
	add("superseded", stage(retreating, why(v1alpha1.ReasonSuperseded)), says(progressing, v1alpha1.ReasonSuperseded, "the template changed to v3"))
	add("returned", stage(retreating, why(v1alpha1.ReasonReturned)), says(progressing, v1alpha1.ReasonReturned, "the template is again that of the stable revision v1"))
	add("aborted", stage(aborted, why(v1alpha1.ReasonAborted)), ended, says(degraded, v1alpha1.ReasonAborted, "revision v2 is aborted: aborted by hand at step 1/2; stable is v1; retry it, or change the template"))
	add("failed", stage(aborted, why(v1alpha1.ReasonAnalysisFailed)), says(degraded, v1alpha1.ReasonAnalysisFailed, "revision v2 is aborted: analysis step-1 failed at step 1/2; stable is v1; retry it, or change the template"))
	add("not measured", stage(aborted, why(v1alpha1.ReasonAnalysisNotMeasured)), says(degraded, v1alpha1.ReasonAnalysisNotMeasured, "revision v2 is aborted: analysis step-1 could not be measured for 30m0s at step 1/2; stable is v1; retry it, or change the template"))
	add("aborted by the deadline", stage(aborted, why(v1alpha1.ReasonProgressDeadlineExceeded)), ended, says(degraded, v1alpha1.ReasonProgressDeadlineExceeded, "revision v2 is aborted: no progress for 10m0s at step 1/2; stable is v1; retry it, or change the template"))
	add("aborted and broken", stage(aborted, why(v1alpha1.ReasonAborted)), ended, says(degraded, v1alpha1.ReasonServiceNotFound, "spec.services.active: Service \"web\" does not exist: create it"))
	add("aborted without stable", stage(aborted, why(v1alpha1.ReasonAborted)), ended, says(degraded, v1alpha1.ReasonStableLost, "revision v2 is aborted: by hand; nothing of stable v1 is ready; change the template, or retry"))
	add("stable lost", stage(stepping, gates(time.Minute)), says(progressing, v1alpha1.ReasonStableLost, "step 1/2: nothing of stable v1 is ready, which has 80% of the traffic; promote-full brings it to v2"))
	add("stable lost at rest", says(progressing, v1alpha1.ReasonStableLost, "nothing of v1 is ready"))
	add("scaling", says(progressing, v1alpha1.ReasonScaling, "stable revision v1: 3 of 4 pods are available"))
	add("restarting", says(progressing, v1alpha1.ReasonRestarting, "stable revision v1: 2 pods are still to be replaced"))
	add("created", says(progressing, v1alpha1.ReasonServiceNotFound, "service web-standby is being created"))
	for reason, message := range map[string]string{
		v1alpha1.ReasonWorkloadNotFound: "spec.workloadRef.name: Deployment \"web\" does not exist",
		v1alpha1.ReasonInvalidSpec:      "spec.strategy: Invalid value: write exactly one strategy", v1alpha1.ReasonServiceNotFound: "service web does not exist; create it",
		v1alpha1.ReasonServiceMismatch: "spec.services.active: Service \"web\" has no selector", v1alpha1.ReasonRouteNotFound: "spec.traffic.gatewayAPI.routes[0]: HTTPRoute \"web\" does not exist",
		v1alpha1.ReasonRouteWithoutBackend: "HTTPRoute \"web\" has no rule for web", v1alpha1.ReasonRouteUnusable: "HTTPRoute \"web\" has filters",
		v1alpha1.ReasonRouteNotAccepted: "HTTPRoute \"web\" is not accepted", v1alpha1.ReasonTemplateNotFound: "AnalysisTemplate \"success-rate\" does not exist",
		v1alpha1.ReasonConfigurationNotFound: "ConfigMap \"web-config\" does not exist", v1alpha1.ReasonConfigurationInvalid: "no part of spec.template uses ConfigMap \"web-config\"",
		v1alpha1.ReasonConfigurationForbidden: "the controller may not read Secrets here",
		v1alpha1.ReasonTemplateInvalid:        "argument \"a\" has no value", v1alpha1.ReasonReplicaSetRefused: "exceeded quota", v1alpha1.ReasonWriteRefused: "forbidden",
	} {
		add("broken, "+reason, stage(stepping, progress(time.Minute)), says(degraded, reason, message))
	}
	add("waiting for its turn", says(paused, v1alpha1.ReasonWaitingForTurn, "revision v2 waits: ConfigMap web-config also feeds 39 other Rollouts"))
	add("released for configuration", stage(stepping, gates(time.Minute)), func(r *v1alpha1.Rollout) {
		r.Status.State.Configuration = []string{"ConfigMap web-config", "Secret database"}
	}, says(paused, v1alpha1.ReasonAwaitingPromotion, "step 1/2: revision v2 waits for a person to promote or abort it"))
	deleted := func(r *v1alpha1.Rollout) { r.DeletionTimestamp = &metav1.Time{Time: now()} }
	add("leaving", deleted, says(progressing, v1alpha1.ReasonLeaving, "the rollout is being deleted: its traffic goes to v1"))
	add("leaving, and kept", deleted, stage(stepping, progress(time.Minute)), says(degraded, v1alpha1.ReasonLeaving,
		"the rollout is being deleted: 0 of 4 pods of deployment cart are available; until then the rollout and its pods stay"))
	add("broken at rest", says(degraded, v1alpha1.ReasonServiceMismatch, "spec.services.active: Service \"web\" has no selector"))
	add("no strategy", func(r *v1alpha1.Rollout) { r.Spec.Strategy = v1alpha1.Strategy{} }, stage(stepping, gates(time.Minute)), says(paused, v1alpha1.ReasonAwaitingPromotion, "it waits"))
	add("a reason to come", stage(stepping), says(progressing, "FromTheFuture", ""))
	return out
}

func TestParagraph(t *testing.T) {
	all := looks()
	var out strings.Builder
	for _, name := range slices.Sorted(maps.Keys(all)) {
		out.WriteString("# " + name + "\n" + Paragraph(all[name]) + "\n\n")
	}
	golden.Compare(t, "testdata/paragraphs.txt", out.String())
}

// TestEveryReasonAndStage finds each reason of the API among the cures, and each cure and each stage among the cases.
func TestEveryReasonAndStage(t *testing.T) {
	reasons := map[string]bool{}
	stages := map[v1alpha1.Stage]bool{}
	for _, l := range looks() {
		for _, c := range l.Rollout.Status.Conditions {
			reasons[c.Reason] = true
		}
		stages[l.Rollout.Status.State.Stage] = true
	}
	for reason := range cures() {
		if !reasons[reason] {
			t.Errorf("no case has the reason %s", reason)
		}
	}
	for _, stage := range []v1alpha1.Stage{
		v1alpha1.StageIdle, v1alpha1.StageInitial, v1alpha1.StageStepping, v1alpha1.StagePromoting, v1alpha1.StageRetreating,
		v1alpha1.StageAborted,
	} {
		if !stages[stage] {
			t.Errorf("no case has the stage %q", stage)
		}
	}
	// Those of the condition Available, of events and of the history.
	never := []string{
		v1alpha1.ReasonAvailable, v1alpha1.ReasonUnavailable, v1alpha1.ReasonCommandIgnored, v1alpha1.ReasonRolledBack,
		v1alpha1.ReasonAdopted, v1alpha1.ReasonNotAdopted, v1alpha1.ReasonRouteReleased, v1alpha1.ReasonShareConfirmed,
	}
	for _, reason := range declaredReasons(t) {
		if _, known := cures()[reason]; known == slices.Contains(never, reason) {
			t.Errorf("%s: known is %v", reason, known)
		}
	}
}

// declaredReasons are the values of the constants Reason* of a Rollout.
func declaredReasons(t *testing.T) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "../../../api/v1alpha1/constants.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, is := n.(*ast.ValueSpec); is && strings.HasPrefix(spec.Names[0].Name, "Reason") {
			out = append(out, strings.Trim(spec.Values[0].(*ast.BasicLit).Value, `"`))
		}
		return true
	})
	if len(out) < 30 {
		t.Fatalf("only %d reasons are declared", len(out))
	}
	return out
}
