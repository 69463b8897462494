// Command conformance holds a Gateway of any cluster to what releases ask of it: see package live. It makes two versions of
// the sample app in a namespace, with Services and routes, sends requests for some two minutes, tells what became of each
// promise, deletes everything that it made, and ends with 1 when a promise was broken.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-dev/sluice/test/conformance/live"
)

func main() {
	o, err := optionsFrom(os.Args[1:], os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "conformance:", err)
		os.Exit(2)
	}
	ctrllog.SetLogger(logr.Discard())
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	kept, err := run(ctx, o, os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "conformance:", err)
	}
	if err != nil || !kept {
		os.Exit(1)
	}
}

// options are what the flags say.
type options struct {
	kubeconfig, namespace, address, image string
	gateway                               types.NamespacedName
	hold, settle                          time.Duration
}

func optionsFrom(args []string, usage io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("conformance", flag.ContinueOnError)
	flags.SetOutput(usage)
	flags.StringVar(&o.kubeconfig, "kubeconfig", os.Getenv("KUBECONFIG"), "file that names the cluster")
	gateway := flags.String("gateway", "", "Gateway to try, as namespace/name")
	flags.StringVar(&o.address, "address", "", "URL of its listener for HTTP as it is reached from here, such as http://192.0.2.7")
	flags.StringVar(&o.namespace, "namespace", "", "namespace for what is made, which the Gateway takes routes of (default that of the Gateway)")
	flags.StringVar(&o.image, "image", "sluice.local/app:dev", "image of test/app that nodes have or can pull")
	flags.DurationVar(&o.hold, "hold", live.DefaultHold, "how long long requests take")
	flags.DurationVar(&o.settle, "settle", live.DefaultSettle, "how long the Gateway is given after it has accepted a route, at least")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	namespace, name, found := strings.Cut(*gateway, "/")
	switch {
	case flags.NArg() > 0:
		return o, fmt.Errorf("%q is no flag, and the flags after it would be ignored: write -flag=value", flags.Arg(0))
	case !found || namespace == "" || name == "" || strings.Contains(name, "/"):
		return o, fmt.Errorf("-gateway: %q: write namespace/name of a Gateway", *gateway)
	case !strings.HasPrefix(o.address, "http://"):
		return o, fmt.Errorf("-address: %q is not an http URL: write one such as http://192.0.2.7", o.address)
	}
	o.gateway = types.NamespacedName{Namespace: namespace, Name: name}
	if o.namespace == "" {
		o.namespace = namespace
	}
	return o, nil
}

// run tries the Gateway and tells the results. It returns false when a promise was broken.
func run(ctx context.Context, o options, out io.Writer) (kept bool, err error) {
	config, err := clientcmd.BuildConfigFromFlags("", o.kubeconfig)
	if err != nil {
		return false, err
	}
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, gatewayv1.Install} {
		if err := add(scheme); err != nil {
			return false, err
		}
	}
	c, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		return false, err
	}
	plain, err := kubernetes.NewForConfig(config)
	if err != nil {
		return false, err
	}
	results, err := live.Run(ctx, live.Options{
		Client: c, Namespace: o.namespace, Gateway: o.gateway, Address: o.address, Image: o.image, Answered: live.Answered(plain),
		Hold: o.hold, Settle: o.settle, Clock: clock.RealClock{},
	})
	kept = true
	for _, r := range results {
		kept = kept && len(r.Broken) == 0
		fmt.Fprintln(out, r)
	}
	return kept, err
}
