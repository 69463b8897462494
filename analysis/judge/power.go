package judge

import (
	"math"
	"slices"
)

const (
	// quantile80 is the quantile of the normal distribution at 80 %, the odds with which an effect counts as detectable.
	quantile80 = 0.8416
	// mixed is what the mean over effects costs at least, in the logarithm of evidence, and adapted is by how much less it
	// costs than the sum at the mean of all counts says, as evidence follows the effect that was really seen. With both, 81
	// to 87 % of simulated effects of a size to be found with 80 % were found.
	mixed, adapted = 1, 0.8
)

// Load is how many requests are expected in one batch.
type Load struct {
	// Candidate and Stable requests.
	Candidate, Stable float64
}

// gains are mean and variance of what the logarithm of evidence gains, for one effect.
type gains struct{ mean, variance float64 }

// odds that a sum of such gains exceeds a limit.
func (g gains) odds(limit float64) float64 {
	if g.variance <= 0 {
		return 0
	}
	return 0.5 * math.Erfc((limit-g.mean)/math.Sqrt(2*g.variance))
}

// capped are gains of which no more than a cap counts: what varies beyond it counts as little as the mean does.
func (g gains) capped(most float64) gains {
	if g.mean <= most {
		return g
	}
	part := most / g.mean
	return gains{mean: most, variance: g.variance * part * part}
}

// gain of one batch for one effect when stable and candidate have these rates. Counts vary φ times as much as independent
// ones, and evidence is raised to 1/φ, so that the variance falls by φ.
func (h *harm) gain(j int, load Load, stable, candidate float64, settings Settings) gains {
	margin := settings.Fail
	w := share(margin.Relative, load.Candidate, load.Stable)
	bad, badStable := candidate*load.Candidate, stable*load.Stable
	if w == 0 {
		badStable = 0
	}
	d := h.effect[j] * w
	logB := -log1p(d)
	logA := h.logG[j] + logB
	above := h.effect[j] * (1 - w) / (1 + d)
	return gains{
		mean:     (bad*logA + badStable*logB - above*margin.Absolute*load.Candidate) / settings.Dispersion,
		variance: (bad*logA*logA + badStable*logB*logB) / settings.Dispersion,
	}
}

// needed is the logarithm of evidence that a test needs for one effect, together with what looking for several effects and
// beginnings costs it. An effect in the midst of others that gain as much costs little. One at the edge, such as a harm
// that hardly exceeds the margin, costs up to ln 32.
func (s Settings) needed(means [effects]float64) float64 {
	top := slices.Max(means[:])
	cost := math.Log(effects) - (logSum(math.Inf(-1), means[:]) - top) - adapted
	return s.FailAt() + max(cost, mixed) + math.Log(float64(max(s.Steps, 1)))
}

// Odds foretells, for each batch of a plan, how likely a candidate with harm from the start has failed by then. Rates are
// the shares of bad requests, 0 to 1. It is an approximation by normal distributions: against simulations it is
// off by up to a tenth, and times by a sixth, where ten bad requests and more are expected, and rough below.
func Odds(settings Settings, plan []Load, stable, candidate float64) []float64 {
	h := newHarm(1)
	var sums [effects]gains
	odds := make([]float64, len(plan))
	best := 0.0
	for i, load := range plan {
		if tells(Batch{Candidate: Arm{Total: load.Candidate}, Stable: Arm{Total: load.Stable}}, settings.Fail) {
			for j := range sums {
				g := h.gain(j, load, stable, candidate, settings).capped(settings.cap())
				sums[j].mean += g.mean
				sums[j].variance += g.variance
			}
		}
		if i+1 >= settings.Agreement {
			needed := settings.needed(means(sums, 1))
			for j := range sums {
				best = max(best, sums[j].odds(needed))
			}
		}
		odds[i] = best
	}
	return odds
}

// means are the means of gains, times a factor.
func means(sums [effects]gains, times float64) (out [effects]float64) {
	for j, g := range sums {
		out[j] = times * g.mean
	}
	return out
}

// Detectable is the smallest ratio of the candidate's rate to stable's that a plan finds with odds of 80 %; +∞ when it
// finds none that is possible.
func Detectable(settings Settings, plan []Load, stable float64) float64 {
	finds := func(ratio float64) bool {
		odds := Odds(settings, plan, stable, stable*ratio)
		return len(odds) > 0 && odds[len(odds)-1] >= 0.8
	}
	most := 1 / stable
	if !(stable > 0 && stable <= 1) || !finds(most) {
		return math.Inf(1)
	}
	from, to := 0.0, math.Log(most)
	for range bisections {
		middle := (from + to) / 2
		if finds(math.Exp(middle)) {
			to = middle
		} else {
			from = middle
		}
	}
	return math.Exp(to)
}

// Needed is how many requests of the candidate it takes to find, with odds of 80 %, one that just exceeds the margin for a
// pass, at the shares and at the rate of stable that were seen. It is +∞ when nothing was seen to tell it from. A test
// that has seen as many and found no harm has not proved that there is none, but would have found what matters.
func Needed(settings Settings, seen Batch) float64 {
	if !tells(seen, settings.Fail) {
		return math.Inf(1)
	}
	h := newHarm(1)
	stable := seen.Stable.Rate()
	load := Load{Candidate: seen.Candidate.Total, Stable: seen.Stable.Total}
	var sums [effects]gains
	for j := range sums {
		sums[j] = h.gain(j, load, stable, settings.Pass.Of(stable), settings)
	}
	// What the mean over effects costs depends on how much is gained in the end. The first round takes the least.
	times := leastTimes(sums, settings.needed([effects]float64{}))
	for range 3 {
		if !math.IsInf(times, 1) {
			times = leastTimes(sums, settings.needed(means(sums, times)))
		}
	}
	return times * load.Candidate
}

// leastTimes is how many times as much must be seen for some effect to gain as much as is needed, with odds of 80 %:
// the least k for which k·mean − z·√(k·variance) = needed, solved for √k.
func leastTimes(sums [effects]gains, needed float64) float64 {
	least := math.Inf(1)
	for _, g := range sums {
		if g.mean > 0 {
			z := quantile80 * math.Sqrt(g.variance)
			root := (z + math.Sqrt(z*z+4*g.mean*needed)) / (2 * g.mean)
			least = min(least, root*root)
		}
	}
	return least
}
