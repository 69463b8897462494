package live

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/demo/workload"
	"github.com/sluice-dev/sluice/test/load/generator"
	"github.com/sluice-dev/sluice/test/load/stats"
	"github.com/sluice-dev/sluice/trafficrouting"
)

// trial is what goes on while a Gateway is tried.
type trial struct {
	Options

	router trafficrouting.Router
	target trafficrouting.Target
	// class of the Gateway, and the features that it reports.
	class    string
	features []string
	// objects are those that were made, in order, and routes those of them that are shared.
	objects, routes []client.Object
	// written are the specs of the routes before the first weight, by name.
	written map[string]string
	loads   []*load
	// stop ends the loads, and waits until their last request has ended.
	stop    func()
	leftOut []Result
}

// load is one way of sending requests.
type load struct {
	name      string
	generator *generator.Generator
	// most is how many of its requests are waited for each time; 0 for one that is not waited for.
	most int64
}

// begin makes everything, waits until it serves, and begins the load.
func (t *trial) begin(ctx context.Context) error {
	t.stop = func() {}
	if err := t.learn(ctx); err != nil {
		return fmt.Errorf("reading Gateway %s: %w", t.Gateway, err)
	}
	if err := t.deploy(ctx); err != nil {
		return err
	}
	t.target = trafficrouting.Target{
		Namespace: t.Namespace, Active: workload.Name, Standby: workload.Standby, Informed: true,
	}
	t.written = map[string]string{}
	for _, route := range t.routes {
		t.target.Routes = append(t.target.Routes, trafficrouting.Route{
			Kind: kindOf(route), Namespace: t.Namespace, Name: route.GetName(), Field: "the route",
		})
		spec, err := t.specOf(ctx, route)
		if err != nil {
			return err
		}
		t.written[route.GetName()] = spec
	}
	if err := t.shift(ctx, 0, v1alpha1.Overlay{}); err != nil {
		return err
	}
	return t.send(ctx)
}

// learn reads what the class of the Gateway reports.
func (t *trial) learn(ctx context.Context) error {
	gateway, class := &gatewayv1.Gateway{}, &gatewayv1.GatewayClass{}
	if err := t.Client.Get(ctx, t.Gateway, gateway); err != nil {
		return err
	}
	t.class = string(gateway.Spec.GatewayClassName)
	if err := t.Client.Get(ctx, client.ObjectKey{Name: t.class}, class); err != nil {
		return err
	}
	for _, f := range class.Status.SupportedFeatures {
		t.features = append(t.features, string(f.Name))
	}
	return nil
}

// end ends the load and deletes what was made.
func (t *trial) end(ctx context.Context) error {
	t.stop()
	ctx = context.WithoutCancel(ctx)
	var failed []error
	for _, object := range slices.Backward(t.objects) {
		background := client.PropagationPolicy("Background")
		failed = append(failed, client.IgnoreNotFound(t.Client.Delete(ctx, object, background)))
	}
	return errors.Join(failed...)
}

// shift moves the weight and what is laid over it as a release does, and returns when that is in force: the Gateway has
// accepted every route, and has had its time.
func (t *trial) shift(ctx context.Context, tenths int32, overlay v1alpha1.Overlay) error {
	target := t.target
	target.Overlays = []v1alpha1.Overlay{{}}
	index := 0
	if !overlay.None() {
		target.Overlays, index = append(target.Overlays, overlay), 1
	}
	var seen trafficrouting.Observed
	err := wait.PollUntilContextTimeout(ctx, poll, patience, true, func(ctx context.Context) (bool, error) {
		var err error
		if seen, err = t.router.Observe(ctx, target); err != nil {
			return false, err
		}
		target.Routes = seen.Routes
		if seen.Weight == tenths && slices.Contains(seen.Overlays, index) {
			return seen.Accepted, nil
		}
		err = t.router.Apply(ctx, target, trafficrouting.Wanted{Weight: tenths, Overlay: overlay})
		if apierrors.IsConflict(err) {
			err = nil
		}
		return false, err
	})
	if err != nil {
		return fmt.Errorf("weight %s with %s: %w; the routes have weight %d, overlays %v, accepted %v; %v",
			v1alpha1.FormatWeight(tenths), overlay, err, seen.Weight, seen.Overlays, seen.Accepted, seen.Problems)
	}
	copy(t.target.Routes, target.Routes) // with what is remembered of them
	return t.wait(ctx, max(t.Settle, seen.Settle))
}

// wait lets time pass.
func (t *trial) wait(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.Clock.After(d):
		return nil
	}
}

// count waits until each load that is waited for has sent more requests, and gives what they came to.
func (t *trial) count(ctx context.Context) (map[string]stats.Tally, error) {
	from, counted := t.now(), map[string]stats.Tally{}
	err := wait.PollUntilContextTimeout(ctx, poll, patience, true, func(context.Context) (bool, error) {
		now := t.now()
		for _, l := range t.loads {
			if l.most == 0 {
				continue
			}
			if counted[l.name] = now[l.name].Minus(from[l.name]); counted[l.name].All.Requests < l.most {
				return false, nil
			}
		}
		return true, nil
	})
	return counted, err
}

// specOf is what a route says, as JSON.
func (t *trial) specOf(ctx context.Context, route client.Object) (string, error) {
	if err := t.Client.Get(ctx, client.ObjectKeyFromObject(route), route); err != nil {
		return "", err
	}
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(route)
	if err != nil {
		return "", err
	}
	spec, err := json.Marshal(content["spec"])
	return string(spec), err
}
