package main

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

func TestCommandsAreSentAndAnswered(t *testing.T) {
	for name, tc := range map[string]struct {
		args           []string
		rollout        *v1alpha1.Rollout
		wantAnnotation string
		wantOut        string
	}{
		"promote": {
			args: []string{"promote", "web"}, rollout: rollout("web", stepping), wantAnnotation: "promote/tp5zq6bhsr/7",
			wantOut: "rollout \"web\": step 1/2 of revision tp5zq6bhsr may go on\n",
		},
		"promote by its full name": {
			args: []string{"promote", "rollout.sluice.dev/web"}, rollout: rollout("web", stepping),
			wantAnnotation: "promote/tp5zq6bhsr/7", wantOut: "rollout \"web\": step 1/2 of revision tp5zq6bhsr may go on\n",
		},
		"promote --full": {
			args: []string{"promote", "web", "--full"}, rollout: rollout("web", stepping), wantAnnotation: "promote-full/tp5zq6bhsr/7",
			wantOut: "rollout \"web\": revision tp5zq6bhsr is promoted without the steps after step 1/2\n",
		},
		"promote --skip-step": {
			args: []string{"promote", "web", "--skip-step"}, rollout: rollout("web", stepping), wantAnnotation: "skip-step/tp5zq6bhsr/7",
			wantOut: "rollout \"web\": step 1/2 of revision tp5zq6bhsr is skipped\n",
		},
		"abort": {
			args: []string{"abort", "web"}, rollout: rollout("web", stepping), wantAnnotation: "abort/tp5zq6bhsr/7",
			wantOut: "rollout \"web\": revision tp5zq6bhsr is aborted at step 1/2; traffic goes back to c9x4wlnd7f\n",
		},
		"retry": {
			args: []string{"retry", "web"}, rollout: rollout("web", aborted), wantAnnotation: "retry/tp5zq6bhsr/7",
			wantOut: "rollout \"web\": revision tp5zq6bhsr is released again from its first step\n",
		},
		"restart": {
			args: []string{"restart", "web"}, rollout: rollout("web"), wantAnnotation: "restart/c9x4wlnd7f/7",
			wantOut: "rollout \"web\", revision c9x4wlnd7f: every pod is being replaced\n",
		},
		"without waiting": {
			args: []string{"abort", "web", "--wait=false"}, rollout: rollout("web", stepping), wantAnnotation: "abort/tp5zq6bhsr/7",
			wantOut: "rollout \"web\", revision tp5zq6bhsr: abort sent\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newTerminal(t, controller(), tc.rollout)
			c.expect(t, c.run(t, tc.args...), exitDone, tc.wantOut, "")
			if got := c.rolloutNamed(t, "web").Annotations[v1alpha1.AnnotationCommand]; got != tc.wantAnnotation {
				t.Errorf("annotation %q, want %q", got, tc.wantAnnotation)
			}
		})
	}
}

func TestCommandsThatFail(t *testing.T) {
	// The template changes between the check and the controller's look at the command.
	overtaken := answering(func(_ *v1alpha1.Rollout, c v1alpha1.Command) (*v1alpha1.CommandStatus, error) {
		return &v1alpha1.CommandStatus{ID: c.ID, Message: "abort of " + c.Revision + " ignored: the template has changed"}, nil
	})
	for name, tc := range map[string]struct {
		args     []string
		rollout  *v1alpha1.Rollout
		funcs    interceptor.Funcs
		wantCode int
		wantErr  string
	}{
		"refused by the controller": {
			args: []string{"abort", "web"}, rollout: rollout("web", stepping), funcs: overtaken, wantCode: exitFailed,
			wantErr: "error: rollout \"web\": abort of tp5zq6bhsr ignored: the template has changed\n",
		},
		"in the wrong state": {
			args: []string{"abort", "web"}, rollout: rollout("web"), funcs: controller(), wantCode: exitFailed,
			wantErr: "error: rollout \"web\" is Healthy at revision c9x4wlnd7f: there is nothing to abort; to go back to an " +
				"earlier revision use \"kubectl sluice undo web\"\n",
		},
		"without an answer": {
			args: []string{"abort", "web", "--timeout", "3s"}, rollout: rollout("web", stepping), wantCode: exitTimeout,
			wantErr: "error: the controller has not answered the abort of revision tp5zq6bhsr of rollout \"web\" within 3s: see " +
				"whether it runs with \"kubectl sluice version\"; the command stands and is handled when it does: timed out\n",
		},
		"with a name that is nearly right": {
			args: []string{"abort", "wbe"}, rollout: rollout("web", stepping), wantCode: exitFailed,
			wantErr: "error: there is no rollout \"wbe\" in namespace \"shop\"; did you mean \"web\"?\n",
		},
		"with both kinds of skipping": {
			args: []string{"promote", "web", "--full", "--skip-step"}, rollout: rollout("web", stepping), wantCode: exitUsage,
			wantErr: "error: --full skips all steps and --skip-step one: give one of them\nSee \"kubectl sluice promote --help\".\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newTerminal(t, tc.funcs, tc.rollout)
			if tc.wantCode == exitTimeout {
				c.clock = hurried{clocktesting.NewFakeClock(now())}
			}
			c.expect(t, c.run(t, tc.args...), tc.wantCode, "", tc.wantErr)
		})
	}
}

// TestWrongStates asks each verb for what makes no sense, and is told the state and what would work.
func TestWrongStates(t *testing.T) {
	const released, atStep = `rollout "web" is Healthy at revision c9x4wlnd7f: `, `rollout "web" is at step 1/2 with revision tp5zq6bhsr`
	const hasAborted = `rollout "web" has aborted revision tp5zq6bhsr (aborted by hand): `
	const unseenYet = `the controller has not looked at the latest edit of rollout "web" yet (generation 2, seen 0): try again in ` +
		`a moment; if this stays, see whether the controller runs with "kubectl sluice version"`
	initial := func(r *v1alpha1.Rollout) {
		r.Status.Phase, r.Status.StableRevision = v1alpha1.PhaseProgressing, ""
		r.Status.State = v1alpha1.RolloutState{Stage: v1alpha1.StageInitial, Candidate: candidate}
	}
	for line, tc := range map[string]struct {
		state []func(*v1alpha1.Rollout)
		want  string
	}{
		"promote web":                       {want: released + `there is nothing to promote; to release another version use "kubectl sluice set image web <container>=<image>"`},
		"promote web --full":                {want: hasAborted + `to release it again use "kubectl sluice retry web"`, state: states(aborted)},
		"promote web --skip-step":           {want: atStep + `, and paused: nothing moves until "kubectl sluice resume web"`, state: states(stepping, held)},
		"abort web":                         {want: hasAborted + `there is nothing more to abort; to release it again use "kubectl sluice retry web"`, state: states(aborted)},
		"abort web --wait=false":            {want: `rollout "web" is bringing up its first revision, tp5zq6bhsr: there is no stable revision to go back to; to release another version use "kubectl sluice set image web <container>=<image>"`, state: states(initial)},
		"retry web":                         {want: atStep + `: it was not aborted, so there is nothing to retry; "kubectl sluice get web" shows what it waits for`, state: states(stepping)},
		"retry web --timeout=5s":            {want: `rollout "web" is moving traffic back from revision tp5zq6bhsr to c9x4wlnd7f (aborted by hand): retry once traffic is back; "kubectl sluice status web" waits for that`, state: states(retreating)},
		"pause web":                         {want: atStep + `, and paused: to let it go on use "kubectl sluice resume web"`, state: states(stepping, held)},
		"resume web":                        {want: `rollout "web" is Healthy at revision c9x4wlnd7f, and spec.paused is not set: there is nothing to resume; "kubectl sluice get web" shows what it does`},
		"restart web":                       {want: unseenYet, state: states(unseen)},
		"promote web --timeout=5s":          {want: unseenYet, state: states(unseen)},
		"undo web":                          {want: `rollout "web" has no earlier revision that was promoted: to release another version use "kubectl sluice set image web <container>=<image>"`},
		"undo web --to-revision=7":          {want: `rollout "web" has no revision 7 to go back to: it has none`},
		"set image web nothing=shop/web:v3": {want: `rollout "web" has no container "nothing": it has web`},
	} {
		t.Run(line, func(t *testing.T) {
			c := newTerminal(t, controller(), rollout("web", tc.state...))
			before := c.rolloutNamed(t, "web")
			c.expect(t, c.run(t, strings.Fields(line)...), exitFailed, "", "error: "+tc.want+"\n")
			if diff := cmp.Diff(before, c.rolloutNamed(t, "web")); diff != "" {
				t.Errorf("the rollout was changed (-before +after):\n%s", diff)
			}
		})
	}
}

func states(changes ...func(*v1alpha1.Rollout)) []func(*v1alpha1.Rollout) { return changes }

func held(r *v1alpha1.Rollout) { r.Spec.Paused = true }

func TestPauseAndResume(t *testing.T) {
	const warning = "Warning: Argo CD deploys rollout \"web\" and may revert this; change it there as well\n"
	for name, tc := range map[string]struct {
		args       []string
		rollout    *v1alpha1.Rollout
		wantCode   int
		wantPaused bool
		wantOut    string
		wantErr    string
	}{
		"pause a release": {
			args: []string{"pause", "web"}, rollout: rollout("web", stepping), wantPaused: true,
			wantOut: "rollout \"web\" paused at step 1/2 of revision tp5zq6bhsr\n",
		},
		"pause at rest": {
			args: []string{"pause", "web"}, rollout: rollout("web"), wantPaused: true,
			wantOut: "rollout \"web\" paused at revision c9x4wlnd7f\n",
		},
		"resume": {
			args: []string{"resume", "web"}, rollout: rollout("web", stepping, held),
			wantOut: "rollout \"web\" resumed at step 1/2 of revision tp5zq6bhsr\n",
		},
		"resume what is not paused": {
			args: []string{"resume", "web"}, rollout: rollout("web", stepping), wantCode: exitFailed,
			wantErr: "error: rollout \"web\" is at step 1/2 with revision tp5zq6bhsr, and spec.paused is not set: it waits at a " +
				"step; to let it go on use \"kubectl sluice promote web\"\n",
		},
		"pause what Argo CD deploys": {
			args: []string{"pause", "web"}, rollout: rollout("web", aborted, deployedByArgo), wantPaused: true,
			wantOut: "rollout \"web\" paused at revision tp5zq6bhsr\n", wantErr: warning,
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newTerminal(t, interceptor.Funcs{}, tc.rollout)
			c.expect(t, c.run(t, tc.args...), tc.wantCode, tc.wantOut, tc.wantErr)
			if got := c.rolloutNamed(t, "web").Spec.Paused; got != tc.wantPaused {
				t.Errorf("paused %t, want %t", got, tc.wantPaused)
			}
		})
	}
}

func TestSetImageAndUndo(t *testing.T) {
	const warning = "Warning: Argo CD deploys rollout \"web\" and may revert this; change it there as well\n"
	for name, tc := range map[string]struct {
		args      []string
		change    []func(*v1alpha1.Rollout)
		wantCode  int
		wantImage string
		wantOut   string
		wantErr   string
	}{
		"set an image": {
			args: []string{"set", "image", "web", "web=shop/web:v3"}, wantImage: "shop/web:v3",
			wantOut: "rollout \"web\": container web: shop/web:v2 is now shop/web:v3\nrollout \"web\" asks for revision 65hvbf86tp; \"kubectl sluice status web\" waits for it\n",
		},
		"set an image that Argo CD deploys": {
			args: []string{"set", "image", "web", "*=shop/web:v3"}, wantImage: "shop/web:v3",
			change:  []func(*v1alpha1.Rollout){deployedByArgo},
			wantOut: "rollout \"web\": container web: shop/web:v2 is now shop/web:v3\nrollout \"web\" asks for revision 65hvbf86tp; \"kubectl sluice status web\" waits for it\n", wantErr: warning,
		},
		"set an image while paused": {
			args: []string{"set", "image", "web", "web=shop/web:v3"}, wantImage: "shop/web:v3",
			change: []func(*v1alpha1.Rollout){held},
			wantOut: "rollout \"web\": container web: shop/web:v2 is now shop/web:v3\nrollout \"web\" asks for revision 65hvbf86tp, " +
				"which spec.paused holds until \"kubectl sluice resume web\"\n",
		},
		"set an image after a collision of hashes": {
			args: []string{"set", "image", "web", "web=shop/web:v3"}, wantImage: "shop/web:v3",
			change:  []func(*v1alpha1.Rollout){func(r *v1alpha1.Rollout) { r.Status.State.CollisionCount = 1 }},
			wantOut: "rollout \"web\": container web: shop/web:v2 is now shop/web:v3\n",
		},
		"set the image that it has": {
			args: []string{"set", "image", "web", "web=shop/web:v2"}, wantImage: "shop/web:v2",
			change:  []func(*v1alpha1.Rollout){deployedByArgo},
			wantOut: "rollout \"web\": container web has image shop/web:v2 already\n",
		},
		"set the image of nothing": {
			args: []string{"set", "image", "web", "ap=shop/web:v3"}, wantImage: "shop/web:v2", wantCode: exitFailed,
			wantErr: "error: rollout \"web\" has no container \"ap\": it has web\n",
		},
		"undo": {
			args: []string{"undo", "web"}, wantImage: "shop/web:v1",
			wantOut: "rollout \"web\" goes back to revision 1 (shop/web:v1)\nrollout \"web\" asks for revision hv8k2mzqtb; \"kubectl sluice status web\" waits for it\n",
		},
		"undo to a number": {
			args: []string{"undo", "web", "--to-revision=3"}, wantImage: "shop/web:v3",
			change:  []func(*v1alpha1.Rollout){deployedByArgo},
			wantOut: "rollout \"web\" goes back to revision 3 (shop/web:v3)\nrollout \"web\" asks for revision tp5zq6bhsr; \"kubectl sluice status web\" waits for it\n", wantErr: warning,
		},
		"undo to what is there": {
			args: []string{"undo", "web", "--to-revision=2"}, wantImage: "shop/web:v2", wantCode: exitFailed,
			wantErr: "error: rollout \"web\" asks for revision 2 already: there is nothing to undo; \"kubectl sluice get web\" " +
				"shows its revisions\n",
		},
		"undo to a number that cannot be": {
			args: []string{"undo", "web", "--to-revision=-1"}, wantImage: "shop/web:v2", wantCode: exitUsage,
			wantErr: "error: --to-revision -1: revisions count from 1; \"kubectl sluice get web\" shows them\n" +
				"See \"kubectl sluice undo --help\".\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := rollout("web", tc.change...)
			r.Status.History = []v1alpha1.ReleaseRecord{{Revision: candidate, Outcome: v1alpha1.OutcomeAborted}}
			objects := []client.Object{r}
			objects = append(objects, replicaSet(r, "hv8k2mzqtb", 1, "shop/web:v1", 0)...)
			objects = append(objects, replicaSet(r, stable, 2, "shop/web:v2", 3)...)
			objects = append(objects, replicaSet(r, candidate, 3, "shop/web:v3", 0)...)
			c := newTerminal(t, controller(), objects...)
			c.expect(t, c.run(t, tc.args...), tc.wantCode, tc.wantOut, tc.wantErr)
			template, err := c.rolloutNamed(t, "web").PodTemplate()
			if err != nil {
				t.Fatal(err)
			}
			if got := template.Spec.Containers[0].Image; got != tc.wantImage {
				t.Errorf("image %q, want %q", got, tc.wantImage)
			}
		})
	}
}

func TestInterruptedWhileWaiting(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	funcs := interceptor.Funcs{Patch: func(ctx context.Context, c client.WithWatch, object client.Object, patch client.Patch,
		opts ...client.PatchOption,
	) error {
		defer cancel()
		return c.Patch(ctx, object, patch, opts...)
	}}
	c := newTerminal(t, funcs, rollout("web", stepping))
	c.expect(t, run(ctx, c.environment, []string{"abort", "web"}), exitInterrupted, "", "")
}
