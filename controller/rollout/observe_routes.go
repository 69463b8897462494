package rollout

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller/planner"
)

// routesRetry is how soon a cluster that did not serve routes is asked again. Nothing tells when it begins to.
const routesRetry = 30 * time.Second

// observeRoutes reads what the managed routes say, all taken together.
func (r *Reconciler) observeRoutes(ctx context.Context, w *world) error {
	spec := &w.rollout.Spec
	w.snapshot.Route = planner.Route{Weight: planner.WeightUnknown}
	if !spec.UsesRoutes() || spec.Services == nil {
		return nil
	}
	if err := r.routes.ensure(ctx); meta.IsNoMatchError(err) {
		w.lookAgain(routesRetry)
		w.problem(v1alpha1.ReasonRouteNotFound, "spec.traffic.gatewayAPI",
			"the cluster does not serve "+httpRoute().GroupVersion().String()+": install the Gateway API CRDs")
		return nil
	} else if err != nil {
		return fmt.Errorf("watching routes: %w", err)
	}
	var err error
	if w.router, w.target, err = r.routers.For(w.rollout.Namespace, spec); err != nil {
		return err
	}
	observed, err := w.router.Observe(ctx, w.target)
	if err != nil {
		return err
	}
	w.snapshot.Route = planner.Route{Weight: observed.Weight, Accepted: observed.Accepted}
	for _, p := range observed.Problems {
		w.problem(p.Reason, p.Field, p.Message)
	}
	return nil
}
