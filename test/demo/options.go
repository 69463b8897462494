package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"strings"
	"time"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/sluice-dev/sluice/test/demo/workload"
)

// options are what the flags say.
type options struct {
	workload.Settings
	// kubeconfig is the file that names the cluster; empty for what kubectl would use.
	kubeconfig string
	// gateway is the URL at which pods reach the gateway; empty to take it from the status of the Gateway.
	gateway string
	// rate is the number of requests per second.
	rate float64
	// path is put in front of PATH in the commands to try.
	path string
}

const (
	// loadFor leaves load on the app for a while after the demonstration, for the commands to try.
	loadFor = 20 * time.Minute
	// scaleDownDelay is short, so that the demonstration is.
	scaleDownDelay = 5 * time.Second
)

// canaryWeights are the steps of the canaries.
func canaryWeights() []int32 { return []int32{10, 25, 50} }

func parse(args []string) (options, error) {
	o := options{Settings: workload.Settings{Drain: 5 * time.Second}}
	var replicas, port int
	flags := flag.NewFlagSet("demo", flag.ContinueOnError)
	flags.StringVar(&o.kubeconfig, "kubeconfig", "", "kubeconfig of the cluster (default: as kubectl)")
	flags.StringVar(&o.Namespace, "namespace", "sluice-demo", "namespace to work in; it is made anew")
	flags.StringVar(&o.GatewayClass, "gateway-class", "traefik", "GatewayClass of the Gateway that is made")
	flags.IntVar(&port, "gateway-port", 8000, "port of the Gateway's listener")
	flags.StringVar(&o.gateway, "gateway", "", "URL at which pods reach the gateway (default: from the Gateway's status)")
	flags.StringVar(&o.Prometheus, "prometheus", "", "Prometheus server (default: that of the controller)")
	flags.DurationVar(&o.Window, "window", 5*time.Second, "time over which a success rate is taken: at least four scrapes")
	flags.StringVar(&o.AppImage, "app-image", "", "image of the sample app")
	flags.StringVar(&o.LoadImage, "load-image", "", "image of the load generator")
	flags.IntVar(&replicas, "replicas", 4, "replicas of the app")
	flags.Float64Var(&o.rate, "rate", 100, "requests per second")
	flags.StringVar(&o.path, "path", "", "folders to put in front of PATH in the commands to try")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("%q is no flag, and the flags after it would be ignored: write -flag=value", flags.Arg(0))
	}
	o.Replicas, o.ListenerPort = int32(replicas), int32(port)
	return o, o.validate()
}

func (o options) validate() error {
	for _, rule := range []struct {
		holds bool
		wrong string
	}{
		{o.AppImage != "", "-app-image is missing: name the image of test/app"},
		{o.LoadImage != "", "-load-image is missing: name the image of test/load"},
		{o.Replicas >= 2 && o.Replicas <= 20, "-replicas: write a number from 2 to 20"},
		{o.rate >= 20 && o.rate <= 1000, "-rate: write a number from 20 to 1000"},
		{
			o.Window >= 2*time.Second && o.Window <= time.Hour && o.Window%time.Second == 0,
			"-window: write whole seconds, at least 2s",
		},
		{o.ListenerPort > 0 && o.ListenerPort <= 65535, "-gateway-port: write a port, from 1 to 65535"},
		{
			o.gateway == "" || strings.HasPrefix(o.gateway, "http://"),
			"-gateway: write an http URL, such as http://10.77.0.1:8000",
		},
	} {
		if !rule.holds {
			return errors.New(rule.wrong)
		}
	}
	return nil
}

// closing names commands to try on the cluster that is left.
func (o options) closing(loadEnds time.Time) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\nThe cluster is up, and %.0f requests/s go on until %s. Five commands to try:\n\n", o.rate,
		loadEnds.Local().Format("15:04"))
	kubeconfig := cmp.Or(o.kubeconfig, clientcmd.NewDefaultClientConfigLoadingRules().GetDefaultFilename())
	if o.path != "" {
		fmt.Fprintf(&b, "  export KUBECONFIG=%s PATH=%s:$PATH\n", kubeconfig, o.path)
	} else {
		fmt.Fprintf(&b, "  export KUBECONFIG=%s\n", kubeconfig)
	}
	for _, c := range []struct{ command, comment string }{
		{"kubectl sluice get %[2]s -n %[1]s", "revisions, pods and analyses as a tree; --watch redraws it"},
		{"kubectl get analysisruns -n %[1]s -o wide", "every verdict with its reason"},
		{"kubectl sluice undo %[2]s -n %[1]s", "back to the revision before"},
		{"kubectl sluice restart %[2]s -n %[1]s", "new pods of the same revision, no request lost"},
		{"kubectl describe rollout %[2]s -n %[1]s", "status, history and events"},
	} {
		fmt.Fprintf(&b, "  %-52s # %s\n", fmt.Sprintf(c.command, o.Namespace, workload.Name), c.comment)
	}
	return b.String()
}
