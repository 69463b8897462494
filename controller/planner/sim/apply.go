package sim

import (
	"slices"

	"github.com/sluice-dev/sluice/controller/planner"
)

// apply performs one action as the shell would, on a copy of the world.
func (w World) apply(a planner.Action) World {
	w.Analyses = slices.Clone(w.Analyses)
	switch a := a.(type) {
	case planner.CreateRevision:
		set := &w.Sets[Index(a.Revision)]
		if !set.Exists {
			*set = ReplicaSet{Exists: true, Number: w.nextNumber(), Desired: a.Replicas}
		}
	case planner.ScaleRevision:
		w.Sets[Index(a.Revision)].Desired = a.Replicas
	case planner.DeleteRevision:
		w.Sets[Index(a.Revision)] = ReplicaSet{}
	case planner.CreateStandby:
		if !w.Standby.Exists {
			w.Standby = Service{Exists: true, Selects: Index(a.Revision) + 1}
		}
	case planner.PointService:
		service := &w.Active
		if a.Role == planner.Standby {
			service = &w.Standby
		}
		service.Selects = Index(a.Revision) + 1
	case planner.SetWeight:
		w.Weight = a.Tenths
	case planner.StartAnalysis:
		w.start(a)
	case planner.StopAnalysis:
		w.stop(a.Name)
	case planner.RestartPods:
		w.Sets[Index(a.Revision)].Ready -= a.Max
	}
	return w
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
	if plan.Command != nil {
		w.Answered = plan.Command.ID
	}
	return w
}
