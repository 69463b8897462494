package analysisrun

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/analysis"
	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller/analysisrun/podlist"
)

const (
	staleWait    = 200 * time.Millisecond // until the cache is asked again for our own last write
	conflictWait = time.Second            // until a run is read again that someone else has written
	atOnce       = time.Millisecond       // the shortest wait that the queue knows
)

// runReconciler measures AnalysisRuns.
type runReconciler struct {
	client   client.Client
	recorder events.EventRecorder
	clock    clock.PassiveClock
	meter    analysis.Meter
	live     client.Reader // without a cache, for Secrets
	written  writes
}

// Reconcile takes the measurements of one run that are due, and says when the next will be.
func (r *runReconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	run := &v1alpha1.AnalysisRun{}
	if err := r.client.Get(ctx, request.NamespacedName, run); err != nil {
		if apierrors.IsNotFound(err) {
			r.written.forget(request.NamespacedName)
		}
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if !run.DeletionTimestamp.IsZero() {
		return ctrl.Result{}, nil
	}
	if r.written.ahead(run, r.clock.Now()) {
		return ctrl.Result{RequeueAfter: staleWait}, nil
	}
	status, err := r.measure(ctx, run)
	if err != nil {
		return ctrl.Result{}, err
	}
	if !equality.Semantic.DeepEqual(status, run.Status) {
		if written, err := r.write(ctx, run, status); err != nil || !written {
			return ctrl.Result{RequeueAfter: conflictWait}, err
		}
	}
	return ctrl.Result{RequeueAfter: r.wait(run.Spec, status)}, nil
}

// measure gives the status of a run after all measurements that are due now. A controller that is being stopped takes no
// measurement: that a query was broken off says nothing about its provider.
func (r *runReconciler) measure(ctx context.Context, run *v1alpha1.AnalysisRun) (v1alpha1.AnalysisRunStatus, error) {
	status := *run.Status.DeepCopy()
	status.ObservedGeneration = run.Generation
	meter := r.meter
	meter.Secrets, meter.Pods = newWallet(r.live, run.Namespace).value, podlist.In(r.live, run.Namespace)
	return meter.Pass(ctx, run.Spec, status, r.clock.Now)
}

// write persists a status onto the version of the run that was read, and then tells of what changed. It says false when
// the run has changed or gone in the meantime; then what was measured is dropped.
func (r *runReconciler) write(
	ctx context.Context, run *v1alpha1.AnalysisRun, status v1alpha1.AnalysisRunStatus,
) (bool, error) {
	before := run.DeepCopy()
	run.Status = status
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	if err := r.client.Status().Patch(ctx, run, patch, client.FieldOwner(fieldOwner)); err != nil {
		if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
			return false, nil
		}
		return false, err
	}
	r.written.remember(run, r.clock.Now())
	r.announce(run, before.Status, status)
	return true, nil
}

// wait is the time until a run needs its next look; 0 when it needs none.
func (r *runReconciler) wait(spec v1alpha1.AnalysisRunSpec, status v1alpha1.AnalysisRunStatus) time.Duration {
	now := r.clock.Now()
	next := analysis.Next(spec, status, now)
	switch {
	case len(next.Due) > 0:
		return atOnce
	case next.WakeAt.IsZero():
		return 0
	default:
		return max(next.WakeAt.Sub(now), atOnce)
	}
}
