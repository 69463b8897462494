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
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/demo/workload"
)

// Where config/install.yaml puts the controller.
const (
	controllerNamespace  = "sluice-system"
	controllerDeployment = "sluice-controller"
)

// check finds out whether the cluster has what the demonstration needs. The error lists everything that is missing, each
// with its cure.
func (c *cluster) check(ctx context.Context) error {
	if _, err := c.plain.Discovery().ServerVersion(); err != nil {
		return fmt.Errorf("the cluster does not answer: %w", err)
	}
	return errors.Join(
		c.serves(v1alpha1.GroupVersion.String(), "install Sluice with \"kubectl apply --server-side -f config/install.yaml\""),
		c.checkGatewayClass(ctx),
		c.checkController(ctx),
	)
}

// serves finds out whether the API server knows a group.
func (c *cluster) serves(groupVersion, cure string) error {
	_, err := c.plain.Discovery().ServerResourcesForGroupVersion(groupVersion)
	if apierrors.IsNotFound(err) {
		return fmt.Errorf("the cluster does not serve %s: %s", groupVersion, cure)
	}
	return err
}

func (c *cluster) checkGatewayClass(ctx context.Context) error {
	if err := c.serves(gatewayv1.GroupVersion.String(), "install the Gateway API CRDs and a gateway that implements them"); err != nil {
		return err
	}
	var classes gatewayv1.GatewayClassList
	if err := c.List(ctx, &classes); err != nil {
		return err
	}
	var names []string
	for i := range classes.Items {
		class := &classes.Items[i]
		names = append(names, class.Name)
		if class.Name != c.settings.GatewayClass {
			continue
		}
		accepted := string(gatewayv1.GatewayClassConditionStatusAccepted)
		if !meta.IsStatusConditionTrue(class.Status.Conditions, accepted) {
			return fmt.Errorf("GatewayClass %s is not Accepted: is the gateway that implements it running?", class.Name)
		}
		return nil
	}
	if len(names) == 0 {
		return fmt.Errorf("there is no GatewayClass: install a gateway that implements the Gateway API")
	}
	return fmt.Errorf("there is no GatewayClass %s: choose one of %s with -gateway-class", c.settings.GatewayClass,
		strings.Join(names, ", "))
}

// checkController waits until the controller is available.
func (c *cluster) checkController(ctx context.Context) error {
	what := fmt.Sprintf("the controller, Deployment %s in namespace %s", controllerDeployment, controllerNamespace)
	return c.until(ctx, what, 90*time.Second, func(ctx context.Context) (bool, error) {
		deployment := &appsv1.Deployment{}
		key := client.ObjectKey{Namespace: controllerNamespace, Name: controllerDeployment}
		if err := c.Get(ctx, key, deployment); apierrors.IsNotFound(err) {
			return false, &finalError{"is not installed: \"kubectl apply --server-side -f config/install.yaml\""}
		} else if err != nil {
			return false, err
		}
		if rolledOut(deployment) {
			return true, nil
		}
		var pods corev1.PodList
		err := c.List(ctx, &pods, client.InNamespace(key.Namespace),
			client.MatchingLabels(deployment.Spec.Selector.MatchLabels))
		if err != nil {
			return false, err
		}
		return false, fmt.Errorf("is not available; %s", orNothing(observed{pods: pods.Items}.stuck()))
	})
}

// rolledOut says that a Deployment runs what its spec asks for and nothing else.
func rolledOut(d *appsv1.Deployment) bool {
	want := ptr.Deref(d.Spec.Replicas, 1)
	return d.Status.ObservedGeneration == d.Generation && d.Status.UpdatedReplicas == want &&
		d.Status.Replicas == want && d.Status.AvailableReplicas == want
}

func orNothing(reasons []string) string {
	if len(reasons) == 0 {
		return "no pod says why"
	}
	return strings.Join(reasons, "; ")
}

// checkPrometheus lets the controller ask Prometheus, in an AnalysisRun of its own: what matters is what the controller
// can reach, and not what this program can.
func (c *cluster) checkPrometheus(ctx context.Context) error {
	return c.measure(ctx, "prometheus-answers", "vector(1)", "",
		"the controller cannot ask Prometheus: install it with PROMETHEUS_ADDRESS set, or name its address with -prometheus")
}

// checkMetrics finds out whether Prometheus has the metrics of the app, with the label that tells revisions apart.
func (c *cluster) checkMetrics(ctx context.Context, revision string) error {
	window := fmt.Sprintf("%ds", int(c.settings.Window.Seconds()))
	query := workload.SuccessRateQuery(fmt.Sprintf(`namespace=%q,pod_template_hash=%q`, c.settings.Namespace, revision), window)
	return c.measure(ctx, "prometheus-has-metrics", query, revision,
		"Prometheus answers and has no http_requests_total of the app with the labels namespace and pod_template_hash over "+
			window+": let it scrape pods with the annotations prometheus.io/scrape and prometheus.io/port and turn pod "+
			"labels into labels, or widen -window to four scrapes")
}

// measure runs one query, again and again until it gives 1, and says the cure when it does not.
func (c *cluster) measure(ctx context.Context, name, query, revision, cure string) error {
	run := &v1alpha1.AnalysisRun{
		ObjectMeta: metav1.ObjectMeta{Namespace: c.settings.Namespace, Name: name},
		Spec: v1alpha1.AnalysisRunSpec{
			Revision: revision,
			Metrics: []v1alpha1.Metric{{
				Name:             name,
				Interval:         &metav1.Duration{Duration: time.Second},
				Count:            ptr.To[int32](1),
				SuccessCondition: "result == 1.0",
				Provider: v1alpha1.MetricProvider{Prometheus: &v1alpha1.PrometheusMetric{
					Address: c.settings.Prometheus, Query: query,
				}},
			}},
		},
	}
	if err := c.Create(ctx, run); err != nil {
		return err
	}
	return c.until(ctx, "analysis "+name, 45*time.Second+c.settings.Window, func(ctx context.Context) (bool, error) {
		if err := c.Get(ctx, client.ObjectKeyFromObject(run), run); err != nil {
			return false, err
		}
		switch run.Status.Phase {
		case v1alpha1.AnalysisPassed:
			return true, nil
		case v1alpha1.AnalysisFailed, v1alpha1.AnalysisInconclusive, v1alpha1.AnalysisStopped:
			return false, &finalError{run.Status.Message}
		default:
			return false, fmt.Errorf("%s (%s)", cure, lastMeasurement(run))
		}
	})
}

func lastMeasurement(run *v1alpha1.AnalysisRun) string {
	for _, metric := range run.Status.Metrics {
		if n := len(metric.Measurements); n > 0 {
			last := metric.Measurements[n-1]
			return strings.TrimSuffix(string(last.State)+": "+last.Message, ": ")
		}
	}
	return "nothing has been measured"
}
