package analysis

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/sluice-dev/sluice/analysis/judge"
	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// passOverFail is by how many times what passes may exceed what fails: with the defaults, a quarter more fails and
// twice as many do not pass. Between both lies what is neither shown to be harm nor to be none.
const passOverFailRelative, passOverFailAbsolute = 4, 2

// selectorForm is a series selector: a name, matchers in braces, or both. Nothing follows, so that a range can.
var selectorForm = regexp.MustCompile(
	"^\\s*(?:[a-zA-Z_:][a-zA-Z0-9_:]*)?\\s*(?:\\{(?:[^{}\"'`#]|\"(?:[^\"\\\\]|\\\\.)*\"|'(?:[^'\\\\]|\\\\.)*'|`[^`]*`)*\\})?\\s*$")

// ratio compares the share of bad requests of both versions.
type ratio struct{ metric *v1alpha1.Metric }

func (ratio) field() string { return "ratio" }

func (ratio) alone() bool { return false }

func (ratio) told(c v1alpha1.Comparison) string { return factor(c) + served(seenOf(c)) }

func (r ratio) selectors() []selector {
	spec := r.metric.Ratio
	return []selector{
		{"ratio.candidate.bad", &spec.Candidate.Bad},
		{"ratio.candidate.total", &spec.Candidate.Total},
		{"ratio.stable.bad", &spec.Stable.Bad},
		{"ratio.stable.total", &spec.Stable.Total},
	}
}

func (r ratio) check() error {
	if err := checkSelectors(r.selectors()); err != nil {
		return err
	}
	_, err := r.settings(odds{falseAbort: judge.Defaults().FalseAbort})
	return err
}

func (r ratio) count(ctx context.Context, ask question) (Count, error) {
	counter, ok := ask.Provider.(Counter)
	if !ok {
		return Count{}, errNoCounter()
	}
	spec := r.metric.Ratio
	return counter.Count(ctx, CountQuery{
		Source:    r.metric.Provider,
		Candidate: Selectors{Bad: spec.Candidate.Bad, Total: spec.Candidate.Total},
		Stable:    Selectors{Bad: spec.Stable.Bad, Total: spec.Stable.Total},
		From:      ask.from, To: ask.to,
		Secrets: ask.Secrets,
	})
}

func (r ratio) resume(odds odds, left *v1alpha1.Comparison) (test, error) {
	settings, err := r.settings(odds)
	if err != nil {
		return nil, err
	}
	return resumeCounts(settings, left)
}

// settings of the test, with these odds.
func (r ratio) settings(odds odds) (judge.Settings, error) {
	settings := judge.Defaults()
	relative, err := percent("ratio.maxRelativeIncrease", r.metric.Ratio.MaxRelativeIncrease, settings.Fail.Relative-1)
	if err != nil {
		return settings, err
	}
	absolute, err := percent("ratio.maxAbsoluteIncrease", r.metric.Ratio.MaxAbsoluteIncrease, settings.Fail.Absolute)
	if err != nil {
		return settings, err
	}
	settings.Fail, settings.Pass = margins(relative, absolute)
	settings.FalseAbort, settings.Steps = odds.falseAbort, odds.steps
	if settings.Dispersion, err = dispersion(r.metric); err != nil {
		return settings, err
	}
	if err := settings.Check(); err != nil {
		return settings, &Fault{Reason: v1alpha1.ReasonQueryInvalid, Field: "ratio", Message: err.Error()}
	}
	return settings, nil
}

// margins of what fails and of what does not pass, where so much more than stable is tolerated.
func margins(relative, absolute float64) (fail, pass judge.Margin) {
	return judge.Margin{Relative: 1 + relative, Absolute: absolute}, judge.Margin{
		Relative: 1 + passOverFailRelative*max(relative, 0.01), Absolute: passOverFailAbsolute * max(absolute, 0.0001),
	}
}

// checkSelectors finds a text that is no series selector.
func checkSelectors(all []selector) error {
	for _, s := range all {
		if strings.TrimSpace(*s.text) == "" || !selectorForm.MatchString(*s.text) {
			return &Fault{Reason: v1alpha1.ReasonQueryInvalid, Field: s.field, Message: fmt.Sprintf(
				"%q is no series selector; write one without a function or a range, such as http_requests_total{pod=~\"web-.*\"}",
				clip(*s.text, maxInMessages))}
		}
	}
	return nil
}

// percent reads a number such as "25%"; an empty text is the default.
func percent(field, text string, otherwise float64) (float64, error) {
	if text == "" {
		return otherwise, nil
	}
	value, err := strconv.ParseFloat(strings.TrimSuffix(text, "%"), 64)
	if err != nil || !strings.HasSuffix(text, "%") || !(value >= 0 && value <= 50_000) {
		return 0, &Fault{Reason: v1alpha1.ReasonQueryInvalid, Field: field, Message: fmt.Sprintf(
			"%q is no percentage; write one such as \"25%%\"", text)}
	}
	return value / 100, nil
}
