package rollout

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller/planner"
	"github.com/sluice-dev/sluice/controller/revision"
)

// observeServices reads the two Services and what stands behind them.
func (r *Reconciler) observeServices(ctx context.Context, w *world) error {
	services := w.rollout.Spec.Services
	if services == nil {
		return nil
	}
	var err error
	var leaves bool
	if w.active, _, err = r.service(ctx, w, services.Active); err != nil {
		return err
	}
	if w.standby, leaves, err = r.service(ctx, w, services.StandbyName()); err != nil {
		return err
	}
	if w.snapshot.Active, err = r.observeService(ctx, w, services.Active, w.active); err != nil {
		return err
	}
	if w.snapshot.Standby, err = r.observeService(ctx, w, services.StandbyName(), w.standby); err != nil {
		return err
	}
	w.snapshot.Standby.Leaving = leaves
	if w.active != nil && w.active.Spec.Type == corev1.ServiceTypeExternalName {
		w.snapshot.Active.Found = false // it selects no pods, and cannot have a twin that does
	}
	claimant, err := r.claimant(ctx, w)
	if err != nil {
		return err
	}
	if claimant != "" {
		w.snapshot.Active.Found = false // nothing is made or moved that is another's
	}
	w.serviceProblems(claimant)
	return nil
}

// service gets a Service; nil when there is none, or when it leaves, as one with a load balancer does for minutes.
func (r *Reconciler) service(ctx context.Context, w *world, name string) (found *corev1.Service, leaves bool, err error) {
	service := &corev1.Service{}
	err = r.cache.Get(ctx, client.ObjectKey{Namespace: w.rollout.Namespace, Name: name}, service)
	switch {
	case apierrors.IsNotFound(err):
		return nil, false, nil
	case err != nil:
		return nil, false, fmt.Errorf("reading Service %s: %w", name, err)
	case service.DeletionTimestamp != nil:
		return nil, true, nil
	}
	return service, false, nil
}

// observeService reads what a Service selects, and its ready endpoints by revision.
func (r *Reconciler) observeService(ctx context.Context, w *world, name string, service *corev1.Service) (planner.Service,
	error,
) {
	out := planner.Service{Name: name}
	if service == nil {
		return out, nil
	}
	out.Found, out.Revision = true, service.Spec.Selector[v1alpha1.LabelPodTemplateHash]
	out.By = selectorWriter(service)
	var slices discoveryv1.EndpointSliceList
	if err := r.cache.List(ctx, &slices, client.InNamespace(w.rollout.Namespace),
		client.MatchingFields{indexService: name}); err != nil {
		return out, fmt.Errorf("listing EndpointSlices of Service %s: %w", name, err)
	}
	out.Endpoints, out.Foreign = w.countEndpoints(slices.Items)
	return out, nil
}

// countEndpoints counts ready pods by revision. The name of a pod says which ReplicaSet made it, so that no pod has to
// be read. A pod that stands in several slices, one for each family of addresses, counts once.
func (w *world) countEndpoints(endpointSlices []discoveryv1.EndpointSlice) (endpoints []planner.Endpoints, foreign int32) {
	hashes := w.owners()
	seen := map[string]bool{}
	ready := map[string]int32{}
	for _, slice := range endpointSlices {
		for _, e := range slice.Endpoints {
			if !servesNow(e) {
				continue
			}
			if e.TargetRef == nil || e.TargetRef.Kind != "Pod" {
				foreign++
				continue
			}
			if seen[e.TargetRef.Name] {
				continue
			}
			seen[e.TargetRef.Name] = true
			if hash, ours := hashes[revision.ReplicaSetOfPod(e.TargetRef.Name)]; ours {
				ready[hash]++
			} else {
				foreign++
			}
		}
	}
	for hash, n := range ready {
		endpoints = append(endpoints, planner.Endpoints{Revision: hash, Ready: n})
	}
	slices.SortFunc(endpoints, func(a, b planner.Endpoints) int { return cmp.Compare(a.Revision, b.Revision) })
	return endpoints, foreign
}

// servesNow says whether an endpoint is ready and not being deleted. Ready alone is also true of pods that are not, when
// their Service publishes addresses that are not ready.
func servesNow(e discoveryv1.Endpoint) bool {
	ready := ptr.Deref(e.Conditions.Ready, true)
	return ready && ptr.Deref(e.Conditions.Serving, ready) && !ptr.Deref(e.Conditions.Terminating, false)
}

// claimant is the name of an older Rollout that names one of our Services; empty when there is none. The older one
// keeps them, so that a mistake in a new Rollout does not stop one that works.
func (r *Reconciler) claimant(ctx context.Context, w *world) (string, error) {
	claimant := ""
	w.claimed = map[string]bool{}
	for _, name := range servicesOf(w.rollout) {
		standby := name == w.rollout.Spec.Services.StandbyName()
		var list v1alpha1.RolloutList
		if err := r.cache.List(ctx, &list, client.InNamespace(w.rollout.Namespace),
			client.MatchingFields{indexService: name}); err != nil {
			return "", fmt.Errorf("listing Rollouts of Service %s: %w", name, err)
		}
		for i := range list.Items {
			switch other := &list.Items[i]; {
			case other.DeletionTimestamp != nil || other.Name == w.rollout.Name:
				continue
			case olderThan(other, w.rollout):
				claimant, w.claimed[name] = cmp.Or(claimant, other.Name), true
			case w.taken():
				w.claimed[name] = true
			}
			w.shared = w.shared || standby
		}
	}
	return claimant, nil
}

// taken says whether somebody else moves the active Service already, while we are being deleted: it selects a revision
// that is none of ours.
func (w *world) taken() bool {
	hash := w.snapshot.Active.Revision
	_, ours := w.replicaSets[hash]
	return w.rollout.DeletionTimestamp != nil && hash != "" && !ours
}

// olderThan says whether one object was created before another; of two created in one second, the smaller UID decides.
func olderThan(a, b client.Object) bool {
	if at, bt := a.GetCreationTimestamp(), b.GetCreationTimestamp(); !at.Equal(&bt) {
		return at.Before(&bt)
	}
	return a.GetUID() < b.GetUID()
}
