package controller

import (
	"context"
	"fmt"
	"net/netip"
	"net/url"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/sluice-dev/sluice/analysis/providers"
	"github.com/sluice-dev/sluice/analysis/providers/fetch"
	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller/analysisrun"
	"github.com/sluice-dev/sluice/controller/rollout"
	"github.com/sluice-dev/sluice/trafficrouting"
	"github.com/sluice-dev/sluice/trafficrouting/alb"
	"github.com/sluice-dev/sluice/trafficrouting/gatewayapi"
	"github.com/sluice-dev/sluice/trafficrouting/istio"
	"github.com/sluice-dev/sluice/trafficrouting/nginx"
	"github.com/sluice-dev/sluice/trafficrouting/probe"
	"github.com/sluice-dev/sluice/trafficrouting/traefik"
)

const (
	// DefaultSettle is how long gateways and kube-proxies are given after the API has reported a change of traffic.
	DefaultSettle = 2 * time.Second
	// DefaultConcurrency is how many Rollouts are worked on at the same time.
	DefaultConcurrency = 10
	// DefaultTurns is how many Rollouts may be released at the same time because of one ConfigMap or Secret.
	DefaultTurns = rollout.DefaultTurns
)

// Options are what whoever runs the controllers can choose.
type Options struct {
	// PrometheusAddress is asked when a metric names no address; it may be empty.
	PrometheusAddress string
	// MetricHosts are the only servers that metrics may ask, or all when there are none; see fetch.Rules.
	MetricHosts []string
	// MetricLoopback lets metrics name addresses on this machine: for a controller outside a cluster.
	MetricLoopback bool
	// Settle is how long the data plane is given after the API has reported a change of traffic; 0 means no time.
	Settle time.Duration
	// Concurrency is how many Rollouts are worked on at the same time; at least 1.
	Concurrency int
	// Turns is how many Rollouts may be released at the same time because of one ConfigMap or Secret that all of them
	// track; DefaultTurns when it is 0.
	Turns int
	// ProbeLoopback lets probes ask gateways at addresses of this machine: for a controller outside a cluster.
	ProbeLoopback bool
	// Clock tells the time; the real one when nil.
	Clock clock.PassiveClock
}

// Scheme knows all types that the controllers read and write.
func Scheme() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}
	return scheme, nil
}

// CacheOptions say what the controllers keep in memory, of the given namespaces or of all when there are none. A read of
// anything else through the cache is an error, so that nobody starts to watch all Secrets by a slip.
func CacheOptions(namespaces []string) cache.Options {
	options := cache.Options{
		ByObject:                    rollout.CachedObjects(),
		DefaultTransform:            rollout.KeepWriters,
		ReaderFailOnMissingInformer: true,
		NewInformer:                 rollout.NewInformer,
	}
	for _, namespace := range namespaces {
		if options.DefaultNamespaces == nil {
			options.DefaultNamespaces = map[string]cache.Config{}
		}
		options.DefaultNamespaces[namespace] = cache.Config{}
	}
	return options
}

// Setup adds all controllers to a manager: this is the one list of them.
func Setup(ctx context.Context, mgr manager.Manager, options Options) error {
	if options.Clock == nil {
		options.Clock = clock.RealClock{}
	}
	measure, err := providers.New(providers.Options{
		PrometheusAddress: options.PrometheusAddress,
		Rules: fetch.Rules{
			Hosts: options.MetricHosts, AllowLocal: options.MetricLoopback, Refused: addressesOf(mgr.GetConfig().Host),
		},
	})
	if err != nil {
		return err
	}
	if err := rollout.Setup(ctx, mgr, rollout.Options{
		Concurrency: options.Concurrency, Settle: options.Settle, Clock: options.Clock, Routers: routers,
		Turns: options.Turns,
		Ask:   probe.NewAsker(probe.Guard{Loopback: options.ProbeLoopback, Forbidden: addressesOf(mgr.GetConfig().Host)}).Ask,
	}); err != nil {
		return fmt.Errorf("rollout: %w", err)
	}
	if err := analysisrun.Setup(mgr, analysisrun.Options{Providers: measure, Clock: options.Clock}); err != nil {
		return fmt.Errorf("analysisrun: %w", err)
	}
	return nil
}

// addressesOf gives the address of the API server, when it is known by one and not by a name, as it is in a cluster.
func addressesOf(host string) []netip.AddrPort {
	u, err := url.Parse(host)
	if err != nil {
		return nil
	}
	address, err := netip.ParseAddrPort(u.Host)
	if err != nil {
		return nil
	}
	return []netip.AddrPort{address}
}

// routers are all ways of sharing traffic that are compiled in.
func routers(reader client.Reader, writer client.Writer, served meta.RESTMapper) trafficrouting.Routers {
	return trafficrouting.Routers{
		GatewayAPI: gatewayapi.New(reader, writer, served),
		Istio:      istio.New(reader, writer, served),
		Traefik:    traefik.New(reader, writer, served),
		Nginx:      nginx.New(reader, writer),
		ALB:        alb.New(reader, writer, served),
	}
}
