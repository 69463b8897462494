package nginx

import (
	"context"
	"errors"
	"fmt"

	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/trafficrouting"
)

// Router keeps a canary Ingress beside each Ingress that a Target names. It keeps nothing between calls.
type Router struct {
	reader client.Reader
	writer client.Writer
}

var _ trafficrouting.Router = (*Router)(nil)

// New makes a Router that reads Ingresses, as unstructured objects, from the reader, which should be a cache.
func New(reader client.Reader, writer client.Writer) *Router {
	return &Router{reader: reader, writer: writer}
}

// kind is that of an Ingress, which every cluster serves.
func kind() schema.GroupVersionKind {
	return networkingv1.SchemeGroupVersion.WithKind(v1alpha1.KindIngress)
}

// Kinds is Ingress.
func (r *Router) Kinds(trafficrouting.Target) (kinds []schema.GroupVersionKind, all bool, err error) {
	return []schema.GroupVersionKind{kind()}, true, nil
}

// pair is an Ingress and its canary, which is nil when there is none.
type pair struct {
	ingress, canary *unstructured.Unstructured
}

// version says which versions of both were read.
func (p pair) version() string {
	version := p.ingress.GetResourceVersion()
	if p.canary != nil {
		version += "/" + p.canary.GetResourceVersion()
	}
	return version
}

// share is what the canary Ingress gets; trafficrouting.WeightUnknown where it is not as it should be.
func (p pair) share(s Split) (int32, error) {
	if p.canary == nil {
		_, err := specFor(p.ingress, s)
		return 0, err
	}
	s.Weight = ShareOf(p.canary)
	_, changed, err := Render(p.ingress, p.canary, s)
	if changed || err != nil {
		return trafficrouting.WeightUnknown, err
	}
	return s.Weight, nil
}

// Observe reads all Ingresses of the target. What has been written counts as in force: nothing reports on it.
func (r *Router) Observe(ctx context.Context, t trafficrouting.Target) (trafficrouting.Observed, error) {
	out, err := trafficrouting.ObserveEach(t, func(route trafficrouting.Route) (trafficrouting.Observed, error) {
		p, err := r.read(ctx, route)
		if err != nil {
			problems, err := trafficrouting.Mend(err)
			return trafficrouting.Observed{
				Weight: trafficrouting.WeightUnknown, Versions: []string{""}, Problems: problems,
			}, err
		}
		out := trafficrouting.Observed{
			Accepted: true, Versions: []string{p.version()}, Attached: p.canary != nil && ours(p.ingress, p.canary),
			Settle: trafficrouting.SettleNginx, Source: v1alpha1.SourceNginx,
		}
		if p.canary != nil {
			out.Writers = trafficrouting.WrittenBy(trafficrouting.LastWriter(p.canary.GetManagedFields(), "f:metadata", "f:annotations"))
		}
		out.Weight, err = p.share(splitOf(t, route, 0))
		out.Problems, err = trafficrouting.Mend(err)
		return out, err
	})
	out.Problems = append(out.Problems, trafficrouting.WeightsOnly(t)...)
	return out, err
}

func splitOf(t trafficrouting.Target, route trafficrouting.Route, weight int32) Split {
	return Split{Active: t.Active, Standby: t.Standby, Canary: route.Companion, Weight: weight}
}

// Apply writes the weight on the canary Ingress of every Ingress of the target that does not have it, and deletes the canary
// Ingress when it is 0.
func (r *Router) Apply(ctx context.Context, t trafficrouting.Target, w trafficrouting.Wanted) error {
	if w.Weight < 0 || w.Weight > v1alpha1.MaxWeight {
		return fmt.Errorf("weight %d is not in tenths of a percent, 0 to %d", w.Weight, v1alpha1.MaxWeight)
	}
	return trafficrouting.WriteEach(t, func(i int, route trafficrouting.Route) error {
		p, err := r.read(ctx, route)
		if err != nil {
			return err
		}
		s := splitOf(t, route, w.Weight)
		write, err := r.change(p, s)
		if err != nil || write == nil {
			return err
		}
		if t.Versions != nil && t.Versions[i] != p.version() {
			return conflict(s, "it has changed since the weight was decided")
		}
		if err := write(ctx); err != nil {
			return err
		}
		log.FromContext(ctx).Info("Wrote a weight", "kind", v1alpha1.KindIngress, "name", client.ObjectKeyFromObject(p.ingress),
			"weight", v1alpha1.FormatWeight(w.Weight))
		return nil
	})
}

// Detach deletes the canary Ingress of every Ingress of the target.
func (r *Router) Detach(ctx context.Context, t trafficrouting.Target) error {
	return r.Apply(ctx, t, trafficrouting.Wanted{})
}

// change gives the write that makes a pair what it should be; nil when it is so already.
func (r *Router) change(p pair, s Split) (func(context.Context) error, error) {
	if s.Weight == 0 {
		return r.removal(p, s)
	}
	desired, changed, err := Render(p.ingress, p.canary, s)
	if err != nil || !changed {
		return nil, err
	}
	owner := trafficrouting.Owner(s.Weight)
	if p.canary != nil {
		patch := client.MergeFromWithOptions(p.canary, client.MergeFromWithOptimisticLock{})
		return func(ctx context.Context) error {
			return client.IgnoreNotFound(r.writer.Patch(ctx, desired, patch, owner))
		}, nil
	}
	return func(ctx context.Context) error {
		err := r.writer.Create(ctx, desired, owner)
		if apierrors.IsAlreadyExists(err) {
			return conflict(s, "it was created since it was read")
		}
		return err
	}, nil
}

// removal gives the deletion of a canary Ingress of ours, if there is one.
func (r *Router) removal(p pair, s Split) (func(context.Context) error, error) {
	switch {
	case p.canary == nil:
		return nil, nil
	case !ours(p.ingress, p.canary):
		return nil, taken(s)
	}
	uid, version := p.canary.GetUID(), p.canary.GetResourceVersion()
	return func(ctx context.Context) error {
		return client.IgnoreNotFound(r.writer.Delete(ctx, p.canary, client.Preconditions{UID: &uid, ResourceVersion: &version}))
	}, nil
}

func conflict(s Split, why string) error {
	return apierrors.NewConflict(networkingv1.Resource("ingresses"), s.Canary, errors.New(why))
}

// read gets an Ingress and its canary. The error is a *trafficrouting.RouteError when there is none, or none for long.
func (r *Router) read(ctx context.Context, route trafficrouting.Route) (pair, error) {
	ingress, err := r.get(ctx, route.Namespace, route.Name)
	switch {
	case apierrors.IsNotFound(err):
		return pair{}, trafficrouting.NotFound("does not exist: create it, or name the one that serves the active Service")
	case err != nil:
		return pair{}, err
	case ingress.GetDeletionTimestamp() != nil:
		return pair{}, trafficrouting.NotFound("is being deleted: create it again, or name the one that serves the active Service")
	}
	canary, err := r.get(ctx, route.Namespace, route.Companion)
	if apierrors.IsNotFound(err) {
		return pair{ingress: ingress}, nil
	}
	return pair{ingress: ingress, canary: canary}, err
}

func (r *Router) get(ctx context.Context, namespace, name string) (*unstructured.Unstructured, error) {
	out := &unstructured.Unstructured{}
	out.SetGroupVersionKind(kind())
	return out, r.reader.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, out)
}
