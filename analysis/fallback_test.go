package analysis

import (
	"errors"
	"testing"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

func TestFallbacks(t *testing.T) {
	tests := map[string]bool{ // whether they are refused
		`sum(rate(errors[1m])) or vector(0)`:                                   true,
		`sum(rate(errors[1m]))or vector(0)`:                                    true,
		`sum(rate(errors{code=~"5.."}[1m])) / sum(rate(r[1m])) OR vector( 1 )`: true,
		"up or on () vector(0)":                                                true,
		"up # a comment\nor vector(0)":                                         true,
		`(sum(rate(errors[1m])) or vector(0)) / sum(rate(requests[1m]))`:       false,
		`sum(rate(errors{path="or vector(0)"}[1m]))`:                           false,
		"up # or vector(0)":                                                    false,
		"sum(up or other)":                                                     false,
		"up or other":                                                          false,
		"flavor vector(0)":                                                     false,
		"vector(0)":                                                            false,
	}
	conditions := newConditions(t, 1)
	for query, want := range tests {
		err := conditions.Check(metric("rate", asking(query)))
		var fault *Fault
		refused := errors.As(err, &fault) && fault.Field == "provider.prometheus.query" && fault.Reason == v1alpha1.ReasonQueryInvalid
		if refused != want || !want && err != nil {
			t.Errorf("%q: error %v, want one: %t", query, err, want)
		}
	}
}
