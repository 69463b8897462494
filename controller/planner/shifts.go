package planner

import (
	"slices"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// An analysis that compares both versions must not weigh requests of two weights together: it is told when traffic begins to
// move, and when it has come to rest and where. What it counts lies half a minute back, so that it hears in time, also when a
// pass was lost in between. A gain is told of before it is written: it can wait for that. What takes traffic off a candidate
// cannot, and is told of after.

// tellShifts adds to the plan what analyses under way have to know of traffic.
func (p *pass) tellShifts() {
	if !p.releases() {
		return
	}
	moves, gains := p.movement()
	for _, a := range p.Analyses {
		if a.Compares && !a.Phase.Ended() && p.wanted(a) {
			p.tellShift(a, moves, gains)
		}
	}
}

// tellShift tells one analysis what it does not know yet.
func (p *pass) tellShift(a Analysis, moves, gains bool) {
	share := p.share(p.state.Candidate)
	switch {
	case a.Told != WeightUnknown && (moves || p.rested && share != a.Told):
		p.tell(TellShift{Name: a.Name, Weight: WeightUnknown}, gains)
	case a.Told == WeightUnknown && !moves && p.rested && share != WeightUnknown:
		p.do(TellShift{Name: a.Name, Weight: share})
	}
}

// tell adds an action that analyses have to hear of: before a gain, and after anything else that moves traffic.
func (p *pass) tell(a Action, gains bool) {
	if gains {
		p.plan.Actions = slices.Insert(p.plan.Actions, 0, a)
		return
	}
	p.do(a)
}

// movement says whether the plan moves traffic, and whether all that it does is give the candidate more. Where the number of
// pods shares traffic, pods that come and go move it, and not a write.
func (p *pass) movement() (moves, gains bool) {
	falls := false
	for _, action := range p.plan.Actions {
		switch a := action.(type) {
		case SetWeight:
			moves, falls = true, falls || !p.adds(a)
		case PointService:
			moves, falls = true, true
		}
	}
	gains = moves && !falls && p.releases()
	return moves || p.Spec.Mode == Ratio && !p.rested, gains
}

// adds says whether a write gives the candidate more requests and takes none from it: matches come back at the same weight.
func (p *pass) adds(a SetWeight) bool {
	return a.Tenths > p.Route.Weight || a.Tenths == p.Route.Weight && a.Overlay != v1alpha1.NoOverlay
}
