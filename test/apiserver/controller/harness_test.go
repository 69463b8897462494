//go:build apiserver

// Package controller_test runs the controllers against a real API server. Pods, endpoints and a gateway are stood in for
// by package dataplane.
package controller_test

import (
	"os"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/apiserver/env"
	"github.com/sluice-dev/sluice/test/apiserver/live"
	"github.com/sluice-dev/sluice/test/builder"
)

func TestMain(m *testing.M) {
	os.Exit(env.Main(m))
}

// world is an API server with the controllers and a data plane at work in the namespace of one test.
type world struct{ *live.World }

// start makes the objects and starts everything.
func start(t testing.TB, objects ...client.Object) *world {
	t.Helper()
	return &world{live.Start(t, objects...)}
}

// routed is a canary with a route: 20 %, a person, 50 %.
func routed() *builder.RolloutBuilder {
	return builder.Rollout("web").Image(live.ImageV1).Replicas(4).Services("web").Routes("web").
		Canary(builder.Step().Weight("20").Hold(), builder.Step().Weight("50")).
		With(func(r *v1alpha1.Rollout) {
			r.Spec.Strategy.Canary.ScaleDownDelay = &metav1.Duration{Duration: time.Second}
		})
}
