package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/yaml"
)

const (
	types = "../../../api/v1alpha1"
	// annotationLimit is what all annotations of an object may hold together. kubectl apply keeps the whole object, as
	// JSON, in one of them.
	annotationLimit = 262144
)

// TestDefinitions generates twice, as Go goes through maps in another order each time, and looks at what came out.
func TestDefinitions(t *testing.T) {
	first, err := Generate(types)
	if err != nil {
		t.Fatal(err)
	}
	second, err := Generate(types)
	if err != nil {
		t.Fatal(err)
	}
	if len(first) != 4 {
		t.Errorf("%d definitions, want those of 4 kinds", len(first))
	}
	for name, text := range first {
		if !bytes.Equal(text, second[name]) {
			t.Errorf("%s differs from one time to the next", name)
		}
		asJSON, err := yaml.YAMLToJSON(text)
		if err != nil {
			t.Fatal(err)
		}
		if len(asJSON) >= annotationLimit {
			t.Errorf("%s has %d bytes as JSON: too large for a client-side apply, which takes less than %d", name,
				len(asJSON), annotationLimit)
		}
	}
	t.Run("template", func(t *testing.T) {
		definition := &apiextensionsv1.CustomResourceDefinition{}
		if err := yaml.UnmarshalStrict(first["sluice.dev_rollouts.yaml"], definition); err != nil {
			t.Fatal(err)
		}
		template := definition.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["spec"].Properties["template"]
		checkTemplate(t, template)
	})
}

func checkTemplate(t *testing.T, template apiextensionsv1.JSONSchemaProps) {
	t.Helper()
	if template.Description == "" || len(template.XValidations) == 0 {
		t.Error("the field lost its description or its rules to the graft")
	}
	template.Description, template.XValidations = "", nil
	objects, keyed := 0, map[string][]string{}
	walk(&template, "template", func(s *apiextensionsv1.JSONSchemaProps, path string) {
		checkOpen(t, s, path)
		if s.Type == "object" {
			objects++
		}
		if len(s.XListMapKeys) > 0 {
			keyed[path] = s.XListMapKeys
			checkKeys(t, s, path)
		}
	})
	if objects < 100 {
		t.Errorf("%d objects in the schema: that is no pod template", objects)
	}
	for path, want := range map[string][]string{
		"template.spec.containers":                {"name"},
		"template.spec.initContainers":            {"name"},
		"template.spec.volumes":                   {"name"},
		"template.spec.containers[].env":          {"name"},
		"template.spec.containers[].ports":        {"containerPort", "protocol"},
		"template.spec.containers[].volumeMounts": {"mountPath"},
	} {
		if got := keyed[path]; !slices.Equal(got, want) {
			t.Errorf("items of %s are told apart by %v, want %v", path, got, want)
		}
	}
}

// checkOpen wants a schema that says no more than a merge needs.
func checkOpen(t *testing.T, s *apiextensionsv1.JSONSchemaProps, path string) {
	t.Helper()
	if s.Description != "" || len(s.Enum) > 0 || len(s.XValidations) > 0 {
		t.Errorf("%s has a description, an enumeration or a rule", path)
	}
	isMap := s.AdditionalProperties != nil
	if s.Type == "object" && !isMap && !ptr.Deref(s.XPreserveUnknownFields, false) {
		t.Errorf("%s drops fields that it does not know", path)
	}
}

// checkKeys wants every key of a list to be there in every item: required, or filled in.
func checkKeys(t *testing.T, list *apiextensionsv1.JSONSchemaProps, path string) {
	t.Helper()
	item := list.Items.Schema
	for name, property := range item.Properties {
		isKey := slices.Contains(list.XListMapKeys, name)
		if isKey && property.Default == nil && !slices.Contains(item.Required, name) {
			t.Errorf("%s: key %s is neither required nor has a default", path, name)
		}
		if !isKey && property.Default != nil {
			t.Errorf("%s: %s has a default, which would change templates of objects that exist", path, name)
		}
	}
}

func walk(s *apiextensionsv1.JSONSchemaProps, path string, visit func(*apiextensionsv1.JSONSchemaProps, string)) {
	visit(s, path)
	for name, property := range s.Properties {
		walk(&property, path+"."+name, visit)
	}
	if s.Items != nil && s.Items.Schema != nil {
		walk(s.Items.Schema, path+"[]", visit)
	}
	if s.AdditionalProperties != nil && s.AdditionalProperties.Schema != nil {
		walk(s.AdditionalProperties.Schema, path+"{}", visit)
	}
}

func TestRunReplacesWhatIsThere(t *testing.T) {
	out := t.TempDir()
	// The first is of a kind that is no more, the second not ours to remove.
	for _, name := range []string{"sluice.dev_oldkinds.yaml", "role_binding.yaml"} {
		if err := os.WriteFile(filepath.Join(out, name), []byte("kind: gone\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := run(types, out); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(out, "*"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, file := range files {
		names = append(names, filepath.Base(file))
	}
	want := []string{
		"role_binding.yaml", "sluice.dev_analysisruns.yaml", "sluice.dev_analysistemplates.yaml",
		"sluice.dev_clusteranalysistemplates.yaml", "sluice.dev_rollouts.yaml",
	}
	if !slices.Equal(names, want) {
		t.Errorf("files %v, want %v", names, want)
	}
}

func TestGenerateWithoutTypes(t *testing.T) {
	if _, err := Generate(t.TempDir()); err == nil {
		t.Error("a folder without Go gives no error")
	}
}

func TestRulesRefuseMarkersThatMakeNoSense(t *testing.T) {
	s := &apiextensionsv1.JSONSchemaProps{}
	if err := (Duration{Min: "a second", Max: "1h", Example: "1m"}).ApplyToSchema(nil, s); err == nil {
		t.Error("a bound that is no duration gives no error")
	}
	if err := (Pods{MaxPercent: 50}).ApplyToSchema(nil, s); err == nil {
		t.Error("a percentage without a pattern gives no error")
	}
	if err := (Name{Of: "a Service", Example: "web"}).ApplyToSchema(nil, s); err != nil || len(s.XValidations) != 1 ||
		!strings.Contains(s.XValidations[0].Message, "such as web") {
		t.Errorf("error %v, rules %v", err, s.XValidations)
	}
}
