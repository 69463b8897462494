package sim

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller/planner"
	"github.com/sluice-dev/sluice/test/golden"
)

func TestMain(m *testing.M) { golden.Main(m) }

// story is a release told from the outside: a spec, and what happens to it at which step.
type story struct {
	about string
	spec  v1alpha1.RolloutSpec
	// happens is asked after every pass, and may change the world once.
	happens func(w *World, plan planner.Plan) string
}

func weight(n int) *intstr.IntOrString { v := intstr.FromInt32(int32(n)); return &v }

func percentages(s string) *intstr.IntOrString { v := intstr.FromString(s); return &v }

func replicas(n int32) *int32 { return &n }

func canarySpec(routed bool) v1alpha1.RolloutSpec {
	spec := v1alpha1.RolloutSpec{
		Replicas: replicas(4),
		Services: &v1alpha1.Services{Active: "web"},
		Strategy: v1alpha1.Strategy{Canary: &v1alpha1.CanaryStrategy{Steps: []v1alpha1.CanaryStep{
			{Weight: weight(25), Pause: &v1alpha1.Pause{Duration: &metav1.Duration{Duration: time.Minute}}},
			{Weight: weight(50), Analysis: &v1alpha1.Analysis{Templates: []v1alpha1.AnalysisTemplateReference{{Name: "success-rate"}}}},
		}}},
	}
	if routed {
		spec.Traffic = &v1alpha1.Traffic{GatewayAPI: &v1alpha1.GatewayAPITraffic{Routes: []v1alpha1.RouteReference{{Name: "web"}}}}
	}
	return spec
}

// leastSpec is a canary of six pods whose stable shrinks to no less than two.
func leastSpec() v1alpha1.RolloutSpec {
	spec := canarySpec(true)
	canary := spec.Strategy.Canary
	spec.Replicas, canary.MinPodsPerReplicaSet = replicas(6), replicas(2)
	canary.StableCapacity = v1alpha1.StableCapacityProportional
	canary.Steps[0].Weight, canary.Steps[1].Weight = weight(5), weight(100)
	canary.Steps = []v1alpha1.CanaryStep{canary.Steps[0], {Weight: weight(90)}, canary.Steps[1]}
	return spec
}

func blueGreenSpec() v1alpha1.RolloutSpec {
	analysis := &v1alpha1.Analysis{Templates: []v1alpha1.AnalysisTemplateReference{{Name: "success-rate"}}}
	return v1alpha1.RolloutSpec{
		Replicas: replicas(3),
		Services: &v1alpha1.Services{Active: "web"},
		Strategy: v1alpha1.Strategy{BlueGreen: &v1alpha1.BlueGreenStrategy{
			PreviewReplicas: replicas(1), PrePromotionAnalysis: analysis, PostPromotionAnalysis: analysis,
		}},
	}
}

func rollingSpec() v1alpha1.RolloutSpec {
	return v1alpha1.RolloutSpec{Replicas: replicas(4), Strategy: v1alpha1.Strategy{
		RollingUpdate: &v1alpha1.RollingUpdateStrategy{MaxSurge: percentages("25%"), MaxUnavailable: weight(0)},
	}}
}

// at makes something happen once, when the plan's reason is first the given one.
func at(reason, what string, change func(w *World)) func(*World, planner.Plan) string {
	done := false
	return func(w *World, plan planner.Plan) string {
		if done || plan.Why.Reason != reason {
			return ""
		}
		done = true
		change(w)
		return what
	}
}

func fail(w *World) {
	for i := range w.Analyses {
		if w.Analyses[i].Phase == v1alpha1.AnalysisRunning {
			w.Analyses[i].Phase, w.Analyses[i].Message = v1alpha1.AnalysisFailed, "success-rate: 0.8 failed result >= 0.95"
		}
	}
}

func send(action string) func(*World) {
	return func(w *World) {
		w.Command = v1alpha1.Command{Action: action, Revision: w.State.Candidate, ID: "1"}
	}
}

func stories() map[string]story {
	manual := canarySpec(true)
	manual.Strategy.Canary.Steps[0].Pause.Duration = nil
	proportional := canarySpec(true)
	proportional.Strategy.Canary.StableCapacity = v1alpha1.StableCapacityProportional
	least := leastSpec()
	never := func(*World, planner.Plan) string { return "" }
	return map[string]story{
		"canary-by-route":              {"A canary by the weights of a route, to the end.", canarySpec(true), never},
		"canary-by-ratio":              {"A canary by the number of pods behind one Service, to the end.", canarySpec(false), never},
		"canary-proportional":          {"A canary whose stable shrinks behind its share of traffic.", proportional, never},
		"blue-green":                   {"A blue/green switch by the selector of the active Service.", blueGreenSpec(), never},
		"rolling-update":               {"A rolling update, as a Deployment does it.", rollingSpec(), never},
		"recreate":                     {"Old pods end before new ones start.", v1alpha1.RolloutSpec{Replicas: replicas(2), Strategy: v1alpha1.Strategy{Recreate: &v1alpha1.RecreateStrategy{}}}, never},
		"canary-analysis-fails":        {"The analysis of the second step fails.", canarySpec(true), at(v1alpha1.ReasonWaitingForAnalysis, "the analysis fails", fail)},
		"blue-green-fails-after":       {"The analysis after a blue/green switch fails.", blueGreenSpec(), failPost()},
		"proportional-fails":           {"A canary whose stable has shrunk is aborted: weight falls as pods of stable come.", proportional, at(v1alpha1.ReasonWaitingForAnalysis, "the analysis fails", fail)},
		"canary-two-pods-at-the-least": {"A revision with traffic has two pods at the least; all traffic is on the candidate before the end.", least, never},
		"two-pods-fail-at-the-end":     {"It is aborted when stable has no traffic: the two pods that it has kept take what they can.", least, at(v1alpha1.ReasonWaitingForAnalysis, "the analysis fails", fail)},
		"rolled-back":                  {"The template of a revision within the rollback window comes back.", windowSpec(), settled(back)},
		"rolled-back-quickly":          {"After a blue/green switch, the template of before comes back while its pods still run.", blueGreenSpec(), settled(back)},
		"rolled-back-late":             {"The template of before comes back when its pods have gone: a release like any other.", blueGreenSpec(), settled(func(w *World) { w.Clock += time.Hour; back(w) })},
		"rollback-aborted":             {"A person aborts a rollback.", windowSpec(), rollbackAborted()},
		"canary-promoted-by-hand": {
			"The first step waits for a person, who promotes.", manual,
			at(v1alpha1.ReasonAwaitingPromotion, "a person promotes", send(v1alpha1.ActionPromote)),
		},
		"canary-promoted-in-full": {
			"A person skips what is left.", manual,
			at(v1alpha1.ReasonAwaitingPromotion, "a person promotes in full", send(v1alpha1.ActionPromoteFull)),
		},
		"canary-aborted-by-hand": {
			"A person aborts at the first step.", manual,
			at(v1alpha1.ReasonAwaitingPromotion, "a person aborts", send(v1alpha1.ActionAbort)),
		},
		"superseded": {
			"The template changes again at the first step.", manual,
			at(v1alpha1.ReasonAwaitingPromotion, "the template becomes v3", func(w *World) {
				w.Target, w.Newest = 2, 2
				w.Spec.Steps[0].Gates = nil
			}),
		},
		"deleted": {
			"Somebody deletes the Rollout at its first step.", manual,
			at(v1alpha1.ReasonAwaitingPromotion, "the rollout is deleted", end(false)),
		},
		"deleted-without-its-pods": {
			"Somebody deletes the Rollout at its first step, and its pods are to stay.", canarySpec(false),
			at(v1alpha1.ReasonWaitingForPause, "the rollout is deleted without its pods", end(true)),
		},
		"returned": {
			"The template of stable comes back at the first step.", manual,
			at(v1alpha1.ReasonAwaitingPromotion, "the template becomes v1", func(w *World) { w.Target = 0 }),
		},
		"stable-deleted": {
			"Somebody deletes the ReplicaSet of stable while the second step fails, and there is no way back.", canarySpec(true),
			loseStable(),
		},
		"experiment": {"A canary that runs beside a fresh baseline before it gets traffic.", experimentSpec(), never},
		"experiment-fails": {
			"An experiment shows that the candidate is worse.", experimentSpec(),
			at(v1alpha1.ReasonWaitingForPause, "the analysis fails", fail),
		},
		"experiment-superseded": {
			"The template changes again while an experiment runs: the next release has a baseline of its own.", experimentSpec(),
			at(v1alpha1.ReasonWaitingForPause, "the template becomes v3", func(w *World) { w.Target, w.Newest = 2, 2 }),
		},
		"experiment-deleted": {
			"Somebody deletes the Rollout while an experiment runs.", experimentSpec(),
			at(v1alpha1.ReasonWaitingForPause, "the rollout is deleted", end(false)),
		},
		"deadline": {
			"Pods of the candidate never become ready.", canarySpec(true),
			at(v1alpha1.ReasonWaitingForPods, "ten minutes pass", func(w *World) { w.Clock += 10 * time.Minute }),
		},
	}
}

// experimentSpec is a canary that begins with an experiment.
func experimentSpec() v1alpha1.RolloutSpec {
	spec := canarySpec(true)
	canary := spec.Strategy.Canary
	canary.Steps = []v1alpha1.CanaryStep{{Experiment: &v1alpha1.Experiment{
		Replicas: replicas(2), Duration: &metav1.Duration{Duration: time.Minute}, Analysis: canary.Steps[1].Analysis,
	}}, {Weight: weight(50)}}
	return spec
}

func windowSpec() v1alpha1.RolloutSpec {
	spec := canarySpec(true)
	spec.RollbackWindow = &v1alpha1.RollbackWindow{Revisions: 1}
	spec.Strategy.Canary.ScaleDownDelay = &metav1.Duration{}
	return spec
}

// back writes the first template again.
func back(w *World) { w.Target = 0 }

// settled makes something happen once, when the second revision is stable and all is done but for the pods of the one before.
func settled(change func(*World)) func(*World, planner.Plan) string {
	done := false
	return func(w *World, plan planner.Plan) string {
		if done || !plan.Settled || w.State.Stable != "v2" {
			return ""
		}
		done = true
		change(w)
		return "the template becomes " + Name(w.Target)
	}
}

func rollbackAborted() func(*World, planner.Plan) string {
	goesBack, aborts := settled(back), at(v1alpha1.ReasonWaitingForPods, "a person aborts", send(v1alpha1.ActionAbort))
	return func(w *World, plan planner.Plan) string {
		if w.State.Stage == v1alpha1.StagePromoting && w.State.Full {
			return aborts(w, plan)
		}
		return goesBack(w, plan)
	}
}

// end deletes the Rollout.
func end(orphan bool) func(*World) {
	return func(w *World) { w.Leaving = Leaving{Asked: true, Orphan: orphan, At: w.Clock} }
}

// loseStable deletes the ReplicaSet of stable when an analysis runs, which then fails, and writes another template when
// that has been told.
func loseStable() func(*World, planner.Plan) string {
	deleted := at(v1alpha1.ReasonWaitingForAnalysis, "a person deletes v1; the analysis fails", func(w *World) {
		w.Sets[0] = ReplicaSet{}
		fail(w)
	})
	mended := false
	return func(w *World, plan planner.Plan) string {
		if w.State.Stage == v1alpha1.StageAborted && !mended {
			mended = true
			w.Target, w.Newest = 2, 2
			return "the template becomes v3"
		}
		return deleted(w, plan)
	}
}

func failPost() func(*World, planner.Plan) string {
	done := false
	return func(w *World, _ planner.Plan) string {
		for _, a := range w.Analyses {
			if !done && a.Gate == planner.GatePostPromotion && a.Phase == v1alpha1.AnalysisRunning {
				done = true
				fail(w)
				return "the analysis fails"
			}
		}
		return ""
	}
}

// tell plays a story, one helpful thing after each pass, and writes what happens.
func tell(t *testing.T, s story) string {
	t.Helper()
	spec, err := planner.Compile(&s.spec, 2*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	w := healthy(World{Spec: spec, Services: s.spec.Services != nil, Budget: Budget{Edits: 1}})
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n", s.about)
	e := explorer{next: planner.Next}
	begun, said := w.Clock, ""
	for moved := true; moved; {
		plan := planner.Next(w.Snapshot())
		if line := plan.Why.Message; line != said {
			fmt.Fprintf(&b, "\n%6s  %s\n", w.Clock-begun, line)
			said = line
		}
		for _, action := range plan.Actions {
			fmt.Fprintf(&b, "        - %s\n", action)
		}
		for _, event := range plan.Events {
			fmt.Fprintf(&b, "        ! %s: %s\n", event.Reason, event.Message)
		}
		after := w.perform(plan)
		if what := s.happens(&after, plan); what != "" {
			fmt.Fprintf(&b, "        > %s\n", what)
			w = after
			continue
		}
		if helpful := after.helpful(); len(helpful) > 0 {
			fmt.Fprintf(&b, "        . %s\n", helpful[0].event)
		}
		w, moved = e.helpfulPass(w)
	}
	return b.String()
}

// perform carries out a whole plan.
func (w World) perform(plan planner.Plan) World {
	for _, action := range plan.Actions {
		w = w.apply(action)
	}
	return w.record(plan)
}

func TestTranscripts(t *testing.T) {
	for name, s := range stories() {
		t.Run(name, func(t *testing.T) {
			golden.Compare(t, filepath.Join("testdata", name+".txt"), tell(t, s))
		})
	}
}
