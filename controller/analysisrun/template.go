package analysisrun

import (
	"context"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/analysis"
	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// templateKind is one of the two kinds of templates, which differ in scope only.
type templateKind struct {
	object func() client.Object
	parts  func(client.Object) (*v1alpha1.AnalysisTemplateSpec, *v1alpha1.AnalysisTemplateStatus)
}

// templateKinds lists both kinds.
func templateKinds() []templateKind {
	return []templateKind{
		{
			object: func() client.Object { return &v1alpha1.AnalysisTemplate{} },
			parts: func(o client.Object) (*v1alpha1.AnalysisTemplateSpec, *v1alpha1.AnalysisTemplateStatus) {
				template := o.(*v1alpha1.AnalysisTemplate)
				return &template.Spec, &template.Status
			},
		},
		{
			object: func() client.Object { return &v1alpha1.ClusterAnalysisTemplate{} },
			parts: func(o client.Object) (*v1alpha1.AnalysisTemplateSpec, *v1alpha1.AnalysisTemplateStatus) {
				template := o.(*v1alpha1.ClusterAnalysisTemplate)
				return &template.Spec, &template.Status
			},
		},
	}
}

// templateReconciler says in the status of a template whether it can be used.
type templateReconciler struct {
	client     client.Client
	recorder   events.EventRecorder
	clock      clock.PassiveClock
	conditions *analysis.Conditions
	kind       templateKind
}

// Reconcile checks one template.
func (r *templateReconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	object := r.kind.object()
	if err := r.client.Get(ctx, request.NamespacedName, object); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if !object.GetDeletionTimestamp().IsZero() {
		return ctrl.Result{}, nil
	}
	before := object.DeepCopyObject().(client.Object)
	spec, status := r.kind.parts(object)
	_, old := r.kind.parts(before)
	status.ObservedGeneration = object.GetGeneration()
	meta.SetStatusCondition(&status.Conditions, r.check(*spec, object.GetGeneration()))
	if equality.Semantic.DeepEqual(*status, *old) {
		return ctrl.Result{}, nil
	}
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	if err := r.client.Status().Patch(ctx, object, patch, client.FieldOwner(fieldOwner)); err != nil {
		if apierrors.IsConflict(err) {
			return ctrl.Result{RequeueAfter: conflictWait}, nil
		}
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if problem := newProblem(old.Conditions, status.Conditions); problem != nil {
		r.recorder.Eventf(object, nil, corev1.EventTypeWarning, problem.Reason, actionCheck, "%s", note(problem.Message))
	}
	return ctrl.Result{}, nil
}

// check gives the condition Ready of a template.
func (r *templateReconciler) check(spec v1alpha1.AnalysisTemplateSpec, generation int64) metav1.Condition {
	condition := metav1.Condition{
		Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonTemplateValid,
		Message:            "All conditions compile and all arguments are declared.",
		ObservedGeneration: generation,
		LastTransitionTime: metav1.NewTime(r.clock.Now().Truncate(time.Second)),
	}
	if err := analysis.CheckTemplate(spec, r.conditions); err != nil {
		condition.Status = metav1.ConditionFalse
		condition.Reason = v1alpha1.ReasonTemplateInvalid
		condition.Message = strings.ReplaceAll(err.Error(), "\n", "; ")
	}
	return condition
}
