// Package rollout is the shell around the planner: it reads, asks planner.Next what to do, writes, and records. Nothing
// is decided here; the decisions are in package planner, which knows no client.
//
// A pass over a Rollout has four steps, and each has its files:
//
//	Observe  observe*.go, problems.go  the cache → one planner.Snapshot
//	Plan     package planner           the Snapshot → one planner.Plan
//	Apply    apply*.go                 the actions of the plan, in order, up to the first that fails
//	Record   record.go, events.go      the status, once, and then the events
//
// Around them: writes.go, the one way out, which remembers what the cache must show before the next pass; watches.go,
// what wakes a Rollout; cache.go, what is kept in memory; contents.go, what is read of ConfigMaps and Secrets; shifts.go
// and steady.go, what is known of the time; probes.go, what gateways were found to serve by. A Rollout comes by ReplicaSets that nobody owns in adopt.go, writes down what
// routes were in routes.go, and gives everything back in leave.go.
//
// Actions come first and the status last. When the controller dies in between, the next pass sees what the actions did
// and plans from there: names of what is created follow from the state, and every other write is harmless twice.
package rollout

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/sluice-dev/sluice/analysis"
	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller/planner"
	"github.com/sluice-dev/sluice/trafficrouting"
)

// The permissions that the controller needs, and no others.
//
// +kubebuilder:rbac:groups=sluice.dev,resources=rollouts,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=sluice.dev,resources=rollouts/status,verbs=get;patch
// +kubebuilder:rbac:groups=sluice.dev,resources=rollouts/finalizers,verbs=update
// +kubebuilder:rbac:groups=sluice.dev,resources=analysistemplates;clusteranalysistemplates,verbs=get;list;watch
// +kubebuilder:rbac:groups=sluice.dev,resources=analysisruns,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=apps,resources=replicasets,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=apps,resources=deployments,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups="",resources=services,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups="",resources=pods,verbs=list;patch;delete
// +kubebuilder:rbac:groups=discovery.k8s.io,resources=endpointslices,verbs=get;list;watch
// +kubebuilder:rbac:groups=gateway.networking.k8s.io,resources=httproutes;grpcroutes;tlsroutes;tcproutes,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=gateway.networking.k8s.io,resources=gateways;gatewayclasses,verbs=get;list;watch
// +kubebuilder:rbac:groups=networking.istio.io,resources=virtualservices,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=traefik.io,resources=traefikservices,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=networking.k8s.io,resources=ingresses,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=gateway.networking.k8s.io,resources=referencegrants,verbs=get;list;watch
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch
// +kubebuilder:rbac:groups=coordination.k8s.io,resources=leases,verbs=get;create;update

const (
	// conflictWait is how soon a pass whose write met a newer object looks again; the watch mostly comes earlier.
	conflictWait = 100 * time.Millisecond
	// refusedWait is how soon a write that the API server refused is tried again: a quota may have been raised, or a
	// policy changed, and nothing tells.
	refusedWait = 15 * time.Second
	// webhookWait is how soon a write is tried again for which an admission webhook could not be asked. It mostly restarts,
	// and an abort may wait for it.
	webhookWait = 2 * time.Second
	// soonest is the shortest time after which a pass is repeated on the wish of a plan.
	soonest = 10 * time.Millisecond
)

// Reconciler carries out one pass over one Rollout at a time.
type Reconciler struct {
	cache    client.Reader // what is decided from
	live     client.Reader // the API server: pods of a restart, and names that are taken
	writes   *writes
	routers  trafficrouting.Routers
	recorder events.EventRecorder
	clock    clock.PassiveClock
	since    time.Time
	settle   time.Duration
	shifts   shifts
	probes   probes
	routes   routeWatches
	workload lateWatch
	// configMaps is the watch of the metadata of ConfigMaps.
	configMaps lateWatch
	contents   contents
	turns      int
	orphans    orphans
	// conditions of metrics, which every pass tries, so that they are compiled once; nil compiles them anew.
	conditions *analysis.Conditions
	next       func(planner.Snapshot) planner.Plan
}

// Parts are what a Reconciler is made of. All of them are given, so that a cluster, a fake of one and a simulation put the
// same Reconciler together.
type Parts struct {
	// Cache is what is decided from. It has the indexes of Indexes.
	Cache client.Reader
	// Live reads from the API server itself: pods of a restart, and names that are taken.
	Live client.Reader
	// Client writes.
	Client client.Client
	// Routers makes the routers, from the reader and the writer that they are to use.
	Routers func(client.Reader, client.Writer) trafficrouting.Routers
	// Recorder takes the events.
	Recorder events.EventRecorder
	// Clock tells the time.
	Clock clock.PassiveClock
	// Settle is how long the data plane is given after the API has reported a change of traffic; 0 means no time.
	Settle time.Duration
	// Turns is how many Rollouts may be released at the same time because of one ConfigMap or Secret that all of them
	// track; DefaultTurns when it is 0.
	Turns int
	// Conditions keeps compiled conditions of metrics, which every pass tries; nil compiles them anew each time.
	Conditions *analysis.Conditions
	// Probe asks gateways for shares; without one, no share is confirmed.
	Probe ProbeFunc
	// Wake has a Rollout looked at when a probe of it has ended.
	Wake func(types.NamespacedName)
	// Next decides; planner.Next when nil. A test passes one with a mistake, to show that the mistake is noticed.
	Next func(planner.Snapshot) planner.Plan
}

// New makes a Reconciler that remembers nothing, as after a start of the controller. Where routes are watched from is up
// to Setup: this one counts on a cache that has them.
func New(p Parts) *Reconciler {
	out := newWrites(p.Client, p.Cache, p.Live, p.Clock)
	if p.Next == nil {
		p.Next = planner.Next
	}
	return &Reconciler{
		cache: p.Cache, live: p.Live, writes: out, routers: p.Routers(p.Cache, out), recorder: p.Recorder,
		clock: p.Clock, since: p.Clock.Now(), settle: p.Settle, conditions: p.Conditions, next: p.Next,
		contents: newContents(), turns: cmp.Or(p.Turns, DefaultTurns),
		probes: probes{begin: p.Probe, wake: p.Wake, clock: p.Clock},
	}
}

// Reconcile observes, plans, applies and records.
func (r *Reconciler) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	ctx = onBehalfOf(ctx, req.NamespacedName)
	rollout := &v1alpha1.Rollout{}
	if err := r.cache.Get(ctx, req.NamespacedName, rollout); err != nil {
		return reconcile.Result{}, r.forget(req.NamespacedName, err)
	}
	if rollout.DeletionTimestamp != nil && !controllerutil.ContainsFinalizer(rollout, v1alpha1.FinalizerTraffic) {
		return reconcile.Result{}, nil // what it owns goes with it
	}
	if wait, err := r.writes.behind(ctx, req.NamespacedName); wait > 0 || err != nil {
		return reconcile.Result{RequeueAfter: wait}, err
	}
	w, err := r.observe(ctx, rollout)
	if err != nil {
		return quiet(err)
	}
	if w.snapshot.Leaving != nil {
		return r.leave(ctx, w)
	}
	return r.goOn(ctx, w)
}

// goOn is one pass over a Rollout that stays.
func (r *Reconciler) goOn(ctx context.Context, w *world) (reconcile.Result, error) {
	plan := r.next(w.snapshot)
	retry, err := r.carryOut(ctx, w, &plan)
	if err == nil {
		err = r.record(ctx, w, plan)
	}
	if err != nil {
		return quiet(err)
	}
	return reconcile.Result{RequeueAfter: sooner(earlier(retry, w.retry), w.snapshot.Now, plan.WakeAt)}, nil
}

// forget drops what is remembered of a Rollout that is gone; the other errors of reading it stay errors.
func (r *Reconciler) forget(rollout types.NamespacedName, err error) error {
	if apierrors.IsNotFound(err) {
		r.writes.forget(rollout)
		r.orphans.forget(rollout)
		r.shifts.forget(rollout)
		r.probes.forget(rollout)
		return nil
	}
	return err
}

// carryOut applies a plan, and gives the time after which to try again what was refused. A refusal of an action makes the
// plan one that says so. A refusal of what goes on beside the plan is told beside it, and the release goes on.
func (r *Reconciler) carryOut(ctx context.Context, w *world, plan *planner.Plan) (time.Duration, error) {
	beside := r.prepare(ctx, w, plan)
	if beside != nil && (creates(plan.Actions) || !errors.As(beside, new(*refused))) {
		return r.blocked(ctx, w, plan, beside)
	}
	if err := r.apply(ctx, w, plan.Actions); err != nil {
		return r.blocked(ctx, w, plan, err)
	}
	if beside == nil {
		beside = r.follow(ctx, w, plan.Actions)
	}
	if beside == nil {
		beside = r.keepFinalizer(ctx, w)
	}
	var no *refused
	if errors.As(beside, &no) {
		*plan = planner.Beside(w.snapshot, *plan, no.problem)
		return no.retry, nil
	}
	return 0, beside
}

// blocked makes of a plan that could not be carried out one that says so, if a person must mend what stands in its way.
func (r *Reconciler) blocked(ctx context.Context, w *world, plan *planner.Plan, err error) (time.Duration, error) {
	var no *refused
	if errors.As(err, &no) {
		*plan = planner.Blocked(w.snapshot, no.problem)
		return no.retry, nil
	}
	var taken *collisionError
	if errors.As(err, &taken) {
		return 0, r.recordCollision(ctx, w, taken)
	}
	return 0, err
}

// creates says whether a plan makes something new, or takes pods from a workload, which only a finalizer brings back: only
// then must what comes before it be done.
func creates(actions []planner.Action) bool {
	return slices.ContainsFunc(actions, func(action planner.Action) bool {
		switch action.(type) {
		case planner.CreateRevision, planner.CreateStandby, planner.CreateBaseline, planner.OpenBaseline, planner.ScaleWorkload:
			return true
		}
		return false
	})
}

// prepare does what comes before the actions of a plan. Nothing comes before those that take traffic back.
func (r *Reconciler) prepare(ctx context.Context, w *world, plan *planner.Plan) error {
	if plan.State.Stage == v1alpha1.StageRetreating {
		return nil
	}
	if err := r.adopt(ctx, w); err != nil || !w.needsFinalizer() {
		return err
	}
	return r.keepFinalizer(ctx, w)
}

// quiet turns what passes by itself into another look, and leaves the rest an error, which is logged and tried again
// after a growing time.
func quiet(err error) (reconcile.Result, error) {
	var unsettled *unsettledError
	var collision *collisionError
	if apierrors.IsConflict(err) || errors.As(err, &unsettled) || errors.As(err, &collision) {
		return reconcile.Result{RequeueAfter: conflictWait}, nil
	}
	if apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
		return reconcile.Result{}, nil
	}
	return reconcile.Result{}, err
}

// earlier is the shorter of two waits, of which 0 is none.
func earlier(a, b time.Duration) time.Duration {
	if a == 0 || b == 0 {
		return max(a, b)
	}
	return min(a, b)
}

// sooner is when to look again: at the time the plan asks for, or when a refused write is due.
func sooner(retry time.Duration, now, wakeAt time.Time) time.Duration {
	if wakeAt.IsZero() {
		return retry
	}
	wait := max(wakeAt.Sub(now), soonest)
	if retry > 0 {
		return min(retry, wait)
	}
	return wait
}
