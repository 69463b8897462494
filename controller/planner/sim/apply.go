package sim

import (
	"slices"

	"github.com/sluice-dev/sluice/controller/planner"
)

// apply performs one action as the shell would, on a copy of the world.
func (w World) apply(a planner.Action) World {
	w.applyToPods(a)
	w.applyToTraffic(a)
	w.applyToAnalyses(a)
	w.applyToBaseline(a)
	return w
}

func (w *World) applyToPods(a planner.Action) {
	switch a := a.(type) {
	case planner.CreateRevision:
		w.create(a)
	case planner.ScaleRevision:
		w.Sets[Index(a.Revision)].Desired = a.Replicas
	case planner.RestartPods:
		w.Sets[Index(a.Revision)].Ready -= a.Max
	case planner.DeleteRevision:
		w.Sets[Index(a.Revision)] = ReplicaSet{}
	}
}

func (w *World) applyToTraffic(a planner.Action) {
	switch a := a.(type) {
	case planner.CreateStandby:
		w.Standby, w.Twin = Service{Exists: true, Selects: Index(a.Revision) + 1, Fresh: true}, true
	case planner.PointService:
		w.point(a)
	case planner.SetWeight:
		w.Weight, w.Overlay = a.Tenths, a.Overlay
		w.Referred = w.Referred || a.Tenths > 0
	case planner.DetachStandby:
		w.Referred = false
	case planner.DeleteStandby:
		w.Standby, w.Twin = Service{}, false
	}
}

func (w *World) applyToAnalyses(a planner.Action) {
	w.Analyses = slices.Clone(w.Analyses) // the world before keeps its own
	switch a := a.(type) {
	case planner.StartAnalysis:
		w.start(a)
	case planner.StopAnalysis:
		w.stop(a.Name)
	case planner.TellShift:
		for i := range w.Analyses {
			if w.Analyses[i].Name == a.Name {
				w.Analyses[i].Told = a.Weight
			}
		}
	case planner.ProbeShare:
		w.Probe = &planner.Probe{Of: a.Of, Confirmed: true}
	}
}

func (w *World) create(a planner.CreateRevision) {
	if set := &w.Sets[Index(a.Revision)]; !set.Exists {
		*set = ReplicaSet{Exists: true, Number: w.nextNumber(), Desired: a.Replicas}
	}
}

func (w *World) point(a planner.PointService) {
	if a.Role == planner.Standby {
		w.Standby.Selects, w.Standby.Fresh = Index(a.Revision)+1, true
		w.Standby = w.Standby.heard(w.Clock)
		return
	}
	w.Active.Selects = Index(a.Revision) + 1
}

func (w *World) nextNumber() int64 {
	var highest int64
	for _, set := range w.Sets {
		highest = max(highest, set.Number)
	}
	return highest + 1
}

// record persists the outcome of a pass.
func (w World) record(plan planner.Plan) World {
	w.State = plan.State
	w.Leaving.Gone, w.Leaving.Forced = plan.Left, plan.Left && w.outwaited()
	if plan.Command != nil {
		w.Answered = plan.Command.ID
	}
	return w
}
