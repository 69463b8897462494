package rollout

import (
	"context"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"github.com/sluice-dev/sluice/trafficrouting"
)

// FieldManager is the name under which the controller writes, in the managed fields of objects.
const FieldManager = trafficrouting.RestFieldManager

const (
	// staleWait is how soon a pass that found the cache behind its own writes looks again. The watch that brings the
	// cache up to date starts a pass as well, and mostly earlier; this is for when it does not.
	staleWait = 200 * time.Millisecond
	// doubtAfter is how long a write may be missing from the cache before the API server is asked about it. A watch is
	// behind by milliseconds as a rule.
	doubtAfter = 5 * time.Second
	// doubtWait is how soon a pass looks again after the API server was asked.
	doubtWait = time.Second
)

// writes is the only way out: every write of the controller goes through it, and it remembers what the cache must show
// before anything is decided again. A decision made from a view older than our own last write would be made twice: a
// second ReplicaSet, a weight put back, a step taken from a state that has been left.
//
// It remembers, for each Rollout, the objects written in its name and the version that the API server answered with,
// until the cache shows that version or a later one. So it is empty for a Rollout at rest.
type writes struct {
	client client.Client
	cache  client.Reader
	live   client.Reader
	clock  clock.PassiveClock

	mu      sync.Mutex
	kinds   map[schema.GroupVersionKind]func() client.Object
	pending map[types.NamespacedName]map[object]write
}

// object names an object in the cluster.
type object struct {
	kind schema.GroupVersionKind
	key  types.NamespacedName
}

// write is what the cache must show of an object.
type write struct {
	version string    // at least this resourceVersion; empty after a deletion
	uid     types.UID // the object that must be gone, after a deletion
	created bool      // the object was not there before
	at      time.Time
}

// actor is the key of the context value that says for which Rollout something is written.
type actor struct{}

// onBehalfOf gives a context whose writes are made for a Rollout.
func onBehalfOf(ctx context.Context, rollout types.NamespacedName) context.Context {
	return context.WithValue(ctx, actor{}, rollout)
}

func newWrites(c client.Client, cache, live client.Reader, passing clock.PassiveClock) *writes {
	return &writes{
		client: c, cache: cache, live: live, clock: passing, kinds: cachedKinds(),
		pending: map[types.NamespacedName]map[object]write{},
	}
}

var _ client.Writer = (*writes)(nil)

// Create implements client.Writer.
func (w *writes) Create(ctx context.Context, obj client.Object, opts ...client.CreateOption) error {
	if err := w.client.Create(ctx, obj, append([]client.CreateOption{client.FieldOwner(FieldManager)}, opts...)...); err != nil {
		return err
	}
	return w.remember(ctx, obj, write{version: obj.GetResourceVersion(), created: true})
}

// Preview asks the API server what it would make of an object, and creates nothing.
func (w *writes) Preview(ctx context.Context, obj client.Object) error {
	return w.client.Create(ctx, obj, client.FieldOwner(FieldManager), client.DryRunAll)
}

// Update implements client.Writer.
func (w *writes) Update(ctx context.Context, obj client.Object, opts ...client.UpdateOption) error {
	if err := w.client.Update(ctx, obj, append([]client.UpdateOption{client.FieldOwner(FieldManager)}, opts...)...); err != nil {
		return err
	}
	return w.remember(ctx, obj, write{version: obj.GetResourceVersion()})
}

// Patch implements client.Writer.
func (w *writes) Patch(ctx context.Context, obj client.Object, patch client.Patch, opts ...client.PatchOption) error {
	if err := w.client.Patch(ctx, obj, patch, append([]client.PatchOption{client.FieldOwner(FieldManager)}, opts...)...); err != nil {
		return err
	}
	return w.remember(ctx, obj, write{version: obj.GetResourceVersion()})
}

// PatchStatus patches the status of an object.
func (w *writes) PatchStatus(ctx context.Context, obj client.Object, patch client.Patch) error {
	if err := w.client.Status().Patch(ctx, obj, patch, client.FieldOwner(FieldManager)); err != nil {
		return err
	}
	return w.remember(ctx, obj, write{version: obj.GetResourceVersion()})
}

// Delete implements client.Writer.
func (w *writes) Delete(ctx context.Context, obj client.Object, opts ...client.DeleteOption) error {
	if err := w.client.Delete(ctx, obj, opts...); err != nil {
		return err
	}
	return w.remember(ctx, obj, write{uid: obj.GetUID()})
}

// Apply implements client.Writer. What it writes is not remembered: its answer has no version.
func (w *writes) Apply(ctx context.Context, obj runtime.ApplyConfiguration, opts ...client.ApplyOption) error {
	return w.client.Apply(ctx, obj, append([]client.ApplyOption{client.FieldOwner(FieldManager)}, opts...)...)
}

// DeleteAllOf implements client.Writer. What it deletes is not remembered: its answer names no objects.
func (w *writes) DeleteAllOf(ctx context.Context, obj client.Object, opts ...client.DeleteAllOfOption) error {
	return w.client.DeleteAllOf(ctx, obj, opts...)
}

// watches says that the cache has a kind, as unstructured objects.
func (w *writes) watches(kind schema.GroupVersionKind) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.kinds[kind] == nil {
		w.kinds[kind] = func() client.Object { return newLoose(kind) }
	}
}

// empty is an object of a kind that is remembered.
func (w *writes) empty(kind schema.GroupVersionKind) client.Object {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.kinds[kind]()
}

// remember notes a write of a kind that the controller has in its cache.
func (w *writes) remember(ctx context.Context, obj client.Object, done write) error {
	rollout, ok := ctx.Value(actor{}).(types.NamespacedName)
	if !ok {
		return nil
	}
	gvk, err := apiutil.GVKForObject(obj, w.client.Scheme())
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.kinds[gvk] == nil {
		return nil
	}
	done.at = w.clock.Now()
	if w.pending[rollout] == nil {
		w.pending[rollout] = map[object]write{}
	}
	w.pending[rollout][object{kind: gvk, key: client.ObjectKeyFromObject(obj)}] = done
	return nil
}

// forget drops what is remembered for a Rollout that is gone.
func (w *writes) forget(rollout types.NamespacedName) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.pending, rollout)
}

// behind says how long to wait for the cache to show all that was written for a Rollout; 0 when it does.
func (w *writes) behind(ctx context.Context, rollout types.NamespacedName) (time.Duration, error) {
	var longest time.Duration
	for o, done := range w.remembered(rollout) {
		wait, err := w.missing(ctx, o, done)
		if err != nil {
			return 0, err
		}
		if wait == 0 {
			w.settle(rollout, o, done)
		}
		longest = max(longest, wait)
	}
	return longest, nil
}

// missing says how long to wait for the cache to show one write; 0 when it does, or when the write was lost.
func (w *writes) missing(ctx context.Context, o object, done write) (time.Duration, error) {
	shown, err := w.shows(ctx, o, done)
	switch {
	case err != nil || shown:
		return 0, err
	case w.clock.Since(done.at) < doubtAfter:
		return staleWait, nil
	}
	lost, err := w.lost(ctx, o, done)
	if err != nil || lost {
		return 0, err
	}
	return doubtWait, nil
}

// remembered is a copy of what is remembered for a Rollout.
func (w *writes) remembered(rollout types.NamespacedName) map[object]write {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := make(map[object]write, len(w.pending[rollout]))
	for o, done := range w.pending[rollout] {
		out[o] = done
	}
	return out
}

// settle forgets one write that the cache shows.
func (w *writes) settle(rollout types.NamespacedName, o object, done write) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.pending[rollout][o] == done {
		delete(w.pending[rollout], o)
	}
	if len(w.pending[rollout]) == 0 {
		delete(w.pending, rollout)
	}
}

// shows says whether the cache shows a write. An object that was changed and is not there any more was deleted later.
func (w *writes) shows(ctx context.Context, o object, done write) (bool, error) {
	obj := w.empty(o.kind)
	err := w.cache.Get(ctx, o.key, obj)
	switch {
	case apierrors.IsNotFound(err):
		return !done.created, nil
	case err != nil:
		return false, err
	case done.version == "":
		return obj.GetUID() != done.uid || obj.GetDeletionTimestamp() != nil, nil
	}
	return !older(obj.GetResourceVersion(), done.version), nil
}

// lost asks the API server whether a write that the cache does not show was lost: what was created was deleted before
// the cache saw it, or the API server came back from a backup.
func (w *writes) lost(ctx context.Context, o object, done write) (bool, error) {
	obj := w.empty(o.kind)
	err := w.live.Get(ctx, o.key, obj)
	if apierrors.IsNotFound(err) {
		return done.created, nil
	}
	if err != nil {
		return false, err
	}
	return done.version != "" && older(obj.GetResourceVersion(), done.version), nil
}

// older says whether a version comes before another. Versions that are no numbers cannot be compared, and count as new.
func older(version, than string) bool {
	order, err := resourceversion.CompareResourceVersion(version, than)
	return err == nil && order < 0
}
