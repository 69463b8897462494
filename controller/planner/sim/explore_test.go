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
	all := Budget{Edits: 2, Aborts: 1, Deaths: initialDeaths, Failures: 1}
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
	pausing := base(planner.Routed)
	pausing.Steps[0].Gates = []planner.Gate{{Kind: planner.PauseGate, Duration: tick}}
	return map[string]World{
		"canary by route":                       {Spec: routed, Services: true, Budget: all},
		"canary by route, stable proportional":  {Spec: proportional, Services: true, Budget: all},
		"blue/green by selector":                {Spec: blueGreen, Services: true, Budget: all},
		"blue/green by route":                   {Spec: routedBlueGreen, Services: true, Budget: all},
		"canary by ratio":                       {Spec: ratio, Services: true, Budget: all},
		"rolling update":                        {Spec: rolling, Budget: all},
		"recreate":                              {Spec: recreate, Budget: all},
		"canary by route, scaled and pausing":   {Spec: pausing, Services: true, Budget: Budget{Edits: 1, Scales: 1, Pauses: 2, Aborts: 1}},
		"canary by route, deadline and retry":   {Spec: routed, Services: true, Budget: Budget{Edits: 1, Deadlines: 1, Retries: 1, Deaths: initialDeaths}},
		"canary by route, promoted in full":     {Spec: routed, Services: true, Budget: Budget{Edits: 2, Fulls: 1, Promotes: 1, Aborts: 1}},
		"blue/green by selector, scaled":        {Spec: blueGreen, Services: true, Budget: Budget{Edits: 1, Scales: 1, Aborts: 1, Pauses: 2}},
		"canary by ratio, scaled and pausing":   {Spec: ratio, Services: true, Budget: Budget{Edits: 1, Scales: 1, Pauses: 2, Aborts: 1}},
		"rolling update, deadline and retry":    {Spec: rolling, Budget: Budget{Edits: 1, Deadlines: 1, Retries: 1, Deaths: initialDeaths}},
		"canary by route, two template changes": {Spec: routed, Services: true, Budget: Budget{Edits: 3, Aborts: 1}},
	}
}

// begin is a world in which the Rollout has just been created.
func begin(w World) World {
	if w.Services {
		w.Active.Exists = true
	}
	return w
}

const mostWorlds = 400_000

func TestEveryWorldIsSafeAndComesToRest(t *testing.T) {
	for name, w := range scenarios() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			report := Explore(begin(w), planner.Next, mostWorlds)
			t.Logf("%d worlds, %d writes, %d crash points, %d stuck", report.Worlds, report.Writes, report.Crashes, report.Stuck)
			for kind, first := range report.First {
				t.Errorf("%d × %s", max(report.Violations[kind], report.Stuck), first)
			}
		})
	}
}
