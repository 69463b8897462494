package forecast_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller/planner"
	"github.com/sluice-dev/sluice/controller/planner/forecast"
	"github.com/sluice-dev/sluice/test/builder"
)

// canary has a pause, and then an analysis and a person.
func canary() *builder.RolloutBuilder {
	return builder.Rollout("web").Replicas(4).Routes("web").Canary(
		builder.Step().Weight("25").Pause(time.Minute),
		builder.Step().Weight("50").Hold().Analysis("success-rate"))
}

// start is where a release of v2 over v1 begins.
func start(t *testing.T, b *builder.RolloutBuilder) forecast.Start {
	t.Helper()
	rollout := b.Obj()
	spec, err := planner.Compile(&rollout.Spec, 2*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	active := ""
	if rollout.Spec.Services != nil {
		active = rollout.Spec.Services.Active
	}
	s := forecast.Start{Snapshot: forecast.AtRest(spec, "v1", active, rollout.Spec.Services.StandbyName())}
	s.Snapshot.Target = "v2"
	return s
}

// lines writes a forecast down, a line for each stage and one for the whole.
func lines(f forecast.Forecast) []string {
	var out []string
	for _, s := range f.Steps {
		line := fmt.Sprintf("%s: %s%%", s.Name, s.Share)
		for _, p := range s.Pods {
			line += fmt.Sprintf(" %s=%d", p.Revision, p.Count)
		}
		line += " after " + s.After.Duration.String()
		for _, g := range s.Gates {
			line += fmt.Sprintf(", %s%s", g.Kind, g.Name)
			if g.Least != nil {
				line += " " + g.Least.Duration.String()
			}
		}
		out = append(out, line)
	}
	return append(out, fmt.Sprintf("%s after %s with %d to %d pods, without %s", f.Outcome, f.LeastDuration.Duration,
		f.LeastAvailable, f.MostPods, strings.Join(f.Unknown, " and ")))
}

func TestOf(t *testing.T) {
	const pods, person = "the time that pods take to become ready", "the time that people take to promote"
	for name, tc := range map[string]struct {
		rollout *builder.RolloutBuilder
		change  func(*forecast.Start)
		want    []string
	}{
		"pods take their time": {
			rollout: canary(),
			change: func(s *forecast.Start) {
				s.PodStart, s.MinReady, s.Analyses = 10*time.Second, 5*time.Second, map[string]time.Duration{"step-2": 2 * time.Minute}
			},
			want: []string{
				"1/2: 25% v1=4 v2=1 after 19s, pause 1m0s",
				"2/2: 50% v1=4 v2=2 after 1m36s, person, analysisstep-2 2m0s",
				"promotion: 100% v1=4 v2=4 after 3m57s",
				"end: 100% v2=4 after 4m27s",
				"Promoted after 3m57s with 4 to 8 pods, without " + person,
			},
		},
		"spec.paused": {
			rollout: builder.Rollout("web").Replicas(2).Recreate().Paused(),
			want: []string{
				"1/1: 100% v2=2 after 0s", "promotion: 100% v2=2 after 0s",
				"Promoted after 0s with 0 to 2 pods, without " + pods + " and the time until spec.paused is unset",
			},
		},
		"no replicas": {
			rollout: canary().Replicas(0),
			change:  func(s *forecast.Start) { s.Snapshot.Spec.Steps = s.Snapshot.Spec.Steps[:1] },
			want: []string{
				"1/1: 25% after 2s, pause 1m0s", "promotion: 100% after 1m6s",
				"Promoted after 1m6s with 0 to 0 pods, without " + pods,
			},
		},
		"the first release": {
			rollout: canary(),
			change: func(s *forecast.Start) {
				s.Snapshot.State, s.Snapshot.Revisions = v1alpha1.RolloutState{}, nil
				s.Snapshot.Active.Revision, s.Snapshot.Standby.Revision = "", ""
			},
			want: []string{"first: 100% v2=4 after 0s", "Promoted after 0s with 0 to 4 pods, without " + pods},
		},
		"pods that start after the deadline": {
			rollout: canary().ProgressDeadline(time.Minute),
			change:  func(s *forecast.Start) { s.PodStart = time.Hour },
			want: []string{
				"back: 100% v1=4 v2=1 after 1m0s", "end: 100% v1=4 after 1m2s",
				"Aborted after 1m0s with 4 to 5 pods, without ",
			},
		},
		"an aborted release": {
			rollout: canary(),
			change: func(s *forecast.Start) {
				s.Snapshot.State.Stage, s.Snapshot.State.Candidate = v1alpha1.StageAborted, "v2"
				s.Snapshot.State.Reason = v1alpha1.ReasonAborted
			},
			want: []string{" after 0s with 4 to 4 pods, without " + pods},
		},
		"a background analysis": {
			rollout: canary().With(func(r *v1alpha1.Rollout) {
				steps := &r.Spec.Strategy.Canary.Steps
				*steps = []v1alpha1.CanaryStep{builder.Step().Weight("25").Obj(), builder.Step().Replicas(3).Obj()}
				r.Spec.Strategy.Canary.Analysis = &v1alpha1.BackgroundAnalysis{Analysis: *builder.Analysis("errors"), StartingStep: 1}
				r.Spec.Strategy.Canary.ScaleDownDelay = &metav1.Duration{}
			}),
			want: []string{
				"1/2: 25% v1=4 v2=1 after 4s", "2/2: 25% v1=4 v2=3 after 4s, backgroundbackground",
				"promotion: 100% v1=4 v2=4 after 10s", "end: 100% v2=4 after 10s",
				"Promoted after 10s with 4 to 8 pods, without " + pods,
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, tc.rollout)
			if tc.change != nil {
				tc.change(&s)
			}
			got, err := forecast.Of(s)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, lines(got)); diff != "" {
				t.Errorf("(-want +got):\n%s\n%s", diff, got.Message)
			}
		})
	}
}

// TestOfARelease begins where a release has been for a while.
func TestOfARelease(t *testing.T) {
	at := func(s *forecast.Start) {
		s.Snapshot.Revisions = append(s.Snapshot.Revisions, planner.Revision{
			Hash: "v2", Number: 2, Desired: 2, Created: 2, Ready: 2, Available: 2,
		})
		now := metav1.NewMicroTime(s.Snapshot.Now)
		s.Snapshot.Standby.Revision, s.Snapshot.Route = "v2", planner.Route{Weight: 500, Accepted: true}
		state := &s.Snapshot.State
		state.Stage, state.Candidate, state.Attempt, state.Step = v1alpha1.StageStepping, "v2", 2, 1
		state.StartedAt, state.ShiftedAt, state.GatesAt, state.PromotedAt = now, now, now, now
		s.Snapshot.Analyses = []planner.Analysis{{Name: "run", Gate: "step-2", Phase: v1alpha1.AnalysisRunning}}
		s.Left = map[string]time.Duration{"step-2": 40 * time.Second}
		s.Snapshot.Now = s.Snapshot.Now.Add(time.Minute)
		s.PodStart = time.Second
		s.Analyses = map[string]time.Duration{"step-2": time.Minute}
	}
	for name, tc := range map[string]struct {
		change func(*forecast.Start)
		want   []string
	}{
		"to its end": {
			change: func(*forecast.Start) {},
			want: []string{
				"2/2: 50% v1=4 v2=2 after 0s, person, analysisstep-2 1m0s", "promotion: 100% v1=4 v2=4 after 47s",
				"end: 100% v2=4 after 1m17s",
				"Promoted after 47s with 4 to 8 pods, without the time that people take to promote",
			},
		},
		"with another template": {
			change: func(s *forecast.Start) { s.Snapshot.Target = "v3" },
			want: []string{
				"back: 100% v1=4 v2=2 after 2s", "1/2: 25% v1=4 v3=1 after 7s, pause 1m0s",
				"2/2: 50% v1=4 v3=2 after 1m10s, person, analysisstep-2 1m0s", "promotion: 100% v1=4 v3=4 after 2m17s",
				"end: 100% v3=4 after 2m47s",
				"Promoted after 2m17s with 4 to 8 pods, without the time that people take to promote",
			},
		},
		"with the template of stable": {
			change: func(s *forecast.Start) { s.Snapshot.Target = "v1" },
			want: []string{
				"back: 100% v1=4 v2=2 after 2s", "end: 100% v1=4 after 4s", "Returned after 2s with 4 to 6 pods, without ",
			},
		},
		"with a failed analysis": {
			change: func(s *forecast.Start) { s.Snapshot.Analyses[0].Phase = v1alpha1.AnalysisFailed },
			want: []string{
				"back: 100% v1=4 v2=2 after 2s", "end: 100% v1=4 after 4s", "Aborted after 2s with 4 to 6 pods, without ",
			},
		},
		"with an analysis that a person decides": {
			change: func(s *forecast.Start) {
				s.Snapshot.Analyses[0].Phase, s.Snapshot.Analyses[0].EndedAt = v1alpha1.AnalysisInconclusive, s.Snapshot.Now
			},
			want: []string{
				"2/2: 50% v1=4 v2=2 after 0s, person, analysisstep-2 1m0s", "promotion: 100% v1=4 v2=4 after 7s",
				"end: 100% v2=4 after 37s", "Promoted after 7s with 4 to 8 pods, without the time that people take to promote",
			},
		},
		"that a person promotes in full": {
			change: func(s *forecast.Start) { s.Snapshot.State.Full = true },
			want: []string{
				"promotion: 100% v1=4 v2=4 after 7s", "end: 100% v2=4 after 37s", "Promoted after 7s with 4 to 8 pods, without ",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, canary())
			at(&s)
			tc.change(&s)
			got, err := forecast.Of(s)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, lines(got)); diff != "" {
				t.Errorf("(-want +got):\n%s\n%s", diff, got.Message)
			}
		})
	}
}

// TestOfManyPods forecasts a hundred thousand pods that are replaced one at a time.
func TestOfManyPods(t *testing.T) {
	const replicas = 100_000
	got, err := forecast.Of(start(t, builder.Rollout("web").Replicas(replicas).RollingUpdate("1", "0")))
	if err != nil {
		t.Fatal(err)
	}
	if got.MostPods != replicas+1 || got.LeastAvailable != replicas || got.Outcome != v1alpha1.OutcomePromoted {
		t.Errorf("%+v", got)
	}
}

func TestLeastDuration(t *testing.T) {
	for name, tc := range map[string]struct {
		metrics  []*builder.MetricBuilder
		want     time.Duration
		wantEnds bool
	}{
		"none":      {wantEnds: true},
		"one":       {metrics: []*builder.MetricBuilder{builder.Metric("a", "q")}, wantEnds: true},
		"delayed":   {metrics: []*builder.MetricBuilder{builder.Metric("a", "q").After(time.Minute)}, want: time.Minute, wantEnds: true},
		"five":      {metrics: []*builder.MetricBuilder{builder.Metric("a", "q").Every(30 * time.Second).Count(5)}, want: 2 * time.Minute, wantEnds: true},
		"endless":   {metrics: []*builder.MetricBuilder{builder.Metric("a", "q").Every(time.Second)}},
		"the later": {metrics: []*builder.MetricBuilder{builder.Metric("a", "q").Every(time.Second).Count(11).After(5 * time.Second), builder.Metric("b", "q").Every(2 * time.Second).Count(4)}, want: 15 * time.Second, wantEnds: true},
	} {
		t.Run(name, func(t *testing.T) {
			var metrics []v1alpha1.Metric
			for _, m := range tc.metrics {
				metrics = append(metrics, m.Obj())
			}
			if got, ends := forecast.LeastDuration(metrics); got != tc.want || ends != tc.wantEnds {
				t.Errorf("%s, %v; want %s, %v", got, ends, tc.want, tc.wantEnds)
			}
		})
	}
}

// TestLeastDurationOfARatio counts a batch after its end and the time until its scrapes are in.
func TestLeastDurationOfARatio(t *testing.T) {
	ratio := builder.Metric("a", "q").Every(30 * time.Second).Count(20).After(time.Minute).Obj()
	ratio.Ratio = &v1alpha1.RatioMetric{}
	early, five := *ratio.DeepCopy(), int32(5)
	early.Ratio.PassAfter = &five
	for _, tc := range []struct {
		metric v1alpha1.Metric
		want   time.Duration
	}{{ratio, time.Minute + 20*30*time.Second + 30*time.Second}, {early, time.Minute + 5*30*time.Second + 30*time.Second}} {
		if got, ends := forecast.LeastDuration([]v1alpha1.Metric{tc.metric}); got != tc.want || !ends {
			t.Errorf("%s, %v; want %s", got, ends, tc.want)
		}
	}
}

// TestLeastDurationWithLimits counts what is enough in a row, and leaves dry runs out where there is more.
func TestLeastDurationWithLimits(t *testing.T) {
	five := builder.Metric("a", "q").Every(30 * time.Second).Count(5).Obj()
	row := builder.Metric("b", "q").Every(30 * time.Second).Obj()
	row.ConsecutiveSuccessLimit = new(int32(3))
	dry := builder.Metric("c", "q").Every(time.Hour).Count(5).Obj()
	dry.DryRun = new(true)
	for name, tc := range map[string]struct {
		metrics []v1alpha1.Metric
		want    time.Duration
	}{
		"three in a row":           {metrics: []v1alpha1.Metric{row}, want: time.Minute},
		"beside a dry run":         {metrics: []v1alpha1.Metric{five, dry}, want: 2 * time.Minute},
		"nothing but a dry run":    {metrics: []v1alpha1.Metric{dry}, want: 4 * time.Hour},
		"the longest that decides": {metrics: []v1alpha1.Metric{row, five, dry}, want: 2 * time.Minute},
	} {
		if got, ends := forecast.LeastDuration(tc.metrics); got != tc.want || !ends {
			t.Errorf("%s: %s, %v; want %s", name, got, ends, tc.want)
		}
	}
	now := time.Date(2026, 8, 20, 12, 0, 0, 0, time.UTC)
	run := builder.AnalysisRun("r").Obj()
	run.Spec.Metrics = []v1alpha1.Metric{row}
	run.Status.Metrics = []v1alpha1.MetricResult{{
		Name: "b", Phase: v1alpha1.AnalysisRunning, Successful: 7, ConsecutiveSuccesses: 1, NextAt: metav1.NewMicroTime(now.Add(10 * time.Second)),
	}}
	if got := forecast.LeastLeft(run, now); got != 40*time.Second {
		t.Errorf("%s are left, want 40s", got)
	}
}

func TestLeastLeft(t *testing.T) {
	now := time.Date(2026, 8, 20, 12, 0, 0, 0, time.UTC)
	run := builder.AnalysisRun("r", builder.Metric("a", "q").Every(30*time.Second).Count(5).After(time.Minute)).Obj()
	result := v1alpha1.MetricResult{
		Name: "a", Phase: v1alpha1.AnalysisRunning, Successful: 1, Failed: 1, NoData: 3,
		NextAt: metav1.NewMicroTime(now.Add(10 * time.Second)),
	}
	passed := result
	passed.Phase = v1alpha1.AnalysisPassed
	for name, tc := range map[string]struct {
		results []v1alpha1.MetricResult
		want    time.Duration
	}{
		"not begun":  {want: 3 * time.Minute},
		"in between": {results: []v1alpha1.MetricResult{result}, want: 70 * time.Second},
		"passed":     {results: []v1alpha1.MetricResult{passed}},
	} {
		t.Run(name, func(t *testing.T) {
			run.Status.Metrics = tc.results
			if got := forecast.LeastLeft(run, now); got != tc.want {
				t.Errorf("%s, want %s", got, tc.want)
			}
		})
	}
}

func TestAForecastSaysWhatIsLaidOverAWeight(t *testing.T) {
	spec := planner.Spec{
		Replicas: 2, Mode: planner.Routed, Background: planner.NoBackground, Deadline: time.Hour,
		Steps: []planner.Step{
			{Overlay: 1, Replicas: planner.WhatTheWeightNeeds}, {Weight: 500, Replicas: planner.WhatTheWeightNeeds},
		},
		Overlays: []v1alpha1.Overlay{{}, {Mirror: 10, Match: []v1alpha1.RequestMatch{{
			Headers: []v1alpha1.ValueMatch{{Type: v1alpha1.MatchExact, Name: "x-canary", Value: "yes"}},
		}}}},
	}
	snapshot := forecast.AtRest(spec, forecast.SomeStable, "web", "web-standby")
	snapshot.Target = forecast.SomeCandidate
	f, err := forecast.Of(forecast.Start{Snapshot: snapshot})
	if err != nil {
		t.Fatal(err)
	}
	const want = "requests with header x-canary=yes, and copies of 10% of the requests"
	if f.Steps[0].Overlay != want || f.Steps[0].PodsOf(forecast.SomeCandidate) != 1 || f.Steps[1].Overlay != "" {
		t.Errorf("steps are %+v, want %q and a pod at the first, and nothing at the second", f.Steps, want)
	}
}
