package analysis

import (
	"context"
	"fmt"
	"strings"

	"github.com/sluice-dev/sluice/analysis/judge"
	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// slo compares the candidate's share of bad requests with an objective, and with no stable: the test of a ratio with a
// relative margin of 0.
type slo struct{ metric *v1alpha1.Metric }

func (slo) field() string { return "slo" }

func (slo) alone() bool { return true }

func (s slo) selectors() []selector {
	spec := s.metric.SLO
	return []selector{{"slo.candidate.bad", &spec.Candidate.Bad}, {"slo.candidate.total", &spec.Candidate.Total}}
}

func (s slo) check() error {
	if err := checkSelectors(s.selectors()); err != nil {
		return err
	}
	_, err := s.settings(odds{falseAbort: judge.Defaults().FalseAbort})
	return err
}

func (s slo) count(ctx context.Context, ask question) (Count, error) {
	counter, ok := ask.Provider.(Counter)
	if !ok {
		return Count{}, errNoCounter()
	}
	spec := s.metric.SLO
	return counter.Count(ctx, CountQuery{
		Source:    s.metric.Provider,
		Candidate: Selectors{Bad: spec.Candidate.Bad, Total: spec.Candidate.Total},
		From:      ask.from, To: ask.to,
		Secrets: ask.Secrets,
	})
}

func (s slo) resume(odds odds, left *v1alpha1.Comparison) (test, error) {
	settings, err := s.settings(odds)
	if err != nil {
		return nil, err
	}
	return resumeCounts(settings, left)
}

// settings of the test: what passes may have twice as many bad requests as what fails, as for a ratio.
func (s slo) settings(odds odds) (judge.Settings, error) {
	settings := judge.Defaults()
	good, err := percent("slo.objective", s.metric.SLO.Objective, 0)
	if err != nil {
		return settings, err
	}
	if good >= 1 || good == 0 {
		return settings, &Fault{Reason: v1alpha1.ReasonQueryInvalid, Field: "slo.objective", Message: fmt.Sprintf(
			"%q leaves no bad requests or no good ones; write the share of good requests, such as \"99.5%%\"", s.metric.SLO.Objective)}
	}
	bad := 1 - good
	settings.Fail = judge.Margin{Absolute: bad}
	settings.Pass = judge.Margin{Absolute: min(passOverFailAbsolute*bad, (1+bad)/2)}
	settings.FalseAbort, settings.Steps = odds.falseAbort, odds.steps
	if settings.Dispersion, err = dispersion(s.metric); err != nil {
		return settings, err
	}
	if err := settings.Check(); err != nil {
		return settings, &Fault{Reason: v1alpha1.ReasonQueryInvalid, Field: "slo", Message: err.Error()}
	}
	return settings, nil
}

func (s slo) told(c v1alpha1.Comparison) string {
	seen := seenOf(c).Candidate
	text := arm("candidate", seen)
	if seen.Total > 0 {
		text += fmt.Sprintf(", %s%% good", formatGood(seen))
	}
	return text + ", objective " + s.metric.SLO.Objective
}

// formatGood is the share of good requests in percent, rounded so that what misses an objective is not told to meet it.
func formatGood(a judge.Arm) string {
	text := fmt.Sprintf("%.4f", 100*(1-a.Rate()))
	return strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
}
