package rollout

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller/planner"
	"github.com/sluice-dev/sluice/trafficrouting"
)

const (
	// routesRetry is how soon a cluster that did not serve a kind is asked again. Nothing tells when it begins to.
	routesRetry = 30 * time.Second
	// routesTimeout is how long the first list of routes may take before that is told of.
	routesTimeout = 20 * time.Second
	// besideTimeout is how long the first list of what is read beside routes may take before a release goes on without:
	// nothing depends on it, and an abort least of all.
	besideTimeout = 2 * time.Second
)

// observeRoutes reads what the managed routes say, all taken together.
func (r *Reconciler) observeRoutes(ctx context.Context, w *world) error {
	spec := &w.rollout.Spec
	w.snapshot.Route = planner.Route{Weight: planner.WeightUnknown}
	if !spec.UsesRoutes() || spec.Services == nil {
		return nil
	}
	var err error
	if w.router, w.target, err = r.routers.For(w.rollout.Namespace, spec); err != nil {
		return err
	}
	owner := ownerOf(w.rollout)
	w.target.Owner = &owner
	for i, overlay := range w.target.Overlays {
		w.target.Overlays[i] = overlay.Of(w.release())
	}
	w.recallRoutes()
	if seen, err := r.seeRoutes(ctx, w); err != nil || !seen {
		w.router = nil
		return err
	}
	return r.readRoutes(ctx, w)
}

// seeRoutes sees to it that the cache has what the router reads, and says whether it has.
func (r *Reconciler) seeRoutes(ctx context.Context, w *world) (bool, error) {
	kinds, all, err := w.router.Kinds(w.target)
	if err != nil {
		return false, err
	}
	if !all {
		w.lookAgain(routesRetry)
	}
	for _, kind := range kinds {
		r.writes.watches(kind)
		waited, err := r.routes.ensure(ctx, kind, w.snapshot.Now)
		switch {
		case err != nil:
			return false, fmt.Errorf("watching %s: %w", kind.Kind, err)
		case waited > routesTimeout:
			w.lookAgain(routesRetry)
			w.problem(v1alpha1.ReasonRouteNotFound, "spec.traffic", kind.Kind+
				"s cannot be read: let the service account of the controller list and watch them; its log says why")
			return false, nil
		case waited > 0:
			return false, &unsettledError{what: "the list of " + kind.Kind + "s"}
		}
	}
	w.target.Informed, err = r.informed(ctx, w)
	return err == nil, err
}

// informed says whether the cache has what the router reads beside routes, and sees to it that it will, where it can: a
// cluster that does not serve it, or does not let the controller read it, is none the worse.
func (r *Reconciler) informed(ctx context.Context, w *world) (bool, error) {
	router, ok := w.router.(trafficrouting.Informed)
	if !ok {
		return false, nil
	}
	for _, kind := range router.Beside() {
		waited, err := r.routes.try(ctx, kind, w.snapshot.Now)
		switch {
		case err != nil || waited > besideTimeout:
			return false, nil //nolint:nilerr // what cannot be read is done without
		case waited > 0:
			return false, &unsettledError{what: "the list of " + kind.Kind + "s"}
		}
	}
	return true, nil
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
	w.target.Versions, w.attached, w.left, w.ownsRoutes = observed.Versions, observed.Attached, observed.Left, observed.Owned
	w.source = observed.Source
	if observed.Routes != nil {
		w.target.Routes = observed.Routes
	}
	w.snapshot.Route = planner.Route{
		Weight: observed.Weight, Accepted: observed.Accepted, Overlay: w.overlay(observed.Overlays), Stale: observed.Stale,
	}
	w.snapshot.Route.Hands = hands(observed.Writers)
	w.snapshot.Spec.Settle = settleTime(w.rollout.Spec.Traffic, w.snapshot.Spec.Settle, observed.Settle)
	for _, p := range observed.Problems {
		w.problem(p.Reason, p.Field, p.Message)
	}
	return nil
}

// settleTime is what the spec says, or else the longer of what every gateway is given and what those of the routes are known
// to take: who gives all of them more than that has a reason.
func settleTime(traffic *v1alpha1.Traffic, given, known time.Duration) time.Duration {
	if traffic.SettleTime != nil {
		return given
	}
	return max(given, known)
}

// release names the release under way in cookies of its clients: a revision and its attempt.
func (w *world) release() string {
	state := w.snapshot.State
	return fmt.Sprintf("%s.%d", state.Candidate, state.Attempt)
}

// overlay is which of the overlays that routes have exactly is to be told of: several may come to the same. It is the one
// of the step that the release is at, when that is among them.
func (w *world) overlay(fits []int) int32 {
	spec, state := w.snapshot.Spec, w.snapshot.State
	switch {
	case fits == nil: // nothing is known: of the weight neither, or the router has no overlays
		return v1alpha1.NoOverlay
	case len(fits) == 0:
		return planner.OverlayUnknown
	}
	if state.Stage != v1alpha1.StageStepping || w.rollout.DeletionTimestamp != nil || len(spec.Steps) == 0 {
		return int32(fits[0])
	}
	if step := spec.Steps[spec.StepAt(state.Step)].Overlay; slices.Contains(fits, int(step)) {
		return step
	}
	return int32(fits[0])
}
