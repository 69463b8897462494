package planner

import (
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// This file holds what a release does about a probe of its share, where the spec asks for one. It comes after the traffic is
// observed and settled, and before the gates. It is never in the way of traffic that goes back, and no reason for that.

const (
	// probeFirst is how long after a probe that has not confirmed the share the next one is sent. It doubles with each.
	probeFirst = 5 * time.Second
	// probeLast is the longest such time: a gateway that was mended is found so within it.
	probeLast = 5 * time.Minute
	// probePatience is how long on top of its settle time a gateway may be slow until somebody had better look.
	probePatience = 30 * time.Second
	// probeNews is how long what a probe has found is new: the pass that tells of it comes at once, and may come again.
	probeNews = time.Second
)

// probed says whether the share of the candidate is confirmed, as far as the step asks for that, and otherwise sees to it that it is
// being asked. A person who lets the step go on lets it go on without.
func (p *pass) probed(step Step) bool {
	if step.Probe == 0 || !p.state.PromotedAt.IsZero() {
		return true
	}
	if p.Spec.Paused {
		p.hold(v1alpha1.ReasonPaused, "%s: spec.paused holds revision %s; unset it to go on", p.position(), p.state.Candidate)
		return false
	}
	of := Probed{
		Attempt: p.state.Attempt, Step: p.state.Step, Round: p.state.Round, Weight: step.Weight, Overlay: step.Overlay,
		Since: p.state.ShiftedAt.Time,
	}
	last := p.Probe
	switch {
	case last == nil || !last.Of.Same(of):
		p.probe(of, step)
		p.unconfirmed(Probe{}, step)
	case last.Confirmed:
		p.event(false, v1alpha1.ReasonShareConfirmed, fmt.Sprintf("%s: probe: %s", p.position(), last.Message))
		return true
	default:
		if !last.Running && p.due(metav1.NewMicroTime(last.EndedAt), probePause(last.Failed)) {
			p.probe(of, step)
		}
		p.unconfirmed(*last, step)
	}
	return false
}

// probe asks for one.
func (p *pass) probe(of Probed, step Step) {
	p.do(ProbeShare{Of: of, Candidate: p.state.Candidate, Stable: p.state.Stable, Requests: step.Probe})
}

// unconfirmed says what was found instead of the share. What has been told stays until something new is found: a controller that
// has just started knows nothing of it, and two at once would else contradict each other for ever.
func (p *pass) unconfirmed(last Probe, step Step) {
	about := p.position() + ": probe: "
	told := p.LastReason == v1alpha1.ReasonShareNotConfirmed && strings.HasPrefix(p.LastMessage, about)
	isNew := last.Failed > 0 && p.Now.Before(last.EndedAt.Add(probeNews))
	switch {
	case told && !isNew:
		p.why(v1alpha1.ReasonShareNotConfirmed, "%s", p.LastMessage)
	case last.Failed > 0:
		p.why(v1alpha1.ReasonShareNotConfirmed, "%s%s; it is tried again, or let a person promote the step", about, last.Message)
	default:
		p.why(v1alpha1.ReasonConfirmingShare, "%s: weight %s is in place; a probe of %s is to confirm it", p.position(),
			percent(step.Weight), Counted(step.Probe, "request"))
		return
	}
	patient := !p.due(p.state.ShiftedAt, p.Spec.Settle+probePatience)
	p.plan.Stalled = p.plan.Stalled || !patient
}

// probePause is how long after so many probes in a row that have not confirmed the share the next one is sent.
func probePause(failed int32) time.Duration {
	pause := probeFirst
	for range failed - 1 {
		if pause *= 2; pause >= probeLast {
			return probeLast
		}
	}
	return pause
}
