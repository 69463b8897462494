package analysis

import (
	"regexp"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// fallbackForm is a number that takes the place of nothing: "or vector(0)", "or on() vector(1)".
var fallbackForm = regexp.MustCompile(`(?i)(^|[^A-Za-z0-9_:.])or\s*(on\s*\(\s*\)\s*)?vector\s*\(\s*\)`)

// checkFallback refuses a query that makes a number of nothing at all. A candidate without series, whose pods do not run
// or are not scraped, would have a figure then, and be judged by it. Within a part of a query it is in order: that there
// are no errors, where there are requests, is 0.
func checkFallback(metric v1alpha1.Metric) error {
	p := metric.Provider.Prometheus
	if p == nil || !fallbackForm.MatchString(outside(p.Query)) {
		return nil
	}
	return &Fault{Reason: v1alpha1.ReasonQueryInvalid, Field: "provider.prometheus.query", Message: "\"or vector(…)\" makes a number of " +
		"no data, so that a candidate which nobody measures passes or fails: remove it, or put it around the part that may be " +
		"missing, such as (sum(rate(errors[1m])) or vector(0)) / sum(rate(requests[1m]))"}
}

// outside is what of a query stands in no parentheses, brackets, braces, strings and comments.
func outside(query string) string {
	var out []byte
	var reader queryGrammar
	depth := 0
	for i := range len(query) {
		quoted := reader.quote != 0 || reader.comment
		reader.read(query[i : i+1])
		if quoted || reader.quote != 0 || reader.comment {
			continue
		}
		within := depth > 0
		depth += nesting(query[i])
		if !within || depth == 0 {
			out = append(out, query[i])
		}
	}
	return string(out)
}

// nesting is how much deeper the text is after a character.
func nesting(c byte) int {
	switch c {
	case '(', '[', '{':
		return 1
	case ')', ']', '}':
		return -1
	}
	return 0
}
