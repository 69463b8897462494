package main

import (
	"math"
	"slices"
	"time"

	"github.com/sluice-dev/sluice/analysis/judge"
)

// evidence is the detector of package judge.
type evidence struct {
	test   *judge.Counts
	weight func(time.Duration) float64
	share  float64
}

// newEvidence tests with these settings, and begins a step when the weight of the world changes.
func newEvidence(settings judge.Settings, w world) *evidence {
	test, err := judge.NewCounts(settings)
	if err != nil {
		panic(err)
	}
	return &evidence{test: test, weight: w.weight, share: w.shareAt(0)}
}

func (e *evidence) observe(b judge.Batch, at time.Duration) bool {
	if err := e.test.Observe(b); err != nil {
		panic(err)
	}
	if e.weight != nil && e.weight(at) != e.share {
		e.share = e.weight(at)
		e.test.Step()
	}
	return e.test.Fail() >= e.test.Settings().FailAt()
}

// threshold aborts when the candidate's rate of bad requests in a window exceeds a limit in more measurements than are
// tolerated, as Argo Rollouts does: they are counted over the whole analysis, and one without requests is left out.
type threshold struct {
	limit    float64
	tolerate int
	// window of a measurement, in batches of a minute; more than one overlap.
	window int
	recent []judge.Arm
	failed int
}

func (t *threshold) observe(b judge.Batch, _ time.Duration) bool {
	t.recent = append(t.recent, b.Candidate)
	if len(t.recent) > t.window {
		t.recent = t.recent[1:]
	}
	var sum judge.Arm
	for _, arm := range t.recent {
		sum.Bad += arm.Bad
		sum.Total += arm.Total
	}
	if sum.Total > 0 && sum.Rate() > t.limit {
		t.failed++
	}
	return t.failed > t.tolerate
}

const (
	// judgeEvery and leastPoints are how Kayenta is run: a judgement every ten minutes, over all minutes so far.
	judgeEvery = 10 * time.Minute
	// certain is the quantile of its confidence interval of 98 %, on each side.
	certain = 2.3263478740408408
	// toleratedShift is the part of the estimated shift that the interval must exceed.
	toleratedShift = 0.25
)

// ranks judges as Kayenta does: it compares the rates of single minutes by the Mann-Whitney test, inverted for the
// interval of a shift, and fails when the shift is up by more than a quarter of its own estimate. It has its own sum of
// ranks, since Kayenta uses the normal approximation with ties and a correction for continuity also where libraries count
// exactly, and compares a shifted sample.
type ranks struct {
	candidate, stable []float64
}

func (r *ranks) observe(b judge.Batch, at time.Duration) bool {
	if b.Candidate.Total > 0 {
		r.candidate = append(r.candidate, b.Candidate.Rate())
	}
	if b.Stable.Total > 0 {
		r.stable = append(r.stable, b.Stable.Rate())
	}
	if at%judgeEvery != 0 || len(r.candidate) == 0 || len(r.stable) == 0 {
		return false
	}
	shift := medianShift(r.candidate, r.stable)
	return deviation(r.candidate, r.stable, toleratedShift*math.Abs(shift)) > certain
}

// medianShift is the estimate of Hodges and Lehmann: the median of all differences.
func medianShift(a, b []float64) float64 {
	all := make([]float64, 0, len(a)*len(b))
	for _, x := range a {
		for _, y := range b {
			all = append(all, x-y)
		}
	}
	slices.Sort(all)
	return all[len(all)/2]
}

// deviation is by how many standard deviations the sum of ranks of a, shifted down, exceeds what equal samples have.
func deviation(a, b []float64, shift float64) float64 {
	n, m := float64(len(a)), float64(len(b))
	wins := 0.0 // pairs that a wins, with half of those that are even
	all := slices.Clone(b)
	for _, x := range a {
		x -= shift
		all = append(all, x)
		for _, y := range b {
			switch {
			case x > y:
				wins++
			case x == y:
				wins += 0.5
			}
		}
	}
	variance := n * m / 12 * (n + m + 1 - ties(all)/((n+m)*(n+m-1)))
	if variance <= 0 {
		return 0
	}
	return (wins - n*m/2 - 0.5) / math.Sqrt(variance)
}

// ties is the sum of t³ − t over groups of t equal values.
func ties(values []float64) float64 {
	slices.Sort(values)
	sum := 0.0
	for i := 0; i < len(values); {
		j := i
		for j < len(values) && values[j] == values[i] {
			j++
		}
		t := float64(j - i)
		sum += t*t*t - t
		i = j
	}
	return sum
}
