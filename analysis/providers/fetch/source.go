package fetch

import (
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/analysis"
	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// Unset is the fault of a query that has no source for its provider; field is that of the provider.
func Unset(field string) *analysis.Fault {
	return &analysis.Fault{Reason: v1alpha1.ReasonQueryInvalid, Field: field, Message: "it is not set"}
}

// Base gives the base address of a server without a slash at its end, for paths to follow; fallback stands in for an
// address that is not given, and is one that would do. The error is a *analysis.Fault of the field.
func Base(field, address, fallback string) (string, error) {
	if address == "" {
		address = fallback
	}
	return strings.TrimRight(address, "/"), addressFault(field, CheckAddress(address, fallback))
}

// Document checks the address of a document, which may have a query. The error is a *analysis.Fault of the field.
func Document(field, address, example string) error {
	_, err := parse(address, example)
	return addressFault(field, err)
}

// addressFault makes a fault of an error about an address, and nothing of none.
func addressFault(field string, err error) error {
	if err == nil {
		return nil
	}
	return &analysis.Fault{Reason: v1alpha1.ReasonAddressInvalid, Field: field, Message: err.Error(), Cause: err}
}

// Or gives a duration of a metric, or another where it has none.
func Or(given *metav1.Duration, fallback time.Duration) time.Duration {
	if given == nil || given.Duration <= 0 {
		return fallback
	}
	return given.Duration
}
