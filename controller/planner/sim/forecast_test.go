package sim

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/yaml"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller/planner"
	"github.com/sluice-dev/sluice/controller/planner/forecast"
	"github.com/sluice-dev/sluice/controller/planner/why"
)

// settle is the settle time of the worlds that forecasts are compared with.
const settle = 2 * time.Second

// healthyStories are those in which nothing goes wrong.
func healthyStories() map[string]story {
	out := map[string]story{}
	for name, s := range stories() {
		switch name {
		case "canary-by-route", "canary-by-ratio", "canary-proportional", "blue-green", "rolling-update", "recreate",
			"canary-promoted-by-hand", "canary-two-pods-at-the-least":
			out[name] = s
		}
	}
	return out
}

// samples are releases of the Rollouts of config/samples, in which people promote what waits for them.
func samples(t *testing.T) map[string]story {
	t.Helper()
	files, err := filepath.Glob("../../../config/samples/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]story{}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, document := range bytes.Split(data, []byte("\n---\n")) {
			rollout := v1alpha1.Rollout{}
			if err := yaml.Unmarshal(document, &rollout); err != nil {
				t.Fatal(err)
			}
			if rollout.Kind == v1alpha1.RolloutKind {
				out["sample "+filepath.Base(file)] = story{
					spec: rollout.Spec, happens: at(v1alpha1.ReasonAwaitingPromotion, "a person promotes", send(v1alpha1.ActionPromote)),
				}
			}
		}
	}
	return out
}

// seen is where a release has come to, and when.
type seen struct {
	Name, Share string
	Pods        [2]int32
	After       time.Duration
}

// watcher follows a release in the simulation from the outside.
type watcher struct {
	begun   time.Duration
	reached int32
	steps   []seen
	// most and least are the extremes of the pods and of the available pods.
	most, least int32
}

// watch plays a story and writes down the steps at which it arrives. The first helpful thing happens after each pass, so
// that pods come one at a time.
func watch(s story, spec planner.Spec) *watcher {
	w := healthy(World{Spec: spec, Services: s.spec.Services != nil, Budget: Budget{Edits: 1}})
	out := &watcher{begun: w.Clock, reached: -1, least: w.Sets[0].Ready}
	e := explorer{next: planner.Next}
	for moved := true; moved; {
		plan := planner.Next(w.Snapshot())
		after := w.perform(plan)
		out.look(&w, &after, plan)
		if s.happens(&after, plan) != "" {
			w = after
			continue
		}
		w, moved = e.helpfulPass(w)
	}
	if last := out.steps[len(out.steps)-1]; last.Pods != [2]int32{w.pods(0), w.pods(1)} {
		out.note(&w, forecast.NameEnd, "100")
	}
	return out
}

// look sees a step begin its gates or end, and a release end.
func (o *watcher) look(w, next *World, plan planner.Plan) {
	before, after := w.State, plan.State
	if before.Stage == v1alpha1.StageStepping && before.Step != o.reached && (after.Step > before.Step ||
		after.Stage == v1alpha1.StagePromoting || !after.GatesAt.IsZero()) {
		o.reached = before.Step
		o.note(next, fmt.Sprintf("%d/%d", before.Step+1, len(w.Spec.Steps)), v1alpha1.FormatWeight(plan.Weight))
	}
	if plan.Record != nil {
		o.note(next, forecast.NamePromotion, "100")
	}
	o.most = max(o.most, w.Sets[0].Starting+w.Sets[0].Ready+w.Sets[1].Starting+w.Sets[1].Ready)
	o.least = min(o.least, w.Sets[0].Ready+w.Sets[1].Ready)
}

func (o *watcher) note(w *World, name, share string) {
	o.steps = append(o.steps, seen{name, share, [2]int32{w.pods(0), w.pods(1)}, w.Clock - o.begun})
}

// pods are those that a revision is asked to have.
func (w *World) pods(i int) int32 { return w.Sets[i].Desired }

// TestForecastIsWhatHappens compares what is foretold of a release with what the simulation sees of it. The two clusters
// have nothing in common but the planner.
func TestForecastIsWhatHappens(t *testing.T) {
	all := samples(t)
	if len(all) < 6 {
		t.Fatalf("%d samples", len(all))
	}
	for name, s := range healthyStories() {
		all[name] = s
	}
	for name, s := range all {
		t.Run(name, func(t *testing.T) { compare(t, s) })
	}
}

// TestForecastOfEverySize compares forecasts of small Rollouts of every kind, where rounding matters most.
func TestForecastOfEverySize(t *testing.T) {
	never := func(*World, planner.Plan) string { return "" }
	for n := range int32(8) {
		for name, spec := range sized(n) {
			t.Run(fmt.Sprintf("%s with %d", name, n), func(t *testing.T) { compare(t, story{spec: spec, happens: never}) })
		}
	}
}

// sized are Rollouts of every kind with a number of replicas.
func sized(n int32) map[string]v1alpha1.RolloutSpec {
	out := map[string]v1alpha1.RolloutSpec{}
	for _, weights := range [][]int{{1}, {10, 33, 80}, {50, 20, 100}} {
		var steps []v1alpha1.CanaryStep
		for _, w := range weights {
			steps = append(steps, v1alpha1.CanaryStep{Weight: weight(w), Pause: &v1alpha1.Pause{Duration: &metav1.Duration{Duration: time.Minute}}})
		}
		for _, routed := range []bool{true, false} {
			for _, capacity := range []v1alpha1.StableCapacity{v1alpha1.StableCapacityFull, v1alpha1.StableCapacityProportional} {
				canary := canarySpec(routed)
				canary.Strategy.Canary.Steps, canary.Strategy.Canary.StableCapacity = steps, capacity
				out[fmt.Sprintf("canary %v, routed %v, %s", weights, routed, capacity)] = canary
			}
		}
	}
	for _, limits := range [][2]string{{"25%", "25%"}, {"100%", "0%"}, {"0%", "50%"}, {"50%", "50%"}} {
		rolling := rollingSpec()
		rolling.Strategy.RollingUpdate.MaxSurge, rolling.Strategy.RollingUpdate.MaxUnavailable = percentages(limits[0]), percentages(limits[1])
		out[fmt.Sprintf("rolling %v", limits)] = rolling
	}
	blueGreen := blueGreenSpec()
	out["blue/green"] = blueGreen
	routed := blueGreenSpec()
	routed.Traffic = canarySpec(true).Traffic
	out["blue/green by route"] = routed
	out["recreate"] = v1alpha1.RolloutSpec{Strategy: v1alpha1.Strategy{Recreate: &v1alpha1.RecreateStrategy{}}}
	for name, spec := range out {
		spec.Replicas = replicas(n)
		out[name] = spec
	}
	return out
}

// compare holds that what is foretold of a story is what happens in it.
func compare(t *testing.T, s story) {
	t.Helper()
	foretold, spec := foretell(t, s)
	var got []seen
	for _, step := range foretold.Steps {
		got = append(got, seen{step.Name, step.Share, [2]int32{step.PodsOf("v1"), step.PodsOf("v2")}, step.After.Duration})
	}
	want := watch(s, spec)
	if diff := cmp.Diff(want.steps, got); diff != "" {
		t.Errorf("steps (-what happens +forecast):\n%s", diff)
	}
	if want.most > foretold.MostPods || want.least < foretold.LeastAvailable {
		t.Errorf("%d pods at the most and %d available at the least; forecast %d and %d", want.most, want.least,
			foretold.MostPods, foretold.LeastAvailable)
	}
	if foretold.Outcome != v1alpha1.OutcomePromoted {
		t.Errorf("it ends %q: %s", foretold.Outcome, foretold.Message)
	}
}

// foretell is the forecast of a story.
func foretell(t *testing.T, s story) (forecast.Forecast, planner.Spec) {
	t.Helper()
	spec, err := planner.Compile(&s.spec, settle)
	if err != nil {
		t.Fatal(err)
	}
	active, standby := "", ""
	if s.spec.Services != nil {
		active, standby = "web", "web-standby"
	}
	start := forecast.Start{Snapshot: forecast.AtRest(spec, "v1", active, standby)}
	start.Snapshot.Target = "v2"
	return of(t, start), spec
}

func of(t *testing.T, start forecast.Start) forecast.Forecast {
	t.Helper()
	out, err := forecast.Of(start)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestForecastOfTheRest begins again after each pass of a release: what is left to come is the end of what was to come at
// first, and no sooner.
func TestForecastOfTheRest(t *testing.T) {
	for name, s := range healthyStories() {
		t.Run(name, func(t *testing.T) {
			whole, spec := foretell(t, s)
			w := healthy(World{Spec: spec, Services: s.spec.Services != nil, Budget: Budget{Edits: 1}})
			e, begun := explorer{next: planner.Next}, w.Clock
			for moved := true; moved; {
				got := of(t, forecast.Start{Snapshot: w.Snapshot()})
				if diff := rest(whole.Steps, got.Steps, w.Clock-begun); diff != "" {
					t.Fatalf("after %s in %s:\n%s", w.Clock-begun, w.String(), diff)
				}
				w, moved = e.helpfulPass(w)
			}
		})
	}
}

// rest is the difference between the last of the steps that were to come at first and those that are still to come.
func rest(whole, got []forecast.Step, clock time.Duration) string {
	if len(got) > len(whole) {
		return fmt.Sprintf("%d steps are to come, and %d were at first", len(got), len(whole))
	}
	want := slices.Clone(whole[len(whole)-len(got):])
	for i := range got {
		got[i].After.Duration += clock
		if got[i].After.Duration > want[i].After.Duration {
			want[i].After = got[i].After
		}
	}
	return cmp.Diff(want, got)
}

// TestEveryPassSaysWhy explains the status after each pass of each story: it says what the planner says, and more.
func TestEveryPassSaysWhy(t *testing.T) {
	for name, s := range stories() {
		t.Run(name, func(t *testing.T) {
			spec, err := planner.Compile(&s.spec, settle)
			if err != nil {
				t.Fatal(err)
			}
			w := healthy(World{Spec: spec, Services: s.spec.Services != nil, Budget: Budget{Edits: 1}})
			rollout := &v1alpha1.Rollout{Spec: s.spec}
			rollout.Name = "web"
			e := explorer{next: planner.Next}
			for moved := true; moved; {
				snapshot := w.Snapshot()
				plan := planner.Next(snapshot)
				rollout.Status = planner.Record(rollout.Status, snapshot, plan, 1)
				got := why.Paragraph(why.Look{Rollout: rollout, Now: snapshot.Now})
				if said := plan.Why.Message[1:]; !strings.Contains(got, said) || len(got) < len(said)+100 {
					t.Errorf("%q is not explained: %s", plan.Why.Message, got)
				}
				if strings.Contains(got, "%!") || strings.Contains(got, "  ") || strings.Contains(got, "..") {
					t.Errorf("not a paragraph: %s", got)
				}
				after := w.perform(plan)
				if s.happens(&after, plan) != "" {
					w = after
					continue
				}
				w, moved = e.helpfulPass(w)
			}
		})
	}
}
