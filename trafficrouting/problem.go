package trafficrouting

import (
	"fmt"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// Problem is something about the routes that a person must mend.
type Problem struct {
	// Reason in one word: a constant of v1alpha1.
	Reason string
	// Field is the path in the spec of the Rollout, "spec.traffic.gatewayAPI.routes[0]".
	Field string
	// Message says what is wrong and what would mend it.
	Message string
}

// RouteError says why a route cannot be used, in words for the person who wrote it.
type RouteError struct {
	// Reason in one word: a constant of v1alpha1.
	Reason string
	// Message says what is wrong and what would mend it.
	Message string
}

// Error is the message.
func (e *RouteError) Error() string { return e.Message }

// Unusable is the error of a route that is there and cannot be shared.
func Unusable(format string, args ...any) *RouteError {
	return &RouteError{Reason: v1alpha1.ReasonRouteUnusable, Message: fmt.Sprintf(format, args...)}
}

// NotFound is the error of a route that is not there.
func NotFound(format string, args ...any) *RouteError {
	return &RouteError{Reason: v1alpha1.ReasonRouteNotFound, Message: fmt.Sprintf(format, args...)}
}

// WithoutBackend is the error of a route that sends no requests to the active Service.
func WithoutBackend(format string, args ...any) *RouteError {
	return &RouteError{Reason: v1alpha1.ReasonRouteWithoutBackend, Message: fmt.Sprintf(format, args...)}
}
