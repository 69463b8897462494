//go:build apiserver

package apiserver_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/sluice-dev/sluice/test/apiserver/env"
)

// TestInvalidObjectsAreRefused creates every object of testdata/invalid, and wants it refused with the message that its
// first line gives, and for no other reason.
func TestInvalidObjectsAreRefused(t *testing.T) {
	e := env.Start(t)
	files, err := filepath.Glob("testdata/invalid/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 40 {
		t.Fatalf("%d objects in testdata/invalid, want at least 40", len(files))
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			want, object := readInvalid(t, file)
			object.SetNamespace(e.Namespace)
			err := e.Client.Create(t.Context(), object, client.FieldValidation(metav1.FieldValidationStrict))
			if err == nil {
				t.Fatalf("accepted; want it refused: %s", want)
			}
			if !apierrors.IsInvalid(err) && !apierrors.IsBadRequest(err) {
				t.Fatalf("failed for another reason: %v", err)
			}
			if !strings.Contains(err.Error(), want) {
				t.Errorf("refused with\n%v\nwant in it\n%s", err, want)
			}
			if causes := causesOf(err); len(causes) > 1 {
				t.Errorf("refused for %d reasons, want 1:\n%s", len(causes), strings.Join(causes, "\n"))
			}
		})
	}
}

// readInvalid reads an object and the message that its first line wants.
func readInvalid(t *testing.T, file string) (want string, object *unstructured.Unstructured) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(text), "\n")
	want, ok := strings.CutPrefix(first, "# want: ")
	if !ok || want == "" {
		t.Fatalf("%s: the first line is %q, want `# want: <message>`", file, first)
	}
	object = &unstructured.Unstructured{}
	if err := yaml.UnmarshalStrict(text, object); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return want, object
}

// causesOf lists the reasons of a refusal, without the note that rules wait until the schema is satisfied, and without
// what the scale subresource says of replicas again, under a path with a dot before it.
func causesOf(err error) []string {
	var causes []string
	status, ok := err.(apierrors.APIStatus)
	if !ok || status.Status().Details == nil {
		return nil
	}
	for _, cause := range status.Status().Details.Causes {
		waits := strings.Contains(cause.Message, "some validation rules were not checked")
		if !waits && !strings.HasPrefix(cause.Field, ".") {
			causes = append(causes, cause.Field+": "+cause.Message)
		}
	}
	return causes
}
