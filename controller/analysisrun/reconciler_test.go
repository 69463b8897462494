package analysisrun

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/events"
	clocktesting "k8s.io/utils/clock/testing"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/sluice-dev/sluice/analysis"
	"github.com/sluice-dev/sluice/api/v1alpha1"
)

func start() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

// script is a provider that answers each query, by its text, with the next of its answers, and with the last for ever.
type script struct {
	mu      sync.Mutex
	answers map[string][]any // numbers and errors; nil is no data
	asked   map[string][]time.Duration
}

// TestTheRolloutIsTold holds that a Rollout has an event of what keeps its analysis from measuring, and none of a step
// that has no data yet.
func TestTheRolloutIsTold(t *testing.T) {
	run := newRun(newMetric("rate", 1))
	run.Spec.Gate = "step-1"
	run.OwnerReferences = []metav1.OwnerReference{
		*metav1.NewControllerRef(&v1alpha1.Rollout{ObjectMeta: metav1.ObjectMeta{Name: "web", UID: "2"}}, v1alpha1.GroupVersion.WithKind("Rollout")),
	}
	w := newWorld(t, &script{answers: map[string][]any{"rate": {nil, unreachable(), 1.0}}}, run)
	w.follow(100)
	var told []string
	for _, event := range w.events() {
		if strings.Contains(event, "analysis step-1: ") {
			told = append(told, event)
		}
	}
	want := "Warning ProviderUnreachable analysis step-1: rate: spec.metrics[0].provider.prometheus.address: nobody there"
	if len(told) != 1 || told[0] != want {
		t.Errorf("the Rollout is told %q, want %q", told, want)
	}
}

func (s *script) Measure(_ context.Context, query analysis.Query) (analysis.Reading, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	text := query.Source.Prometheus.Query
	if s.asked == nil {
		s.asked = map[string][]time.Duration{}
	}
	s.asked[text] = append(s.asked[text], query.At.Sub(start()))
	answers := s.answers[text]
	if len(answers) > 1 {
		s.answers[text] = answers[1:]
	}
	switch answer := answers[0].(type) {
	case float64:
		return analysis.Reading{Value: answer, Found: true}, nil
	case error:
		return analysis.Reading{}, answer
	}
	return analysis.Reading{}, nil
}

// world is an API server, a clock and a controller.
type world struct {
	t        *testing.T
	api      client.WithWatch
	funcs    interceptor.Funcs
	live     interceptor.Funcs // of the reader without a cache
	clock    *clocktesting.FakePassiveClock
	provider analysis.Provider
	recorder *events.FakeRecorder
	runs     *runReconciler
	writes   int
}

func newWorld(t *testing.T, provider analysis.Provider, objects ...client.Object) *world {
	t.Helper()
	w := &world{t: t, clock: clocktesting.NewFakePassiveClock(start()), provider: provider, recorder: events.NewFakeRecorder(100)}
	w.api = fake.NewClientBuilder().WithScheme(newScheme(t)).WithObjects(objects...).
		WithStatusSubresource(&v1alpha1.AnalysisRun{}, &v1alpha1.AnalysisTemplate{}, &v1alpha1.ClusterAnalysisTemplate{}).
		WithInterceptorFuncs(interceptor.Funcs{
			SubResourcePatch: func(
				ctx context.Context, c client.Client, sub string, o client.Object, p client.Patch, opts ...client.SubResourcePatchOption,
			) error {
				w.writes++
				return c.SubResource(sub).Patch(ctx, o, p, opts...)
			},
		}).Build()
	w.restart()
	return w
}

func newScheme(t testing.TB) *runtime.Scheme {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	return scheme
}

// restart replaces the controller by one that knows nothing, and sees the API through the world's functions.
func (w *world) restart() {
	w.t.Helper()
	w.runs = &runReconciler{
		client: interceptor.NewClient(w.api, w.funcs), recorder: w.recorder, clock: w.clock,
		meter: analysis.Meter{Provider: w.provider, Conditions: conditions(w.t)}, live: interceptor.NewClient(w.api, w.live),
	}
}

func conditions(t *testing.T) *analysis.Conditions {
	t.Helper()
	c, err := analysis.NewConditions(16)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func key() client.ObjectKey { return client.ObjectKey{Namespace: "shop", Name: "web-7f9c6d-step-1"} }

// newRun makes a run of metrics.
func newRun(metrics ...v1alpha1.Metric) *v1alpha1.AnalysisRun {
	return &v1alpha1.AnalysisRun{
		ObjectMeta: metav1.ObjectMeta{Namespace: key().Namespace, Name: key().Name, UID: "1", Generation: 1},
		Spec:       v1alpha1.AnalysisRunSpec{Metrics: metrics},
	}
}

// newMetric makes a metric that asks for its own name every 10 s.
func newMetric(name string, count int32) v1alpha1.Metric {
	return v1alpha1.Metric{
		Name: name, SuccessCondition: "result >= 0.95", Interval: &metav1.Duration{Duration: 10 * time.Second},
		Count:    ptr.To(count),
		Provider: v1alpha1.MetricProvider{Prometheus: &v1alpha1.PrometheusMetric{Query: name}},
	}
}

// reconcile makes one pass that must not fail.
func (w *world) reconcile() time.Duration {
	w.t.Helper()
	result, err := w.runs.Reconcile(w.t.Context(), ctrl.Request{NamespacedName: key()})
	if err != nil {
		w.t.Fatal(err)
	}
	return result.RequeueAfter
}

// follow makes passes, each when the one before asked for it, until one asks for none or so many were made.
func (w *world) follow(passes int) {
	w.t.Helper()
	for range passes {
		wait := w.reconcile()
		if wait == 0 {
			return
		}
		w.clock.SetTime(w.clock.Now().Add(wait))
	}
}

// run reads the run.
func (w *world) run() *v1alpha1.AnalysisRun {
	w.t.Helper()
	run := &v1alpha1.AnalysisRun{}
	if err := w.api.Get(w.t.Context(), key(), run); err != nil {
		w.t.Fatal(err)
	}
	return run
}

// events gives the events so far.
func (w *world) events() []string {
	var got []string
	for {
		select {
		case event := <-w.recorder.Events:
			got = append(got, event)
		default:
			return got
		}
	}
}

// wantProblem checks that the run goes on, and says in message and condition what holds it up.
func (w *world) wantProblem(reason string, texts ...string) {
	w.t.Helper()
	status := w.run().Status
	ready := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionReady)
	if status.Phase != v1alpha1.AnalysisRunning || ready.Status != metav1.ConditionFalse || ready.Reason != reason {
		w.t.Errorf("got %s, condition %+v, want Running and False for %s", status.Phase, ready, reason)
	}
	for _, text := range texts {
		if !strings.Contains(ready.Message, text) || !strings.Contains(status.Message, text) {
			w.t.Errorf("condition %q or message %q lacks %q", ready.Message, status.Message, text)
		}
	}
}

func unreachable() error {
	return &analysis.Fault{
		Reason: v1alpha1.ReasonProviderUnreachable, Field: "provider.prometheus.address", Message: "nobody there",
	}
}

func TestRunPasses(t *testing.T) {
	provider := &script{answers: map[string][]any{"rate": {0.97, 0.99}, "errors": {1.0}}}
	w := newWorld(t, provider, newRun(newMetric("rate", 3), newMetric("errors", 2)))
	w.follow(100)
	run := w.run()
	want := "rate: 3 of 3 measurements succeeded, last 0.99; errors: 2 of 2 measurements succeeded, last 1"
	if run.Status.Phase != v1alpha1.AnalysisPassed || run.Status.Message != want {
		t.Errorf("got %s: %s, want Passed: %s", run.Status.Phase, run.Status.Message, want)
	}
	wantAsked := map[string][]time.Duration{
		"rate": {0, 10 * time.Second, 20 * time.Second}, "errors": {0, 10 * time.Second},
	}
	if diff := cmp.Diff(wantAsked, provider.asked); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
	if w.writes != 3 {
		t.Errorf("%d writes, want one for each pass that measured", w.writes)
	}
	if diff := cmp.Diff([]string{"Normal AnalysisPassed " + want}, w.events()); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if run.Status.ObservedGeneration != 1 || run.Status.Conditions[0].ObservedGeneration != 1 {
		t.Errorf("observed generations %d and %d, want 1", run.Status.ObservedGeneration, run.Status.Conditions[0].ObservedGeneration)
	}
}

func TestRunFails(t *testing.T) {
	provider := &script{answers: map[string][]any{"rate": {0.97, 0.81}, "errors": {1.0}}}
	w := newWorld(t, provider, newRun(newMetric("rate", 5), newMetric("errors", 5)))
	w.follow(100)
	want := "rate: 0.81 failed result >= 0.95 in 1 of 2 measurements, limit 0"
	if run := w.run(); run.Status.Phase != v1alpha1.AnalysisFailed || run.Status.Message != want {
		t.Errorf("got %s: %s, want Failed: %s", run.Status.Phase, run.Status.Message, want)
	}
	if diff := cmp.Diff([]string{"Warning AnalysisFailed " + want}, w.events()); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

// TestNothingHappensBetween has passes when nothing is due, and after the end.
func TestNothingHappensBetween(t *testing.T) {
	provider := &script{answers: map[string][]any{"rate": {1.0}}}
	w := newWorld(t, provider, newRun(newMetric("rate", 2)))
	if wait := w.reconcile(); wait != 10*time.Second {
		t.Errorf("waits %s, want 10s", wait)
	}
	w.clock.SetTime(start().Add(4 * time.Second))
	if wait := w.reconcile(); wait != 6*time.Second {
		t.Errorf("waits %s, want 6s", wait)
	}
	w.restart()
	if wait := w.reconcile(); wait != 6*time.Second {
		t.Errorf("after a restart it waits %s, want 6s", wait)
	}
	if w.writes != 1 || len(provider.asked["rate"]) != 1 {
		t.Errorf("%d writes and %d measurements, want 1 and 1", w.writes, len(provider.asked["rate"]))
	}
	w.follow(100)
	writes := w.writes
	w.restart()
	if wait := w.reconcile(); wait != 0 || w.writes != writes {
		t.Errorf("after the end it waits %s and has written %d times", wait, w.writes-writes)
	}
}

func TestTerminate(t *testing.T) {
	endless := newMetric("rate", 1)
	endless.Count = nil
	provider := &script{answers: map[string][]any{"rate": {1.0}}}
	w := newWorld(t, provider, newRun(endless))
	w.follow(3)
	run := w.run()
	run.Spec.Terminate, run.Generation = true, 2
	if err := w.api.Update(t.Context(), run); err != nil {
		t.Fatal(err)
	}
	if wait := w.reconcile(); wait != 0 {
		t.Errorf("waits %s, want no further pass", wait)
	}
	run = w.run()
	want := "rate: stopped after 3 measurements (3 successful)"
	if run.Status.Phase != v1alpha1.AnalysisStopped || run.Status.Message != want || run.Status.ObservedGeneration != 2 {
		t.Errorf("got %s: %s, want Stopped: %s", run.Status.Phase, run.Status.Message, want)
	}
	if diff := cmp.Diff([]string{"Normal AnalysisStopped " + want}, w.events()); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if got := len(provider.asked["rate"]); got != 3 {
		t.Errorf("asked %d times, want 3", got)
	}
}

// TestSpecOfAnEndedRunChanges has a change that means nothing any more: only the generation is noted.
func TestSpecOfAnEndedRunChanges(t *testing.T) {
	w := newWorld(t, &script{answers: map[string][]any{"rate": {1.0}}}, newRun(newMetric("rate", 1)))
	w.follow(100)
	run := w.run()
	before := run.Status
	run.Spec.Terminate, run.Generation = true, 2
	if err := w.api.Update(t.Context(), run); err != nil {
		t.Fatal(err)
	}
	w.events()
	w.follow(100)
	before.ObservedGeneration = 2
	before.Conditions[0].ObservedGeneration = 2
	if diff := cmp.Diff(before, w.run().Status); diff != "" {
		t.Errorf("status (-want +got):\n%s", diff)
	}
	if got := w.events(); len(got) != 0 {
		t.Errorf("got events %q, want none", got)
	}
}

func TestProviderDown(t *testing.T) {
	down := unreachable()
	provider := &script{answers: map[string][]any{"rate": {1.0, down, down, down, nil, 1.0, 1.0}}}
	slow := newMetric("rate", 3)
	slow.Interval.Duration = time.Minute
	w := newWorld(t, provider, newRun(slow))
	w.follow(4)
	wantMessage := "rate: spec.metrics[0].provider.prometheus.address: nobody there (3 errors in a row)"
	w.wantProblem(v1alpha1.ReasonProviderUnreachable, wantMessage)
	w.follow(100)
	if got := w.run().Status; got.Phase != v1alpha1.AnalysisPassed || got.Metrics[0].Errors != 3 || got.Metrics[0].NoData != 1 {
		t.Errorf("got %s: %s, want it to pass once figures come back", got.Phase, got.Message)
	}
	wantEvents := []string{
		"Warning ProviderUnreachable rate: spec.metrics[0].provider.prometheus.address: nobody there",
		"Warning NoData rate: spec.metrics[0].provider: no data: the query found nothing; check that it selects series that exist",
		"Normal AnalysisPassed rate: 3 of 3 measurements succeeded, last 1",
	}
	if diff := cmp.Diff(wantEvents, w.events()); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	var asked []float64
	for _, at := range provider.asked["rate"] {
		asked = append(asked, at.Seconds())
	}
	if diff := cmp.Diff([]float64{0, 60, 65, 75, 95, 155, 215}, asked); diff != "" {
		t.Errorf("asked at (-want +got):\n%s", diff)
	}
}

// TestCrashBeforeTheWrite has every write fail once: the measurement is taken again and counted once.
func TestCrashBeforeTheWrite(t *testing.T) {
	provider := &script{answers: map[string][]any{"rate": {1.0}}}
	w := newWorld(t, provider, newRun(newMetric("rate", 3)))
	for range 100 {
		w.funcs.SubResourcePatch = func(
			context.Context, client.Client, string, client.Object, client.Patch, ...client.SubResourcePatchOption,
		) error {
			return errors.New("the connection is gone")
		}
		w.restart()
		if _, err := w.runs.Reconcile(t.Context(), ctrl.Request{NamespacedName: key()}); err == nil {
			t.Fatal("a write that failed is no error")
		}
		w.funcs.SubResourcePatch = nil
		w.restart()
		wait := w.reconcile()
		if wait == 0 {
			break
		}
		w.clock.SetTime(w.clock.Now().Add(wait))
	}
	got := w.run().Status
	if got.Phase != v1alpha1.AnalysisPassed || got.Metrics[0].Successful != 3 || len(got.Metrics[0].Measurements) != 3 {
		t.Errorf("got %s: %s, want it to pass with 3 measurements", got.Phase, got.Message)
	}
	if events := w.events(); len(events) != 1 {
		t.Errorf("got events %q, want the verdict once", events)
	}
}

// TestAmbiguousWrite has a write that succeeds and whose answer is lost.
func TestAmbiguousWrite(t *testing.T) {
	provider := &script{answers: map[string][]any{"rate": {0.5}}}
	w := newWorld(t, provider, newRun(newMetric("rate", 3)))
	w.funcs.SubResourcePatch = func(
		ctx context.Context, c client.Client, sub string, o client.Object, p client.Patch, opts ...client.SubResourcePatchOption,
	) error {
		return errors.Join(errors.New("timeout"), c.SubResource(sub).Patch(ctx, o, p, opts...))
	}
	w.restart()
	if _, err := w.runs.Reconcile(t.Context(), ctrl.Request{NamespacedName: key()}); err == nil {
		t.Error("got no error from a write whose answer is lost")
	}
	w.funcs = interceptor.Funcs{}
	w.restart()
	w.follow(100)
	if got := w.run().Status; got.Phase != v1alpha1.AnalysisFailed || got.Metrics[0].Failed != 1 {
		t.Errorf("got %s with %d failures, want Failed with 1", got.Phase, got.Metrics[0].Failed)
	}
	if got := len(provider.asked["rate"]); got != 1 {
		t.Errorf("asked %d times, want once", got)
	}
}

// TestTwoControllers has a second controller write between the read and the write of the first.
func TestTwoControllers(t *testing.T) {
	provider := &script{answers: map[string][]any{"rate": {1.0}}}
	w := newWorld(t, provider, newRun(newMetric("rate", 2)))
	other := &runReconciler{client: w.api, recorder: w.recorder, clock: w.clock, meter: w.runs.meter}
	w.funcs.SubResourcePatch = func(
		ctx context.Context, c client.Client, sub string, o client.Object, p client.Patch, opts ...client.SubResourcePatchOption,
	) error {
		if _, err := other.Reconcile(ctx, ctrl.Request{NamespacedName: key()}); err != nil {
			t.Error(err)
		}
		return c.SubResource(sub).Patch(ctx, o, p, opts...)
	}
	w.restart()
	if wait := w.reconcile(); wait != conflictWait {
		t.Errorf("waits %s after a conflict, want %s", wait, conflictWait)
	}
	if got := w.run().Status.Metrics[0].Successful; got != 1 {
		t.Errorf("%d measurements are counted, want that of the other controller", got)
	}
	w.funcs = interceptor.Funcs{}
	w.restart()
	w.follow(100)
	if got := w.events(); len(got) != 1 {
		t.Errorf("got events %q, want the verdict once", got)
	}
}

// TestStaleCache has a cache that lags behind the controller's own writes.
func TestStaleCache(t *testing.T) {
	provider := &script{answers: map[string][]any{"rate": {1.0}}}
	w := newWorld(t, provider, newRun(newMetric("rate", 2)))
	frozen := w.run()
	stale := true
	w.funcs.Get = func(ctx context.Context, c client.WithWatch, k client.ObjectKey, o client.Object, opts ...client.GetOption) error {
		if stale {
			frozen.DeepCopyInto(o.(*v1alpha1.AnalysisRun))
			return nil
		}
		return c.Get(ctx, k, o, opts...)
	}
	w.restart()
	w.reconcile()
	for range 3 {
		if wait := w.reconcile(); wait != staleWait {
			t.Errorf("waits %s for its cache, want %s", wait, staleWait)
		}
	}
	if got := len(provider.asked["rate"]); got != 1 {
		t.Errorf("asked %d times, want once", got)
	}
	stale = false
	if wait := w.reconcile(); wait != 10*time.Second {
		t.Errorf("waits %s with a fresh cache, want 10s", wait)
	}
	if got := len(w.runs.written.versions); got != 0 {
		t.Errorf("%d versions are remembered that were read back", got)
	}
}

// TestLostWrite has an API server that came back from a backup: no read will ever show the last write again.
func TestLostWrite(t *testing.T) {
	w := newWorld(t, &script{answers: map[string][]any{"rate": {1.0}}}, newRun(newMetric("rate", 2)))
	w.reconcile()
	run := w.run()
	run.ResourceVersion = "999999"
	w.runs.written.remember(run, w.clock.Now())
	if wait := w.reconcile(); wait != staleWait {
		t.Errorf("waits %s for its cache, want %s", wait, staleWait)
	}
	w.clock.SetTime(start().Add(doubtAfter))
	w.reconcile()
	if got := w.run().Status.Phase; got != v1alpha1.AnalysisPassed {
		t.Errorf("got %s, want the run to go on", got)
	}
}

// TestRunMadeAgain has a run that is deleted and made again under its name while the controller remembers the first.
func TestRunMadeAgain(t *testing.T) {
	w := newWorld(t, &script{answers: map[string][]any{"rate": {1.0}}}, newRun(newMetric("rate", 2)))
	w.reconcile()
	if err := w.api.Delete(t.Context(), w.run()); err != nil {
		t.Fatal(err)
	}
	again := newRun(newMetric("rate", 1))
	again.UID = "2"
	if err := w.api.Create(t.Context(), again); err != nil {
		t.Fatal(err)
	}
	w.follow(1)
	if got := w.run().Status.Phase; got != v1alpha1.AnalysisPassed {
		t.Errorf("got %s, want the second run to be measured at once", got)
	}
}

func TestRunThatIsGone(t *testing.T) {
	w := newWorld(t, &script{answers: map[string][]any{"rate": {1.0}}}, newRun(newMetric("rate", 2)))
	w.reconcile()
	if err := w.api.Delete(t.Context(), w.run()); err != nil {
		t.Fatal(err)
	}
	if wait := w.reconcile(); wait != 0 {
		t.Errorf("waits %s for a run that is gone", wait)
	}
	if got := len(w.runs.written.versions); got != 0 {
		t.Errorf("%d versions are remembered of a run that is gone", got)
	}
}

// TestRunThatGoes has a run that is deleted while it is measured, and one that waits for its finalizers.
func TestRunThatGoes(t *testing.T) {
	provider := &script{answers: map[string][]any{"rate": {1.0}}}
	w := newWorld(t, provider, newRun(newMetric("rate", 2)))
	w.funcs.SubResourcePatch = func(
		context.Context, client.Client, string, client.Object, client.Patch, ...client.SubResourcePatchOption,
	) error {
		return apierrors.NewNotFound(schema.GroupResource{Resource: "analysisruns"}, key().Name)
	}
	w.restart()
	w.reconcile()
	going := newRun(newMetric("rate", 2))
	going.DeletionTimestamp, going.Finalizers = &metav1.Time{Time: start()}, []string{"example.com/wait"}
	w = newWorld(t, provider, going)
	if wait := w.reconcile(); wait != 0 || len(provider.asked["rate"]) != 1 {
		t.Errorf("a run that is being deleted is still measured")
	}
}

// canceller stops the controller in the middle of a measurement.
type canceller struct{ stop context.CancelFunc }

func (c canceller) Measure(ctx context.Context, _ analysis.Query) (analysis.Reading, error) {
	c.stop()
	return analysis.Reading{}, fmt.Errorf("asking: %w", ctx.Err())
}

func TestShutdownIsNoError(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	w := newWorld(t, canceller{stop}, newRun(newMetric("rate", 2)))
	_, err := w.runs.Reconcile(ctx, ctrl.Request{NamespacedName: key()})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got error %v, want that of the context", err)
	}
	if w.writes != 0 {
		t.Error("a measurement that was broken off is written")
	}
}

// explosive is a provider with a bug.
type explosive struct{}

func (explosive) Measure(context.Context, analysis.Query) (analysis.Reading, error) { panic("a bug") }

func TestPanicStaysWithItsRun(t *testing.T) {
	w := newWorld(t, explosive{}, newRun(newMetric("a", 2), newMetric("b", 2)))
	_, err := w.runs.Reconcile(t.Context(), ctrl.Request{NamespacedName: key()})
	if err == nil || !strings.Contains(err.Error(), "a bug") {
		t.Errorf("got error %v, want the panic as an error", err)
	}
}

// crowd is a provider that answers only when as many queries as may run at once are under way.
type crowd struct {
	mu      sync.Mutex
	inside  int
	largest int
	once    sync.Once
	full    chan struct{}
}

func (c *crowd) Measure(ctx context.Context, _ analysis.Query) (analysis.Reading, error) {
	c.mu.Lock()
	c.inside++
	c.largest = max(c.largest, c.inside)
	if c.inside == analysis.MaxParallel {
		c.once.Do(func() { close(c.full) })
	}
	c.mu.Unlock()
	select {
	case <-c.full:
	case <-ctx.Done():
	}
	c.mu.Lock()
	c.inside--
	c.mu.Unlock()
	return analysis.Reading{Value: 1, Found: true}, ctx.Err()
}

func TestMetricsAreMeasuredTogether(t *testing.T) {
	var metrics []v1alpha1.Metric
	for i := range analysis.MaxParallel + analysis.MaxParallel/2 {
		metrics = append(metrics, newMetric(fmt.Sprint("m", i), 1))
	}
	provider := &crowd{full: make(chan struct{})}
	w := newWorld(t, provider, newRun(metrics...))
	w.reconcile()
	if got := w.run().Status.Phase; got != v1alpha1.AnalysisPassed || provider.largest != analysis.MaxParallel {
		t.Errorf("got %s with %d queries at once, want Passed with %d", got, provider.largest, analysis.MaxParallel)
	}
	names := []string{}
	for _, result := range w.run().Status.Metrics {
		names = append(names, result.Name)
	}
	if !slices.IsSortedFunc(names, func(a, b string) int { return len(a) - len(b) }) {
		t.Errorf("results in the order %v, want that of the spec", names)
	}
	if w.writes != 1 {
		t.Errorf("%d writes, want one", w.writes)
	}
}
