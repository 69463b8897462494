package gatewayapi

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/golden"
	"github.com/sluice-dev/sluice/test/golden/render"
)

func TestMain(m *testing.M) { golden.Main(m) }

// TestGolden renders testdata/*/in.yaml with the weight that its comment asks for and what the step beside it, if there is
// one, and cohorts.yaml lay over it, for the Services web and web-standby, and compares the route with want.yaml. The first line of want.yaml says what was done.
func TestGolden(t *testing.T) {
	golden.Inputs(t, func(t *testing.T, file string) string {
		t.Helper()
		route, split := readGolden(t, file)
		return renderGolden(t, route, split)
	})
}

func readGolden(t *testing.T, file string) (*unstructured.Unstructured, Split) {
	t.Helper()
	text := golden.Read(t, file)
	split := Split{Active: "web", Standby: "web-standby"}
	split.Weight, _ = render.Weight(t, text)
	if step, err := os.ReadFile(filepath.Join(filepath.Dir(file), "step.yaml")); err == nil {
		split.Overlay = overlayOf(t, string(step))
	}
	if text, err := os.ReadFile(filepath.Join(filepath.Dir(file), "cohorts.yaml")); err == nil {
		split.Overlay.Field, split.Overlay.Cohorts = "spec.strategy.canary.steps[1]", &v1alpha1.Cohorts{}
		if err := yaml.UnmarshalStrict(text, split.Overlay.Cohorts); err != nil {
			t.Fatal(err)
		}
	}
	return render.Parse(t, text), split
}

// overlayOf is what a step asks for.
func overlayOf(t testing.TB, text string) v1alpha1.Overlay {
	t.Helper()
	var step v1alpha1.CanaryStep
	if err := yaml.UnmarshalStrict([]byte(text), &step); err != nil {
		t.Fatal(err)
	}
	spec := v1alpha1.RolloutSpec{Strategy: v1alpha1.Strategy{Canary: &v1alpha1.CanaryStrategy{Steps: []v1alpha1.CanaryStep{step}}}}
	all, of := spec.Overlays()
	return all[of[0]]
}

// renderGolden writes down what Render did, and holds what must be so for every route: the input is left alone, what
// was written reads back as the weight that was asked for, and a second time there is nothing to write.
func renderGolden(t *testing.T, route *unstructured.Unstructured, split Split) string {
	t.Helper()
	before := route.DeepCopy()
	desired, changed, err := Render(route, split)
	if diff := cmp.Diff(before.Object, route.Object); diff != "" {
		t.Errorf("Render changed its input:\n%s", diff)
	}
	var mend *RouteError
	if errors.As(err, &mend) {
		return fmt.Sprintf("# %s: %s.\n", mend.Reason, mend.Message)
	}
	if err != nil {
		t.Fatal(err)
	}
	holdRead(t, desired, split)
	if !changed {
		if diff := cmp.Diff(before.Object, desired.Object); diff != "" {
			t.Errorf("Render says that nothing changed:\n%s", diff)
		}
		return "# Nothing to write.\n"
	}
	out, err := yaml.Marshal(desired.Object)
	if err != nil {
		t.Fatal(err)
	}
	return "# Written once.\n" + string(out)
}

// holdRead holds that a rendered route reads back as what was asked for, and that there is nothing left to write.
func holdRead(t *testing.T, desired *unstructured.Unstructured, split Split) {
	t.Helper()
	if got, err := Weight(desired, split); err != nil || got != split.Weight {
		t.Fatalf("weight %d reads back as %d, error %v\n%s", split.Weight, got, err, describe(desired))
	}
	if again, changed, err := Render(desired, split); err != nil || changed || !cmp.Equal(desired, again) {
		t.Fatalf("weight %d is written a second time, error %v\n%s", split.Weight, err, describe(desired))
	}
	if fits, err := Laid(desired, split, []v1alpha1.Overlay{split.Overlay}); err != nil || len(fits) != 1 {
		t.Fatalf("the overlay %q is not seen, error %v\n%s", split.Overlay, err, describe(desired))
	}
}
