package rollout

import (
	"context"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller/configuration"
)

// trackingConfigMap are the Rollouts that track a ConfigMap, or the one that has made it as a copy.
func (r *Reconciler) trackingConfigMap(ctx context.Context, obj client.Object) []reconcile.Request {
	o := configuration.Object{Kind: v1alpha1.KindConfigMap, Name: obj.GetName()}
	out := r.indexed(ctx, obj.GetNamespace(), indexConfiguration, o.Key())
	if owner := metav1.GetControllerOf(obj); owner != nil && owner.Kind == v1alpha1.RolloutKind {
		out = append(out, requestFor(client.ObjectKey{Namespace: obj.GetNamespace(), Name: owner.Name}))
	}
	return out
}

// turnPredicate lets through what may be the turn of another Rollout: one that has begun or ended, was edited or deleted.
func turnPredicate() predicate.Predicate {
	return predicate.Funcs{
		CreateFunc: func(event.CreateEvent) bool { return false },
		UpdateFunc: func(e event.UpdateEvent) bool {
			old, ok := e.ObjectOld.(*v1alpha1.Rollout)
			changed, also := e.ObjectNew.(*v1alpha1.Rollout)
			return ok && also && (old.Generation != changed.Generation || old.Status.State.Stage != changed.Status.State.Stage ||
				lastReason(&old.Status) != lastReason(&changed.Status))
		},
	}
}

// waitingForTurnOf are the Rollouts that wait for their turn and track an object that another Rollout tracks.
func (r *Reconciler) waitingForTurnOf(ctx context.Context, obj client.Object) []reconcile.Request {
	var out []reconcile.Request
	for _, key := range configurationOf(obj) {
		var list v1alpha1.RolloutList
		if err := r.cache.List(ctx, &list, client.InNamespace(obj.GetNamespace()),
			client.MatchingFields{indexConfiguration: key}); err != nil {
			log.FromContext(ctx).Error(err, "listing Rollouts", "index", indexConfiguration, "value", key)
			continue
		}
		for i := range list.Items {
			request := requestFor(client.ObjectKeyFromObject(&list.Items[i]))
			if lastReason(&list.Items[i].Status) == v1alpha1.ReasonWaitingForTurn && !slices.Contains(out, request) {
				out = append(out, request)
			}
		}
	}
	return out
}
