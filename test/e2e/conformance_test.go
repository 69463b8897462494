//go:build e2e

package e2e

import (
	"testing"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/test/conformance/live"
	"github.com/sluice-dev/sluice/test/demo/workload"
)

// TestGatewayConformance holds the gateway of this cluster to what releases ask of one, as anybody can hold theirs to it with
// `make conformance`.
func TestGatewayConformance(t *testing.T) {
	t.Parallel()
	e := newEnv(t, "conformance")
	for _, object := range []client.Object{e.Service(), e.Route()} { // it makes its own
		if err := e.Delete(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
	results, err := live.Run(t.Context(), live.Options{
		Client: e, Namespace: e.Namespace, Gateway: types.NamespacedName{Namespace: e.Namespace, Name: workload.Name},
		Address: needed(t, "GATEWAY"), Image: e.AppImage, Answered: live.Answered(e.plain), Clock: clock.RealClock{},
	})
	for _, r := range results {
		t.Log(r.String())
		for _, broken := range r.Broken {
			t.Errorf("%s: %s", r.Promise, broken)
		}
	}
	if err != nil {
		t.Error(err)
	}
}
