package planner

import (
	"fmt"
	"slices"

	"k8s.io/utils/ptr"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// An experiment is a step without traffic at which a fresh baseline runs beside the candidate: a ReplicaSet of stable's
// template with as many pods, and a Service that reaches them. It is no stage of its own: a step may ask for a baseline as it
// asks for pods, and what else an experiment has, a time and an analysis, are gates. Nothing is remembered of it: which
// baseline there is to be follows from the step, and its hash from stable and the attempt.
//
//	when                        what becomes of the baseline
//	the step is reached         made with the candidate's pods; the gates wait for the pods and endpoints of both
//	replicas change             both are scaled to the same number
//	the step is over, skipped   its Service goes, then its pods, then its ReplicaSet, while the next step begins
//	promote-full                the same, while the candidate is promoted
//	abort, failure, deadline    traffic goes back to stable first; it goes once the retreat is over
//	superseded, returned        the same; a release that begins has a baseline of its own, once the old one is gone
//	the controller restarts     nothing: the step is in the state, and the rest is seen
//	a problem holds the release it stays as it is; with an abort it goes
//	the step loses it (edited)  it goes as when the step is over; the gates are those of the step as it is now
//	stable is deleted           it goes, and the steps are left out
//	the Rollout is deleted      it goes before the active Service selects every pod, also where pods are to stay
//
// No Service with traffic ever selects it, as these select by the hash of a revision. It is no revision: it has no number,
// is not gone back to, and is not counted in status.replicas, whose selector leaves it out.

// BaselineOf is the hash of the fresh baseline of a release. It is the name of no revision, as their hashes have no dash, and does
// not begin with that of stable, as queries take pods for those of stable whose names do.
func BaselineOf(stable string, attempt int32) string { return fmt.Sprintf("b%d-%s", attempt, stable) }

// CreateBaseline creates the ReplicaSet of a fresh baseline from the template of a revision.
type CreateBaseline struct {
	// Baseline is its hash.
	Baseline string
	// Revision is the hash of the revision; it is always stable.
	Revision string
	// Replicas is its first size.
	Replicas int32
}

// ScaleBaseline sets the size of the ReplicaSet of a baseline.
type ScaleBaseline struct {
	// Baseline is its hash.
	Baseline string
	// Replicas is its new size.
	Replicas int32
}

// DeleteBaseline deletes the ReplicaSet of a baseline; what pods it has go with it.
type DeleteBaseline struct {
	// Baseline is its hash.
	Baseline string
}

// OpenBaseline creates the Service that reaches a baseline, as a twin of the active one.
type OpenBaseline struct {
	// Baseline is its hash.
	Baseline string
}

// CloseBaseline deletes the Service that reaches a baseline.
type CloseBaseline struct{}

func (CreateBaseline) action() {}
func (ScaleBaseline) action()  {}
func (DeleteBaseline) action() {}
func (OpenBaseline) action()   {}
func (CloseBaseline) action()  {}

// String says what the action does.
func (a CreateBaseline) String() string {
	return fmt.Sprintf("create the baseline %s of %s with %s", a.Baseline, a.Revision, pods(a.Replicas))
}

// String says what the action does.
func (a ScaleBaseline) String() string {
	return fmt.Sprintf("scale the baseline %s to %s", a.Baseline, pods(a.Replicas))
}

// String says what the action does.
func (a DeleteBaseline) String() string { return "delete the baseline " + a.Baseline }

// String says what the action does.
func (a OpenBaseline) String() string { return "create the baseline service for " + a.Baseline }

// String says what the action does.
func (CloseBaseline) String() string { return "delete the baseline service" }

// compileExperiment makes of what a step takes over from those before it one that is apart from production traffic. What
// an experiment says of pods is not taken over by the next.
func compileExperiment(current Step, index int, e *v1alpha1.Experiment) Step {
	out := current
	out.Weight, out.Overlay, out.Replicas, out.Baseline, out.Gates = 0, v1alpha1.NoOverlay, max(1, ptr.Deref(e.Replicas, 1)), true, nil
	if e.Duration != nil {
		out.Gates = append(out.Gates, pauseGate(e.Duration))
	}
	if e.Analysis != nil {
		out.Gates = append(out.Gates, Gate{Kind: AnalysisGate, Name: StepGate(index)})
	}
	return out
}

// baseline is the hash of the baseline that is to be there now; empty for none.
func (p *pass) baseline() string {
	stepping := p.Leaving == nil && p.state.Stage == v1alpha1.StageStepping && !p.state.Full
	if !stepping || !p.exists(p.state.Stable) || !p.step().Baseline || p.requires(p.step()) == 0 {
		return ""
	}
	return BaselineOf(p.state.Stable, p.state.Attempt)
}

// keepBaseline has the baseline that the step asks for, and no other. It comes after every write of the stage, and where the
// stage or the step has just changed it waits until that is persisted: a crash would bring back what has ended.
func (p *pass) keepBaseline() {
	if p.moved() || p.state.Stage == v1alpha1.StageRetreating || p.releases() && len(p.Problems) > 0 {
		return
	}
	if wanted := p.baseline(); p.endBaselines(wanted) && wanted != "" && !p.Baseline.Leaving {
		p.bringUp(wanted, p.requires(p.step()))
	}
}

// moved says whether this pass has changed the step, which is not persisted yet.
func (p *pass) moved() bool {
	return p.state.Stage != p.State.Stage || p.state.Step != p.State.Step || p.state.Attempt != p.State.Attempt
}

// bringUp makes a baseline of a size, and the Service that reaches it.
func (p *pass) bringUp(wanted string, size int32) {
	switch i := p.baselineAt(wanted); {
	case i < 0:
		p.do(CreateBaseline{Baseline: wanted, Revision: p.state.Stable, Replicas: size})
	case p.Baselines[i].Desired != size:
		p.do(ScaleBaseline{Baseline: wanted, Replicas: size})
	}
	if !p.Baseline.Found && p.Active.Found {
		p.do(OpenBaseline{Baseline: wanted})
	}
}

// endBaselines takes the next step to the end of every baseline but one, and says whether there is none left: the Service goes
// first, and then the pods, so that nothing is sent to pods that end.
func (p *pass) endBaselines(but string) bool {
	if p.Baseline.Found && (but == "" || p.Baseline.Revision != but) {
		p.do(CloseBaseline{})
		return false
	}
	over := true
	for _, r := range p.Baselines {
		switch {
		case r.Hash == but:
			continue
		case r.Desired > 0:
			p.do(ScaleBaseline{Baseline: r.Hash})
		case r.Created == 0:
			p.do(DeleteBaseline{Baseline: r.Hash})
		}
		over = false
	}
	return over
}

// baselineAt is the index of a baseline; -1 when there is none.
func (p *pass) baselineAt(hash string) int {
	return slices.IndexFunc(p.Baselines, func(r Revision) bool { return r.Hash == hash })
}

// reachBaseline says whether the baseline of a step is as ready as the candidate, or none is asked for.
func (p *pass) reachBaseline(step Step) bool {
	hash, needed := p.baseline(), p.requires(step)
	if hash == "" {
		return true
	}
	r := Revision{}
	if i := p.baselineAt(hash); i >= 0 {
		r = p.Baselines[i]
	}
	if r.steady() < needed {
		p.why(v1alpha1.ReasonWaitingForPods, "%s: %d of %s of the baseline %s are available%s", p.position(), r.Available, pods(needed),
			hash, because(r.Hindered))
		return false
	}
	if ready := min(p.Baseline.ready(hash), r.Desired); ready < needed {
		p.why(v1alpha1.ReasonWaitingForEndpoints, "%s: service %s has %d of %d ready endpoints of the baseline %s", p.position(),
			p.Baseline.Name, ready, needed, hash)
		return false
	}
	return true
}

// baselineLeaves ends baselines for the end of the Rollout: at once when it is late.
func (p *pass) baselineLeaves(late bool) bool {
	if !late {
		over := p.endBaselines("")
		if !over {
			p.why(v1alpha1.ReasonLeaving, "the rollout is being deleted: the baseline of its experiment goes")
		}
		return over
	}
	if p.Baseline.Found {
		p.do(CloseBaseline{})
	}
	for _, r := range p.Baselines {
		p.do(DeleteBaseline{Baseline: r.Hash})
	}
	return !p.Baseline.Found && len(p.Baselines) == 0
}

// experiment is what the status says of a baseline; nil when there is none.
func (s Snapshot) experiment() *v1alpha1.ExperimentStatus {
	if len(s.Baselines) == 0 {
		return nil
	}
	last := s.Baselines[len(s.Baselines)-1]
	return &v1alpha1.ExperimentStatus{Baseline: last.Hash, Replicas: last.Created, Available: last.Available}
}
