// Package routertest holds what every trafficrouting.Router promises, as tests that any of them can run.
//
// A router brings a World: a place with routes, seen from outside. The tests put routes into it, let the router work, and
// look at what has become of the routes; they never ask how it was done. What becomes of requests is for the gateway to say:
// test/conformance/live holds one to it.
package routertest

import (
	"context"
	"maps"
	"testing" //nolint:depguard // a conformance suite is test code, for the tests of several packages

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/trafficrouting"
)

// Names of the Services in every World.
const (
	// Active is the active Service.
	Active = "web"
	// Standby is the standby Service.
	Standby = "web-standby"
	// Other is a Service that is none of the router's business.
	Other = "old-shop"
)

// Backend is a Service and its weight on a route.
type Backend struct {
	// Service is the name of a Service.
	Service string
	// Weight is relative to the other backends of the route.
	Weight int64
}

// Report is what a gateway says of a route.
type Report int

const (
	// Accepts says that the route is in force as it was last written.
	Accepts Report = iota
	// Refuses says that it is not, and gives RefusalMessage as the reason.
	Refuses
	// Silent takes back whatever was said.
	Silent
)

// RefusalMessage is the message of a gateway that refuses a route.
const RefusalMessage = "no such certificate"

// World is a place for a router to work in, as seen from outside. Routes are of one kind, in one namespace.
type World interface {
	// Router is the router under test.
	Router() trafficrouting.Router
	// Target names routes of this world, with the Services Active and Standby.
	Target(routes ...string) trafficrouting.Target
	// Put makes a route with the given backends, and with whatever else routes of this kind can have. No gateway has
	// reported on it.
	Put(t *testing.T, route string, backends ...Backend)
	// Overwrite gives a route other backends, as another writer would.
	Overwrite(t *testing.T, route string, backends ...Backend)
	// Remove deletes a route.
	Remove(t *testing.T, route string)
	// Report lets the gateway speak about a route as it is now.
	Report(t *testing.T, route string, report Report)
	// Backends reads the backends of a route, without those that have no weight.
	Backends(t *testing.T, route string) []Backend
	// Surroundings is all that a route says, but for backends of Active and Standby, weights, and what gateways report.
	Surroundings(t *testing.T, route string) string
	// BeforeWrite has a function called once, after the router has read and before its next write.
	BeforeWrite(func(ctx context.Context))
	// Fail makes every request of the router fail with an error, until it is called with nil.
	Fail(error)
	// Writes is the number of requests of the router that changed something, or were meant to.
	Writes() int
}

// Features are what a router can do beyond what all can.
type Features struct {
	// Others says that a route can send requests to other Services as well, which keep their share exactly.
	Others bool
	// Unreported says that nothing reports on routes of this kind, so that what has been written counts as in force.
	Unreported bool
	// Overlays says that requests can be told apart by headers, and copied; the World is then an Overlaid. A router without
	// it tells every Target with overlays that it cannot have them.
	Overlays bool
}

// Run holds a router to what it promises. Each test gets a World of its own.
func Run(t *testing.T, newWorld func(t *testing.T) World, features Features) {
	t.Helper()
	tests := map[string]func(trial){
		"every weight is written and read back":              trial.everyWeight,
		"a weight that is there is not written":              trial.quiet,
		"each route is written once for a change":            trial.oneWrite,
		"only weights change":                                trial.onlyWeights,
		"a weight out of range is refused":                   trial.outOfRange,
		"a missing route is a problem and holds up no other": trial.missingRoute,
		"a route without the active Service is a problem":    trial.withoutBackend,
		"problems name the route that they are about":        trial.problemField,
		"routes that disagree have no weight":                trial.disagreement,
		"what another writer reverts is seen and put back":   trial.contested,
		"a route that changed meanwhile is a conflict":       trial.conflict,
		"and one that changed since it was observed":         trial.oldDecision,
		"one failing route does not keep others from it":     trial.conflictOnOne,
		"a failing read is an error and not a problem":       trial.failingRead,
		"no route is nothing known":                          trial.noRoute,
		"nothing of the standby is left on a route":          trial.detach,
	}
	if features.Others {
		tests["others keep their share"] = trial.othersKeepTheirShare
	}
	maps.Copy(tests, testsOfReports(features))
	maps.Copy(tests, testsOfOverlays(features))
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { test(trial{t, newWorld(t)}) })
	}
}

// testsOfReports are the tests of what a router makes of reports.
func testsOfReports(features Features) map[string]func(trial) {
	if features.Unreported {
		return map[string]func(trial){"what has been written counts as in force": trial.unreported}
	}
	return map[string]func(trial){
		"a write is in force when the gateway says so":    trial.acceptance,
		"a refusal is a problem with the gateway's words": trial.refusal,
		"a refused route can be taken back to zero":       trial.refusedAbort,
		"one route that waits keeps all from acceptance":  trial.acceptanceOfAll,
	}
}

// plain is a route as a user writes it who has never heard of a standby.
func plain() Backend { return Backend{Service: Active, Weight: 1} }

// weights are the ends, the smallest step, thirds, and what people write.
func weights() []int32 { return []int32{0, 1, 50, 125, 200, 333, 500, 999, v1alpha1.MaxWeight, 10, 0} }
