package planner

import (
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// initial brings up the first revision. There is nothing to compare it with and nothing to go back to, so there are no
// steps, and its deadline reports and does not abort. Traffic is not touched, but for what a standby Service gets that
// has nothing behind it; idle settles it.
func (p *pass) initial() {
	if p.initialProblem() {
		return // the Services and the routes may be those of another Rollout
	}
	if p.Spec.Mode == Routed && (p.Route.Weight > 0 || p.Route.Overlay != v1alpha1.NoOverlay) {
		p.setWeight(0)
	}
	if p.initialPaused() {
		return
	}
	candidate, replicas := p.state.Candidate, p.Spec.Replicas
	p.roll(sizes{candidate: replicas})
	if available := p.revision(candidate).steady(); available < replicas {
		p.why(v1alpha1.ReasonWaitingForPods, "first revision %s: %d of %s are available%s", candidate, available,
			pods(replicas), because(p.revision(candidate).Hindered))
		p.initialDeadline()
		return
	}
	p.promote("first revision")
}

// initialProblem reports a problem that stands in the way of the pods. A route that is not accepted does not: gateways
// refuse it until the standby Service, which has only just been created, is known to them.
func (p *pass) initialProblem() bool {
	for _, problem := range p.Problems {
		if problem.Reason != v1alpha1.ReasonRouteNotAccepted {
			return p.problem()
		}
	}
	return false
}

func (p *pass) initialPaused() bool {
	if p.Spec.Paused && !p.exists(p.state.Candidate) {
		p.hold(v1alpha1.ReasonPaused, "spec.paused holds the first revision %s; unset it to go on", p.state.Candidate)
		return true
	}
	return false
}

func (p *pass) initialDeadline() {
	p.watchDeadline()
	if p.deadlinePassed() {
		p.plan.Why = Why{
			Reason: v1alpha1.ReasonProgressDeadlineExceeded,
			Message: fmt.Sprintf("first revision %s: no progress for %s with %d of %s available", p.state.Candidate,
				p.Spec.Deadline, p.revision(p.state.Candidate).Available, pods(p.Spec.Replicas)),
		}
		p.plan.Stalled = true
	}
}

// promoting gives the candidate all capacity and all traffic, and then makes it stable.
func (p *pass) promoting() {
	if p.problem() {
		p.rescale(p.step())
		p.ease(p.step())
		p.watchDeadline()
		return
	}
	candidate := p.state.Candidate
	if p.deserted() {
		p.watchDeadline()
		return
	}
	if !p.reachEnding() {
		p.why(v1alpha1.ReasonPromoting, "revision %s is being promoted", candidate)
		p.watchDeadline()
		return
	}
	if rollsBack(p.state) {
		p.promote(p.state.Message)
		return
	}
	if p.state.Full {
		p.promote("promoted in full at " + p.position())
		return
	}
	p.promote(Counted(len(p.Spec.Steps), "step") + " completed")
}

// reachEnding brings the candidate to all capacity and all traffic.
func (p *pass) reachEnding() bool {
	if p.Spec.Mode == Ratio {
		return p.reachRatio(Step{Weight: FullWeight, Replicas: AllReplicas})
	}
	p.sizeEnding()
	candidate, replicas := p.state.Candidate, p.Spec.Replicas
	return !p.waitForPods(candidate, replicas) && p.settleOn(candidate, demand{ready: replicas})
}

// promote makes the candidate stable.
func (p *pass) promote(how string) {
	reason := v1alpha1.ReasonPromoted
	if rollsBack(p.state) {
		reason = v1alpha1.ReasonRolledBack
	}
	p.record(v1alpha1.OutcomePromoted, reason, how)
	old := p.state.Stable
	p.state.Stable = p.state.Candidate
	p.rememberStable(old)
	p.rest()
	if old != "" && old != p.state.Stable && p.Spec.ScaleDownDelay > 0 {
		p.scaleDownLater(old)
	}
	p.why(v1alpha1.ReasonPromoted, "revision %s is stable: %s", p.state.Stable, how)
	p.event(false, reason, p.plan.Why.Message)
	p.wakeAt(p.Now)
}

// retreating sends all traffic back to stable. Its first write is the weight: what becomes of the pods comes after.
func (p *pass) retreating() {
	stable, because := p.state.Stable, p.state.Message
	back := p.settleOn(stable, demand{urgent: true})
	if p.Spec.Mode == Ratio {
		back = p.rollBack() && back
	} else {
		p.size(stable, p.Spec.Replicas, true)
	}
	late := !back && p.standsStill()
	hopeless := late && p.lost()
	if !back && !hopeless {
		// What it waits for changes; why it goes back is what a person asks first.
		p.why(v1alpha1.ReasonRetreating, "traffic goes back to %s", stable)
		p.plan.Why.Message = because + "; " + p.plan.Why.Message
		p.tellOfDelay(late)
		return
	}
	switch p.state.Reason {
	case v1alpha1.ReasonSuperseded:
		p.record(v1alpha1.OutcomeSuperseded, p.state.Reason, p.state.Message)
		p.rest()
	case v1alpha1.ReasonReturned:
		p.record(v1alpha1.OutcomeReturned, p.state.Reason, p.state.Message)
		p.event(false, v1alpha1.ReasonReturned, p.state.Message)
		p.rest()
	default:
		p.record(v1alpha1.OutcomeAborted, p.state.Reason, p.state.Message)
		p.state.Stage, p.state.ProgressAt = v1alpha1.StageAborted, metav1.MicroTime{}
		p.tellOfAbort()
	}
	if hopeless {
		p.plan.Why = Why{}
		p.why(v1alpha1.ReasonStableLost, "%s; nothing of %s became ready for %s to take the traffic", because, stable, p.Spec.Deadline)
	}
	p.why(v1alpha1.ReasonRetreating, "%s; all traffic is on %s again", because, stable)
	p.wakeAt(p.Now)
}

// standsStill says whether a retreat has written nothing, and no pod of stable has come or gone, for the progress deadline. A
// write that was refused is none.
// If nothing of stable is ready then, the retreat is over: traffic stays where it is and goes back when it can, and a retry or
// another template is no longer kept waiting for a revision that may never come.
func (p *pass) standsStill() bool {
	ready := p.revision(p.state.Stable).Ready
	if p.state.ProgressAt.IsZero() || ready != p.state.ProgressMark || len(p.plan.Actions) > 0 && p.refused == nil {
		p.state.ProgressAt, p.state.ProgressMark = p.now(), ready
	}
	return p.due(p.state.ProgressAt, p.Spec.Deadline)
}

// tellOfDelay says what a person has to mend before a retreat can go on: what is wrong with Services and routes, or what has
// kept it for the progress deadline.
func (p *pass) tellOfDelay(late bool) {
	i := slices.IndexFunc(p.Problems, Problem.ofTraffic)
	switch {
	case p.refused != nil || len(p.plan.Actions) > 0:
	case i >= 0:
		p.plan.Why = Why{Reason: p.Problems[i].Reason, Message: p.plan.Why.Message + ": " + p.Problems[i].sentence()}
		p.plan.Stalled, p.broken = true, true
	case late:
		r := p.revision(p.state.Stable)
		p.plan.Why = Why{Reason: v1alpha1.ReasonProgressDeadlineExceeded, Message: fmt.Sprintf(
			"%s; nothing has moved for %s: %d of %s of %s are ready%s", p.plan.Why.Message, p.Spec.Deadline, r.Ready,
			pods(p.Spec.Replicas), p.state.Stable, because(r.Hindered))}
		p.plan.Stalled = true
	}
}

// lost says whether stable should have pods and has nothing ready.
func (p *pass) lost() bool {
	return p.Spec.Replicas > 0 && p.revision(p.state.Stable).Ready == 0
}

// rollBack brings the pods of stable back in full, where their number is what shares traffic.
func (p *pass) rollBack() bool {
	p.roll(sizes{stable: p.Spec.Replicas})
	return p.rolled(sizes{stable: p.Spec.Replicas})
}

// aborted keeps traffic on stable until a retry or another template.
func (p *pass) aborted() {
	if p.heldBack() {
		p.keep()
		return
	}
	p.tellOfAbort()
	p.keep()
}

// heldBack tells of a target that waits for its turn.
func (p *pass) heldBack() bool {
	if p.HeldBack.Reason == "" || len(p.Problems) > 0 || p.Spec.Paused || p.Target == p.state.Stable || p.Target == p.state.Candidate {
		return false
	}
	p.hold(p.HeldBack.Reason, "revision %s waits: %s", p.Target, p.HeldBack.Message)
	return true
}

// tellOfAbort says what was aborted and why, unless something is wrong now.
func (p *pass) tellOfAbort() {
	p.plan.Stalled = true
	if i := slices.IndexFunc(p.Problems, Problem.ofTraffic); i >= 0 {
		p.report(p.Problems[i])
	}
	if p.lost() {
		p.why(v1alpha1.ReasonStableLost, "revision %s is aborted: %s; nothing of stable %s is ready; change the template, or retry",
			p.state.Candidate, p.state.Message, p.state.Stable)
	}
	p.why(p.state.Reason, "revision %s is aborted: %s; stable is %s; retry it, or change the template", p.state.Candidate,
		p.state.Message, p.state.Stable)
}

// idle keeps stable at its size and under all traffic.
func (p *pass) idle() {
	broken := p.problem()
	inPlace := p.keep()
	stable := p.revision(p.state.Stable)
	switch {
	case broken:
	case p.Target != p.state.Stable && p.Spec.Paused:
		p.hold(v1alpha1.ReasonPaused, "spec.paused holds revision %s; unset it to release it", p.Target)
	case p.heldBack():
	case stable.Available < p.Spec.Replicas || stable.Desired != p.Spec.Replicas+p.spare(stable):
		p.why(v1alpha1.ReasonScaling, "stable revision %s: %d of %s are available", p.state.Stable, stable.Available, pods(p.Spec.Replicas))
	case !p.state.RestartAt.IsZero():
		p.why(v1alpha1.ReasonRestarting, "stable revision %s: %s are still to be replaced", p.state.Stable, pods(stable.Outdated))
	case inPlace:
		p.plan.Settled = true
		p.why(v1alpha1.ReasonPromoted, "revision %s is stable with %s", p.state.Stable, pods(p.Spec.Replicas))
	}
}

// keep holds stable at its size and under all traffic, and lets every other revision go. While a Service or a route is
// not as it should be, traffic is left alone.
func (p *pass) keep() (inPlace bool) {
	if !slices.ContainsFunc(p.Problems, Problem.ofTraffic) {
		inPlace = p.settleOn(p.state.Stable, demand{urgent: true}) && p.previews(p.state.Stable)
	}
	if p.Spec.Mode == Ratio {
		p.roll(sizes{stable: p.Spec.Replicas})
		return inPlace
	}
	p.size(p.state.Stable, p.Spec.Replicas, true)
	p.drain()
	return inPlace
}
