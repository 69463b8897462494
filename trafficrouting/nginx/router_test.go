package nginx

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/yaml"

	"github.com/sluice-dev/sluice/test/golden"
	"github.com/sluice-dev/sluice/test/golden/render"
	"github.com/sluice-dev/sluice/trafficrouting"
	"github.com/sluice-dev/sluice/trafficrouting/routertest"
)

func TestMain(m *testing.M) { golden.Main(m) }

func TestConformance(t *testing.T) {
	routertest.Run(t, func(t *testing.T) routertest.World {
		t.Helper()
		return routertest.NewIngresses(fakeServer(t), "shop", func(c client.Client) trafficrouting.Router { return New(c, c) })
	}, routertest.Features{Unreported: true})
}

func fakeServer(t *testing.T, objects ...client.Object) client.WithWatch {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := networkingv1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	return fake.NewClientBuilder().WithScheme(scheme).WithReturnManagedFields().WithObjects(objects...).Build()
}

// TestGolden renders the canary Ingress beside the first object of testdata/*/in.yaml, with the second one as it is now, for the
// Services web and web-standby and the weight in its comment.
func TestGolden(t *testing.T) {
	golden.Inputs(t, func(t *testing.T, file string) string {
		t.Helper()
		return rendered(t, golden.Read(t, file))
	})
}

func rendered(t *testing.T, text string) string {
	t.Helper()
	ingress, current, s := asked(t, text)
	before := ingress.DeepCopy()
	desired, changed, err := Render(ingress, current, s)
	if diff := cmp.Diff(before.Object, ingress.Object); diff != "" {
		t.Errorf("the Ingress of the user was changed:\n%s", diff)
	}
	var mend *trafficrouting.RouteError
	if errors.As(err, &mend) {
		return fmt.Sprintf("# %s: %s.\n", mend.Reason, mend.Message)
	}
	if err != nil {
		t.Fatal(err)
	}
	if got := ShareOf(desired); got != s.Weight {
		t.Errorf("weight %d reads back as %d", s.Weight, got)
	}
	if _, again, err := Render(ingress, desired, s); err != nil || again {
		t.Errorf("it is written a second time, error %v", err)
	}
	if !changed {
		return "# Nothing to write.\n"
	}
	out, err := yaml.Marshal(desired.Object)
	if err != nil {
		t.Fatal(err)
	}
	return "# Written once.\n" + string(out)
}

// asked reads the objects, and the weight in the comment.
func asked(t *testing.T, text string) (ingress, current *unstructured.Unstructured, s Split) {
	t.Helper()
	own, beside, found := strings.Cut(text, "\n---\n")
	if found {
		current = render.Parse(t, beside)
	}
	weight, _ := render.Weight(t, text)
	return render.Parse(t, own), current, Split{Active: "web", Standby: "web-standby", Canary: "web-web-standby", Weight: weight}
}

// TestChangedIngress holds that a change of the user's Ingress during a release is followed: the weight is unknown until then.
func TestChangedIngress(t *testing.T) {
	c := fakeServer(t)
	w := routertest.NewIngresses(c, "shop", func(c client.Client) trafficrouting.Router { return New(c, c) })
	w.Put(t, "shop", routertest.Backend{Service: routertest.Active, Weight: 1})
	apply(t, w, 200)
	ingress := &networkingv1.Ingress{}
	if err := c.Get(t.Context(), client.ObjectKey{Namespace: "shop", Name: "shop"}, ingress); err != nil {
		t.Fatal(err)
	}
	ingress.Spec.Rules[1].HTTP.Paths[0].Backend.Service.Name = routertest.Active
	if err := c.Update(t.Context(), ingress); err != nil {
		t.Fatal(err)
	}
	if got, err := w.Router().Observe(t.Context(), w.Target("shop")); err != nil || got.Weight != trafficrouting.WeightUnknown {
		t.Errorf("weight is %d with a path that is not shared yet, error %v", got.Weight, err)
	}
	apply(t, w, 200)
	canary := &networkingv1.Ingress{}
	if err := c.Get(t.Context(), client.ObjectKey{Namespace: "shop", Name: "shop-canary"}, canary); err != nil {
		t.Fatal(err)
	}
	if len(canary.Spec.Rules) != 2 || canary.Spec.Rules[1].Host != "old.example.com" {
		t.Errorf("the canary Ingress has %v", canary.Spec.Rules)
	}
}

// TestStranger holds that a canary Ingress that somebody else made is told of, neither written nor deleted.
func TestStranger(t *testing.T) {
	c := fakeServer(t)
	w := routertest.NewIngresses(c, "shop", func(c client.Client) trafficrouting.Router { return New(c, c) })
	w.Put(t, "shop", routertest.Backend{Service: routertest.Active, Weight: 1})
	stranger := &networkingv1.Ingress{}
	stranger.Namespace, stranger.Name = "shop", "shop-canary"
	if err := c.Create(t.Context(), stranger); err != nil {
		t.Fatal(err)
	}
	for _, weight := range []int32{200, 0} {
		apply(t, w, weight)
	}
	if w.Writes() != 0 {
		t.Errorf("%d writes", w.Writes())
	}
	got, err := w.Router().Observe(t.Context(), w.Target("shop"))
	if err != nil || len(got.Problems) != 1 || !strings.Contains(got.Problems[0].Message, "somebody else's") || got.Attached {
		t.Errorf("observed %+v, error %v", got, err)
	}
}

func apply(t *testing.T, w routertest.World, weight int32) {
	t.Helper()
	if err := w.Router().Apply(t.Context(), w.Target("shop"), trafficrouting.Wanted{Weight: weight}); err != nil {
		t.Fatal(err)
	}
}
