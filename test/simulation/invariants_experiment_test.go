package simulation

import (
	"slices"
	"time"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller/planner"
	"github.com/sluice-dev/sluice/test/builder"
)

// besides is a release that begins with an experiment of two pods and a minute.
func besides() Story {
	return Story{
		Name: "beside a baseline", Key: Web(),
		Objects: with(routed().Canary(builder.Step().Experiment(2).Pause(time.Minute), builder.Step().Weight("50").Pause(time.Minute)), network()...),
		Steps:   []Step{release(imageV2), wait(5 * time.Minute)},
	}
}

func experimentBites() map[string]bite {
	return map[string]bite{
		"BESIDE": {besides(), mistaken(func(_ planner.Snapshot, p *planner.Plan) {
			for i, a := range p.Actions {
				if made, ok := a.(planner.CreateBaseline); ok {
					made.Replicas++
					p.Actions[i] = made
				}
			}
		})},
		"BESIDE to the end": {besides(), mistaken(func(_ planner.Snapshot, p *planner.Plan) {
			p.Actions = slices.DeleteFunc(p.Actions, func(a planner.Action) bool {
				_, ends := a.(planner.DeleteBaseline)
				return ends
			})
		})},
		"BESIDE while it is reached": {besides(), mistaken(func(s planner.Snapshot, p *planner.Plan) {
			for i, a := range p.Actions {
				if a == (planner.CloseBaseline{}) {
					p.Actions[i] = planner.ScaleBaseline{Baseline: s.Baseline.Revision}
				}
			}
		})},
		"APART": {besides(), mistaken(func(s planner.Snapshot, p *planner.Plan) {
			if s.State.Stage == v1alpha1.StageStepping && s.State.Step == 0 && s.Standby.Revision == s.State.Candidate {
				p.Actions = append(p.Actions, planner.SetWeight{Tenths: 100})
			}
		})},
		"APART from Services": {besides(), mistaken(func(s planner.Snapshot, p *planner.Plan) {
			if len(s.Baselines) > 0 && s.Standby.Revision == s.State.Candidate {
				p.Actions = append(p.Actions, planner.PointService{Role: planner.Standby, Revision: s.Baselines[0].Hash})
			}
		})},
	}
}
