package planner

import (
	"time"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// gatesHold says whether every gate of a step holds, and starts the analyses among them.
func (p *pass) gatesHold(step Step) bool {
	if p.Spec.Paused {
		p.hold(v1alpha1.ReasonPaused, "%s: spec.paused holds revision %s; unset it to go on", p.position(), p.state.Candidate)
		return false
	}
	held := true
	for _, gate := range step.Gates {
		held = p.gateHolds(gate) && held
	}
	if p.undecided(GateBackground) {
		a, _ := p.analysis(GateBackground)
		p.holdUndecided(a)
		held = false
	}
	return held
}

func (p *pass) gateHolds(gate Gate) bool {
	switch gate.Kind {
	case PersonGate:
		return p.personGate()
	case PauseGate:
		return p.pauseGate(gate.Duration)
	case AnalysisGate:
		return p.analysisGate(gate.Name)
	}
	return false
}

func (p *pass) personGate() bool {
	if !p.state.PromotedAt.IsZero() {
		return true
	}
	p.hold(v1alpha1.ReasonAwaitingPromotion, "%s: revision %s waits for a person to promote or abort it", p.position(), p.state.Candidate)
	return false
}

func (p *pass) pauseGate(duration time.Duration) bool {
	if !p.state.PromotedAt.IsZero() || p.due(p.state.GatesAt, duration) {
		return true
	}
	if baseline := p.baseline(); baseline != "" {
		p.hold(v1alpha1.ReasonWaitingForPause, "%s: revision %s runs beside the baseline %s for %s, until %s", p.position(), p.state.Candidate,
			baseline, duration, p.state.GatesAt.Add(duration).UTC().Format(time.RFC3339))
		return false
	}
	p.hold(v1alpha1.ReasonWaitingForPause, "%s: revision %s is paused for %s, until %s", p.position(), p.state.Candidate,
		duration, p.state.GatesAt.Add(duration).UTC().Format(time.RFC3339))
	return false
}

func (p *pass) analysisGate(name string) bool {
	a, found := p.analysis(name)
	switch {
	case !found:
		p.startAnalysis(name)
		p.why(v1alpha1.ReasonWaitingForAnalysis, "%s: analysis %s begins", p.position(), name)
	case p.outcome(a) == v1alpha1.ReactionContinue:
		return true
	case a.Phase.Ended():
		p.holdUndecided(a)
	default:
		p.why(v1alpha1.ReasonWaitingForAnalysis, "%s: analysis %s has no verdict yet%s%s", p.position(), name, because(a.Message), p.until(a))
	}
	return false
}

// holdUndecided says that a person has to decide what an analysis did not, or was not to.
func (p *pass) holdUndecided(a Analysis) {
	reason := v1alpha1.ReasonAnalysisInconclusive
	if a.Phase == v1alpha1.AnalysisFailed {
		reason = v1alpha1.ReasonAwaitingDecision
	}
	p.hold(reason, "%s: analysis %s ended %s%s; promote or abort%s", p.position(), a.Gate, a.Phase, because(a.Message), p.until(a))
}

func because(message string) string {
	if message == "" {
		return ""
	}
	return ": " + message
}

// undecided says whether an analysis ended without passing, and waits for a person who has not decided since.
func (p *pass) undecided(gate string) bool {
	a, found := p.analysis(gate)
	return found && a.Phase.Ended() && p.outcome(a) == v1alpha1.ReactionHold
}

// hold says why the release waits for a person or a time.
func (p *pass) hold(reason, format string, args ...any) {
	p.why(reason, format, args...)
	p.plan.Waiting = p.plan.Waiting || p.plan.Why.Reason == reason
}

// startBackground starts the background analysis once the traffic of its starting step has moved.
func (p *pass) startBackground() {
	if p.Spec.Background == NoBackground || p.state.Step < p.Spec.Background {
		return
	}
	if _, found := p.analysis(GateBackground); !found {
		p.startAnalysis(GateBackground)
	}
}

func (p *pass) startAnalysis(gate string) {
	p.do(StartAnalysis{
		Gate: gate, Revision: p.state.Candidate, Attempt: p.state.Attempt, Round: p.state.Round, Weight: p.share(p.state.Candidate),
	})
}

// stopAnalyses ends every analysis that nothing waits for any more.
func (p *pass) stopAnalyses() {
	_, gains := p.movement()
	for _, a := range p.Analyses {
		if !a.Phase.Ended() && !p.wanted(a) {
			p.tell(StopAnalysis{Name: a.Name}, gains)
		}
	}
}

func (p *pass) wanted(a Analysis) bool {
	if a.Round != p.state.Round {
		return false
	}
	switch p.state.Stage {
	case v1alpha1.StagePromoting:
		return a.Gate == GateBackground
	case v1alpha1.StageStepping:
		if a.Gate == GateBackground {
			return true
		}
		for _, g := range p.step().Gates {
			if g.Kind == AnalysisGate && g.Name == a.Gate {
				return true
			}
		}
	case v1alpha1.StageIdle, v1alpha1.StageInitial, v1alpha1.StageRetreating, v1alpha1.StageAborted:
	}
	return false
}
