package dataplane

import (
	"context"
	"maps"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller/revision"
)

// deployments lets the Deployment controller act: it adopts ReplicaSets that its selector selects and that nobody controls,
// makes one for its template, and gives it all pods at once.
func (p *Plane) deployments(ctx context.Context) error {
	var list appsv1.DeploymentList
	if err := p.Client.List(ctx, &list, client.InNamespace(p.Namespace)); err != nil {
		return err
	}
	for i := range list.Items {
		if d := &list.Items[i]; d.DeletionTimestamp == nil {
			if err := p.deployment(ctx, d); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *Plane) deployment(ctx context.Context, d *appsv1.Deployment) error {
	sets, err := p.claim(ctx, d)
	if err != nil {
		return err
	}
	current := slices.IndexFunc(sets, func(rs appsv1.ReplicaSet) bool { return sameTemplate(&rs, d) })
	if current < 0 {
		rs, err := p.newReplicaSet(ctx, d)
		if err != nil {
			return err
		}
		sets, current = append(sets, *rs), len(sets)
	}
	status := appsv1.DeploymentStatus{ObservedGeneration: d.Generation}
	for i := range sets {
		want := int32(0)
		if i == current {
			want = ptr.Deref(d.Spec.Replicas, 1)
			status.UpdatedReplicas = sets[i].Status.Replicas
		}
		status.Replicas += sets[i].Status.Replicas
		status.ReadyReplicas += sets[i].Status.ReadyReplicas
		status.AvailableReplicas += sets[i].Status.AvailableReplicas
		if ptr.Deref(sets[i].Spec.Replicas, 1) != want {
			sets[i].Spec.Replicas = &want
			if err := p.Client.Update(ctx, &sets[i]); err != nil {
				return err
			}
		}
	}
	if equality.Semantic.DeepEqual(d.Status, status) {
		return nil
	}
	d.Status = status
	return p.Client.Status().Update(ctx, d)
}

// claim is every ReplicaSet of a Deployment, with those that it adopts now.
func (p *Plane) claim(ctx context.Context, d *appsv1.Deployment) ([]appsv1.ReplicaSet, error) {
	var list appsv1.ReplicaSetList
	if err := p.Client.List(ctx, &list, client.InNamespace(p.Namespace)); err != nil {
		return nil, err
	}
	selector, err := metav1.LabelSelectorAsSelector(d.Spec.Selector)
	if err != nil {
		return nil, err
	}
	var out []appsv1.ReplicaSet
	for _, rs := range list.Items {
		owner := metav1.GetControllerOf(&rs)
		if owner == nil && rs.DeletionTimestamp == nil && selector.Matches(labels.Set(rs.Labels)) {
			rs.OwnerReferences = append(rs.OwnerReferences, ownedBy(d))
			if err := p.Client.Update(ctx, &rs); err != nil {
				return nil, err
			}
			owner = metav1.GetControllerOf(&rs)
		}
		if owner != nil && owner.UID == d.UID {
			out = append(out, rs)
		}
	}
	return out, nil
}

func ownedBy(d *appsv1.Deployment) metav1.OwnerReference {
	return *metav1.NewControllerRef(d, appsv1.SchemeGroupVersion.WithKind("Deployment"))
}

// sameTemplate says whether a ReplicaSet has the template of a Deployment, but for the label that names the revision.
func sameTemplate(rs *appsv1.ReplicaSet, d *appsv1.Deployment) bool {
	template := rs.Spec.Template.DeepCopy()
	delete(template.Labels, v1alpha1.LabelPodTemplateHash)
	return equality.Semantic.DeepEqual(*template, d.Spec.Template)
}

func (p *Plane) newReplicaSet(ctx context.Context, d *appsv1.Deployment) (*appsv1.ReplicaSet, error) {
	hash := revision.LabelValue(d.Name + "-" + d.Spec.Template.Spec.Containers[0].Image)
	encoded, err := revision.Hash([]byte(`{"of":"`+hash+`"}`), 0)
	if err != nil {
		return nil, err
	}
	selector := maps.Clone(d.Spec.Selector.MatchLabels)
	selector[v1alpha1.LabelPodTemplateHash] = encoded
	template := d.Spec.Template.DeepCopy()
	template.Labels = maps.Clone(template.Labels)
	template.Labels[v1alpha1.LabelPodTemplateHash] = encoded
	rs := &appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: d.Namespace, Name: d.Name + "-" + encoded, Labels: template.Labels,
			Annotations: map[string]string{"deployment.kubernetes.io/revision": "1"}, OwnerReferences: []metav1.OwnerReference{ownedBy(d)},
		},
		Spec: appsv1.ReplicaSetSpec{
			Replicas: ptr.To[int32](0), Selector: &metav1.LabelSelector{MatchLabels: selector}, Template: *template,
		},
	}
	return rs, p.Client.Create(ctx, rs)
}

// orphan is what the garbage collector does for a Deployment or a Rollout that is deleted without its dependents.
func (p *Plane) orphan(ctx context.Context) error {
	var deployments appsv1.DeploymentList
	var rollouts v1alpha1.RolloutList
	for _, list := range []client.ObjectList{&deployments, &rollouts} {
		if err := p.Client.List(ctx, list, client.InNamespace(p.Namespace)); err != nil {
			return err
		}
	}
	var owners []client.Object
	for i := range deployments.Items {
		owners = append(owners, &deployments.Items[i])
	}
	for i := range rollouts.Items {
		owners = append(owners, &rollouts.Items[i])
	}
	for _, owner := range owners {
		if owner.GetDeletionTimestamp() == nil || !controllerutil.ContainsFinalizer(owner, metav1.FinalizerOrphanDependents) {
			continue
		}
		if err := p.disown(ctx, owner); err != nil {
			return err
		}
		controllerutil.RemoveFinalizer(owner, metav1.FinalizerOrphanDependents)
		if err := p.Client.Update(ctx, owner); err != nil {
			return err
		}
	}
	return nil
}

// disown takes an owner out of its ReplicaSets and Services.
func (p *Plane) disown(ctx context.Context, owner client.Object) error {
	var sets appsv1.ReplicaSetList
	var services corev1.ServiceList
	for _, list := range []client.ObjectList{&sets, &services} {
		if err := p.Client.List(ctx, list, client.InNamespace(p.Namespace)); err != nil {
			return err
		}
	}
	var dependents []client.Object
	for i := range sets.Items {
		dependents = append(dependents, &sets.Items[i])
	}
	for i := range services.Items {
		dependents = append(dependents, &services.Items[i])
	}
	for _, d := range dependents {
		if !metav1.IsControlledBy(d, owner) {
			continue
		}
		d.SetOwnerReferences(slices.DeleteFunc(d.GetOwnerReferences(), func(r metav1.OwnerReference) bool { return r.UID == owner.GetUID() }))
		if err := p.Client.Update(ctx, d); err != nil {
			return err
		}
	}
	return nil
}
