package analysisrun

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

const (
	actionJudge   = "Judge"   // of the event of a verdict
	actionMeasure = "Measure" // of the event of a problem
	actionCheck   = "Check"   // of the event of a template that cannot be used
)

// maxNote is the length that the API allows for the text of an event, in bytes.
const maxNote = 1024

// note cuts a text to what an event may hold, between two characters.
func note(text string) string {
	if len(text) <= maxNote {
		return text
	}
	return strings.ToValidUTF8(text[:maxNote], "")
}

// announce tells of a verdict, once, and of a problem when it begins or when its reason changes.
func (r *runReconciler) announce(run *v1alpha1.AnalysisRun, before, after v1alpha1.AnalysisRunStatus) {
	if after.Phase.Ended() {
		if !before.Phase.Ended() {
			kind, reason := verdictEvent(after.Phase)
			r.recorder.Eventf(run, nil, kind, reason, actionJudge, "%s", note(after.Message))
		}
		return
	}
	if problem := newProblem(before.Conditions, after.Conditions); problem != nil {
		r.recorder.Eventf(run, nil, corev1.EventTypeWarning, problem.Reason, actionMeasure, "%s", note(problem.Message))
		if rollout := rolloutOf(run); rollout != nil && problem.Reason != v1alpha1.ReasonNoData {
			r.recorder.Eventf(rollout, run, corev1.EventTypeWarning, problem.Reason, actionMeasure, "%s",
				note("analysis "+run.Spec.Gate+": "+problem.Message))
		}
	}
}

// rolloutOf is the Rollout that waits for a run, as far as an event needs it; nil when there is none. That nothing can be
// measured is told there too, as it is where people look first. No data yet is what every step begins with.
func rolloutOf(run *v1alpha1.AnalysisRun) *v1alpha1.Rollout {
	owner := metav1.GetControllerOf(run)
	if owner == nil || owner.APIVersion != v1alpha1.GroupVersion.String() || owner.Kind != "Rollout" {
		return nil
	}
	return &v1alpha1.Rollout{ObjectMeta: metav1.ObjectMeta{Namespace: run.Namespace, Name: owner.Name, UID: owner.UID}}
}

// verdictEvent is the type and the reason of the event of a verdict.
func verdictEvent(phase v1alpha1.AnalysisPhase) (kind, reason string) {
	switch phase {
	case v1alpha1.AnalysisPassed:
		return corev1.EventTypeNormal, v1alpha1.ReasonAnalysisPassed
	case v1alpha1.AnalysisFailed:
		return corev1.EventTypeWarning, v1alpha1.ReasonAnalysisFailed
	case v1alpha1.AnalysisInconclusive:
		return corev1.EventTypeWarning, v1alpha1.ReasonAnalysisInconclusive
	case v1alpha1.AnalysisStopped, v1alpha1.AnalysisPending, v1alpha1.AnalysisRunning:
	}
	return corev1.EventTypeNormal, v1alpha1.ReasonAnalysisStopped
}

// newProblem gives the condition Ready when it has become False, or False for another reason.
func newProblem(before, after []metav1.Condition) *metav1.Condition {
	is := meta.FindStatusCondition(after, v1alpha1.ConditionReady)
	if is == nil || is.Status != metav1.ConditionFalse {
		return nil
	}
	was := meta.FindStatusCondition(before, v1alpha1.ConditionReady)
	if was != nil && was.Status == is.Status && was.Reason == is.Reason {
		return nil
	}
	return is
}
