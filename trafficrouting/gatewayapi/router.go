package gatewayapi

import (
	"context"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/trafficrouting"
)

const (
	// FieldManager owns the rules of a route while the standby Service has a share of its traffic.
	FieldManager = trafficrouting.FieldManager
	// RestFieldManager owns them once all traffic is back on the active Service.
	RestFieldManager = trafficrouting.RestFieldManager
)

// Router writes weights on the Gateway API routes that a Target names, and makes those that it has templates of. It keeps nothing
// between calls but what it has learnt of defaults: see learnt.
type Router struct {
	reader client.Reader
	writer client.Writer
	served meta.RESTMapper
	learnt learnt
}

var _ trafficrouting.Router = (*Router)(nil)

// New makes a Router that reads routes, as unstructured objects, from the reader and patches them with the writer. The
// reader should be a cache: a manager's GetCache, or a client with caching of unstructured objects turned on. The mapper
// knows which kinds the cluster serves; one that asks the cluster again for a kind that it does not know, as that of a
// manager does, finds kinds that are installed later.
func New(reader client.Reader, writer client.Writer, served meta.RESTMapper) *Router {
	return &Router{reader: reader, writer: writer, served: served}
}

// Observe reads all routes of the target, and finds those that its selectors pick.
func (r *Router) Observe(ctx context.Context, t trafficrouting.Target) (trafficrouting.Observed, error) {
	chosen, err := r.choose(ctx, t)
	if err != nil {
		return trafficrouting.Observed{Weight: trafficrouting.WeightUnknown}, err
	}
	t.Routes = chosen.routes
	out, err := trafficrouting.ObserveEach(t, func(ref trafficrouting.Route) (trafficrouting.Observed, error) {
		return r.observe(ctx, t, ref)
	})
	if err != nil {
		return out, err
	}
	out.Left, out.Problems = chosen.left, append(chosen.problems, out.Problems...)
	out.Problems = append(out.Problems, idle(t, out.Overlays)...)
	return out, nil
}

// observe reads one route. The message and the field of its problem are for the caller to complete.
func (r *Router) observe(ctx context.Context, t trafficrouting.Target, ref trafficrouting.Route) (
	trafficrouting.Observed, error,
) {
	if ref.Template != nil {
		return r.observeMade(ctx, t, ref)
	}
	ungranted := r.granted(ctx, t, ref)
	if ungranted != nil && ref.Before == nil { // not a word about what is there
		return barred(ref, ungranted)
	}
	route, err := r.read(ctx, ref)
	if err != nil {
		return barred(ref, err)
	}
	if ref.UID != route.GetUID() { // another one of the name
		ref.UID, ref.Before = route.GetUID(), nil
		if ungranted != nil {
			return barred(ref, ungranted)
		}
	}
	ref.Before, ref.Made = Before(route, splitOf(t, ref)), ""
	out := trafficrouting.Observed{Versions: []string{route.GetResourceVersion()}, Routes: []trafficrouting.Route{ref}}
	var unfit, refusal error
	split := splitOf(t, ref)
	out.Weight, err = Weight(route, split)
	out.Overlays, unfit = Laid(route, split, everyOverlay(t))
	classes := r.classesOf(ctx, t, route)
	out.Source = countedBy(classes)
	if out.Settle = slowest(classes); unfit == nil {
		unfit = lacking(route, classes, everyOverlay(t))
	}
	out.Attached, out.Owned = Names(route, split), owned(route, t.Owner)
	out.Stale = out.Owned // it has no template, and is its owner's own again
	out.Accepted, refusal = Accepted(route)
	out.Writers = trafficrouting.WrittenBy(trafficrouting.LastWriter(route.GetManagedFields(), "f:spec", "f:rules"))
	return withProblems(out, rival(route, t.Owner), ungranted, err, unfit, refusal)
}

// withProblems adds what a person must mend.
func withProblems(out trafficrouting.Observed, errs ...error) (trafficrouting.Observed, error) {
	for _, err := range errs {
		problem, err := trafficrouting.Mend(err)
		if err != nil {
			return out, err
		}
		out.Problems = append(out.Problems, problem...)
	}
	return out, nil
}

// barred is what is known of a route that cannot be read, or may not be.
func barred(ref trafficrouting.Route, why error) (trafficrouting.Observed, error) {
	problems, err := trafficrouting.Mend(why)
	return trafficrouting.Observed{
		Weight: trafficrouting.WeightUnknown, Versions: []string{""}, Routes: []trafficrouting.Route{ref}, Problems: problems,
	}, err
}

// Apply writes every route of the target that is not as wanted.
func (r *Router) Apply(ctx context.Context, t trafficrouting.Target, w trafficrouting.Wanted) error {
	if w.Weight < 0 || w.Weight > v1alpha1.MaxWeight {
		return fmt.Errorf("weight %d is not in tenths of a percent, 0 to %d", w.Weight, v1alpha1.MaxWeight)
	}
	return r.onEach(ctx, t, Split{Weight: w.Weight, Overlay: w.Overlay}, false)
}

// Detach takes the standby Service out of every route of the target.
func (r *Router) Detach(ctx context.Context, t trafficrouting.Target) error {
	return r.onEach(ctx, t, Split{}, true)
}

// onEach changes every route of the target. Which rules are shared between which Services is for each route to say.
func (r *Router) onEach(ctx context.Context, t trafficrouting.Target, s Split, detach bool) error {
	return trafficrouting.WriteEach(t, func(i int, ref trafficrouting.Route) error {
		of := splitOf(t, ref)
		of.Weight, of.Overlay = s.Weight, s.Overlay
		switch {
		case detach:
			return r.apply(ctx, t, i, of, Without)
		case ref.Template != nil:
			return r.applyMade(ctx, t, i, of)
		}
		return r.apply(ctx, t, i, of, Render)
	})
}

// change makes a route what it should be, and says whether that differs from what it is.
type change func(*unstructured.Unstructured, Split) (desired *unstructured.Unstructured, changed bool, err error)

// apply changes one route, if it is not as it should be. One that is not made of a template has no Owner.
func (r *Router) apply(ctx context.Context, t trafficrouting.Target, i int, s Split, change change) error {
	route, err := r.forWriting(ctx, t, t.Routes[i], s)
	if err != nil {
		return err
	}
	desired, changed, err := change(route, s)
	if owned(route, t.Owner) && t.Routes[i].Template == nil {
		if err != nil {
			desired, err = route.DeepCopy(), nil // what is wrong with it is no matter to who gives it up
		}
		disown(desired)
		changed = true
	}
	if err == nil && !s.nothing() {
		err = rival(route, t.Owner)
	}
	if err != nil || !changed {
		return err
	}
	if decidedOn(t, i, route.GetResourceVersion()) {
		return r.write(ctx, s, route, desired)
	}
	return changedSince(t.Routes[i])
}

// decidedOn says whether a weight was decided on a version of a route; empty for one that is not there.
func decidedOn(t trafficrouting.Target, i int, version string) bool {
	return t.Versions == nil || t.Versions[i] == version
}

// write patches one route from what it was to what it should be.
func (r *Router) write(ctx context.Context, s Split, route, desired *unstructured.Unstructured) error {
	// A merge patch holds what differs, mostly the rules, and the version that they were read at: fields beside them are not
	// written, and a route that has changed since is a conflict.
	patch := client.MergeFromWithOptions(route, client.MergeFromWithOptimisticLock{})
	if err := r.writer.Patch(ctx, desired, patch, s.owner()); err != nil {
		return client.IgnoreNotFound(err)
	}
	tell(ctx, s, desired)
	return nil
}

// owner is the field manager of a write.
func (s Split) owner() client.FieldOwner {
	if s.nothing() {
		return RestFieldManager
	}
	return FieldManager
}

// tell logs a write.
func tell(ctx context.Context, s Split, route *unstructured.Unstructured) {
	log.FromContext(ctx).Info("Wrote the weight of a route", "kind", route.GetKind(), "route", klog.KObj(route),
		"standby", s.Standby, "weight", v1alpha1.FormatWeight(s.Weight))
}

func changedSince(ref trafficrouting.Route) error {
	return apierrors.NewConflict(schema.GroupResource{Group: gatewayv1.GroupName, Resource: ref.Kind}, ref.Name,
		errors.New("it has changed since the weight was decided"))
}

// forWriting gets one route, if it may be written. What was given with a grant may be taken back without one.
func (r *Router) forWriting(ctx context.Context, t trafficrouting.Target, ref trafficrouting.Route, s Split) (
	*unstructured.Unstructured, error,
) {
	if !s.nothing() || ref.Before == nil {
		if err := r.granted(ctx, t, ref); err != nil {
			return nil, err
		}
	}
	return r.read(ctx, ref)
}

// read gets one route. The error is a *RouteError when there is none, or none for long: a route that is being deleted
// will not serve the traffic that is put on it.
func (r *Router) read(ctx context.Context, ref trafficrouting.Route) (*unstructured.Unstructured, error) {
	route, err := r.find(ctx, ref)
	switch {
	case err != nil:
		return nil, err
	case route == nil:
		return nil, notFound("does not exist: create it, or name the route that serves the active Service")
	case route.GetDeletionTimestamp() != nil:
		return nil, notFound("is being deleted: create it again, or name the route that serves the active Service")
	}
	return route, nil
}

// find gets one route; nil when there is none. The error is a *RouteError for a kind that the cluster does not serve.
func (r *Router) find(ctx context.Context, ref trafficrouting.Route) (*unstructured.Unstructured, error) {
	gvk, err := r.kindOf(ref.Kind)
	if err != nil {
		return nil, err
	}
	route := &unstructured.Unstructured{}
	route.SetGroupVersionKind(gvk)
	err = r.reader.Get(ctx, client.ObjectKey{Namespace: ref.Namespace, Name: ref.Name}, route)
	switch {
	case meta.IsNoMatchError(err):
		return nil, unserved(gvk.Kind)
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return route, nil
}

func notFound(message string) *RouteError {
	return &RouteError{Reason: v1alpha1.ReasonRouteNotFound, Message: message}
}
