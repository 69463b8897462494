package main

import (
	"fmt"
	"io"
	"math"
	"time"

	"github.com/sluice-dev/sluice/analysis/judge"
)

// sideBySide is the reference table, with what peers do on the same traffic.
func (e effort) sideBySide(out io.Writer) (misses []string) {
	fmt.Fprintf(out, "\nSide by side, a look each minute for an hour: aborted / median minutes; %d releases for evidence, %d for the others\n"+
		"  evidence: the bare comparison at α = 5 %%.  table: the same, as computed elsewhere.  defaults: α = 1 %% and margins, a look every 10 s\n"+
		"  threshold: Argo's, 1 %% of errors at a base of 0.1 %% and 5 %% at 1 %%, with a failureLimit of 0 and 3\n"+
		"  ranks: Kayenta's Mann-Whitney, each 10 minutes, against stable and against a baseline of the candidate's size\n\n"+
		"%6s %6s %6s %7s   %-10s %-9s %-10s %-10s %-10s %-10s %-10s\n", e.rollouts, e.rivals,
		"base", "share", "rps", "effect", "evidence", "table", "defaults", "limit 0", "limit 3", "ranks", "ranks =")
	for _, r := range rows() {
		w := world{rps: r.rps, share: r.share, base: r.base, effect: r.effect}
		twin := w // the candidate and a baseline as large
		twin.rps, twin.share = 2*w.rps*w.share, 0.5
		limit := 0.01
		if r.base > 0.001 {
			limit = 0.05
		}
		minutes := func(n int, w world, newDetector func() detector) outcome {
			return e.run(n, w, time.Minute, newDetector)
		}
		found := minutes(e.rollouts, w, func() detector { return newEvidence(bare(), w) })
		defaults := e.run(e.rivals, w, 10*time.Second, func() detector { return newEvidence(judge.Defaults(), w) })
		strict := minutes(e.rivals, w, func() detector { return &threshold{limit: limit, window: 1} })
		lenient := minutes(e.rivals, w, func() detector { return &threshold{limit: limit, window: 1, tolerate: 3} })
		ranked := minutes(e.rivals, w, func() detector { return &ranks{} })
		paired := minutes(e.rivals, twin, func() detector { return &ranks{} })
		misses = append(misses, r.verify(found)...)
		fmt.Fprintf(out, "%5.1f%% %5.0f%% %6.0f %7s   %-10s %-9s %-10s %-10s %-10s %-10s %-10s\n", 100*r.base, 100*r.share, r.rps,
			fmt.Sprintf("×%.0f", r.effect), found, r, defaults, strict, lenient, ranked, paired)
	}
	return misses
}

// String shows a row as outcomes are shown.
func (r row) String() string {
	if r.minutes == 0 {
		return fmt.Sprintf("%.0f%%/-", r.found)
	}
	return fmt.Sprintf("%.0f%%/%.0f", r.found, r.minutes)
}

// verify adds a miss when less was found than the table says, or later, beyond what chance explains. The table is rounded
// to whole percents and minutes, and was simulated with some hundred releases per row.
func (r row) verify(found outcome) (misses []string) {
	name := fmt.Sprintf("base %g, share %g, %g rps, effect %g", r.base, r.share, r.rps, r.effect)
	if r.effect == 1 {
		return found.verify(name, bare().FalseAbort)
	}
	p := r.found / 100
	spread := 0.005 + 3*math.Sqrt(math.Max(p*(1-p), 0.0025)*(1/400.0+1/float64(found.releases)))
	if found.rate() < p-spread {
		misses = append(misses, fmt.Sprintf("%s: %.1f %% found, want %.0f %% but for %.1f", name, 100*found.rate(), r.found, 100*spread))
	}
	if latest := r.minutes + math.Max(1, 0.15*r.minutes); r.minutes > 0 && found.median() > latest {
		misses = append(misses, fmt.Sprintf("%s: half were found after %.0f minutes, want %.0f at most", name, found.median(), latest))
	}
	return misses
}
