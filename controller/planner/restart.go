package planner

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// A restart replaces every pod that is older than the request. Where no pod may be missing, one spare pod is added
// while it lasts, and an old pod goes only when the spare one is available: a restart never costs availability that the
// spec has not given away.

// spare is the number of pods added to a revision while its pods are restarted.
func (p *pass) spare(r Revision) int32 {
	if p.state.RestartAt.IsZero() || r.Outdated == 0 || p.givesWay() > 0 {
		return 0
	}
	return 1
}

// givesWay is how many pods may be missing during a restart.
func (p *pass) givesWay() int32 {
	if p.Spec.Mode == Ratio {
		return p.Spec.Unavailable
	}
	return 0
}

// wholeSecond is the next whole second: pods know the second of their creation only, and a pod made after the request
// must not count as older than it.
func wholeSecond(t time.Time) metav1.MicroTime {
	return metav1.NewMicroTime(t.Add(time.Second - time.Microsecond).Truncate(time.Second))
}

// restart deletes as many outdated pods as availability allows, and forgets the request when none is left. While
// traffic goes back to stable nothing is restarted.
func (p *pass) restart() {
	if p.state.RestartAt.IsZero() || p.State.RestartAt.IsZero() || p.state.Stage == v1alpha1.StageRetreating ||
		!p.due(p.state.RestartAt, 0) {
		return
	}
	var outdated int32
	for _, r := range p.Revisions {
		outdated += r.Outdated
		base, sized := p.sized[r.Hash]
		free := r.Available - (base - p.givesWay())
		if r.Outdated > 0 && sized && free > 0 {
			p.do(RestartPods{Revision: r.Hash, Before: p.state.RestartAt.Time, Max: min(free, r.Outdated)})
		}
	}
	if outdated == 0 {
		p.state.RestartAt = metav1.MicroTime{}
	}
}
