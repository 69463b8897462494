//go:build e2e

package e2e

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

const (
	// poll is how often the cluster is looked at.
	poll = 250 * time.Millisecond
	// patience is how long anything may take. It is many times what it takes on an idle machine.
	patience = 3 * time.Minute
)

// TestMain has what a client logs, such as warnings of the API server, written to where the tests write.
func TestMain(m *testing.M) {
	ctrllog.SetLogger(funcr.New(func(prefix, args string) { fmt.Fprintln(os.Stderr, prefix, args) }, funcr.Options{}))
	os.Exit(m.Run())
}

// cluster is what all tests share.
type cluster struct {
	client.WithWatch
	// plain reaches pods through the API server's proxy.
	plain kubernetes.Interface
	// name of the cluster, for its launcher.
	name string
	// launcher is the program that starts and stops the parts of the cluster.
	launcher string
	// kubectlPath is kubectl itself, and sluice its plugin.
	kubectlPath string
	sluice      string
	// kubeconfig names the cluster to it.
	kubeconfig string
	// gateway is the URL at which pods reach the gateway.
	gateway string
	// auditLog is the file in which the API server writes down every request.
	auditLog string
	// appImage, loadImage and metricsImage are images that the node has.
	appImage, loadImage, metricsImage string
}

// connect reads where the cluster is from the environment, as `make e2e` sets it.
func connect(t *testing.T) *cluster {
	t.Helper()
	c := &cluster{
		name:         needed(t, "CLUSTER"),
		launcher:     needed(t, "LAUNCHER"),
		kubectlPath:  needed(t, "KUBECTL"),
		sluice:       needed(t, "KUBECTL_SLUICE"),
		kubeconfig:   needed(t, "KUBECONFIG"),
		gateway:      needed(t, "GATEWAY_INSIDE"),
		auditLog:     needed(t, "AUDIT_LOG"),
		appImage:     cmp.Or(os.Getenv("APP_IMAGE"), "sluice.local/app:dev"),
		loadImage:    cmp.Or(os.Getenv("LOAD_IMAGE"), "sluice.local/load:dev"),
		metricsImage: cmp.Or(os.Getenv("METRICS_IMAGE"), "sluice.local/metrics:dev"),
	}
	config, err := clientcmd.BuildConfigFromFlags("", c.kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	config.QPS = -1 // The API server sheds load by itself.
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		clientgoscheme.AddToScheme, v1alpha1.AddToScheme, gatewayv1.Install,
	} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	if c.WithWatch, err = client.NewWithWatch(config, client.Options{Scheme: scheme}); err != nil {
		t.Fatal(err)
	}
	if c.plain, err = kubernetes.NewForConfig(config); err != nil {
		t.Fatal(err)
	}
	return c
}

func needed(t *testing.T, variable string) string {
	t.Helper()
	value := os.Getenv(variable)
	if value == "" {
		t.Fatalf("%s is not set: run these tests with \"make e2e\"", variable)
	}
	return value
}

// eventually looks until it finds what it looks for. What is returned besides says what the last look found instead.
func eventually(t *testing.T, what string, look func(context.Context) (found bool, instead string)) {
	t.Helper()
	var instead string
	err := wait.PollUntilContextTimeout(t.Context(), poll, patience, true, func(ctx context.Context) (bool, error) {
		found, now := look(ctx)
		if ctx.Err() == nil {
			instead = now
		}
		return found, nil
	})
	if err != nil {
		t.Fatalf("%s: not within %s; instead: %s", what, patience, instead)
	}
}

// component stops or starts a part of the cluster: stop prometheus. It does so in the clean-up of a test as well.
func (c *cluster) component(t *testing.T, verb, name string) {
	t.Helper()
	command := exec.CommandContext(context.WithoutCancel(t.Context()), c.launcher, verb, name, "--name", c.name)
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", command, err, out)
	}
}
