package planner

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// A restart replaces every pod that is older than the request. Where no pod may be missing, one spare pod is added
// while it lasts, and an old pod goes only when the spare one is available and an endpoint of its Service: a restart never costs availability that the
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

// withSpare adds the spare pod of a restart where pods share one Service: one for both revisions, and none where they have
// a pod more than replicas already.
func (p *pass) withSpare(want sizes) sizes {
	if want.stable+want.candidate > p.Spec.Replicas {
		return want
	}
	if spare := p.spare(p.revision(p.state.Stable)); spare > 0 && want.stable > 0 {
		want.stable += spare
	} else if want.candidate > 0 {
		want.candidate += p.spare(p.revision(p.state.Candidate))
	}
	return want
}

// restart deletes as many outdated pods as availability allows, and forgets the request when none is left that will
// stay, and each has another pod in its place. While traffic goes back to stable nothing is restarted.
func (p *pass) restart() {
	if p.state.RestartAt.IsZero() || p.State.RestartAt.IsZero() || p.state.Stage == v1alpha1.StageRetreating ||
		!p.due(p.state.RestartAt, 0) {
		return
	}
	var left int32
	free := p.freeTogether()
	for _, r := range p.Revisions {
		if !p.part(r.Hash) {
			continue
		}
		// A pod that was deleted is still counted as available by its ReplicaSet, until that has made another one.
		left += r.Outdated + max(0, r.Desired-r.Created)
		if r.Desired != p.sized[r.Hash] {
			continue // it is being scaled
		}
		if p.Spec.Mode != Ratio {
			free = p.heardOf(r, r.Available) - (r.Desired - p.spare(r))
		}
		free -= p.restartPods(r, free)
	}
	if left == 0 {
		p.state.RestartAt = metav1.MicroTime{}
	}
}

// restartPods deletes outdated pods of a revision: as many available ones as are free to go, which it returns, and all
// that are not available. Those cost nothing, and may be why somebody asks for a restart.
func (p *pass) restartPods(r Revision, free int32) (serving int32) {
	serving = min(max(0, free), r.OutdatedAvailable)
	if n := r.Outdated - r.OutdatedAvailable + serving; n > 0 {
		p.do(RestartPods{Revision: r.Hash, Before: p.state.RestartAt.Time, Max: n})
	}
	return serving
}

// freeTogether is how many available pods of the revisions behind one Service may go now; none while they are being
// scaled, for that takes from the same limit.
func (p *pass) freeTogether() int32 {
	free := p.Spec.Unavailable - p.Spec.Replicas
	for _, r := range p.Revisions {
		if r.Desired != p.sized[r.Hash] {
			return 0
		}
		free += p.heardOf(r, r.steady())
	}
	return free
}

// heardOf is how many of so many available pods of a revision are ready endpoints of every Service that selects it: a pod
// takes no requests before, and the next one must not go as long.
func (p *pass) heardOf(r Revision, available int32) int32 {
	for _, s := range []Service{p.Active, p.Standby} {
		if s.Found && (s.Revision == r.Hash || s.Revision == "") {
			available = min(available, s.ready(r.Hash))
		}
	}
	return available
}
