package analysisrun

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/events"
	clocktesting "k8s.io/utils/clock/testing"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

func TestTemplates(t *testing.T) {
	for _, kind := range templateKinds() {
		newTemplate := func(condition string, generation int64) client.Object {
			object := kind.object()
			object.SetName("success-rate")
			object.SetGeneration(generation)
			spec, _ := kind.parts(object)
			m := newMetric("rate", 2)
			m.SuccessCondition = condition
			spec.Metrics = []v1alpha1.Metric{m}
			return object
		}
		object := newTemplate("result >", 1)
		t.Run(fmt.Sprintf("%T", object), func(t *testing.T) {
			w := newWorld(t, &script{}, object)
			w.checkTwice(kind, object)
			wantReady(t, kind, object, metav1.ConditionFalse, `spec.metrics[0].successCondition: "result >" does not compile`)
			if got := w.events(); len(got) != 1 || !strings.HasPrefix(got[0], "Warning TemplateInvalid spec.metrics[0].successCondition") {
				t.Errorf("got events %q, want one", got)
			}
			fixed := newTemplate("result > 0.5", 2)
			fixed.SetResourceVersion(object.GetResourceVersion())
			if err := w.api.Update(t.Context(), fixed); err != nil {
				t.Fatal(err)
			}
			w.checkTwice(kind, object)
			wantReady(t, kind, object, metav1.ConditionTrue, "")
			if got := w.events(); len(got) != 0 || w.writes != 2 {
				t.Errorf("got events %q and %d writes, want none and one for each generation", got, w.writes)
			}
		})
	}
}

// checkTwice lets the controller check a template two times, and reads the template.
func (w *world) checkTwice(kind templateKind, object client.Object) {
	w.t.Helper()
	r := &templateReconciler{client: w.api, recorder: w.recorder, clock: w.clock, conditions: conditions(w.t), kind: kind}
	for range 2 {
		if _, err := r.Reconcile(w.t.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(object)}); err != nil {
			w.t.Fatal(err)
		}
	}
	if err := w.api.Get(w.t.Context(), client.ObjectKeyFromObject(object), object); err != nil {
		w.t.Fatal(err)
	}
}

// wantReady checks the condition of a template, for the generation that it has.
func wantReady(t *testing.T, kind templateKind, object client.Object, want metav1.ConditionStatus, text string) {
	t.Helper()
	_, status := kind.parts(object)
	ready := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionReady)
	if ready == nil || ready.Status != want || !strings.Contains(ready.Message, text) {
		t.Fatalf("got condition %+v, want %s with %q", ready, want, text)
	}
	if generation := object.GetGeneration(); status.ObservedGeneration != generation || ready.ObservedGeneration != generation {
		t.Errorf("observed generation %d, want %d", status.ObservedGeneration, generation)
	}
}

// TestManyFindings has more to say than an event holds.
func TestManyFindings(t *testing.T) {
	object := &v1alpha1.ClusterAnalysisTemplate{ObjectMeta: metav1.ObjectMeta{Name: "bad"}}
	for range 16 {
		m := newMetric("rate", 2)
		m.SuccessCondition = "ä ä ä ä"
		object.Spec.Metrics = append(object.Spec.Metrics, m)
	}
	w := newWorld(t, &script{}, object)
	r := &templateReconciler{client: w.api, recorder: w.recorder, clock: w.clock, conditions: conditions(t), kind: templateKinds()[1]}
	if _, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(object)}); err != nil {
		t.Fatal(err)
	}
	got := w.events()
	if len(got) != 1 || len(got[0]) > maxNote+len("Warning TemplateInvalid ") || strings.Contains(got[0], "\n") {
		t.Errorf("got events %q, want one that an event may hold", got)
	}
}

func TestTemplateThatIsGone(t *testing.T) {
	r := &templateReconciler{
		client: newWorld(t, &script{}).api, recorder: events.NewFakeRecorder(1),
		clock: clocktesting.NewFakePassiveClock(start()), conditions: conditions(t), kind: templateKinds()[0],
	}
	if _, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: key()}); err != nil {
		t.Error(err)
	}
}

func TestVerdictEvent(t *testing.T) {
	tests := map[v1alpha1.AnalysisPhase][2]string{
		v1alpha1.AnalysisPassed:       {"Normal", "AnalysisPassed"},
		v1alpha1.AnalysisFailed:       {"Warning", "AnalysisFailed"},
		v1alpha1.AnalysisInconclusive: {"Warning", "AnalysisInconclusive"},
		v1alpha1.AnalysisStopped:      {"Normal", "AnalysisStopped"},
	}
	for phase, want := range tests {
		kind, reason := verdictEvent(phase)
		if diff := cmp.Diff(want, [2]string{kind, reason}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", phase, diff)
		}
	}
}

func TestSetup(t *testing.T) {
	newManager := func() ctrl.Manager {
		mgr, err := ctrl.NewManager(&rest.Config{Host: "http://localhost:1"}, ctrl.Options{
			Scheme: newScheme(t), Metrics: metricsserver.Options{BindAddress: "0"},
			Controller: config.Controller{SkipNameValidation: new(true)},
		})
		if err != nil {
			t.Fatal(err)
		}
		return mgr
	}
	if err := Setup(newManager(), Options{}); err == nil || !strings.Contains(err.Error(), "Options.Providers") {
		t.Errorf("got error %v, want one that names Options.Providers", err)
	}
	if err := Setup(newManager(), Options{Providers: &script{}}); err != nil {
		t.Error(err)
	}
}
