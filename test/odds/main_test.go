package main

import (
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/sluice-dev/sluice/analysis/judge"
)

// short is what the tests of every day simulate; `make bench-analysis` does forty times as much, over all settings.
func short() effort { return effort{rollouts: 500, rivals: 100, seed: 7} }

// most is the largest rate of aborts that chance explains, with three standard deviations, when the odds are α.
func (e effort) most(alpha float64) float64 {
	return alpha + 3*math.Sqrt(alpha*(1-alpha)/float64(e.rollouts))
}

func even(base, share, rps, effect float64) world {
	return world{rps: rps, share: share, base: base, effect: effect}
}

func TestFalseAborts(t *testing.T) {
	for _, w := range append(uneven(), even(0.001, 0.5, 10, 1), even(0.01, 0.05, 10, 1)) {
		if w.alone != nil {
			continue
		}
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			settings := bare()
			settings.Dispersion = max(2*w.burst-1, 1)
			if w.weight != nil {
				settings.Steps = 3
			}
			got := short().run(short().rollouts, w, 10*time.Second, func() detector { return newEvidence(settings, w) })
			if got.rate() > short().most(settings.FalseAbort) {
				t.Errorf("%.1f %% of releases without harm were aborted, want %.1f %% at most", 100*got.rate(),
					100*short().most(settings.FalseAbort))
			}
		})
	}
}

// TestAGlitchIsForgiven holds the guard of the defaults: 20 s of errors on the candidate alone, in an hour.
func TestAGlitchIsForgiven(t *testing.T) {
	for _, w := range uneven() {
		if w.alone == nil {
			continue
		}
		got := short().run(short().rollouts, w, 10*time.Second, func() detector { return newEvidence(judge.Defaults(), w) })
		if got.rate() > short().most(judge.Defaults().FalseAbort) {
			t.Errorf("%s: %.1f %% were aborted", w.name, 100*got.rate())
		}
	}
}

func TestDetection(t *testing.T) {
	for _, r := range rows() {
		if r.share != 0.1 || r.rps != 100 || r.effect == 1 {
			continue
		}
		w := even(r.base, r.share, r.rps, r.effect)
		found := short().run(short().rollouts, w, time.Minute, func() detector { return newEvidence(bare(), w) })
		for _, miss := range r.verify(found) {
			t.Error(miss)
		}
	}
}

// TestForecast compares what package judge foretells with what is found, at every row of the table.
func TestForecast(t *testing.T) {
	for _, r := range rows() {
		if r.effect == 1 || r.base != 0.01 || r.rps == 1000 {
			continue
		}
		end, half := foretell(r)
		if math.Abs(end-r.found/100) > 0.1 {
			t.Errorf("%+v: odds of %.2f are foretold", r, end)
		}
		if off := half / r.minutes; r.minutes > 0 && (off > 1.5+1/r.minutes || off < 1/1.5-1/r.minutes) {
			t.Errorf("%+v: half of them after %v minutes are foretold", r, half)
		}
	}
}

// foretell gives the odds of finding an effect within an hour, and the minutes after which they are even.
func foretell(r row) (end, half float64) {
	requests := r.rps * 60
	plan := make([]judge.Load, 60)
	for i := range plan {
		plan[i] = judge.Load{Candidate: requests * r.share, Stable: requests * (1 - r.share)}
	}
	odds := judge.Odds(bare(), plan, r.base, r.base*r.effect)
	even := slices.IndexFunc(odds, func(p float64) bool { return p >= 0.5 })
	return odds[59], float64(even + 1)
}

// TestForecastOfDefaults compares the same for the settings that a ratio has, with their cap and tempering.
func TestForecastOfDefaults(t *testing.T) {
	settings := judge.Defaults()
	for _, effect := range []float64{2, 3, 5} {
		w := even(0.002, 0.2, 100, effect)
		found := short().run(short().rollouts, w, 30*time.Second, func() detector { return newEvidence(settings, w) })
		plan := make([]judge.Load, 120)
		for i := range plan {
			plan[i] = judge.Load{Candidate: 600, Stable: 2400}
		}
		odds := judge.Odds(settings, plan, w.base, w.base*effect)
		half := float64(slices.IndexFunc(odds, func(p float64) bool { return p >= 0.5 })+1) / 2
		if off := odds[119] - found.rate(); off > 0.15 || off < -0.15 {
			t.Errorf("×%v: odds of %.2f are foretold, %.2f were found", effect, odds[119], found.rate())
		}
		if off := half / found.median(); !math.IsInf(found.median(), 1) && (off > 1.2 || off < 1/1.2) {
			t.Errorf("×%v: half after %v minutes are foretold, it were %v", effect, half, found.median())
		}
	}
}

// naive looks at each batch with a test that is meant for one look.
type naive struct{ seen judge.Batch }

func (n *naive) observe(b judge.Batch, _ time.Duration) bool {
	n.seen = n.seen.Plus(b)
	c, s := n.seen.Candidate, n.seen.Stable
	pooled := (c.Bad + s.Bad) / (c.Total + s.Total)
	return (c.Rate()-s.Rate())/math.Sqrt(pooled*(1-pooled)*(1/c.Total+1/s.Total)) > 1.644854
}

// overlapping feeds each minute six times, as a sliding window that is read every 10 s does.
type overlapping struct {
	inner  *evidence
	recent []judge.Batch
}

func (o *overlapping) observe(b judge.Batch, at time.Duration) bool {
	o.recent = append(o.recent, b)
	if len(o.recent) > 6 {
		o.recent = o.recent[1:]
	}
	var sum judge.Batch
	for _, recent := range o.recent {
		sum = sum.Plus(recent)
	}
	return o.inner.observe(sum, at)
}

// TestTheStudyBites holds that it notices tests that are wrong.
func TestTheStudyBites(t *testing.T) {
	plain, bursts := even(0.01, 0.1, 100, 1), even(0.001, 0.1, 100, 1)
	bursts.burst = 3
	for _, row := range []struct {
		name  string
		w     world
		wrong func() detector
	}{
		{"looking again with a test for one look", plain, func() detector { return &naive{} }},
		{"bursts, and no tempering", bursts, func() detector { return newEvidence(bare(), bursts) }},
		{"overlapping windows", plain, func() detector { return &overlapping{inner: newEvidence(bare(), plain)} }},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			got := short().run(short().rollouts, row.w, 10*time.Second, row.wrong)
			if got.rate() <= short().most(bare().FalseAbort) || len(got.verify("", bare().FalseAbort)) == 0 {
				t.Errorf("%.1f %% of releases without harm were aborted, and that went unnoticed", 100*got.rate())
			}
		})
	}
}

// TestVerifyTable holds that finding less, or later, than the reference is a miss.
func TestVerifyTable(t *testing.T) {
	r := row{base: 0.001, share: 0.1, rps: 100, effect: 2, found: 97, minutes: 20}
	outcomeOf := func(found int, after time.Duration) outcome {
		o := outcome{releases: 1000}
		for range found {
			o.aborted = append(o.aborted, after)
		}
		return o
	}
	for _, row := range []struct {
		name   string
		o      outcome
		misses int
	}{
		{"as good", outcomeOf(970, 20*time.Minute), 0},
		{"better", outcomeOf(1000, time.Minute), 0},
		{"less", outcomeOf(900, 20*time.Minute), 1},
		{"later", outcomeOf(970, 24*time.Minute), 1},
		{"hardly any", outcomeOf(100, 20*time.Minute), 2},
	} {
		if got := r.verify(row.o); len(got) != row.misses {
			t.Errorf("%s: %d misses, want %d: %v", row.name, len(got), row.misses, got)
		}
	}
}

// TestRanks holds what is known of the rival: it is right about plain shifts, and blind where most minutes have no errors.
func TestRanks(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	series := func(n int, value func(i int) float64) []float64 {
		var all []float64
		for i := range n {
			all = append(all, value(i))
		}
		return all
	}
	noise := func(int) float64 { return 100 + random.Float64() }
	for _, row := range []struct {
		name              string
		candidate, stable []float64
		want              bool
	}{
		{"the same", series(60, noise), series(60, noise), false},
		{"half a percent more, with little noise", series(60, func(i int) float64 { return noise(i) + 0.5 }), series(60, noise), true},
		{"errors in a few minutes only", series(60, func(i int) float64 { return float64(i / 55) }), series(60, func(int) float64 { return 0 }), false},
		{"ten times as much for the last third", series(60, func(i int) float64 {
			if i >= 40 {
				return 10 * noise(i)
			}
			return noise(i)
		}), series(60, noise), false},
	} {
		t.Run(row.name, func(t *testing.T) {
			shift := medianShift(row.candidate, row.stable)
			got := deviation(row.candidate, row.stable, toleratedShift*math.Abs(shift)) > certain
			if got != row.want {
				t.Errorf("found %v with a shift of %v, want %v", got, shift, row.want)
			}
		})
	}
	// By hand: a wins 8 of 9 pairs and ties none; the variance is 3·3·7/12.
	if got, want := deviation([]float64{2, 4, 5}, []float64{0, 1, 3}, 0), (8-4.5-0.5)/math.Sqrt(5.25); math.Abs(got-want) > 1e-12 {
		t.Errorf("deviation %v, want %v", got, want)
	}
	// One of three values ties with one of the others: 7½ pairs, and a group of two among six.
	if got, want := deviation([]float64{2, 4, 5}, []float64{0, 1, 4}, 0), (7.5-4.5-0.5)/math.Sqrt(0.75*(7-6.0/30)); math.Abs(got-want) > 1e-12 {
		t.Errorf("deviation with a tie %v, want %v", got, want)
	}
}

// TestTraffic holds that simulated traffic has the rates that it says.
func TestTraffic(t *testing.T) {
	for _, w := range []world{
		even(0.001, 0.1, 1000, 5),
		{rps: 100, share: 0.5, base: 0.3, effect: 1},
		{rps: 2000, share: 0.1, base: 0.01, effect: 2, burst: 4},
		{rps: 100, share: 0.1, base: 1, effect: 1},
		{rps: 100, share: 0.1, effect: 1},
	} {
		var sum judge.Batch
		random := stream(3, 4)
		for range 2000 {
			b := w.draw(random, 0, 10*time.Second)
			if err := b.Check(); err != nil {
				t.Fatal(err)
			}
			sum = sum.Plus(b)
		}
		share := sum.Candidate.Total / (sum.Candidate.Total + sum.Stable.Total)
		for _, pair := range [][2]float64{
			{share, w.share},
			{sum.Stable.Rate(), w.base},
			{sum.Candidate.Rate(), math.Min(w.base*w.effect, 1)},
		} {
			if math.Abs(pair[0]-pair[1]) > 0.06*pair[1] {
				t.Errorf("%+v: %v, want %v", w, pair[0], pair[1])
			}
		}
	}
}

// TestReleasesRepeat holds that a seed tells all: the same study gives the same figures on any number of processors.
func TestReleasesRepeat(t *testing.T) {
	w := even(0.001, 0.1, 100, 2)
	run := func() outcome {
		return short().run(50, w, time.Minute, func() detector { return newEvidence(bare(), w) })
	}
	if a, b := run(), run(); a.String() != b.String() || a.String() == "0%/-" {
		t.Errorf("%s and then %s", a, b)
	}
}

// TestTooFewProveNothing: that none of three was aborted leaves it open whether one of three would be.
func TestTooFewProveNothing(t *testing.T) {
	tiny := effort{rollouts: 3, rivals: 2, seed: 1}
	if misses := tiny.shapes(io.Discard); len(misses) == 0 {
		t.Error("three releases prove nothing, and the study took them for a proof")
	}
}
