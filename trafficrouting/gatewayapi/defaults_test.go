package gatewayapi

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/yaml"
)

// TestEveryPublishedDefaultIsKnown reads the CRDs of both channels: a default that is not known would have each route that is made
// written once more after each start of the controller.
func TestEveryPublishedDefaultIsKnown(t *testing.T) {
	folder, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/gateway-api").Output()
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(folder)), "config", "crd", "*", "*_*routes.yaml"))
	if err != nil || len(files) < 8 {
		t.Fatalf("%d files, error %v", len(files), err)
	}
	found := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		definition := &apiextensionsv1.CustomResourceDefinition{}
		if err := yaml.Unmarshal(text, definition); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for _, version := range definition.Spec.Versions {
			spec := version.Schema.OpenAPIV3Schema.Properties["spec"]
			found += holdDefaults(t, filepath.Base(file), "spec", spec)
		}
	}
	if found < 50 {
		t.Errorf("%d defaults were found in %d files", found, len(files))
	}
}

// holdDefaults looks at the fields of an object, by the field that holds it, and says how many have defaults.
func holdDefaults(t *testing.T, file, holder string, schema apiextensionsv1.JSONSchemaProps) (found int) {
	t.Helper()
	for key, field := range schema.Properties {
		if field.Default != nil {
			found++
			var value any
			if err := utiljson.Unmarshal(field.Default.Raw, &value); err != nil {
				t.Fatal(err)
			}
			with, without := map[string]any{"a": "b", key: value}, map[string]any{"a": "b"}
			if !same(holder, with, without) {
				t.Errorf("%s: %s.%s: the default %s is not known", file, holder, key, field.Default.Raw)
			}
		}
		inner := field
		if field.Items != nil {
			inner = *field.Items.Schema
		}
		found += holdDefaults(t, file, key, inner)
	}
	return found
}

// TestWhatIsNoDefaultCounts: of everything that is filled in, another value is another route.
func TestWhatIsNoDefaultCounts(t *testing.T) {
	for holder, fields := range filled() {
		for key, value := range fields {
			other := map[string]any{key: "another"}
			if same(holder, map[string]any{key: value}, other) || same(holder, map[string]any{}, other) {
				t.Errorf("%s.%s: another value is not noticed", holder, key)
			}
		}
	}
	for name, pair := range map[string][2]string{
		"a list in another order": {`[{"name": "a"}, {"name": "b"}]`, `[{"name": "b"}, {"name": "a"}]`},
		"one rule more":           {`[{"name": "a"}]`, `[{"name": "a"}, {}]`},
		"another type":            {`[{"name": "1"}]`, `[{"name": 1}]`},
	} {
		var a, b any
		if err := json.Unmarshal([]byte(pair[0]), &a); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(pair[1]), &b); err != nil {
			t.Fatal(err)
		}
		if same("rules", a, b) || reflect.DeepEqual(a, b) {
			t.Errorf("%s is not noticed", name)
		}
	}
}
