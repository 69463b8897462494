// Command sluice runs the controllers: flags and wiring only. What the controllers do is in package controller.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/sluice-dev/sluice/controller"
)

// version is set by the linker.
var version = "unknown"

// leaseName is the lease by which one controller at a time acts.
const leaseName = "sluice-controller"

func main() {
	err := run(ctrl.SetupSignalHandler(), os.Args[1:])
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "sluice:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	s, err := parse(args)
	if err != nil {
		return err
	}
	if s.version {
		_, err := fmt.Fprintln(os.Stdout, version)
		return err
	}
	logger := s.logger()
	ctrl.SetLogger(logger)
	klog.SetLogger(logger)
	scheme, err := controller.Scheme()
	if err != nil {
		return err
	}
	restConfig, err := ctrl.GetConfig()
	if err != nil {
		return err
	}
	restConfig.UserAgent = "sluice/" + version
	restConfig.QPS = -1 // the API server's own priorities are what limits us
	options := s.manager(scheme)
	if s.leaderElect {
		options.LeaderElectionConfig = rest.CopyConfig(restConfig)
		fence := &fence{clock: clock.RealClock{}}
		options.LeaderElectionConfig.Wrap(fence.leases)
		restConfig.Wrap(fence.writes)
	}
	mgr, err := manager.New(restConfig, options)
	if err != nil {
		return err
	}
	if err := controller.Setup(ctx, mgr, s.controllers); err != nil {
		return err
	}
	if err := mgr.AddHealthzCheck("ping", healthz.Ping); err != nil {
		return err
	}
	if err := mgr.AddReadyzCheck("caches", filled(mgr.GetCache())); err != nil {
		return err
	}
	logger.Info("starting", "version", version, "namespaces", s.namespaces)
	return mgr.Start(ctx)
}

// probeTime is how long a probe waits for the caches: less than the second that a kubelet waits for an answer.
const probeTime = 500 * time.Millisecond

// filled is ready once everything that is watched has been read: a controller that may not read something, or whose API
// server is away, never says that it can work. It does not ask who leads: a standby is ready to take over.
func filled(caches cache.Cache) healthz.Checker {
	return func(req *http.Request) error {
		ctx, cancel := context.WithTimeout(req.Context(), probeTime)
		defer cancel()
		if !caches.WaitForCacheSync(ctx) {
			return errors.New("what the controller watches has not been read yet; the log says why if that stays so")
		}
		return nil
	}
}

func (s settings) logger() logr.Logger {
	options := &slog.HandlerOptions{Level: s.logLevel}
	if s.logFormat == "text" {
		return logr.FromSlogHandler(slog.NewTextHandler(os.Stderr, options))
	}
	return logr.FromSlogHandler(slog.NewJSONHandler(os.Stderr, options))
}

func (s settings) manager(scheme *runtime.Scheme) manager.Options {
	return manager.Options{
		Scheme:                        scheme,
		Cache:                         controller.CacheOptions(split(s.namespaces)),
		Metrics:                       metricsserver.Options{BindAddress: s.metricsAddress},
		HealthProbeBindAddress:        s.healthAddress,
		LeaderElection:                s.leaderElect,
		LeaderElectionID:              leaseName,
		LeaderElectionNamespace:       s.leaseNamespace,
		RenewDeadline:                 ptr.To(renewDeadline),
		LeaderElectionReleaseOnCancel: true, // nothing runs after the manager has ended
		// A standby fills its caches while it waits, and takes over with nothing left to read.
		Controller: config.Controller{EnableWarmup: ptr.To(true)},
	}
}
