package judge

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// exactly are plain settings with this margin.
func exactly(relative, absolute float64) Settings {
	settings := plain()
	settings.Fail = Margin{Relative: relative, Absolute: absolute}
	return settings
}

// TestExpectation holds that one batch multiplies evidence by no more than 1 on average at the very edge of harm, which it
// sums up over all outcomes.
func TestExpectation(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		c, s := 1+random.IntN(12), 1+random.IntN(30)
		relative, absolute := 0.01+random.Float64()*2, random.Float64()*0.05
		stable := random.Float64() * 0.4
		candidate := relative*stable + absolute
		if candidate > 1 {
			continue
		}
		settings := exactly(relative, absolute)
		settings.Dispersion = 1 + float64(random.IntN(3))
		settings.Agreement = random.IntN(5)
		settings.Steps = random.IntN(4)
		var fail, pass float64
		settings.Pass = settings.Fail
		for x := range c + 1 {
			for y := range s + 1 {
				test := newCounts(t, settings)
				observe(t, test, batch([4]float64{float64(x), float64(c), float64(y), float64(s)}))
				odds := binomial(x, c, candidate) * binomial(y, s, stable)
				fail += odds * math.Exp(test.Fail())
				pass += odds * math.Exp(test.Pass())
			}
		}
		if fail > 1+1e-9 || pass > 1+1e-9 {
			t.Fatalf("%d and %d requests at rates %v and %v, %+v: mean evidence of harm %v, of none %v; want at most 1",
				c, s, candidate, stable, settings, fail, pass)
		}
	}
}

// binomial is the probability of k of n.
func binomial(k, n int, p float64) float64 {
	a, _ := math.Lgamma(float64(n + 1))
	b, _ := math.Lgamma(float64(k + 1))
	c, _ := math.Lgamma(float64(n - k + 1))
	return math.Exp(a-b-c) * math.Pow(p, float64(k)) * math.Pow(1-p, float64(n-k))
}

// TestKnownExpectations compares with values that were summed up elsewhere, for the one effect nearest to 3.
func TestKnownExpectations(t *testing.T) {
	for _, row := range []struct{ rate, want float64 }{{0.05, 0.987035}, {0.3, 0.650679}, {0.5, 0.322389}} {
		var mean float64
		for x := range 9 {
			for y := range 25 {
				h := newHarm(1)
				for j := range h.effect { // all weight on one effect of 3
					h.effect[j], h.logG[j] = 2, math.Log(3)
				}
				h.observe(batch([4]float64{float64(x), 8, float64(y), 24}), plain())
				mean += binomial(x, 8, row.rate) * binomial(y, 24, row.rate) * math.Exp(h.log)
			}
		}
		if math.Abs(mean-row.want) > 1e-6 {
			t.Errorf("rate %v: mean %.6f, want %.6f", row.rate, mean, row.want)
		}
	}
}

func TestEvidenceFollowsCounts(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	logs := func(settings Settings, b Batch) (fail, pass float64) {
		c := newCounts(t, settings)
		observe(t, c, b)
		return c.Fail(), c.Pass()
	}
	for range 500 {
		c, s := 10+random.Float64()*5000, 10+random.Float64()*5000
		b := batch([4]float64{c * random.Float64() / 2, c, s * random.Float64() / 2, s})
		settings := Defaults()
		settings.Dispersion, settings.Agreement = 1+random.Float64(), 0
		fail, pass := logs(settings, b)
		more := b
		more.Candidate.Bad++
		if f, p := logs(settings, more); f <= fail || p >= pass {
			t.Fatalf("%+v and one more bad request of the candidate: harm %v → %v, none %v → %v", b, fail, f, pass, p)
		}
		more = b
		more.Stable.Bad++
		if f, p := logs(settings, more); f >= fail || p <= pass {
			t.Fatalf("%+v and one more bad request of stable: harm %v → %v, none %v → %v", b, fail, f, pass, p)
		}
	}
}

// TestOrderAndSplitDoNotMatter holds for batches of the same share, without a cap.
func TestOrderAndSplitDoNotMatter(t *testing.T) {
	parts := batches([][4]float64{{3, 100, 1, 900}, {0, 50, 4, 450}, {7, 200, 2, 1800}})
	var whole Batch
	for _, b := range parts {
		whole = whole.Plus(b)
	}
	one, forth, back := newCounts(t, exactly(1.2, 0.001)), newCounts(t, exactly(1.2, 0.001)), newCounts(t, exactly(1.2, 0.001))
	observe(t, one, whole)
	observe(t, forth, parts...)
	observe(t, back, parts[2], parts[0], parts[1])
	if !near(forth.Fail(), one.Fail()) || !near(back.Fail(), one.Fail()) || !near(forth.Pass(), one.Pass()) {
		t.Errorf("harm %v, %v, %v, none %v, %v: want the same", one.Fail(), forth.Fail(), back.Fail(), one.Pass(), forth.Pass())
	}
	if forth.Seen() != whole || forth.Batches() != 3 {
		t.Errorf("seen %+v in %d batches, want %+v in 3", forth.Seen(), forth.Batches(), whole)
	}
}

func TestAnEmptySideSaysNothing(t *testing.T) {
	c := newCounts(t, Defaults())
	observe(t, c, batch([4]float64{0, 0, 5, 1000}), batch([4]float64{5, 10, 0, 0}), Batch{})
	if c.Fail() != 0 || c.Pass() != 0 {
		t.Errorf("harm %v, none %v; want 0, as there was nothing to compare", c.Fail(), c.Pass())
	}
}

func TestObserveRefusesWhatIsNoCount(t *testing.T) {
	for _, row := range [][4]float64{
		{math.NaN(), 1, 0, 1},
		{0, math.Inf(1), 0, 1},
		{0, 1, math.Inf(1), math.Inf(1)},
		{-1, 1, 0, 1},
		{0, 1, 2, 1},
		{0, 1, 0, math.NaN()},
		{0, 1e300, 0, 1},
	} {
		c := newCounts(t, Defaults())
		observe(t, c, batch([4]float64{1, 100, 1, 100}))
		before := *c
		if err := c.Observe(batch(row)); err == nil {
			t.Errorf("%v: no error", row)
		}
		if *c != before {
			t.Errorf("%v: the test has changed", row)
		}
	}
}

// TestAgreement holds that one batch cannot fail a candidate by itself, and that three can.
func TestAgreement(t *testing.T) {
	settings := Defaults()
	glitch := batch([4]float64{40, 100, 1, 900})
	c := newCounts(t, settings)
	for i, want := range []bool{false, false, true} {
		observe(t, c, glitch)
		if got := c.Fail() >= settings.FailAt(); got != want {
			t.Errorf("after %d such batches: failed %v with %v of %v, want %v", i+1, got, c.Fail(), settings.FailAt(), want)
		}
	}
}

// TestACapTakesForGood holds that what a cap took does not come back with later batches, or steps.
func TestACapTakesForGood(t *testing.T) {
	settings := Defaults()
	settings.Steps = 4
	c := newCounts(t, settings)
	for range 3 {
		observe(t, c, batch([4]float64{40, 100, 1, 900}))
		if sum := logSum(c.fail.reserve, c.fail.mass[:]); !near(sum, c.Fail()) {
			t.Fatalf("the parts of the evidence sum to %v, want %v", sum, c.Fail())
		}
		c.Step()
	}
}

func TestABrokenCandidateNeedsNoAgreement(t *testing.T) {
	for _, row := range []struct {
		name string
		b    [4]float64
		want bool
	}{
		{"all bad", [4]float64{60, 60, 0, 540}, true},
		{"too few to tell", [4]float64{19, 19, 0, 171}, false},
		{"both down", [4]float64{600, 600, 3000, 5400}, false},
		{"not half", [4]float64{290, 600, 0, 5400}, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := newCounts(t, Defaults())
			observe(t, c, batch(row.b))
			if got := c.Fail() >= Defaults().FailAt(); got != row.want {
				t.Errorf("failed %v with %v of %v, want %v", got, c.Fail(), Defaults().FailAt(), row.want)
			}
		})
	}
}

// TestSteps compares the evidence with its definition: the mean, over the steps, of what a test that began there has.
func TestSteps(t *testing.T) {
	settings := exactly(1.25, 0.0005)
	settings.Steps = 4
	steps := [][]Batch{
		batches([][4]float64{{0, 500, 12, 9500}, {1, 480, 9, 9400}}),
		batches([][4]float64{{2, 2000, 11, 8000}}),
		batches([][4]float64{{30, 5000, 8, 5000}, {33, 5000, 6, 5000}}),
	}
	whole := newCounts(t, settings)
	var since []*Counts // one test per step that has begun
	for i, step := range steps {
		if i > 0 {
			whole.Step()
		}
		since = append(since, newCounts(t, exactly(1.25, 0.0005)))
		observe(t, whole, step...)
		mean := 0.25 * float64(4-len(since)) // steps that have not begun count as 1
		for _, c := range since {
			observe(t, c, step...)
			mean += 0.25 * math.Exp(c.Fail())
		}
		if !near(whole.Fail(), math.Log(mean)) {
			t.Errorf("step %d: %v, want %v", i, whole.Fail(), math.Log(mean))
		}
		if last := since[i]; !near(whole.Pass(), last.Pass()) {
			t.Errorf("step %d: pass %v, want that of the step alone, %v", i, whole.Pass(), last.Pass())
		}
	}
	before := whole.Fail()
	whole.Step()
	whole.Step() // one more than was announced
	if !near(whole.Fail(), before) {
		t.Errorf("a step without a batch: %v, want %v as before", whole.Fail(), before)
	}
	observe(t, whole, steps[2]...)
	if math.IsNaN(whole.Fail()) {
		t.Error("no number after the last step")
	}
}

// TestStepsFindWhatBeginsLate holds what the mixture of steps is for.
func TestStepsFindWhatBeginsLate(t *testing.T) {
	good, bad := batch([4]float64{2, 2000, 18, 18000}), batch([4]float64{30, 10000, 10, 10000})
	batchesUntil := func(steps int) int {
		settings := exactly(1, 0)
		settings.Steps = steps
		c := newCounts(t, settings)
		for range 30 {
			observe(t, c, good)
		}
		c.Step()
		n := 0
		for ; c.Fail() < settings.FailAt(); n++ {
			observe(t, c, bad)
		}
		return n
	}
	if with, without := batchesUntil(2), batchesUntil(1); with >= without {
		t.Errorf("found after %d batches, and after %d by a test that knows of no steps; want fewer", with, without)
	}
}

func TestSettingsSayWhatIsWrong(t *testing.T) {
	for name, change := range map[string]func(*Settings){
		"no margin":          func(s *Settings) { s.Fail = Margin{} },
		"negative":           func(s *Settings) { s.Fail.Relative = -1 },
		"absolute of 1":      func(s *Settings) { s.Pass.Absolute = 1 },
		"not a number":       func(s *Settings) { s.Fail.Absolute = math.NaN() },
		"pass below fail":    func(s *Settings) { s.Pass.Relative = 1 },
		"certain to abort":   func(s *Settings) { s.FalseAbort = 1 },
		"never to pass":      func(s *Settings) { s.FalsePass = 0 },
		"less than no burst": func(s *Settings) { s.Dispersion = 0.5 },
		"steps":              func(s *Settings) { s.Steps = -1 },
	} {
		settings := Defaults()
		change(&settings)
		if _, err := NewCounts(settings); err == nil {
			t.Errorf("%s: no error for %+v", name, settings)
		}
	}
	if err := Defaults().Check(); err != nil {
		t.Errorf("defaults: %v", err)
	}
}

func TestRatio(t *testing.T) {
	for _, row := range []struct {
		name            string
		batches         [][4]float64
		want, low, high float64
	}{
		{"nothing bad", [][4]float64{{0, 1000, 0, 9000}}, math.NaN(), 0, math.Inf(1)},
		{"nothing served", nil, math.NaN(), 0, math.Inf(1)},
		{"stable alone", [][4]float64{{0, 1000, 9, 9000}}, 0, 0, 4.93},
		{"stable without", [][4]float64{{40, 1000, 0, 9000}}, math.Inf(1), 93.7, math.Inf(1)},
		{"twice, at two weights", [][4]float64{{20, 1000, 90, 9000}, {100, 5000, 50, 5000}}, 2, 1.27, 3.31},
	} {
		t.Run(row.name, func(t *testing.T) {
			all := batches(row.batches)
			c := newCounts(t, Defaults())
			observe(t, c, all...)
			for _, got := range []float64{Ratio(all), c.Ratio()} {
				if fmt.Sprint(got) != fmt.Sprint(row.want) {
					t.Errorf("ratio %v, want %v", got, row.want)
				}
			}
			low, high := RatioInterval(all, 0.05, 0.05)
			if low < row.low-0.1 || low > row.low+0.1 || (high != row.high && math.Abs(high-row.high) > 0.1) {
				t.Errorf("interval %v to %v, want %v to %v", low, high, row.low, row.high)
			}
		})
	}
}

func TestDispersion(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	history := func(burst float64, n int) []Batch {
		var all []Batch
		for range n {
			b := batch([4]float64{0, 1000, 0, 1000})
			for range 10 { // causes, each with one or more errors on one side
				errors := 1.0
				for random.Float64() > 1/burst {
					errors++
				}
				if random.IntN(2) == 0 {
					b.Candidate.Bad += errors
				} else {
					b.Stable.Bad += errors
				}
			}
			all = append(all, b)
		}
		return all
	}
	for _, row := range []struct {
		name      string
		history   []Batch
		low, high float64
		known     bool
	}{
		{"none", nil, UnknownDispersion, UnknownDispersion, false},
		{"too short", history(3, 59), UnknownDispersion, UnknownDispersion, false},
		{"without errors", make([]Batch, 100), UnknownDispersion, UnknownDispersion, false},
		{"independent", history(1, 240), 1, 1, true},
		{"bursts of 3", history(3, 240), 5, 10, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			phi, known := Dispersion(row.history)
			if phi < row.low || phi > row.high || known != row.known {
				t.Errorf("%v, known %v; want %v to %v, known %v", phi, known, row.low, row.high, row.known)
			}
		})
	}
}

func newMean(t *testing.T, limit float64) *Mean {
	t.Helper()
	m, err := NewMean(limit)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestMeanRefusesOtherScales(t *testing.T) {
	for _, limit := range []float64{0, 1, -1, math.NaN()} {
		if _, err := NewMean(limit); err == nil {
			t.Errorf("limit %v: no error", limit)
		}
	}
	m := newMean(t, 0.5)
	for _, z := range []float64{-0.1, 1.1, math.NaN(), math.Inf(1)} {
		if err := m.Observe(z); err == nil || m.Fail() != 0 {
			t.Errorf("value %v: no error, or evidence of %v", z, m.Fail())
		}
	}
}

func TestMeanAtItsLimit(t *testing.T) {
	m := newMean(t, 0.5)
	for i := range 2000 {
		if err := m.Observe(float64(i % 2)); err != nil {
			t.Fatal(err)
		}
	}
	if !(m.Fail() < 3) {
		t.Errorf("evidence %v that a mean of a half exceeds a half", m.Fail())
	}
}

// FuzzCounts holds that whatever is observed is refused or leaves numbers behind.
func FuzzCounts(f *testing.F) {
	f.Add(9.0, 1000.0, 1.0, 1000.0, 1.25, 0.0005, 2.0)
	f.Add(0.0, 1e9, 1e9, 1e9, 0.0, 0.5, 1.0)
	f.Add(1e9, 1e9, 0.0, 1.0, 1000.0, 0.0, 1.0)
	f.Add(1e15, 1e15, 0.0, 1e-300, 1e-9, 1e-12, 1.0)
	f.Fuzz(func(t *testing.T, x, c, y, s, relative, absolute, dispersion float64) {
		settings := Defaults()
		settings.Fail, settings.Dispersion, settings.Steps = Margin{relative, absolute}, dispersion, 3
		settings.Pass = Margin{max(relative, 2), max(absolute, 0.001)}
		test, err := NewCounts(settings)
		if err != nil {
			return
		}
		b := batch([4]float64{x, c, y, s})
		for range 3 {
			if test.Observe(b) != nil && b.Check() == nil {
				t.Fatal("a batch that checks well was refused")
			}
			mustBeNumbers(t, b, test.Fail(), test.Pass())
			test.Step()
		}
		if low, high := RatioInterval([]Batch{b}, 0.01, 0.05); b.Check() == nil && !(low >= 0 && low <= high) {
			t.Fatalf("%+v: ratio between %v and %v", b, low, high)
		}
	})
}

func mustBeNumbers(t *testing.T, after any, numbers ...float64) {
	t.Helper()
	for _, number := range numbers {
		if math.IsNaN(number) || math.IsInf(number, 0) {
			t.Fatalf("%+v: %v, want finite numbers", after, numbers)
		}
	}
}

func BenchmarkObserve(b *testing.B) {
	settings := Defaults()
	settings.Steps = 10
	c := newCounts(b, settings)
	b.ReportAllocs()
	for i := range b.N {
		observe(b, c, batch([4]float64{float64(i % 3), 1000, float64(i % 20), 9000}))
	}
}

func BenchmarkRatioInterval(b *testing.B) {
	var all []Batch
	for i := range 240 {
		all = append(all, batch([4]float64{float64(i % 3), 1000 + float64(i), 20, 9000}))
	}
	b.ReportAllocs()
	for range b.N {
		RatioInterval(all, 0.01, 0.05)
	}
}
