//go:build apiserver

// Package controller_test runs the controllers against a real API server. Pods, endpoints and a gateway are stood in for
// by package dataplane.
package controller_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller"
	"github.com/sluice-dev/sluice/test/apiserver/env"
	"github.com/sluice-dev/sluice/test/builder"
	"github.com/sluice-dev/sluice/test/dataplane"
)

const (
	imageV1 = "registry.example/web:v1"
	imageV2 = "registry.example/web:v2"
	imageV3 = "registry.example/web:v3"

	// patience is how long something that must happen may take, on two busy cores.
	patience = 60 * time.Second
	glance   = 50 * time.Millisecond
)

func TestMain(m *testing.M) {
	ctrl.SetLogger(logr.Discard())
	os.Exit(env.Main(m))
}

// world is an API server with the controllers and a data plane at work in the namespace of one test.
type world struct {
	*env.Env
	t     *testing.T
	plane *dataplane.Plane
	log   *requestLog
	stop  func()
}

// start makes the objects and starts everything.
func start(t *testing.T, objects ...client.Object) *world {
	t.Helper()
	w := &world{Env: env.Start(t), t: t, log: &requestLog{}}
	w.plane = &dataplane.Plane{Client: w.Client, Namespace: w.Namespace, Now: time.Now}
	for _, obj := range objects {
		w.make(obj)
	}
	w.run("the data plane", func(ctx context.Context) error { return w.plane.Run(ctx, glance) })
	w.startControllers()
	return w
}

// startControllers starts the controllers as cmd/sluice does.
func (w *world) startControllers() {
	w.t.Helper()
	restConfig := rest.CopyConfig(w.Config)
	restConfig.QPS = -1
	restConfig.Wrap(w.log.wrap)
	scheme, err := controller.Scheme()
	if err != nil {
		w.t.Fatal(err)
	}
	mgr, err := manager.New(restConfig, manager.Options{
		Scheme:     scheme,
		Cache:      controller.CacheOptions([]string{w.Namespace}),
		Metrics:    metricsserver.Options{BindAddress: "0"},
		Controller: config.Controller{SkipNameValidation: ptr.To(true)},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	if err := controller.Setup(w.t.Context(), mgr, controller.Options{
		Settle: 100 * time.Millisecond, Concurrency: 4, PrometheusLoopback: true,
	}); err != nil {
		w.t.Fatal(err)
	}
	w.stop = w.run("the controllers", mgr.Start)
}

// run runs something until the test ends, or until the function that is returned is called.
func (w *world) run(what string, do func(context.Context) error) func() {
	w.t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(w.t.Context()))
	done := make(chan error, 1)
	go func() { done <- do(ctx) }()
	var once sync.Once
	stop := func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
				w.t.Errorf("%s: %v", what, err)
			}
		})
	}
	w.t.Cleanup(stop)
	return stop
}

func (w *world) make(obj client.Object) {
	w.t.Helper()
	obj.SetNamespace(w.Namespace)
	if err := w.Client.Create(w.t.Context(), obj); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) remove(obj client.Object) {
	w.t.Helper()
	obj.SetNamespace(w.Namespace)
	if err := w.Client.Delete(w.t.Context(), obj); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) get(name string, obj client.Object) {
	w.t.Helper()
	if err := w.Client.Get(w.t.Context(), client.ObjectKey{Namespace: w.Namespace, Name: name}, obj); err != nil {
		w.t.Fatal(err)
	}
}

// alter changes an object, however often somebody else does at the same time.
func alter[T client.Object](w *world, name string, obj T, change func(T)) {
	w.t.Helper()
	w.eventually("a change of "+name, func() (bool, string) {
		w.get(name, obj)
		change(obj)
		err := w.Client.Update(w.t.Context(), obj)
		if err != nil && !apierrors.IsConflict(err) {
			w.t.Fatal(err)
		}
		return err == nil, "conflict"
	})
}

func (w *world) edit(change func(*v1alpha1.Rollout)) {
	w.t.Helper()
	alter(w, "web", &v1alpha1.Rollout{}, change)
}

func (w *world) release(image string) {
	w.t.Helper()
	w.edit(func(r *v1alpha1.Rollout) { r.Spec.Template = builder.Rollout("web").Image(image).Obj().Spec.Template })
}

func (w *world) command(action string) {
	w.t.Helper()
	w.edit(func(r *v1alpha1.Rollout) {
		r.Annotations = map[string]string{v1alpha1.AnnotationCommand: v1alpha1.Command{
			Action: action, Revision: r.Status.State.Candidate, ID: "1",
		}.String()}
	})
}

func (w *world) rollout() *v1alpha1.Rollout {
	w.t.Helper()
	out := &v1alpha1.Rollout{}
	w.get("web", out)
	return out
}

// eventually waits for a condition, which also says what it sees.
func (w *world) eventually(what string, condition func() (bool, string)) {
	w.t.Helper()
	var seen string
	err := wait.PollUntilContextTimeout(w.t.Context(), glance, patience, true, func(context.Context) (ok bool, err error) {
		ok, seen = condition()
		return ok, nil
	})
	if err != nil {
		w.t.Fatalf("%s: not within %s: %s", what, patience, seen)
	}
}

// reaches waits for a status.
func (w *world) reaches(what string, condition func(*v1alpha1.RolloutStatus) bool) *v1alpha1.RolloutStatus {
	w.t.Helper()
	var status v1alpha1.RolloutStatus
	w.eventually(what, func() (bool, string) {
		rollout := w.rollout()
		status = rollout.Status
		fresh := status.ObservedGeneration == rollout.Generation
		return fresh && condition(&status), fmt.Sprintf("%s, stage %q, step %s, weight %s: %s", status.Phase, status.State.Stage,
			status.Step, status.Weight, status.Message)
	})
	return &status
}

func healthy(s *v1alpha1.RolloutStatus) bool { return s.Phase == v1alpha1.PhaseHealthy }

func awaiting(s *v1alpha1.RolloutStatus) bool { return reason(s) == v1alpha1.ReasonAwaitingPromotion }

func reason(s *v1alpha1.RolloutStatus) string {
	if c := meta.FindStatusCondition(s.Conditions, v1alpha1.ConditionReady); c != nil {
		return c.Reason
	}
	return ""
}

// sizes are the sizes of the ReplicaSets by image.
func (w *world) sizes() map[string]int32 {
	w.t.Helper()
	var list appsv1.ReplicaSetList
	if err := w.Client.List(w.t.Context(), &list, client.InNamespace(w.Namespace)); err != nil {
		w.t.Fatal(err)
	}
	out := map[string]int32{}
	for _, rs := range list.Items {
		out[rs.Spec.Template.Spec.Containers[0].Image] += *rs.Spec.Replicas
	}
	return out
}

// weight is the share of the standby Service on the route in percent.
func (w *world) weight() int32 {
	w.t.Helper()
	route := &gatewayv1.HTTPRoute{}
	w.get("web", route)
	weights := map[string]int32{}
	for _, ref := range route.Spec.Rules[0].BackendRefs {
		weights[string(ref.Name)] = ptr.Deref(ref.Weight, 1)
	}
	return weights["web-standby"] * 100 / (weights["web"] + weights["web-standby"])
}

func (w *world) selected(service string) string {
	w.t.Helper()
	out := &corev1.Service{}
	w.get(service, out)
	return out.Spec.Selector[v1alpha1.LabelPodTemplateHash]
}

// told are the notes of the events with a reason.
func (w *world) told(reason string) []string {
	w.t.Helper()
	var list eventsv1.EventList
	if err := w.Client.List(w.t.Context(), &list, client.InNamespace(w.Namespace)); err != nil {
		w.t.Fatal(err)
	}
	var out []string
	for _, e := range list.Items {
		if e.Reason != reason || e.Regarding.Kind != v1alpha1.RolloutKind {
			continue
		}
		out = append(out, e.Note)
		if e.Series != nil {
			out = append(out, fmt.Sprintf("and %d times more", e.Series.Count-1))
		}
	}
	return out
}

// requestLog notes the requests of the controllers, but for watches.
type requestLog struct {
	mu    sync.Mutex
	lines []string
	warns []string
}

func (l *requestLog) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(req *http.Request) (*http.Response, error) {
		if !strings.Contains(req.URL.RawQuery, "watch=true") {
			l.mu.Lock()
			l.lines = append(l.lines, req.Method+" "+req.URL.Path)
			l.mu.Unlock()
		}
		response, err := next.RoundTrip(req)
		if err == nil {
			l.mu.Lock()
			l.warns = append(l.warns, response.Header.Values("Warning")...)
			l.mu.Unlock()
		}
		return response, err
	})
}

// count is the number of requests so far.
func (l *requestLog) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.lines)
}

// since are the requests after the first n.
func (l *requestLog) since(n int) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]string(nil), l.lines[n:]...)
}

func (l *requestLog) warnings() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.warns, "\n")
}

type roundTripper func(*http.Request) (*http.Response, error)

func (r roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return r(req) }

// routed is a canary with a route: 20 %, a person, 50 %.
func routed() *builder.RolloutBuilder {
	return builder.Rollout("web").Image(imageV1).Replicas(4).Services("web").Routes("web").
		Canary(builder.Step().Weight("20").Hold(), builder.Step().Weight("50")).
		With(func(r *v1alpha1.Rollout) {
			r.Spec.Strategy.Canary.ScaleDownDelay = &metav1.Duration{Duration: time.Second}
		})
}

// network is what a user of routes has made.
func network() []client.Object {
	return []client.Object{service(), route()}
}

func service() *corev1.Service { return builder.Service("", "web", "web") }

func route() *gatewayv1.HTTPRoute { return builder.HTTPRoute("web", "gateway").Rule("/", "web").Obj() }
