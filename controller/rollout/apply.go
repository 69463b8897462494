package rollout

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller/planner"
	"github.com/sluice-dev/sluice/trafficrouting"
)

// apply performs the actions of a plan in their order and stops at the first that fails. Every write is one that is
// harmless when it is repeated, and that fails when the object has changed since it was observed: a second controller
// that still thinks it leads gets a conflict, and so does a decision made from an old view.
func (r *Reconciler) apply(ctx context.Context, w *world, actions []planner.Action) error {
	for _, action := range actions {
		if err := r.perform(ctx, w, action); err != nil {
			return explain(action, err)
		}
		log.FromContext(ctx).V(1).Info("performed an action", "action", action.String())
	}
	return nil
}

// perform carries out one action.
func (r *Reconciler) perform(ctx context.Context, w *world, action planner.Action) error {
	switch a := action.(type) {
	case planner.CreateRevision:
		return r.createRevision(ctx, w, a)
	case planner.ScaleRevision:
		return r.scaleRevision(ctx, w, a)
	case planner.DeleteRevision:
		return r.deleteRevision(ctx, w, a)
	case planner.ScaleWorkload:
		return r.scaleWorkload(ctx, w, a)
	case planner.StartAnalysis, planner.StopAnalysis, planner.TellShift:
		return r.performOnAnalyses(ctx, w, a)
	case planner.ProbeShare:
		return r.probeShare(ctx, w, a)
	case planner.RestartPods:
		return r.restartPods(ctx, w, a)
	case planner.CreateBaseline, planner.ScaleBaseline, planner.DeleteBaseline, planner.OpenBaseline, planner.CloseBaseline:
		return r.performOnBaseline(ctx, w, a)
	}
	return r.moveTraffic(ctx, w, action)
}

// moveTraffic carries out one action on Services and routes. Traffic has not moved when all writes were refused: to wait for
// what has not happened would end with another try, and so every settle time.
func (r *Reconciler) moveTraffic(ctx context.Context, w *world, action planner.Action) error {
	key := client.ObjectKeyFromObject(w.rollout)
	before := r.writes.remembered(key)
	err := r.move(ctx, w, action)
	if !allRefused(err) || !maps.Equal(before, r.writes.remembered(key)) {
		r.shifts.note(key, r.clock.Now())
	}
	return err
}

// allRefused says whether an error holds nothing but refusals. What a time-out is about may have been written.
func allRefused(err error) bool {
	var several interface{ Unwrap() []error }
	if errors.As(err, &several) {
		return !slices.ContainsFunc(several.Unwrap(), func(err error) bool { return !allRefused(err) })
	}
	return refusal(err)
}

func (r *Reconciler) move(ctx context.Context, w *world, action planner.Action) error {
	switch a := action.(type) {
	case planner.CreateStandby:
		return r.createStandby(ctx, w, a)
	case planner.PointService:
		return r.pointService(ctx, w, a)
	case planner.SetWeight:
		return r.setWeight(ctx, w, a)
	case planner.DetachStandby:
		return r.detachStandby(ctx, w)
	case planner.ReleaseRoutes:
		return r.giveUpRoutes(ctx, w)
	case planner.DeleteStandby:
		return r.deleteStandby(ctx, w)
	}
	return fmt.Errorf("there is no way to %s", action)
}

// setWeight writes the share of the standby Service, and what is laid over it, to every route. In a cluster that serves no routes there is nothing
// to write, and a problem that tells of it.
func (r *Reconciler) setWeight(ctx context.Context, w *world, a planner.SetWeight) error {
	if w.router == nil {
		return nil
	}
	if a.Tenths > 0 || a.Overlay != v1alpha1.NoOverlay || w.makesRoutes() {
		if err := r.rememberRoutes(ctx, w); err != nil {
			return err
		}
	}
	return w.router.Apply(ctx, w.target, trafficrouting.Wanted{Weight: a.Tenths, Overlay: w.snapshot.Spec.Overlay(a.Overlay).Of(w.release())})
}

// detachStandby takes the standby Service out of every route.
func (r *Reconciler) detachStandby(ctx context.Context, w *world) error {
	if w.router == nil {
		return nil
	}
	return w.router.Detach(ctx, w.target)
}

// follow brings about what needs no decision, after the actions, so that nothing waits for it. An object that an action
// has changed is left to the next pass.
func (r *Reconciler) follow(ctx context.Context, w *world, actions []planner.Action) error {
	changed := changedBy(actions)
	for _, part := range []func(context.Context, *world, map[string]bool) error{r.followRoles, r.followMinReady} {
		if err := part(ctx, w, changed); err != nil {
			return err
		}
	}
	if !changed[string(planner.Standby)] {
		if err := r.followActive(ctx, w); err != nil {
			return err
		}
	}
	for _, part := range []func(context.Context, *world) error{r.releaseUnnamed, r.releaseRoutes, r.followConfiguration, r.forgetOldRuns} {
		if err := part(ctx, w); err != nil {
			return err
		}
	}
	return nil
}

// changedBy are the revisions and the roles of Services that actions change.
func changedBy(actions []planner.Action) map[string]bool {
	changed := map[string]bool{}
	for _, action := range actions {
		switch a := action.(type) {
		case planner.ScaleRevision:
			changed[a.Revision] = true
		case planner.DeleteRevision:
			changed[a.Revision] = true
		case planner.PointService:
			changed[string(a.Role)] = true
		}
	}
	return changed
}

// refused is a write that will not succeed until somebody mends something.
type refused struct {
	problem planner.Problem
	cause   error
	// retry is how soon it is tried again.
	retry time.Duration
}

func (e *refused) Error() string { return fmt.Sprintf("%s: %s", e.problem.Reason, e.problem.Message) }

func (e *refused) Unwrap() error { return e.cause }

// explain makes a problem of an action that the API server understood and refused.
func explain(action planner.Action, err error) error {
	switch action.(type) {
	case planner.CreateRevision, planner.ScaleRevision, planner.CreateBaseline, planner.ScaleBaseline:
		return explainAs(planner.Problem{Reason: v1alpha1.ReasonReplicaSetRefused, Field: "spec.template"}, action.String(), err)
	}
	return explainAs(planner.Problem{Reason: v1alpha1.ReasonWriteRefused}, action.String(), err)
}

// explainAs makes a problem of a write that the API server understood and refused, and says what it was to do. Every
// other error passes by itself: a conflict, a time-out, a server that cannot be reached.
func explainAs(problem planner.Problem, what string, err error) error {
	var already *refused
	if errors.As(err, &already) || !refusal(err) {
		return err
	}
	no := &refused{problem: problem, cause: err, retry: refusedWait}
	text, cure := "the API server refuses to %s: %s", ""
	switch {
	case webhookAway(err):
		no.retry = webhookWait
		text = "an admission webhook has to agree, and cannot be asked, to %s: %s"
		cure = fmt.Sprintf("; it is asked again every %s", webhookWait)
	case notPermitted(err):
		cure = "; let the service account of the controller do so, as install.yaml does"
	}
	no.problem.Message = cut(fmt.Sprintf(text, what, oneLine(err)), maxMessage-len(cure)) + cure
	return no
}

// refusal says whether an error is a no of the API server to what was asked: a template that is no template, a quota
// that is used up, a policy, a missing permission, a webhook that does not answer. What happens to a namespace on its way out is none.
func refusal(err error) bool {
	if apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
		return false
	}
	return apierrors.IsInvalid(err) || apierrors.IsForbidden(err) || apierrors.IsBadRequest(err) ||
		apierrors.IsRequestEntityTooLargeError(err) || apierrors.IsMethodNotSupported(err) || webhookAway(err)
}

// webhookAway says whether an admission webhook that has to agree could not be asked. The API server calls that an error of
// its own, and has no other sign of it than the words.
func webhookAway(err error) bool {
	return apierrors.IsInternalError(err) && strings.Contains(err.Error(), "failed calling webhook")
}

// notPermitted says whether it is our role that does not allow something, and not a quota or a policy.
func notPermitted(err error) bool {
	return apierrors.IsForbidden(err) && strings.Contains(err.Error(), " cannot ") && strings.Contains(err.Error(), " resource ")
}

// patch changes some fields of an object, if it is still as it was observed.
func (r *Reconciler) patch(ctx context.Context, obj client.Object, fields map[string]any) error {
	metadata, ok := fields["metadata"].(map[string]any)
	if !ok {
		metadata = map[string]any{}
		fields["metadata"] = metadata
	}
	metadata["resourceVersion"] = obj.GetResourceVersion()
	data, err := json.Marshal(fields)
	if err != nil {
		return err
	}
	changed, ok := obj.DeepCopyObject().(client.Object)
	if !ok {
		return fmt.Errorf("%T is no object", obj)
	}
	return r.writes.Patch(ctx, changed, client.RawPatch(types.MergePatchType, data))
}

// remove deletes an object, if it is still the one, and as it was observed.
func (r *Reconciler) remove(ctx context.Context, obj client.Object) error {
	uid, version := obj.GetUID(), obj.GetResourceVersion()
	return client.IgnoreNotFound(r.writes.Delete(ctx, obj, client.Preconditions{UID: &uid, ResourceVersion: &version},
		client.PropagationPolicy(metav1.DeletePropagationBackground)))
}

// unsettledError says that the cache does not show yet what the API server has: look again.
type unsettledError struct{ what string }

func (e *unsettledError) Error() string { return e.what + " is not in the cache yet" }

// onItsWay says what it means that something exists which the cache did not show. Mostly it has only just been made. But
// it may also be on its way out, which takes as long as its pods or its load balancer take: then there is nothing to do
// now, other actions must not wait for it, and its end wakes the Rollout.
func onItsWay(kind string, existing client.Object) error {
	if existing.GetDeletionTimestamp() != nil {
		return nil
	}
	return &unsettledError{what: kind + " " + existing.GetName()}
}

// ownerOf says that a Rollout owns what it makes: it goes when the Rollout goes.
func ownerOf(rollout *v1alpha1.Rollout) metav1.OwnerReference {
	return *metav1.NewControllerRef(rollout, v1alpha1.GroupVersion.WithKind(v1alpha1.RolloutKind))
}
