//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/demo/workload"
)

// TestDeletionWithoutCascade deletes a Rollout in the middle of a release under load. Its pods go on serving behind a
// Service and a route that are as they were before there was a Rollout.
func TestDeletionWithoutCascade(t *testing.T) {
	t.Parallel()
	e := newEnv(t, "orphaned")
	first := e.install(canary(untilPromoted(50)))
	e.loadGateway(fullRate / 2)
	e.loadAddress(fullRate / 2)
	e.loadAnswered()
	from := e.mark()
	e.release(good(v2))
	e.await("half the traffic on v2", atGates(0))
	stable := e.uidsOf(first.Status.StableRevision)

	e.does("delete", "rollout", workload.Name, "--cascade=orphan")
	e.gone(&v1alpha1.Rollout{ObjectMeta: metav1.ObjectMeta{Name: workload.Name}})
	e.only(v1)
	e.servesAsBefore()
	if left := e.uidsOf(first.Status.StableRevision); !sameKeys(left, stable) {
		t.Errorf("the pods of v1 are %v, want those that there were, %v", left, stable)
	}
	e.noFailures(from)
}

// TestDeletionInTheMiddleOfARelease deletes a Rollout with its pods. As long as it is there, they serve.
func TestDeletionInTheMiddleOfARelease(t *testing.T) {
	t.Parallel()
	e := newEnv(t, "deleted")
	e.install(canary(untilPromoted(50)))
	e.loadGateway(fullRate / 2)
	e.loadAddress(fullRate / 2)
	e.loadAnswered()
	from := e.mark()
	e.release(good(v2))
	e.await("half the traffic on v2", atGates(0))

	e.does("delete", "rollout", workload.Name, "--wait=false")
	e.gone(&v1alpha1.Rollout{ObjectMeta: metav1.ObjectMeta{Name: workload.Name}})
	e.noFailures(from) // The pods end now, and go on answering for a time.
	e.servesAsBefore()
	e.gone(&corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: workload.Standby}})
	eventually(t, "nothing of the Rollout is left", func(ctx context.Context) (bool, string) {
		pods := e.pods(ctx)
		return len(pods) == 0, fmt.Sprintf("%d pods", len(pods))
	})
}

// gone waits until an object of the namespace does not exist any more.
func (e *env) gone(object client.Object) {
	e.t.Helper()
	key := client.ObjectKey{Namespace: e.Namespace, Name: object.GetName()}
	eventually(e.t, object.GetName()+" is gone", func(ctx context.Context) (bool, string) {
		err := e.Get(ctx, key, object)
		return apierrors.IsNotFound(err), fmt.Sprintf("%v, with finalizers %v", err, object.GetFinalizers())
	})
}

// servesAsBefore holds that Service and route are as their owner wrote them.
func (e *env) servesAsBefore() {
	e.t.Helper()
	service, route := &corev1.Service{}, &gatewayv1.HTTPRoute{}
	key := client.ObjectKey{Namespace: e.Namespace, Name: workload.Name}
	for _, object := range []client.Object{service, route} {
		if err := e.Get(e.t.Context(), key, object); err != nil {
			e.t.Fatal(err)
		}
	}
	if got, want := service.Spec.Selector, e.Service().Spec.Selector; fmt.Sprint(got) != fmt.Sprint(want) {
		e.t.Errorf("the Service selects %v, want %v", got, want)
	}
	if backends := route.Spec.Rules[0].BackendRefs; len(backends) != 1 || backends[0].Name != workload.Name {
		e.t.Errorf("the route has the backends %+v, want the Service alone", backends)
	}
}

// uidsOf are the pods of a revision that are not ending.
func (e *env) uidsOf(revision string) map[types.UID]bool {
	e.t.Helper()
	out := map[types.UID]bool{}
	for _, pod := range e.podsOf(revision) {
		out[pod.UID] = true
	}
	return out
}

func sameKeys(a, b map[types.UID]bool) bool {
	for uid := range b {
		if !a[uid] {
			return false
		}
	}
	return len(a) == len(b)
}

// TestTemplateStaysInADeployment takes the traffic of a Deployment over under load, releases by kubectl set image as tools
// do that know nothing else, and gives it back.
func TestTemplateStaysInADeployment(t *testing.T) {
	t.Parallel()
	e := newEnv(t, "referred")
	e.create(e.deploymentNamed(workload.Name, good(v1), limits{surge: intstr.FromInt32(1)}))
	e.does("rollout", "status", "deployment/"+workload.Name, "--timeout=2m")
	e.loadGateway(fullRate / 2)
	e.loadAddress(fullRate / 2)
	e.loadAnswered()
	from := e.mark()

	rollout := e.Rollout(good(v1), canary(untilPromoted(50)))
	rollout.Spec.Template.Raw, rollout.Spec.Selector = nil, nil
	rollout.Spec.WorkloadRef = &v1alpha1.WorkloadReference{
		Name: workload.Name, ScaleDown: v1alpha1.WorkloadScaleDownProgressively,
	}
	e.create(rollout)
	e.watched = watch(e)
	e.await("v1 is Healthy", healthy)
	e.does("wait", "--for=jsonpath={.spec.replicas}=0", "deployment/"+workload.Name, "--timeout=2m")
	e.noFailures(from)

	e.does("set", "env", "deployment/"+workload.Name, "VERSION="+v2)
	e.await("half the traffic on v2", atGates(0))
	e.share(25) // Half of what comes through the gateway, and nothing of the rest.
	e.says(0, nil, "promote", workload.Name)
	e.await("v2 is promoted", func(r *v1alpha1.Rollout) bool { return healthy(r) && len(r.Status.History) == 2 })
	e.onlyStable()
	e.only(v2)
	e.noFailures(from)

	e.does("delete", "rollout", workload.Name)
	e.gone(&v1alpha1.Rollout{ObjectMeta: metav1.ObjectMeta{Name: workload.Name}})
	e.does("wait", "--for=jsonpath={.status.availableReplicas}=4", "deployment/"+workload.Name, "--timeout=2m")
	eventually(t, "only the pods of the Deployment are left", func(ctx context.Context) (bool, string) {
		pods := e.pods(ctx)
		return len(pods) == int(e.Replicas), fmt.Sprintf("%d pods", len(pods))
	})
	e.only(v2)
	e.servesAsBefore()
	e.gone(&corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: workload.Standby}})
	e.noFailures(from)
}

// TestMetadataFollowsRoles moves labels from pod to pod as their revisions change roles, without one restart.
func TestMetadataFollowsRoles(t *testing.T) {
	t.Parallel()
	e := newEnv(t, "roles")
	first := e.install(canary(untilPromoted(50)), func(spec *v1alpha1.RolloutSpec) {
		spec.RoleMetadata = &v1alpha1.RoleMetadata{
			Stable:    &v1alpha1.PodMetadata{Labels: map[string]string{"role": "stable"}},
			Candidate: &v1alpha1.PodMetadata{Labels: map[string]string{"role": "candidate"}},
		}
	})
	e.labelled(first.Status.StableRevision, "stable", 4)
	e.release(good(v2))
	revision := e.await("half the traffic on v2", atGates(0)).Status.UpdateRevision
	e.labelled(first.Status.StableRevision, "stable", 4)
	e.labelled(revision, "candidate", 2)
	before := e.uidsOf(revision)

	e.says(0, nil, "promote", workload.Name)
	e.await("v2 is promoted", healthy)
	e.labelled(revision, "stable", 4)
	after := e.uidsOf(revision)
	for uid := range before {
		if !after[uid] {
			t.Errorf("pod %s was replaced when its revision became stable", uid)
		}
	}
	for _, pod := range e.podsOf(revision) {
		if n := pod.Status.ContainerStatuses[0].RestartCount; n > 0 {
			t.Errorf("the container of pod %s was started again %d times", pod.Name, n)
		}
	}
	e.edit(func(spec *v1alpha1.RolloutSpec) { spec.RoleMetadata = nil })
	e.labelled(revision, "", 4)
	if rollout := e.await("v2 is as it was", healthy); rollout.Status.UpdateRevision != revision {
		t.Errorf("without roles the revision is %s, was %s", rollout.Status.UpdateRevision, revision)
	}
}

// labelled waits until so many pods of a revision have a role, and no pod of it another one.
func (e *env) labelled(revision, role string, want int) {
	e.t.Helper()
	eventually(e.t, fmt.Sprintf("%d pods of %s have the role %q", want, revision, role), func(context.Context) (bool, string) {
		roles := map[string]int{}
		for _, pod := range e.podsOf(revision) {
			roles[pod.Labels["role"]]++
		}
		return len(roles) == 1 && roles[role] == want, fmt.Sprint(roles)
	})
}

// TestCandidateFindsNoNode keeps revisions apart on a cluster of one node. The Rollout says what its pod waits for, and
// gives the release up at the deadline, without a request lost.
func TestCandidateFindsNoNode(t *testing.T) {
	t.Parallel()
	e := newEnv(t, "apart")
	e.install(canary(untilPromoted(50)), func(spec *v1alpha1.RolloutSpec) {
		spec.AntiAffinity = &v1alpha1.AntiAffinity{Strength: v1alpha1.AntiAffinityRequired}
		spec.ProgressDeadlineSeconds = ptr.To[int32](30)
	})
	e.load()
	from := e.mark()
	e.release(good(v2))
	wants := []string{"0 of 2", "finds no node", "anti-affinity"}
	revision := e.await("the Rollout says that a pod finds no node", func(r *v1alpha1.Rollout) bool {
		return r.Status.State.Stage == v1alpha1.StageStepping && containsAll(r.Status.Message, wants)
	}).Status.UpdateRevision
	e.says(0, wants, "why", workload.Name)
	for _, pod := range e.podsOf(revision) {
		if pod.Spec.NodeName != "" {
			t.Errorf("pod %s is on node %s, beside those of v1", pod.Name, pod.Spec.NodeName)
		}
	}
	rollout := e.await("v2 is aborted", aborted)
	e.outcome(rollout, v1alpha1.OutcomeAborted, v1alpha1.ReasonProgressDeadlineExceeded)
	e.notReady(rollout, v1alpha1.ReasonProgressDeadlineExceeded, wants...)
	e.onlyStable()
	e.only(v1)
	e.noFailures(from)
}
