package planner

import (
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// stepping takes the candidate through its steps.
func (p *pass) stepping() {
	p.missStable()
	if p.state.Full {
		p.state.Stage = v1alpha1.StagePromoting
		p.promoting()
		return
	}
	step := p.step()
	reached := p.reach(step)
	if !reached {
		p.why(v1alpha1.ReasonWaitingForPods, "%s: revision %s is being brought up", p.position(), p.state.Candidate)
		p.watchDeadline()
		return
	}
	p.state.ProgressAt = metav1.MicroTime{}
	p.tellOfLostStable()
	if p.state.GatesAt.IsZero() {
		if !p.probed(step) {
			return
		}
		p.state.GatesAt = p.now()
	}
	p.rested = true
	p.startBackground()
	if p.gatesHold(step) {
		p.event(false, v1alpha1.ReasonStepCompleted, fmt.Sprintf("%s is complete: revision %s has %s of the traffic",
			p.position(), p.state.Candidate, percent(step.Weight)))
		p.advance()
		if p.state.Stage == v1alpha1.StagePromoting {
			p.why(v1alpha1.ReasonPromoting, "%s completed: revision %s is promoted", Counted(len(p.Spec.Steps), "step"), p.state.Candidate)
		} else {
			p.why(v1alpha1.ReasonStepCompleted, "revision %s goes on to %s", p.state.Candidate, p.position())
		}
		p.wakeAt(p.Now)
	}
}

// missStable leaves out the steps when the ReplicaSet of stable was deleted: there is nothing to compare with and nothing
// to go back to, as in a first release.
func (p *pass) missStable() {
	if p.Spec.Replicas == 0 || p.state.Full || p.exists(p.state.Stable) {
		return
	}
	p.state.Full = true
	p.event(true, v1alpha1.ReasonStableLost, fmt.Sprintf("the ReplicaSet of stable %s was deleted; revision %s is promoted without the steps after %s",
		p.state.Stable, p.state.Candidate, p.position()))
}

// tellOfLostStable says that requests are lost at a step which does nothing about it.
func (p *pass) tellOfLostStable() {
	if share := p.share(p.state.Stable); share > 0 && p.lost() {
		p.why(v1alpha1.ReasonStableLost, "%s: nothing of stable %s is ready, which has %s of the traffic; promote-full brings it to %s",
			p.position(), p.state.Stable, percent(share), p.state.Candidate)
	}
}

// watchRelease retreats when an analysis has failed or nothing has moved for too long.
func (p *pass) watchRelease() {
	if p.state.Stage != v1alpha1.StageStepping && p.state.Stage != v1alpha1.StagePromoting {
		return
	}
	if p.judged() {
		return
	}
	if p.deadlinePassed() {
		p.retreat(v1alpha1.ReasonProgressDeadlineExceeded, fmt.Sprintf("no progress for %s at %s: %s", p.Spec.Deadline, p.position(),
			p.missing()))
	}
}

// missing says in words what the release has waited for until now: it asks a pass like this one, and writes nothing.
func (p *pass) missing() string {
	q := &pass{Snapshot: p.Snapshot, state: p.state, sized: map[string]int32{}}
	switch {
	case len(p.Problems) > 0:
		q.problem()
	case p.state.Stage == v1alpha1.StagePromoting:
		q.ensureStandby()
		_ = q.deserted() || q.reachEnding()
	default:
		q.ensureStandby()
		q.reach(p.step())
	}
	q.why(v1alpha1.ReasonWaitingForPods, "%s of %s are available", pods(p.revision(p.state.Candidate).Available), p.state.Candidate)
	return strings.TrimPrefix(q.plan.Why.Message, p.position()+": ")
}

// watchDeadline keeps the time since the release last made progress. Only waiting for pods and traffic counts; while
// the spec or another writer holds the release, time stands still.
func (p *pass) watchDeadline() {
	if p.Spec.Paused || p.contested {
		p.state.ProgressAt = metav1.MicroTime{}
		return
	}
	available := p.revision(p.state.Candidate).Available
	if p.state.ProgressAt.IsZero() || available > p.state.ProgressMark {
		p.state.ProgressAt = p.now()
	}
	p.state.ProgressMark = max(p.state.ProgressMark, available)
	p.due(p.state.ProgressAt, p.Spec.Deadline)
}

// deadlinePassed says whether the last persisted progress is too long ago. It looks at the pods first: what arrived
// just now is progress.
func (p *pass) deadlinePassed() bool {
	if p.state.ProgressAt.IsZero() || p.Spec.Paused {
		return false
	}
	if p.revision(p.state.Candidate).Available > p.state.ProgressMark {
		return false
	}
	return !p.Now.Before(p.state.ProgressAt.Add(p.Spec.Deadline))
}

// reach brings the candidate to the capacity and the share of traffic of a step. It returns true once both are
// observed in place and the data plane has settled.
func (p *pass) reach(step Step) bool {
	if p.problem() {
		if !slices.ContainsFunc(p.Problems, Problem.ofTraffic) {
			p.rescue(step)
		}
		p.rescale(step)
		p.ease(step)
		return false
	}
	switch p.Spec.Mode {
	case Routed:
		return p.reachRouted(step)
	case Switch:
		return p.reachSwitch(step)
	case Ratio:
		return p.reachRatio(step)
	}
	return false
}

// waitForPods says how many pods are still missing, if any are.
func (p *pass) waitForPods(hash string, need int32) bool {
	r := p.revision(hash)
	if r.steady() >= need {
		return false
	}
	p.why(v1alpha1.ReasonWaitingForPods, "%s: %d of %s of %s are available%s", p.position(), r.Available, pods(need), hash, because(r.Hindered))
	return true
}

// waitForEndpoints says how many ready endpoints a Service still lacks, or which it must lose, if any.
func (p *pass) waitForEndpoints(s Service, hash string, need int32) bool {
	if min(s.ready(hash), p.revision(hash).Desired) < need || s.others(hash) > 0 {
		p.why(v1alpha1.ReasonWaitingForEndpoints, "%s: service %s has %d of %d ready endpoints of %s, and %d of other pods",
			p.position(), s.Name, s.ready(hash), need, hash, s.others(hash))
		return true
	}
	return false
}
