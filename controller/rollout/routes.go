package rollout

import (
	"context"
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/trafficrouting"
)

// What routes were before a Rollout wrote to them is in its status, and is there before the first write that gives the
// standby Service a share: whatever happens to the controller, they can be what they were.

// recallRoutes gives the routes of the target what the status remembers of them.
func (w *world) recallRoutes() {
	for i, route := range w.target.Routes {
		at := slices.IndexFunc(w.rollout.Status.Routes, func(s v1alpha1.RouteStatus) bool {
			return s.Kind == route.Kind && s.Namespace == route.Namespace && s.Name == route.Name
		})
		if at >= 0 {
			known := w.rollout.Status.Routes[at]
			w.target.Routes[i].UID, w.target.Routes[i].Before = known.UID, append([]string{}, known.Before...)
		}
	}
}

// routesStatus is what is to be remembered of routes.
func (w *world) routesStatus() []v1alpha1.RouteStatus {
	if w.router == nil {
		return w.rollout.Status.Routes
	}
	var out []v1alpha1.RouteStatus
	for _, route := range w.target.Routes {
		if len(route.Before) > 0 {
			out = append(out, routeStatus(route))
		}
	}
	return out
}

func routeStatus(route trafficrouting.Route) v1alpha1.RouteStatus {
	return v1alpha1.RouteStatus{
		Kind: route.Kind, Namespace: route.Namespace, Name: route.Name, UID: route.UID, Before: route.Before,
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
