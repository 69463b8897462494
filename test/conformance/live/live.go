// Package live holds a Gateway to what releases ask of it, with real requests: any Gateway, of any implementation, in any
// cluster. It puts two versions of the sample app behind a route of its own, moves the weights as a release does, by the same
// Router, and sends requests all the while: on connections that are kept and on new ones, in HTTP/1.1, in HTTP/2, as calls of
// gRPC, and such as take long. What the class of the Gateway does not report as a feature is left out, and said to be.
package live

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/gateway-api/pkg/features"

	"github.com/sluice-dev/sluice/trafficrouting/gatewayapi"
)

const (
	// DefaultHold is how long long requests take.
	DefaultHold = 30 * time.Second
	// DefaultSettle is what every gateway is given after its report, as by the controller.
	DefaultSettle = 2 * time.Second
	// DefaultRate is what each load sends, in requests per second.
	DefaultRate = 40
	// poll is how often the cluster is looked at, and patience for how long.
	poll     = 250 * time.Millisecond
	patience = 3 * time.Minute
)

// Options say which Gateway is tried, and how.
type Options struct {
	// Client reads and writes without a cache. It knows Deployments, Services and the kinds of the Gateway API.
	Client client.Client
	// Namespace in which objects called web, web-standby and calls are made, and deleted in the end. It exists, and the
	// Gateway takes routes of it.
	Namespace string
	// Gateway is the Gateway. It has a listener for HTTP.
	Gateway types.NamespacedName
	// Address is the URL of that listener, "http://192.0.2.7:80", as it is reached from here.
	Address string
	// Image is the sample app, of test/app, that nodes have or can pull.
	Image string
	// Answered counts the requests that the pods of a Deployment have answered; nil leaves out what needs it.
	Answered func(ctx context.Context, deployment client.ObjectKey) (int64, error)
	// Hold is how long long requests take; DefaultHold when it is 0.
	Hold time.Duration
	// Settle is how long the Gateway is given after each report: at least what is known of its class. DefaultSettle when 0.
	Settle time.Duration
	// Rate is what each load but the long one sends, in requests per second; DefaultRate when it is 0.
	Rate float64
	// Clock tells the time.
	Clock clock.Clock
}

// Result is what became of one promise.
type Result struct {
	// Promise in words.
	Promise string
	// LeftOut says why it was not tried; empty when it was.
	LeftOut string
	// Measured has the figures.
	Measured []string
	// Broken says how it was not kept; nothing when it was.
	Broken []string
}

// String is the result as people read it, in several lines.
func (r Result) String() string {
	verdict := "kept"
	switch {
	case r.LeftOut != "":
		verdict = "left out: " + r.LeftOut
	case len(r.Broken) > 0:
		verdict = "BROKEN"
	}
	lines := []string{r.Promise + ": " + verdict}
	for _, text := range slices.Concat(r.Broken, r.Measured) {
		lines = append(lines, "    "+text)
	}
	return strings.Join(lines, "\n")
}

// measured notes a figure.
func (r *Result) measured(format string, args ...any) {
	r.Measured = append(r.Measured, fmt.Sprintf(format, args...))
}

// broken notes how the promise was not kept.
func (r *Result) broken(format string, args ...any) {
	r.Broken = append(r.Broken, fmt.Sprintf(format, args...))
}

// promise is one of the tests, which follow one another on the same route, under the same load.
type promise struct {
	name string
	// needs is the feature without which it is left out; empty for what every Gateway has.
	needs features.FeatureName
	// try moves weights, and notes what was measured. An error means that nothing can be said.
	try func(context.Context, *Result) error
	// without is tried in its place where the feature is not reported; nil for nothing.
	without func(context.Context, *Result) error
}

// Run tries a Gateway. The error says why the rest could not be tried; what has been is in the results all the same.
func Run(ctx context.Context, o Options) (results []Result, err error) {
	o.Hold, o.Settle = cmp.Or(o.Hold, DefaultHold), cmp.Or(o.Settle, DefaultSettle)
	o.Rate = cmp.Or(o.Rate, DefaultRate)
	t := &trial{Options: o, router: gatewayapi.New(o.Client, o.Client, o.Client.RESTMapper())}
	defer func() { err = errors.Join(err, t.end(ctx)) }()
	if err := t.begin(ctx); err != nil {
		return nil, err
	}
	for _, p := range t.promises() {
		result := Result{Promise: p.name}
		try := p.try
		if p.needs != "" && !slices.Contains(t.features, string(p.needs)) {
			result.LeftOut = fmt.Sprintf("GatewayClass %s does not report %s", t.class, p.needs)
			try = p.without
		}
		if try != nil {
			err = try(ctx, &result)
		}
		results = append(results, result)
		if err != nil {
			return results, fmt.Errorf("%s: %w", p.name, err)
		}
	}
	return append(results, t.leftOut...), nil
}
