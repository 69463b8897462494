package v1alpha1

import (
	"errors"
	"fmt"
	"slices"

	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// SpecFields decodes spec of the template, with whole numbers as int64, as objects of a cluster have them. The error says
// what to write instead.
func (t *RouteTemplate) SpecFields() (map[string]any, error) {
	raw, err := t.Spec.MarshalJSON()
	if err != nil {
		return nil, err
	}
	out := map[string]any{}
	if err := json.Unmarshal(raw, &out); err != nil {
		return nil, fmt.Errorf("this is not the spec of a route: %w: write parentRefs and rules as in a route", err)
	}
	if len(out) == 0 {
		return nil, errors.New("the spec is empty: write parentRefs and rules as in a route")
	}
	return out, nil
}

// validateGatewayRoutes finds routes of the Gateway API that are named by nothing, labels that no route can have, and templates
// of which no route can be made.
func validateGatewayRoutes(t *GatewayAPITraffic, namespace string, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if len(t.Routes)+len(t.Selectors)+len(t.Templates) == 0 {
		errs = append(errs, field.Required(path.Child("routes"), "write the routes that send requests to the active Service, "+
			"such as {kind: HTTPRoute, name: web}, or their labels in selectors, or what they are to be in templates"))
	}
	for i, selector := range t.Selectors {
		at := path.Child("selectors").Index(i).Child("matchLabels")
		if len(selector.MatchLabels) == 0 {
			errs = append(errs, field.Required(at, "no labels would pick every route: write one that the routes have, such as app: web"))
		}
		errs = append(errs, metav1validation.ValidateLabels(selector.MatchLabels, at)...)
	}
	for i := range t.Templates {
		errs = append(errs, validateRouteTemplate(&t.Templates[i], path.Child("templates").Index(i))...)
	}
	return append(errs, validateMadeOnce(t, namespace, path)...)
}

func validateRouteTemplate(t *RouteTemplate, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if len(validation.IsDNS1123Subdomain(t.Name)) > 0 {
		errs = append(errs, field.Invalid(path.Child("name"), t.Name,
			"this is not the name of a route: write lower case letters, digits, dashes and dots, such as web"))
	}
	metadata := path.Child("metadata")
	errs = append(errs, metav1validation.ValidateLabels(t.Metadata.Labels, metadata.Child("labels"))...)
	errs = append(errs, apivalidation.ValidateAnnotations(t.Metadata.Annotations, metadata.Child("annotations"))...)
	if _, err := t.SpecFields(); err != nil {
		errs = append(errs, field.Invalid(path.Child("spec"), field.OmitValueType{}, err.Error()))
	}
	return errs
}

// validateMadeOnce finds templates of one route, and routes that are named beside their template.
func validateMadeOnce(t *GatewayAPITraffic, namespace string, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for i := range t.Templates {
		one, at := &t.Templates[i], path.Child("templates")
		if slices.ContainsFunc(t.Routes, func(r RouteReference) bool {
			return r.KindOrDefault() == one.KindOrDefault() && r.Name == one.Name && (r.Namespace == "" || r.Namespace == namespace)
		}) {
			errs = append(errs, field.Invalid(at, one.Name, "a route is made of its template or written by you, and not both: "+
				"remove it from routes, or from templates"))
		}
		for j := range t.Templates[:i] {
			if other := &t.Templates[j]; other.KindOrDefault() == one.KindOrDefault() && other.Name == one.Name {
				errs = append(errs, field.Duplicate(at.Index(i), one.KindOrDefault()+"/"+one.Name))
			}
		}
	}
	return errs
}
