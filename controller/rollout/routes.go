package rollout

import (
	"context"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller/planner"
	"github.com/sluice-dev/sluice/trafficrouting"
)

// What routes were before a Rollout wrote to them is in its status, and is there before the first write that gives the
// standby Service a share: whatever happens to the controller, they can be what they were.

// recallRoutes gives the target what the status remembers of routes.
func (w *world) recallRoutes() {
	w.target.Keep = !w.stableCarriesAll()
	for _, known := range w.rollout.Status.Routes {
		w.target.Known = append(w.target.Known, trafficrouting.Route{
			Kind: known.Kind, Namespace: known.Namespace, Name: known.Name, UID: known.UID, Before: append([]string{}, known.Before...),
			Made: known.Template, Field: "spec.traffic",
		})
	}
}

// stableCarriesAll says whether a route that the Rollout no longer has to do with may be given back in mid-release, with
// all its requests on the active Service: that has ready endpoints of a stable which kept all its pods, and its selector
// does not move.
func (w *world) stableCarriesAll() bool {
	state := w.snapshot.State
	switch state.Stage {
	case v1alpha1.StageIdle, v1alpha1.StageStepping, v1alpha1.StageAborted:
	default:
		return false
	}
	active := w.snapshot.Active
	return !w.snapshot.Spec.Proportional && active.Revision == state.Stable &&
		slices.ContainsFunc(active.Endpoints, func(e planner.Endpoints) bool { return e.Revision == state.Stable && e.Ready > 0 })
}

// releaseRoutes gives back routes that the Rollout no longer has to do with.
func (r *Reconciler) releaseRoutes(ctx context.Context, w *world) error {
	if len(w.left) == 0 {
		return nil
	}
	target := w.target
	target.Routes, target.Selectors, target.Known, target.Versions = w.left, nil, nil, nil
	if err := w.router.Detach(ctx, target); err != nil {
		return explainAs(planner.Problem{Reason: v1alpha1.ReasonWriteRefused, Field: "spec.traffic"}, "give routes back", err)
	}
	for _, route := range w.left {
		if route.Made != "" {
			r.emit(w.rollout, planner.Event{Reason: v1alpha1.ReasonRouteReleased, Message: fmt.Sprintf(
				"%s has no template any more: it stays as the template said, and is yours; delete it if nothing is to come that way", route)})
		}
	}
	return nil
}

// giveUpRoutes takes the Rollout out of the owners of all of its routes, which stay.
func (r *Reconciler) giveUpRoutes(ctx context.Context, w *world) error {
	if w.router == nil {
		return nil
	}
	owner, target := ownerOf(w.rollout), w.target
	target.Owner = &owner
	return w.router.Detach(ctx, target)
}

// makesRoutes says whether a write of routes makes one, or takes it over: that must be remembered first. The way back does not wait
// for that.
func (w *world) makesRoutes() bool {
	return w.snapshot.Route.Stale && w.snapshot.State.Stage != v1alpha1.StageRetreating
}

// routesStatus is what is to be remembered of routes.
func (w *world) routesStatus() []v1alpha1.RouteStatus {
	if w.router == nil {
		return w.rollout.Status.Routes
	}
	var out []v1alpha1.RouteStatus
	for _, route := range slices.Concat(w.target.Routes, w.left) {
		if len(route.Before) > 0 || route.Made != "" {
			out = append(out, routeStatus(route))
		}
	}
	return out
}

func routeStatus(route trafficrouting.Route) v1alpha1.RouteStatus {
	return v1alpha1.RouteStatus{
		Kind: route.Kind, Namespace: route.Namespace, Name: route.Name, UID: route.UID, Before: route.Before,
		Template: route.Made,
	}
}

// rememberRoutes writes down what routes are before the standby Service gets a share of them. Mostly that has been done in
// an earlier pass.
func (r *Reconciler) rememberRoutes(ctx context.Context, w *world) error {
	status := w.rollout.Status
	status.Routes = w.routesStatus()
	if equality.Semantic.DeepEqual(w.rollout.Status.Routes, status.Routes) {
		return nil
	}
	written, err := r.writeStatus(ctx, w.rollout, status)
	if err != nil {
		return err
	}
	w.rollout.Status.Routes, w.rollout.ResourceVersion = status.Routes, written.ResourceVersion
	return nil
}
