package analysisrun

import (
	"errors"
	"fmt"
	"time"

	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/sluice-dev/sluice/analysis"
	"github.com/sluice-dev/sluice/api/v1alpha1"
)

const (
	// DefaultConcurrency is how many runs are measured at once. A worker spends its time waiting for providers, and a
	// slow one must not hold up the runs of others, so there are many.
	DefaultConcurrency = 64

	templateConcurrency = 2
	conditionsKept      = 1024                   // compiled conditions; about 10 kB each
	firstBackoff        = 200 * time.Millisecond // after an API error
	lastBackoff         = 60 * time.Second
	reporter            = "sluice-analysis" // of events
	fieldOwner          = "sluice"          // of what is written
)

// Options configure the controllers of this package.
type Options struct {
	// Providers answers the queries of all metrics. It must be set; package providers makes one.
	Providers analysis.Provider
	// Clock tells the time; the real one when nil.
	Clock clock.PassiveClock
	// Concurrency is how many runs are measured at once; DefaultConcurrency when 0.
	Concurrency int
}

// +kubebuilder:rbac:groups=sluice.dev,resources=analysisruns,verbs=get;list;watch
// +kubebuilder:rbac:groups=sluice.dev,resources=analysisruns/status,verbs=patch
// +kubebuilder:rbac:groups=sluice.dev,resources=analysistemplates;clusteranalysistemplates,verbs=get;list;watch
// +kubebuilder:rbac:groups=sluice.dev,resources=analysistemplates/status;clusteranalysistemplates/status,verbs=patch
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// Setup adds the controllers of AnalysisRuns and of both kinds of templates to a manager, whose scheme must know the
// API. The error says what is missing in the options, or comes from the manager.
func Setup(mgr ctrl.Manager, options Options) error {
	if options.Providers == nil {
		return errors.New("analysisrun: Options.Providers is nil; set it to providers.New(…)")
	}
	if options.Clock == nil {
		options.Clock = clock.RealClock{}
	}
	if options.Concurrency <= 0 {
		options.Concurrency = DefaultConcurrency
	}
	conditions, err := analysis.NewConditions(conditionsKept)
	if err != nil {
		return err
	}
	runs := &runReconciler{
		client:   mgr.GetClient(),
		recorder: mgr.GetEventRecorder(reporter),
		clock:    options.Clock,
		meter:    analysis.Meter{Provider: options.Providers, Conditions: conditions},
		live:     mgr.GetAPIReader(),
	}
	if err := watch(mgr, &v1alpha1.AnalysisRun{}, runs, options.Concurrency); err != nil {
		return err
	}
	for _, kind := range templateKinds() {
		templates := &templateReconciler{
			client: mgr.GetClient(), recorder: mgr.GetEventRecorder(reporter), clock: options.Clock,
			conditions: conditions, kind: kind,
		}
		if err := watch(mgr, kind.object(), templates, templateConcurrency); err != nil {
			return err
		}
	}
	return nil
}

// watch starts a reconciler for one kind. Changes of the status, nearly all of which are our own, wake nobody: what a
// reconciler waits for is time, which it asks for itself.
func watch(mgr ctrl.Manager, object client.Object, reconciler reconcile.Reconciler, concurrency int) error {
	err := ctrl.NewControllerManagedBy(mgr).
		For(object, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		WithOptions(controller.Options{
			MaxConcurrentReconciles: concurrency,
			RecoverPanic:            ptr.To(true),
			RateLimiter: workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](
				firstBackoff, lastBackoff),
		}).
		Complete(reconciler)
	if err != nil {
		return fmt.Errorf("controller of %T: %w", object, err)
	}
	return nil
}
