package planner

import (
	"testing"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// compared is a canary at 25 % of the traffic with an analysis beside it that was told of a weight.
func compared(told int32, change func(*Snapshot)) Snapshot {
	return with(canary(Gate{Kind: PersonGate}), func(s *Snapshot) {
		s.Spec.Background = 0
		s.Analyses = []Analysis{{Name: "beside", Gate: GateBackground, Phase: v1alpha1.AnalysisRunning, Compares: true, Told: told}}
		change(s)
	})
}

func TestAnalysesAreToldOfShifts(t *testing.T) {
	risen := func(s *Snapshot) { // the second step, with pods for it
		s.State.Step, s.State.GatesAt = 1, s.State.PromotedAt
		s.Revisions[1] = serving("v2", 2, 2)
		s.Standby.Endpoints = endpoints("v2", 2)
	}
	for name, row := range map[string]struct {
		snapshot Snapshot
		does     string
	}{
		"where it rests it is told once": {compared(250, func(*Snapshot) {}), ""},
		"before the weight rises": {
			compared(250, risen), "tell analysis beside that traffic moves; set the weight of standby to 50%",
		},
		"once, however often the write is tried": {compared(WeightUnknown, risen), "set the weight of standby to 50%"},
		"where it has come to rest": {
			compared(WeightUnknown, func(*Snapshot) {}), "tell analysis beside that traffic rests at 25%",
		},
		"that it was moved when nobody told": {
			compared(100, func(*Snapshot) {}), "tell analysis beside that traffic moves",
		},
		"after traffic has left a candidate that is gone": {
			compared(250, func(s *Snapshot) {
				s.Revisions[1].Ready, s.Revisions[1].Available, s.Standby.Endpoints = 0, 0, nil
			}), "set the weight of standby to 0%; tell analysis beside that traffic moves",
		},
		"while more pods come it still rests": {
			compared(250, func(s *Snapshot) { s.State.Step, s.State.GatesAt = 1, s.State.PromotedAt }), "scale v2 to 2 pods",
		},
		"not of an abort, which stops it": {
			compared(250, func(s *Snapshot) {
				s.Command = v1alpha1.Command{Action: v1alpha1.ActionAbort, Revision: "v2", ID: "1"}
			}), "set the weight of standby to 0%; stop analysis beside",
		},
		"not one that compares nothing": {
			compared(250, func(s *Snapshot) { risen(s); s.Analyses[0].Compares = false }), "set the weight of standby to 50%",
		},
		"one that is not wanted ends before the weight rises": {
			compared(250, func(s *Snapshot) { risen(s); s.Analyses[0].Gate = StepGate(0); s.Spec.Background = NoBackground }),
			"stop analysis beside; set the weight of standby to 50%",
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Next(row.snapshot).String(); got != row.does {
				t.Errorf("it does %q, want %q", got, row.does)
			}
		})
	}
}

// TestAnalysesAreToldOfPods holds the same where the number of pods shares traffic: it rests when all pods are as they are to
// be, and not from the moment that one more is there.
func TestAnalysesAreToldOfPods(t *testing.T) {
	byPods := func(told, candidate int32) Snapshot {
		return compared(told, func(s *Snapshot) {
			s.Spec.Mode, s.Spec.Surge, s.Active, s.Standby = Ratio, 1, Service{}, Service{}
			s.Revisions = []Revision{serving("v1", 1, 4-candidate), serving("v2", 2, candidate)}
		})
	}
	for name, row := range map[string]struct {
		snapshot Snapshot
		does     string
	}{
		"at rest":      {byPods(250, 1), ""},
		"come to rest": {byPods(WeightUnknown, 1), "tell analysis beside that traffic rests at 25%"},
		"another pod":  {byPods(250, 2), "scale v1 to 3 pods; tell analysis beside that traffic moves"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Next(row.snapshot).String(); got != row.does {
				t.Errorf("it does %q, want %q", got, row.does)
			}
		})
	}
}

func TestWeightsFrom(t *testing.T) {
	spec := Spec{Steps: []Step{{Weight: 0}, {Weight: 100}, {Weight: 100}, {Weight: 500}, {Weight: 100}}}
	for first, want := range map[int32]int{NoBackground: 4, 0: 4, 1: 3, 2: 3, 3: 2, 4: 1, 5: 0} {
		if got := spec.WeightsFrom(first); got != want {
			t.Errorf("from step %d: %d weights, want %d", first, got, want)
		}
	}
}
