package rollout

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

func TestSettleTime(t *testing.T) {
	for name, row := range map[string]struct {
		spec               *metav1.Duration
		given, known, want time.Duration
	}{
		"of the spec":                   {&metav1.Duration{Duration: time.Second}, time.Second, time.Minute, time.Second},
		"of the gateways":               {nil, 2 * time.Second, time.Minute, time.Minute},
		"of unknown gateways":           {nil, 2 * time.Second, 0, 2 * time.Second},
		"given more than gateways take": {nil, 30 * time.Second, 3 * time.Second, 30 * time.Second},
		"none":                          {nil, 0, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			if got := settleTime(&v1alpha1.Traffic{SettleTime: row.spec}, row.given, row.known); got != row.want {
				t.Errorf("settle time %s, want %s", got, row.want)
			}
		})
	}
}

func TestWhatNeedNotBeThereIsNotAskedForAllTheTime(t *testing.T) {
	asked, served := 0, false
	watches := routeWatches{start: func(schema.GroupVersionKind) func(context.Context) (func() bool, error) {
		return func(context.Context) (func() bool, error) {
			if asked++; !served {
				return nil, errors.New("not served")
			}
			return func() bool { return true }, nil
		}
	}}
	kind := schema.GroupVersionKind{Group: "gateway.networking.k8s.io", Version: "v1", Kind: "GatewayClass"}
	now := time.Unix(1_000_000, 0)
	for range 5 {
		if _, err := watches.try(t.Context(), kind, now); err == nil {
			t.Error("a kind that is not served is watched")
		}
	}
	if asked != 1 {
		t.Errorf("the cluster was asked %d times, want once", asked)
	}
	served = true
	if waited, err := watches.try(t.Context(), kind, now.Add(routesRetry)); waited != 0 || err != nil {
		t.Errorf("waited %s, error %v, want neither once it is served", waited, err)
	}
}

func TestAClassWakesRolloutsThatShareRoutes(t *testing.T) {
	h := newHarness(t, append(network(), routed().Obj())...)
	class := newLoose(schema.GroupVersionKind{Group: "gateway.networking.k8s.io", Version: "v1", Kind: "GatewayClass"})
	class.SetName("edge")
	want := []reconcile.Request{requestFor(client.ObjectKey{Namespace: namespace, Name: "web"})}
	if diff := cmp.Diff(want, h.r.namingRoute("GatewayClass")(t.Context(), class)); diff != "" {
		t.Errorf("woken by a GatewayClass (-want +got):\n%s", diff)
	}
}
