package main

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

func unseenEdit(r *v1alpha1.Rollout) { r.Generation++ }

func unseen(r *v1alpha1.Rollout) { r.Status = v1alpha1.RolloutStatus{ObservedGeneration: -1} }

func unanswered(r *v1alpha1.Rollout) {
	r.Annotations = map[string]string{v1alpha1.AnnotationCommand: "retry/" + candidate + "/9"}
}

func answered(r *v1alpha1.Rollout) {
	unanswered(r)
	r.Status.LastCommand = &v1alpha1.CommandStatus{ID: "9"}
}

func stalled(r *v1alpha1.Rollout) {
	r.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionStalled, Status: metav1.ConditionTrue}}
}

func progressing(r *v1alpha1.Rollout) {
	stepping(r)
	r.Status.Phase, r.Status.Message = v1alpha1.PhaseProgressing, "step 1/2: 1 of 2 pods are available"
}

func overlaid(r *v1alpha1.Rollout) {
	stepping(r)
	r.Status.Weight, r.Status.Overlay = "0", "requests with header x-canary=yes, and copies of 10% of the requests"
}

// TestStatusOnce looks without waiting: the exit code is that of the state.
func TestStatusOnce(t *testing.T) {
	const wait = exitTimeout
	for name, tc := range map[string]struct {
		rollout *v1alpha1.Rollout
		pauseOK bool
		want    int
		wantOut string
	}{
		"healthy":                    {rollout: rollout("web"), want: exitDone, wantOut: "Healthy: revision c9x4wlnd7f is stable with 3 pods\n"},
		"healthy but edited":         {rollout: rollout("web", unseenEdit), want: wait, wantOut: "The controller has not looked at the latest edit yet\n"},
		"never seen":                 {rollout: rollout("web", unseen), want: wait, wantOut: "The controller has not looked at it yet\n"},
		"aborted":                    {rollout: rollout("web", aborted), want: exitFailed, wantOut: "Degraded: revision tp5zq6bhsr was aborted by hand\n"},
		"aborted, retry on its way":  {rollout: rollout("web", aborted, unanswered), want: wait, wantOut: "Degraded: revision tp5zq6bhsr was aborted by hand\n"},
		"aborted, command answered":  {rollout: rollout("web", aborted, answered), want: exitFailed, wantOut: "Degraded: revision tp5zq6bhsr was aborted by hand\n"},
		"on the way back":            {rollout: rollout("web", retreating), want: exitFailed, wantOut: "Degraded: revision tp5zq6bhsr was aborted by hand\n"},
		"progressing":                {rollout: rollout("web", progressing), want: wait, wantOut: "Progressing (step 1/2, 20%): step 1/2: 1 of 2 pods are available\n"},
		"paused":                     {rollout: rollout("web", stepping), want: wait, wantOut: "Paused (step 1/2, 20%): step 1/2: revision tp5zq6bhsr waits for a person to promote or abort it\n"},
		"paused with matches":        {rollout: rollout("web", overlaid), want: wait, wantOut: "Paused (step 1/2, 0%, and requests with header x-canary=yes, and copies of 10% of the requests): step 1/2: revision tp5zq6bhsr waits for a person to promote or abort it\n"},
		"paused, where that is fine": {rollout: rollout("web", stepping), pauseOK: true, want: exitDone, wantOut: "Paused (step 1/2, 20%): step 1/2: revision tp5zq6bhsr waits for a person to promote or abort it\n"},
	} {
		t.Run(name, func(t *testing.T) {
			c := newTerminal(t, interceptor.Funcs{}, tc.rollout)
			args := []string{"status", "web", "--watch=false"}
			if tc.pauseOK {
				args = append(args, "--pause-ok")
			}
			c.expect(t, c.run(t, args...), tc.want, tc.wantOut, "")
		})
	}
}

// TestStatusWaits follows a release: each line that is written lets the next thing happen.
func TestStatusWaits(t *testing.T) {
	healthy := func(r *v1alpha1.Rollout) { r.Status = rollout("web").Status }
	promoting := func(r *v1alpha1.Rollout) { r.Status.Message = "all steps are done" }
	type change = func(*v1alpha1.Rollout)
	for name, tc := range map[string]struct {
		start   *v1alpha1.Rollout
		then    []change
		args    []string
		want    int
		wantOut string
	}{
		"to the good end, through a pause": {
			start: rollout("web", progressing), then: []change{stepping, promoting, healthy}, want: exitDone,
			wantOut: "Progressing (step 1/2, 20%): step 1/2: 1 of 2 pods are available\n" +
				"Paused (step 1/2, 20%): step 1/2: revision tp5zq6bhsr waits for a person to promote or abort it\n" +
				"Paused (step 1/2, 20%): all steps are done\n" +
				"Healthy: revision c9x4wlnd7f is stable with 3 pods\n",
		},
		"to a pause": {
			start: rollout("web", progressing), then: []change{stepping}, args: []string{"--pause-ok"}, want: exitDone,
			wantOut: "Progressing (step 1/2, 20%): step 1/2: 1 of 2 pods are available\n" +
				"Paused (step 1/2, 20%): step 1/2: revision tp5zq6bhsr waits for a person to promote or abort it\n",
		},
		"to the end of an abort": {
			start: rollout("web", stepping), want: exitFailed,
			then: []change{retreating, func(r *v1alpha1.Rollout) {
				aborted(r)
				r.Status.Message = "traffic is back on c9x4wlnd7f"
			}},
			wantOut: "Paused (step 1/2, 20%): step 1/2: revision tp5zq6bhsr waits for a person to promote or abort it\n" +
				"Degraded (step 1/2, 20%): revision tp5zq6bhsr was aborted by hand\n" +
				"Degraded (step 1/2, 20%): traffic is back on c9x4wlnd7f\n",
		},
		"to an abort that is stuck": {
			start: rollout("web", stepping), want: exitFailed,
			then: []change{func(r *v1alpha1.Rollout) {
				retreating(r)
				stalled(r)
			}},
			wantOut: "Paused (step 1/2, 20%): step 1/2: revision tp5zq6bhsr waits for a person to promote or abort it\n" +
				"Degraded (step 1/2, 20%): revision tp5zq6bhsr was aborted by hand\n",
		},
		"from an edit that is seen": {
			start: rollout("web", unseenEdit), want: exitDone,
			then:    []change{func(r *v1alpha1.Rollout) { r.Status.ObservedGeneration = r.Generation }},
			wantOut: "The controller has not looked at the latest edit yet\nHealthy: revision c9x4wlnd7f is stable with 3 pods\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newTerminal(t, interceptor.Funcs{}, tc.start)
			for _, change := range tc.then {
				c.out.after = append(c.out.after, c.update(t, change))
			}
			c.expect(t, c.run(t, append([]string{"status", "web"}, tc.args...)...), tc.want, tc.wantOut, "")
		})
	}
}

func TestStatusTimesOut(t *testing.T) {
	c := newTerminal(t, interceptor.Funcs{}, rollout("web", progressing))
	c.clock = hurried{clocktesting.NewFakeClock(now())}
	c.expect(t, c.run(t, "status", "web", "--timeout=2m"), exitTimeout,
		"Progressing (step 1/2, 20%): step 1/2: 1 of 2 pods are available\n",
		"error: rollout \"web\" was not done within 2m0s; \"kubectl sluice get web\" shows what it waits for: timed out\n")
}

func TestStatusOfWhatGoesAway(t *testing.T) {
	c := newTerminal(t, interceptor.Funcs{}, rollout("web", progressing))
	c.out.after = []func(){c.remove(t, "web")}
	c.expect(t, c.run(t, "status", "web"), exitFailed,
		"Progressing (step 1/2, 20%): step 1/2: 1 of 2 pods are available\n", "error: rollout \"web\" was deleted\n")
}

func TestStatusOfNothing(t *testing.T) {
	for name, tc := range map[string]struct {
		objects []client.Object
		want    string
	}{
		"near ones":   {objects: []client.Object{rollout("web"), rollout("web-admin"), rollout("db")}, want: `; did you mean "web" or "web-admin"?`},
		"far ones":    {objects: []client.Object{rollout("payments")}, want: `; "kubectl sluice list -n shop" shows those there are`},
		"none at all": {want: `, and no other; "kubectl sluice list -A" looks in all namespaces`},
	} {
		t.Run(name, func(t *testing.T) {
			c := newTerminal(t, interceptor.Funcs{}, tc.objects...)
			c.expect(t, c.run(t, "status", "we"), exitFailed, "", "error: there is no rollout \"we\" in namespace \"shop\""+tc.want+"\n")
		})
	}
}
