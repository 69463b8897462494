// Command load sends requests at a constant rate and counts what becomes of each: see package generator. It ends by itself
// after -max-duration, and answers /stats all the while.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"k8s.io/utils/clock"

	"github.com/sluice-dev/sluice/test/load/generator"
	"github.com/sluice-dev/sluice/test/load/stats"
)

func main() {
	config, err := configFrom(os.Args[1:], os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	if err := run(ctx, config); err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

// options are what the flags say.
type options struct {
	generator.Config

	// Listen is where /stats is answered.
	Listen string
}

func configFrom(args []string, usage io.Writer) (options, error) {
	var c options
	flags := flag.NewFlagSet("load", flag.ContinueOnError)
	flags.SetOutput(usage)
	flags.StringVar(&c.Target, "target", "", "URL to send requests to")
	flags.StringVar(&c.Host, "host", "", "Host header (default that of the target)")
	c.Header = http.Header{}
	flags.Func("header", `further header of each request, "name: value"; may be given again`, c.addHeader)
	protocol := flags.String("protocol", string(generator.ProtocolHTTP1), "http1, h2c (HTTP/2 without TLS) or grpc (a call of the sample app)")
	flags.Float64Var(&c.Rate, "rate", 100, "requests begun each second")
	flags.Float64Var(&c.Fresh, "fresh", 0.1, "share of requests on a connection of their own")
	flags.DurationVar(&c.Timeout, "timeout", 5*time.Second, "how long a request may take")
	flags.Int64Var(&c.MaxInFlight, "max-in-flight", 2000, "requests under way at once; one more counts as failed")
	flags.DurationVar(&c.MaxDuration, "max-duration", 10*time.Minute, "when the load ends by itself")
	flags.StringVar(&c.Listen, "listen", fmt.Sprintf(":%d", stats.Port), "where /stats is answered")
	if err := flags.Parse(args); err != nil {
		return c, err
	}
	if flags.NArg() > 0 {
		return c, fmt.Errorf("%q is no flag, and the flags after it would be ignored: write -flag=value", flags.Arg(0))
	}
	c.Protocol = generator.Protocol(*protocol)
	return c, c.Validate()
}

// addHeader takes a header in the form that it has on the wire.
func (c options) addHeader(line string) error {
	name, value, found := strings.Cut(line, ":")
	if name = strings.TrimSpace(name); !found || name == "" {
		return fmt.Errorf(`%q is no header: write "name: value"`, line)
	}
	c.Header.Add(name, strings.TrimSpace(value))
	return nil
}

// run sends the load and answers /stats until ctx ends or the load does.
func run(ctx context.Context, config options) error {
	load := generator.New(config.Config, clock.RealClock{})
	server := &http.Server{Addr: config.Listen, Handler: load.Handler(), ReadHeaderTimeout: 10 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.ListenAndServe() }()
	done := make(chan struct{})
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { defer close(done); load.Run(ctx) }()
	slog.Info("sending", "target", config.Target, "host", config.Host, "rate", config.Rate, "for", config.MaxDuration)
	select {
	case err := <-served:
		return err
	case <-done:
	}
	report := load.Report(0)
	slog.Info("done", "requests", report.Total.All.Requests, "appErrors", report.Total.All.AppErrors,
		"failures", report.Total.All.Failures, "p99", report.Latency.P99)
	return server.Close()
}
