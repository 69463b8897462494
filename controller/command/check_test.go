package command_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller/command"
)

const (
	stable    = "stable2222"
	candidate = "newest3333"
)

// at makes a Rollout whose release is at a stage, as the controller leaves it, seen by the controller.
func at(stage v1alpha1.Stage, change ...func(*v1alpha1.Rollout)) *v1alpha1.Rollout {
	r := &v1alpha1.Rollout{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web", Generation: 3, UID: "rollout-uid"},
		Spec: v1alpha1.RolloutSpec{
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}},
			Strategy: v1alpha1.Strategy{Canary: &v1alpha1.CanaryStrategy{Steps: []v1alpha1.CanaryStep{
				{Weight: ptr.To(intstr.FromInt32(20)), Pause: &v1alpha1.Pause{}},
				{Weight: ptr.To(intstr.FromInt32(50))},
			}}},
		},
		Status: v1alpha1.RolloutStatus{
			ObservedGeneration: 3,
			Phase:              v1alpha1.PhaseProgressing,
			UpdateRevision:     candidate,
			StableRevision:     stable,
			State:              v1alpha1.RolloutState{Stage: stage, Stable: stable, Candidate: candidate},
		},
	}
	switch stage {
	case v1alpha1.StageIdle:
		r.Status.Phase, r.Status.UpdateRevision, r.Status.State.Candidate = v1alpha1.PhaseHealthy, stable, ""
	case v1alpha1.StageInitial:
		r.Status.State.Stable, r.Status.StableRevision = "", ""
	case v1alpha1.StageStepping:
		r.Status.Step = "1/2"
	case v1alpha1.StageRetreating, v1alpha1.StageAborted:
		r.Status.Phase, r.Status.State.Message = v1alpha1.PhaseDegraded, "analysis step-1 failed"
	case v1alpha1.StagePromoting:
	}
	for _, f := range change {
		f(r)
	}
	return r
}

func paused(r *v1alpha1.Rollout) { r.Spec.Paused = true }

func waiting(r *v1alpha1.Rollout) { r.Status.Phase = v1alpha1.PhasePaused }

func unseenEdit(r *v1alpha1.Rollout) { r.Generation++ }

func unseen(r *v1alpha1.Rollout) { r.Status = v1alpha1.RolloutStatus{ObservedGeneration: -1} }

func beingDeleted(r *v1alpha1.Rollout) { r.DeletionTimestamp = &metav1.Time{} }

func otherTemplate(r *v1alpha1.Rollout) { r.Status.UpdateRevision = "other44444" }

// atSecondStep is at a step without a pause.
func atSecondStep(r *v1alpha1.Rollout) {
	r.Status.State.Step, r.Status.Step, r.Status.Message = 1, "2/2", "3 of 5 pods are available"
}

func inconclusive(r *v1alpha1.Rollout) {
	r.Status.Conditions = []metav1.Condition{
		{Type: v1alpha1.ConditionReconciling, Reason: v1alpha1.ReasonAnalysisInconclusive},
	}
}

func promotedAlready(r *v1alpha1.Rollout) {
	r.Status.State.PromotedAt, r.Status.Message = metav1.NewMicroTime(time.Unix(1, 0)), "3 of 5 pods are available"
}

func blueGreen(automatic bool) func(*v1alpha1.Rollout) {
	return func(r *v1alpha1.Rollout) {
		r.Spec.Strategy = v1alpha1.Strategy{BlueGreen: &v1alpha1.BlueGreenStrategy{AutoPromote: &automatic}}
	}
}

func TestCheck(t *testing.T) {
	const (
		promote = v1alpha1.ActionPromote
		full    = v1alpha1.ActionPromoteFull
		abort   = v1alpha1.ActionAbort
		retry   = v1alpha1.ActionRetry
		restart = v1alpha1.ActionRestart
		skip    = v1alpha1.ActionSkipStep
	)
	const toRelease = `to release another version use "kubectl sluice set image web <container>=<image>"`
	for name, tc := range map[string]struct {
		action       string
		rollout      *v1alpha1.Rollout
		wantRevision string
		wantRefusal  string
	}{
		"promote waits at a pause":      {action: promote, rollout: at(v1alpha1.StageStepping, waiting), wantRevision: candidate},
		"promote on the way to a pause": {action: promote, rollout: at(v1alpha1.StageStepping), wantRevision: candidate},
		"promote undecided analysis":    {action: promote, rollout: at(v1alpha1.StageStepping, atSecondStep, inconclusive), wantRevision: candidate},
		"promote blue/green by hand":    {action: promote, rollout: at(v1alpha1.StageStepping, blueGreen(false)), wantRevision: candidate},
		"full at any step":              {action: full, rollout: at(v1alpha1.StageStepping, atSecondStep), wantRevision: candidate},
		"skip at any step":              {action: skip, rollout: at(v1alpha1.StageStepping, atSecondStep), wantRevision: candidate},
		"abort at a step":               {action: abort, rollout: at(v1alpha1.StageStepping), wantRevision: candidate},
		"abort although paused":         {action: abort, rollout: at(v1alpha1.StageStepping, paused), wantRevision: candidate},
		"abort during the promotion":    {action: abort, rollout: at(v1alpha1.StagePromoting), wantRevision: candidate},
		"abort although edited":         {action: abort, rollout: at(v1alpha1.StageStepping, unseenEdit), wantRevision: candidate},
		"retry what was aborted":        {action: retry, rollout: at(v1alpha1.StageAborted), wantRevision: candidate},
		"restart at rest":               {action: restart, rollout: at(v1alpha1.StageIdle), wantRevision: stable},
		"restart the first revision":    {action: restart, rollout: at(v1alpha1.StageInitial), wantRevision: candidate},
		"restart during a release":      {action: restart, rollout: at(v1alpha1.StageStepping), wantRevision: candidate},
		"restart after an abort":        {action: restart, rollout: at(v1alpha1.StageAborted), wantRevision: stable},
		"restart with a held template":  {action: restart, rollout: at(v1alpha1.StageIdle, paused, otherTemplate), wantRevision: stable},
		"promote without a pause": {
			action: promote, rollout: at(v1alpha1.StageStepping, atSecondStep),
			wantRefusal: `rollout "web" is at step 2/2 with revision newest3333 (3 of 5 pods are available): it does not wait ` +
				`for a promote; to skip all steps that are left use "kubectl sluice promote web --full"`,
		},
		"promote twice": {
			action: promote, rollout: at(v1alpha1.StageStepping, promotedAlready),
			wantRefusal: `rollout "web" is at step 1/2 with revision newest3333 (3 of 5 pods are available): it does not wait ` +
				`for a promote; to skip all steps that are left use "kubectl sluice promote web --full"`,
		},
		"promote blue/green by itself": {
			action: promote, rollout: at(v1alpha1.StageStepping, blueGreen(true)),
			wantRefusal: `rollout "web" is at step 1/2 with revision newest3333: it does not wait for a promote; to skip all ` +
				`steps that are left use "kubectl sluice promote web --full"`,
		},
		"promote while paused": {
			action: promote, rollout: at(v1alpha1.StageStepping, paused, waiting),
			wantRefusal: `rollout "web" is at step 1/2 with revision newest3333, and paused: nothing moves until ` +
				`"kubectl sluice resume web"`,
		},
		"full while paused": {
			action: full, rollout: at(v1alpha1.StageStepping, paused),
			wantRefusal: `rollout "web" is at step 1/2 with revision newest3333, and paused: nothing moves until ` +
				`"kubectl sluice resume web"`,
		},
		"promote at rest": {
			action: promote, rollout: at(v1alpha1.StageIdle),
			wantRefusal: `rollout "web" is Healthy at revision stable2222: there is nothing to promote; ` + toRelease,
		},
		"promote a held template": {
			action: promote, rollout: at(v1alpha1.StageIdle, paused, otherTemplate, waiting),
			wantRefusal: `rollout "web" is Paused at revision stable2222, and spec.paused holds revision other44444: ` +
				`it is released after "kubectl sluice resume web"`,
		},
		"promote an edit that nobody has seen": {
			action: promote, rollout: at(v1alpha1.StageIdle, unseenEdit),
			wantRefusal: `the controller has not looked at the latest edit of rollout "web" yet (generation 4, seen 3): try ` +
				`again in a moment; if this stays, see whether the controller runs with "kubectl sluice version"`,
		},
		"promote the first revision": {
			action: promote, rollout: at(v1alpha1.StageInitial),
			wantRefusal: `rollout "web" is bringing up its first revision, newest3333: the first revision takes no steps and ` +
				`serves as soon as its pods are available; "kubectl sluice status web" waits for that`,
		},
		"promote during the promotion": {
			action: promote, rollout: at(v1alpha1.StagePromoting),
			wantRefusal: `rollout "web" has done all steps and is making revision newest3333 stable: there is no step left to ` +
				`skip; "kubectl sluice status web" waits for the end`,
		},
		"promote on the way back": {
			action: promote, rollout: at(v1alpha1.StageRetreating),
			wantRefusal: `rollout "web" is moving traffic back from revision newest3333 to stable2222 (analysis step-1 failed): ` +
				`wait for that with "kubectl sluice status web"`,
		},
		"promote what was aborted": {
			action: promote, rollout: at(v1alpha1.StageAborted),
			wantRefusal: `rollout "web" has aborted revision newest3333 (analysis step-1 failed): to release it again use ` +
				`"kubectl sluice retry web"`,
		},
		"abort at rest": {
			action: abort, rollout: at(v1alpha1.StageIdle),
			wantRefusal: `rollout "web" is Healthy at revision stable2222: there is nothing to abort; to go back to an earlier ` +
				`revision use "kubectl sluice undo web"`,
		},
		"abort the first revision": {
			action: abort, rollout: at(v1alpha1.StageInitial),
			wantRefusal: `rollout "web" is bringing up its first revision, newest3333: there is no stable revision to go back ` +
				`to; ` + toRelease,
		},
		"abort on the way back": {
			action: abort, rollout: at(v1alpha1.StageRetreating),
			wantRefusal: `rollout "web" is moving traffic back from revision newest3333 to stable2222 (analysis step-1 failed): ` +
				`there is nothing more to abort; "kubectl sluice status web" waits for the end`,
		},
		"abort twice": {
			action: abort, rollout: at(v1alpha1.StageAborted),
			wantRefusal: `rollout "web" has aborted revision newest3333 (analysis step-1 failed): there is nothing more to ` +
				`abort; to release it again use "kubectl sluice retry web"`,
		},
		"retry at rest": {
			action: retry, rollout: at(v1alpha1.StageIdle),
			wantRefusal: `rollout "web" is Healthy at revision stable2222: it was not aborted, so there is nothing to retry; ` +
				`to replace its pods use "kubectl sluice restart web"`,
		},
		"retry during a release": {
			action: retry, rollout: at(v1alpha1.StageStepping),
			wantRefusal: `rollout "web" is at step 1/2 with revision newest3333: it was not aborted, so there is nothing to ` +
				`retry; "kubectl sluice get web" shows what it waits for`,
		},
		"retry on the way back": {
			action: retry, rollout: at(v1alpha1.StageRetreating),
			wantRefusal: `rollout "web" is moving traffic back from revision newest3333 to stable2222 (analysis step-1 failed): ` +
				`retry once traffic is back; "kubectl sluice status web" waits for that`,
		},
		"retry after another edit": {
			action: retry, rollout: at(v1alpha1.StageAborted, otherTemplate),
			wantRefusal: `rollout "web" has aborted revision newest3333 (analysis step-1 failed): the template has changed to ` +
				`revision other44444 since; "kubectl sluice get web" shows what that waits for`,
		},
		"restart before the first look": {
			action: restart, rollout: at(v1alpha1.StageIdle, unseen),
			wantRefusal: `the controller has not looked at the latest edit of rollout "web" yet (generation 3, seen 0): try ` +
				`again in a moment; if this stays, see whether the controller runs with "kubectl sluice version"`,
		},
		"anything of what is being deleted": {
			action: restart, rollout: at(v1alpha1.StageIdle, beingDeleted),
			wantRefusal: `rollout "web" is being deleted: nothing can be asked of it any more`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			revision, err := command.Check(tc.action, tc.rollout)
			if revision != tc.wantRevision {
				t.Errorf("revision %q, want %q", revision, tc.wantRevision)
			}
			if diff := cmp.Diff(tc.wantRefusal, refusalOf(t, err)); diff != "" {
				t.Errorf("refusal (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCheckUnknownAction(t *testing.T) {
	_, err := command.Check("explode", at(v1alpha1.StageIdle))
	var refusal *command.Refusal
	if err == nil || errors.As(err, &refusal) {
		t.Errorf("got %v, want an error that is no Refusal", err)
	}
}

// refusalOf returns the text of a Refusal, and fails the test on any other error.
func refusalOf(t *testing.T, err error) string {
	t.Helper()
	if err == nil {
		return ""
	}
	var refusal *command.Refusal
	if !errors.As(err, &refusal) {
		t.Fatalf("got %T (%v), want a *command.Refusal", err, err)
	}
	return refusal.Error()
}

func TestPending(t *testing.T) {
	sent := v1alpha1.Command{Action: v1alpha1.ActionAbort, Revision: candidate, ID: "7"}
	for name, tc := range map[string]struct {
		annotation string
		last       *v1alpha1.CommandStatus
		want       bool
	}{
		"no command":              {},
		"first command":           {annotation: sent.String(), want: true},
		"after another one":       {annotation: sent.String(), last: &v1alpha1.CommandStatus{ID: "6"}, want: true},
		"answered":                {annotation: sent.String(), last: &v1alpha1.CommandStatus{ID: "7"}},
		"what nobody could parse": {annotation: "abort"},
	} {
		t.Run(name, func(t *testing.T) {
			r := at(v1alpha1.StageStepping)
			r.Annotations = map[string]string{v1alpha1.AnnotationCommand: tc.annotation}
			r.Status.LastCommand = tc.last
			if _, pending := command.Pending(r); pending != tc.want {
				t.Errorf("pending %t, want %t", pending, tc.want)
			}
		})
	}
}

func TestDeployer(t *testing.T) {
	for name, tc := range map[string]struct {
		labels, annotations map[string]string
		want                string
	}{
		"nobody":          {labels: map[string]string{"app": "web"}},
		"Argo CD":         {annotations: map[string]string{"argocd.argoproj.io/tracking-id": "shop:sluice.dev/Rollout:shop/web"}, want: "Argo CD"},
		"Argo CD, labels": {labels: map[string]string{"argocd.argoproj.io/instance": "shop"}, want: "Argo CD application shop"},
		"Flux":            {labels: map[string]string{"kustomize.toolkit.fluxcd.io/name": "shop"}, want: "Flux Kustomization shop"},
		"Flux and Helm": {
			labels:      map[string]string{"helm.toolkit.fluxcd.io/name": "shop"},
			annotations: map[string]string{"meta.helm.sh/release-name": "shop"},
			want:        "Flux HelmRelease shop",
		},
		"Helm": {annotations: map[string]string{"meta.helm.sh/release-name": "shop"}, want: "Helm release shop"},
	} {
		t.Run(name, func(t *testing.T) {
			got := command.Deployer(&metav1.ObjectMeta{Labels: tc.labels, Annotations: tc.annotations})
			if got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}
