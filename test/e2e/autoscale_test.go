//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/demo/workload"
)

const (
	// annotationLoad is, on a namespace, the load of each of its workloads, in bytes; see test/metrics.
	annotationLoad = "test.sluice.dev/load"
	// bytesPerPod is the load for which the autoscalers want one pod: 80 % of the 16Mi that it requests.
	bytesPerPod = 16 << 20 * 8 / 10
	// window is how long an autoscaler must want fewer pods before it asks for them. It reads metrics and then pods: when
	// pods go between the two, those that are left seem to have had less to do than they have, until its next look, a
	// second later. An autoscaler waits five minutes, if not told otherwise.
	window = 5 * time.Second
	// still is how long autoscalers, which look every second, may not change what they ask for.
	still = window + 2*time.Second
)

// scaled is a Rollout beside a Deployment of the same pods, under the same load, each with an autoscaler of its own.
type scaled struct {
	*env
	// replicas is what both were last asked for.
	replicas int32
}

// TestAutoscaler puts the same load on a Rollout and on a Deployment, another one in every phase of a release, and holds
// that the autoscalers ask both for the same number of pods, and get it, without a step of the release moving.
//
// An autoscaler does nothing while what it sees is within a tenth of what it wants. The pods of a candidate take their
// part of the load, so that with a few more pods it can be content with a load that a Deployment would be scaled for. No
// load here is as near as that.
func TestAutoscaler(t *testing.T) {
	t.Parallel()
	e := &scaled{env: newEnv(t, "autoscaler"), replicas: 4}
	e.installMetrics()
	e.needs(4)
	e.create(e.deployment(good(v1), limits{surge: intstr.FromInt32(1)}))
	e.install(canary(untilPromoted(25), untilPromoted(50)))
	e.create(e.autoscaler("apps/v1", "Deployment", plainName))
	e.create(e.autoscaler(v1alpha1.GroupVersion.String(), v1alpha1.RolloutKind, workload.Name))
	e.asks("Healthy", 6, healthy)

	e.release(good(v2))
	e.await("v2 is at step 1", atGates(0))
	e.asks("at step 1", 11, atGates(0))
	e.edit(func(spec *v1alpha1.RolloutSpec) { spec.Paused = true })
	e.asks("at step 1, held by spec.paused", 5, atGates(0))
	e.edit(func(spec *v1alpha1.RolloutSpec) { spec.Paused = false })
	e.says(0, nil, "promote", workload.Name)
	e.await("v2 is at step 2", atGates(1))
	e.asks("at step 2", 10, atGates(1))
	e.says(0, nil, "abort", workload.Name)
	e.await("v2 is aborted", aborted)
	e.asks("aborted", 5, aborted)

	e.says(0, nil, "retry", workload.Name)
	e.await("v2 is at step 1 again", atGates(0))
	e.says(0, nil, "promote", workload.Name, "--full")
	e.await("v2 is being promoted", func(r *v1alpha1.Rollout) bool {
		return r.Status.State.Stage == v1alpha1.StagePromoting || healthy(r)
	})
	e.asks("promoting", 9, healthy)
	if !e.watched.saw(v1alpha1.StagePromoting, 9) {
		t.Error("nothing was asked for while v2 was being promoted, so that nothing was shown")
	}
	e.toNoneAndBack()
}

// saw says whether the Rollout was in a stage with so many replicas.
func (w *watched) saw(stage v1alpha1.Stage, replicas int32) bool {
	for _, r := range w.all() {
		if r.Status.State.Stage == stage && r.Spec.ReplicasOrDefault() == replicas {
			return true
		}
	}
	return false
}

// needs puts so much load on each workload that it needs so many pods, the last of them for a part of its time.
func (e *scaled) needs(pods int32) {
	e.t.Helper()
	load := int64(pods)*bytesPerPod - bytesPerPod/3
	e.does("annotate", "--overwrite", "namespace", e.Namespace, fmt.Sprintf("%s=%d", annotationLoad, load))
}

// autoscaler is one that follows the load up at once, and down after the window.
func (e *scaled) autoscaler(apiVersion, kind, name string) *autoscalingv2.HorizontalPodAutoscaler {
	return &autoscalingv2.HorizontalPodAutoscaler{
		ObjectMeta: metav1.ObjectMeta{Namespace: e.Namespace, Name: name},
		Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
			ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: apiVersion, Kind: kind, Name: name},
			MinReplicas:    ptr.To[int32](1),
			MaxReplicas:    12,
			Metrics: []autoscalingv2.MetricSpec{{
				Type: autoscalingv2.ResourceMetricSourceType,
				Resource: &autoscalingv2.ResourceMetricSource{
					Name: corev1.ResourceMemory,
					Target: autoscalingv2.MetricTarget{
						Type: autoscalingv2.UtilizationMetricType, AverageUtilization: ptr.To[int32](80),
					},
				},
			}},
			Behavior: &autoscalingv2.HorizontalPodAutoscalerBehavior{
				ScaleUp: &autoscalingv2.HPAScalingRules{Policies: []autoscalingv2.HPAScalingPolicy{
					{Type: autoscalingv2.PercentScalingPolicy, Value: 1000, PeriodSeconds: 1},
				}},
				ScaleDown: &autoscalingv2.HPAScalingRules{StabilizationWindowSeconds: ptr.To(int32(window.Seconds()))},
			},
		},
	}
}

// asks puts a load for so many pods on both workloads, in a phase of the Rollout, and holds that the autoscalers ask both
// for that many and for no other number on the way, that both get them, and that the Rollout stays in its phase.
func (e *scaled) asks(phase string, pods int32, in func(*v1alpha1.Rollout) bool) {
	e.t.Helper()
	before, seen := e.rollout(e.t.Context()), len(e.watched.all())
	e.needs(pods)
	since := time.Now()
	eventually(e.t, fmt.Sprintf("%s: %d pods for both", phase, pods), func(ctx context.Context) (bool, string) {
		plain, ours := e.asked(ctx, plainName), e.asked(ctx, workload.Name)
		if plain != pods || ours != pods || !e.got(ctx, pods) {
			since = time.Now()
		}
		return time.Since(since) > still, fmt.Sprintf("the Deployment is asked for %d, the Rollout for %d: %s", plain, ours,
			summary(e.rollout(ctx)))
	})
	after := e.await(phase, in)
	if atGates(before.Status.State.Step)(before) && !after.Status.State.GatesAt.Equal(&before.Status.State.GatesAt) {
		e.t.Errorf("%s: scaling began the gates again: %s, were begun at %s", phase, summary(after), before.Status.State.GatesAt)
	}
	for _, r := range e.watched.all()[seen:] {
		if n := r.Spec.ReplicasOrDefault(); n < min(e.replicas, pods) || n > max(e.replicas, pods) {
			e.t.Errorf("%s: on its way from %d to %d pods the Rollout was asked for %d", phase, e.replicas, pods, n)
		}
	}
	e.t.Logf("%s: both are asked for %d pods; the Rollout has %d in all", phase, pods, after.Status.Replicas)
	e.replicas = pods
}

// asked is the number of pods that an autoscaler asks for.
func (e *scaled) asked(ctx context.Context, name string) int32 {
	e.t.Helper()
	hpa := &autoscalingv2.HorizontalPodAutoscaler{}
	if err := e.Get(ctx, client.ObjectKey{Namespace: e.Namespace, Name: name}, hpa); err != nil && ctx.Err() == nil {
		e.t.Fatal(err)
	}
	return hpa.Status.DesiredReplicas
}

// got says whether both workloads are asked for so many pods and have them: the Rollout of stable, whatever the candidate
// has beside.
func (e *scaled) got(ctx context.Context, pods int32) bool {
	e.t.Helper()
	plain, ours := &appsv1.Deployment{}, e.rollout(ctx)
	if err := e.Get(ctx, client.ObjectKey{Namespace: e.Namespace, Name: plainName}, plain); err != nil && ctx.Err() == nil {
		e.t.Fatal(err)
	}
	stable := 0
	for _, pod := range e.podsOf(ours.Status.StableRevision) {
		if isReady(pod) {
			stable++
		}
	}
	return *plain.Spec.Replicas == pods && plain.Status.AvailableReplicas == pods &&
		ours.Spec.ReplicasOrDefault() == pods && stable == int(pods)
}

// toNoneAndBack scales both to nothing, where an autoscaler leaves them alone, and back to where it goes on.
func (e *scaled) toNoneAndBack() {
	e.t.Helper()
	both := []string{"deployment/" + plainName, "rollout/" + workload.Name}
	for _, object := range both {
		e.does("scale", object, "--replicas=0")
	}
	e.does("wait", "--for=condition=Ready", "rollout/"+workload.Name, "--timeout=2m")
	eventually(e.t, "no pod is left", func(ctx context.Context) (bool, string) {
		return e.got(ctx, 0) && len(e.pods(ctx)) == 0, summary(e.rollout(ctx))
	})
	for _, object := range both {
		e.does("scale", object, "--replicas=1")
	}
	e.replicas = 1
	e.asks("back from none", 3, healthy)
}

// TestDisruptionBudget evicts pods of a Rollout as a drained node would: one of each revision's may go, and no second one
// before the first is replaced.
func TestDisruptionBudget(t *testing.T) {
	t.Parallel()
	e := newEnv(t, "budget")
	e.create(e.deployment(good(v1), limits{surge: intstr.FromInt32(1)}))
	e.install(canary(untilPromoted(50)))
	e.load()
	from := e.mark()
	for _, app := range []string{plainName, workload.Name} {
		e.create(e.budget(app))
	}
	e.disruptions(plainName, 1)
	e.disruptions(workload.Name, 1)
	e.evictsOne(plainName)
	e.evictsOne(workload.Name)

	e.release(good(v2))
	e.await("half the traffic on v2", atGates(0))
	// Pods of both revisions count: 4 of v1 and 2 of v2.
	e.disruptions(workload.Name, 3)
	e.says(0, nil, "promote", workload.Name)
	e.await("v2 is promoted", healthy)
	e.onlyStable()
	e.disruptions(workload.Name, 1)
	e.noFailures(from)
}

// budget asks for three pods.
func (e *env) budget(app string) *policyv1.PodDisruptionBudget {
	return &policyv1.PodDisruptionBudget{
		ObjectMeta: metav1.ObjectMeta{Namespace: e.Namespace, Name: app},
		Spec: policyv1.PodDisruptionBudgetSpec{
			MinAvailable: ptr.To(intstr.FromInt32(3)),
			Selector:     &metav1.LabelSelector{MatchLabels: map[string]string{"app": app}},
		},
	}
}

// disruptions waits until a budget lets so many pods go.
func (e *env) disruptions(app string, want int32) {
	e.t.Helper()
	eventually(e.t, fmt.Sprintf("the budget of %s lets %d pods go", app, want), func(ctx context.Context) (bool, string) {
		budget := &policyv1.PodDisruptionBudget{}
		if err := e.Get(ctx, client.ObjectKey{Namespace: e.Namespace, Name: app}, budget); err != nil {
			return false, err.Error()
		}
		return budget.Status.DisruptionsAllowed == want && budget.Status.ObservedGeneration == budget.Generation,
			fmt.Sprintf("%+v", budget.Status)
	})
}

// evictsOne evicts a pod, is refused a second one, and waits until the first is replaced.
func (e *env) evictsOne(app string) {
	e.t.Helper()
	var pods corev1.PodList
	if err := e.List(e.t.Context(), &pods, client.InNamespace(e.Namespace), client.MatchingLabels{"app": app}); err != nil {
		e.t.Fatal(err)
	}
	evict := func(pod corev1.Pod) error {
		return e.plain.PolicyV1().Evictions(e.Namespace).Evict(e.t.Context(), &policyv1.Eviction{
			ObjectMeta: metav1.ObjectMeta{Namespace: e.Namespace, Name: pod.Name},
		})
	}
	if err := evict(pods.Items[0]); err != nil {
		e.t.Errorf("evicting a first pod of %s: %v", app, err)
	}
	if err := evict(pods.Items[1]); !apierrors.IsTooManyRequests(err) {
		e.t.Errorf("evicting a second pod of %s: %v, want a refusal", app, err)
	}
	e.disruptions(app, 1)
}
