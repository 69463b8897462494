package rollout

import (
	"context"
	"errors"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller/planner"
	"github.com/sluice-dev/sluice/controller/revision"
	"github.com/sluice-dev/sluice/trafficrouting"
)

// A Rollout that moves traffic, or takes the pods of its workload away, has a finalizer, so that Services, routes and the
// workload can be put back before it is gone. What a person would have to mend holds its deletion up until patience is
// over, and no longer.

// needsFinalizer says whether something would be left behind that only we can put back. Services that an older Rollout
// moves are put back by that one.
func (w *world) needsFinalizer() bool {
	services, status := w.rollout.Spec.Services, w.rollout.Status.Workload
	switch {
	case services != nil && !w.claimed[services.Active]:
		return true
	case w.reference == nil:
		return false
	}
	scales := w.reference.ScaleDown != "" && w.reference.ScaleDown != v1alpha1.WorkloadScaleDownNever
	return scales || status != nil && status.Replicas != nil
}

// keepFinalizer puts the finalizer on a Rollout that needs it, and takes it off one that does not any more.
func (r *Reconciler) keepFinalizer(ctx context.Context, w *world) error {
	has, wants := controllerutil.ContainsFinalizer(w.rollout, v1alpha1.FinalizerTraffic), w.needsFinalizer()
	if has == wants || !wants && w.snapshot.State.Stage != v1alpha1.StageIdle {
		return nil
	}
	what := "add the finalizer " + v1alpha1.FinalizerTraffic
	finalizers := append(slices.Clone(w.rollout.Finalizers), v1alpha1.FinalizerTraffic)
	if !wants {
		what = "remove the finalizer " + v1alpha1.FinalizerTraffic
		finalizers = withoutFinalizer(w.rollout)
	}
	return explainAs(planner.Problem{Reason: v1alpha1.ReasonWriteRefused, Field: "metadata.finalizers"}, what,
		r.writeFinalizers(ctx, w, finalizers))
}

func withoutFinalizer(rollout *v1alpha1.Rollout) []string {
	return slices.DeleteFunc(slices.Clone(rollout.Finalizers), func(f string) bool { return f == v1alpha1.FinalizerTraffic })
}

// writeFinalizers writes the finalizers, and goes on with the Rollout at the version that it has then.
func (r *Reconciler) writeFinalizers(ctx context.Context, w *world, finalizers []string) error {
	changed := w.rollout.DeepCopy()
	changed.Finalizers = finalizers
	patch := client.MergeFromWithOptions(w.rollout, client.MergeFromWithOptimisticLock{})
	if err := r.writes.Patch(ctx, changed, patch); err != nil {
		return client.IgnoreNotFound(err)
	}
	w.rollout.Finalizers, w.rollout.ResourceVersion = changed.Finalizers, changed.ResourceVersion
	return nil
}

// leave is one pass over a Rollout that is being deleted.
func (r *Reconciler) leave(ctx context.Context, w *world) (reconcile.Result, error) {
	plan := r.next(w.snapshot)
	err := r.apply(ctx, w, plan.Actions)
	var barred *refused
	if errors.As(err, &barred) {
		if !plan.Hurried {
			return r.askAgain(ctx, w, plan, barred)
		}
		r.emit(w.rollout, warning(barred))
		plan, err = r.force(ctx, w)
	}
	switch {
	case err != nil:
		return quiet(err)
	case plan.Left:
		if err := r.releaseUnnamed(ctx, w); err != nil && !refusal(err) {
			return quiet(err)
		}
		return quiet(r.writeFinalizers(ctx, w, withoutFinalizer(w.rollout)))
	}
	if err := r.record(ctx, w, plan); err != nil {
		return quiet(err)
	}
	return reconcile.Result{RequeueAfter: sooner(w.retry, w.snapshot.Now, plan.WakeAt)}, nil
}

// askAgain tells of a write that the API server refuses, and tries it again later. Of the plan nothing else is recorded: it
// has not been carried out.
func (r *Reconciler) askAgain(ctx context.Context, w *world, plan planner.Plan, barred *refused) (reconcile.Result, error) {
	plan.State, plan.Events, plan.Stalled = w.snapshot.State, nil, true
	plan.Why = planner.Why{Reason: barred.problem.Reason, Message: "the rollout is being deleted: " + barred.problem.Message}
	if w.snapshot.LastMessage != plan.Why.Message {
		plan.Events = []planner.Event{warning(barred)}
	}
	if err := r.record(ctx, w, plan); err != nil {
		return quiet(err)
	}
	return reconcile.Result{RequeueAfter: sooner(barred.retry, w.snapshot.Now, plan.WakeAt)}, nil
}

func warning(barred *refused) planner.Event {
	return planner.Event{Warning: true, Reason: barred.problem.Reason, Message: barred.problem.Message}
}

// force does what can be done when patience is over and the API server still refuses one of the writes: each of the last
// ones on its own.
func (r *Reconciler) force(ctx context.Context, w *world) (planner.Plan, error) {
	w.snapshot.Leaving.Forced = true
	w.target.Versions = nil
	for range lastWrites {
		plan := r.next(w.snapshot)
		for _, action := range plan.Actions {
			err := r.perform(ctx, w, action)
			if err != nil && !refusal(err) && !apierrors.IsConflict(err) {
				return plan, err
			}
			w.pretend(action, err == nil)
		}
	}
	return planner.Plan{Left: true}, nil
}

// lastWrites is how many plans it takes at the most until nothing is left: Services, baselines, weight, routes, their owner and
// the standby Service, one after another.
const lastWrites = 6

// pretend changes a snapshot as if an action had been observed. A standby Service that routes were to lose, and have not,
// is not taken from them.
func (w *world) pretend(action planner.Action, done bool) {
	switch a := action.(type) {
	case planner.PointService:
		if a.Role == planner.Active {
			w.snapshot.Active.Revision = a.Revision
		} else {
			w.snapshot.Standby.Revision = a.Revision
		}
	case planner.SetWeight:
		w.snapshot.Route.Weight, w.snapshot.Route.Overlay = a.Tenths, a.Overlay
		w.snapshot.Leaving.Twin = w.snapshot.Leaving.Twin && done
	case planner.DetachStandby:
		w.snapshot.Leaving.Referred, w.snapshot.Leaving.Twin = false, done
	case planner.ReleaseRoutes:
		w.snapshot.Leaving.Owned = false
	case planner.DeleteStandby:
		w.snapshot.Standby.Found = false
	case planner.ScaleWorkload:
		w.snapshot.Workload.Replicas = a.Replicas
	case planner.StopAnalysis:
		w.snapshot.Analyses = slices.DeleteFunc(w.snapshot.Analyses, func(run planner.Analysis) bool { return run.Name == a.Name })
	default:
		w.pretendOnBaseline(action)
	}
}

// observeLeaving adds what only the end of a Rollout has to know.
func (w *world) observeLeaving() {
	w.snapshot.Problems = nil // what a person would have to mend is not waited for
	leaving := &planner.Leaving{
		Since:    w.rollout.DeletionTimestamp.Time,
		Orphan:   controllerutil.ContainsFinalizer(w.rollout, metav1.FinalizerOrphanDependents),
		Referred: w.attached,
	}
	for _, rs := range w.replicaSets {
		leaving.Orphan = leaving.Orphan || !metav1.IsControlledBy(rs, w.rollout)
	}
	leaving.Uncollected = leaving.Orphan || w.madeStandby()
	ours := w.standby == nil || w.ownsStandby() || w.madeStandby()
	leaving.Twin = ours && (!leaving.Uncollected || !w.shared)
	leaving.Owned = w.ownsRoutes && w.routesStay(leaving.Orphan)
	w.snapshot.Leaving = leaving
	w.leaveClaimed()
}

// routesStay says whether routes that the Rollout has made have somebody to send requests to when it is gone with its pods: these
// stay, or there is a Deployment, or another Rollout has the active Service, or that has endpoints of somebody else.
func (w *world) routesStay(orphan bool) bool {
	services := w.rollout.Spec.Services
	return orphan || w.reference != nil || services != nil && w.claimed[services.Active] || w.snapshot.Active.Foreign > 0
}

// leaveClaimed makes Services that another Rollout moves, and with the active one the routes, look as if they were not
// there: they are not ours to put back.
func (w *world) leaveClaimed() {
	services := w.rollout.Spec.Services
	if services == nil {
		return
	}
	if w.claimed[services.Active] {
		w.snapshot.Active.Found, w.snapshot.Leaving.Referred = false, false
		w.snapshot.Route = planner.Route{Accepted: true}
	}
	if w.claimed[services.StandbyName()] {
		w.snapshot.Standby.Found = false
	}
}

// madeStandby says whether the standby Service is one that a Rollout of this name has made and that nobody owns any more, as
// when the pods are to stay.
func (w *world) madeStandby() bool {
	return w.standby != nil && metav1.GetControllerOf(w.standby) == nil &&
		w.standby.Labels[v1alpha1.LabelRollout] == revision.LabelValue(w.rollout.Name)
}

// keepOrphaned counts as ours the ReplicaSets that were, until the garbage collector took that out: a Rollout that is
// deleted without its pods loses them at once.
func (w *world) keepOrphaned() {
	if w.rollout.DeletionTimestamp == nil {
		return
	}
	for _, rs := range w.orphans {
		if rs.Annotations[v1alpha1.AnnotationRevisionNumber] != "" {
			w.replicaSets[revisionOf(rs)] = rs
		}
	}
}

// writtenRoutes are the routes that are named, and those that something has been written to. None is made any more of a template.
func (w *world) writtenRoutes() []trafficrouting.Route {
	out := slices.Clone(w.target.Known)
	for _, route := range w.target.Routes {
		route.Template = nil
		at := slices.IndexFunc(out, func(known trafficrouting.Route) bool { return known.String() == route.String() })
		if at < 0 {
			out = append(out, route)
			continue
		}
		out[at].Rules, out[at].Field = route.Rules, route.Field
	}
	return out
}

// usableRoutes are the routes that can be written, and what they say. One that is gone, or that a gateway refuses, is not
// waited for.
func (r *Reconciler) usableRoutes(ctx context.Context, w *world) (trafficrouting.Observed, error) {
	all := trafficrouting.Observed{Accepted: true}
	var usable []trafficrouting.Route
	for _, ref := range w.writtenRoutes() {
		one := w.target
		one.Routes, one.Selectors, one.Known = []trafficrouting.Route{ref}, nil, nil
		observed, err := w.router.Observe(ctx, one)
		if err != nil {
			return all, err
		}
		if unusable(observed) {
			log.FromContext(ctx).Info("a route cannot be put back", "route", ref.String(), "problem", observed.Problems[0].Message)
			w.shared = w.shared || observed.Attached
			continue
		}
		if len(usable) == 0 {
			all.Weight, all.Overlays = observed.Weight, observed.Overlays
		}
		usable = append(usable, append(observed.Routes, ref)[0])
		all = withOne(all, observed)
	}
	w.target.Routes, w.target.Owner = usable, nil // what is made of a template goes with the Rollout, until that gives it up
	return all, nil
}

// withOne adds what one route says to what others do.
func withOne(all, one trafficrouting.Observed) trafficrouting.Observed {
	if one.Weight != all.Weight {
		all.Weight = trafficrouting.WeightUnknown
	}
	all.Overlays = trafficrouting.Common(all.Overlays, one.Overlays)
	all.Attached, all.Owned = all.Attached || one.Attached, all.Owned || one.Owned
	all.Accepted = all.Accepted && (one.Accepted || len(one.Problems) > 0)
	all.Versions = append(all.Versions, one.Versions...)
	return all
}

// unusable says whether a route is gone, or such that no weight can be written to it.
func unusable(route trafficrouting.Observed) bool {
	return route.Weight == trafficrouting.WeightUnknown && slices.ContainsFunc(route.Problems, func(p trafficrouting.Problem) bool {
		return p.Reason != v1alpha1.ReasonRouteNotAccepted
	})
}
