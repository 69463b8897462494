package planner

import (
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// sizeRelease sizes both revisions for a step, where Services keep them apart. Nothing shrinks before its traffic is
// seen to have left and the data plane has settled.
func (p *pass) sizeRelease(step Step) {
	replicas := p.Spec.Replicas
	stable := replicas
	if p.Spec.Proportional {
		stable = p.shrunk(FullWeight - step.Weight)
	}
	p.size(p.state.Stable, stable, !p.Spec.Proportional || p.quiet())
	candidate := p.requires(step)
	if desired := p.revision(p.state.Candidate).Desired; desired > candidate {
		candidate = max(candidate, min(desired, p.carried(p.state.Candidate)))
	}
	// Endpoints that come back are new ones, of which gateways have yet to hear.
	gone := candidate > 0 || p.revision(p.state.Candidate).Desired == 0 || p.forgotten(p.state.Candidate)
	p.size(p.state.Candidate, candidate, gone && p.quiet())
	p.drain()
}

// rescale follows spec.replicas while a problem holds a release: with the share of traffic that there is, and without
// pods for more. A spec that is no spec says nothing about pods.
func (p *pass) rescale(step Step) {
	replicas, candidate := p.Spec.Replicas, p.revision(p.state.Candidate)
	if p.Problems[0].Reason == v1alpha1.ReasonInvalidSpec {
		return
	}
	if p.Spec.Mode == Ratio {
		p.roll(ratio(replicas, min(step.Weight, p.desiredShare()), p.Spec.Surge))
		return
	}
	if p.Spec.Proportional {
		p.size(p.state.Stable, p.shrunk(0), p.quiet())
	} else {
		p.size(p.state.Stable, replicas, true)
	}
	if p.exists(candidate.Hash) {
		has := min(candidate.Desired, max(replicas, p.requires(step)))
		p.size(candidate.Hash, max(has, p.carried(candidate.Hash)), p.quiet())
	}
}

// sizeEnding sizes both revisions for a promotion: the candidate in full, stable for the share it still carries.
func (p *pass) sizeEnding() {
	p.size(p.state.Candidate, p.Spec.Replicas, true)
	if p.Spec.Proportional {
		p.size(p.state.Stable, p.shrunk(0), p.quiet())
	} else {
		p.size(p.state.Stable, p.Spec.Replicas, true)
	}
	p.drain()
}

// shrunk is the number of pods of a stable that shrinks behind its share: those for the share that it is to have, and for
// the one that it has. One without a share keeps the pods of the last one that the steps gave it: until the promotion it is
// the only way back, also from a candidate whose pods have all died.
func (p *pass) shrunk(share int32) int32 {
	if share == 0 {
		share = p.lastShare()
	}
	return max(p.Spec.needs(share), p.carried(p.state.Stable))
}

// lastShare is the share of stable at the last step so far that leaves it one.
func (p *pass) lastShare() int32 {
	for i := p.Spec.StepAt(p.state.Step); i >= 0; i-- {
		if weight := p.Spec.Steps[i].Weight; weight < FullWeight {
			return FullWeight - weight
		}
	}
	return FullWeight
}

// carried is the number of pods for the share that a revision has now; what it has, when the share is unknown: also as long
// as it has requests by matches that the step does not ask for, or no longer.
func (p *pass) carried(hash string) int32 {
	share := p.share(hash)
	if share == WeightUnknown || p.overlaid(hash) && p.Route.Overlay != p.step().Overlay {
		return p.revision(hash).Desired
	}
	if p.overlaid(hash) {
		share = max(share, 1)
	}
	return p.Spec.needs(share)
}

// overlaid says whether a revision has requests, or copies of them, whatever the weight.
func (p *pass) overlaid(hash string) bool {
	return p.Spec.Mode == Routed && p.Route.Overlay != v1alpha1.NoOverlay && p.Standby.Revision == hash
}

// quiet says whether traffic is in place and has settled, so that what it has left may shrink.
func (p *pass) quiet() bool {
	return !p.state.ShiftedAt.IsZero() && !p.Now.Before(p.state.ShiftedAt.Add(p.Spec.Settle)) &&
		(p.Spec.Mode != Routed || p.Route.Accepted) && p.watched()
}

// size brings one revision to a number of pods. Only the target can be created: only its template is known.
func (p *pass) size(hash string, want int32, mayShrink bool) {
	r := p.revision(hash)
	want += p.spare(r)
	p.sized[hash] = want
	switch {
	case !p.exists(hash):
		if hash == p.Target {
			p.do(CreateRevision{Revision: hash, Replicas: want})
		}
	case want > r.Desired || want < r.Desired && mayShrink:
		p.do(ScaleRevision{Revision: hash, Replicas: want})
	}
}

// drain ends the pods of every revision that is neither stable nor under release: after its delay, and once no Service
// selects it and no endpoint of it is left, so that a pod which exits at once on SIGTERM takes no request with it.
func (p *pass) drain() {
	p.forgetScaleDowns()
	for _, r := range p.Revisions {
		if !p.part(r.Hash) && r.Desired > 0 && p.delayed(r.Hash) && !p.selected(r.Hash) && p.quiet() {
			p.do(ScaleRevision{Revision: r.Hash, Replicas: 0})
		}
	}
}

// mostScaleDowns is how many revisions may wait for their end at the same time; the status holds no more.
const mostScaleDowns = 32

// scaleDownLater keeps the pods of a revision for the scale-down delay. When too many revisions wait, those that have
// waited for the longest go at once.
func (p *pass) scaleDownLater(hash string) {
	later := slices.DeleteFunc(p.state.ScaleDowns, func(d v1alpha1.ScaleDown) bool { return d.Revision == hash })
	later = append(later, v1alpha1.ScaleDown{Revision: hash, At: metav1.NewMicroTime(p.Now.Add(p.Spec.ScaleDownDelay))})
	p.state.ScaleDowns = later[max(0, len(later)-mostScaleDowns):]
}

// forgetScaleDowns drops the delays of revisions that are down, or that are wanted again.
func (p *pass) forgetScaleDowns() {
	var kept []v1alpha1.ScaleDown
	for _, d := range p.state.ScaleDowns {
		if !p.part(d.Revision) && p.revision(d.Revision).Desired > 0 {
			kept = append(kept, d)
		}
	}
	p.state.ScaleDowns = kept
}

// part says whether a revision is stable or under release.
func (p *pass) part(hash string) bool {
	if hash == p.state.Stable {
		return true
	}
	return hash == p.state.Candidate && p.state.Stage != v1alpha1.StageAborted && p.state.Stage != v1alpha1.StageIdle
}

// delayed says whether the scale-down delay of a revision, if it has one, has passed.
func (p *pass) delayed(hash string) bool {
	for _, d := range p.state.ScaleDowns {
		if d.Revision == hash {
			return p.due(d.At, 0)
		}
	}
	return true
}

// selected says whether a Service selects a revision, or still has an endpoint of it.
func (p *pass) selected(hash string) bool {
	return p.Active.Revision == hash || p.Standby.Revision == hash ||
		p.Active.ready(hash) > 0 || p.Standby.ready(hash) > 0
}
