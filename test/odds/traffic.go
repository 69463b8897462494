package main

import (
	"math"
	"math/rand/v2"
	"time"

	"github.com/sluice-dev/sluice/analysis/judge"
)

// hour is how long a simulated release lasts.
const hour = time.Hour

// world is traffic on two versions. Functions of time make it drift; nil ones do not.
type world struct {
	name string
	// rps of both versions together, and the candidate's share of it, 0 to 1.
	rps, share float64
	// base is stable's rate of bad requests, and effect how many times as high the candidate's is, beside more.
	base, effect, more float64
	// weight is the share at a time.
	weight func(at time.Duration) float64
	// level multiplies the rates of both versions at a time, and alone the candidate's.
	level, alone func(at time.Duration) float64
	// burst is the mean number of bad requests with one cause; 0 is 1.
	burst float64
}

// shareAt is the candidate's share of requests at a time.
func (w world) shareAt(at time.Duration) float64 {
	if w.weight == nil {
		return w.share
	}
	return w.weight(at)
}

// draw makes one batch that begins at a time.
func (w world) draw(random *rand.Rand, at, length time.Duration) judge.Batch {
	stable := w.base
	if w.level != nil {
		stable *= w.level(at)
	}
	candidate := stable*w.effect + w.more
	if w.alone != nil {
		candidate *= w.alone(at)
	}
	all, share := w.rps*length.Seconds(), w.shareAt(at)
	return judge.Batch{
		Candidate: w.arm(random, all*share, candidate),
		Stable:    w.arm(random, all*(1-share), stable),
	}
}

// arm draws the requests of one version. Their number is rounded from a normal distribution; those that are bad are drawn
// exactly, one cause after another.
func (w world) arm(random *rand.Rand, mean, rate float64) judge.Arm {
	total := math.Max(math.Round(mean+math.Sqrt(mean)*random.NormFloat64()), 0)
	burst := math.Max(w.burst, 1)
	rate = math.Min(rate, 1) / burst
	if rate <= 0 {
		return judge.Arm{Total: total}
	}
	if rate >= 1 {
		return judge.Arm{Bad: total, Total: total}
	}
	bad := 0.0
	gap := -1 / math.Log1p(-rate) // the number of good requests between two causes is exponential, cut to a whole number
	for i := math.Floor(random.ExpFloat64() * gap); i < total; i += 1 + math.Floor(random.ExpFloat64()*gap) {
		bad++
		for burst > 1 && random.Float64() > 1/burst {
			bad++
		}
	}
	return judge.Arm{Bad: math.Min(bad, total), Total: total}
}

// detector decides, batch by batch, whether to abort.
type detector interface {
	// observe takes in a batch that ended at a time, and says whether the candidate is aborted.
	observe(b judge.Batch, at time.Duration) bool
}

// release plays one release of an hour, with a look after each batch, and says when the candidate was aborted; false when
// it was not.
func release(w world, d detector, every time.Duration, random *rand.Rand) (time.Duration, bool) {
	for at := time.Duration(0); at < hour; at += every {
		if d.observe(w.draw(random, at, every), at+every) {
			return at + every, true
		}
	}
	return 0, false
}

// stream is the random source of one release: the same for every detector, so that they see the same traffic.
func stream(seed uint64, rollout int) *rand.Rand { return rand.New(rand.NewPCG(seed, uint64(rollout))) }

// stepwise raises the candidate's share from 5 to 20 to 50 %, for twenty minutes each.
func stepwise(at time.Duration) float64 {
	switch {
	case at < 20*time.Minute:
		return 0.05
	case at < 40*time.Minute:
		return 0.2
	}
	return 0.5
}

// between is a factor within a span of time, and 1 outside.
func between(from, to time.Duration, factor float64) func(time.Duration) float64 {
	return func(at time.Duration) float64 {
		if at >= from && at < to {
			return factor
		}
		return 1
	}
}

// drifting goes up to three times as high and back, twice in an hour.
func drifting(at time.Duration) float64 {
	return 2 + math.Sin(4*math.Pi*at.Hours())
}
