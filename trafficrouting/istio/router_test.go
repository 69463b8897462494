package istio

import (
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/sluice-dev/sluice/test/builder"
	"github.com/sluice-dev/sluice/test/golden"
	"github.com/sluice-dev/sluice/test/golden/render"
	"github.com/sluice-dev/sluice/trafficrouting"
	"github.com/sluice-dev/sluice/trafficrouting/routertest"
)

func TestMain(m *testing.M) { golden.Main(m) }

func TestGolden(t *testing.T) { render.Golden(t, VirtualService{}) }

func TestReturns(t *testing.T) { render.Returns(t, VirtualService{}) }

func TestConformance(t *testing.T) {
	routertest.Run(t, func(t *testing.T) routertest.World {
		t.Helper()
		c := fake.NewClientBuilder().WithScheme(runtime.NewScheme()).WithReturnManagedFields().Build()
		shape := routertest.VirtualServices()
		return routertest.NewObjects(c, "shop", shape, func(c client.Client) trafficrouting.Router {
			return New(c, c, builder.Mapper(shape.Kind))
		})
	}, routertest.Features{Others: true, Unreported: true})
}
