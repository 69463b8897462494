package planner

import (
	"fmt"
	"slices"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// A rollback brings back a revision that was stable before, without its steps: it has been through them. It is a release
// all the same, with a deadline, and can be aborted. The machine remembers in its state which revisions were stable: the
// history of releases is for people, and forgets the older ones.

// rollsBack says whether a release under way is a rollback.
func rollsBack(state v1alpha1.RolloutState) bool {
	return state.Full && state.Reason == v1alpha1.ReasonRolledBack
}

// rollback says in what way the release of the candidate is a rollback; empty when it is none.
func (p *pass) rollback() string {
	target := p.revision(p.state.Candidate)
	switch before := p.stableBefore(target.Hash); {
	case before == 0:
		return ""
	case before <= p.Spec.Window:
		return fmt.Sprintf("a rollback to revision %d within the window of %s", target.Number,
			Counted(int(p.Spec.Window), "revision"))
	case p.Spec.QuickReturn && p.leavesLater(target.Hash) && target.steady() >= p.Spec.Replicas:
		return fmt.Sprintf("a rollback to revision %d, whose %s still run", target.Number, pods(target.steady()))
	}
	return ""
}

// stableBefore says how many revisions before stable a revision was stable, counted by those that were stable once and
// still have a ReplicaSet: 1 for the one right before; 0 for one that never was.
func (p *pass) stableBefore(hash string) int32 {
	var n int32
	for _, earlier := range p.state.Earlier {
		if p.exists(earlier) {
			n++
		}
		if earlier == hash && p.exists(hash) {
			return n
		}
	}
	return 0
}

// leavesLater says whether a revision has lost its traffic and keeps its pods for the scale-down delay.
func (p *pass) leavesLater(hash string) bool {
	return slices.ContainsFunc(p.state.ScaleDowns, func(d v1alpha1.ScaleDown) bool {
		return d.Revision == hash && d.At.After(p.Now)
	})
}

// mostEarlier is how many revisions that were stable before are remembered; the status holds no more.
const mostEarlier = 100

// rememberStable notes that a revision was stable, when another one has become so.
func (p *pass) rememberStable(old string) {
	earlier := []string{old}
	earlier = append(earlier, p.state.Earlier...)
	seen := map[string]bool{p.state.Stable: true}
	earlier = slices.DeleteFunc(earlier, func(hash string) bool {
		twice := seen[hash]
		seen[hash] = true
		return twice || !p.exists(hash)
	})
	p.state.Earlier = earlier[:min(len(earlier), mostEarlier)]
	if len(p.state.Earlier) == 0 {
		p.state.Earlier = nil
	}
}
