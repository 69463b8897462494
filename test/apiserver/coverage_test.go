//go:build apiserver

package apiserver_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"
)

// TestEveryRuleRefusesSomething holds that the corpus knows every rule of the schema by its message. Rules over two
// versions of an object (oldSelf) are update_test.go's.
func TestEveryRuleRefusesSomething(t *testing.T) {
	files, err := filepath.Glob("testdata/invalid/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var wants []string
	for _, file := range files {
		want, _ := readInvalid(t, file)
		wants = append(wants, want)
	}
	rules := 0
	for _, definition := range definitions(t) {
		visitRules(definition.Spec.Versions[0].Schema.OpenAPIV3Schema, func(rule apiextensionsv1.ValidationRule) {
			rules++
			known := slices.ContainsFunc(wants, func(want string) bool { return strings.Contains(rule.Message, want) })
			if !known && !strings.Contains(rule.Rule, "oldSelf") {
				t.Errorf("%s: no object is refused with: %s", definition.Name, rule.Message)
			}
		})
	}
	if rules < 40 {
		t.Errorf("%d rules found, want at least 40", rules)
	}
}

// definitions reads the CRDs.
func definitions(t *testing.T) []*apiextensionsv1.CustomResourceDefinition {
	t.Helper()
	files, err := filepath.Glob("../../config/crd/*.yaml")
	if err != nil || len(files) != 4 {
		t.Fatalf("%d definitions, error %v; want 4", len(files), err)
	}
	found := make([]*apiextensionsv1.CustomResourceDefinition, 0, len(files))
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		definition := &apiextensionsv1.CustomResourceDefinition{}
		if err := yaml.UnmarshalStrict(text, definition); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		found = append(found, definition)
	}
	return found
}

func visitRules(s *apiextensionsv1.JSONSchemaProps, visit func(apiextensionsv1.ValidationRule)) {
	for _, rule := range s.XValidations {
		visit(rule)
	}
	for _, property := range s.Properties {
		visitRules(&property, visit)
	}
	if s.Items != nil && s.Items.Schema != nil {
		visitRules(s.Items.Schema, visit)
	}
}
