package rollout

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/trafficrouting"
)

// routeWatches are the watches of the kinds that routers read: each begins when the first Rollout needs it.
type routeWatches struct {
	mu      sync.Mutex
	watches map[schema.GroupVersionKind]*lateWatch
	// failed is when the watch of a kind that need not be there could not be started.
	failed map[schema.GroupVersionKind]time.Time
	// start gives the start of the watch of a kind; nil where the cache has every kind.
	start func(schema.GroupVersionKind) func(context.Context) (filled func() bool, err error)
}

// ensure starts the watch of a kind, once, and says for how long it has been waiting for the first list; 0 when it has it.
func (w *routeWatches) ensure(ctx context.Context, kind schema.GroupVersionKind, now time.Time) (time.Duration, error) {
	return w.of(kind).ensure(ctx, now)
}

// try is ensure for a kind that need not be there. One that could not be watched is not tried again at once: each try asks the
// cluster what it serves.
func (w *routeWatches) try(ctx context.Context, kind schema.GroupVersionKind, now time.Time) (time.Duration, error) {
	w.mu.Lock()
	failed := w.failed[kind]
	w.mu.Unlock()
	if !failed.IsZero() && now.Before(failed.Add(routesRetry)) {
		return 0, &meta.NoKindMatchError{GroupKind: kind.GroupKind(), SearchedVersions: []string{kind.Version}}
	}
	waited, err := w.ensure(ctx, kind, now)
	if err != nil {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.failed == nil {
			w.failed = map[schema.GroupVersionKind]time.Time{}
		}
		w.failed[kind] = now
	}
	return waited, err
}

func (w *routeWatches) of(kind schema.GroupVersionKind) *lateWatch {
	w.mu.Lock()
	defer w.mu.Unlock()
	watch, ok := w.watches[kind]
	if !ok {
		watch = &lateWatch{}
		if w.start != nil {
			watch.start = w.start(kind)
		}
		if w.watches == nil {
			w.watches = map[schema.GroupVersionKind]*lateWatch{}
		}
		w.watches[kind] = watch
	}
	return watch
}

// newLoose is an object of a kind that is kept as it is, with fields that this version does not know.
func newLoose(kind schema.GroupVersionKind) *unstructured.Unstructured {
	out := &unstructured.Unstructured{}
	out.SetGroupVersionKind(kind)
	return out
}

// routeKey is the value of indexRoute of a route.
func routeKey(kind string, route types.NamespacedName) string {
	return kind + "/" + route.Namespace + "/" + route.Name
}

// routesOf are the routes that a Rollout names.
func routesOf(obj client.Object) []string {
	rollout, ok := obj.(*v1alpha1.Rollout)
	if !ok || !rollout.Spec.UsesRoutes() {
		return nil
	}
	var out []string
	for _, route := range trafficrouting.RoutesOf(rollout.Namespace, &rollout.Spec) {
		out = append(out, routeKey(route.Kind, types.NamespacedName{Namespace: route.Namespace, Name: route.Name}))
		if route.Companion != "" {
			out = append(out, routeKey(route.Kind, types.NamespacedName{Namespace: route.Namespace, Name: route.Companion}))
		}
	}
	if foreign := foreignNamespaces(out, rollout.Namespace); len(foreign) > 0 {
		for _, namespace := range append(foreign, rollout.Namespace) {
			out = append(out, routeKey(grantKind, types.NamespacedName{Namespace: namespace, Name: anyRoute}))
		}
	}
	if rollout.Spec.Traffic.GatewayAPI != nil {
		out = append(out, routeKey(classKind, types.NamespacedName{Name: anyRoute}))
	}
	for _, s := range trafficrouting.SelectorsOf(rollout.Namespace, &rollout.Spec) {
		out = append(out, routeKey(s.Kind, types.NamespacedName{Namespace: s.Namespace, Name: anyRoute}))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// foreignNamespaces are the namespaces of routes, as routeKey has them, other than that of their Rollout.
func foreignNamespaces(keys []string, own string) []string {
	var out []string
	for _, key := range keys {
		if namespace := strings.Split(key, "/")[1]; namespace != own {
			out = append(out, namespace)
		}
	}
	return out
}

// grantKind is the kind of what allows a route of another namespace; any of them in a namespace may.
const grantKind = "ReferenceGrant"

// classKind is the kind of what says what a gateway can do. Which one that of a route has is not known to an index; they change
// when a gateway is installed or upgraded.
const classKind = "GatewayClass"

// anyRoute stands for the name of a route that a selector may pick.
const anyRoute = "*"

// namingRoute are the Rollouts that name a route of a kind, or may pick it.
func (r *Reconciler) namingRoute(kind string) func(context.Context, client.Object) []reconcile.Request {
	return func(ctx context.Context, obj client.Object) []reconcile.Request {
		key, all := client.ObjectKeyFromObject(obj), client.ObjectKey{Namespace: obj.GetNamespace(), Name: anyRoute}
		return append(r.indexed(ctx, "", indexRoute, routeKey(kind, key)), r.indexed(ctx, "", indexRoute, routeKey(kind, all))...)
	}
}
