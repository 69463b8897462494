package planner

import "github.com/sluice-dev/sluice/api/v1alpha1"

// This file holds what becomes of a weight in mid-step when endpoints that carry it are lost. A pod more or less that is
// asked for, by an autoscaler say, moves no traffic; one that fails does.

// rescue takes traffic off endpoints of the candidate that are gone, whatever else a release waits for.
func (p *pass) rescue(step Step) bool {
	return p.deserted() || p.Spec.Mode == Routed && p.Active.Revision == p.state.Stable && p.previewed() && p.relieve(step)
}

// previewed says whether the standby Service selects the candidate.
func (p *pass) previewed() bool { return p.Standby.Found && p.Standby.Revision == p.state.Candidate }

// relieve takes from the candidate the part of its weight that was carried by endpoints which are gone, as far as stable can
// carry it, so that the others carry no more than before. What is left comes back with the pods: see gain.
func (p *pass) relieve(step Step) bool {
	ready, weight := p.Standby.ready(p.state.Candidate), p.Route.Weight
	if weight <= 0 {
		p.state.Carriers = 0
		return false
	}
	needed := p.requires(step)
	p.state.Carriers = min(p.state.Carriers, needed)
	if weight == step.Weight {
		p.state.Carriers = max(p.state.Carriers, min(ready, needed))
	}
	if ready >= p.state.Carriers {
		return false
	}
	left := p.borne(step, weight, ready)
	if left >= weight {
		return false
	}
	p.why(v1alpha1.ReasonWaitingForEndpoints, "%s: %d of %d endpoints of %s are ready; its weight goes from %s to %s until more are",
		p.position(), ready, p.state.Carriers, p.state.Candidate, percent(weight), percent(left))
	p.state.Carriers = ready
	p.setWeight(left)
	return true
}

// borne is the part of a weight that so many endpoints carry, of those that carried all of it; and at least what stable
// cannot. A step in whole percent leaves whole percent: there are routers that know no others.
func (p *pass) borne(step Step, weight, ready int32) int32 {
	left := int32(int64(weight) * int64(ready) / int64(p.state.Carriers))
	const percent = FullWeight / 100
	if step.Weight%percent == 0 {
		left -= left % percent
	}
	stable := p.revision(p.state.Stable)
	return max(left, FullWeight-carries(p.Spec.Replicas, min(p.Active.ready(stable.Hash), stable.Ready, stable.Desired)))
}
