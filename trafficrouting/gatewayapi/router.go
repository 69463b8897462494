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

// Router writes weights on the Gateway API routes that a Target names. It keeps nothing between calls.
type Router struct {
	reader client.Reader
	writer client.Writer
	served meta.RESTMapper
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
	ref.Before = Before(route, splitOf(t, ref))
	out := trafficrouting.Observed{Versions: []string{route.GetResourceVersion()}, Routes: []trafficrouting.Route{ref}}
	var unfit, refusal error
	split := splitOf(t, ref)
	out.Weight, err = Weight(route, split)
	out.Overlays, unfit = Laid(route, split, everyOverlay(t))
	classes := r.classesOf(ctx, t, route)
	if out.Settle = slowest(classes); unfit == nil {
		unfit = lacking(route, classes, everyOverlay(t))
	}
	out.Attached = Names(route, split)
	out.Accepted, refusal = Accepted(route)
	out.Writers = trafficrouting.WrittenBy(trafficrouting.LastWriter(route.GetManagedFields(), "f:spec", "f:rules"))
	for _, err := range []error{ungranted, err, unfit, refusal} {
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
	return r.onEach(ctx, t, Split{Weight: w.Weight, Overlay: w.Overlay}, Render)
}

// Detach takes the standby Service out of every route of the target.
func (r *Router) Detach(ctx context.Context, t trafficrouting.Target) error {
	return r.onEach(ctx, t, Split{}, Without)
}

// change makes a route what it should be, and says whether that differs from what it is.
type change func(*unstructured.Unstructured, Split) (desired *unstructured.Unstructured, changed bool, err error)

// onEach changes every route of the target. Which rules are shared between which Services is for each route to say.
func (r *Router) onEach(ctx context.Context, t trafficrouting.Target, s Split, change change) error {
	return trafficrouting.WriteEach(t, func(i int, _ trafficrouting.Route) error { return r.apply(ctx, t, i, s, change) })
}

// apply changes one route, if it is not as it should be.
func (r *Router) apply(ctx context.Context, t trafficrouting.Target, i int, s Split, change change) error {
	ref, of := t.Routes[i], splitOf(t, t.Routes[i])
	s.Active, s.Standby, s.Namespace, s.Rules, s.Before = of.Active, of.Standby, of.Namespace, of.Rules, of.Before
	route, err := r.forWriting(ctx, t, ref, s)
	if err != nil {
		return err
	}
	desired, changed, err := change(route, s)
	if err != nil || !changed {
		return err
	}
	if t.Versions != nil && t.Versions[i] != route.GetResourceVersion() {
		return apierrors.NewConflict(schema.GroupResource{Group: gatewayv1.GroupName, Resource: ref.Kind}, ref.Name,
			errors.New("it has changed since the weight was decided"))
	}
	owner := client.FieldOwner(FieldManager)
	if s.nothing() {
		owner = RestFieldManager
	}
	// A merge patch holds the rules, which are all that differs, and the version that they were read at: fields beside
	// them are not written, and a route that has changed since is a conflict.
	patch := client.MergeFromWithOptions(route, client.MergeFromWithOptimisticLock{})
	if err := r.writer.Patch(ctx, desired, patch, owner); err != nil {
		return client.IgnoreNotFound(err)
	}
	log.FromContext(ctx).Info("Wrote the weight of a route", "kind", ref.Kind, "route", klog.KObj(route),
		"standby", t.Standby, "weight", v1alpha1.FormatWeight(s.Weight))
	return nil
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
		return nil, notFound("does not exist: create it, or name the route that serves the active Service")
	case err != nil:
		return nil, err
	case route.GetDeletionTimestamp() != nil:
		return nil, notFound("is being deleted: create it again, or name the route that serves the active Service")
	}
	return route, nil
}

func notFound(format string, args ...any) *RouteError {
	return &RouteError{Reason: v1alpha1.ReasonRouteNotFound, Message: fmt.Sprintf(format, args...)}
}
