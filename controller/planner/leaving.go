package planner

import (
	"fmt"
	"time"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// Leaving is what there is to know about the end of a Rollout that is being deleted. It ends with all traffic on available
// pods, on the active Service as it was before there was a Rollout, and with nothing of ours in Services and routes.
type Leaving struct {
	// Since is when the deletion was asked for.
	Since time.Time
	// Orphan says that the pods stay when the Rollout is gone.
	Orphan bool
	// Twin says that the standby Service is ours: it goes with the Rollout.
	Twin bool
	// Uncollected says that the garbage collector leaves the standby Service there: one that is ours has to be deleted.
	Uncollected bool
	// Referred says that a managed route names the standby Service.
	Referred bool
	// Owned says that a route which the Rollout has made is to stay, and is still its own.
	Owned bool
	// Forced says that the way there is barred: what can be done is to be done at once.
	Forced bool
}

// deletesStandby says whether the standby Service has to be deleted, once no managed route names it.
func (l *Leaving) deletesStandby() bool { return l.Twin && l.Uncollected }

// leavingPatience is how long the deletion of a Rollout waits for pods and gateways when the pods go anyway. Where they
// stay, it waits for the progress deadline.
const leavingPatience = time.Minute

// leave takes leave. Traffic goes to stable behind the active Service, as in an abort; what should have no traffic goes; the
// Deployment that has lost its pods gets them back; and then the active Service selects every pod, as its owner wrote it.
// Nothing is waited for that is not there: a Service or a route that is gone, or a stable of which nothing is ready.
func (p *pass) leave() {
	p.takeLeave()
	if p.LastReason == v1alpha1.ReasonLeaving && len(p.plan.Events) == 0 && !p.plan.Stalled && p.Now.Before(p.Since.Add(p.Spec.Settle)) {
		// Who has just begun to look on, or has moved traffic, waits for gateways that others may have waited for. Two leaders would
		// tell different things, and wake each other with each of them.
		p.plan.Why.Message = p.LastMessage
	}
}

func (p *pass) takeLeave() {
	p.Spec.Paused = false // the hold is over with the Rollout
	late := p.outOfPatience()
	p.plan.Hurried = late && !p.servesAlone()
	if !late && !p.goesHome() {
		return
	}
	p.returnWorkload()
	if p.plan.Hurried || p.workloadIsBack() {
		p.letGo(late)
		return
	}
	if late {
		p.goesHome() // it may have been barred so far, and the pods stay
	}
	p.awaitWorkload(late)
}

// goesHome brings all traffic to stable, and ends what should have none. It returns true once that is done, and when nothing of
// stable is ready.
func (p *pass) goesHome() bool {
	home := p.revision(p.state.Stable).Ready == 0 || p.comesHome() && p.othersLeave()
	if home && p.baselineLeaves(false) {
		return true
	}
	p.why(v1alpha1.ReasonLeaving, "the rollout is being deleted: its traffic goes to %s", p.state.Stable)
	p.plan.Why.Reason = v1alpha1.ReasonLeaving
	return false
}

// outOfPatience says whether there was time enough for what only takes time.
func (p *pass) outOfPatience() bool {
	patience := p.Spec.Deadline
	if !p.Leaving.Orphan && !p.owesWorkload() {
		patience = min(patience, leavingPatience)
	}
	until := p.Leaving.Since.Add(patience)
	if p.Leaving.Forced || !p.Now.Before(until) {
		return true
	}
	p.wakeAt(until)
	return false
}

// comesHome brings all traffic to stable, with all its pods where they are to stay.
func (p *pass) comesHome() bool {
	stable := p.state.Stable
	if p.Spec.Mode == Ratio && !p.Active.pinned() && p.Leaving.Orphan {
		return p.rollBack()
	}
	if p.nothingToBring() {
		return true
	}
	if p.Leaving.Orphan || p.Spec.Proportional || p.owesWorkload() {
		p.size(stable, p.Spec.Replicas, false)
	}
	return p.settleOn(stable, demand{urgent: true})
}

// nothingToBring says whether traffic is where Services and routes can bring it.
func (p *pass) nothingToBring() bool {
	switch {
	case p.Spec.Mode == Ratio, !p.Active.Found:
		return true
	case !p.Active.pinned() && (p.Spec.Mode == Switch || p.Route.empty()):
		return true // the active Service selects every pod already
	case p.Spec.Mode == Routed && !p.Standby.Found:
		return p.Active.Revision != p.state.Stable // what the weight is on is gone, and cannot help
	}
	return false
}

// othersLeave ends the pods of every other revision before the active Service selects the pods of all. Where it does so
// already, they have traffic as it is.
func (p *pass) othersLeave() bool {
	if !p.Active.Found || p.Active.Revision != p.state.Stable {
		return true
	}
	if p.Active.ready(p.state.Stable) < p.one() {
		return false
	}
	if p.Spec.Mode != Ratio && !p.watched() {
		return false // gateways may still send requests to them
	}
	left := int32(0)
	for _, r := range p.Revisions {
		if r.Hash == p.state.Stable {
			continue
		}
		left += r.Created + r.Desired
		if r.Desired > 0 {
			p.do(ScaleRevision{Revision: r.Hash, Replicas: 0})
		}
	}
	if left > 0 {
		p.why(v1alpha1.ReasonLeaving, "the rollout is being deleted: pods that have no traffic go before service %s selects all",
			p.Active.Name)
	}
	return left == 0
}

// letGo takes what is ours out of Services and then, when the active Service has endpoints that are ready, out of routes.
// When nothing is left, the Rollout may go.
func (p *pass) letGo(late bool) {
	p.widen()
	p.plan.Why = Why{Reason: v1alpha1.ReasonLeaving, Message: fmt.Sprintf(
		"the rollout is being deleted: service %s selects its pods as it did before", p.Active.Name)}
	switch {
	case len(p.plan.Actions) > 0:
	case p.servesAlone():
		p.plan.Stalled, p.broken = late, late
		p.plan.Why.Message += fmt.Sprintf(", and has %d of %s of deployment %s as endpoints", p.Active.Foreign, pods(p.Spec.Replicas),
			p.Workload.Name)
	case late || p.serves():
		p.plan.Left = p.baselineLeaves(late) && p.leavesRoutes(late)
	}
}

// leavesRoutes takes the weight out of routes and then, when gateways have heard of it, the name of a standby Service that
// goes with the Rollout, gives up routes that stay, and in the end deletes that Service. It returns true once nothing of ours is left.
func (p *pass) leavesRoutes(late bool) bool {
	switch {
	case p.Spec.Mode == Routed && !p.weighsNothing(late):
	case p.Leaving.Referred && p.Leaving.Twin:
		p.do(DetachStandby{})
	case p.Leaving.Owned:
		p.do(ReleaseRoutes{})
	case p.Standby.Found && p.Leaving.deletesStandby():
		p.do(DeleteStandby{})
	default:
		return true
	}
	return false
}

// weighsNothing takes the weight out of routes, and says whether gateways have heard of it, or can be waited for no more.
func (p *pass) weighsNothing(late bool) bool {
	if !p.Route.empty() {
		p.setWeight(0)
		return false
	}
	return p.calm(p.Route.Accepted) || late
}

// widen makes the Services that stay select the pods of every revision.
func (p *pass) widen() {
	if p.Active.pinned() {
		p.point(Active, "")
	}
	if p.Standby.pinned() && !p.Leaving.Twin {
		p.point(Standby, "")
	}
	for _, a := range p.Analyses {
		if p.Leaving.Orphan && !a.Phase.Ended() {
			p.do(StopAnalysis{Name: a.Name})
		}
	}
}

// serves says whether the active Service has a ready endpoint, or nothing is there that could be one.
func (p *pass) serves() bool {
	ready := false
	for _, r := range p.Revisions {
		if min(p.Active.ready(r.Hash), r.Ready) > 0 {
			return true
		}
		ready = ready || r.Ready > 0
	}
	return !ready || !p.Active.Found
}
