package gatewayapi

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/yaml"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/golden"
)

func TestMain(m *testing.M) { golden.Main(m) }

// TestGolden renders testdata/*/in.yaml with the weight that its comment asks for and what the step beside it, if there is
// one, lays over it, for the Services web and web-standby, and compares the route with want.yaml. The first line of want.yaml says what was done.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*/in.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no test data: %v", err)
	}
	for _, file := range files {
		dir := filepath.Dir(file)
		t.Run(filepath.Base(dir), func(t *testing.T) {
			route, split := readGolden(t, file)
			golden.Compare(t, filepath.Join(dir, "want.yaml"), renderGolden(t, route, split))
		})
	}
}

func readGolden(t *testing.T, file string) (*unstructured.Unstructured, Split) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	comment := regexp.MustCompile(`(?m)^# weight: (.*)$`).FindSubmatch(text)
	if comment == nil {
		t.Fatal("in.yaml has no comment with the wanted weight")
	}
	weight, err := v1alpha1.ParseWeight(intstr.FromString(string(comment[1])))
	if err != nil {
		t.Fatal(err)
	}
	split := Split{Active: "web", Standby: "web-standby", Weight: weight}
	if text, err := os.ReadFile(filepath.Join(filepath.Dir(file), "step.yaml")); err == nil {
		split.Overlay = overlayOf(t, string(text))
	}
	return parseRoute(t, string(text)), split
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

// parseRoute reads a route as the API server would hand it out: whole numbers are int64.
func parseRoute(t testing.TB, text string) *unstructured.Unstructured {
	t.Helper()
	data, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	route := &unstructured.Unstructured{}
	if err := route.UnmarshalJSON(data); err != nil {
		t.Fatal(err)
	}
	return route
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
