package planner

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// This file holds every decision that moves traffic. Two rules are behind all of them. A Service that carries weight
// keeps its selector: traffic is first moved off it, by weight. And traffic is raised on a Service only while its ready
// endpoints can carry it.

// share is the share of traffic of a revision as the API objects have it, in tenths of a percent; WeightUnknown when
// routes are missing or disagree.
func (p *pass) share(hash string) int32 {
	switch p.Spec.Mode {
	case Ratio:
		return p.podShare(hash)
	case Switch:
		if p.Active.Revision == hash {
			return FullWeight
		}
		return 0
	case Routed:
	}
	if p.Route.Weight == WeightUnknown {
		return WeightUnknown
	}
	var share int32
	if p.Active.Revision == hash {
		share += FullWeight - p.Route.Weight
	}
	if p.Standby.Revision == hash {
		share += p.Route.Weight
	}
	return share
}

// podShare is the share of a revision among all available pods.
func (p *pass) podShare(hash string) int32 {
	var total int64
	for _, r := range p.Revisions {
		total += int64(r.Available)
	}
	if total == 0 {
		return 0
	}
	return int32(int64(FullWeight) * int64(p.revision(hash).Available) / total)
}

// shownWeight is the share of the candidate for the status.
func (p *pass) shownWeight() int32 {
	if p.state.Candidate == "" || p.state.Stage == v1alpha1.StageInitial {
		return WeightUnknown
	}
	return p.share(p.state.Candidate)
}

// reachRouted brings a step about by the weights of routes.
func (p *pass) reachRouted(step Step) bool {
	p.sizeRelease(step)
	if p.Active.Revision != p.state.Stable {
		p.settleOn(p.state.Stable, demand{urgent: true})
		return false
	}
	if !p.previews(p.state.Candidate) || p.rescue(step) {
		return false
	}
	return p.weigh(step) && p.reachBaseline(step)
}

// deserted takes the traffic off a candidate that has nothing ready left while stable has. It comes back when the
// endpoints do.
func (p *pass) deserted() bool {
	if p.Spec.Replicas == 0 || p.alive() {
		return false
	}
	p.why(v1alpha1.ReasonWaitingForEndpoints, "%s: %s has no ready endpoint left; its traffic goes to %s until it has",
		p.position(), p.state.Candidate, p.state.Stable)
	if p.Active.Revision == p.state.Candidate {
		p.settleOn(p.state.Stable, demand{urgent: true})
	} else {
		p.setWeight(0)
	}
	return true
}

// alive says whether the traffic of the candidate is where it should be: there is none, or something ready takes it, or
// stable has nothing ready either. Right after a switch the endpoints of the active Service are not there yet, and the
// pods are.
func (p *pass) alive() bool {
	candidate, stable := p.state.Candidate, p.state.Stable
	switch {
	case p.Spec.Mode == Ratio:
		return true
	case p.Active.Revision == candidate:
		return p.revision(candidate).Ready+p.Active.ready(candidate)+p.Standby.ready(candidate) > 0 ||
			min(p.revision(stable).Ready, p.revision(stable).Desired) == 0
	case p.Spec.Mode == Switch || p.Standby.Revision != candidate && p.Standby.Found:
		return true
	}
	return p.Route.empty() || p.Standby.ready(candidate) > 0 || min(p.Active.ready(stable), p.revision(stable).Ready) == 0
}

// reachSwitch brings a step about by the selector of the active Service: the candidate is either beside stable, or has
// all traffic.
func (p *pass) reachSwitch(step Step) bool {
	p.sizeRelease(step)
	if !p.previews(p.state.Candidate) {
		return false
	}
	candidate, needed := p.state.Candidate, p.requires(step)
	if p.deserted() {
		return false
	}
	if step.Weight == 0 {
		if p.Active.Revision != p.state.Stable {
			p.settleOn(p.state.Stable, demand{urgent: true})
			return false
		}
		p.calm(true)
		return !p.waitForPods(candidate, needed) && !p.waitForEndpoints(p.Standby, candidate, needed)
	}
	if p.Active.Revision == candidate {
		return !p.waitForPods(candidate, needed) && p.settleOn(candidate, demand{ready: needed})
	}
	p.calm(true)
	if !p.waitForPods(candidate, needed) && !p.waitForEndpoints(p.Standby, candidate, needed) {
		p.settleOn(candidate, demand{ready: needed})
	}
	return false
}

// demand is what must be there before all traffic goes to a revision.
type demand struct {
	// ready is the number of ready endpoints.
	ready int32
	// urgent asks for no more than the traffic's safety needs: the revision has been told good before, and what it
	// replaces is to lose its traffic now.
	urgent bool
}

// settleOn brings all traffic to one revision and onto the active Service, by writes each of which leaves traffic on
// ready pods. It returns true once that is observed and the data plane has settled.
func (p *pass) settleOn(hash string, d demand) bool {
	if p.Spec.Mode == Ratio {
		return p.unpin()
	}
	if !p.Active.Found {
		p.calm(false)
		p.why(v1alpha1.ReasonServiceNotFound, "service %s does not exist; create it", p.Active.Name)
		return false
	}
	if p.Active.Revision == hash {
		return p.unweigh(hash, d)
	}
	switch {
	case p.free(d):
		p.repoint(hash, d)
	case p.Standby.Revision == hash:
		p.raise(hash, d)
	case p.Route.empty() && p.Route.Accepted:
		p.point(Standby, hash)
	case p.Route.empty() || p.Route.Weight == FullWeight:
		p.why(v1alpha1.ReasonWaitingForRoute, "weight %s waits for every gateway to accept the route", percent(p.Route.Weight))
	default:
		// Neither Service selects the revision and both carry weight: somebody else changed a selector.
		p.setWeight(0)
	}
	return false
}

// free says whether the selector of the active Service may change: in Switch mode that is the switch itself; a Service
// that selects every revision serves the wanted one already, and one without endpoints has nothing to lose; otherwise it
// must carry no weight.
func (p *pass) free(d demand) bool {
	if p.Spec.Mode == Switch || p.Active.Revision == "" || p.Active.others("") == 0 {
		return true
	}
	if p.Route.Weight != FullWeight {
		return false
	}
	return p.certain(p.Route.Accepted) || d.urgent && p.Route.Accepted
}

// repoint makes the active Service select a revision, once the revision is seen to be ready.
func (p *pass) repoint(hash string, d demand) {
	if p.Spec.Mode == Switch && p.Spec.Paused && !d.urgent {
		p.hold(v1alpha1.ReasonPaused, "spec.paused holds revision %s; unset it to go on", hash)
		return
	}
	r := p.revision(hash)
	ready := r.Ready
	if p.Standby.Revision == hash && !d.urgent {
		ready = p.Standby.ready(hash)
	}
	// Endpoints and counters may lag behind a scale-down: what is to go does not count.
	ready = min(ready, r.Desired)
	if needed := max(d.ready, p.one()); ready < needed {
		p.why(v1alpha1.ReasonWaitingForEndpoints, "service %s waits to select %s: %d of %s of it are ready", p.Active.Name,
			hash, ready, pods(needed))
		return
	}
	p.point(Active, hash)
}

// forgotten says whether the standby Service may be made to select a revision: the time of the endpoints that it had is
// forgotten, and for the candidate that is persisted. A crash between the two would leave a time that speaks of other
// endpoints.
func (p *pass) forgotten(hash string) bool {
	p.state.EndpointsAt = metav1.MicroTime{}
	if hash == p.state.Candidate && !p.State.EndpointsAt.IsZero() {
		p.wakeAt(p.Now)
		return false
	}
	return true
}

// raise gives all weight to the standby Service, which selects the wanted revision.
func (p *pass) raise(hash string, d demand) {
	needed, r := max(d.ready, p.one()), p.revision(hash)
	ready := min(p.Standby.ready(hash), r.Desired, r.Ready)
	weight := p.takes(ready, d)
	switch {
	case p.Route.Weight == FullWeight:
		p.why(v1alpha1.ReasonWaitingForRoute, "weight 100%% waits for every gateway to accept the route, and to settle")
	case p.Spec.Paused && !d.urgent:
		p.hold(v1alpha1.ReasonPaused, "spec.paused holds revision %s; unset it to go on", hash)
	case ready < needed || p.Standby.others(hash) > 0 || weight <= p.Route.Weight:
		p.state.EndpointsAt = metav1.MicroTime{}
		p.why(v1alpha1.ReasonWaitingForEndpoints, "service %s has %d of %d ready endpoints of %s, and %d of other pods",
			p.Standby.Name, ready, needed, hash, p.Standby.others(hash))
	case !d.urgent && !p.heard():
	default:
		p.setWeight(weight)
	}
}

// takes is the weight for so many ready pods: all of it, or, on the way back to a stable that has shrunk, what they can
// carry; the rest follows as its pods come.
func (p *pass) takes(ready int32, d demand) int32 {
	if d.urgent && p.Spec.Proportional {
		return carries(p.Spec.Replicas, ready)
	}
	return FullWeight
}

// unweigh brings the weight back to the active Service, which selects the wanted revision.
func (p *pass) unweigh(hash string, d demand) bool {
	exact := p.Active.others(hash) == 0 && p.Active.ready(hash) >= d.ready
	if p.Spec.Mode == Switch || p.Route.empty() {
		settled := p.calm(exact && (p.Spec.Mode == Switch || p.Route.Accepted))
		if !settled {
			p.why(v1alpha1.ReasonSettling, "traffic settles on revision %s: service %s has %d of its endpoints and %d of other pods",
				hash, p.Active.Name, p.Active.ready(hash), p.Active.others(hash))
		}
		return settled
	}
	if d.urgent {
		p.fallBack(hash)
		return false
	}
	if p.certain(exact && p.Route.Accepted) {
		p.setWeight(0)
	}
	p.why(v1alpha1.ReasonSettling, "revision %s has all traffic and service %s moves to it: %d of %d endpoints, and %d of other pods",
		hash, p.Active.Name, p.Active.ready(hash), d.ready, p.Active.others(hash))
	return false
}

// fallBack takes the weight off the standby Service as fast as stable can take it. With stable at full size one ready
// endpoint is enough: a pod that stable lost to something else must not keep traffic on an aborted version.
func (p *pass) fallBack(hash string) {
	r := p.revision(hash)
	ready := min(p.Active.ready(hash), r.Desired)
	var weight int32
	switch {
	case ready < p.one():
		weight = FullWeight
	case p.Spec.Proportional:
		// Stable has been shrinking: its endpoints may still name pods that are gone.
		ready = min(ready, r.Ready)
		weight = FullWeight - carries(p.Spec.Replicas, ready)
	}
	if p.takesBack(weight, ready >= p.one()) {
		return
	}
	p.calm(p.Route.Accepted)
	reason := v1alpha1.ReasonRetreating
	if ready == 0 {
		reason = v1alpha1.ReasonStableLost
	}
	stays := "the weight of each route"
	if p.Route.Weight != WeightUnknown {
		stays = "weight " + percent(p.Route.Weight)
	}
	p.why(reason, "%s stays until more than %d of %s of %s are ready endpoints of service %s",
		stays, ready, pods(p.Spec.Replicas), hash, p.Active.Name)
}

// takesBack writes a lower weight, if it is one, and says whether anything was written. Matches go with the first write to a
// stable that has something ready: what matched goes by weight again, of which stable has its share.
func (p *pass) takesBack(weight int32, serves bool) bool {
	switch now := p.Route.Weight; {
	case weight < now, now == WeightUnknown && weight < FullWeight:
		p.setWeight(weight)
	case serves && p.Route.Overlay != v1alpha1.NoOverlay && now != WeightUnknown:
		p.setWeight(now)
	default:
		return false
	}
	return true
}

// one is the least number of ready endpoints that traffic may go to; none are needed where there are no replicas.
func (p *pass) one() int32 { return min(1, p.Spec.Replicas) }

// unpin makes the active Service select the pods of every revision, which is how pods share traffic by their number.
// Pods of a revision that should have no traffic must be gone first.
func (p *pass) unpin() bool {
	if p.Active.Name == "" || !p.Active.Found || p.Active.Revision == "" {
		return true
	}
	if p.uninvited() {
		return true
	}
	p.point(Active, "")
	return false
}

// uninvited says whether there are pods that should have no traffic.
func (p *pass) uninvited() bool {
	for _, r := range p.Revisions {
		expected := r.Hash == p.state.Stable || r.Hash == p.state.Candidate && p.state.Stage != v1alpha1.StageAborted &&
			p.state.Stage != v1alpha1.StageRetreating
		if r.Created > 0 && !expected {
			return true
		}
	}
	return len(p.Baselines) > 0
}

// previews makes the standby Service select a revision. It carries no weight then.
func (p *pass) previews(hash string) bool {
	switch {
	case p.Standby.Name == "" || p.Standby.Revision == hash && p.Standby.Found:
		return true
	case !p.Standby.Found:
		return false // ensureStandby has asked for it
	case p.Spec.Mode == Routed && !p.Route.empty():
		p.fallBack(p.state.Stable)
	case !p.unheard():
		p.point(Standby, hash)
	}
	return false
}

// unheard says whether gateways may not have heard yet that the standby Service has no weight.
func (p *pass) unheard() bool {
	switch {
	case p.Spec.Mode != Routed:
	case !p.Route.Accepted:
		p.why(v1alpha1.ReasonWaitingForRoute, "service %s waits to select another revision until every gateway has accepted weight 0%%",
			p.Standby.Name)
		return true
	case !p.watched():
		p.why(v1alpha1.ReasonSettling, "service %s waits to select another revision; gateways are given %s to hear of weight 0%%",
			p.Standby.Name, p.Spec.Settle)
		return true
	}
	return false
}

// ensureStandby creates the standby Service when it is absent. Routes that name it cannot resolve before, and may give it
// weight already, if somebody has deleted it: it selects stable, or the candidate when only that has something ready.
func (p *pass) ensureStandby() {
	if p.Standby.Name == "" || p.Standby.Found || !p.Active.Found {
		return
	}
	if p.Standby.Leaving {
		if len(p.Problems) == 0 { // one of them says it better
			p.why(v1alpha1.ReasonServiceNotFound, "service %s is being deleted; it is created again when it is gone", p.Standby.Name)
		}
		return
	}
	revision := p.state.Stable
	if revision == "" || p.revision(revision).Ready == 0 && p.revision(p.state.Candidate).Ready > 0 {
		revision = p.state.Candidate
	}
	p.calm(false)
	if p.forgotten(revision) {
		p.do(CreateStandby{Revision: revision})
	}
	p.why(v1alpha1.ReasonServiceNotFound, "service %s is being created", p.Standby.Name)
}

// calm says whether traffic has been in place for the settle time. Each write that moves traffic starts the time
// again.
func (p *pass) calm(inPlace bool) bool {
	if !inPlace {
		p.state.ShiftedAt = metav1.MicroTime{}
		return false
	}
	if p.state.ShiftedAt.IsZero() {
		p.state.ShiftedAt = p.now()
	}
	return p.due(p.state.ShiftedAt, p.Spec.Settle)
}

// certain says the same of the writes that nothing takes back, for which the time must have passed by our own clock too.
func (p *pass) certain(inPlace bool) bool { return p.calm(inPlace) && p.watched() }

// setWeight writes a weight that belongs to no step: with it every match and mirror goes.
func (p *pass) setWeight(tenths int32) {
	p.calm(false)
	p.do(SetWeight{Tenths: tenths})
	p.why(v1alpha1.ReasonWaitingForRoute, "the weight of service %s is being set to %s", p.Standby.Name, percent(tenths))
}

func (p *pass) point(role Role, hash string) {
	p.calm(false)
	name := p.Active.Name
	if role == Standby {
		name = p.Standby.Name
	}
	if role == Active || p.forgotten(hash) {
		p.do(PointService{Role: role, Revision: hash})
	}
	if hash == "" {
		hash = "every revision"
	}
	p.why(v1alpha1.ReasonSettling, "service %s is being pointed at %s", name, hash)
}
