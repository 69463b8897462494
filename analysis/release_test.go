package analysis

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/sluice-dev/sluice/analysis/judge"
	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// simulated is a release: steps with so many batches each, whose requests are independent. Its tests are those of a ratio
// without what guards them against bursts and glitches, which would make false aborts rarer than any budget, and with an α
// of 5 % for the release, as the figures of the specification are.
type simulated struct {
	shares  []float64 // of the candidate, by step
	batches int       // of a step
	served  float64   // requests of both versions in a batch
	base    float64   // stable's rate of bad requests
	harm    float64   // how many times as high the candidate's is
	since   int       // the step from which on it is
}

// batch of a step. A rate that is tolerated to the last is the worst that does no harm.
func (s simulated) batch(random *rand.Rand, step int) judge.Batch {
	c, rate := s.served*s.shares[step], 1.25*s.base+0.0005
	if s.harm > 1 {
		rate = s.base
		if step >= s.since {
			rate *= s.harm
		}
	}
	return judge.Batch{
		Candidate: judge.Arm{Bad: min(poisson(random, c*rate), c), Total: c},
		Stable:    judge.Arm{Bad: min(poisson(random, (s.served-c)*s.base), s.served-c), Total: s.served - c},
	}
}

// poisson is a random number of rare events.
func poisson(random *rand.Rand, mean float64) float64 {
	n := 0.0
	for left := random.ExpFloat64(); left < mean; left += random.ExpFloat64() {
		n++
	}
	return n
}

// watch plays a release whose steps have an analysis each, and one beside them if asked for, and gives the batch after which
// the first of them fails; -1 when none does. How runs are endowed is what a cluster does.
func (s simulated) watch(t *testing.T, random *rand.Rand, beside bool, endow func(Release, *v1alpha1.AnalysisRunSpec)) int {
	t.Helper()
	release := Release{Weights: len(s.shares), Planned: []v1alpha1.AnalysisRunSpec{gateRun(GateBackground)}}
	if beside {
		release.Planned[0] = gateRun(GateBackground, "errors")
	}
	for i := range s.shares {
		release.Planned = append(release.Planned, gateRun("step-"+string(rune('1'+i)), "errors"))
	}
	var tests []*judge.Counts // of the step, and of the background
	for step := range s.shares {
		spec := release.Planned[1+step]
		endow(release, &spec)
		switch {
		case !beside:
			tests = []*judge.Counts{begun(t, spec)}
		case step == 0:
			background := release.Planned[0]
			endow(release, &background)
			tests = []*judge.Counts{begun(t, spec), begun(t, background)}
		default:
			tests[0] = begun(t, spec)
			tests[1].Step()
		}
		if at := s.step(t, random, step, tests); at >= 0 {
			return step*s.batches + at
		}
		release.Earlier = append(release.Earlier, v1alpha1.AnalysisRun{Spec: spec, Status: v1alpha1.AnalysisRunStatus{
			Phase:   v1alpha1.AnalysisPassed,
			Metrics: []v1alpha1.MetricResult{{Name: "errors", Comparison: &v1alpha1.Comparison{Memory: tests[0].Memory()}}},
		}})
	}
	return -1
}

// step plays one step, and gives the batch after which a test fails; -1 when none does.
func (s simulated) step(t *testing.T, random *rand.Rand, step int, tests []*judge.Counts) int {
	t.Helper()
	for i := range s.batches {
		batch := s.batch(random, step)
		for _, each := range tests {
			if err := each.Observe(batch); err != nil {
				t.Fatal(err)
			}
			if each.Fail() >= each.Settings().FailAt() {
				return i
			}
		}
	}
	return -1
}

// simulatedAlpha is α of a simulated release.
const simulatedAlpha = 0.05

// begun is the test of a run that begins, as resumed makes it.
func begun(t *testing.T, spec v1alpha1.AnalysisRunSpec) *judge.Counts {
	t.Helper()
	settings, err := ratio{&spec.Metrics[0]}.settings(oddsOf(spec, 0))
	if err != nil {
		t.Fatal(err)
	}
	settings.FalseAbort *= simulatedAlpha / judge.Defaults().FalseAbort
	settings.Dispersion, settings.Agreement = 1, 0
	if len(spec.Carried) == 0 {
		made, err := judge.NewCounts(settings)
		if err != nil {
			t.Fatal(err)
		}
		return made
	}
	made, err := judge.Restore(settings, spec.Carried[0].Memory)
	if err != nil {
		t.Fatal(err)
	}
	made.Step()
	return made
}

// aborted is the share of so many releases that fail.
func (s simulated) aborted(t *testing.T, releases int, beside bool, endow func(Release, *v1alpha1.AnalysisRunSpec)) float64 {
	t.Helper()
	random := rand.New(rand.NewPCG(11, 23))
	failed := 0
	for range releases {
		if s.watch(t, random, beside, endow) >= 0 {
			failed++
		}
	}
	return float64(failed) / float64(releases)
}

// TestAReleaseHasOneBudget holds that a good candidate is aborted in no more releases than α, however many steps have an
// analysis and whether there is one beside them, and that the test would find one that gives each analysis odds of its own.
func TestAReleaseHasOneBudget(t *testing.T) {
	const releases = 1500
	alpha := simulatedAlpha
	most := alpha + 3*math.Sqrt(alpha*(1-alpha)/releases)
	s := simulated{shares: []float64{0.3, 0.4, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5}, batches: 20, served: 10000, base: 0.005}
	shared := s.aborted(t, releases, true, Release.Endow)
	if stepsAlone := s.aborted(t, releases, false, Release.Endow); max(shared, stepsAlone) > most {
		t.Errorf("%.2f %% of good releases were aborted, and %.2f %% without an analysis beside the steps; want %.2f %% at most",
			100*shared, 100*stepsAlone, 100*most)
	}
	alone := s.aborted(t, releases, true, func(Release, *v1alpha1.AnalysisRunSpec) {})
	if alone < 5*shared {
		t.Errorf("%.2f %% with odds of its own for each analysis, %.2f %% with shared ones: this test would not find the difference",
			100*alone, 100*shared)
	}
}

// TestLateHarmIsFound holds what the specification says of steps of 5, 20 and 50 % for ten minutes each, and errors that rise
// threefold: in the median found after 6 minutes when they do so from the start, after 12 when from the second step on, and
// after 22 when from the third.
func TestLateHarmIsFound(t *testing.T) {
	for since, latest := range []int{6, 12, 22} {
		s := simulated{shares: []float64{0.05, 0.2, 0.5}, batches: 10, served: 6000, base: 0.005, harm: 3, since: since}
		random := rand.New(rand.NewPCG(5, 7))
		var found []int
		for range 400 {
			if at := s.watch(t, random, false, Release.Endow); at >= 0 {
				found = append(found, at+1)
			}
		}
		slices.Sort(found)
		if len(found) < 399 || found[200] > latest {
			t.Errorf("harm from step %d on was found in %d of 400 releases, half of them after %d minutes; want all, and %d minutes",
				since+1, len(found), found[len(found)/2], latest)
		}
	}
}
