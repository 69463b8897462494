package judge

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
)

// Verdict on a candidate.
type Verdict string

const (
	// Undecided: neither is shown yet, and there is time.
	Undecided Verdict = "Undecided"
	// Failed: the candidate does harm.
	Failed Verdict = "Failed"
	// Passed: it does none, or enough was seen to have found what matters.
	Passed Verdict = "Passed"
	// Inconclusive: the time is up, and too little was seen.
	Inconclusive Verdict = "Inconclusive"
)

// Metric is what one metric brings to a verdict.
type Metric struct {
	// Name of the metric.
	Name string
	// Weight among the evidence of all metrics; 0 counts as 1.
	Weight float64
	// DryRun metrics are shown and decide nothing.
	DryRun bool
	// Fail and Pass are the logarithms of the evidence.
	Fail, Pass float64
	// Requests of the candidate that were seen, and how many it takes. See Needed.
	Requests, Needed float64
}

// weight of a metric that decides, and 0 of one that does not.
func (m Metric) weight() float64 {
	switch {
	case m.DryRun:
		return 0
	case m.Weight > 0:
		return m.Weight
	}
	return 1
}

// Rule is when a verdict may fall.
type Rule struct {
	// FalseAbort and FalsePass are α and β, as in Settings. Several metrics share one α.
	FalseAbort, FalsePass float64
	// MayPass says that a step has lasted as long, and seen as many requests, as a pass needs at least.
	MayPass bool
	// Over says that there is no more time.
	Over bool
}

// Decision is a verdict with its reasons.
type Decision struct {
	// Verdict on the candidate.
	Verdict Verdict
	// Proven says, of a pass, that the candidate is shown to stay below the margin. Otherwise it is not disproved.
	Proven bool
	// Evidence is the logarithm of the evidence of harm, of all metrics together.
	Evidence float64
	// Leading are the names of the metrics, those with most evidence of harm first, dry runs left out.
	Leading []string
	// Lacking says, for each metric that saw too little, how much it would need. Empty unless Inconclusive.
	Lacking []string
}

// Decide gives the verdict of several metrics. Harm that is shown outranks all else. A candidate passes when every metric
// shows none, so that no correction for their number is needed. When the time is up, it passes too if each metric that
// does not show it saw enough to have found what matters. Without any metric that decides it is Inconclusive at the end.
func Decide(metrics []Metric, rule Rule) Decision {
	decision := Decision{Verdict: Undecided}
	var parts []Part
	deciding := slices.DeleteFunc(slices.Clone(metrics), func(m Metric) bool { return m.weight() == 0 })
	slices.SortStableFunc(deciding, func(a, b Metric) int {
		return cmp.Compare(b.Fail+math.Log(b.weight()), a.Fail+math.Log(a.weight()))
	})
	proven := len(deciding) > 0
	for _, m := range deciding {
		parts = append(parts, Part{Weight: m.weight(), Log: m.Fail})
		decision.Leading = append(decision.Leading, m.Name)
		proven = proven && m.Pass >= -math.Log(rule.FalsePass)
	}
	decision.Evidence = Combine(parts)
	switch {
	case decision.Evidence >= -math.Log(rule.FalseAbort):
		decision.Verdict = Failed
	case proven && (rule.MayPass || rule.Over):
		decision.Verdict, decision.Proven = Passed, true
	case rule.Over:
		decision.Verdict, decision.Lacking = atTheEnd(deciding, rule)
	}
	return decision
}

// atTheEnd is the verdict when neither is shown and there is no more time.
func atTheEnd(metrics []Metric, rule Rule) (Verdict, []string) {
	var lacking []string
	for _, m := range metrics {
		if m.Pass < -math.Log(rule.FalsePass) && !(m.Requests >= m.Needed) {
			lacking = append(lacking, m.lacks())
		}
	}
	if len(lacking) > 0 || len(metrics) == 0 {
		return Inconclusive, lacking
	}
	return Passed, nil
}

// lacks says how much more a metric would need.
func (m Metric) lacks() string {
	seen := fmt.Sprintf("%s: %.0f requests of the candidate", m.Name, m.Requests)
	if m.Requests == 0 || math.IsInf(m.Needed, 1) {
		return seen + ", and nothing to compare; look whether traffic reaches both versions"
	}
	return seen + fmt.Sprintf(", about %s are needed; raise the weight or give it %.1f times as long",
		Rounded(m.Needed), m.Needed/m.Requests)
}

// Rounded gives two digits of a count: more would promise what a forecast cannot hold.
func Rounded(n float64) string {
	if n < 100 {
		return fmt.Sprintf("%.0f", math.Ceil(n))
	}
	unit := math.Pow(10, math.Floor(math.Log10(n))-1)
	return Thousands(fmt.Sprintf("%.0f", math.Ceil(n/unit)*unit))
}

// Thousands puts commas into a whole number.
func Thousands(digits string) string {
	var parts []string
	for len(digits) > 3 {
		parts = append([]string{digits[len(digits)-3:]}, parts...)
		digits = digits[:len(digits)-3]
	}
	return strings.Join(append([]string{digits}, parts...), ",")
}
