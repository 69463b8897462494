package sim

import (
	"fmt"
	"time"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller/planner"
)

// Leaving is the end of a Rollout.
type Leaving struct {
	// Asked says that somebody has deleted the Rollout, At when, and Orphan that its pods stay.
	Asked, Orphan bool
	At            time.Duration
	// Gone says that the Rollout is gone, and Forced that it went because it had waited for too long.
	Gone, Forced bool
}

// patience is how long a deletion may wait for others, written again here on purpose.
func (w *World) patience() time.Duration {
	if w.Leaving.Orphan {
		return w.Spec.Deadline
	}
	return min(time.Minute, w.Spec.Deadline)
}

// outwaited says whether a deletion has waited for too long.
func (w *World) outwaited() bool { return w.Clock-w.Leaving.At >= w.patience() }

// observed is what the planner sees of it.
func (l Leaving) observed(w *World) *planner.Leaving {
	if !l.Asked {
		return nil
	}
	return &planner.Leaving{
		Since: epoch().Add(l.At), Orphan: l.Orphan, Twin: w.Twin, Uncollected: l.Orphan, Referred: w.Referred,
	}
}

// ends are the two ways in which somebody deletes the Rollout.
func (w World) ends() []successor {
	if w.Budget.Ends == 0 || w.Leaving.Asked {
		return nil
	}
	w.Budget.Ends--
	w.Leaving = Leaving{Asked: true, At: w.Clock}
	keeping := w
	keeping.Leaving.Orphan = true
	return []successor{{w, "the rollout is deleted"}, {keeping, "the rollout is deleted without its pods"}}
}

// detached: when a Rollout goes, all traffic is on available pods behind the active Service, which selects what it did
// before, and nothing names what goes with the Rollout.
func detached(w *World, plan planner.Plan) string {
	switch {
	case !plan.Left:
		return ""
	case !w.Leaving.Asked:
		return "it goes, and nobody has deleted it"
	case len(plan.Actions) > 0:
		return "it goes with its last writes, which may fail"
	}
	if detail := w.residue(); detail != "" {
		return detail
	}
	if detail := w.cleared(); detail != "" {
		return detail
	}
	return w.deserted()
}

// residue says what is left of the Rollout in routes and Services.
func (w *World) residue() string {
	switch late := w.outwaited(); {
	case w.Weight != 0 || w.Programmed != 0 && !late:
		return fmt.Sprintf("weight %d is left, and %d programmed", w.Weight, w.Programmed)
	case w.Overlay != v1alpha1.NoOverlay || w.ProgrammedOverlay != v1alpha1.NoOverlay && !late:
		return "matches are left in the route"
	case w.Active.Selects != 0:
		return "active selects one revision for ever"
	}
	return w.leftStandby()
}

// leftStandby says what is wrong with the standby service that is left.
func (w *World) leftStandby() string {
	switch {
	case w.Twin && w.Referred:
		return "a route names the standby service, which goes"
	case w.Twin && w.Standby.Exists && w.Leaving.Orphan:
		return "the standby service, which nobody collects, is left"
	case !w.Twin && w.Standby.Selects != 0:
		return "standby, which stays, selects one revision for ever"
	}
	return ""
}

// deserted says that ready pods are left of which none has traffic.
func (w *World) deserted() string {
	var ready int32
	for _, set := range w.Sets {
		ready += min(set.Ready, set.Desired)
	}
	if ready > 0 && w.Services && w.serving(w.Active) == 0 && w.deaths() == 0 {
		return fmt.Sprintf("%d pods are ready, and active has no endpoint", ready)
	}
	return ""
}

// widened: a Service that selects the pods of every revision sends traffic to all of them, and so it does not before those
// that should have none are gone.
func widened(before, _ *World, a planner.Action) string {
	point, ok := a.(planner.PointService)
	if !ok || point.Revision != "" || point.Role != planner.Active || before.Active.Selects == 0 || before.outwaited() {
		return ""
	}
	return before.uninvited()
}

// uninvited says which revision has ready pods that should have no traffic, as the one that active selects can take it.
func (w *World) uninvited() string {
	home := w.Active.Selects - 1
	if w.Spec.Mode == planner.Ratio || w.Sets[home].Ready == 0 {
		return ""
	}
	if w.Baseline.Ready > 0 {
		return fmt.Sprintf("the baseline has %d ready pods", w.Baseline.Ready)
	}
	for i, set := range w.Sets {
		if i != home && i != Index(w.State.Stable) && set.Ready > 0 && w.shareOf(i) == 0 {
			return fmt.Sprintf("%s has %d ready pods and no traffic", Name(i), set.Ready)
		}
	}
	return ""
}
