package planner

// forgetOldRevisions deletes ReplicaSets beyond the history limit, oldest first: without pods, selected by no Service,
// and neither stable, nor under release, nor asked for.
func (p *pass) forgetOldRevisions() {
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
