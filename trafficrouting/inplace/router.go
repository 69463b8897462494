package inplace

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/trafficrouting"
)

// Definition is a kind of object, and how to get at objects of it.
type Definition struct {
	// Kind is what is known about it.
	Kind
	// Group and kind of the API.
	GroupKind schema.GroupKind
	// Versions that can be read and written, the best first.
	Versions []string
	// Owned is the field that the weights are in, as LastWriter takes it; spec when it is nil.
	Owned []string
	// Settle is how long what serves objects of the kind takes until a change is in force everywhere; 0 when that is not known.
	Settle time.Duration
	// Source is what counts the requests; empty when that is not known.
	Source v1alpha1.MetricSource
	// Install says what brings the kind into a cluster, "install Istio".
	Install string
}

func (d Definition) owned() []string {
	if d.Owned == nil {
		return []string{"f:spec"}
	}
	return d.Owned
}

// Router writes weights into the objects that a Target names. It keeps nothing between calls.
type Router struct {
	definition Definition
	reader     client.Reader
	writer     client.Writer
	served     meta.RESTMapper
}

var _ trafficrouting.Router = (*Router)(nil)

// New makes a Router of objects of one kind, which it reads, as unstructured objects, from the reader and patches with the
// writer. The reader should be a cache. The mapper knows which kinds the cluster serves: see trafficrouting.Best.
func New(definition Definition, reader client.Reader, writer client.Writer, served meta.RESTMapper) *Router {
	return &Router{definition: definition, reader: reader, writer: writer, served: served}
}

// Kinds is the kind, in the best version that the cluster serves.
func (r *Router) Kinds(trafficrouting.Target) (kinds []schema.GroupVersionKind, all bool, err error) {
	gvk, err := r.best()
	switch {
	case meta.IsNoMatchError(err):
		return nil, false, nil
	case err != nil:
		return nil, false, err
	}
	return []schema.GroupVersionKind{gvk}, true, nil
}

func (r *Router) best() (schema.GroupVersionKind, error) {
	return trafficrouting.Best(r.served, r.definition.GroupKind, r.definition.Versions...)
}

// Observe reads all objects of the target. What has been written counts as in force: nothing reports on it.
func (r *Router) Observe(ctx context.Context, t trafficrouting.Target) (trafficrouting.Observed, error) {
	routes, left, err := t.Parted(t.Recalled(t.Routes), func(known trafficrouting.Route) (bool, error) {
		if known.Kind != r.definition.GroupKind.Kind {
			return false, nil // of another router, which the spec named before
		}
		object, err := r.read(ctx, known)
		if err != nil || object.GetUID() != known.UID {
			return false, err
		}
		_, attached, _ := Weight(r.definition, object, splitOf(t, known, 0)) // what a person must mend is no matter any more
		return attached, nil
	})
	if err != nil {
		return trafficrouting.Observed{Weight: trafficrouting.WeightUnknown}, err
	}
	t.Routes = routes
	out, err := trafficrouting.ObserveEach(t, func(route trafficrouting.Route) (trafficrouting.Observed, error) {
		return r.observe(ctx, t, route)
	})
	out.Left, out.Problems = left, append(out.Problems, trafficrouting.WeightsOnly(t)...)
	return out, err
}

// observe reads one object.
func (r *Router) observe(ctx context.Context, t trafficrouting.Target, route trafficrouting.Route) (
	trafficrouting.Observed, error,
) {
	object, err := r.read(ctx, route)
	if err != nil {
		problems, err := trafficrouting.Mend(err)
		return trafficrouting.Observed{
			Weight: trafficrouting.WeightUnknown, Versions: []string{""}, Routes: []trafficrouting.Route{route},
			Problems: problems,
		}, err
	}
	if route.UID != object.GetUID() { // another one of the name
		route.UID, route.Before = object.GetUID(), nil
	}
	route.Before = Before(r.definition, object, splitOf(t, route, 0))
	out := trafficrouting.Observed{
		Accepted: true, Versions: []string{object.GetResourceVersion()}, Routes: []trafficrouting.Route{route},
		Settle: r.definition.Settle, Source: r.definition.Source,
	}
	out.Weight, out.Attached, err = Weight(r.definition, object, splitOf(t, route, 0))
	// Who wrote a part of the spec that we do not write is no matter: the weight tells whether it was changed.
	out.Writers = trafficrouting.WrittenBy(trafficrouting.LastWriter(object.GetManagedFields(), r.definition.owned()...))
	out.Problems, err = trafficrouting.Mend(err)
	return out, err
}

// Apply writes the weight to every object of the target that does not carry it.
func (r *Router) Apply(ctx context.Context, t trafficrouting.Target, w trafficrouting.Wanted) error {
	if w.Weight < 0 || w.Weight > v1alpha1.MaxWeight {
		return fmt.Errorf("weight %d is not in tenths of a percent, 0 to %d", w.Weight, v1alpha1.MaxWeight)
	}
	return r.onEach(ctx, t, w.Weight, Render)
}

// Detach takes the standby Service out of every object of the target.
func (r *Router) Detach(ctx context.Context, t trafficrouting.Target) error {
	return r.onEach(ctx, t, 0, Without)
}

func splitOf(t trafficrouting.Target, route trafficrouting.Route, weight int32) Split {
	return Split{
		Namespace: t.Namespace, Active: t.Active, Standby: t.Standby, Rules: route.Rules, Before: route.Before, Weight: weight,
	}
}

// change makes an object what it should be, and says whether that differs from what it is.
type change func(Kind, *unstructured.Unstructured, Split) (desired *unstructured.Unstructured, changed bool, err error)

// onEach changes every object of the target.
func (r *Router) onEach(ctx context.Context, t trafficrouting.Target, weight int32, change change) error {
	return trafficrouting.WriteEach(t, func(i int, route trafficrouting.Route) error {
		object, err := r.read(ctx, route)
		if err != nil {
			return err
		}
		desired, changed, err := change(r.definition, object, splitOf(t, route, weight))
		if err != nil || !changed {
			return err
		}
		if t.Versions != nil && t.Versions[i] != object.GetResourceVersion() {
			return apierrors.NewConflict(schema.GroupResource{Group: r.definition.GroupKind.Group, Resource: r.definition.GroupKind.Kind}, route.Name,
				errors.New("it has changed since the weight was decided"))
		}
		return r.write(ctx, object, desired, weight)
	})
}

// write patches one object from what it was to what it should be.
func (r *Router) write(ctx context.Context, object, desired *unstructured.Unstructured, weight int32) error {
	patch := client.MergeFromWithOptions(object, client.MergeFromWithOptimisticLock{})
	if err := r.writer.Patch(ctx, desired, patch, trafficrouting.Owner(weight)); err != nil {
		return client.IgnoreNotFound(err)
	}
	log.FromContext(ctx).Info("Wrote a weight", "kind", object.GetKind(), "name", client.ObjectKeyFromObject(object),
		"weight", v1alpha1.FormatWeight(weight))
	return nil
}

// read gets one object. The error is a *trafficrouting.RouteError when there is none, or none for long.
func (r *Router) read(ctx context.Context, route trafficrouting.Route) (*unstructured.Unstructured, error) {
	gvk, err := r.best()
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(gvk)
	if err == nil {
		err = r.reader.Get(ctx, client.ObjectKey{Namespace: route.Namespace, Name: route.Name}, object)
	}
	switch {
	case meta.IsNoMatchError(err):
		return nil, trafficrouting.NotFound("the cluster does not serve %s: %s", r.definition.GroupKind, r.definition.Install)
	case apierrors.IsNotFound(err):
		return nil, trafficrouting.NotFound("does not exist: create it, or name the one that serves the active Service")
	case err != nil:
		return nil, err
	case object.GetDeletionTimestamp() != nil:
		return nil, trafficrouting.NotFound("is being deleted: create it again, or name the one that serves the active Service")
	}
	return object, nil
}
