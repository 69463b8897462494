package trafficrouting

import (
	"context"
	"fmt"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// Door is where and how a request of our own comes in by a route, as that of any client does.
type Door struct {
	// Through names it for people: "HTTPRoute shop/web through Gateway edge/public, listener http".
	Through string
	// Address is what the gateway reports as its own: an IP address or the name of a host.
	Address string
	// Port of the listener.
	Port int32
	// TLS says that the listener speaks HTTPS.
	TLS bool
	// Host is the name that the request asks for; empty for a listener and a route that take every name.
	Host string
	// Path of the request.
	Path string
}

// String names it, and the request that is made there.
func (d Door) String() string {
	scheme := "http"
	if d.TLS {
		scheme = "https"
	}
	host := d.Host
	if host == "" {
		host = d.Address
	}
	return fmt.Sprintf("%s, %s://%s:%d%s", d.Through, scheme, host, d.Port, d.Path)
}

// Open is a Router whose share can be confirmed by requests through what serves the routes.
type Open interface {
	Router

	// Doors are the ways in to the routes of a target, as the gateways report them and a probe wants to be asked: at least one,
	// and at most MostDoors. A *RouteError says why there is none.
	Doors(ctx context.Context, t Target, p v1alpha1.TrafficProbe) ([]Door, error)
}

// MostDoors is how many ways in are asked. Each gets all the requests of a probe.
const MostDoors = 4
