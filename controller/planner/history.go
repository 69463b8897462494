package planner

import "github.com/sluice-dev/sluice/api/v1alpha1"

// forgetOldRevisions deletes ReplicaSets beyond the history limit, oldest first: without pods, selected by no Service,
// and neither stable, nor under release, nor asked for. It waits for rest, and for that to be persisted: a crash right
// after a promotion must find the old stable again.
func (p *pass) forgetOldRevisions() {
	if p.State.Stage != p.state.Stage || p.state.Stage != v1alpha1.StageIdle && p.state.Stage != v1alpha1.StageAborted {
		return
	}
	var old []Revision
	for _, r := range p.Revisions {
		idle := r.Desired+r.Created+r.Terminating == 0
		if idle && !p.selected(r.Hash) && r.Hash != p.state.Stable && r.Hash != p.state.Candidate && r.Hash != p.Target {
			old = append(old, r)
		}
	}
	for _, r := range old[:max(0, len(old)-int(p.Spec.HistoryLimit))] {
		p.do(DeleteRevision{Revision: r.Hash})
	}
}
