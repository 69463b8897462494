package planner

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// The tests of this file, and of those of the same name in other packages, have the numbers of the classes of bugs that
// users of rollout controllers have suffered from. Each says what it cost them. `make mutants` takes the lines out that
// protect from them, and holds that the test with the number fails.

// outcome is a snapshot and the writes that follow from it.
type outcome struct {
	snapshot Snapshot
	want     string
}

func holdOutcomes(t *testing.T, rows map[string]outcome) {
	t.Helper()
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			if plan := Next(row.snapshot); plan.String() != row.want {
				t.Errorf("%q, want %q: %s", plan, row.want, plan.Why.Message)
			}
		})
	}
}

// with changes a snapshot.
func with(s Snapshot, change func(*Snapshot)) Snapshot {
	change(&s)
	return s
}

func endpoints(revision string, ready int32) []Endpoints {
	return []Endpoints{{Revision: revision, Ready: ready}}
}

// serving is a revision all of whose pods are available.
func serving(hash string, number int64, pods int32) Revision {
	return Revision{Hash: hash, Number: number, Desired: pods, Created: pods, Ready: pods, Available: pods}
}

// A second deployment in the middle of a canary left its traffic on pods that were being taken down: minutes of 503.
func TestB01TrafficLeavesTheCandidateBeforeTheNextRelease(t *testing.T) {
	third := func(weight int32) Snapshot {
		return with(canary(), func(s *Snapshot) {
			s.Target, s.State.Candidate, s.Route.Weight = "v3", "v3", weight
			s.Revisions = append(s.Revisions, serving("v3", 3, 1))
		})
	}
	holdOutcomes(t, map[string]outcome{
		"the template changes":            {with(canary(), func(s *Snapshot) { s.Target = "v3" }), "set the weight of standby to 0%"},
		"while its gate is held":          {with(canary(Gate{Kind: PersonGate}), func(s *Snapshot) { s.Target = "v3" }), "set the weight of standby to 0%"},
		"standby still has weight":        {third(250), "set the weight of standby to 0%"},
		"gateways have not heard of it":   {with(third(0), func(s *Snapshot) { s.Route.Accepted = false }), ""},
		"then standby goes to the newest": {third(0), "point standby at v3"},
	})
}

// Selector and weight were written in the wrong order, and the share that was meant for the new version went to the old
// one, or to nothing.
func TestB02TheSelectorComesBeforeTheWeight(t *testing.T) {
	holdOutcomes(t, map[string]outcome{
		"standby selects the candidate and still has endpoints of stable": {atStep(func(s *Snapshot) {
			s.Standby.Endpoints = append(endpoints("v2", 1), endpoints("v1", 4)...)
		}), ""},
		"nothing but its own endpoints are left": {atStep(func(*Snapshot) {}), "set the weight of standby to 25%"},
		"active keeps its selector while it has a share": {with(promotion(), func(s *Snapshot) {
			s.Route.Weight = 500
		}), "set the weight of standby to 100%"},
		"standby keeps its selector while it has a share": {with(canary(), func(s *Snapshot) {
			s.Standby.Revision = "v1"
		}), "set the weight of standby to 0%"},
	})
}

// promotion is a release whose steps are done: the candidate is wholly there and has all traffic, on standby.
func promotion() Snapshot {
	s := inStage(v1alpha1.StagePromoting)
	s.Route.Weight = FullWeight
	s.Revisions[1] = serving("v2", 2, 4)
	s.Standby.Endpoints = endpoints("v2", 4)
	return s
}

// The old pods went while requests were still on their way to them: an outage of four minutes at the end of a release
// that had passed every check.
func TestB03StableKeepsItsPodsUntilItsTrafficHasLeft(t *testing.T) {
	proportional := func(pods int32, route Route) Snapshot {
		return with(canary(Gate{Kind: PersonGate}), func(s *Snapshot) {
			s.Spec.Proportional, s.State.Step, s.Route = true, 1, route
			s.Revisions[0], s.Revisions[1] = serving("v1", 1, pods), serving("v2", 2, 2)
			s.Standby.Endpoints = endpoints("v2", 2)
			s.State.EndpointsAt = metav1.NewMicroTime(noon().Add(-time.Minute))
		})
	}
	done := func(change func(*Snapshot)) Snapshot {
		return with(inStage(v1alpha1.StageIdle), func(s *Snapshot) {
			s.Target, s.State.Stable, s.Route.Weight = "v2", "v2", 0
			s.Revisions[1] = serving("v2", 2, 4)
			s.Active.Revision, s.Active.Endpoints = "v2", endpoints("v2", 4)
			s.Standby.Endpoints = endpoints("v2", 4)
			change(s)
		})
	}
	holdOutcomes(t, map[string]outcome{
		"it shrinks behind its share, not ahead of it": {proportional(3, Route{Weight: 250, Accepted: true}), "set the weight of standby to 50%"},
		"nor before the gateways have the weight":      {proportional(3, Route{Weight: 500}), ""},
		"nor before they have settled": {with(proportional(3, Route{Weight: 500, Accepted: true}), func(s *Snapshot) {
			s.State.ShiftedAt = metav1.NewMicroTime(noon().Add(-time.Second))
		}), ""},
		"then it does": {proportional(3, Route{Weight: 500, Accepted: true}), "scale v1 to 2 pods"},
		"after the promotion it has its delay": {done(func(s *Snapshot) {
			s.Spec.ScaleDownDelay = 30 * time.Second
			s.State.ScaleDowns = []v1alpha1.ScaleDown{{Revision: "v1", At: metav1.NewMicroTime(noon().Add(time.Second))}}
		}), ""},
		"and stays while a Service has an endpoint of it": {done(func(s *Snapshot) {
			s.Standby.Endpoints = append(endpoints("v2", 4), endpoints("v1", 1)...)
		}), ""},
		"and while one selects it": {done(func(s *Snapshot) {
			s.Standby.Revision, s.Standby.Endpoints, s.Route.Accepted = "v1", nil, false
		}), ""},
		"and until the gateways have settled": {done(func(s *Snapshot) {
			s.State.ShiftedAt = metav1.NewMicroTime(noon().Add(-time.Second))
		}), ""},
		"then it goes": {done(func(*Snapshot) {}), "scale v1 to 0 pods"},
	})
}

// The weights were right to the end, and then the swap of the selectors emptied a Service that had all of them.
func TestB04APromotionLeavesNoServiceEmpty(t *testing.T) {
	swapped := func(active []Endpoints) Snapshot {
		return with(promotion(), func(s *Snapshot) { s.Active.Revision, s.Active.Endpoints = "v2", active })
	}
	holdOutcomes(t, map[string]outcome{
		"active waits until the gateways have all weight on standby": {with(promotion(), func(s *Snapshot) {
			s.Route.Accepted = false
		}), ""},
		"and until they have settled": {with(promotion(), func(s *Snapshot) {
			s.State.ShiftedAt = metav1.NewMicroTime(noon().Add(-time.Second))
		}), ""},
		"and until all pods are available":              {with(promotion(), func(s *Snapshot) { s.Revisions[1].Available = 3 }), ""},
		"then it changes its selector":                  {promotion(), "point active at v2"},
		"the weight waits while active has no endpoint": {swapped(nil), ""},
		"and while it has too few":                      {swapped(endpoints("v2", 3)), ""},
		"and while it has some of the old":              {swapped(append(endpoints("v2", 4), endpoints("v1", 1)...)), ""},
		"then it comes back":                            {swapped(endpoints("v2", 4)), "set the weight of standby to 0%"},
	})
}

// An abort left a share of the traffic on the bad version for ever, as stable never had as many pods as were asked for.
func TestB05AnAbortReachesZero(t *testing.T) {
	back := func(proportional bool, desired, ready int32) Snapshot {
		return with(inStage(v1alpha1.StageRetreating), func(s *Snapshot) {
			s.Spec.Proportional, s.Route.Weight = proportional, 500
			s.Revisions[0] = Revision{Hash: "v1", Number: 1, Desired: desired, Created: desired, Ready: ready, Available: ready}
			s.Active.Endpoints = endpoints("v1", ready)
		})
	}
	holdOutcomes(t, map[string]outcome{
		"stable is whole":                           {back(false, 4, 4), "set the weight of standby to 0%"},
		"stable has lost all pods but one":          {back(false, 4, 1), "set the weight of standby to 0%"},
		"a stable that has shrunk grows at once":    {back(true, 2, 2), "scale v1 to 4 pods"},
		"and takes the traffic as fast as it can":   {back(true, 4, 3), "set the weight of standby to 25%"},
		"to the last of it":                         {back(true, 4, 4), "set the weight of standby to 0%"},
		"the weight is nobody's to know, but stops": {with(back(false, 4, 4), func(s *Snapshot) { s.Route.Weight = WeightUnknown }), "set the weight of standby to 0%"},
	})
}

// An autoscaler changed the replicas in the middle of an abort, and the abort waited for pods that it did not need.
func TestB06AChangeOfReplicasDoesNotFreezeAnAbort(t *testing.T) {
	scaled := func(replicas, ready int32) Snapshot {
		return with(inStage(v1alpha1.StageRetreating), func(s *Snapshot) {
			s.Spec.Replicas = replicas
			s.Revisions[0].Ready, s.Revisions[0].Available = ready, ready
			s.Active.Endpoints = endpoints("v1", ready)
		})
	}
	holdOutcomes(t, map[string]outcome{
		"up":                     {scaled(40, 4), "set the weight of standby to 0%; scale v1 to 40 pods"},
		"down":                   {scaled(2, 4), "set the weight of standby to 0%; scale v1 to 2 pods"},
		"to none":                {scaled(0, 4), "set the weight of standby to 0%; scale v1 to 0 pods"},
		"to none, which is done": {scaled(0, 0), "set the weight of standby to 0%; scale v1 to 0 pods"},
	})
}

// An autoscaler brought the pods of an aborted version back, and the selector jumped between the versions.
func TestB07AnAbortedCandidateStaysDown(t *testing.T) {
	aborted := func(replicas, left int32) Snapshot {
		return with(inStage(v1alpha1.StageAborted), func(s *Snapshot) {
			s.Spec.Replicas, s.Route.Weight = replicas, 0
			s.Revisions[1] = serving("v2", 2, left)
			s.Standby.Revision, s.Standby.Endpoints = "v1", endpoints("v1", 4)
		})
	}
	holdOutcomes(t, map[string]outcome{
		"replicas rise":     {aborted(8, 0), "scale v1 to 8 pods"},
		"replicas fall":     {aborted(2, 0), "scale v1 to 2 pods"},
		"nothing happens":   {aborted(4, 0), ""},
		"what is left goes": {aborted(4, 1), "scale v2 to 0 pods"},
	})
	if plan := Next(aborted(8, 0)); plan.State.Stage != v1alpha1.StageAborted || plan.State.Attempt != aborted(8, 0).State.Attempt {
		t.Errorf("stage %q, attempt %d: %s", plan.State.Stage, plan.State.Attempt, plan.Why.Message)
	}
}

// Stable was broken, and the rollback to it took the only pods down that served.
func TestB08TheWayBackToABrokenStableKeepsWhatServes(t *testing.T) {
	unchanged := func(*Snapshot) {}
	holdOutcomes(t, map[string]outcome{
		"by weight":          {lost(inStage(v1alpha1.StageRetreating), unchanged), ""},
		"once it is aborted": {lost(inStage(v1alpha1.StageAborted), unchanged), ""},
		"the stable template again": {lost(inStage(v1alpha1.StageRetreating), func(s *Snapshot) {
			s.Target, s.State.Reason = "v1", v1alpha1.ReasonReturned
		}), ""},
		"by selector": {switched(func(s *Snapshot) {
			s.State.Stage, s.State.Reason = v1alpha1.StageRetreating, v1alpha1.ReasonAborted
			s.Revisions[0].Ready, s.Revisions[0].Available = 0, 0
		}), ""},
		"by selector, with one pod of stable": {switched(func(s *Snapshot) {
			s.State.Stage, s.State.Reason = v1alpha1.StageRetreating, v1alpha1.ReasonAborted
			s.Revisions[0].Ready, s.Revisions[0].Available = 1, 1
		}), "point active at v1"},
	})
	s := lost(inStage(v1alpha1.StageAborted), func(s *Snapshot) { s.Target = "v3" })
	if plan := Next(s); !plan.State.Full {
		t.Errorf("the next release begins with a step that takes the traffic off the only pods that serve: %s", plan.Why.Message)
	}
}

// A failed analysis was overlooked, or measured a version that had no traffic yet, or was made again until it passed.
func TestB13AFailedAnalysisIsHeededAndMeasuresTraffic(t *testing.T) {
	measured := Gate{Kind: AnalysisGate, Name: StepGate(0)}
	background := func(weight int32, verdict v1alpha1.AnalysisPhase) Snapshot {
		return with(canary(Gate{Kind: PersonGate}), func(s *Snapshot) {
			s.Spec.Background, s.Route.Weight = 0, weight
			if verdict != "" {
				s.Analyses = []Analysis{{Name: "web-v2-2-background", Gate: GateBackground, Phase: verdict}}
			}
		})
	}
	held := canary(measured)
	held.Standby.Foreign, held.Analyses = 1, analysisIn(v1alpha1.AnalysisFailed)
	holdOutcomes(t, map[string]outcome{
		"it begins when the traffic has moved":    {canary(measured), "start analysis step-1 of v2"},
		"not before the gateways have the weight": {with(canary(measured), func(s *Snapshot) { s.Route.Accepted = false }), ""},
		"nor before they have settled": {with(canary(measured), func(s *Snapshot) {
			s.State.ShiftedAt = metav1.NewMicroTime(noon().Add(-time.Second))
		}), ""},
		"in the background too": {background(250, ""), "start analysis background of v2"},
		"from its first step on": {with(background(250, ""), func(s *Snapshot) {
			s.Spec.Background = 1
		}), ""},
		"and once":                            {background(250, v1alpha1.AnalysisRunning), ""},
		"its failure aborts":                  {with(canary(measured), func(s *Snapshot) { s.Analyses = analysisIn(v1alpha1.AnalysisFailed) }), "set the weight of standby to 0%"},
		"at a step that waits for other":      {held, "set the weight of standby to 0%"},
		"a failure in the background as well": {background(250, v1alpha1.AnalysisFailed), "set the weight of standby to 0%"},
		"while the release is held": {with(background(250, v1alpha1.AnalysisFailed), func(s *Snapshot) {
			s.Spec.Paused = true
		}), "set the weight of standby to 0%"},
		"and while it is promoted": {with(background(250, v1alpha1.AnalysisFailed), func(s *Snapshot) {
			s.State.Stage = v1alpha1.StagePromoting
		}), "set the weight of standby to 0%"},
	})
}

// Replicas and image changed in one edit, as every GitOps commit may, and the release never moved again.
func TestB14ReplicasAndTemplateChangeTogether(t *testing.T) {
	released := Next(with(inStage(v1alpha1.StageIdle), func(s *Snapshot) {
		s.Target, s.Spec.Replicas, s.Revisions, s.Route.Weight = "v2", 8, s.Revisions[:1], 0
	}))
	if released.State.Stage != v1alpha1.StageStepping {
		t.Fatalf("stage %q: %s", released.State.Stage, released.Why.Message)
	}
	if len(released.Actions) > 0 {
		t.Errorf("%v before the release is persisted", released.Actions)
	}
	ratio := func(s *Snapshot) { s.Spec.Mode, s.Spec.Surge, s.Active, s.Standby = Ratio, 1, Service{}, Service{} }
	larger := func(change func(*Snapshot)) Snapshot {
		return atStep(func(s *Snapshot) {
			s.Spec.Replicas, s.Revisions = 8, s.Revisions[:1]
			change(s)
		})
	}
	holdOutcomes(t, map[string]outcome{
		"both revisions get their new sizes": {larger(func(*Snapshot) {}), "scale v1 to 8 pods; create v2 with 2 pods"},
		"smaller ones too":                   {larger(func(s *Snapshot) { s.Spec.Replicas = 2 }), "scale v1 to 2 pods; create v2 with 1 pod"},
		"by the ratio of pods":               {larger(ratio), "scale v1 to 6 pods; create v2 with 2 pods"},
		"a quota keeps stable small, and the release goes on": {larger(func(s *Snapshot) {
			s.Revisions = []Revision{{Hash: "v1", Desired: 8, Created: 4, Ready: 4, Available: 4}, serving("v2", 2, 2)}
			s.Standby.Endpoints = endpoints("v2", 2)
		}), "set the weight of standby to 25%"},
	})
}

// Arithmetic in 32 bits made weights negative, and shares of large Rollouts nonsense.
func TestB15SharesOfManyPodsDoNotOverflow(t *testing.T) {
	const many = 1_500_000_000
	if got := need(many, 999); got != 1_498_500_000 {
		t.Errorf("%d of %d pods carry 99.9 %%", got, many)
	}
	if got := carries(many, many/2); got != 500 {
		t.Errorf("half of the pods carry %s", percent(got))
	}
	if got := split(many, 500); got != (sizes{stable: many / 2, candidate: many / 2}) {
		t.Errorf("%d pods are shared as %+v", many, got)
	}
	s := with(canary(), func(s *Snapshot) {
		s.Spec.Mode = Ratio
		s.Revisions = []Revision{serving("v1", 1, many), serving("v2", 2, many)}
	})
	if got := Next(s).Weight; got != 500 {
		t.Errorf("the share of one half is %s", percent(got))
	}
}

// A release that waited for a person, or for old pods to go, was aborted for being late.
func TestB16TheDeadlineCountsOnlyWaitingForPodsAndTraffic(t *testing.T) {
	long := noon().Add(-time.Hour)
	for name, snapshot := range map[string]Snapshot{
		"a pause longer than the deadline": canary(Gate{Kind: PauseGate, Duration: 3 * time.Hour}),
		"a person who sleeps":              canary(Gate{Kind: PersonGate}),
		"pods that wait to go": with(canary(Gate{Kind: PersonGate}), func(s *Snapshot) {
			s.Revisions = append(s.Revisions, serving("v0", 0, 4))
			s.State.ScaleDowns = []v1alpha1.ScaleDown{{Revision: "v0", At: metav1.NewMicroTime(noon().Add(3 * time.Hour))}}
		}),
	} {
		t.Run(name, func(t *testing.T) {
			s := snapshot
			// It waited for its pods before.
			s.State.ProgressAt, s.State.ProgressMark = metav1.NewMicroTime(noon().Add(-9*time.Minute)), 1
			s.Spec.ScaleDownDelay = 4 * time.Hour
			s.State = Next(s).State
			s.Now = s.Now.Add(2 * time.Hour)
			if plan := Next(s); plan.State.Stage != v1alpha1.StageStepping {
				t.Errorf("stage %q: %s", plan.State.Stage, plan.State.Message)
			}
		})
	}
	t.Run("the next step has a time of its own", func(t *testing.T) {
		s := with(canary(), func(s *Snapshot) { s.State.ProgressMark = 1 })
		s.State = Next(s).State
		if !s.State.GatesAt.IsZero() {
			t.Errorf("its pause began at %s, before its traffic has moved", s.State.GatesAt)
		}
		s.Revisions[1].Available = 0
		if plan := Next(s); plan.State.Step != 1 || plan.State.ProgressAt.Time != noon() || plan.State.ProgressMark != 0 {
			t.Errorf("step %d, its time began at %s with %d pods", plan.State.Step+1, plan.State.ProgressAt, plan.State.ProgressMark)
		}
	})
	t.Run("and so has the way back", func(t *testing.T) {
		s := lost(atStep(func(s *Snapshot) {
			s.State.ProgressAt, s.Route.Weight = metav1.NewMicroTime(long), 250
			s.Revisions[1].Available = 0
		}), func(*Snapshot) {})
		if plan := Next(s); plan.State.Stage != v1alpha1.StageRetreating {
			t.Errorf("stage %q, want to wait for a pod of stable: %s", plan.State.Stage, plan.Why.Message)
		}
	})
}

// The size of the preview reached the version that served, or the switch came before the new version had its pods.
func TestB17TheSizeOfThePreviewStaysWithThePreview(t *testing.T) {
	spec := v1alpha1.RolloutSpec{
		Replicas: new(int32),
		Services: &v1alpha1.Services{Active: "web"},
		Strategy: v1alpha1.Strategy{BlueGreen: &v1alpha1.BlueGreenStrategy{PreviewReplicas: new(int32)}},
	}
	*spec.Replicas, *spec.Strategy.BlueGreen.PreviewReplicas = 8, 1
	compiled, err := Compile(&spec, 2*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	preview := func(step, pods int32) Snapshot {
		return switched(func(s *Snapshot) {
			s.Spec = compiled
			s.State.Step = step
			s.Revisions[0], s.Revisions[1] = serving("v1", 1, 4), serving("v2", 2, pods)
			s.Active.Revision, s.Active.Endpoints = "v1", endpoints("v1", 4)
			s.Standby.Endpoints = endpoints("v2", pods)
		})
	}
	whole := func(pods int32) Snapshot {
		return with(preview(1, pods), func(s *Snapshot) { s.Revisions[0] = serving("v1", 1, 8) })
	}
	holdOutcomes(t, map[string]outcome{
		"replicas and template change: what serves gets all replicas": {with(preview(0, 0), func(s *Snapshot) {
			s.Revisions = s.Revisions[:1]
		}), "scale v1 to 8 pods; create v2 with 1 pod"},
		"before the switch the candidate gets as many": {whole(1), "scale v2 to 8 pods"},
		"and has them": {with(whole(8), func(s *Snapshot) {
			s.Revisions[1].Ready, s.Revisions[1].Available = 7, 7
		}), ""},
		"as endpoints too":      {with(whole(8), func(s *Snapshot) { s.Standby.Endpoints = endpoints("v2", 7) }), ""},
		"then comes the switch": {whole(8), "point active at v2"},
	})
}

// A restart in the middle of a release took more pods than might be missing, and the service went down.
func TestB18ARestartInMidReleaseCostsNoAvailability(t *testing.T) {
	outdated := func(r Revision) Revision {
		r.Outdated, r.OutdatedAvailable = r.Created, r.Available
		return r
	}
	restarting := func(s Snapshot, stable, candidate Revision) Snapshot {
		s.State.RestartAt = metav1.NewMicroTime(noon())
		s.Revisions = []Revision{outdated(stable), outdated(candidate)}
		return s
	}
	awaitingSpares := with(restarting(canary(Gate{Kind: PersonGate}), serving("v1", 1, 4), serving("v2", 2, 1)), func(s *Snapshot) {
		s.Revisions[0].Desired, s.Revisions[0].Created = 5, 5
		s.Revisions[1].Desired, s.Revisions[1].Created = 2, 2
	})
	held := canary(Gate{Kind: PersonGate})
	heard := func(s Snapshot) Snapshot {
		s.Active.Endpoints, s.Standby.Endpoints = endpoints("v1", 5), endpoints("v2", 2)
		return restarting(s, serving("v1", 1, 5), serving("v2", 2, 2))
	}
	holdOutcomes(t, map[string]outcome{
		"spare pods come first":              {restarting(held, serving("v1", 1, 4), serving("v2", 2, 1)), "scale v1 to 5 pods; scale v2 to 2 pods"},
		"and are waited for":                 {awaitingSpares, ""},
		"a pod for each of them":             {heard(held), "restart at most 1 pod of v1; restart at most 1 pod of v2"},
		"that its Service has heard of":      {restarting(held, serving("v1", 1, 5), serving("v2", 2, 2)), ""},
		"none while traffic goes to stable":  {heard(inStage(v1alpha1.StageRetreating)), "set the weight of standby to 0%"},
		"none while pods move between sizes": {restarting(behindOneService(1), serving("v1", 1, 4), serving("v2", 2, 1)), "scale v1 to 3 pods"},
	})
}

// The way back from a candidate that the active Service selects already takes a stable that has shrunk: the traffic goes
// back as fast as its pods can take it, and does not wait for the last of them.
func TestB05AShrunkenStableTakesTrafficBackBitByBit(t *testing.T) {
	for ready, want := range map[int32]string{
		0: "", 1: "set the weight of standby to 25%", 3: "set the weight of standby to 75%", 4: "set the weight of standby to 100%",
	} {
		s := inStage(v1alpha1.StageRetreating)
		s.Spec.Proportional, s.Spec.Replicas = true, 4
		s.State.Reason = v1alpha1.ReasonAborted
		s.Revisions[0].Desired, s.Revisions[0].Ready, s.Revisions[0].Available = 4, ready, ready
		s.Revisions[1].Desired, s.Revisions[1].Ready, s.Revisions[1].Available = 4, 4, 4
		s.Active.Revision, s.Active.Endpoints = "v2", []Endpoints{{Revision: "v2", Ready: 4}}
		s.Standby.Revision, s.Standby.Endpoints = "v1", []Endpoints{{Revision: "v1", Ready: ready}}
		s.Route = Route{Weight: 0, Accepted: true}
		if got := Next(s).String(); got != want {
			t.Errorf("with %d pods of stable ready: %q, want %q", ready, got, want)
		}
	}
}
