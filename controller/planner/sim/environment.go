package sim

import (
	"fmt"
	"slices"
	"time"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller/planner"
)

// successor is a world that one event leads to.
type successor struct {
	world World
	event string
}

// helpful are the steps of other controllers that bring a cluster to what is asked of it, one at a time.
func (w World) helpful() []successor {
	var out []successor
	for i := range w.Sets {
		out = append(out, w.podSteps(i)...)
	}
	if next := w.endpoints(w.Active); next != w.Active {
		n := w
		n.Active = next
		out = append(out, successor{n, "active follows its selector"})
	}
	if next := w.endpoints(w.Standby); next != w.Standby {
		n := w
		n.Standby = next
		out = append(out, successor{n, "standby follows its selector"})
	}
	if !w.programmed() {
		n := w
		n.Programmed, n.ProgrammedOverlay = w.Weight, w.Overlay
		out = append(out, successor{n, fmt.Sprintf("the gateway programs %d", w.Weight)})
	}
	out = append(out, w.baselineSteps()...)
	for i, a := range w.Analyses {
		if a.Phase == v1alpha1.AnalysisRunning && a.Gate != planner.GateBackground {
			n := w.verdict(i, v1alpha1.AnalysisPassed)
			out = append(out, successor{n, a.Gate + " passes"})
		}
	}
	return out
}

// podSteps are the steps of the ReplicaSet controller and the kubelet for one revision.
func (w World) podSteps(i int) []successor {
	set := w.Sets[i]
	var out []successor
	total := set.Starting + set.Ready
	if total < set.Desired {
		n := w
		n.Sets[i].Starting += set.Desired - total
		out = append(out, successor{n, Name(i) + " creates pods"})
	}
	if total > set.Desired {
		n := w
		gone := min(set.Starting, total-set.Desired)
		n.Sets[i].Starting -= gone
		n.Sets[i].Ready -= total - set.Desired - gone
		out = append(out, successor{n, Name(i) + " ends pods"})
	}
	if set.Starting > 0 && total <= set.Desired {
		n := w
		n.Sets[i].Starting--
		n.Sets[i].Ready++
		out = append(out, successor{n, "a pod of " + Name(i) + " becomes ready"})
	}
	return out
}

// endpoints are what a Service's selector selects now.
func (w World) endpoints(s Service) Service {
	if !s.Exists {
		return s
	}
	for i, set := range w.Sets {
		s.Endpoints[i] = 0
		if s.Selects == 0 || s.Selects == i+1 {
			s.Endpoints[i] = set.Ready
		}
	}
	return s.heard(w.Clock)
}

// heard notes when a Service has its first ready endpoint of what it selects.
func (s Service) heard(clock time.Duration) Service {
	if s.Fresh && s.Selects > 0 && s.Endpoints[s.Selects-1] > 0 {
		s.Fresh, s.Since = false, clock
	}
	return s
}

func (w World) verdict(index int, phase v1alpha1.AnalysisPhase) World {
	w.Analyses = slices.Clone(w.Analyses)
	w.Analyses[index].Phase, w.Analyses[index].EndedAt = phase, epoch().Add(w.Clock)
	return w
}

func (w *World) start(a planner.StartAnalysis) {
	if w.AnalysesOf != a.Attempt {
		w.Analyses, w.AnalysesOf = nil, a.Attempt
	}
	for _, have := range w.Analyses {
		if have.Gate == a.Gate {
			return
		}
	}
	w.Analyses = append(w.Analyses, planner.Analysis{
		Name: fmt.Sprintf("%s-%d-%s", a.Revision, a.Attempt, a.Gate), Gate: a.Gate, Phase: v1alpha1.AnalysisRunning,
		Compares: w.Spec.Mode == planner.Routed, Told: a.Weight,
	})
}

func (w *World) stop(name string) {
	for i, a := range w.Analyses {
		if a.Name == name && a.Phase == v1alpha1.AnalysisRunning {
			w.Analyses[i].Phase, w.Analyses[i].EndedAt = v1alpha1.AnalysisStopped, epoch().Add(w.Clock)
		}
	}
}

// hostile are the events of the budget.
func (w World) hostile() []successor {
	out := slices.Concat(w.edits(), w.commands(), w.deletions(), w.ends(), w.hostileToBaseline())
	for i, set := range w.Sets {
		if w.Budget.Deaths > 0 && set.Ready > 0 {
			n := w
			n.Budget.Deaths--
			n.Sets[i].Ready--
			out = append(out, successor{n, "a pod of " + Name(i) + " dies"})
		}
	}
	for i, a := range w.Analyses {
		if w.Budget.Failures > 0 && a.Phase == v1alpha1.AnalysisRunning && w.AnalysesOf == w.State.Attempt {
			n := w.verdict(i, v1alpha1.AnalysisFailed)
			n.Budget.Failures--
			out = append(out, successor{n, a.Gate + " fails"})
		}
	}
	if w.Budget.Deadlines > 0 && !w.State.ProgressAt.IsZero() {
		n := w
		n.Budget.Deadlines--
		n.Clock += w.Spec.Deadline
		out = append(out, successor{n, "the deadline passes"})
	}
	return out
}

// deletions are what somebody deletes by hand. The pods of a ReplicaSet go with it.
func (w World) deletions() []successor {
	if w.Budget.Deletions == 0 {
		return nil
	}
	var out []successor
	w.Budget.Deletions--
	for i, set := range w.Sets {
		if set.Exists {
			n := w
			n.Sets[i] = ReplicaSet{}
			out = append(out, successor{n, Name(i) + " is deleted"})
		}
	}
	if w.Standby.Exists {
		n := w
		n.Standby = Service{}
		out = append(out, successor{n, "standby is deleted"})
	}
	return out
}

func (w World) edits() []successor {
	var out []successor
	if w.Budget.Edits > 0 {
		n := w
		n.Budget.Edits--
		if w.Newest < Revisions-1 {
			n.Newest, n.Target = w.Newest+1, w.Newest+1
			out = append(out, successor{n, "the template becomes " + Name(n.Target)})
		}
		if w.Target != 0 {
			n.Newest, n.Target = w.Newest, 0
			out = append(out, successor{n, "the template becomes " + Name(0)})
		}
	}
	if w.Budget.Pauses > 0 {
		n := w
		n.Budget.Pauses--
		n.Spec.Paused = !w.Spec.Paused
		out = append(out, successor{n, fmt.Sprintf("spec.paused becomes %v", n.Spec.Paused)})
	}
	if w.Budget.Respecs > 0 {
		out = append(out, w.respecs()...)
	}
	if w.Budget.Scales > 0 {
		for _, d := range []int32{-1, 1} {
			n := w
			n.Budget.Scales--
			n.Spec.Replicas += d
			if n.Spec.Exclusive {
				n.Spec.Unavailable = n.Spec.Replicas
			}
			out = append(out, successor{n, fmt.Sprintf("spec.replicas becomes %d", n.Spec.Replicas)})
		}
	}
	return out
}

// respecs are edits of the steps, at any time: more of them, fewer, without gates, and with an analysis at each.
func (w World) respecs() []successor {
	var bare, measured, rematched, plain []planner.Step
	for i, step := range w.Spec.Steps {
		if len(w.Spec.Overlays) > 0 {
			other := step
			other.Overlay = 1 - step.Overlay
			rematched = append(rematched, other)
		}
		if w.hasExperiment() {
			other := step
			other.Baseline = false
			plain = append(plain, other)
		}
		step.Gates = nil
		bare = append(bare, step)
		step.Gates = []planner.Gate{{Kind: planner.AnalysisGate, Name: planner.StepGate(i)}}
		measured = append(measured, step)
	}
	last := planner.Step{
		Weight: 900, Replicas: planner.WhatTheWeightNeeds,
		Gates: []planner.Gate{{Kind: planner.PauseGate, Duration: tick}},
	}
	var out []successor
	for _, edit := range []struct {
		what  string
		steps []planner.Step
	}{
		{"a step is added", append(slices.Clone(w.Spec.Steps), last)},
		{"the last step is removed", w.Spec.Steps[:max(1, len(w.Spec.Steps)-1)]},
		{"the gates are removed", bare},
		{"each step gets an analysis", measured},
		{"each step gets matches, or loses those that it has", rematched},
		{"the experiment is removed", plain},
	} {
		if edit.steps == nil {
			continue
		}
		n := w
		n.Budget.Respecs--
		n.Spec.Steps, n.Respecified = edit.steps, true
		out = append(out, successor{n, edit.what})
	}
	return out
}

// hasExperiment says whether a step has an experiment.
func (w *World) hasExperiment() bool {
	return slices.ContainsFunc(w.Spec.Steps, func(step planner.Step) bool { return step.Baseline })
}

func (w World) commands() []successor {
	var out []successor
	send := func(action string, take func(*Budget) *int) {
		n := w
		left := take(&n.Budget)
		if *left == 0 || w.State.Candidate == "" {
			return
		}
		*left--
		n.Command = v1alpha1.Command{Action: action, Revision: w.State.Candidate, ID: fmt.Sprintf("%s-%d", action, *left)}
		out = append(out, successor{n, action})
	}
	send(v1alpha1.ActionAbort, func(b *Budget) *int { return &b.Aborts })
	send(v1alpha1.ActionPromote, func(b *Budget) *int { return &b.Promotes })
	send(v1alpha1.ActionPromoteFull, func(b *Budget) *int { return &b.Fulls })
	send(v1alpha1.ActionRetry, func(b *Budget) *int { return &b.Retries })
	return out
}

// wait moves the clock to the moment that the plan asks for.
func (w World) wait(plan planner.Plan) (World, bool) {
	at := plan.WakeAt.Sub(epoch())
	if plan.WakeAt.IsZero() || at <= w.Clock {
		return w, false
	}
	w.Clock = at
	return w, true
}

// tick is one second, the settle time and the pause of the scenarios.
const tick = time.Second
