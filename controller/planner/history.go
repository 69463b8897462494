package planner

import "github.com/sluice-dev/sluice/api/v1alpha1"

// forgetOldRevisions deletes ReplicaSets beyond the history limit, oldest first: without pods, selected by no Service,
// and neither stable, nor under release, nor asked for. It waits for rest, and for that to be persisted: a crash right
// after a promotion must find the old stable again.
func (p *pass) forgetOldRevisions() {
	resting := p.state.Stage == v1alpha1.StageIdle || p.state.Stage == v1alpha1.StageAborted
	if !resting || p.State.Stage != p.state.Stage {
		return
	}
	var old []Revision
	for _, r := range p.Revisions {
		if r.Desired+r.Created+r.Terminating == 0 && !p.named(r.Hash) && !p.selected(r.Hash) {
			old = append(old, r)
		}
	}
	for _, r := range old[:max(0, len(old)-int(p.Spec.HistoryLimit))] {
		p.do(DeleteRevision{Revision: r.Hash})
	}
}

// named says whether a revision is stable, under release or asked for.
func (p *pass) named(hash string) bool {
	return hash == p.state.Stable || hash == p.state.Candidate || hash == p.Target
}
