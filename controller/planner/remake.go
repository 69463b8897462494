package planner

import (
	"slices"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// A route that is made of a template is written with whatever weight is due, and so it is mostly right. What is left is a template
// that has changed, a route that is gone or that somebody has changed, and one that is to be taken over or given up: they are put
// right with the weight and the overlay that they have.

// distrust takes a route that is not as it should be for one that gateways have not accepted: what they report is of another one. The
// way back waits for none of that.
func (p *pass) distrust() {
	if p.Route.Stale && p.state.Stage != v1alpha1.StageRetreating {
		p.Route.Accepted = false
	}
}

// remake puts right what is not as it should be of routes, beside their weight, once the active Service can answer what they send: a
// new route, or one that sent requests to something else so far, must not be there before.
func (p *pass) remake() {
	later := p.contested || p.moves() || p.state.Stage == v1alpha1.StageInitial || p.state.Stage == v1alpha1.StageRetreating
	if p.Spec.Mode != Routed || !p.Route.Stale || !p.Route.known() || !p.Active.Found || later {
		return
	}
	if p.Active.others("") < p.one() {
		p.why(v1alpha1.ReasonWaitingForEndpoints, "routes wait for a ready endpoint of service %s", p.Active.Name)
		return
	}
	p.calm(false)
	p.plan.Settled = false
	p.do(SetWeight{Tenths: p.Route.Weight, Overlay: p.Route.Overlay})
	p.why(v1alpha1.ReasonWaitingForRoute, "routes are being written as their templates say")
}

// moves says whether the plan moves traffic already.
func (p *pass) moves() bool {
	return slices.ContainsFunc(p.plan.Actions, func(action Action) bool {
		switch action.(type) {
		case SetWeight, PointService, CreateStandby:
			return true
		}
		return false
	})
}
