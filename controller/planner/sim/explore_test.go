package sim

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-dev/sluice/api/v1alpha1"
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
	blueGreen.ScaleDownDelay, blueGreen.QuickReturn = 2*tick, true
	routedBlueGreen := blueGreen
	routedBlueGreen.Mode = planner.Routed
	ratio := base(planner.Ratio)
	ratio.Surge = 1
	rolling := base(planner.Ratio)
	rolling.Steps = []planner.Step{{Weight: planner.FullWeight, Replicas: planner.WhatTheWeightNeeds}}
	rolling.Surge = 1
	recreate := rolling
	recreate.Surge, recreate.Exclusive, recreate.Unavailable = 0, true, 2
	matched := base(planner.Routed)
	matched.Overlays = []v1alpha1.Overlay{{}, {Match: []v1alpha1.RequestMatch{{Cookie: &v1alpha1.CookieMatch{Name: "beta", Value: "1"}}}}}
	matched.Steps[0].Weight, matched.Steps[0].Overlay = 0, 1
	experiment := base(planner.Routed)
	experiment.Steps = []planner.Step{{Weight: 0, Replicas: 1, Baseline: true, Gates: experiment.Steps[0].Gates}}
	two := Budget{Edits: 2}
	abort := Budget{Edits: 1, Aborts: 1, Deaths: initialDeaths}
	verdict := Budget{Edits: 1, Failures: 1, Deaths: initialDeaths}
	out := map[string]World{}
	modes := map[string]World{
		"canary by route":                      {Spec: routed, Services: true},
		"canary by matches":                    {Spec: matched, Services: true},
		"canary with an experiment":            {Spec: experiment, Services: true},
		"canary by route, stable proportional": {Spec: proportional, Services: true},
		"blue/green by selector":               {Spec: blueGreen, Services: true},
		"blue/green by route":                  {Spec: routedBlueGreen, Services: true},
		"canary by ratio":                      {Spec: ratio, Services: true},
		"rolling update":                       {Spec: rolling},
		"recreate":                             {Spec: recreate},
	}
	addThree(out, proportional)
	addAccidents(out, modes)
	for mode, w := range modes {
		for what, budget := range map[string]Budget{
			"changed twice":     two,
			"aborted":           abort,
			"failing":           verdict,
			"scaled and paused": {Edits: 1, Scales: 1, Pauses: 1},
			"late and retried":  {Edits: 1, Deadlines: 1, Retries: 1},
			"promoted in full":  {Edits: 1, Fulls: 1, Aborts: 1},
			"deleted":           {Edits: 1, Failures: 1, Deletions: 1},
			"ended":             {Edits: 1, Ends: 1},
		} {
			w.Budget = budget
			out[mode+", "+what] = w
		}
	}
	for _, mode := range []string{"canary by route", "canary by matches", "canary with an experiment", "canary by route, stable proportional", "canary by ratio"} {
		w := modes[mode]
		w.Spec.Steps = append(slices.Clone(w.Spec.Steps), planner.Step{Weight: 750, Replicas: planner.WhatTheWeightNeeds})
		w.Budget = Budget{Edits: 1, Respecs: 1}
		out[mode+", its steps edited"] = w
	}
	both := modes["canary by route"]
	both.Budget = Budget{Edits: 1, Aborts: 1, Ends: 1}
	out["canary by route, aborted and ended"] = both
	both.Budget = Budget{Edits: 2, Aborts: 1}
	out["canary by route, changed and aborted"] = both
	return out
}

// addThree adds worlds with three replicas, where one of them is less than the least number of pods and a share has pods to
// spare. After the step comes one with all traffic, from which an abort begins with the pods that stable has kept.
func addThree(out map[string]World, spec planner.Spec) {
	spec.Replicas, spec.MinPods = 3, 2
	spec.Steps = []planner.Step{
		{Weight: 250, Replicas: planner.WhatTheWeightNeeds},
		{Weight: planner.FullWeight, Replicas: planner.WhatTheWeightNeeds, Gates: spec.Steps[0].Gates},
	}
	for what, budget := range map[string]Budget{
		"aborted": {Edits: 1, Aborts: 1},
		"dying":   {Edits: 1, Deaths: initialDeaths},
	} {
		out["canary by route, two pods at the least, "+what] = World{Spec: spec, Services: true, Budget: budget}
	}
}

// addAccidents adds worlds with one replica in which the Rollout is deleted and something of it besides.
func addAccidents(out, modes map[string]World) {
	for mode, w := range modes {
		if w.hasExperiment() {
			continue // its worlds are 375,000; deletions and ends have worlds of their own
		}
		w.Spec.Replicas, w.Spec.Unavailable, w.Spec.ScaleDownDelay = 1, min(1, w.Spec.Unavailable), 0
		w.Spec.Steps = slices.Clone(w.Spec.Steps)
		for i := range w.Spec.Steps {
			w.Spec.Steps[i].Gates = nil
		}
		w.Budget = Budget{Edits: 1, Deletions: 1, Ends: 1}
		out[mode+", ended by accident"] = w
	}
}

// healthy is a world with a first revision that is stable and has settled, and whose template changes now.
func healthy(w World) World {
	w.Active.Exists, w.Active.Selects = w.Services, 0
	w = atPeace(w)
	w.Budget.Edits--
	w.Target, w.Newest = 1, 1
	return w
}

// atPeace lets only helpful things happen until nothing moves.
func atPeace(w World) World {
	budget := w.Budget
	w.Budget = Budget{}
	e := explorer{next: planner.Next}
	for moved := true; moved; {
		w, moved = e.helpfulPass(w)
	}
	w.Budget = budget
	return w
}

// TestEveryRollbackIsSafeAndComesToRest begins when the second revision is stable and the template of the first comes back.
func TestEveryRollbackIsSafeAndComesToRest(t *testing.T) {
	for name, w := range scenarios() {
		if !strings.HasSuffix(name, "late and retried") {
			continue // what else differs is the budget
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w.Budget, w.Spec.Window = Budget{Edits: 1, Aborts: 1}, 1
			w = atPeace(healthy(w))
			w.Target = 0
			if plan := planner.Next(w.Snapshot()); !plan.State.Full {
				t.Errorf("it takes its steps: %s", plan.Why.Message)
			}
			explore(t, w)
		})
	}
}

// explore visits all that can follow a world.
func explore(t *testing.T, w World) {
	t.Helper()
	report := Explore(w, planner.Next, mostWorlds)
	t.Logf("%d worlds, %d writes, %d crash points, %d stuck", report.Worlds, report.Writes, report.Crashes, report.Stuck)
	for kind, first := range report.First {
		t.Errorf("%d × %s", max(report.Violations[kind], report.Stuck), first)
	}
}

const mostWorlds = 260_000

func TestEveryWorldIsSafeAndComesToRest(t *testing.T) {
	for name, w := range scenarios() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			explore(t, healthy(w))
		})
	}
}

// TestEveryFirstReleaseIsSafeAndComesToRest begins with nothing but the active Service.
func TestEveryFirstReleaseIsSafeAndComesToRest(t *testing.T) {
	for name, w := range scenarios() {
		if !strings.HasSuffix(name, "late and retried") {
			continue // what else differs is the budget
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w.Active.Exists = w.Services
			w.Budget = Budget{Deadlines: 1, Scales: 1, Deaths: initialDeaths}
			explore(t, w)
		})
	}
}

// fault is a planner with one protection of the real one taken away, a world in which it matters, and the invariant
// that must notice.
type fault struct {
	world string
	next  Planner
	want  string
}

// hasty gives weight as soon as a pod of the candidate is ready.
func hasty(s planner.Snapshot, p *planner.Plan) {
	ready := slices.ContainsFunc(s.Standby.Endpoints, func(e planner.Endpoints) bool {
		return e.Revision == s.State.Candidate && e.Ready > 0
	})
	if s.State.Stage == v1alpha1.StageStepping && s.Route.Weight == 0 && ready && len(p.Actions) == 0 {
		p.Actions = append(p.Actions, planner.SetWeight{Tenths: 250})
	}
}

// relay lays an overlay over every weight of a plan.
func relay(p *planner.Plan, overlay int32) {
	for i, a := range p.Actions {
		if set, ok := a.(planner.SetWeight); ok {
			p.Actions[i] = planner.SetWeight{Tenths: set.Tenths, Overlay: overlay}
		}
	}
}

func faultsInTraffic() map[string]fault {
	return map[string]fault{
		"weight before pods": {"canary by route, failing", tamper(func(s planner.Snapshot, p *planner.Plan) {
			if s.State.Stage == v1alpha1.StageStepping && s.Route.Weight == 0 && s.Standby.Revision == s.State.Candidate {
				p.Actions = append([]planner.Action{planner.SetWeight{Tenths: 500}}, p.Actions...)
			}
		}), "NO-EMPTY"},
		"a gain that nobody is told of": {"canary by route, failing", tamper(func(_ planner.Snapshot, p *planner.Plan) {
			p.Actions = slices.DeleteFunc(p.Actions, func(a planner.Action) bool { _, is := a.(planner.TellShift); return is })
		}), "TOLD"},
		"weight before gateways know the pods": {"canary by route, failing", tamper(hasty), "HEARD"},
		"an abort that scales first": {"canary by route, aborted", tamper(func(s planner.Snapshot, p *planner.Plan) {
			if p.State.Stage == v1alpha1.StageRetreating {
				p.Actions = append([]planner.Action{planner.ScaleRevision{Revision: s.State.Candidate}}, p.Actions...)
			}
		}), "ABORT-NOW"},
		"stable shrinks with the promotion": {"canary by route, failing", tamper(func(s planner.Snapshot, p *planner.Plan) {
			if s.State.Stage == v1alpha1.StagePromoting && s.Route.Weight > 0 {
				p.Actions = append(p.Actions, planner.ScaleRevision{Revision: s.State.Stable})
			}
		}), "ORDER"},
		"a selector changes under weight": {"canary by route, failing", tamper(func(s planner.Snapshot, p *planner.Plan) {
			if s.State.Stage == v1alpha1.StagePromoting && s.Route.Weight == 500 {
				p.Actions = append(p.Actions, planner.PointService{Role: planner.Active, Revision: s.State.Candidate})
			}
		}), "SELECTOR"},
		"a weight that is never put back": {"canary by route, failing", tamper(func(_ planner.Snapshot, p *planner.Plan) {
			p.Actions = slices.DeleteFunc(p.Actions, func(a planner.Action) bool { return a == planner.SetWeight{Tenths: 0} })
		}), "STUCK"},
		"an aborted revision that comes back": {"canary by route, aborted", tamper(func(s planner.Snapshot, p *planner.Plan) {
			if s.State.Stage == v1alpha1.StageAborted {
				p.Actions = append(p.Actions, planner.ScaleRevision{Revision: s.State.Candidate, Replicas: 2})
			}
		}), "ABORT-STICKY"},
	}
}

func faultsInMatches() map[string]fault {
	return map[string]fault{
		"matches that an abort forgets": {"canary by matches, aborted", tamper(func(s planner.Snapshot, p *planner.Plan) {
			if p.State.Stage == v1alpha1.StageRetreating {
				relay(p, 1)
			}
		}), "ABORT-NOW"},
		"matches that go on in the promotion": {"canary by matches, failing", tamper(func(s planner.Snapshot, p *planner.Plan) {
			if s.State.Stage == v1alpha1.StagePromoting {
				relay(p, 1)
			}
		}), "MATCHED"},
		"matches before pods": {"canary by matches, failing", tamper(func(s planner.Snapshot, p *planner.Plan) {
			if s.State.Stage == v1alpha1.StageStepping && s.Route.Overlay == 0 && s.Standby.Revision == s.State.Candidate {
				p.Actions = append([]planner.Action{planner.SetWeight{Overlay: 1}}, p.Actions...)
			}
		}), "NO-EMPTY"},
		"gates that count before matches": {"canary by matches, failing", tamper(func(s planner.Snapshot, p *planner.Plan) {
			if s.State.Stage == v1alpha1.StageStepping && s.Route.Overlay == 0 && len(p.Actions) > 0 {
				p.State.Stage = v1alpha1.StagePromoting
			}
		}), "GATE"},
		"matches that are never taken away": {"canary by matches, failing", tamper(func(_ planner.Snapshot, p *planner.Plan) {
			p.Actions = slices.DeleteFunc(p.Actions, func(a planner.Action) bool { return a == planner.SetWeight{Tenths: 0} })
		}), "STUCK"},
	}
}

func faultsInLeaving() map[string]fault {
	return map[string]fault{
		"a deletion that forgets the selector": {"canary by route, ended", tamper(func(s planner.Snapshot, p *planner.Plan) {
			p.Left = s.Leaving != nil && s.Route.Weight == 0
		}), "DETACH"},
		"a deletion that leaves matches": {"canary by matches, ended", tamper(func(s planner.Snapshot, p *planner.Plan) {
			p.Left = s.Leaving != nil && s.Active.Revision == "" && s.Route.Weight == 0 && len(p.Actions) > 0
			if p.Left {
				p.Actions = nil
			}
		}), "DETACH"},
		"a deletion that lets a candidate in": {"canary by route, ended", tamper(func(s planner.Snapshot, p *planner.Plan) {
			if s.Leaving != nil && s.Active.Revision != "" {
				p.Actions = []planner.Action{planner.PointService{Role: planner.Active}}
			}
		}), "WIDENED"},
	}
}

func faultsInExperiments() map[string]fault {
	return map[string]fault{
		"an experiment that nobody ends": {"canary with an experiment, failing", tamper(func(_ planner.Snapshot, p *planner.Plan) {
			p.Actions = slices.DeleteFunc(p.Actions, func(a planner.Action) bool { return a == planner.CloseBaseline{} })
		}), "STUCK"},
		"a baseline that ends while it is reached": {"canary with an experiment, failing", tamper(func(s planner.Snapshot, p *planner.Plan) {
			for i, a := range p.Actions {
				if a == (planner.CloseBaseline{}) {
					p.Actions[i] = planner.ScaleBaseline{Baseline: s.Baseline.Revision}
				}
			}
		}), "FRESH"},
		"a baseline larger than the candidate": {"canary with an experiment, failing", tamper(func(_ planner.Snapshot, p *planner.Plan) {
			for i, a := range p.Actions {
				if made, ok := a.(planner.CreateBaseline); ok {
					made.Replicas++
					p.Actions[i] = made
				}
			}
		}), "FRESH"},
	}
}

func faultsOfBaselines() map[string]fault {
	return map[string]fault{
		"an experiment without its baseline": {"canary with an experiment, failing", tamper(func(_ planner.Snapshot, p *planner.Plan) {
			p.Actions = slices.DeleteFunc(p.Actions, func(a planner.Action) bool {
				_, made := a.(planner.CreateBaseline)
				return made
			})
			if p.Why.Reason == v1alpha1.ReasonWaitingForPods && p.State.Stage == v1alpha1.StageStepping {
				p.State.Stage = v1alpha1.StagePromoting
			}
		}), "BESIDE"},
		"an experiment with traffic": {"canary with an experiment, failing", tamper(func(s planner.Snapshot, p *planner.Plan) {
			if s.State.Stage == v1alpha1.StageStepping && s.Baseline.Found {
				p.Actions = append(p.Actions, planner.SetWeight{Tenths: 100})
			}
		}), "APART"},
		"a deletion that leaves a baseline": {"canary with an experiment, ended", tamper(func(s planner.Snapshot, p *planner.Plan) {
			if s.Leaving != nil && s.Active.Revision == "" && len(s.Baselines) > 0 {
				p.Left, p.Actions = true, nil
			}
			if s.Leaving != nil && s.Active.Revision != "" {
				p.Actions = []planner.Action{planner.PointService{Role: planner.Active}}
			}
		}), "DETACH"},
	}
}

func faultsInPods() map[string]fault {
	return map[string]fault{
		"a step taken back": {"canary by route, failing", tamper(func(s planner.Snapshot, p *planner.Plan) {
			if s.State.Stage == v1alpha1.StagePromoting {
				p.State.Step = -1
			}
		}), "STEP-MONO"},
		"more pods than the surge": {"rolling update, aborted", tamper(func(s planner.Snapshot, p *planner.Plan) {
			if s.State.Stage == v1alpha1.StageStepping {
				p.Actions = append(p.Actions, planner.ScaleRevision{Revision: s.State.Stable, Replicas: 4})
			}
		}), "BUDGET"},
		"a step left too early": {"canary by route, failing", tamper(func(s planner.Snapshot, p *planner.Plan) {
			if s.State.Stage == v1alpha1.StageStepping && p.Why.Reason == v1alpha1.ReasonWaitingForAnalysis {
				p.State.Stage = v1alpha1.StagePromoting
			}
		}), "GATE"},
		"a ReplicaSet twice": {"rolling update, aborted", tamper(func(s planner.Snapshot, p *planner.Plan) {
			p.Actions = append(p.Actions, planner.CreateRevision{Revision: s.State.Stable, Replicas: 1})
		}), "ONE-RS"},
		"a weight above 100 %": {"canary by route, failing", tamper(func(_ planner.Snapshot, p *planner.Plan) {
			for i, a := range p.Actions {
				if a == (planner.SetWeight{Tenths: 1000}) {
					p.Actions[i] = planner.SetWeight{Tenths: 1001}
				}
			}
		}), "SUM"},
		"a pass that wants another one at once": {"rolling update, aborted", tamper(func(s planner.Snapshot, p *planner.Plan) {
			p.WakeAt = s.Now
		}), "QUIET"},
		"stable forgotten at the promotion": {"rolling update, aborted", tamper(func(s planner.Snapshot, p *planner.Plan) {
			if s.State.Stage == v1alpha1.StagePromoting {
				p.Actions = append(p.Actions, planner.DeleteRevision{Revision: s.State.Stable})
			}
		}), "DELETE-SAFE"},
	}
}

func tamper(with func(planner.Snapshot, *planner.Plan)) Planner {
	return func(s planner.Snapshot) planner.Plan {
		p := planner.Next(s)
		with(s, &p)
		return p
	}
}

func TestEveryInvariantBites(t *testing.T) {
	faults := faultsInTraffic()
	maps.Copy(faults, faultsInPods())
	maps.Copy(faults, faultsInMatches())
	maps.Copy(faults, faultsInLeaving())
	maps.Copy(faults, faultsInExperiments())
	maps.Copy(faults, faultsOfBaselines())
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			report := Explore(healthy(scenarios()[fault.world]), fault.next, 6000)
			if report.First[fault.want] == "" {
				t.Errorf("no %s was found: %v", fault.want, report.First)
			}
		})
	}
}

// TestQuiet holds that a Rollout at rest asks for no write and no look, and that its state stays as it is.
func TestQuiet(t *testing.T) {
	for name, w := range scenarios() {
		t.Run(name, func(t *testing.T) {
			w.Budget.Edits++ // healthy takes one
			w = healthy(w)
			w.Target, w.Newest, w.Budget = 0, 0, Budget{}
			plan := planner.Next(w.Snapshot())
			if len(plan.Actions) > 0 || len(plan.Events) > 0 || !plan.WakeAt.IsZero() || !reflect.DeepEqual(plan.State, w.State) || !plan.Settled {
				t.Errorf("at rest the plan is %v, wake at %v, settled %v, state %+v", plan, plan.WakeAt, plan.Settled, plan.State)
			}
		})
	}
}

// TestWritesAreFew holds NO-OSC on the fault-free run: no field goes back and forth, and a release of n steps takes at
// most 4n + 12 writes.
func TestWritesAreFew(t *testing.T) {
	for name, w := range scenarios() {
		t.Run(name, func(t *testing.T) {
			w = healthy(w)
			w.Budget = Budget{}
			e := explorer{next: planner.Next}
			writes, most := 0, 4*len(w.Spec.Steps)+12
			for moved := true; moved; {
				writes += len(planner.Next(w.Snapshot()).Actions)
				w, moved = e.helpfulPass(w)
			}
			if writes > most {
				t.Errorf("%d writes, at most %d are allowed", writes, most)
			}
		})
	}
}
