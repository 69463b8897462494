// Command app is the sample workload of the demonstration and of the end-to-end tests: an HTTP server with a version,
// request metrics, and an error rate, a latency and a refusal of readiness that can be switched on.
//
// It answers on two ports, the first of them in HTTP/1.1 and in HTTP/2 without TLS. The serving port has / for callers,
// /hold?for=30s for those that wait, a method for those that speak gRPC, and /healthz and /readyz for the kubelet. The
// administration port has /metrics for Prometheus and /admin/fault.
//
// An error that the app was told to answer carries the header X-App-Error, so that whoever counts failures can tell the
// app's own from those of the path to it.
//
// After SIGTERM it goes on answering for DRAIN, as callers hear of the pod's end late, and asks each of them to open
// another connection. With DRAIN=0 it ends at once, like a program that knows nothing of this.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"k8s.io/utils/clock"
)

func main() {
	config, err := configFrom(os.Getenv)
	if err != nil {
		fmt.Fprintln(os.Stderr, "app:", err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	slog.Info("serving", "version", config.Version, "address", config.Address, "adminAddress", config.AdminAddress,
		"errorRate", config.Fault.ErrorRate, "latency", config.Fault.Latency, "drain", config.Drain)
	if err := serve(ctx, config, clock.RealClock{}); err != nil {
		fmt.Fprintln(os.Stderr, "app:", err)
		os.Exit(1)
	}
}
