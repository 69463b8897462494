package main

import (
	"flag"
	"fmt"
	"log/slog"
	"strings"

	"github.com/sluice-dev/sluice/controller"
)

// settings are what the flags say.
type settings struct {
	controllers    controller.Options
	namespaces     string
	metricHosts    string
	metricsAddress string
	healthAddress  string
	leaderElect    bool
	leaseNamespace string
	version        bool
	logLevel       slog.Level
	logFormat      string
}

// parse reads the flags. The error says what to write instead.
func parse(args []string) (settings, error) {
	var s settings
	flags := flag.NewFlagSet("sluice", flag.ContinueOnError)
	flags.StringVar(&s.metricsAddress, "metrics-bind-address", ":8080", "where metrics are served; 0 turns them off")
	flags.StringVar(&s.healthAddress, "health-probe-bind-address", ":8081", "where /healthz and /readyz are served")
	flags.BoolVar(&s.leaderElect, "leader-elect", false, "let one of several controllers act at a time")
	flags.StringVar(&s.leaseNamespace, "leader-election-namespace", "", "namespace of the lease (default: that of the pod)")
	flags.StringVar(&s.controllers.PrometheusAddress, "prometheus-address", "",
		"Prometheus server of metrics that name none, such as http://prometheus.monitoring:9090")
	flags.StringVar(&s.metricHosts, "metric-hosts", "",
		"names, networks and addresses that metrics may ask, such as prometheus.monitoring,*.example.com,10.0.0.0/8 (default: all that are not local)")
	flags.BoolVar(&s.controllers.MetricLoopback, "metric-allow-loopback", false,
		"let metrics name addresses on this machine; for a controller that runs outside a cluster")
	flags.BoolVar(&s.controllers.ProbeLoopback, "probe-allow-loopback", false,
		"let probes ask gateways at addresses of this machine; for a controller that runs outside a cluster")
	flags.DurationVar(&s.controllers.Settle, "settle-time", controller.DefaultSettle,
		"how long gateways are given after the API has reported a change of traffic")
	flags.StringVar(&s.namespaces, "namespaces", "", "namespaces to work in, separated by commas (default: all)")
	flags.IntVar(&s.controllers.Concurrency, "concurrent-rollouts", controller.DefaultConcurrency,
		"how many Rollouts are worked on at the same time")
	flags.IntVar(&s.controllers.Turns, "configuration-concurrency", controller.DefaultTurns,
		"how many Rollouts are released at the same time because of one ConfigMap or Secret that all of them track")
	flags.BoolVar(&s.version, "version", false, "print the version and end")
	flags.TextVar(&s.logLevel, "log-level", slog.LevelInfo, "least level that is logged: debug, info, warn or error")
	flags.StringVar(&s.logFormat, "log-format", "json", "how log lines are written: json or text")
	if kubeconfig := flag.Lookup("kubeconfig"); kubeconfig != nil {
		flags.Var(kubeconfig.Value, kubeconfig.Name, kubeconfig.Usage)
	}
	if err := flags.Parse(args); err != nil {
		return s, err
	}
	s.controllers.MetricHosts = split(s.metricHosts)
	switch {
	case flags.NArg() > 0:
		return s, fmt.Errorf("%q is no flag, and the flags after it would be ignored: write --flag=value", flags.Arg(0))
	case s.controllers.Settle < 0:
		return s, fmt.Errorf("--settle-time=%s: write a duration of 0 or more, such as 2s", s.controllers.Settle)
	case s.controllers.Concurrency < 1:
		return s, fmt.Errorf("--concurrent-rollouts=%d: write a number of 1 or more", s.controllers.Concurrency)
	case s.controllers.Turns < 1:
		return s, fmt.Errorf("--configuration-concurrency=%d: write a number of 1 or more", s.controllers.Turns)
	case s.logFormat != "json" && s.logFormat != "text":
		return s, fmt.Errorf("--log-format=%s: write json or text", s.logFormat)
	}
	return s, nil
}

// split gives the names in a list.
func split(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' })
}
