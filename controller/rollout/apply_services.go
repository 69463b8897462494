package rollout

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller/planner"
	"github.com/sluice-dev/sluice/controller/revision"
)

// createStandby creates the standby Service as a twin of the active one.
func (r *Reconciler) createStandby(ctx context.Context, w *world, a planner.CreateStandby) error {
	if w.active == nil {
		return fmt.Errorf("there is no Service %s to make a twin of", w.snapshot.Active.Name)
	}
	err := r.writes.Create(ctx, newTwin(w, w.snapshot.Standby.Name, a.Revision))
	if apierrors.IsAlreadyExists(err) {
		return &unsettledError{what: "Service " + w.snapshot.Standby.Name}
	}
	return err
}

// newTwin is a Service that callers reach in the same way as the active one, from within the cluster. What belongs to
// one Service alone is left out: addresses, node ports, load balancers. So are its labels, by which others, such as
// GitOps tools and monitors, would take the twin for theirs.
func newTwin(w *world, name, hash string) *corev1.Service {
	active := w.active.Spec
	twin := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{
			Namespace:       w.rollout.Namespace,
			Name:            name,
			Labels:          map[string]string{v1alpha1.LabelRollout: revision.LabelValue(w.rollout.Name)},
			OwnerReferences: []metav1.OwnerReference{ownerOf(w.rollout)},
		},
		Spec: corev1.ServiceSpec{
			Type:                     corev1.ServiceTypeClusterIP,
			Selector:                 baseSelector(w.active),
			SessionAffinity:          active.SessionAffinity,
			SessionAffinityConfig:    active.SessionAffinityConfig.DeepCopy(),
			PublishNotReadyAddresses: active.PublishNotReadyAddresses,
			IPFamilies:               active.IPFamilies,
			IPFamilyPolicy:           active.IPFamilyPolicy,
			InternalTrafficPolicy:    active.InternalTrafficPolicy,
			TrafficDistribution:      active.TrafficDistribution,
		},
	}
	if active.ClusterIP == corev1.ClusterIPNone {
		twin.Spec.ClusterIP = corev1.ClusterIPNone
	}
	if hash != "" {
		twin.Spec.Selector[v1alpha1.LabelPodTemplateHash] = hash
	}
	twin.Spec.Ports = portsOfTwin(active.Ports)
	return twin
}

// portsOfTwin are ports without the ports of nodes.
func portsOfTwin(ports []corev1.ServicePort) []corev1.ServicePort {
	out := slices.Clone(ports)
	for i := range out {
		out[i].NodePort = 0
	}
	return out
}

// followActive keeps a standby Service that we made a twin of the active one, when its ports or its labels to select
// change. A standby Service that the user made is the user's. A mistake in the active one is told of and not copied: the
// standby one may carry traffic.
func (r *Reconciler) followActive(ctx context.Context, w *world) error {
	if w.active == nil || !w.ownsStandby() || w.flaw(w.active) != "" {
		return nil
	}
	spec := map[string]any{}
	if ports := portsOfTwin(w.active.Spec.Ports); !equality.Semantic.DeepEqual(ports, portsOfTwin(w.standby.Spec.Ports)) {
		spec["ports"] = ports
	}
	wanted, present := baseSelector(w.active), baseSelector(w.standby)
	if !labels.Equals(wanted, present) {
		selector := map[string]any{}
		for key := range present {
			selector[key] = nil
		}
		for key, value := range wanted {
			selector[key] = value
		}
		spec["selector"] = selector
	}
	if len(spec) == 0 {
		return nil
	}
	return explainAs(planner.Problem{Reason: v1alpha1.ReasonWriteRefused, Field: "spec.services.standby"},
		fmt.Sprintf("make service %s a twin of %s", w.standby.Name, w.active.Name),
		r.patch(ctx, w.standby, map[string]any{"spec": spec}))
}

// ownsStandby says whether the standby Service is one that we made.
func (w *world) ownsStandby() bool {
	return w.standby != nil && metav1.IsControlledBy(w.standby, w.rollout)
}

// deleteStandby deletes the standby Service, if it is still as it was observed.
func (r *Reconciler) deleteStandby(ctx context.Context, w *world) error {
	if w.standby == nil {
		return fmt.Errorf("there is no Service %s to delete", w.snapshot.Standby.Name)
	}
	return r.remove(ctx, w.standby)
}

// pointService puts a revision into the selector of a Service, or takes it out. Nothing else of the Service is written.
func (r *Reconciler) pointService(ctx context.Context, w *world, a planner.PointService) error {
	service, name := w.active, w.snapshot.Active.Name
	if a.Role == planner.Standby {
		service, name = w.standby, w.snapshot.Standby.Name
	}
	if service == nil {
		return fmt.Errorf("there is no Service %s to %s", name, a)
	}
	var hash any
	if a.Revision != "" {
		hash = a.Revision
	}
	return r.patch(ctx, service, map[string]any{"spec": map[string]any{
		"selector": map[string]any{v1alpha1.LabelPodTemplateHash: hash},
	}})
}
