// Package trafficrouting shares requests between the active and the standby Service of a Rollout.
//
// A Router is told the whole wanted state, the share of the standby Service, and never a difference: the same call made
// twice, or made again after a crash between two routes, ends in the same place. What it reports is read from the world
// and not remembered: the weight that routes carry, and whether the gateways have taken it.
//
// The package holds the words that routers and their callers share. Each kind of router has a package of its own below
// it, which imports this one; Routers is the one list of them.
package trafficrouting

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// WeightUnknown is the weight of routes that are missing or that disagree.
const WeightUnknown int32 = -1

// Router shares requests between two Services by what the routes of a Target say.
type Router interface {
	// Kinds are the kinds of objects that Observe reads for a target, in the version in which it reads them, so that the
	// caller can see to it that its reader has them. Those that the cluster does not serve are left out, and all is false:
	// Observe says what to do about them, and they may be served later. An error means that this is not known.
	Kinds(t Target) (kinds []schema.GroupVersionKind, all bool, err error)

	// Observe reads the routes. What a person must mend is a Problem and not an error; an error means that the routes
	// could not be read and that nothing is known about them.
	Observe(ctx context.Context, t Target) (Observed, error)

	// Apply makes every route of the target what is wanted. A route that is so already is not written; each other one is
	// written once, whatever of it differs. A route with a Problem that stands in the way is left as it is, and the others are written all the
	// same, so that one missing route does not hold up an abort. Success therefore means that there is nothing left to
	// write, not that traffic has moved: that is for Observe to say.
	//
	// An error on one route does not keep the others from being written. A conflict (errors.IsConflict of
	// apimachinery) means that the route changed between reading and writing, or since the Versions of the target were
	// observed: nothing was overwritten, and the caller looks again.
	Apply(ctx context.Context, t Target, w Wanted) error

	// Detach gives the active Service all that the two have together, on every route of the target, and takes the standby
	// Service out of the rules that name the active one, and the Owner of the target out of the owners of the route. A route
	// of which neither is true is not written, and none is made. Errors are as those of Apply.
	Detach(ctx context.Context, t Target) error
}

// Informed is a Router that learns from further objects what to expect of what serves the routes: what it cannot do, which is
// better told before the first step, and how long it takes.
type Informed interface {
	Router

	// Beside are the kinds of those objects. A cluster need not serve them, and the controller need not be allowed to read
	// them; a Target says whether they can be read.
	Beside() []schema.GroupVersionKind
}

// Wanted is the whole of what routes should say. It is never a difference to what they say now.
type Wanted struct {
	// Weight is the share of the standby Service in tenths of a percent, 0 to 1000; the active Service has the rest.
	Weight int32
	// Overlay has the requests that the standby Service gets whatever the weight, and copies of requests. It is one of the
	// Overlays of the Target, or none: what is wanted without one takes every trace of one away.
	Overlay v1alpha1.Overlay
}

// Target is what a Router acts on: routes, and the two Services that share the requests on them.
type Target struct {
	// Namespace of the Services.
	Namespace string
	// Routes in the order in which the spec names them.
	Routes []Route
	// Selectors pick further routes.
	Selectors []Selector
	// Known are routes that something is remembered of: those above, and such as were among them.
	Known []Route
	// Keep says that known routes which nothing names or picks any more are taken for routes of the target as long as the
	// standby Service has a share of them. Else they are Left.
	Keep bool
	// Active and Standby are the names of the two Services.
	Active, Standby string
	// Owner is who owns the routes that are made of a template, and no others; nil leaves owners as they are.
	Owner *metav1.OwnerReference
	// Overlays are all that steps may ask for, as RolloutSpec.Overlays has them, with none as the first, so that what a route
	// cannot have is found before the first step. Nil stands for none.
	Overlays []v1alpha1.Overlay
	// Informed says that the reader of an Informed router has the kinds of Beside. They are not read without it: a reader may
	// wait for what it does not have.
	Informed bool
	// Versions are those of an Observed from which a weight was decided, so that Apply writes onto these alone: a leader
	// that was stopped between its decision and its write must not undo what another one has done since. Nil lets Apply
	// write onto whatever is there.
	Versions []string
}

// Route is one object that a router writes, whatever its kind.
type Route struct {
	// Kind, Namespace and Name of the object.
	Kind, Namespace, Name string
	// Rules are the names of the parts of it that are to be shared, as its kind names parts; empty means each part that
	// sends requests to the active Service.
	Rules []string
	// Companion is the name of an object of the same kind, in the same namespace, that the router makes beside it; empty for a
	// router that makes none.
	Companion string
	// Field is the path in the spec of the Rollout that names it, "spec.traffic.gatewayAPI.routes[0]".
	Field string
	// Template is what the object is made of; nil for one that somebody else wrote.
	Template *Template
	// Made is the Digest of the Template that the object was last seen to be made of; empty when it was not.
	Made string
	// UID of the object of which Before speaks; empty when it is not known.
	UID types.UID
	// Before is what is remembered of the parts of the object as they were before the standby Service had a share of them, in
	// words of the router, so that they can be so again; nil when nothing is remembered, and nothing is to be.
	Before []string
}

// String names the object as a person would look for it.
func (r Route) String() string { return fmt.Sprintf("%s %s/%s", r.Kind, r.Namespace, r.Name) }

// Selector picks objects by their labels.
type Selector struct {
	// Kind and Namespace of the objects.
	Kind, Namespace string
	// Labels that an object must have.
	Labels map[string]string
	// Rules are those of each Route.
	Rules []string
	// Field is the path in the spec of the Rollout, "spec.traffic.gatewayAPI.selectors[0]".
	Field string
}

// Observed is what the routes say, all taken together.
type Observed struct {
	// Weight is the share of the standby Service in tenths of a percent, 0 to 1000. It is WeightUnknown when a route is
	// missing or cannot be read, when routes or rules disagree, and when the share is no whole number of tenths.
	Weight int32
	// Overlays are the indexes of those Overlays of the Target that all routes have exactly: 0 when nothing of any is there.
	// There may be several that come to the same. It is empty when a route has something else, and nil when nothing is known:
	// of routes that cannot be read, and from a router that writes weights only.
	Overlays []int
	// Accepted says that every parent of every route reports it as accepted, with all references resolved, for the
	// generation that was read.
	Accepted bool
	// Settle is how long what serves the routes is known to take from its report on a change, or from the write where
	// nothing reports, until it is in force everywhere; the longest of all of them, and 0 where nothing is known.
	Settle time.Duration
	// Source is what counts the requests that the routes send, as an analysis asks for it; empty where that is not known, or
	// not one.
	Source v1alpha1.MetricSource
	// Versions of the routes as they were read, in the order of the target; empty for one that could not be read.
	Versions []string
	// Attached says that a route has the standby Service in a rule that names the active one, or a rule that was made for
	// matched requests.
	Attached bool
	// Routes are those of the target and those that its selectors pick, with what is to be remembered of each before anything
	// is written to it; nil from a router that remembers nothing and has no selectors. A caller acts on these: Versions are in
	// their order.
	Routes []Route
	// Writers say who last wrote each route, in the order of the target.
	Writers []Writer
	// Stale says that something of a route is not as it should be beside weights and overlay: it is not there, its template
	// has changed, somebody has changed it, or the Owner of the target is not its owner, or ought not to be.
	Stale bool
	// Owned says that the Owner of the target is the owner of a route.
	Owned bool
	// Left are known routes that nothing names or picks any more, of which the standby Service still has a share: they are to
	// be detached.
	Left []Route
	// Problems are what a person must mend, in the order of the routes.
	Problems []Problem
}
