package command

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/util/retry"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// Eject puts a Deployment in the place of a Rollout. No pod ends and none is made: the Deployment adopts the ReplicaSet of the
// stable revision, with its pods. A Rollout whose template is in a Deployment gives that its pods back, and goes.
func (t Takeover) Eject(ctx context.Context, key client.ObjectKey) error {
	r := &v1alpha1.Rollout{}
	exists, err := t.get(ctx, key, r)
	if err != nil {
		return err
	}
	if exists && r.Spec.WorkloadRef != nil {
		return t.ejectReference(ctx, r)
	}
	if exists {
		err = t.ejectTemplate(ctx, r)
	} else {
		err = t.checkEjected(ctx, key)
	}
	if err != nil {
		return err
	}
	return t.resume(ctx, key)
}

// ejectTemplate lets a Rollout go that has its template itself, once there is a Deployment for its pods: that of an earlier
// run, or a new one.
func (t Takeover) ejectTemplate(ctx context.Context, r *v1alpha1.Rollout) error {
	d := &appsv1.Deployment{}
	created, err := t.get(ctx, client.ObjectKeyFromObject(r), d)
	if err != nil {
		return err
	}
	if !created {
		if d, err = t.createDeployment(ctx, r); err != nil {
			return err
		}
	}
	begun, _ := markOf(d)
	if begun.uid != r.UID {
		return refuse(fmt.Sprintf("deployment %q exists already", r.Name), "delete it, or rename it")
	}
	return t.giveBack(ctx, r, d, begun)
}

// checkEjected refuses a Rollout that does not exist, unless an earlier run has let it go and its Deployment waits for pods.
func (t Takeover) checkEjected(ctx context.Context, key client.ObjectKey) error {
	d := &appsv1.Deployment{}
	if _, err := t.get(ctx, key, d); err != nil {
		return err
	}
	if _, marked := markOf(d); !marked {
		return refuse(fmt.Sprintf("rollout %q does not exist", key.Name), "\"kubectl sluice list\" shows those there are")
	}
	return nil
}

// ejectReference lets a Rollout go whose Deployment is still there. The controller brings back its pods before that.
func (t Takeover) ejectReference(ctx context.Context, r *v1alpha1.Rollout) error {
	from, to := scaledRollout(r.Name), scaledDeployment(r.Spec.WorkloadRef.Name)
	if r.DeletionTimestamp == nil {
		err := retry.RetryOnConflict(retry.DefaultBackoff, func() error {
			if err := t.Client.Get(ctx, client.ObjectKeyFromObject(r), r); err != nil {
				return err
			}
			if err := checkReference(r); err != nil {
				return err
			}
			if _, err := t.scalers(ctx, r.Namespace, from, to); err != nil {
				return err
			}
			return t.remove(ctx, r, metav1.DeletePropagationBackground)
		})
		if err != nil {
			return err
		}
	}
	if err := t.gone(ctx, r); err != nil {
		return err
	}
	return t.repoint(ctx, r.Namespace, from, to)
}

// gone waits until the controller has brought the traffic of a Rollout to where it stays.
func (t Takeover) gone(ctx context.Context, r *v1alpha1.Rollout) error {
	err := t.until(ctx, fmt.Sprintf("rollout %q is not gone: %s", r.Name, r.Status.Message), func() (bool, error) {
		err := t.Client.Get(ctx, client.ObjectKeyFromObject(r), &v1alpha1.Rollout{})
		return apierrors.IsNotFound(err), client.IgnoreNotFound(err)
	})
	if err == nil {
		t.Say("rollout %q is gone, and its traffic is where it was", r.Name)
	}
	return err
}

// checkEjection refuses a Rollout whose pods are not those of one revision.
func checkEjection(r *v1alpha1.Rollout) error {
	state := r.Status.State
	switch {
	case !Observed(r):
		return refuse(fmt.Sprintf("the controller has not looked at the latest edit of rollout %q yet", r.Name), "try again in a moment")
	case state.Stable == "" || state.Stage != v1alpha1.StageIdle && state.Stage != v1alpha1.StageAborted:
		return refuse(Describe(r), "wait until it is done, or send its traffic back with \"kubectl sluice abort %s\"", r.Name)
	case r.Status.AvailableReplicas < ptr.Deref(r.Spec.Replicas, v1alpha1.DefaultReplicas):
		return refuse(fmt.Sprintf("of %d pods of rollout %q %d are available", ptr.Deref(r.Spec.Replicas, v1alpha1.DefaultReplicas),
			r.Name, r.Status.AvailableReplicas), "\"kubectl sluice why %s\" says what they wait for", r.Name)
	}
	return nil
}

// checkReference refuses also a Rollout whose Deployment would come up with another template than the stable one.
func checkReference(r *v1alpha1.Rollout) error {
	if err := checkEjection(r); err != nil {
		return err
	}
	if target, stable := r.Status.UpdateRevision, r.Status.State.Stable; target != stable {
		return refuse(fmt.Sprintf("deployment %q has the template of revision %s, and revision %s of rollout %q serves",
			r.Spec.WorkloadRef.Name, target, stable, r.Name), "\"kubectl sluice undo %s\" puts the stable template back", r.Name)
	}
	return nil
}

// createDeployment makes the Deployment, paused: it has no pods, and takes those that are there when the Rollout lets go.
func (t Takeover) createDeployment(ctx context.Context, r *v1alpha1.Rollout) (*appsv1.Deployment, error) {
	if r.DeletionTimestamp != nil {
		return nil, beingDeleted(r)
	}
	if err := checkEjection(r); err != nil {
		return nil, err
	}
	sets, err := t.controlled(ctx, r.Namespace, r.Spec.Selector, r.UID)
	if err != nil {
		return nil, err
	}
	stable, err := onlyStable(r, sets)
	if err != nil {
		return nil, err
	}
	d, err := t.deploymentOf(ctx, r, client.ObjectKey{Namespace: r.Namespace, Name: stable})
	if err != nil {
		return nil, err
	}
	if err := t.Client.Create(ctx, d, client.FieldOwner(FieldManager)); err != nil {
		return nil, err
	}
	t.Say("deployment %q is made, and held; to go back: kubectl delete deployment %s", r.Name, r.Name)
	made := &appsv1.Deployment{}
	return made, t.Client.Get(ctx, client.ObjectKeyFromObject(r), made)
}

// onlyStable is the name of the ReplicaSet of the stable revision. It is an error when other ReplicaSets of the Rollout have
// pods, which no Deployment with the template of stable would adopt.
func onlyStable(r *v1alpha1.Rollout, sets []appsv1.ReplicaSet) (string, error) {
	var stable string
	for _, rs := range sets {
		switch hash := rs.Labels[v1alpha1.LabelPodTemplateHash]; {
		case hash == r.Status.State.Stable:
			stable = rs.Name
		case ptr.Deref(rs.Spec.Replicas, 1) > 0 || rs.Status.Replicas > 0:
			return "", refuse(fmt.Sprintf("revision %s of rollout %q has pods besides the stable %s", hash, r.Name, r.Status.State.Stable),
				"wait until they are gone; \"kubectl sluice get %s\" shows them", r.Name)
		}
	}
	if stable == "" {
		return "", refuse(fmt.Sprintf("the replica set of stable revision %s of rollout %q is gone", r.Status.State.Stable, r.Name),
			"there are no pods to give back: create a deployment and delete the rollout")
	}
	return stable, nil
}

// deploymentOf is a Deployment with the template of a ReplicaSet, fields included that this version does not know.
func (t Takeover) deploymentOf(ctx context.Context, r *v1alpha1.Rollout, replicaSet client.ObjectKey) (*unstructured.Unstructured, error) {
	rs := &unstructured.Unstructured{}
	rs.SetGroupVersionKind(appsv1.SchemeGroupVersion.WithKind("ReplicaSet"))
	if err := t.Client.Get(ctx, replicaSet, rs); err != nil {
		return nil, err
	}
	template, _, err := unstructured.NestedMap(rs.Object, "spec", "template")
	if err != nil {
		return nil, fmt.Errorf("replica set %q: spec.template: %w", rs.GetName(), err)
	}
	clean(template)
	replicas := ptr.Deref(r.Spec.Replicas, v1alpha1.DefaultReplicas)
	typed := appsv1.Deployment{Spec: appsv1.DeploymentSpec{
		Replicas: &replicas, Selector: r.Spec.Selector, MinReadySeconds: r.Spec.MinReadySeconds, Paused: true,
		ProgressDeadlineSeconds: r.Spec.ProgressDeadlineSeconds, RevisionHistoryLimit: r.Spec.RevisionHistoryLimit,
		Strategy: deploymentStrategy(&r.Spec),
	}}
	out, err := asUnstructured(&typed)
	if err != nil {
		return nil, err
	}
	if err := unstructured.SetNestedMap(out.Object, template, "spec", "template"); err != nil {
		return nil, err
	}
	out.SetGroupVersionKind(appsv1.SchemeGroupVersion.WithKind("Deployment"))
	out.SetNamespace(r.Namespace)
	out.SetName(r.Name)
	out.SetAnnotations(map[string]string{AnnotationTakeover: mark{uid: r.UID, replicas: replicas}.String()})
	return out, nil
}

// deploymentStrategy is the strategy of a Deployment that comes nearest to that of a Rollout.
func deploymentStrategy(spec *v1alpha1.RolloutSpec) appsv1.DeploymentStrategy {
	limits := &appsv1.RollingUpdateDeployment{}
	switch s := spec.Strategy; {
	case s.Recreate != nil:
		return appsv1.DeploymentStrategy{Type: appsv1.RecreateDeploymentStrategyType}
	case s.RollingUpdate != nil:
		limits.MaxSurge, limits.MaxUnavailable = s.RollingUpdate.MaxSurge, s.RollingUpdate.MaxUnavailable
	case s.Canary != nil:
		limits.MaxSurge, limits.MaxUnavailable = s.Canary.MaxSurge, s.Canary.MaxUnavailable
	}
	return appsv1.DeploymentStrategy{Type: appsv1.RollingUpdateDeploymentStrategyType, RollingUpdate: limits}
}

// giveBack lets the Rollout go without its pods, once the Deployment has the size that the Rollout has.
func (t Takeover) giveBack(ctx context.Context, r *v1alpha1.Rollout, d *appsv1.Deployment, begun mark) error {
	if err := t.repoint(ctx, r.Namespace, scaledRollout(r.Name), scaledDeployment(d.Name)); err != nil {
		return err
	}
	if r.DeletionTimestamp == nil {
		if err := retry.RetryOnConflict(retry.DefaultBackoff, func() error { return t.letGo(ctx, r, d, begun) }); err != nil {
			return err
		}
	}
	return t.gone(ctx, r)
}

// letGo gives the Deployment the size that the Rollout has now, unless an autoscaler has given it another one, and deletes the
// Rollout without its pods.
func (t Takeover) letGo(ctx context.Context, r *v1alpha1.Rollout, d *appsv1.Deployment, begun mark) error {
	for _, object := range []client.Object{d, r} {
		if err := t.Client.Get(ctx, client.ObjectKeyFromObject(object), object); err != nil {
			return err
		}
	}
	if err := checkEjection(r); err != nil {
		return err
	}
	replicas := ptr.Deref(r.Spec.Replicas, v1alpha1.DefaultReplicas)
	if replicas != begun.replicas && ptr.Deref(d.Spec.Replicas, 1) == begun.replicas {
		t.Say("deployment %q gets %d replicas, as the rollout has now", d.Name, replicas)
		if err := t.resize(ctx, d, replicas); err != nil {
			return err
		}
	}
	return t.remove(ctx, r, metav1.DeletePropagationOrphan)
}

// resume lets the Deployment go on, once it has the pods of the Rollout.
func (t Takeover) resume(ctx context.Context, key client.ObjectKey) error {
	d := &appsv1.Deployment{}
	err := t.until(ctx, fmt.Sprintf("deployment %q has not adopted the pods, which run on", key.Name), func() (bool, error) {
		if err := t.Client.Get(ctx, key, d); err != nil {
			return false, err
		}
		left, err := t.controlled(ctx, key.Namespace, d.Spec.Selector, "")
		if err != nil || len(withPods(left)) > 0 {
			return false, err
		}
		sets, err := t.controlled(ctx, key.Namespace, d.Spec.Selector, d.UID)
		return len(withPods(sets)) > 0 || ptr.Deref(d.Spec.Replicas, 1) == 0, err
	})
	if err != nil {
		return err
	}
	if err := t.keepCopies(ctx, d); err != nil {
		return err
	}
	err = t.patch(ctx, d, map[string]any{
		"metadata": map[string]any{"annotations": map[string]any{AnnotationTakeover: nil}}, "spec": map[string]any{"paused": false},
	})
	if err != nil {
		return err
	}
	t.Say("deployment %q has taken over; to go back: kubectl sluice migrate deployment/%s", d.Name, d.Name)
	return nil
}
