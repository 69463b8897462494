package rollout

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller/planner"
	"github.com/sluice-dev/sluice/trafficrouting"
)

const (
	// routesRetry is how soon a cluster that did not serve routes is asked again. Nothing tells when it begins to.
	routesRetry = 30 * time.Second
	// routesTimeout is how long the first list of routes may take before that is told of.
	routesTimeout = 20 * time.Second
)

// observeRoutes reads what the managed routes say, all taken together.
func (r *Reconciler) observeRoutes(ctx context.Context, w *world) error {
	spec := &w.rollout.Spec
	w.snapshot.Route = planner.Route{Weight: planner.WeightUnknown}
	if !spec.UsesRoutes() || spec.Services == nil {
		return nil
	}
	waited, err := r.routes.ensure(ctx, w.snapshot.Now)
	switch {
	case meta.IsNoMatchError(err):
		w.lookAgain(routesRetry)
		w.problem(v1alpha1.ReasonRouteNotFound, "spec.traffic.gatewayAPI",
			"the cluster does not serve "+httpRoute().GroupVersion().String()+": install the Gateway API CRDs")
		return nil
	case err != nil:
		return fmt.Errorf("watching routes: %w", err)
	case waited > routesTimeout:
		w.lookAgain(routesRetry)
		w.problem(v1alpha1.ReasonRouteNotFound, "spec.traffic.gatewayAPI",
			"HTTPRoutes cannot be read: let the service account of the controller list and watch them; its log says why")
		return nil
	case waited > 0:
		return &unsettledError{what: "the list of HTTPRoutes"}
	}
	if w.router, w.target, err = r.routers.For(w.rollout.Namespace, spec); err != nil {
		return err
	}
	return r.readRoutes(ctx, w)
}

// readRoutes reads the routes; of a Rollout that is being deleted those that can still be put back.
func (r *Reconciler) readRoutes(ctx context.Context, w *world) error {
	observe := func() (trafficrouting.Observed, error) { return w.router.Observe(ctx, w.target) }
	if w.rollout.DeletionTimestamp != nil {
		observe = func() (trafficrouting.Observed, error) { return r.usableRoutes(ctx, w) }
	}
	observed, err := observe()
	if err != nil {
		return err
	}
	w.target.Versions, w.attached = observed.Versions, observed.Attached
	w.snapshot.Route = planner.Route{Weight: observed.Weight, Accepted: observed.Accepted}
	for _, p := range observed.Problems {
		w.problem(p.Reason, p.Field, p.Message)
	}
	return nil
}
