package simulation

import (
	"fmt"
	"maps"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// deploymentRevision is the number of a revision on a ReplicaSet that a Deployment has made.
const deploymentRevision = "deployment.kubernetes.io/revision"

// deploymentOf are the Deployments that a change concerns.
func deploymentOf(c *Change) []item {
	obj := c.After
	if obj == nil {
		obj = c.Before
	}
	switch owner := metav1.GetControllerOf(obj); {
	case c.Kind == kindDeployment():
		return []item{{kind: c.Kind, key: c.Key}}
	case c.Kind == kindReplicaSet() && owner != nil && owner.Kind == kindDeployment().Kind:
		return []item{{kind: kindDeployment(), key: types.NamespacedName{Namespace: c.Key.Namespace, Name: owner.Name}}}
	}
	return nil
}

// deploy is the Deployment controller, as far as somebody depends on it: it has one ReplicaSet, of the template that it was
// made with, keeps that at its size, and counts the pods.
func (e *environment) deploy(i item) time.Duration {
	d := lookup[*appsv1.Deployment](e.world.Server, i.kind, i.key)
	if d == nil || d.DeletionTimestamp != nil {
		return 0
	}
	rs := e.setOfDeployment(d)
	if want := ptr.Deref(d.Spec.Replicas, 1); *rs.Spec.Replicas != want {
		sized := copyOf(rs)
		sized.Spec.Replicas = ptr.To(want)
		e.put(e.by("deployment-controller"), kindReplicaSet(), sized)
	}
	next := copyOf(d)
	next.Status = appsv1.DeploymentStatus{
		ObservedGeneration: d.Generation, Replicas: rs.Status.Replicas, ReadyReplicas: rs.Status.ReadyReplicas,
		AvailableReplicas: rs.Status.AvailableReplicas,
	}
	e.put(e.status("deployment-controller"), i.kind, next)
	return 0
}

// setOfDeployment is the ReplicaSet of a Deployment; it is made when it is not there.
func (e *environment) setOfDeployment(d *appsv1.Deployment) *appsv1.ReplicaSet {
	key := types.NamespacedName{Namespace: d.Namespace, Name: d.Name + "-" + ownHash}
	if rs := lookup[*appsv1.ReplicaSet](e.world.Server, kindReplicaSet(), key); rs != nil {
		return rs
	}
	rs := leftByDeployment(ownHash, d.Spec.Template, *d.Spec.Replicas)
	rs.Namespace = d.Namespace
	rs.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(d, kindDeployment())}
	if err := e.world.Server.create(e.by("deployment-controller"), kindReplicaSet(), rs); err != nil {
		panic(fmt.Sprintf("creating ReplicaSet %s: %v", rs.Name, err))
	}
	return rs
}

// ownHash is what a Deployment calls its revision: another name than ours.
const ownHash = "5d8f7c9b4"

// leftByDeployment is a ReplicaSet as a Deployment makes it, and leaves it behind.
func leftByDeployment(hash string, template corev1.PodTemplateSpec, replicas int32) *appsv1.ReplicaSet {
	template = *template.DeepCopy()
	template.Labels[v1alpha1.LabelPodTemplateHash] = hash
	return &appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: Namespace, Name: "web-" + hash, Labels: template.Labels, Annotations: map[string]string{deploymentRevision: "7"},
		},
		Spec: appsv1.ReplicaSetSpec{
			Replicas: ptr.To(replicas), Selector: &metav1.LabelSelector{MatchLabels: maps.Clone(template.Labels)}, Template: template,
		},
	}
}

// deploymentFields says what of a Deployment was written beside its size, and whether it lost pods that are still needed: as
// many as serve of ours, and no more, may go.
func deploymentFields(l *look) string {
	before, ok := l.change.Before.(*appsv1.Deployment)
	after, isDeployment := l.change.After.(*appsv1.Deployment)
	if !ok || !isDeployment {
		return "a Deployment was created or deleted"
	}
	x, y := before.DeepCopy(), after.DeepCopy()
	for _, d := range []*appsv1.Deployment{x, y} {
		d.ResourceVersion, d.Generation, d.Spec.Replicas = "", 0, nil
	}
	if !same(x, y) {
		return "more than the size of the Deployment differs"
	}
	had, has := *before.Spec.Replicas, *after.Spec.Replicas
	if ours := l.world.serving(l.after) + l.world.checker.fates; has < had && has+ours < min(l.replicas(), had+ours) {
		return fmt.Sprintf("the Deployment goes from %d to %d pods, and %d of ours serve", had, has, ours)
	}
	return ""
}

// serving counts the pods of a Rollout that serve.
func (w *World) serving(t *truth) int32 {
	var n int32
	for _, s := range t.sets {
		n += s.serving
	}
	return n
}
