//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/demo/workload"
)

// TestMigrateAndEject puts a Rollout in the place of a live Deployment under load, releases with it, and gives the pods to a
// Deployment again. No pod is restarted by either, and no request is lost.
func TestMigrateAndEject(t *testing.T) {
	t.Parallel()
	e := newEnv(t, "migrated")
	e.create(e.deploymentNamed(workload.Name, good(v1), limits{surge: intstr.FromInt32(1)}))
	e.does("rollout", "status", "deployment/"+workload.Name, "--timeout=2m")
	e.does("autoscale", "deployment", workload.Name, "--min=4", "--max=4", "--cpu=80%")
	e.loadGateway(fullRate / 2)
	e.loadAddress(fullRate / 2)
	e.loadAnswered()
	from, before := e.mark(), e.allUIDs()

	e.says(0, nil, "migrate", "deployment/"+workload.Name, "--strategy", "canary", "--route", workload.Name)
	e.watched = watch(e)
	e.await("v1 is Healthy", healthy)
	e.gone(&appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: workload.Name}})
	e.unmoved(before)
	e.scales(v1alpha1.RolloutKind)
	e.noFailures(from)

	e.release(good(v2))
	e.await("a tenth of the traffic on v2", atGates(0))
	e.says(0, nil, "promote", workload.Name)
	e.await("half the traffic on v2", atGates(1))
	e.says(1, nil, "eject", workload.Name)
	e.says(0, nil, "promote", workload.Name)
	e.await("v2 is promoted", healthy)
	e.onlyStable()
	e.only(v2)
	e.noFailures(from)

	before = e.allUIDs()
	e.says(0, nil, "eject", workload.Name)
	e.gone(&v1alpha1.Rollout{ObjectMeta: metav1.ObjectMeta{Name: workload.Name}})
	e.does("rollout", "status", "deployment/"+workload.Name, "--timeout=2m")
	e.unmoved(before)
	e.scales("Deployment")
	e.servesAsBefore()
	e.only(v2)
	e.noFailures(from)
}

// allUIDs are the pods of the app, ending or not.
func (e *env) allUIDs() map[types.UID]bool {
	e.t.Helper()
	out := map[types.UID]bool{}
	for _, pod := range e.pods(e.t.Context()) {
		out[pod.UID] = true
	}
	return out
}

// unmoved holds that the pods are those that there were, and that none of their containers has been started again.
func (e *env) unmoved(before map[types.UID]bool) {
	e.t.Helper()
	if after := e.allUIDs(); !sameKeys(after, before) {
		e.t.Errorf("the pods are %v, want those that there were: %v", after, before)
	}
	for _, pod := range e.pods(e.t.Context()) {
		if n := pod.Status.ContainerStatuses[0].RestartCount; n > 0 {
			e.t.Errorf("the container of pod %s was started again %d times", pod.Name, n)
		}
	}
}

// scales waits until the autoscaler is for an object of a kind, and has read its scale.
func (e *env) scales(kind string) {
	e.t.Helper()
	eventually(e.t, "the autoscaler is for a "+kind, func(ctx context.Context) (bool, string) {
		hpa := &autoscalingv2.HorizontalPodAutoscaler{}
		if err := e.Get(ctx, client.ObjectKey{Namespace: e.Namespace, Name: workload.Name}, hpa); err != nil {
			return false, err.Error()
		}
		return hpa.Spec.ScaleTargetRef.Kind == kind && hpa.Status.CurrentReplicas == e.Replicas, fmt.Sprintf("%+v", hpa.Status)
	})
}
