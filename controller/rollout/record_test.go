package rollout

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/builder"
)

// measured is a canary with an analysis at its only step, and what it needs.
func measured(t *testing.T) *harness {
	t.Helper()
	template := builder.AnalysisTemplate("success-rate", builder.Metric("rate", "up")).Namespace(namespace).Obj()
	rollout := builder.Rollout("web").Namespace(namespace).Image(imageV1).Replicas(2).Services("web").Routes("web").
		Canary(builder.Step().Weight("20").Analysis("success-rate"))
	return started(t, rollout, append(network(), template)...)
}

// conclude gives the one AnalysisRun a verdict.
func (h *harness) conclude(phase v1alpha1.AnalysisPhase, message string) {
	h.t.Helper()
	var runs v1alpha1.AnalysisRunList
	if err := h.base.List(h.t.Context(), &runs); err != nil {
		h.t.Fatal(err)
	}
	if len(runs.Items) != 1 {
		h.t.Fatalf("there are %d AnalysisRuns, want 1", len(runs.Items))
	}
	run := &runs.Items[0]
	run.Status.Phase, run.Status.Message = phase, message
	if err := h.base.Status().Update(h.t.Context(), run); err != nil {
		h.t.Fatal(err)
	}
}

// The longest message that an analysis may have makes a reason for an abort, and the API server still takes the status.
func TestALongVerdictFitsTheStatus(t *testing.T) {
	h := measured(t)
	h.release(imageV2)
	h.settle()
	h.conclude(v1alpha1.AnalysisFailed, strings.Repeat("é", maxMessage))
	h.settle()
	status := h.rollout().Status
	if status.State.Stage != v1alpha1.StageAborted {
		t.Fatalf("stage %q: %s", status.State.Stage, status.Message)
	}
	for what, text := range map[string]string{
		"status.state.message": status.State.Message, "status.history[0].message": status.History[0].Message,
		"status.analyses[0].message": status.Analyses[0].Message,
	} {
		if n := utf8.RuneCountInString(text); n == 0 || n > maxMessage {
			t.Errorf("%s has %d characters, want 1 to %d", what, n, maxMessage)
		}
	}
	if n := utf8.RuneCountInString(status.Message); n > maxStatusMessage {
		t.Errorf("status.message has %d characters, want at most %d", n, maxStatusMessage)
	}
}

// With long delays and many releases the pods of the oldest go early.
func TestManyDelaysFitTheStatus(t *testing.T) {
	h := started(t, builder.Rollout("web").Namespace(namespace).Image(imageV1).Replicas(1).BlueGreen().
		With(func(r *v1alpha1.Rollout) {
			r.Spec.Strategy.BlueGreen.ScaleDownDelay = &metav1.Duration{Duration: 720 * time.Hour}
		}), builder.Service(namespace, "web", "web"))
	for i := range maxScaleDowns + 3 {
		h.release(fmt.Sprintf("registry.example/web:v%d", i+2))
		h.settle()
	}
	status := h.rollout().Status
	if got := len(status.State.ScaleDowns); got != maxScaleDowns || status.Phase != v1alpha1.PhaseHealthy {
		t.Errorf("%d delays, phase %s: %s", got, status.Phase, status.Message)
	}
	if size := h.replicaSets()[imageV1]; size != 0 {
		t.Errorf("the oldest revision has %d pods", size)
	}
}

// The answer to a command may hold a whole problem, and fits too.
func TestALongAnswerFitsTheStatus(t *testing.T) {
	status := v1alpha1.RolloutStatus{
		Message: strings.Repeat("a", 3*maxStatusMessage), LastCommand: &v1alpha1.CommandStatus{Message: strings.Repeat("b", 2*maxMessage)},
	}
	fit(&status)
	if got := len([]rune(status.LastCommand.Message)); got != maxMessage {
		t.Errorf("the answer has %d characters, want %d", got, maxMessage)
	}
	if got := len([]rune(status.Message)); got != maxStatusMessage {
		t.Errorf("the message has %d characters, want %d", got, maxStatusMessage)
	}
}
