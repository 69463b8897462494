package main

import (
	"errors"
	"fmt"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/demo/view"
)

// faulty is the version that answers one request in five with an error.
const faulty = "v3"

// verdict says what was not as it should be: a good version that was not promoted or lost a request, a faulty one that
// was not aborted by its analysis, any failure that the faulty version did not answer itself, or a request that reached
// it after the abort.
func verdict(results []view.Result, afterAbort int64) error {
	var problems []error
	for _, r := range results {
		problems = append(problems, outcomeOf(r), failuresOf(r))
		if r.Strategy != "" {
			problems = append(problems, shown(r))
		}
	}
	if afterAbort > 0 {
		problems = append(problems, fmt.Errorf("%s: %d requests reached it after its abort", faulty, afterAbort))
	}
	return errors.Join(problems...)
}

// outcomeOf holds that a good version is promoted, and that the faulty one is aborted by its analysis.
func outcomeOf(r view.Result) error {
	want, wantReason := v1alpha1.OutcomePromoted, v1alpha1.ReasonPromoted
	if r.Version == faulty {
		want, wantReason = v1alpha1.OutcomeAborted, v1alpha1.ReasonAnalysisFailed
	}
	if r.Outcome != want || r.Reason != wantReason {
		return fmt.Errorf("%s: the outcome is %s (%s), should be %s (%s)", r.Version, r.Outcome, r.Reason, want, wantReason)
	}
	return nil
}

// failuresOf holds that no request failed but by the faulty version's own answer.
func failuresOf(r view.Result) error {
	if n := r.OtherFailures(faulty); n > 0 {
		return fmt.Errorf("%s: %d of %d requests failed, and %s did not answer them with an error", r.Version, n,
			r.Tally.All.Requests, faulty)
	}
	return nil
}

// shown holds that the version had requests, and the faulty one errors: otherwise no failures would mean nothing.
func shown(r view.Result) error {
	counts := r.Tally.Versions[r.Version]
	switch {
	case counts.Requests == 0:
		return fmt.Errorf("%s: no request reached it, so nothing was shown", r.Version)
	case r.Version == faulty && counts.AppErrors == 0:
		return fmt.Errorf("%s: it answered no error, so nothing was shown", r.Version)
	default:
		return nil
	}
}
