package main

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/json"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/demo/view"
	"github.com/sluice-dev/sluice/test/demo/workload"
	"github.com/sluice-dev/sluice/test/load/stats"
)

// good are results as they should be.
func good() []view.Result {
	return []view.Result{
		{Version: "v1", Outcome: v1alpha1.OutcomePromoted, Reason: v1alpha1.ReasonPromoted},
		{
			Version: "v2", Strategy: "canary", Outcome: v1alpha1.OutcomePromoted, Reason: v1alpha1.ReasonPromoted,
			Tally: stats.Tally{All: stats.Counts{Requests: 100}, Versions: map[string]stats.Counts{"v2": {Requests: 50}}},
		},
		{
			Version: "v3", Strategy: "canary", Outcome: v1alpha1.OutcomeAborted, Reason: v1alpha1.ReasonAnalysisFailed,
			Tally: stats.Tally{
				All:      stats.Counts{Requests: 100, AppErrors: 2},
				Versions: map[string]stats.Counts{"v2": {Requests: 90}, "v3": {Requests: 10, AppErrors: 2}},
			},
		},
	}
}

func TestVerdict(t *testing.T) {
	cases := map[string]struct {
		change     func([]view.Result)
		afterAbort int64
		want       string
	}{
		"all is well": {},
		"a good version is aborted": {
			change: func(r []view.Result) {
				r[1].Outcome, r[1].Reason = v1alpha1.OutcomeAborted, v1alpha1.ReasonAnalysisFailed
			},
			want: "v2: the outcome is Aborted (AnalysisFailed), should be Promoted (Promoted)",
		},
		"the faulty version is promoted": {
			change: func(r []view.Result) { r[2].Outcome, r[2].Reason = v1alpha1.OutcomePromoted, v1alpha1.ReasonPromoted },
			want:   "v3: the outcome is Promoted (Promoted), should be Aborted (AnalysisFailed)",
		},
		"a person aborted the faulty version": {
			change: func(r []view.Result) { r[2].Reason = v1alpha1.ReasonAborted },
			want:   "v3: the outcome is Aborted (Aborted), should be Aborted (AnalysisFailed)",
		},
		"a request is lost on the way": {
			change: func(r []view.Result) { r[1].Tally.All.Failures = 1 },
			want:   "v2: 1 of 100 requests failed, and v3 did not answer them with an error",
		},
		"a good version answers an error": {
			change: func(r []view.Result) { r[2].Tally.All.AppErrors = 3 },
			want:   "v3: 1 of 100 requests failed, and v3 did not answer them with an error",
		},
		"no request reached a version": {
			change: func(r []view.Result) { r[1].Tally.Versions = nil },
			want:   "v2: no request reached it, so nothing was shown",
		},
		"the faulty version was not faulty": {
			change: func(r []view.Result) {
				r[2].Tally.All.AppErrors = 0
				r[2].Tally.Versions["v3"] = stats.Counts{Requests: 10}
			},
			want: "v3: it answered no error, so nothing was shown",
		},
		"requests after the abort": {afterAbort: 4, want: "v3: 4 requests reached it after its abort"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			results := good()
			if c.change != nil {
				c.change(results)
			}
			got := ""
			if err := verdict(results, c.afterAbort); err != nil {
				got = err.Error()
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("verdict (-want +got):\n%s", diff)
			}
		})
	}
}

// world is a canary of v2 with half the traffic.
func world(t *testing.T) observed {
	t.Helper()
	settings := workload.Settings{Namespace: "demo", AppImage: "app:1", Replicas: 2}
	o := observed{rollout: settings.Rollout(workload.Version{Name: "v1"}, workload.Canary(0, 50))}
	o.rollout.Generation = 2
	o.rollout.Status = v1alpha1.RolloutStatus{
		ObservedGeneration: 2, Phase: v1alpha1.PhaseProgressing, Step: "1/1", Weight: "50", Message: "waiting",
		StableRevision: "aaa", UpdateRevision: "bbb",
		State: v1alpha1.RolloutState{Stage: v1alpha1.StageStepping, Stable: "aaa", Candidate: "bbb"},
	}
	for version, hash := range map[string]string{"v2": "bbb", "v1": "aaa", "v0": "000"} {
		rs := appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{v1alpha1.LabelPodTemplateHash: hash}}}
		raw := settings.Template(workload.Version{Name: version}).Raw
		if err := json.Unmarshal(raw, &rs.Spec.Template); err != nil {
			t.Fatal(err)
		}
		o.replicaSets = append(o.replicaSets, rs)
	}
	o.pods = []corev1.Pod{pod("aaa", true), pod("aaa", true), pod("bbb", true), pod("bbb", false)}
	o.load = stats.Report{
		Now: time.Unix(100, 0), Rate: 10,
		Total: stats.Tally{All: stats.Counts{Requests: 40, AppErrors: 1}},
		Seconds: []stats.Second{{At: 99, Tally: stats.Tally{
			All:      stats.Counts{Requests: 10, AppErrors: 1},
			Versions: map[string]stats.Counts{"v1": {Requests: 5}, "v2": {Requests: 5, AppErrors: 1}},
		}}},
	}
	return o
}

func pod(hash string, ready bool) corev1.Pod {
	status := corev1.ConditionFalse
	if ready {
		status = corev1.ConditionTrue
	}
	return corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "web-" + hash, Labels: map[string]string{v1alpha1.LabelPodTemplateHash: hash}},
		Status:     corev1.PodStatus{Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: status}}},
	}
}

func TestViewOfTheCluster(t *testing.T) {
	want := view.View{
		Release: "v2 canary", Elapsed: time.Minute, Phase: "Progressing", Step: "1/1", Weight: "50", Message: "waiting",
		Revisions: []view.Revision{
			{Version: "v1", Role: "stable", Ready: 2, Pods: 2, Recent: stats.Counts{Requests: 5}},
			{Version: "v2", Role: "candidate", Ready: 1, Pods: 2, Recent: stats.Counts{Requests: 5, AppErrors: 1}},
		},
		Seconds: recentSeconds, Sent: stats.Counts{Requests: 40, AppErrors: 1}, Rate: 10,
	}
	if diff := cmp.Diff(want, world(t).view("v2 canary", time.Minute)); diff != "" {
		t.Errorf("view (-want +got):\n%s", diff)
	}
}

func TestPodsThatEndAreNotShownAndNotSettled(t *testing.T) {
	o := world(t)
	o.rollout.Status.StableRevision, o.rollout.Status.State.Stable = "bbb", "bbb"
	o.pods = []corev1.Pod{pod("bbb", true), pod("bbb", true), pod("aaa", true)}
	o.pods[2].DeletionTimestamp = &metav1.Time{Time: time.Unix(100, 0)}
	if got := o.revisions(); got[0].Version != "v1" || got[0].Pods != 0 {
		t.Errorf("the pod that ends is counted: %+v", got)
	}
	if o.settled() {
		t.Error("settled while a pod of another revision is ending")
	}
	o.pods = o.pods[:2]
	if !o.settled() {
		t.Error("not settled although only pods of stable are left")
	}
	o.pods = o.pods[:1]
	if o.settled() {
		t.Error("settled with too few pods")
	}
}

func TestOutcomeIsThatOfThisReleaseAndOnlyAtRest(t *testing.T) {
	ended := metav1.MicroTime{Time: time.Unix(100, 0)}
	mine := v1alpha1.ReleaseRecord{Revision: "bbb", Outcome: v1alpha1.OutcomePromoted, EndedAt: ended}
	cases := map[string]struct {
		change func(*v1alpha1.Rollout)
		want   bool
	}{
		"no release has ended": {func(r *v1alpha1.Rollout) { r.Status.History = nil }, false},
		"the last that ended is another": {func(r *v1alpha1.Rollout) {
			r.Status.History = []v1alpha1.ReleaseRecord{{Revision: "aaa", EndedAt: ended}}
		}, false},
		"the edit has not been seen": {func(r *v1alpha1.Rollout) { r.Generation = 3 }, false},
		"still stepping":             {func(r *v1alpha1.Rollout) { r.Status.State.Stage = v1alpha1.StageStepping }, false},
		"at rest":                    {func(*v1alpha1.Rollout) {}, true},
		"at rest after an abort":     {func(r *v1alpha1.Rollout) { r.Status.State.Stage = v1alpha1.StageAborted }, true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			o := world(t)
			o.rollout.Status.State.Stage = v1alpha1.StageIdle
			o.rollout.Status.History = []v1alpha1.ReleaseRecord{mine}
			c.change(o.rollout)
			if _, got := o.outcome(); got != c.want {
				t.Errorf("over: %v, want %v", got, c.want)
			}
		})
	}
}

func TestStuckPodsSayWhy(t *testing.T) {
	o := world(t)
	o.pods[0].Status.ContainerStatuses = []corev1.ContainerStatus{{State: corev1.ContainerState{
		Waiting: &corev1.ContainerStateWaiting{Reason: "ErrImageNeverPull", Message: "app:1 is not present"},
	}}}
	want := []string{"pod web-aaa: ErrImageNeverPull: app:1 is not present"}
	if diff := cmp.Diff(want, o.stuck()); diff != "" {
		t.Errorf("reasons (-want +got):\n%s", diff)
	}
}

func TestScreenWithoutTerminalWritesChangesOnly(t *testing.T) {
	var out bytes.Buffer
	s := &screen{out: &out, paint: view.Mono}
	s.show(view.View{Release: "v2", Elapsed: time.Second})
	s.show(view.View{Release: "v2", Elapsed: 2 * time.Second})
	s.show(view.View{Release: "v2", Elapsed: 3 * time.Second, Weight: "10"})
	want := "00:01  v2\n00:03  v2  ·  10 % to the candidate\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("output (-want +got):\n%s", diff)
	}
}

func TestScreenDrawsOverItsPanel(t *testing.T) {
	var out bytes.Buffer
	s := &screen{out: &out, paint: view.Mono, size: func() int { return 40 }}
	s.show(view.View{Release: "v2"})
	panel := out.String()
	lines := strings.Count(panel, "\n")
	s.say(view.Plain, "stays")
	if got, want := out.String(), panel+"\x1b["+string(rune('0'+lines))+"A\x1b[Jstays\n"; got != want {
		t.Errorf("output %q, want %q", got, want)
	}
	out.Reset()
	s.show(view.View{Release: "v2"})
	if got := out.String(); got != panel {
		t.Errorf("after a line that stays, output %q, want the panel alone", got)
	}
}

func TestUntilSaysWhatWasMissing(t *testing.T) {
	c := &cluster{}
	missing := errors.New("no pods yet")
	cases := map[string]struct {
		look func(context.Context) (bool, error)
		want string
	}{
		"done":             {func(context.Context) (bool, error) { return true, nil }, ""},
		"never, no reason": {func(context.Context) (bool, error) { return false, nil }, "v2: not within 1ms"},
		"never, a reason":  {func(context.Context) (bool, error) { return false, missing }, "v2: not within 1ms: no pods yet"},
		"hopeless": {
			func(context.Context) (bool, error) { return false, &finalError{"no controller"} },
			"v2: no controller",
		},
	}
	for name, c2 := range cases {
		t.Run(name, func(t *testing.T) {
			got := ""
			if err := c.until(t.Context(), "v2", time.Millisecond, c2.look); err != nil {
				got = err.Error()
			}
			if got != c2.want {
				t.Errorf("error %q, want %q", got, c2.want)
			}
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := c.until(ctx, "v2", time.Minute, func(ctx context.Context) (bool, error) { return false, ctx.Err() })
	if err == nil || err.Error() != "v2: interrupted" {
		t.Errorf("error %v, want that it was interrupted", err)
	}
}

func TestFlagsAreChecked(t *testing.T) {
	args := []string{"-app-image=app:1", "-load-image=load:1"}
	o, err := parse(args)
	if err != nil {
		t.Fatal(err)
	}
	if got := o.closing(time.Unix(0, 0)); strings.Count(got, "\n  kubectl ") != 5 {
		t.Errorf("want five commands to try, got:\n%s", got)
	}
	for flag, want := range map[string]string{
		"-app-image=":         "-app-image is missing",
		"-load-image=":        "-load-image is missing",
		"-replicas=1":         "-replicas: write a number from 2 to 20",
		"-rate=1":             "-rate: write a number from 20 to 1000",
		"-window=1500ms":      "-window: write whole seconds",
		"-gateway-port=-1":    "-gateway-port: write a port",
		"-gateway-port=70000": "-gateway-port: write a port",
		"-gateway=10.0.0.1":   "-gateway: write an http URL",
		"2m":                  `"2m" is no flag`,
	} {
		if _, err := parse(append(args[:2:2], flag)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one with %q", flag, err, want)
		}
	}
}
