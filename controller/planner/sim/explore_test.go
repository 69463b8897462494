package sim

import (
	"testing"
	"time"

	"github.com/sluice-dev/sluice/controller/planner"
)

// base is a spec with two replicas; two steps, the first behind a gate.
func base(mode planner.Mode) planner.Spec {
	return planner.Spec{
		Replicas: 2, HistoryLimit: 1, Deadline: 100 * time.Second, Mode: mode, Background: planner.NoBackground, Settle: tick,
		Steps: []planner.Step{
			{Weight: 500, Replicas: planner.WhatTheWeightNeeds, Gates: []planner.Gate{{Kind: planner.AnalysisGate, Name: planner.StepGate(0)}}},
		},
	}
}

func scenarios() map[string]World {
	routed := base(planner.Routed)
	proportional := base(planner.Routed)
	proportional.Proportional = true
	blueGreen := base(planner.Switch)
	blueGreen.Steps = []planner.Step{
		{Weight: 0, Replicas: 1, Gates: []planner.Gate{{Kind: planner.AnalysisGate, Name: planner.GatePrePromotion}}},
		{Weight: planner.FullWeight, Replicas: planner.AllReplicas, Gates: []planner.Gate{{Kind: planner.AnalysisGate, Name: planner.GatePostPromotion}}},
	}
	blueGreen.ScaleDownDelay = 2 * tick
	routedBlueGreen := blueGreen
	routedBlueGreen.Mode = planner.Routed
	ratio := base(planner.Ratio)
	ratio.Surge = 1
	rolling := base(planner.Ratio)
	rolling.Steps = []planner.Step{{Weight: planner.FullWeight, Replicas: planner.WhatTheWeightNeeds}}
	rolling.Surge = 1
	recreate := rolling
	recreate.Surge, recreate.Exclusive, recreate.Unavailable = 0, true, 2
	two := Budget{Edits: 2, Deaths: initialDeaths}
	abort := Budget{Edits: 1, Aborts: 1, Deaths: initialDeaths}
	verdict := Budget{Edits: 2, Failures: 1}
	out := map[string]World{}
	for mode, w := range map[string]World{
		"canary by route":                      {Spec: routed, Services: true},
		"canary by route, stable proportional": {Spec: proportional, Services: true},
		"blue/green by selector":               {Spec: blueGreen, Services: true},
		"blue/green by route":                  {Spec: routedBlueGreen, Services: true},
		"canary by ratio":                      {Spec: ratio, Services: true},
		"rolling update":                       {Spec: rolling},
		"recreate":                             {Spec: recreate},
	} {
		for what, budget := range map[string]Budget{
			"changed twice": two, "aborted": abort, "failing": verdict,
			"scaled and paused":   {Edits: 1, Scales: 1, Pauses: 2},
			"late and retried":    {Edits: 1, Deadlines: 1, Retries: 1},
			"promoted in full":    {Edits: 2, Fulls: 1, Promotes: 1},
			"changed and aborted": {Edits: 2, Aborts: 1},
		} {
			w.Budget = budget
			out[mode+", "+what] = w
		}
	}
	return out
}

// healthy is a world with a first revision that is stable and has settled, and whose template changes now.
func healthy(w World) World {
	w.Active.Exists, w.Active.Selects = w.Services, 0
	budget := w.Budget
	w.Budget = Budget{}
	e := explorer{next: planner.Next}
	for moved := true; moved; {
		w, moved = e.helpfulPass(w)
	}
	w.Budget = budget
	w.Budget.Edits--
	w.Target, w.Newest = 1, 1
	return w
}

const mostWorlds = 150_000

func TestEveryWorldIsSafeAndComesToRest(t *testing.T) {
	for name, w := range scenarios() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			report := Explore(healthy(w), planner.Next, mostWorlds)
			t.Logf("%d worlds, %d writes, %d crash points, %d stuck", report.Worlds, report.Writes, report.Crashes, report.Stuck)
			for kind, first := range report.First {
				t.Errorf("%d × %s", max(report.Violations[kind], report.Stuck), first)
			}
		})
	}
}
