// Package live runs the controllers on a real API server, for tests. Pods, endpoints and a gateway are stood in for by
// package dataplane.
//
//	w := live.Start(t, service, route, rollout)
//	w.Reaches("healthy", live.Healthy)
//	w.Release(live.ImageV2)
//
// Unless a method says otherwise, it speaks of the one Rollout called web.
package live

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
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
	// ImageV1 is the image of the first release.
	ImageV1 = "registry.example/web:v1"
	// ImageV2 is the image of the second release.
	ImageV2 = "registry.example/web:v2"
	// ImageV3 is the image of the third release.
	ImageV3 = "registry.example/web:v3"

	// Settle is how long the controllers give gateways.
	Settle = 100 * time.Millisecond
	// Patience is how long something that must happen may take, on two cores that forty others use.
	Patience = 3 * time.Minute
	// Glance is how often something is looked at.
	Glance = 50 * time.Millisecond
)

// World is an API server with the controllers and a data plane at work in the namespace of one test.
type World struct {
	*env.Env
	T testing.TB
	// Plane stands in for nodes, gateways and the controllers of Kubernetes.
	Plane *dataplane.Plane
	// Log has the requests of the controllers.
	Log *RequestLog
	// Stop ends the controllers that were started last, and waits for them.
	Stop func()
}

// Start makes the objects and starts everything.
func Start(t testing.TB, objects ...client.Object) *World {
	t.Helper()
	w := New(t, env.Start(t), objects...)
	w.StartPlane()
	w.StartControllers()
	return w
}

// New makes the objects, in the namespace of the environment, and starts nothing.
func New(t testing.TB, e *env.Env, objects ...client.Object) *World {
	t.Helper()
	w := &World{Env: e, T: t, Log: &RequestLog{}}
	w.Plane = &dataplane.Plane{Client: w.Client, Namespace: w.Namespace, Now: time.Now}
	for _, obj := range objects {
		w.Make(obj)
	}
	return w
}

// StartPlane starts the data plane. Any error of the API server but a conflict fails the test.
func (w *World) StartPlane() {
	w.T.Helper()
	w.Run("the data plane", func(ctx context.Context) error { return w.Plane.Run(ctx, Glance) })
}

// StartHardyPlane starts a data plane that outlives every error, as nodes and gateways do.
func (w *World) StartHardyPlane() {
	w.T.Helper()
	w.Run("the data plane", func(ctx context.Context) error {
		for ctx.Err() == nil {
			_ = w.Plane.Run(ctx, Glance) // whatever it is: next time
		}
		return nil
	})
}

// StartControllers starts the controllers as cmd/sluice does, in the namespace of the test.
func (w *World) StartControllers() {
	w.T.Helper()
	w.StartControllersWith(w.Config, w.Namespace)
}

// StartControllersWith starts the controllers in some namespaces, on a connection of their own.
func (w *World) StartControllersWith(connection *rest.Config, namespaces ...string) {
	w.T.Helper()
	restConfig := rest.CopyConfig(connection)
	restConfig.QPS = -1
	restConfig.Wrap(w.Log.wrap)
	scheme, err := controller.Scheme()
	if err != nil {
		w.T.Fatal(err)
	}
	mgr, err := manager.New(restConfig, manager.Options{
		Scheme:     scheme,
		Cache:      controller.CacheOptions(namespaces),
		Metrics:    metricsserver.Options{BindAddress: "0"},
		Controller: config.Controller{SkipNameValidation: ptr.To(true)},
	})
	if err != nil {
		w.T.Fatal(err)
	}
	if err := controller.Setup(w.T.Context(), mgr, controller.Options{
		Settle: Settle, Concurrency: 4, MetricLoopback: true, ProbeLoopback: true,
	}); err != nil {
		w.T.Fatal(err)
	}
	w.Stop = w.Run("the controllers", mgr.Start)
}

// Run runs something until the test ends, or until the function that is returned is called.
func (w *World) Run(what string, do func(context.Context) error) func() {
	w.T.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(w.T.Context()))
	done := make(chan error, 1)
	go func() { done <- do(ctx) }()
	var once sync.Once
	stop := func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
				w.T.Errorf("%s: %v", what, err)
			}
		})
	}
	w.T.Cleanup(stop)
	return stop
}

// Make creates an object in the namespace of the test.
func (w *World) Make(obj client.Object) {
	w.T.Helper()
	obj.SetNamespace(w.Namespace)
	if err := w.Client.Create(w.T.Context(), obj); err != nil {
		w.T.Fatal(err)
	}
}

// Remove deletes an object of the namespace of the test.
func (w *World) Remove(obj client.Object) {
	w.T.Helper()
	obj.SetNamespace(w.Namespace)
	if err := w.Client.Delete(w.T.Context(), obj); err != nil {
		w.T.Fatal(err)
	}
}

// Get reads an object of the namespace of the test.
func (w *World) Get(name string, obj client.Object) {
	w.T.Helper()
	if err := w.Client.Get(w.T.Context(), client.ObjectKey{Namespace: w.Namespace, Name: name}, obj); err != nil {
		w.T.Fatal(err)
	}
}

// Alter changes an object, however often somebody else does at the same time.
func Alter[T client.Object](w *World, name string, obj T, change func(T)) {
	w.T.Helper()
	w.Eventually("a change of "+name, func() (bool, string) {
		w.Get(name, obj)
		change(obj)
		err := w.Client.Update(w.T.Context(), obj)
		if err != nil && !apierrors.IsConflict(err) {
			w.T.Fatal(err)
		}
		return err == nil, "conflict"
	})
}

// Edit changes the Rollout.
func (w *World) Edit(change func(*v1alpha1.Rollout)) {
	w.T.Helper()
	Alter(w, "web", &v1alpha1.Rollout{}, change)
}

// Release asks for the template of builder.Rollout with an image.
func (w *World) Release(image string) {
	w.T.Helper()
	w.Edit(func(r *v1alpha1.Rollout) { r.Spec.Template = builder.Rollout("web").Image(image).Obj().Spec.Template })
}

// Command gives a command about the candidate.
func (w *World) Command(action string) {
	w.T.Helper()
	w.Edit(func(r *v1alpha1.Rollout) {
		r.Annotations = map[string]string{v1alpha1.AnnotationCommand: v1alpha1.Command{
			Action: action, Revision: r.Status.State.Candidate, ID: fmt.Sprintf("%s-%d", action, time.Now().UnixNano()),
		}.String()}
	})
}

// Eventually waits for a condition, which also says what it sees.
func (w *World) Eventually(what string, condition func() (bool, string)) {
	w.T.Helper()
	var seen string
	err := wait.PollUntilContextTimeout(w.T.Context(), Glance, Patience, true, func(context.Context) (ok bool, err error) {
		ok, seen = condition()
		return ok, nil
	})
	if err != nil {
		w.T.Fatalf("%s: not within %s: %s", what, Patience, seen)
	}
}

// Reaches waits for a status that speaks of the spec as it is now.
func (w *World) Reaches(what string, condition func(*v1alpha1.RolloutStatus) bool) *v1alpha1.RolloutStatus {
	w.T.Helper()
	var status v1alpha1.RolloutStatus
	w.Eventually(what, func() (bool, string) {
		rollout := w.Rollout()
		status = rollout.Status
		fresh := status.ObservedGeneration == rollout.Generation
		return fresh && condition(&status), fmt.Sprintf("%s, stage %q, step %s, weight %s: %s", status.Phase, status.State.Stage,
			status.Step, status.Weight, status.Message)
	})
	return &status
}

// Network is what a user of routes has made: a Service and an HTTPRoute, both called web.
func Network() []client.Object { return []client.Object{Service(), Route()} }

// Service is the active Service.
func Service() *corev1.Service { return builder.Service("", "web", "web") }

// Route sends everything to the active Service.
func Route() *gatewayv1.HTTPRoute { return builder.HTTPRoute("web", "gateway").Rule("/", "web").Obj() }
