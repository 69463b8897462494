package planner

import (
	"fmt"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// answerCommand handles the command of the snapshot once. A command that names another revision than the one it would
// hit, or that the stage has no use for, changes nothing and is answered with what would work.
func (p *pass) answerCommand() {
	c := p.Command
	if c.ID == "" || c.ID == p.LastCommandID {
		return
	}
	message, accepted := p.carryOut(c)
	p.plan.Command = &v1alpha1.CommandStatus{
		ID: c.ID, Action: c.Action, Revision: c.Revision, Accepted: accepted, Message: message, At: p.now(),
	}
	if !accepted {
		p.event(true, v1alpha1.ReasonCommandIgnored, message)
	}
}

// carryOut does what a command asks for, and says what it did or why it did nothing.
func (p *pass) carryOut(c v1alpha1.Command) (message string, accepted bool) {
	if refusal := p.refusal(c); refusal != "" {
		return fmt.Sprintf("%s of %s ignored: %s", c.Action, c.Revision, refusal), false
	}
	switch c.Action {
	case v1alpha1.ActionPromote:
		p.state.PromotedAt = p.now()
		return fmt.Sprintf("%s of revision %s may go on", p.position(), c.Revision), true
	case v1alpha1.ActionPromoteFull:
		p.state.Full = true
		return fmt.Sprintf("revision %s is promoted without the steps after %s", c.Revision, p.position()), true
	case v1alpha1.ActionSkipStep:
		skipped := p.position()
		p.advance()
		return fmt.Sprintf("%s of revision %s is skipped", skipped, c.Revision), true
	case v1alpha1.ActionAbort:
		p.retreat(v1alpha1.ReasonAborted, "aborted by hand at "+p.position())
		return fmt.Sprintf("revision %s is aborted at %s; traffic goes back to %s", c.Revision, p.position(), p.state.Stable), true
	case v1alpha1.ActionRetry:
		p.start(c.Revision)
		if p.state.Full {
			return fmt.Sprintf("revision %s is released again, without steps", c.Revision), true
		}
		return fmt.Sprintf("revision %s is released again from its first step", c.Revision), true
	default: // restart: refusal has let nothing else through
		p.state.RestartAt = wholeSecond(p.Now)
		return "every pod is being replaced", true
	}
}

// refusal says why a command cannot be carried out now; empty when it can.
func (p *pass) refusal(c v1alpha1.Command) string {
	switch c.Action {
	case v1alpha1.ActionRestart:
		return p.refuseRestart(c)
	case v1alpha1.ActionRetry:
		return p.refuseRetry(c)
	case v1alpha1.ActionPromote, v1alpha1.ActionPromoteFull, v1alpha1.ActionSkipStep, v1alpha1.ActionAbort:
		return p.refuseSteering(c)
	}
	return fmt.Sprintf("there is no action %q; write promote, promote-full, abort, retry, restart or skip-step", c.Action)
}

func (p *pass) refuseRestart(c v1alpha1.Command) string {
	if c.Revision != p.state.Stable && c.Revision != p.state.Candidate {
		return fmt.Sprintf("it is neither the stable revision %s nor the one under release", p.state.Stable)
	}
	return ""
}

func (p *pass) refuseRetry(c v1alpha1.Command) string {
	switch {
	case p.state.Stage != v1alpha1.StageAborted:
		return fmt.Sprintf("only an aborted release can be retried, and this one %s", p.situation())
	case c.Revision != p.state.Candidate:
		return fmt.Sprintf("the aborted revision is %s", p.state.Candidate)
	case p.Target != p.state.Candidate:
		return fmt.Sprintf("the template has changed to %s, which is released by itself", p.Target)
	case len(p.Problems) > 0:
		return p.Problems[0].sentence()
	}
	return ""
}

func (p *pass) refuseSteering(c v1alpha1.Command) string {
	steerable := p.state.Stage == v1alpha1.StageStepping ||
		c.Action == v1alpha1.ActionAbort && p.state.Stage == v1alpha1.StagePromoting
	switch {
	case c.Action == v1alpha1.ActionAbort && p.state.Stage == v1alpha1.StageInitial:
		return fmt.Sprintf("the rollout %s, and there is nothing to go back to; change the template", p.situation())
	case !steerable:
		return fmt.Sprintf("no release is at a step: the rollout %s", p.situation())
	case c.Revision != p.state.Candidate:
		return fmt.Sprintf("the revision under release is %s", p.state.Candidate)
	case p.Target != p.state.Candidate:
		return fmt.Sprintf("the template has changed to %s, which takes its place", p.Target)
	case c.Action == v1alpha1.ActionPromote && !p.promotable():
		return fmt.Sprintf("%s has no gate that a person opens; promote-full skips what is left", p.position())
	}
	return ""
}

// promotable says whether the current step has something that a person can let pass.
func (p *pass) promotable() bool {
	if p.step().Probe > 0 && p.state.GatesAt.IsZero() {
		return true
	}
	for _, gate := range p.step().Gates {
		if gate.Kind == PauseGate || gate.Kind == PersonGate || p.undecided(gate.Name) {
			return true
		}
	}
	return p.undecided(GateBackground)
}

// situation says in words where the machine is.
func (p *pass) situation() string {
	switch p.state.Stage {
	case v1alpha1.StageInitial:
		return fmt.Sprintf("brings up its first revision %s", p.state.Candidate)
	case v1alpha1.StageStepping:
		return fmt.Sprintf("is at %s of revision %s", p.position(), p.state.Candidate)
	case v1alpha1.StagePromoting:
		return fmt.Sprintf("is promoting revision %s", p.state.Candidate)
	case v1alpha1.StageRetreating:
		return fmt.Sprintf("is going back to revision %s", p.state.Stable)
	case v1alpha1.StageAborted:
		return fmt.Sprintf("has aborted revision %s", p.state.Candidate)
	case v1alpha1.StageIdle:
	}
	return fmt.Sprintf("is at its stable revision %s", p.state.Stable)
}
