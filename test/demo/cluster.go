package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/demo/workload"
	"github.com/sluice-dev/sluice/test/load/stats"
)

// pollInterval is how often the cluster is looked at.
const pollInterval = 500 * time.Millisecond

// cluster is the cluster on which the demonstration runs.
type cluster struct {
	client.Client
	// plain reaches what Client does not: discovery, and pods through the API server's proxy.
	plain    kubernetes.Interface
	settings workload.Settings
	clock    clock.Clock
}

func connect(o options) (*cluster, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = o.kubeconfig
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, nil).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("kubeconfig: %w: name a cluster with -kubeconfig or in KUBECONFIG", err)
	}
	config.QPS, config.Burst = 100, 200
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		clientgoscheme.AddToScheme, v1alpha1.AddToScheme, gatewayv1.Install,
	} {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}
	c, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		return nil, err
	}
	plain, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	return &cluster{Client: c, plain: plain, settings: o.Settings, clock: clock.RealClock{}}, nil
}

// until looks again and again until done says so. A look that fails is repeated: a cluster is not always at hand. When
// the time is up the error says what the last look found missing.
func (c *cluster) until(ctx context.Context, what string, limit time.Duration, look func(context.Context) (bool, error)) error {
	var missing error
	err := wait.PollUntilContextTimeout(ctx, pollInterval, limit, true, func(ctx context.Context) (bool, error) {
		done, err := look(ctx)
		var final *finalError
		if errors.As(err, &final) {
			return false, err
		}
		if err == nil || ctx.Err() == nil {
			missing = err
		}
		return done && err == nil, nil
	})
	switch {
	case err == nil:
		return nil
	case !wait.Interrupted(err):
		return fmt.Errorf("%s: %w", what, err)
	case ctx.Err() != nil:
		return fmt.Errorf("%s: interrupted", what)
	case missing != nil:
		return fmt.Errorf("%s: not within %s: %w", what, limit, missing)
	default:
		return fmt.Errorf("%s: not within %s", what, limit)
	}
}

// finalError ends until at once: waiting would not mend it.
type finalError struct{ message string }

func (e *finalError) Error() string { return e.message }

// observe reads the Rollout and all that belongs to it. The load is read last, so that it counts at least the requests
// up to the moment that the Rollout's status speaks of.
func (c *cluster) observe(ctx context.Context, withLoad bool) (observed, error) {
	o := observed{rollout: &v1alpha1.Rollout{}}
	key := client.ObjectKey{Namespace: c.settings.Namespace, Name: workload.Name}
	if err := c.Get(ctx, key, o.rollout); err != nil {
		return o, err
	}
	var replicaSets appsv1.ReplicaSetList
	var pods corev1.PodList
	for _, list := range []client.ObjectList{&replicaSets, &pods} {
		err := c.List(ctx, list, client.InNamespace(key.Namespace),
			client.MatchingLabels(o.rollout.Spec.Selector.MatchLabels))
		if err != nil {
			return o, err
		}
	}
	o.replicaSets, o.pods = replicaSets.Items, pods.Items
	if !withLoad {
		return o, nil
	}
	var err error
	o.load, err = c.load(ctx)
	return o, err
}

// load reads the counters of the load generator.
func (c *cluster) load(ctx context.Context) (stats.Report, error) {
	return stats.Read(ctx, c.plain, c.settings.Namespace, workload.LoadName, 2*recentSeconds)
}

// clear removes what an earlier demonstration left. It touches no namespace that was made by somebody else.
func (c *cluster) clear(ctx context.Context) error {
	namespace := c.settings.NamespaceObject()
	err := c.Get(ctx, client.ObjectKeyFromObject(namespace), namespace)
	switch {
	case apierrors.IsNotFound(err):
		return nil
	case err != nil:
		return err
	case namespace.Labels[workload.LabelDemo] == "":
		return fmt.Errorf("namespace %s exists and is not of an earlier demonstration: choose another one with -namespace",
			namespace.Name)
	}
	if err := client.IgnoreNotFound(c.Delete(ctx, namespace)); err != nil {
		return err
	}
	return c.until(ctx, "removing namespace "+namespace.Name, 2*time.Minute, func(ctx context.Context) (bool, error) {
		err := c.Get(ctx, client.ObjectKeyFromObject(namespace), namespace)
		return apierrors.IsNotFound(err), client.IgnoreNotFound(err)
	})
}

// address is the URL at which pods reach the gateway, from the status of the Gateway once it is programmed.
func (c *cluster) address(ctx context.Context) (string, error) {
	var url string
	err := c.until(ctx, "Gateway "+workload.Name, time.Minute, func(ctx context.Context) (bool, error) {
		gateway := c.settings.Gateway()
		if err := c.Get(ctx, client.ObjectKeyFromObject(gateway), gateway); err != nil {
			return false, err
		}
		addresses := gateway.Status.Addresses
		if len(addresses) == 0 {
			return false, fmt.Errorf("its status has no address%s: name the URL at which pods reach the gateway with -gateway",
				conditions(gateway))
		}
		url = fmt.Sprintf("http://%s:%d/", addresses[0].Value, c.settings.ListenerPort)
		return true, nil
	})
	return url, err
}

// conditions says what a Gateway reports of itself.
func conditions(gateway *gatewayv1.Gateway) string {
	var out []string
	for _, condition := range gateway.Status.Conditions {
		out = append(out, fmt.Sprintf("%s is %s: %s", condition.Type, condition.Status, condition.Message))
	}
	if len(out) == 0 {
		return " and no condition"
	}
	return " (" + strings.Join(out, "; ") + ")"
}
