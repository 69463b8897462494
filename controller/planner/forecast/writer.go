package forecast

import (
	"fmt"
	"math"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller/planner"
)

// writer writes down what happens to a cluster.
type writer struct {
	*cluster
	begun time.Time
	out   Forecast
	// reached is the last step that was written down.
	reached place
	// unknown are gates whose time is not known, and persons says that a person promotes.
	unknown []string
	persons bool
	// probes says that probes confirm shares.
	probes bool
}

// place is a step of a release.
type place struct {
	attempt, step int32
}

func newWriter(c *cluster) *writer {
	return &writer{cluster: c, begun: c.Now, reached: place{step: -1}, out: Forecast{
		Stable: c.State.Stable, Candidate: c.Target, Replicas: c.Spec.Replicas, Steps: []Step{}, LeastAvailable: math.MaxInt32,
	}}
}

// look writes down what a plan says about the cluster as it is, before the plan is carried out.
func (w *writer) look(plan planner.Plan) {
	if w.reaches(plan) {
		at := w.Spec.StepAt(w.State.Step)
		step := w.Spec.Steps[at]
		w.reached = place{w.State.Attempt, w.State.Step}
		w.add(Step{
			Name: fmt.Sprintf("%d/%d", at+1, len(w.Spec.Steps)), Revision: w.State.Candidate,
			Weight: v1alpha1.FormatWeight(step.Weight), Share: v1alpha1.FormatWeight(max(0, plan.Weight)), Gates: w.gates(step),
			Overlay: w.Spec.OverlayOf(step).String(),
		})
	}
	if plan.Record == nil {
		return
	}
	w.out.Outcome = plan.Record.Outcome
	all := v1alpha1.FormatWeight(planner.FullWeight)
	switch {
	case plan.Record.Outcome != v1alpha1.OutcomePromoted:
		w.add(Step{Name: NameBack, Revision: plan.State.Stable, Weight: all, Share: all})
	case w.State.Stage == v1alpha1.StageInitial:
		w.add(Step{Name: NameFirst, Revision: plan.State.Stable, Weight: all, Share: all})
	default:
		w.add(Step{Name: NamePromotion, Revision: plan.State.Stable, Weight: all, Share: all})
	}
}

// reaches says whether a plan is the first to find the pods and the traffic of a step in place: it begins the gates of the
// step, or goes on from it.
func (w *writer) reaches(plan planner.Plan) bool {
	before, after := w.State, plan.State
	if !taking(before) || after.Full || after.Attempt != before.Attempt || w.reached == (place{before.Attempt, before.Step}) {
		return false
	}
	if plan.Command != nil && plan.Command.Action == v1alpha1.ActionSkipStep {
		return false
	}
	return after.Stage == v1alpha1.StagePromoting || taking(after) && (after.Step > before.Step || !after.GatesAt.IsZero())
}

// taking says whether a release takes its steps one after another.
func taking(state v1alpha1.RolloutState) bool {
	return state.Stage == v1alpha1.StageStepping && !state.Full
}

// add writes a stage down; count adds its pods.
func (w *writer) add(step Step) {
	step.After = metav1.Duration{Duration: w.Now.Sub(w.begun)}
	w.out.LeastDuration = step.After
	w.out.Steps = append(w.out.Steps, step)
}

// asked are the pods that revisions are asked to have.
func (w *writer) asked() []Pods {
	out := []Pods{}
	for _, r := range w.Revisions {
		if r.Desired > 0 {
			out = append(out, Pods{Revision: r.Hash, Count: r.Desired})
		}
	}
	return out
}

// gates are those of a step, and the analysis that begins beside it.
func (w *writer) gates(step planner.Step) []Gate {
	var out []Gate
	if step.Probe > 0 {
		w.probes = true
		out = append(out, Gate{Kind: KindProbe, Requests: step.Probe})
	}
	for _, g := range step.Gates {
		gate := Gate{Kind: string(g.Kind), Name: g.Name}
		switch g.Kind {
		case planner.PauseGate:
			gate.Least = &metav1.Duration{Duration: g.Duration}
		case planner.PersonGate:
			w.persons = true
		case planner.AnalysisGate:
			gate.Least = w.least(g.Name)
		}
		out = append(out, gate)
	}
	if w.Spec.Background == w.State.Step {
		out = append(out, Gate{Kind: KindBackground, Name: planner.GateBackground})
	}
	return out
}

// least is the least time of an analysis; nil when that is not known.
func (w *writer) least(gate string) *metav1.Duration {
	if d, known := w.start.Analyses[gate]; known {
		return &metav1.Duration{Duration: d}
	}
	w.unknown = append(w.unknown, gate)
	return nil
}

// count adds the pods to the stage that a pass has written down: with a stable that shrinks behind its share of traffic,
// that pass lets its pods go. It remembers the extremes. What a pass changes takes effect in any order: pods may be created before others end, and
// end before others are available.
func (w *writer) count() {
	var most, least int32
	for _, r := range w.Revisions {
		most += max(r.Created, r.Desired)
		least += min(r.Available, r.Desired)
	}
	for _, r := range w.Baselines {
		most += max(r.Created, r.Desired)
	}
	if last := len(w.out.Steps) - 1; last >= 0 && w.out.Steps[last].Pods == nil {
		w.out.Steps[last].Pods, w.out.Steps[last].Baseline = w.asked(), w.askedOfBaseline()
	}
	w.out.MostPods = max(w.out.MostPods, most)
	w.out.LeastAvailable = min(w.out.LeastAvailable, least)
}

// end writes down where everything has come to rest.
func (w *writer) end(plan planner.Plan) Forecast {
	w.out.Settled, w.out.Message = plan.Settled, plan.Why.Message
	if last := len(w.out.Steps) - 1; last >= 0 && !slices.Equal(w.out.Steps[last].Pods, w.asked()) {
		released := w.out.LeastDuration
		all := v1alpha1.FormatWeight(planner.FullWeight)
		w.add(Step{Name: NameEnd, Revision: w.State.Stable, Weight: all, Share: all, Pods: w.asked()})
		w.out.LeastDuration = released
	}
	w.out.Unknown = w.leftOut()
	return w.out
}

// leftOut are the times that are not known, in words.
func (w *writer) leftOut() []string {
	var out []string
	if w.start.PodStart == 0 {
		out = append(out, "the time that pods take to become ready")
	}
	for _, gate := range w.unknown {
		out = append(out, fmt.Sprintf("the time of analysis %s", gate))
	}
	if w.probes {
		out = append(out, "the time of probes")
	}
	if w.persons {
		out = append(out, "the time that people take to promote")
	}
	if w.resumed {
		out = append(out, "the time until spec.paused is unset")
	}
	return out
}
