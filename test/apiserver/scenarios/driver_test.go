//go:build apiserver

package scenarios_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller"
	"github.com/sluice-dev/sluice/test/apiserver/env"
	"github.com/sluice-dev/sluice/test/dataplane"
	"github.com/sluice-dev/sluice/test/scenario"
	"github.com/sluice-dev/sluice/test/scenario/objects"
)

const (
	// glance is how often the driver looks, and pods and the gateway.
	glance = 150 * time.Millisecond
	settle = 100 * time.Millisecond
)

// driver plays a scenario in a namespace of its own: with the real API server and the real controllers, and with pods, a
// gateway and measurements that are stood in for.
type driver struct {
	t       testing.TB
	env     *env.Env
	world   *objects.World
	plane   *dataplane.Plane
	verdict atomic.Value
	stop    func()
}

func newDriver(t testing.TB) *driver {
	t.Helper()
	d := &driver{t: t, env: env.Start(t)}
	d.world = objects.New(d.env.Client, d.env.Namespace, objects.Plain(d.prometheus()))
	d.plane = &dataplane.Plane{Client: d.env.Client, Namespace: d.env.Namespace, Now: clock.RealClock{}.Now}
	d.run("the data plane", func(ctx context.Context) error { return d.plane.Run(ctx, glance) })
	return d
}

// has are the needs that the driver fulfils.
func has() []scenario.Need {
	return []scenario.Need{scenario.NeedVerdicts, scenario.NeedPods, scenario.NeedGateway, scenario.NeedController, scenario.NeedValidation}
}

// prometheus serves the verdict of the moment, or no data.
func (d *driver) prometheus() string {
	d.t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, _ *http.Request) {
		out.Header().Set("Content-Type", "application/json")
		if value, ok := d.verdict.Load().(float64); ok {
			fmt.Fprintf(out, `{"status":"success","data":{"resultType":"scalar","result":[1,"%g"]}}`, value)
			return
		}
		fmt.Fprint(out, `{"status":"success","data":{"resultType":"vector","result":[]}}`)
	}))
	d.t.Cleanup(server.Close)
	return server.URL
}

// Setup makes what the user has, and starts the controllers.
func (d *driver) Setup(ctx context.Context, _ v1alpha1.RolloutSpec) error {
	if err := d.world.Setup(ctx); err != nil {
		return err
	}
	return d.start()
}

// Do makes an event happen.
func (d *driver) Do(ctx context.Context, e scenario.Event) error {
	if done, err := d.world.Do(ctx, e); done || err != nil {
		return err
	}
	switch e.Kind { //nolint:exhaustive // the others are done
	case scenario.Unready, scenario.Ready:
		d.plane.Hold(objects.Image(e.Version), e.Kind == scenario.Unready)
	case scenario.Refuse:
		d.plane.Refuse(scenario.Name, "refused by the scenario")
	case scenario.Accept:
		d.plane.Refuse(scenario.Name, "")
	case scenario.Verdict:
		d.verdict.Store(objects.Figure(e.Phase))
	case scenario.Stop:
		d.stop()
	case scenario.Start:
		return d.start()
	}
	return nil
}

// Watch lets the world go on.
func (d *driver) Watch(ctx context.Context, limit time.Duration, enough func(scenario.Picture) bool) error {
	return d.world.Watch(ctx, objects.Pace{
		Clock: clock.RealClock{}, Glance: glance, Grace: 10 * time.Second, Patience: time.Minute,
	}, limit, enough)
}

// start starts the controllers as cmd/sluice does.
func (d *driver) start() error {
	restConfig := rest.CopyConfig(d.env.Config)
	restConfig.QPS = -1
	scheme, err := controller.Scheme()
	if err != nil {
		return err
	}
	mgr, err := manager.New(restConfig, manager.Options{
		Scheme:     scheme,
		Cache:      controller.CacheOptions([]string{d.env.Namespace}),
		Metrics:    metricsserver.Options{BindAddress: "0"},
		Controller: config.Controller{SkipNameValidation: ptr.To(true)},
	})
	if err != nil {
		return err
	}
	err = controller.Setup(d.t.Context(), mgr, controller.Options{Settle: settle, Concurrency: 2, MetricLoopback: true})
	if err != nil {
		return err
	}
	d.stop = d.run("the controllers", mgr.Start)
	return nil
}

// run runs something until the test ends, or until the function that is returned is called.
func (d *driver) run(what string, do func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(d.t.Context()))
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := do(ctx); err != nil && !errors.Is(err, context.Canceled) {
			d.t.Errorf("%s: %v", what, err)
		}
	}()
	stop = func() {
		cancel()
		<-done
	}
	d.t.Cleanup(stop)
	return stop
}
