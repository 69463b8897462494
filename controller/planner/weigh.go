package planner

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// This file gives a candidate the requests that a step asks for: by weight, and by what is laid over it. Both are one write.

// weigh gives the candidate the weight of a step and what is laid over it, once enough of its pods can carry it.
func (p *pass) weigh(step Step) bool {
	needed := p.requires(step)
	settled := p.calm(p.Route.Accepted && p.Route.known())
	switch {
	case p.Route.Weight < step.Weight || p.lays(step):
		p.gain(step, needed)
		return false
	case p.Route.Weight > step.Weight || p.Route.Overlay != step.Overlay:
		p.lower(step)
		return false
	case !p.Route.Accepted:
		p.why(v1alpha1.ReasonWaitingForRoute, "%s: weight %s waits for every gateway to accept the route", p.position(), p.asks(step))
		return false
	}
	return !p.unready(needed) && p.rests(step, needed, settled)
}

// rests says whether gateways have had the settle time for what is in place, and otherwise says so.
func (p *pass) rests(step Step, needed int32, settled bool) bool {
	if p.Route.empty() && needed > 0 {
		p.known()
	}
	if !settled {
		p.why(v1alpha1.ReasonSettling, "%s: weight %s is in place; gateways are given %s", p.position(), p.asks(step), p.Spec.Settle)
	}
	return settled
}

// lays says whether a step lays something over the weight that is not there.
func (p *pass) lays(step Step) bool {
	return step.Overlay != p.Route.Overlay && step.Overlay != v1alpha1.NoOverlay
}

// asks is the traffic that a step asks for, in words.
func (p *pass) asks(step Step) string {
	if words := p.Spec.OverlayOf(step).String(); words != "" {
		return percent(step.Weight) + ", with " + words
	}
	return percent(step.Weight)
}

// gain gives the candidate more weight, or requests that match, once its pods and their endpoints are there and gateways know them.
func (p *pass) gain(step Step, needed int32) {
	switch {
	case p.Spec.Paused:
		p.hold(v1alpha1.ReasonPaused, "%s: spec.paused holds revision %s; unset it to go on", p.position(), p.state.Candidate)
	case p.unready(needed) || needed > 0 && !p.heard():
	case p.Route.Weight > step.Weight:
		p.lower(step)
	default:
		p.setTraffic(step)
	}
}

// unready says whether the candidate still lacks pods, or its Service their endpoints.
func (p *pass) unready(needed int32) bool {
	if p.waitForPods(p.state.Candidate, needed) || p.waitForEndpoints(p.Standby, p.state.Candidate, needed) {
		p.state.EndpointsAt = metav1.MicroTime{}
		return true
	}
	return false
}

// known says whether gateways have had the settle time to hear of the endpoints of the standby Service, when it is to get
// its first share of the traffic. A gateway hears of routes and of endpoints by separate watches, and one that hears of
// the weight first answers 503.
func (p *pass) known() bool {
	if !p.Route.empty() {
		return true
	}
	if p.state.EndpointsAt.IsZero() {
		p.state.EndpointsAt = p.now()
	}
	if !p.due(p.state.EndpointsAt, p.Spec.Settle) {
		p.why(v1alpha1.ReasonSettling, "%s: service %s has its endpoints; gateways are given %s to hear of them", p.position(),
			p.Standby.Name, p.Spec.Settle)
		return false
	}
	return true
}

// heard says the same of the write of that share, for which the time must have passed by our own clock too.
func (p *pass) heard() bool {
	if !p.known() {
		return false
	}
	if p.Route.empty() && !p.watched() {
		p.why(v1alpha1.ReasonSettling, "%s: service %s has its endpoints; gateways are given %s from the start of the controller",
			p.position(), p.Standby.Name, p.Spec.Settle)
		return false
	}
	return true
}

// lower takes weight or matches off the candidate, as far as stable can carry it.
func (p *pass) lower(step Step) {
	needed := p.Spec.needs(FullWeight - step.Weight)
	if p.waitForEndpoints(p.Active, p.state.Stable, needed) {
		return
	}
	p.setTraffic(step)
}

// setTraffic writes the traffic of a step.
func (p *pass) setTraffic(step Step) {
	p.why(v1alpha1.ReasonWaitingForRoute, "%s: weight %s is being set", p.position(), p.asks(step))
	p.calm(false)
	p.do(SetWeight{Tenths: step.Weight, Overlay: step.Overlay})
}
