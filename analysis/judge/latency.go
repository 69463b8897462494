package judge

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
)

const (
	// thinnestTail is the least share of stable's requests above a bound that is worth a test: beyond it, hours pass
	// before anything is seen.
	thinnestTail = 5e-4
	// fattestTail is where a bound splits off so few fast requests that slowness no longer shows.
	fattestTail = 0.9
	// farTail is by how many times the odds of a tail may differ from those that are looked for.
	farTail = 3
	// usualBounds is how many bounds fit without an allocation.
	usualBounds = 8
	// wideTail is from which share on a bound is near the median, where a factor on the share says little.
	wideTail = 0.25
)

// Bucket is a part of a histogram: so many requests with Lower < seconds ≤ Upper. The unit is whatever the metric has.
type Bucket struct {
	// Lower and Upper bound of the bucket; −∞ and +∞ at the ends.
	Lower, Upper float64
	// Count of requests, which need not be whole.
	Count float64
}

// Histogram is how long the requests of one arm took in a batch. Its buckets are in order and do not overlap.
type Histogram struct {
	// Buckets, those without requests may be left out.
	Buckets []Bucket
	// Exponential says that the buckets widen by a constant factor, as those of native histograms do. It matters where a
	// bound falls within a bucket.
	Exponential bool
}

// Classic makes a histogram of cumulative counts: counts[i] of all requests took no longer than bounds[i], of which the
// last is +∞. The error says why these are no such counts.
func Classic(bounds, counts []float64) (Histogram, error) {
	if len(bounds) == 0 || len(bounds) != len(counts) || !math.IsInf(bounds[len(bounds)-1], 1) {
		return Histogram{}, errors.New("the bucket of all requests, le=\"+Inf\", is missing: select all buckets of the histogram")
	}
	h := Histogram{Buckets: make([]Bucket, 0, len(bounds))}
	lower, below := math.Inf(-1), 0.0
	for i, upper := range bounds {
		if !(upper > lower) || !(counts[i] >= below*(1-slack)) {
			return Histogram{}, fmt.Errorf("the bucket le=%q has %v requests after %v in le=%q: bounds and counts must grow; "+
				"sum(…) the buckets by le", fmt.Sprint(upper), counts[i], below, fmt.Sprint(lower))
		}
		h.Buckets = append(h.Buckets, Bucket{Lower: lower, Upper: upper, Count: max(counts[i]-below, 0)})
		lower, below = upper, counts[i]
	}
	return h, nil
}

// Above counts the requests that took longer than a bound, and all. Where the bound falls within a bucket, the bucket is
// split as Prometheus does: evenly, or evenly on a logarithmic scale where buckets are exponential.
func (h Histogram) Above(bound float64) Arm {
	var arm Arm
	for _, b := range h.Buckets {
		arm.Total += b.Count
		switch {
		case b.Lower >= bound:
			arm.Bad += b.Count
		case b.Upper > bound:
			arm.Bad += b.Count * h.partAbove(b, bound)
		}
	}
	arm.Bad = min(arm.Bad, arm.Total)
	return arm
}

// Requests is how many there were.
func (h Histogram) Requests() float64 {
	sum := 0.0
	for _, b := range h.Buckets {
		sum += b.Count
	}
	return sum
}

// Tells says whether requests that took longer than a bound can be told from the others: not below the first edge, and not
// beyond the last one. The error says which bounds can be used.
func (h Histogram) Tells(bound float64) error {
	least, most := math.Inf(1), math.Inf(-1)
	for _, b := range h.Buckets {
		for _, edge := range []float64{b.Lower, b.Upper} {
			if !math.IsInf(edge, 0) {
				least, most = min(least, edge), max(most, edge)
			}
		}
	}
	if h.Exponential || bound >= least && bound <= most {
		return nil
	}
	return fmt.Errorf("no bucket tells what is slower than %v: write bounds from %v to %v, or give the histogram such a bucket",
		bound, least, most)
}

// partAbove is the part of a bucket above a bound within it. Nothing is known of how far an open bucket reaches: all of
// the first one counts as fast, and all of the last one as slow.
func (h Histogram) partAbove(b Bucket, bound float64) float64 {
	switch {
	case math.IsInf(b.Upper, 1):
		return 1
	case math.IsInf(b.Lower, -1):
		return 0
	case h.Exponential && b.Lower > 0:
		return math.Log(b.Upper/bound) / math.Log(b.Upper/b.Lower)
	}
	return (b.Upper - bound) / (b.Upper - b.Lower)
}

// Bound is a latency to test at.
type Bound struct {
	// At is the latency, in the unit of the metric.
	At float64
	// Tail is the share of stable's requests that take longer, 0 to 1.
	Tail float64
}

// Bounds picks latencies to test at from stable's history: the edges of buckets that 50, 10, 5 and 1 % of requests exceed,
// as nearly as the buckets tell. The fewer there are, the coarser the buckets; the error says that there are none, and
// what bounds the buckets would need.
func Bounds(stable Histogram) ([]Bound, error) {
	var chosen []Bound
	for _, tail := range []float64{0.5, 0.1, 0.05, 0.01} {
		best, found := nearest(stable, tail)
		if found && !slices.Contains(chosen, best) {
			chosen = append(chosen, best)
		}
	}
	if len(chosen) == 0 {
		return nil, errors.New("no bucket tells slow requests from fast ones: " +
			"give the histogram bounds near the latencies that half, a tenth and a hundredth of the requests exceed")
	}
	slices.SortFunc(chosen, func(a, b Bound) int { return cmp.Compare(a.At, b.At) })
	return chosen, nil
}

// nearest finds the edge of a bucket whose tail is nearest to the one that is looked for, on the scale of odds.
func nearest(stable Histogram, tail float64) (best Bound, found bool) {
	least := math.Log(farTail)
	for _, b := range stable.Buckets {
		if math.IsInf(b.Upper, 1) {
			continue
		}
		rate := stable.Above(b.Upper).Rate()
		if rate < thinnestTail || rate > fattestTail {
			continue
		}
		off := math.Abs(math.Log(rate / (1 - rate) * (1 - tail) / tail))
		if off <= least {
			best, least, found = Bound{At: b.Upper, Tail: rate}, off, true
		}
	}
	return best, found
}

// At gives the settings for a bound. Near the median it is a difference that matters, since a quarter more slow requests
// would be every eighth one: 3 points fail and 10 pass. Further out it is a quarter more and 3 in 1,000 that fail, and
// twice as many and 10 in 1,000 that pass. A margin that a person has set is better than these.
func (s Settings) At(b Bound) Settings {
	s.Fail, s.Pass = Margin{Relative: 1.25, Absolute: 0.003}, Margin{Relative: 2, Absolute: 0.01}
	if b.Tail >= wideTail {
		s.Fail, s.Pass = Margin{Relative: 1, Absolute: 0.03}, Margin{Relative: 1, Absolute: 0.1}
	}
	return s
}

// Latency tests whether a candidate is slower than stable, by how many requests exceed a few bounds. No quantile is
// estimated, so that neither the width of buckets nor a few requests of a quiet minute make one up. Harm at one bound is
// harm; a candidate passes when it does at all of them.
type Latency struct {
	bounds []Bound
	tests  []*Counts
}

// NewLatency begins a test at bounds, each with its own settings. The odds of mistakes are those of the first.
//
// Where one bound has all of the evidence, it has to make up for the others. So the test at each is one with its part of the
// odds, which lets a batch gain a little more, and three batches are enough as they are for one bound alone.
func NewLatency(bounds []Bound, settings []Settings) (*Latency, error) {
	if len(bounds) == 0 || len(bounds) != len(settings) {
		return nil, fmt.Errorf("there are %d bounds and %d settings: each bound needs its own, and there must be one",
			len(bounds), len(settings))
	}
	l := &Latency{}
	for i, b := range bounds {
		test, err := NewCounts(settings[i].part(len(bounds)))
		if err != nil {
			return nil, fmt.Errorf("bounds[%d] at %v: %w", i, b.At, err)
		}
		l.bounds, l.tests = append(l.bounds, b), append(l.tests, test)
	}
	return l, nil
}

// part of the odds of a false abort for one of so many tests.
func (s Settings) part(tests int) Settings {
	s.FalseAbort /= float64(tests)
	return s
}

// Settings are those of the test as a whole: the odds of mistakes, and the margins of the first bound.
func (l *Latency) Settings() Settings {
	all := l.tests[0].Settings()
	all.FalseAbort *= float64(len(l.tests))
	return all
}

// Observe takes in one batch. The error says why its histograms can be none; then nothing has changed.
func (l *Latency) Observe(candidate, stable Histogram) error {
	var room [usualBounds]Batch
	seen := append(room[:0], make([]Batch, len(l.bounds))...)
	for i, bound := range l.bounds {
		seen[i] = Batch{Candidate: candidate.Above(bound.At), Stable: stable.Above(bound.At)}
		if err := seen[i].Check(); err != nil {
			return fmt.Errorf("slower than %v: %w", bound.At, err)
		}
	}
	for i, b := range seen {
		if err := l.tests[i].Observe(b); err != nil {
			return err
		}
	}
	return nil
}

// Step begins the next step at every bound.
func (l *Latency) Step() {
	for _, test := range l.tests {
		test.Step()
	}
}

// Fail is the logarithm of the evidence that the candidate is slower: the mean over the bounds.
func (l *Latency) Fail() float64 {
	var room [usualBounds]Part
	parts := room[:0]
	for _, test := range l.tests {
		parts = append(parts, Part{Weight: 1, Log: test.Fail()})
	}
	return Combine(parts)
}

// Pass is the logarithm of the least evidence, over the bounds, that the candidate is no slower. All must show it, so that
// no correction for their number is needed.
func (l *Latency) Pass() float64 {
	least := math.Inf(1)
	for _, test := range l.tests {
		least = min(least, test.Pass())
	}
	return least
}

// Bounds are the latencies that are tested at.
func (l *Latency) Bounds() []Bound { return slices.Clone(l.bounds) }

// Tests are the tests at the bounds, in their order.
func (l *Latency) Tests() []*Counts { return slices.Clone(l.tests) }
