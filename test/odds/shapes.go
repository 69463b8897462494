package main

import (
	"fmt"
	"io"
	"time"

	"github.com/sluice-dev/sluice/analysis/judge"
)

// shapes are releases without harm whose traffic is not even: errors that come together, incidents, drift, and steps.
func (e effort) shapes(out io.Writer) (misses []string) {
	fmt.Fprintf(out, "\nCandidates without harm under traffic that is not even, at 100 rps, a look every 10 s for an hour: aborted\n"+
		"  thresholds: 1 %% of errors (36 %% where 30 %% are bad anyway) in 1 minute, or in 5 overlapping ones, 3 failures tolerated\n\n"+
		"%-46s %-10s %-10s %-12s %-12s\n", "", "α = 5 %", "defaults", "1 minute", "5 minutes")
	for _, w := range uneven() {
		settings := bare()
		settings.Dispersion = max(2*w.burst-1, 1)
		defaults := judge.Defaults()
		defaults.Dispersion = max(defaults.Dispersion, settings.Dispersion)
		if w.weight != nil {
			settings.Steps, defaults.Steps = 3, 3
		}
		tempered := e.run(e.rollouts, w, 10*time.Second, func() detector { return newEvidence(settings, w) })
		guarded := e.run(e.rollouts, w, 10*time.Second, func() detector { return newEvidence(defaults, w) })
		limit := max(0.01, 1.2*w.base)
		one := e.run(e.rivals, w, time.Minute, func() detector { return &threshold{limit: limit, tolerate: 3, window: 1} })
		five := e.run(e.rivals, w, time.Minute, func() detector { return &threshold{limit: limit, tolerate: 3, window: 5} })
		if w.alone == nil {
			misses = append(misses, tempered.verify(w.name, settings.FalseAbort)...)
		}
		misses = append(misses, guarded.verify(w.name+", defaults", defaults.FalseAbort)...)
		fmt.Fprintf(out, "%-46s %-10s %-10s %-12s %-12s\n", w.name, tempered, guarded, one, five)
	}
	return misses
}

// uneven lists them. The glitch is harm, by the letter; the cap of the defaults is there to forgive it.
func uneven() []world {
	const rps, share, base = 100, 0.1, 0.001
	worlds := []world{
		{name: "both versions ×50 for 5 minutes", level: between(20*time.Minute, 25*time.Minute, 50)},
		{name: "both versions ×50 for the first 5 minutes", level: between(0, 5*time.Minute, 50)},
		{name: "30 % of errors on the candidate alone for 20 s", alone: between(20*time.Minute, 20*time.Minute+20*time.Second, 300)},
		{name: "rates that drift threefold", level: drifting},
		{name: "30 % of requests bad on both", base: 0.3},
		{name: "5, 20 and 50 % of traffic", weight: stepwise},
		{name: "5, 20 and 50 %, while rates drift", weight: stepwise, level: drifting},
		{name: "bursts of 2 on average", burst: 2},
		{name: "bursts of 3 on average", burst: 3},
		{name: "bursts of 5 on average", burst: 5},
		{name: "bursts of 3 on average, half of traffic", burst: 3, share: 0.5},
	}
	for i := range worlds {
		w := &worlds[i]
		w.rps, w.effect = rps, 1
		if w.share == 0 {
			w.share = share
		}
		if w.base == 0 {
			w.base = base
		}
	}
	return worlds
}
