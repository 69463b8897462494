package planner

import "github.com/sluice-dev/sluice/api/v1alpha1"

// reachRatio brings a step about by the number of pods behind one Service.
func (p *pass) reachRatio(step Step) bool {
	if !p.previews(p.state.Candidate) || !p.unpin() {
		return false
	}
	weight := step.Weight
	if p.Spec.Paused {
		// Scaling goes on while the release is held, and keeps the ratio that it has reached.
		weight = min(weight, p.desiredShare())
	}
	want := ratio(p.Spec.Replicas, weight, p.Spec.Surge)
	p.roll(want)
	if p.Spec.Paused && weight != step.Weight {
		p.hold(v1alpha1.ReasonPaused, "%s: spec.paused holds revision %s; unset it to go on", p.position(), p.state.Candidate)
		return false
	}
	return p.rolled(want) && !p.comesBack(want)
}

// comesBack says whether pods of stable are still coming because the weight of the step is less than that of the one
// before: gates begin when the share is the one that the step asks for. Once they have begun, and at any other step, a pod
// that stable lacks holds up nothing: it may be why there is a new revision.
func (p *pass) comesBack(want sizes) bool {
	i := p.Spec.StepAt(p.state.Step)
	falls := i > 0 && p.Spec.Steps[i].Weight < p.Spec.Steps[i-1].Weight
	stable := p.revision(p.state.Stable)
	if !falls || p.state.Stage != v1alpha1.StageStepping || !p.state.GatesAt.IsZero() || stable.steady() >= want.stable {
		return false
	}
	p.why(v1alpha1.ReasonWaitingForPods, "%s: %d of %s of stable %s are available", p.position(), stable.Available, pods(want.stable),
		stable.Hash)
	return true
}

// desiredShare is the share of the candidate among the pods that its ReplicaSets ask for.
func (p *pass) desiredShare() int32 {
	candidate := int64(p.revision(p.state.Candidate).Desired)
	total := candidate + int64(p.revision(p.state.Stable).Desired)
	if total == 0 {
		return 0
	}
	return int32(candidate * int64(FullWeight) / total)
}

// rolled says whether pods have reached wanted sizes: the growing ones available, the shrinking ones gone.
func (p *pass) rolled(want sizes) bool {
	want = p.withSpare(want)
	candidate, stable := p.revision(p.state.Candidate), p.revision(p.state.Stable)
	done := candidate.steady() >= want.candidate && stable.Desired >= want.stable
	for _, r := range p.Revisions {
		wanted := p.wantedOf(r.Hash, want)
		done = done && r.Desired <= wanted && r.Created <= wanted
	}
	if !done {
		p.why(v1alpha1.ReasonWaitingForPods, "%s: %d of %s of %s are available; %s has %s and goes to %d%s", p.position(),
			candidate.Available, pods(want.candidate), candidate.Hash, stable.Hash, pods(stable.Created), want.stable,
			because(candidate.Hindered))
	}
	return done
}

// roll moves the pods of all revisions towards wanted sizes within the limits of surge and unavailability, as a
// Deployment does: new pods come as far as replicas + surge allows, and old ones go as far as replicas − unavailable
// available ones remain.
func (p *pass) roll(want sizes) {
	want = p.withSpare(want)
	room := p.Spec.Replicas + p.surge()
	for _, r := range p.Revisions {
		room -= max(r.Desired, r.Created)
	}
	want = p.sustained(want, room)
	for _, hash := range []string{p.state.Stable, p.state.Candidate} {
		room -= p.grow(hash, p.wantedOf(hash, want), room)
	}
	p.shrink(want)
}

// sustained lets a stable that shrinks grow instead while too few pods are available for all that are asked for, as when the
// Rollout is scaled up in the middle of a release whose pods do not come. It gets its share of the room, as an old ReplicaSet
// of a Deployment does.
func (p *pass) sustained(want sizes, room int32) sizes {
	var desired, available int32
	for _, r := range p.Revisions {
		desired += r.Desired
		available += min(r.Available, r.Desired)
	}
	stable := p.revision(p.state.Stable)
	missing := p.Spec.Replicas - p.Spec.Unavailable - available - max(0, stable.Desired-stable.Available)
	if missing <= 0 || room <= 0 || stable.Desired <= want.stable {
		return want
	}
	share := (int64(room)*int64(stable.Desired) + int64(desired) - 1) / int64(desired)
	want.stable = max(want.stable, stable.Desired+min(missing, int32(share)))
	return want
}

// surge is how many pods there may be above replicas. A first revision that takes the place of another one comes up
// beside it where Services keep revisions apart.
func (p *pass) surge() int32 {
	if p.Spec.Mode == Ratio {
		return p.Spec.Surge
	}
	return p.Spec.Replicas
}

// grow adds pods to a revision as far as there is room, and returns how many.
func (p *pass) grow(hash string, want, room int32) int32 {
	r := p.revision(hash)
	p.sized[hash] = want
	more := max(0, min(want-r.Desired, room))
	if p.Spec.Exclusive && p.othersAlive(hash) {
		more = 0
	}
	switch {
	case p.exists(hash):
		if more > 0 {
			p.do(ScaleRevision{Revision: hash, Replicas: r.Desired + more})
		}
	case hash == p.Target && (more > 0 || p.Spec.Replicas == 0): // one of no pods is made, too: its name may be taken
		p.do(CreateRevision{Revision: hash, Replicas: more})
	}
	return more
}

// othersAlive says whether a pod of another revision exists, be it on its way out.
func (p *pass) othersAlive(hash string) bool {
	for _, r := range p.Revisions {
		if r.Hash != hash && r.Desired+r.Created+r.Terminating > 0 {
			return true
		}
	}
	return false
}

// shrink removes pods of revisions that have more than is wanted. Pods that are not available go first, for they cost
// no availability; the pods of revisions that grow count as missing until they are available.
func (p *pass) shrink(want sizes) {
	floor := p.Spec.Replicas - p.Spec.Unavailable
	var desired, available, coming int32
	for _, r := range p.Revisions {
		desired += r.Desired
		available += min(r.Available, r.Desired)
		if r.Desired <= p.wantedOf(r.Hash, want) {
			coming += max(0, r.Desired-r.Available)
		}
	}
	budget := shrinkBudget{pods: desired - floor - coming, available: available - floor}
	for _, r := range p.Revisions {
		if excess := r.Desired - p.wantedOf(r.Hash, want); excess > 0 {
			if n := budget.take(excess, r); n > 0 {
				p.do(ScaleRevision{Revision: r.Hash, Replicas: r.Desired - n})
			}
		}
	}
}

// shrinkBudget is how many pods may go in one pass: so many in all, and of those so many available ones.
type shrinkBudget struct {
	pods, available int32
}

// take removes up to excess pods of a revision from the budget, unavailable ones first, and returns how many.
func (b *shrinkBudget) take(excess int32, r Revision) int32 {
	excess = min(excess, max(0, b.pods))
	idle := min(excess, max(0, r.Desired-r.Available))
	serving := min(excess-idle, max(0, b.available))
	b.pods -= idle + serving
	b.available -= serving
	return idle + serving
}

// wantedOf is the size of a revision among wanted sizes.
func (p *pass) wantedOf(hash string, want sizes) int32 {
	switch hash {
	case p.state.Stable:
		return want.stable
	case p.state.Candidate:
		return want.candidate
	}
	return 0
}
