package main

import (
	"fmt"
	"slices"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/utils/ptr"
)

// Bounds of label selectors. Kubernetes has no bound on the number of labels; one is needed for the API server to
// reckon the cost of a rule over them. The lengths are those of label keys (a prefix of 253, a slash, a name of 63) and
// label values.
const (
	maxLabels      = 64
	maxLabelKey    = 317
	maxLabelValue  = 63
	maxExpressions = 32
)

// graft puts the schema of a pod template into spec.template of a Rollout, keeps the description and the rules that the
// field has there, and bounds the selector.
func graft(definition *apiextensionsv1.CustomResourceDefinition, template *apiextensionsv1.JSONSchemaProps) error {
	for i := range definition.Spec.Versions {
		spec, ok := definition.Spec.Versions[i].Schema.OpenAPIV3Schema.Properties["spec"]
		if !ok {
			return fmt.Errorf("%s has no spec", definition.Name)
		}
		field, ok := spec.Properties["template"]
		if !ok {
			return fmt.Errorf("%s has no spec.template", definition.Name)
		}
		grafted := template.DeepCopy()
		grafted.Description = field.Description
		grafted.XValidations = field.XValidations
		// A template without a spec is one of no pod at all.
		grafted.Required = []string{"spec"}
		spec.Properties["template"] = *grafted
		selector, ok := spec.Properties["selector"]
		if !ok {
			return fmt.Errorf("%s has no spec.selector", definition.Name)
		}
		bound(&selector)
		spec.Properties["selector"] = selector
	}
	return nil
}

// open turns a schema made from Go types into one that lets through what it does not know. What stays is what a merge
// needs: types, names, keys of lists, and the fields that must be there; and the form of a quantity, which is for all
// time. Descriptions, enumerations and defaults go, as a later Kubernetes may allow more than this one, and as a default
// that the schema filled in would change templates of objects that exist. Only keys of lists keep theirs (the protocol
// of a port): without them items cannot be told apart.
func open(s *apiextensionsv1.JSONSchemaProps) *apiextensionsv1.JSONSchemaProps {
	out := &apiextensionsv1.JSONSchemaProps{
		Type:         s.Type,
		Required:     s.Required,
		XIntOrString: s.XIntOrString,
		XListType:    s.XListType,
		XMapType:     s.XMapType,
		XListMapKeys: s.XListMapKeys,
	}
	if s.Type == "integer" {
		out.Format = s.Format
	}
	if s.XIntOrString {
		out.AnyOf = []apiextensionsv1.JSONSchemaProps{{Type: "integer"}, {Type: "string"}}
		out.Pattern = s.Pattern
	}
	openChildren(out, s)
	if s.Type == "object" && out.AdditionalProperties == nil {
		out.XPreserveUnknownFields = ptr.To(true)
	}
	return out
}

// openChildren opens what a schema has below it.
func openChildren(out, s *apiextensionsv1.JSONSchemaProps) {
	if s.Properties != nil {
		out.Properties = make(map[string]apiextensionsv1.JSONSchemaProps, len(s.Properties))
		for name, property := range s.Properties {
			out.Properties[name] = *open(&property)
		}
	}
	if s.Items != nil && s.Items.Schema != nil {
		out.Items = &apiextensionsv1.JSONSchemaPropsOrArray{Schema: open(s.Items.Schema)}
		keepKeyDefaults(out, s)
	}
	if s.AdditionalProperties != nil && s.AdditionalProperties.Schema != nil {
		out.AdditionalProperties = &apiextensionsv1.JSONSchemaPropsOrBool{
			Allows: true, Schema: open(s.AdditionalProperties.Schema),
		}
	}
}

// keepKeyDefaults gives the keys of a list the defaults that they have in the Go types.
func keepKeyDefaults(list, from *apiextensionsv1.JSONSchemaProps) {
	item := list.Items.Schema
	for _, key := range list.XListMapKeys {
		if slices.Contains(item.Required, key) {
			continue
		}
		property := item.Properties[key]
		property.Default = from.Items.Schema.Properties[key].Default
		item.Properties[key] = property
	}
}

// bound limits the size of a label selector.
func bound(selector *apiextensionsv1.JSONSchemaProps) {
	labels := selector.Properties["matchLabels"]
	labels.MaxProperties = ptr.To[int64](maxLabels)
	labels.AdditionalProperties.Schema.MaxLength = ptr.To[int64](maxLabelValue)
	selector.Properties["matchLabels"] = labels

	expressions := selector.Properties["matchExpressions"]
	expressions.MaxItems = ptr.To[int64](maxExpressions)
	properties := expressions.Items.Schema.Properties
	key, operator, values := properties["key"], properties["operator"], properties["values"]
	key.MaxLength = ptr.To[int64](maxLabelKey)
	operator.MaxLength = ptr.To[int64](maxLabelValue)
	values.MaxItems = ptr.To[int64](maxLabels)
	values.Items.Schema.MaxLength = ptr.To[int64](maxLabelValue)
	properties["key"], properties["operator"], properties["values"] = key, operator, values
	selector.Properties["matchExpressions"] = expressions
}
