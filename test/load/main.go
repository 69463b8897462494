// Command load sends requests at a constant rate and counts what becomes of each.
//
// The load is open: a request is begun when it is due, whether or not earlier ones have ended, so that a slow or dead
// path cannot make the load wait and so hide its failures. Latency counts from the moment a request was due. It ends by
// itself after -max-duration, and answers /stats all the while.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"k8s.io/utils/clock"

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

// longest is how long a load may last.
const longest = 2 * time.Hour

// Config is what the flags say.
type Config struct {
	// Target is the URL to send requests to.
	Target string
	// Host is the Host header; empty for that of the target.
	Host string
	// Header has further headers of each request.
	Header http.Header
	// Protocol is how requests are made: ProtocolHTTP1, ProtocolH2C or ProtocolGRPC.
	Protocol Protocol
	// Rate is the number of requests begun each second.
	Rate float64
	// Fresh is the share of requests, from 0 to 1, on a connection of their own. The others share kept ones.
	Fresh float64
	// Timeout is how long a request may take.
	Timeout time.Duration
	// MaxInFlight is how many requests may be under way at once; one more counts as failed without being sent.
	MaxInFlight int64
	// MaxDuration is when the load ends by itself.
	MaxDuration time.Duration
	// Listen is where /stats is answered.
	Listen string
}

func configFrom(args []string, usage io.Writer) (Config, error) {
	var c Config
	flags := flag.NewFlagSet("load", flag.ContinueOnError)
	flags.SetOutput(usage)
	flags.StringVar(&c.Target, "target", "", "URL to send requests to")
	flags.StringVar(&c.Host, "host", "", "Host header (default that of the target)")
	c.Header = http.Header{}
	flags.Func("header", `further header of each request, "name: value"; may be given again`, c.addHeader)
	protocol := flags.String("protocol", string(ProtocolHTTP1), "http1, h2c (HTTP/2 without TLS) or grpc (a call of the sample app)")
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
	c.Protocol = Protocol(*protocol)
	return c, c.validate()
}

// addHeader takes a header in the form that it has on the wire.
func (c Config) addHeader(line string) error {
	name, value, found := strings.Cut(line, ":")
	if name = strings.TrimSpace(name); !found || name == "" {
		return fmt.Errorf(`%q is no header: write "name: value"`, line)
	}
	c.Header.Add(name, strings.TrimSpace(value))
	return nil
}

func (c Config) validate() error {
	target, err := url.Parse(c.Target)
	if err != nil || target.Scheme != "http" || target.Host == "" {
		return fmt.Errorf("-target: %q is not an http URL: write one such as http://10.77.0.1:8000/", c.Target)
	}
	for _, rule := range []struct {
		holds bool
		err   error
	}{
		{c.Protocol.known(), fmt.Errorf("-protocol: %q: write http1, h2c or grpc", c.Protocol)},
		{c.Rate > 0 && c.Rate <= 10_000, fmt.Errorf("-rate: %v: write a number above 0 and up to 10000", c.Rate)},
		{c.Fresh >= 0 && c.Fresh <= 1, fmt.Errorf("-fresh: %v is not a share: write a number from 0 to 1", c.Fresh)},
		{c.Timeout > 0, fmt.Errorf("-timeout: %v: write a duration such as 5s", c.Timeout)},
		{c.MaxInFlight > 0, fmt.Errorf("-max-in-flight: %d: write a number above 0", c.MaxInFlight)},
		{
			c.MaxDuration > 0 && c.MaxDuration <= longest,
			fmt.Errorf("-max-duration: %v: write a duration of up to %v: a load must end", c.MaxDuration, longest),
		},
	} {
		if !rule.holds {
			return rule.err
		}
	}
	return nil
}

// run sends the load and answers /stats until ctx ends or the load does.
func run(ctx context.Context, config Config) error {
	generator := NewGenerator(config, clock.RealClock{})
	server := &http.Server{Addr: config.Listen, Handler: generator.Handler(), ReadHeaderTimeout: 10 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.ListenAndServe() }()
	done := make(chan struct{})
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { defer close(done); generator.Run(ctx) }()
	slog.Info("sending", "target", config.Target, "host", config.Host, "rate", config.Rate, "for", config.MaxDuration)
	select {
	case err := <-served:
		return err
	case <-done:
	}
	report := generator.Report(0)
	slog.Info("done", "requests", report.Total.All.Requests, "appErrors", report.Total.All.AppErrors,
		"failures", report.Total.All.Failures, "p99", report.Latency.P99)
	return server.Close()
}
