package rollout

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/sluice-dev/sluice/analysis"
	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/trafficrouting"
	"github.com/sluice-dev/sluice/trafficrouting/probe"
)

const (
	// firstRetry and lastRetry bound the time after an error. An abort must not sleep behind earlier errors for the
	// 1000 seconds that are the default.
	firstRetry = 5 * time.Millisecond
	lastRetry  = 5 * time.Second
	// clusterTemplateKind is the kind of an analysis template for every namespace.
	clusterTemplateKind = "ClusterAnalysisTemplate"
	// conditionsKept is how many compiled conditions of metrics are kept, at about 10 kB each.
	conditionsKept = 1024
	// abortPriority puts an abort before everything else that waits.
	abortPriority = 100
)

// Options are what can be chosen about the controller of Rollouts.
type Options struct {
	// Concurrency is how many Rollouts are worked on at the same time; at least 1.
	Concurrency int
	// Settle is how long the data plane is given after the API has reported a change of traffic.
	Settle time.Duration
	// Turns is how many Rollouts may be released at the same time because of one ConfigMap or Secret that all of them
	// track; DefaultTurns when it is 0.
	Turns int
	// Clock tells the time.
	Clock clock.PassiveClock
	// Ask sends the requests of a probe and counts the answers; nil for a controller that confirms no share.
	Ask func(context.Context, probe.Question) probe.Count
	// Routers makes the routers, from the reader and the writer that they are to use, and from what says which
	// kinds the cluster serves.
	Routers func(client.Reader, client.Writer, meta.RESTMapper) trafficrouting.Routers
}

// Setup adds the controller of Rollouts to a manager.
func Setup(ctx context.Context, mgr manager.Manager, options Options) error {
	if err := addIndexes(ctx, mgr.GetFieldIndexer()); err != nil {
		return err
	}
	conditions, err := analysis.NewConditions(conditionsKept)
	if err != nil {
		return err
	}
	probed := make(chan event.GenericEvent)
	r := New(Parts{
		Cache: mgr.GetCache(), Live: mgr.GetAPIReader(), Client: mgr.GetClient(),
		Routers: func(reader client.Reader, writer client.Writer) trafficrouting.Routers {
			return options.Routers(reader, writer, mgr.GetRESTMapper())
		},
		Recorder: mgr.GetEventRecorder("sluice"), Clock: newSteady(options.Clock), Settle: options.Settle, Conditions: conditions,
		Turns: options.Turns, Probe: options.probe(ctx), Wake: waking(ctx, probed),
	})
	c, err := builder.ControllerManagedBy(mgr).
		Named("rollout").
		WithOptions(controller.Options{
			MaxConcurrentReconciles: max(1, options.Concurrency),
			RateLimiter:             workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](firstRetry, lastRetry),
			RecoverPanic:            ptr.To(true),
		}).
		Watches(&v1alpha1.Rollout{}, abortsFirst{&handler.EnqueueRequestForObject{}}).
		Watches(&v1alpha1.Rollout{}, handler.EnqueueRequestsFromMapFunc(r.namingServicesOf),
			builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&v1alpha1.Rollout{}, handler.EnqueueRequestsFromMapFunc(r.waitingForTurnOf),
			builder.WithPredicates(turnPredicate())).
		Watches(&appsv1.ReplicaSet{}, handler.EnqueueRequestForOwner(mgr.GetScheme(), mgr.GetRESTMapper(),
			&v1alpha1.Rollout{}, handler.OnlyControllerOwner())).
		Watches(&appsv1.ReplicaSet{}, handler.EnqueueRequestsFromMapFunc(r.mayAdopt)).
		Watches(&v1alpha1.AnalysisRun{}, handler.EnqueueRequestForOwner(mgr.GetScheme(), mgr.GetRESTMapper(),
			&v1alpha1.Rollout{}, handler.OnlyControllerOwner())).
		Watches(&corev1.Service{}, handler.EnqueueRequestsFromMapFunc(r.namingService)).
		Watches(&discoveryv1.EndpointSlice{}, handler.EnqueueRequestsFromMapFunc(r.namingServiceOfSlice)).
		Watches(&v1alpha1.AnalysisTemplate{}, handler.EnqueueRequestsFromMapFunc(r.namingTemplate)).
		Watches(&v1alpha1.ClusterAnalysisTemplate{}, handler.EnqueueRequestsFromMapFunc(r.namingClusterTemplate)).
		WatchesRawSource(source.Channel(probed, &handler.EnqueueRequestForObject{})).
		Build(r)
	if err != nil {
		return fmt.Errorf("building the controller of Rollouts: %w", err)
	}
	r.routes.start = func(kind schema.GroupVersionKind) func(context.Context) (func() bool, error) {
		return r.late(mgr, c, newLoose(kind), r.namingRoute(kind.Kind))
	}
	r.workload.start = r.late(mgr, c, newDeployment(), r.namingWorkload)
	r.configMaps.start = r.late(mgr, c, newMetadata(v1alpha1.KindConfigMap), r.trackingConfigMap)
	return nil
}

// probe asks beside the passes, until the controller ends.
func (o Options) probe(ctx context.Context) ProbeFunc {
	if o.Ask == nil {
		return nil
	}
	return AskBeside(ctx, o.Ask)
}

// waking sends the names of Rollouts to a channel, and waits for nobody.
func waking(ctx context.Context, to chan<- event.GenericEvent) func(types.NamespacedName) {
	return func(key types.NamespacedName) {
		rollout := &v1alpha1.Rollout{}
		rollout.SetNamespace(key.Namespace)
		rollout.SetName(key.Name)
		go func() {
			select {
			case to <- event.GenericEvent{Object: rollout}:
			case <-ctx.Done():
			}
		}()
	}
}

// late is the start of a watch whose objects wake the Rollouts that name them.
func (r *Reconciler) late(mgr manager.Manager, c controller.Controller, kind client.Object, naming handler.MapFunc,
) func(context.Context) (func() bool, error) {
	return func(ctx context.Context) (func() bool, error) {
		informer, err := mgr.GetCache().GetInformer(ctx, kind, cache.BlockUntilSynced(false))
		if err != nil {
			return nil, err
		}
		return informer.HasSynced, c.Watch(source.Kind[client.Object](mgr.GetCache(), kind,
			handler.EnqueueRequestsFromMapFunc(naming)))
	}
}

// lateWatch is a watch that begins when the first Rollout needs it, as those of routes and of ConfigMaps: a cluster without
// the Gateway API, or without Rollouts that use it, pays nothing for it.
type lateWatch struct {
	mu      sync.Mutex
	started time.Time
	filled  func() bool
	// start begins the watch, does not wait for it, and gives what says whether all there is has been read.
	start func(context.Context) (filled func() bool, err error)
}

// ensure starts the watch, once, and says for how long it has been waiting for the first list; 0 when it has it.
// Nobody waits here: where routes cannot be listed, Rollouts without routes go on. The error is a NoMatchError where
// the cluster does not serve the kind.
func (w *lateWatch) ensure(ctx context.Context, now time.Time) (time.Duration, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.start == nil {
		return 0, nil
	}
	if w.filled == nil {
		filled, err := w.start(ctx)
		if err != nil {
			return 0, err
		}
		w.filled, w.started = filled, now
	}
	if w.filled() {
		return 0, nil
	}
	return max(now.Sub(w.started), 1), nil
}

// abortsFirst puts a Rollout with a command to abort, or a new one, before the others.
type abortsFirst struct {
	*handler.EnqueueRequestForObject
}

// Update implements handler.EventHandler.
func (h abortsFirst) Update(ctx context.Context, e event.UpdateEvent, q workqueue.TypedRateLimitingInterface[reconcile.Request]) {
	queue, ok := q.(priorityqueue.PriorityQueue[reconcile.Request])
	if !ok || e.ObjectNew == nil || e.ObjectOld == nil || !asksForAbort(e.ObjectOld, e.ObjectNew) {
		h.EnqueueRequestForObject.Update(ctx, e, q)
		return
	}
	queue.AddWithOpts(priorityqueue.AddOpts{Priority: ptr.To(abortPriority)}, requestFor(client.ObjectKeyFromObject(e.ObjectNew)))
}

// asksForAbort says whether an edit brought a command to abort.
func asksForAbort(old, changed client.Object) bool {
	command := changed.GetAnnotations()[v1alpha1.AnnotationCommand]
	return strings.HasPrefix(command, v1alpha1.ActionAbort+"/") && command != old.GetAnnotations()[v1alpha1.AnnotationCommand]
}

func requestFor(key types.NamespacedName) reconcile.Request {
	return reconcile.Request{NamespacedName: key}
}

// namingService are the Rollouts that name a Service.
func (r *Reconciler) namingService(ctx context.Context, obj client.Object) []reconcile.Request {
	return r.named(ctx, obj.GetNamespace(), obj.GetName())
}

// named are the Rollouts that name a Service, and those whose baseline it reaches.
func (r *Reconciler) named(ctx context.Context, namespace, name string) []reconcile.Request {
	return append(r.indexed(ctx, namespace, indexService, name), r.indexed(ctx, namespace, indexBaseline, name)...)
}

// namingServicesOf are the Rollouts that name a Service of another one: they wait for it to let go of that.
func (r *Reconciler) namingServicesOf(ctx context.Context, obj client.Object) []reconcile.Request {
	var out []reconcile.Request
	for _, name := range servicesOf(obj) {
		out = append(out, r.indexed(ctx, obj.GetNamespace(), indexService, name)...)
	}
	return slices.DeleteFunc(out, func(req reconcile.Request) bool { return req.Name == obj.GetName() })
}

// namingServiceOfSlice are the Rollouts that name the Service of an EndpointSlice.
func (r *Reconciler) namingServiceOfSlice(ctx context.Context, obj client.Object) []reconcile.Request {
	name := obj.GetLabels()[discoveryv1.LabelServiceName]
	if name == "" {
		return nil
	}
	return r.named(ctx, obj.GetNamespace(), name)
}

// mayAdopt are the Rollouts whose selector selects a ReplicaSet that nobody controls.
func (r *Reconciler) mayAdopt(ctx context.Context, obj client.Object) []reconcile.Request {
	if metav1.GetControllerOf(obj) != nil {
		return nil
	}
	var list v1alpha1.RolloutList
	if err := r.cache.List(ctx, &list, client.InNamespace(obj.GetNamespace())); err != nil {
		log.FromContext(ctx).Error(err, "listing Rollouts", "replicaSet", obj.GetName())
		return nil
	}
	var out []reconcile.Request
	for i := range list.Items {
		if selectorOf(&list.Items[i]).Matches(labels.Set(obj.GetLabels())) {
			out = append(out, requestFor(client.ObjectKeyFromObject(&list.Items[i])))
		}
	}
	return out
}

// namingWorkload are the Rollouts that name a Deployment.
func (r *Reconciler) namingWorkload(ctx context.Context, obj client.Object) []reconcile.Request {
	return r.indexed(ctx, obj.GetNamespace(), indexWorkload, obj.GetName())
}

// namingTemplate are the Rollouts that name an AnalysisTemplate.
func (r *Reconciler) namingTemplate(ctx context.Context, obj client.Object) []reconcile.Request {
	return r.indexed(ctx, obj.GetNamespace(), indexTemplate, v1alpha1.DefaultTemplateKind+"/"+obj.GetName())
}

// namingClusterTemplate are the Rollouts of all namespaces that name a ClusterAnalysisTemplate.
func (r *Reconciler) namingClusterTemplate(ctx context.Context, obj client.Object) []reconcile.Request {
	return r.indexed(ctx, "", indexTemplate, clusterTemplateKind+"/"+obj.GetName())
}

// indexed are the Rollouts under a value of an index. Reading a cache that has been started does not fail.
func (r *Reconciler) indexed(ctx context.Context, namespace, index, value string) []reconcile.Request {
	var list v1alpha1.RolloutList
	if err := r.cache.List(ctx, &list, client.InNamespace(namespace), client.MatchingFields{index: value}); err != nil {
		log.FromContext(ctx).Error(err, "listing Rollouts", "index", index, "value", value)
		return nil
	}
	out := make([]reconcile.Request, 0, len(list.Items))
	for i := range list.Items {
		out = append(out, requestFor(client.ObjectKeyFromObject(&list.Items[i])))
	}
	return out
}
