package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"golang.org/x/tools/go/packages"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-tools/pkg/crd"
	crdmarkers "sigs.k8s.io/controller-tools/pkg/crd/markers"
	"sigs.k8s.io/controller-tools/pkg/loader"
	"sigs.k8s.io/controller-tools/pkg/markers"
	"sigs.k8s.io/yaml"
)

const (
	header      = "# Made from the types in api/ by `make generate`. Change the types, not this file.\n---\n"
	corePackage = "k8s.io/api/core/v1"
	rolloutKind = "Rollout"
)

// errLoad tells that the parser has printed what it did not like.
var errLoad = errors.New("the types do not load; see the messages above")

// Generate reads the package in a folder and returns the definitions of its kinds, as YAML by file name.
func Generate(folder string) (map[string][]byte, error) {
	root, parser, err := load(folder)
	if err != nil {
		return nil, err
	}
	// Kinds are looked for before the parser learns the types of Kubernetes, which are kinds too.
	kinds := crd.FindKubeKinds(parser, crd.FindMetav1([]*loader.Package{root}))
	template, err := podTemplateSchema(root, parser)
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for _, kind := range kinds {
		parser.NeedCRDFor(kind, nil)
		definition := parser.CustomResourceDefinitions[kind]
		crd.FixTopLevelMetadata(definition)
		if kind.Kind == rolloutKind {
			if err := graft(&definition, template); err != nil {
				return nil, err
			}
		}
		text, err := write(&definition)
		if err != nil {
			return nil, err
		}
		files[definition.Spec.Group+"_"+definition.Spec.Names.Plural+".yaml"] = text
	}
	if loader.PrintErrors([]*loader.Package{root}, packages.TypeError) {
		return nil, errLoad
	}
	return files, nil
}

// load parses the package in a folder, in the module that the folder belongs to, so that Kubernetes' types have the
// version which the product is built with.
func load(folder string) (*loader.Package, *crd.Parser, error) {
	folder, err := filepath.Abs(folder)
	if err != nil {
		return nil, nil, err
	}
	roots, err := loader.LoadRootsWithConfig(&packages.Config{Dir: folder}, ".")
	if err != nil {
		return nil, nil, fmt.Errorf("load %s: %w", folder, err)
	}
	if len(roots) != 1 {
		return nil, nil, fmt.Errorf("load %s: %d packages, want 1", folder, len(roots))
	}
	registry := &markers.Registry{}
	if err := crdmarkers.Register(registry); err != nil {
		return nil, nil, err
	}
	if err := registerRules(registry); err != nil {
		return nil, nil, err
	}
	parser := &crd.Parser{
		Collector:                  &markers.Collector{Registry: registry},
		Checker:                    &loader.TypeChecker{},
		GenerateEmbeddedObjectMeta: true,
	}
	crd.AddKnownTypes(parser)
	parser.NeedPackage(roots[0])
	return roots[0], parser, nil
}

// podTemplateSchema is the schema of a pod template as Kubernetes' Go types describe it.
func podTemplateSchema(root *loader.Package, parser *crd.Parser) (*apiextensionsv1.JSONSchemaProps, error) {
	core := root.Imports()[corePackage]
	if core == nil {
		return nil, fmt.Errorf("%s does not import %s, which has the pod template", root.PkgPath, corePackage)
	}
	parser.NeedPackage(core)
	ident := crd.TypeIdent{Package: core, Name: "PodTemplateSpec"}
	parser.NeedFlattenedSchemaFor(ident)
	schema, ok := parser.FlattenedSchemata[ident]
	if !ok || len(schema.Properties) == 0 {
		return nil, fmt.Errorf("%s has no %s", corePackage, ident.Name)
	}
	return open(&schema), nil
}

// write renders a definition with sorted keys, without the fields that only a server fills in.
func write(definition *apiextensionsv1.CustomResourceDefinition) ([]byte, error) {
	object, err := runtime.DefaultUnstructuredConverter.ToUnstructured(definition)
	if err != nil {
		return nil, err
	}
	delete(object, "status")
	if metadata, ok := object["metadata"].(map[string]any); ok {
		delete(metadata, "creationTimestamp")
	}
	text, err := yaml.Marshal(object)
	if err != nil {
		return nil, err
	}
	return []byte(header + strings.TrimSpace(string(text)) + "\n"), nil
}
