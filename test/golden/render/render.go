// Package render compares what routers make of objects with files of testdata.
package render

import (
	"errors"
	"fmt"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/yaml"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/golden"
	"github.com/sluice-dev/sluice/trafficrouting"
	"github.com/sluice-dev/sluice/trafficrouting/inplace"
)

// Golden renders testdata/*/in.yaml as its comments ask for, for the Services web and web-standby in the namespace shop, and
// compares the object with want.yaml, whose first line says what was done:
//
//	# weight: 20         the share of the standby Service, or "detach" to take it out
//	# rules: primary     the named parts, each in a comment of its own
func Golden(t *testing.T, kind inplace.Kind) {
	t.Helper()
	golden.Inputs(t, func(t *testing.T, file string) string {
		t.Helper()
		return rendered(t, kind, golden.Read(t, file))
	})
}

// rendered writes down what was done with an object, and holds what must be so for every object: the input is left alone,
// what was written reads back as what was asked for, and a second time there is nothing to write.
func rendered(t *testing.T, kind inplace.Kind, text string) string {
	t.Helper()
	split, render := asked(t, text)
	object := Parse(t, text)
	before := object.DeepCopy()
	desired, changed, err := render(kind, object, split)
	if diff := cmp.Diff(before.Object, object.Object); diff != "" {
		t.Errorf("the input was changed:\n%s", diff)
	}
	if err != nil {
		return told(t, kind, object, split, err)
	}
	holdRead(t, kind, desired, split)
	if again, changed, err := render(kind, desired, split); err != nil || changed || !cmp.Equal(desired, again) {
		t.Errorf("it is written a second time, error %v", err)
	}
	if !changed {
		if diff := cmp.Diff(before.Object, desired.Object); diff != "" {
			t.Errorf("it says that nothing changed:\n%s", diff)
		}
		return "# Nothing to write.\n"
	}
	out, err := yaml.Marshal(desired.Object)
	if err != nil {
		t.Fatal(err)
	}
	return "# Written once.\n" + string(out)
}

// told writes down what a person is told, who must have been told it before.
func told(t *testing.T, kind inplace.Kind, object *unstructured.Unstructured, split inplace.Split, err error) string {
	t.Helper()
	var mend *trafficrouting.RouteError
	if !errors.As(err, &mend) {
		t.Fatal(err)
	}
	if _, _, found := inplace.Weight(kind, object, split); found == nil {
		t.Errorf("before a release starts, nobody is told that %v", err)
	}
	return fmt.Sprintf("# %s: %s.\n", mend.Reason, mend.Message)
}

func holdRead(t *testing.T, kind inplace.Kind, desired *unstructured.Unstructured, split inplace.Split) {
	t.Helper()
	if got, _, err := inplace.Weight(kind, desired, split); got != split.Weight {
		t.Errorf("weight %d reads back as %d, error %v", split.Weight, got, err)
	}
}

type renderer func(inplace.Kind, *unstructured.Unstructured, inplace.Split) (*unstructured.Unstructured, bool, error)

// asked reads the comments.
func asked(t *testing.T, text string) (inplace.Split, renderer) {
	t.Helper()
	split := inplace.Split{Namespace: "shop", Active: "web", Standby: "web-standby"}
	for _, rule := range regexp.MustCompile(`(?m)^# rules: (.*)$`).FindAllStringSubmatch(text, -1) {
		split.Rules = append(split.Rules, rule[1])
	}
	var detach bool
	if split.Weight, detach = Weight(t, text); detach {
		return split, inplace.Without
	}
	return split, inplace.Render
}

// Weight is the share of the standby Service, in tenths of a percent, that the comment "# weight: 20" of a text asks for;
// detach when it is "# weight: detach".
func Weight(t *testing.T, text string) (weight int32, detach bool) {
	t.Helper()
	comment := regexp.MustCompile(`(?m)^# weight: (.*)$`).FindStringSubmatch(text)
	if comment == nil {
		t.Fatal("there is no comment with the wanted weight")
	}
	if comment[1] == "detach" {
		return 0, true
	}
	weight, err := v1alpha1.ParseWeight(intstr.FromString(comment[1]))
	if err != nil {
		t.Fatal(err)
	}
	return weight, false
}

// Parse reads an object as the API server would hand it out: whole numbers are int64.
func Parse(t testing.TB, text string) *unstructured.Unstructured {
	t.Helper()
	data, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	object := &unstructured.Unstructured{}
	if err := object.UnmarshalJSON(data); err != nil {
		t.Fatal(err)
	}
	return object
}

// Returns takes the object of every testdata/*/in.yaml that can be shared through weights as a Rollout does, which looks at the object
// before each write, and holds that it is what it was, to the last byte, when the standby Service has no share any more.
func Returns(t *testing.T, kind inplace.Kind) {
	t.Helper()
	shared := 0
	for _, file := range golden.Files(t) {
		text := golden.Read(t, file)
		split, _ := asked(t, text)
		object := Parse(t, text)
		if weight, _, err := inplace.Weight(kind, object, split); err != nil || weight != 0 {
			continue
		}
		shared++
		after := object
		var err error
		for _, split.Weight = range []int32{200, 1, 1000, 125, 0} {
			split.Before = inplace.Before(kind, after, split)
			if after, _, err = inplace.Render(kind, after, split); err != nil {
				t.Fatalf("%s: weight %d: %v", file, split.Weight, err)
			}
		}
		if diff := cmp.Diff(object.Object, after.Object); diff != "" {
			t.Errorf("%s is not what it was (-want +got):\n%s", file, diff)
		}
	}
	if shared == 0 {
		t.Error("nothing could be shared")
	}
}
