package simulation

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller/planner"
)

// overlaidSteps is a story of steps about a Rollout whose steps lay something over their weights.
func overlaidSteps(s ...Step) Story {
	return Story{Name: "overlaid", Key: Web(), Objects: with(overlaid(), network()...), Steps: s}
}

func overlayBites() map[string]bite {
	aborted := overlaidSteps(release(imageV2), steer(v1alpha1.ActionAbort), settled())
	return map[string]bite{
		"MATCH-GONE with an abort": {
			overlaidSteps(release(imageV2), steer(v1alpha1.ActionPromote), steer(v1alpha1.ActionAbort), settled()),
			inStage(v1alpha1.StageRetreating, func(p *planner.Plan) { relay(p, 1) }),
		},
		"MATCH-GONE with a promotion": {
			overlaidSteps(release(imageV2), steer(v1alpha1.ActionPromoteFull), settled()),
			inStage(v1alpha1.StagePromoting, func(p *planner.Plan) { relay(p, 1) }),
		},
		"MATCH-READY": {aborted, mistaken(func(s planner.Snapshot, p *planner.Plan) {
			if s.State.Stage == v1alpha1.StageStepping && s.Standby.Revision == s.State.Candidate && s.Route.Overlay == v1alpha1.NoOverlay {
				p.Actions = append(p.Actions, planner.SetWeight{Overlay: 1})
			}
		})},
		"MATCH-READY and stay so": {
			overlaidSteps(release(imageV2), settled()),
			mistaken(func(s planner.Snapshot, p *planner.Plan) {
				if s.Route.Overlay == 1 {
					p.Actions = []planner.Action{planner.PointService{Role: planner.Standby, Revision: "nothing"}}
				}
			}),
		},
		"ORDER of requests that match": {
			overlaidSteps(release(imageV2), settled()),
			mistaken(func(s planner.Snapshot, p *planner.Plan) {
				if s.State.Stage == v1alpha1.StageStepping && s.Route.Overlay == 1 && len(p.Actions) == 0 {
					p.Actions = append(p.Actions, planner.ScaleRevision{Revision: s.State.Candidate, Replicas: 0})
				}
			}),
		},
		"ABORT-NOW at weight 0": {aborted, mistaken(func(s planner.Snapshot, p *planner.Plan) {
			if p.State.Stage == v1alpha1.StageRetreating && s.State.Stage == v1alpha1.StageStepping {
				p.Actions = nil
			}
		})},
		"REACT to an abort at weight 0": {aborted, inStage(v1alpha1.StageRetreating, func(p *planner.Plan) { p.Actions = nil })},
		"RESTORE":                       {aborted, weighted},
	}
}

// weighted writes a weight, in the controller's name, where the owner of a route has written none.
func weighted(w *World) {
	w.meddle = func(p *Process, r request) {
		route := lookup[*unstructured.Unstructured](w.Server, kindRoute(), Web())
		if r.kind != kindRoute() || len(backendsOf(route)) != 1 || w.Rollout(Web()).Status.State.Attempt < 2 {
			return
		}
		w.meddle = nil
		w.checker.writing(p)
		asController(p, conditional(VerbUpdate), kindRoute(), Web().Name, func(r *unstructured.Unstructured) {
			backendsOfStored(r)[0]["weight"] = int64(1)
		})
	}
}

// inStage changes the plans that lead to a stage, or stay in it.
func inStage(stage v1alpha1.Stage, change func(*planner.Plan)) func(*World) {
	return mistaken(func(_ planner.Snapshot, p *planner.Plan) {
		if p.State.Stage == stage {
			change(p)
		}
	})
}

// relay lays an overlay over every weight of a plan.
func relay(p *planner.Plan, overlay int32) {
	for i, action := range p.Actions {
		if set, ok := action.(planner.SetWeight); ok {
			p.Actions[i] = planner.SetWeight{Tenths: set.Tenths, Overlay: overlay}
		}
	}
}
