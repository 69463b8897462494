package command

import (
	"context"
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/util/retry"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller/revision"
)

// Migration is what a Rollout is to be beyond what the Deployment says.
type Migration struct {
	// Strategy of the Rollout; empty takes over that of the Deployment.
	Strategy v1alpha1.Strategy
	// Active is the Service that callers use; empty for none.
	Active string
	// Route is an HTTPRoute to share traffic by; empty for none.
	Route string
	// WorkloadRef leaves the template in the Deployment, which stays, and takes its own pods away.
	WorkloadRef bool
}

// mostRevisions is the largest revisionHistoryLimit of a Rollout.
const mostRevisions int32 = 100

// Rollout makes the Rollout that is to take the place of a Deployment, held by spec.paused. The error is a *Refusal when the
// Deployment is not at rest, or is one whose pods could not go on as they are.
func (m Migration) Rollout(deployment *unstructured.Unstructured, d *appsv1.Deployment) (*v1alpha1.Rollout, error) {
	if err := checkMigration(d); err != nil {
		return nil, err
	}
	r := &v1alpha1.Rollout{ObjectMeta: metav1.ObjectMeta{
		Namespace: d.Namespace, Name: d.Name,
		Annotations: map[string]string{AnnotationTakeover: mark{uid: d.UID, replicas: ptr.Deref(d.Spec.Replicas, 1)}.String()},
	}}
	r.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind(v1alpha1.RolloutKind))
	spec := &r.Spec
	if err := spec.Resolve(deployment.Object); err != nil {
		return nil, fmt.Errorf("deployment %q: %w", d.Name, err)
	}
	if m.WorkloadRef {
		spec.Template.Raw, spec.Selector = nil, nil
		spec.WorkloadRef = &v1alpha1.WorkloadReference{Name: d.Name, ScaleDown: v1alpha1.WorkloadScaleDownOnSuccess}
	}
	spec.Replicas, spec.Paused, spec.MinReadySeconds = ptr.To(ptr.Deref(d.Spec.Replicas, 1)), true, d.Spec.MinReadySeconds
	spec.ProgressDeadlineSeconds = d.Spec.ProgressDeadlineSeconds
	if limit := d.Spec.RevisionHistoryLimit; limit != nil {
		spec.RevisionHistoryLimit = ptr.To(min(*limit, mostRevisions))
	}
	if m.Active != "" {
		spec.Services = &v1alpha1.Services{Active: m.Active}
	}
	if m.Route != "" {
		spec.Traffic = &v1alpha1.Traffic{GatewayAPI: &v1alpha1.GatewayAPITraffic{Routes: []v1alpha1.RouteReference{{Name: m.Route}}}}
	}
	spec.Strategy = m.Strategy
	if spec.StrategyName() == "" {
		spec.Strategy = strategyOf(d)
	}
	if errs := v1alpha1.ValidateRollout(r); len(errs) > 0 {
		return nil, fmt.Errorf("the rollout that would take the place of deployment %q: %w", d.Name, errs.ToAggregate())
	}
	return r, nil
}

// strategyOf is what replaces pods as a Deployment does.
func strategyOf(d *appsv1.Deployment) v1alpha1.Strategy {
	if d.Spec.Strategy.Type == appsv1.RecreateDeploymentStrategyType {
		return v1alpha1.Strategy{Recreate: &v1alpha1.RecreateStrategy{}}
	}
	out := &v1alpha1.RollingUpdateStrategy{}
	if limits := d.Spec.Strategy.RollingUpdate; limits != nil {
		out.MaxSurge, out.MaxUnavailable = limits.MaxSurge, limits.MaxUnavailable
	}
	return v1alpha1.Strategy{RollingUpdate: out}
}

// checkMigration refuses a Deployment that is not at rest.
func checkMigration(d *appsv1.Deployment) error {
	name, replicas := fmt.Sprintf("deployment %q", d.Name), ptr.Deref(d.Spec.Replicas, 1)
	switch s := d.Status; {
	case d.DeletionTimestamp != nil:
		return refuse(name+" is being deleted", "there is nothing to take over")
	case d.Spec.Paused:
		return refuse(name+" is paused", "resume it with \"kubectl rollout resume deployment/%s\", and wait until it is done", d.Name)
	case s.ObservedGeneration < d.Generation || s.UpdatedReplicas != replicas || s.Replicas != replicas || s.AvailableReplicas != replicas:
		return refuse(fmt.Sprintf("%s is in mid-rollout: of %d pods %d are updated and %d available", name, replicas, s.UpdatedReplicas,
			s.AvailableReplicas), "wait with \"kubectl rollout status deployment/%s\"", d.Name)
	}
	return nil
}

// Migrate puts a Rollout in the place of a Deployment of the same name. No pod ends and none is made: the Rollout adopts the
// ReplicaSet, with its pods. Every step says what it did.
func (t Takeover) Migrate(ctx context.Context, key client.ObjectKey, m Migration) error {
	d := &appsv1.Deployment{}
	exists, err := t.get(ctx, key, d)
	if err != nil {
		return err
	}
	r, created, err := t.heldRollout(ctx, key)
	if err != nil {
		return err
	}
	if !exists && !created {
		return refuse(fmt.Sprintf("deployment %q does not exist", key.Name), "\"kubectl get deployments\" shows those there are")
	}
	if !created {
		if r, err = t.create(ctx, d, m); err != nil {
			return err
		}
	}
	begun, _ := markOf(r)
	if exists {
		if err := t.handOver(ctx, d, r, begun); err != nil {
			return err
		}
	}
	return t.release(ctx, key, begun)
}

// heldRollout is the Rollout that an earlier run has made; false when there is none. One that was made for anything else is
// refused.
func (t Takeover) heldRollout(ctx context.Context, key client.ObjectKey) (*v1alpha1.Rollout, bool, error) {
	r := &v1alpha1.Rollout{}
	created, err := t.get(ctx, key, r)
	if err != nil {
		return nil, false, err
	}
	if _, marked := markOf(r); created && !marked {
		return nil, false, refuse(fmt.Sprintf("rollout %q exists already", key.Name),
			"there is nothing to take over, or it needs another name")
	}
	return r, created, nil
}

// create makes the Rollout, held, and waits until the controller has found nothing wrong with it.
func (t Takeover) create(ctx context.Context, d *appsv1.Deployment, m Migration) (*v1alpha1.Rollout, error) {
	sets, err := t.controlled(ctx, d.Namespace, d.Spec.Selector, d.UID)
	if err != nil {
		return nil, err
	}
	for _, rs := range withPods(sets) {
		if !m.WorkloadRef && !revision.TellsPods(rs.Name) {
			return nil, refuse(fmt.Sprintf("replica set %q has a name that its pods do not carry whole", rs.Name),
				"a deployment with a name of at most 46 characters can be taken over; this one can keep the template, with --workload-ref")
		}
	}
	whole := &unstructured.Unstructured{}
	whole.SetGroupVersionKind(appsv1.SchemeGroupVersion.WithKind("Deployment"))
	if err := t.Client.Get(ctx, client.ObjectKeyFromObject(d), whole); err != nil {
		return nil, err
	}
	r, err := m.Rollout(whole, d)
	if err != nil {
		return nil, err
	}
	if err := t.Client.Create(ctx, r, client.FieldOwner(FieldManager)); err != nil {
		return nil, err
	}
	t.Say("rollout %q is made, and held; to go back: kubectl delete rollout %s", r.Name, r.Name)
	return r, nil
}

// handOver lets the Deployment go, once the Rollout is seen to be right and has the size that an autoscaler or a person has
// given the Deployment in the meantime.
func (t Takeover) handOver(ctx context.Context, d *appsv1.Deployment, r *v1alpha1.Rollout, begun mark) error {
	if begun.uid != d.UID {
		return refuse(fmt.Sprintf("rollout %q was made for another deployment %q, which is gone", r.Name, d.Name),
			"delete one of the two")
	}
	if d.DeletionTimestamp == nil {
		if err := t.checkRollout(ctx, r); err != nil {
			return err
		}
		if err := t.repoint(ctx, d.Namespace, scaledDeployment(d.Name), scaledRollout(r.Name)); err != nil {
			return err
		}
		err := retry.RetryOnConflict(retry.DefaultBackoff, func() error {
			if err := t.followSize(ctx, d, r, begun); err != nil || r.Spec.WorkloadRef != nil {
				return err
			}
			return t.remove(ctx, d, metav1.DeletePropagationOrphan)
		})
		if err != nil || r.Spec.WorkloadRef != nil {
			return err
		}
	}
	err := t.until(ctx, fmt.Sprintf("deployment %q is not gone", d.Name), func() (bool, error) {
		err := t.Client.Get(ctx, client.ObjectKeyFromObject(d), &appsv1.Deployment{})
		return apierrors.IsNotFound(err), client.IgnoreNotFound(err)
	})
	if err == nil {
		t.Say("deployment %q is gone, and its pods run on", d.Name)
	}
	return err
}

// checkRollout waits until the controller has looked at the Rollout, and holds it or has found something wrong.
func (t Takeover) checkRollout(ctx context.Context, r *v1alpha1.Rollout) error {
	var wrong string
	err := t.until(ctx, fmt.Sprintf("the controller has not looked at rollout %q", r.Name), func() (bool, error) {
		if err := t.Client.Get(ctx, client.ObjectKeyFromObject(r), r); err != nil || !Observed(r) {
			return false, err
		}
		wrong = wrongWith(r)
		return isHeld(r) || wrong != "", nil
	})
	if err == nil && wrong != "" {
		err = refuse(fmt.Sprintf("rollout %q cannot take over: %s", r.Name, wrong),
			"mend that and run this again, or go back with \"kubectl delete rollout %s\"", r.Name)
	}
	return err
}

// isHeld says whether the controller has seen spec.paused.
func isHeld(r *v1alpha1.Rollout) bool {
	c := meta.FindStatusCondition(r.Status.Conditions, v1alpha1.ConditionReady)
	return c != nil && c.Reason == v1alpha1.ReasonPaused
}

// wrongWith is what somebody has to mend before the controller can carry out a Rollout; empty for nothing.
func wrongWith(r *v1alpha1.Rollout) string {
	if c := meta.FindStatusCondition(r.Status.Conditions, v1alpha1.ConditionStalled); c != nil && c.Status == metav1.ConditionTrue {
		return c.Message
	}
	return ""
}

// followSize gives the Rollout the size that the Deployment has now, unless an autoscaler has given it another one.
func (t Takeover) followSize(ctx context.Context, d *appsv1.Deployment, r *v1alpha1.Rollout, begun mark) error {
	for _, object := range []client.Object{d, r} {
		if err := t.Client.Get(ctx, client.ObjectKeyFromObject(object), object); err != nil {
			return err
		}
	}
	if err := checkMigration(d); err != nil {
		return err
	}
	replicas := ptr.Deref(d.Spec.Replicas, 1)
	if replicas == begun.replicas || ptr.Deref(r.Spec.Replicas, 1) != begun.replicas {
		return nil
	}
	t.Say("rollout %q gets %d replicas, as the deployment has now", r.Name, replicas)
	return t.resize(ctx, r, replicas)
}

// release lets the Rollout go on, once it has the pods of the Deployment.
func (t Takeover) release(ctx context.Context, key client.ObjectKey, begun mark) error {
	r := &v1alpha1.Rollout{}
	err := t.until(ctx, fmt.Sprintf("rollout %q has not adopted the pods, which run on", key.Name), func() (bool, error) {
		if err := t.Client.Get(ctx, key, r); err != nil || r.Spec.WorkloadRef != nil {
			return err == nil, err
		}
		left, err := t.controlled(ctx, key.Namespace, r.Spec.Selector, "")
		if err != nil || len(withPods(left)) > 0 {
			return false, err
		}
		sets, err := t.controlled(ctx, key.Namespace, r.Spec.Selector, r.UID)
		return len(withPods(sets)) > 0 || begun.replicas == 0, err
	})
	if err != nil {
		return err
	}
	err = t.patch(ctx, r, map[string]any{
		"metadata": map[string]any{"annotations": map[string]any{AnnotationTakeover: nil}}, "spec": map[string]any{"paused": nil},
	})
	if err != nil {
		return err
	}
	t.Say("rollout %q has taken over; to go back: kubectl sluice eject %s", r.Name, r.Name)
	return nil
}

// FindService fills in the Service that callers use when the strategy or the route needs one and none was named: the one
// Service whose selector selects the pods of the Deployment.
func (t Takeover) FindService(ctx context.Context, key client.ObjectKey, m *Migration) error {
	if m.Active != "" || m.Route == "" && m.Strategy.BlueGreen == nil {
		return nil
	}
	d := &appsv1.Deployment{}
	if err := t.Client.Get(ctx, key, d); err != nil {
		return client.IgnoreNotFound(err) // a run that is taken up has its Rollout
	}
	names, err := t.servicesOf(ctx, key.Namespace, d.Spec.Template.Labels)
	if err != nil {
		return err
	}
	switch len(names) {
	case 0:
		return refuse(fmt.Sprintf("no service selects the pods of deployment %q", d.Name), "name one with --active-service")
	case 1:
		m.Active = names[0]
		return nil
	}
	return refuse(fmt.Sprintf("%d services select the pods of deployment %q: %s", len(names), d.Name, strings.Join(names, ", ")),
		"name the one that callers use with --active-service")
}

// servicesOf are the names of the Services that select pods with some labels.
func (t Takeover) servicesOf(ctx context.Context, namespace string, pods labels.Set) ([]string, error) {
	var list corev1.ServiceList
	if err := t.Client.List(ctx, &list, client.InNamespace(namespace)); err != nil {
		return nil, err
	}
	var names []string
	for _, service := range list.Items {
		if s := service.Spec.Selector; len(s) > 0 && labels.SelectorFromSet(s).Matches(pods) {
			names = append(names, service.Name)
		}
	}
	return names, nil
}
