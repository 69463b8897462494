package main

import (
	"fmt"
	"io"
	"math"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sluice-dev/sluice/analysis/judge"
)

// effort is how many releases are simulated.
type effort struct {
	rollouts, rivals int
	seed             uint64
}

// outcome of many releases.
type outcome struct {
	releases int
	aborted  []time.Duration // when, in order
}

// play simulates releases on all processors. Each has its own random source, so that their number changes nothing.
func play(n int, seed uint64, one func(seed uint64, rollout int) (time.Duration, bool)) outcome {
	result := outcome{releases: n}
	workers := runtime.GOMAXPROCS(0)
	parts := make([][]time.Duration, workers)
	var group errgroup.Group
	for worker := range workers {
		group.Go(func() error {
			for i := worker; i < n; i += workers {
				if at, aborted := one(seed, i); aborted {
					parts[worker] = append(parts[worker], at)
				}
			}
			return nil
		})
	}
	_ = group.Wait() // no simulation returns an error
	result.aborted = slices.Concat(parts...)
	slices.Sort(result.aborted)
	return result
}

// rate is the part of releases that were aborted.
func (o outcome) rate() float64 { return float64(len(o.aborted)) / float64(o.releases) }

// upper is the upper end of Wilson's interval of 95 % for the rate.
func (o outcome) upper() float64 {
	const z = 1.959964
	n, p := float64(o.releases), o.rate()
	return (p + z*z/(2*n) + z*math.Sqrt(p*(1-p)/n+z*z/(4*n*n))) / (1 + z*z/n)
}

// median is after how many minutes half of all releases were aborted; +∞ when fewer were.
func (o outcome) median() float64 {
	if 2*len(o.aborted) < o.releases {
		return math.Inf(1)
	}
	return o.aborted[(o.releases+1)/2-1].Minutes()
}

// String shows an outcome as the tables do: percent, and the median in minutes.
func (o outcome) String() string {
	percent := fmt.Sprintf("%.0f%%", 100*o.rate())
	if r := 100 * o.rate(); r > 0 && r < 10 {
		percent = fmt.Sprintf("%.1f%%", r)
	}
	if median := o.median(); !math.IsInf(median, 1) {
		if median < 10 && median != math.Floor(median) {
			return fmt.Sprintf("%s/%.1f", percent, median)
		}
		return fmt.Sprintf("%s/%.0f", percent, median)
	}
	return percent + "/-"
}

// bare compares without margin, tempering and cap, at an α of 5 %: what the reference table has.
func bare() judge.Settings {
	s := judge.Defaults()
	s.Fail, s.FalseAbort, s.Dispersion, s.Agreement = judge.Margin{Relative: 1}, 0.05, 1, 0
	return s
}

// run plays releases of one world against detectors that are made anew for each.
func (e effort) run(n int, w world, every time.Duration, newDetector func() detector) outcome {
	return play(n, e.seed, func(seed uint64, rollout int) (time.Duration, bool) {
		return release(w, newDetector(), every, stream(seed, rollout))
	})
}

// study prints all tables and gives what is worse than it may be.
func study(out io.Writer, size effort) []string {
	misses := size.falseAborts(out)
	misses = append(misses, size.shapes(out)...)
	return append(misses, size.sideBySide(out)...)
}

// verify adds a miss when more releases were aborted than α, or may have been by half as many again.
func (o outcome) verify(what string, alpha float64) []string {
	if o.rate() <= alpha && o.upper() < 1.5*alpha {
		return nil
	}
	return []string{fmt.Sprintf("%s: %.2f %% of releases without harm were aborted, %.2f %% at most with 95 %%; want %.2f %%",
		what, 100*o.rate(), 100*o.upper(), 100*alpha)}
}

// falseAborts looks every 10 s for an hour at candidates without harm, at the rates of the reference table.
func (e effort) falseAborts(out io.Writer) (misses []string) {
	fmt.Fprintf(out, "Candidates without harm, a look every 10 s for an hour, %d releases each: aborted, and the upper end of 95 %%\n"+
		"  equal rates: the bare comparison at α = 5 %%.  at the margin: the defaults, α = 1 %%, and a candidate that has all they tolerate\n\n"+
		"%6s %6s %6s   %-18s %-18s\n", e.rollouts, "base", "share", "rps", "equal rates", "at the margin")
	for _, r := range rows() {
		if r.effect != 1 {
			continue
		}
		w := world{rps: r.rps, share: r.share, base: r.base, effect: 1}
		equal := e.run(e.rollouts, w, 10*time.Second, func() detector { return newEvidence(bare(), w) })
		margin := judge.Defaults().Fail
		w.effect, w.more = margin.Relative, margin.Absolute
		edge := e.run(e.rollouts, w, 10*time.Second, func() detector { return newEvidence(judge.Defaults(), w) })
		name := fmt.Sprintf("base %g, share %g, %g rps", r.base, r.share, r.rps)
		misses = append(misses, equal.verify(name+", equal rates", bare().FalseAbort)...)
		misses = append(misses, edge.verify(name+", at the margin", judge.Defaults().FalseAbort)...)
		fmt.Fprintf(out, "%5.1f%% %5.0f%% %6.0f   %-18s %-18s\n", 100*r.base, 100*r.share, r.rps, equal.interval(), edge.interval())
	}
	return misses
}

// interval shows a rate and its upper end.
func (o outcome) interval() string {
	return fmt.Sprintf("%.2f%%  ≤ %.2f%%", 100*o.rate(), 100*o.upper())
}
