package gatewayapi

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/trafficrouting"
)

// owning is what there is to know of a route that is made of a template.
type owning struct {
	// route is it as it is; nil when it is not there.
	route *unstructured.Unstructured
	// plain is it without a share of the standby Service, and flaw why it cannot be made; nil when it can.
	plain *unstructured.Unstructured
	flaw  error
}

// look reads a route that is made of a template. The error is a *RouteError for one that cannot be written for now.
func (r *Router) look(ctx context.Context, t trafficrouting.Target, ref trafficrouting.Route) (owning, error) {
	out := owning{}
	gvk, err := r.kindOf(ref.Kind)
	if err == nil {
		out.route, err = r.find(ctx, ref)
	}
	switch {
	case err != nil:
		return out, err
	case out.route != nil && out.route.GetDeletionTimestamp() != nil:
		return out, notFound("is being deleted, and is made again when it is gone: look at its finalizers if that takes long")
	}
	out.plain = Plain(gvk, ref)
	out.flaw = Flaw(out.plain, splitOf(t, ref), everyOverlay(t))
	if out.flaw == nil && out.route != nil {
		_, out.flaw = own(out.route.DeepCopy(), t.Owner)
	}
	return out, nil
}

// observeMade reads one route that is made of a template. What is wrong with the template is a problem; what is wrong with the
// route is put right.
func (r *Router) observeMade(ctx context.Context, t trafficrouting.Target, ref trafficrouting.Route) (trafficrouting.Observed, error) {
	o, err := r.look(ctx, t, ref)
	if err != nil {
		return barred(ref, err)
	}
	classes := r.classesOf(ctx, t, o.plain)
	if o.flaw == nil {
		o.flaw = lacking(o.plain, classes, everyOverlay(t))
	}
	split := splitOf(t, ref)
	if Flaw(o.plain, split, nil) == nil {
		// What the route returns to, should it be given up: the template's.
		split.Before = nil
		ref.Before = Before(o.plain, split)
	}
	if o.route == nil {
		ref.UID, ref.Made = "", ""
		return withProblems(trafficrouting.Observed{ // what is not there sends no requests anywhere, and waits for no gateway
			Overlays: []int{int(v1alpha1.NoOverlay)}, Accepted: true, Versions: []string{""}, Routes: []trafficrouting.Route{ref},
			Stale: o.flaw == nil, Settle: slowest(classes), Source: countedBy(classes),
		}, o.flaw)
	}
	out, err := r.compare(t, ref, o)
	out.Settle, out.Source = slowest(classes), countedBy(classes)
	return out, err
}

// compare says what a route is, and whether it is as its template says.
func (r *Router) compare(t trafficrouting.Target, ref trafficrouting.Route, o owning) (trafficrouting.Observed, error) {
	if ref.UID != o.route.GetUID() { // another one of the name
		ref.UID, ref.Made = o.route.GetUID(), ""
	}
	split := splitOf(t, ref)
	out := trafficrouting.Observed{
		Versions: []string{o.route.GetResourceVersion()}, Attached: Names(o.route, split), Owned: owned(o.route, t.Owner),
	}
	split.Before = nil
	// An error in the route is put right with its weight, which is not known then.
	out.Weight, _ = Weight(o.route, split)
	out.Overlays, _ = Laid(o.route, split, everyOverlay(t))
	var refusal error
	out.Accepted, refusal = Accepted(o.route)
	hand := trafficrouting.Writer{}
	if o.flaw == nil && out.Weight != trafficrouting.WeightUnknown && len(out.Overlays) > 0 {
		split.Weight, split.Overlay = out.Weight, everyOverlay(t)[out.Overlays[0]]
		wanted, stale, err := r.wanted(t, o, split)
		if err != nil {
			return out, err
		}
		digest := ref.Template.Digest()
		out.Stale, hand.Altered = stale, stale && out.Owned && ref.Made == digest
		if !stale {
			ref.Made = digest
		}
		hand.Manager = wanted.writer(o.route)
	} else {
		hand.Manager = (&made{}).writer(o.route)
	}
	out.Writers, out.Routes = []trafficrouting.Writer{hand}, []trafficrouting.Route{ref}
	return withProblems(out, o.flaw, refusal)
}

// wanted is what a route should be, and whether it is not.
func (r *Router) wanted(t trafficrouting.Target, o owning, s Split) (out made, stale bool, err error) {
	if out, err = remake(o.route, o.plain, s); err != nil {
		return out, false, err
	}
	adopted, err := own(out.desired, t.Owner)
	return out, adopted || len(out.differing) > 0 && !r.learnt.knows(o.route, out.desired), err
}

// applyMade makes one route what its template and the Split ask for: in one write, whatever of it differs, and whether it is there
// or not. A template of which nothing can be made does not keep traffic from being taken back.
func (r *Router) applyMade(ctx context.Context, t trafficrouting.Target, i int, s Split) error {
	o, err := r.look(ctx, t, t.Routes[i])
	if err != nil {
		return err
	}
	if o.route == nil {
		return r.create(ctx, t, i, s, o)
	}
	err = o.flaw
	if err == nil {
		err = r.update(ctx, t, i, s, o)
	}
	if err == nil || apierrors.IsConflict(err) || !o.takesBack(s) {
		return err
	}
	if other := r.apply(ctx, t, i, s, Render); other != nil {
		return other
	}
	return err
}

// takesBack says whether the standby Service has more of a route than is wanted, as far as that is known.
func (o owning) takesBack(s Split) bool {
	none := s
	none.Before = nil
	weight, _ := Weight(o.route, none)
	return weight > s.Weight || s.nothing()
}

// create makes a route that is not there.
func (r *Router) create(ctx context.Context, t trafficrouting.Target, i int, s Split, o owning) error {
	if o.flaw != nil {
		return o.flaw
	}
	if !decidedOn(t, i, "") {
		return changedSince(t.Routes[i])
	}
	s.Before = nil
	route, _, err := Render(o.plain, s)
	if err != nil {
		return err
	}
	if _, err := own(route, t.Owner); err != nil {
		return err
	}
	err = r.writer.Create(ctx, route, s.owner())
	switch {
	case apierrors.IsAlreadyExists(err):
		return changedSince(t.Routes[i])
	case err != nil:
		return err
	}
	tell(ctx, s, route)
	return nil
}

// update writes what differs of a route that is there.
func (r *Router) update(ctx context.Context, t trafficrouting.Target, i int, s Split, o owning) error {
	wanted, stale, err := r.wanted(t, o, s)
	if err != nil || !stale {
		return err
	}
	if !decidedOn(t, i, o.route.GetResourceVersion()) {
		return changedSince(t.Routes[i])
	}
	written := wanted.desired.DeepCopy()
	if err := r.write(ctx, s, o.route, written); err != nil {
		return err
	}
	if written.GetResourceVersion() == o.route.GetResourceVersion() {
		r.learnt.note(o.route, wanted.desired)
	}
	return nil
}

// learnt are differences that come of values which the API server fills in and filled does not have, as of a later version of the
// Gateway API: a write that was to take them out has changed nothing. Each is written once for each start of the controller.
type learnt struct {
	mu    sync.Mutex
	pairs map[client.ObjectKey]string
}

// note remembers that the API server takes two states of a route for one.
func (l *learnt) note(route, desired *unstructured.Unstructured) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.pairs == nil {
		l.pairs = map[client.ObjectKey]string{}
	}
	l.pairs[client.ObjectKeyFromObject(route)] = pairOf(route, desired)
}

// knows says whether two states of a route are one to the API server.
func (l *learnt) knows(route, desired *unstructured.Unstructured) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	pair, found := l.pairs[client.ObjectKeyFromObject(route)]
	return found && pair == pairOf(route, desired)
}

// pairOf is a digest of two states of a route.
func pairOf(route, desired *unstructured.Unstructured) string {
	sum := fnv.New64a()
	// What was read from JSON can be written as such, and a hash takes everything.
	text, _ := json.Marshal([]any{
		route.GetUID(), route.Object["spec"], route.GetLabels(), route.GetAnnotations(),
		desired.Object["spec"], desired.GetLabels(), desired.GetAnnotations(),
	})
	_, _ = sum.Write(text)
	return fmt.Sprintf("%016x", sum.Sum64())
}
