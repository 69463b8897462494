package simulation

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"github.com/sluice-dev/sluice/controller/rollout"
)

// Cache is what the watches of one controller have shown it so far. Each kind has a watch of its own, and is as far behind
// the truth as the simulation wants.
type Cache struct {
	server     *Server
	views      map[schema.GroupVersionKind]*view
	transforms map[schema.GroupVersionKind]func(any) (any, error)
}

// view is one kind: the objects, and how much of the log of the server it has seen.
type view struct {
	objects map[types.NamespacedName]client.Object
	seen    int
}

var _ client.Reader = (*Cache)(nil)

// newCache lists everything, as a controller does that starts.
func newCache(s *Server) (*Cache, error) {
	c := &Cache{server: s, views: map[schema.GroupVersionKind]*view{}, transforms: map[schema.GroupVersionKind]func(any) (any, error){}}
	for obj, by := range rollout.CachedObjects() {
		gvk, err := apiutil.GVKForObject(obj, s.kit.scheme)
		if err != nil {
			return nil, err
		}
		c.transforms[gvk] = by.Transform
	}
	for kind := range s.tables {
		if c.transforms[kind] == nil {
			c.transforms[kind] = rollout.KeepWriters
		}
		c.relist(kind)
	}
	return c, nil
}

// view of a kind; Pods and Secrets have none, as in the cache of the product.
func (c *Cache) view(kind schema.GroupVersionKind) (*view, error) {
	if kind == kindPod() || kind.Kind == "Secret" {
		return nil, fmt.Errorf("%s are not in the cache", kind.Kind)
	}
	v := c.views[kind]
	if v == nil {
		v = &view{objects: map[types.NamespacedName]client.Object{}}
		c.views[kind] = v
	}
	return v, nil
}

// behind says how many changes of a kind the cache has not shown yet.
func (c *Cache) behind(kind schema.GroupVersionKind) int {
	v, err := c.view(kind)
	if err != nil {
		return 0
	}
	return len(c.server.table(kind).log) - v.seen
}

// deliver shows at most so many changes of a kind, and returns them.
func (c *Cache) deliver(kind schema.GroupVersionKind, most int) []*Change {
	v, err := c.view(kind)
	if err != nil {
		return nil
	}
	log := c.server.table(kind).log
	changes := log[v.seen:min(len(log), v.seen+most)]
	v.seen += len(changes)
	for _, change := range changes {
		if change.After == nil {
			delete(v.objects, change.Key)
			continue
		}
		v.objects[change.Key] = c.shown(change)
	}
	return changes
}

// shown is an object as the cache keeps it.
func (c *Cache) shown(change *Change) client.Object {
	if change.shown != nil {
		return change.shown
	}
	change.shown = change.After
	transform := c.transforms[change.Kind]
	if transform == nil {
		transform = rollout.KeepWriters
	}
	if out, err := transform(copyOf(change.After)); err == nil {
		if obj, ok := out.(client.Object); ok {
			change.shown = obj
		}
	}
	return change.shown
}

// relist shows the truth of a kind at once.
func (c *Cache) relist(kind schema.GroupVersionKind) {
	c.deliver(kind, len(c.server.table(kind).log))
}

// rewind shows the kind as it was at a version: a controller that starts against an API server whose own cache is behind.
func (c *Cache) rewind(kind schema.GroupVersionKind, version int64) {
	v, err := c.view(kind)
	if err != nil {
		return
	}
	v.objects, v.seen = map[types.NamespacedName]client.Object{}, 0
	log := c.server.table(kind).log
	n := 0
	for n < len(log) && log[n].Version <= version {
		n++
	}
	c.deliver(kind, n)
}

// Get implements client.Reader.
func (c *Cache) Get(_ context.Context, key client.ObjectKey, obj client.Object, _ ...client.GetOption) error {
	gvk, err := (&Client{server: c.server}).GroupVersionKindFor(obj)
	if err != nil {
		return err
	}
	v, err := c.view(gvk)
	if err != nil {
		return err
	}
	found := v.objects[key]
	if found == nil {
		return notFound(gvk, key)
	}
	return present(found, obj, gvk)
}

// List implements client.Reader.
func (c *Cache) List(_ context.Context, list client.ObjectList, opts ...client.ListOption) error {
	gvk, options, err := listing(c.server.kit, list, opts)
	if err != nil {
		return err
	}
	v, err := c.view(gvk)
	if err != nil {
		return err
	}
	t := table{objects: v.objects}
	return fill(c.server.kit, list, gvk, t.list(options.Namespace), options)
}

// kinds are all kinds that the server has, in a fixed order.
func (s *Server) kinds() []schema.GroupVersionKind {
	return slices.SortedFunc(maps.Keys(s.tables), func(a, b schema.GroupVersionKind) int {
		if a.Kind < b.Kind {
			return -1
		}
		return 1
	})
}

func labelsOf(obj client.Object) labels.Set { return obj.GetLabels() }
