package v1alpha1

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// validatePodRules looks at what is done to pods beside their template.
func validatePodRules(s *RolloutSpec, path *field.Path) field.ErrorList {
	errs := validateConfiguration(s.Configuration, path.Child("configuration"))
	errs = append(errs, validateRoles(s, path.Child("roleMetadata"))...)
	return append(errs, validateAntiAffinity(s.AntiAffinity, path.Child("antiAffinity"))...)
}

func validateConfiguration(c *Configuration, path *field.Path) field.ErrorList {
	switch {
	case c == nil:
		return nil
	case len(c.ConfigMaps)+len(c.Secrets) == 0:
		return field.ErrorList{field.Required(path, "configuration names nothing: write configMaps or secrets, or remove it")}
	}
	return append(validateReferences(c.ConfigMaps, path.Child("configMaps")), validateReferences(c.Secrets, path.Child("secrets"))...)
}

func validateReferences(references []ConfigurationReference, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for i, r := range references {
		if len(validation.IsDNS1123Subdomain(r.Name)) > 0 {
			errs = append(errs, field.Invalid(path.Index(i).Child("name"), r.Name,
				"a ConfigMap or Secret cannot have this name: write lower case letters, digits, dashes and dots, such as \"web-config\""))
		}
		if r.Version != "" && r.OnChangeOrDefault() != ConfigurationChangeRelease {
			errs = append(errs, field.Forbidden(path.Index(i).Child("version"),
				"only onChange Release has copies to go back to: remove version, or write onChange: Release"))
		}
	}
	return errs
}

func validateRoles(s *RolloutSpec, path *field.Path) field.ErrorList {
	if s.RoleMetadata == nil {
		return nil
	}
	template, err := s.PodTemplate()
	if err != nil {
		template = &corev1.PodTemplateSpec{}
	}
	errs := validatePodMetadata(s.RoleMetadata.Stable, template, path.Child("stable"))
	return append(errs, validatePodMetadata(s.RoleMetadata.Candidate, template, path.Child("candidate"))...)
}

// validatePodMetadata keeps the metadata of a role from what the template says: when the role ends it is taken away, and
// the template's own would go with it.
func validatePodMetadata(m *PodMetadata, template *corev1.PodTemplateSpec, path *field.Path) field.ErrorList {
	if m == nil {
		return nil
	}
	labels, annotations := path.Child("labels"), path.Child("annotations")
	errs := metav1validation.ValidateLabels(m.Labels, labels)
	errs = append(errs, apivalidation.ValidateAnnotations(m.Annotations, annotations)...)
	if _, ok := m.Labels[LabelPodTemplateHash]; ok {
		errs = append(errs, field.Forbidden(labels,
			"the label pod-template-hash is set by the controller: remove it from the labels of roleMetadata"))
	}
	errs = append(errs, validateApart(m.Labels, template.Labels, labels)...)
	return append(errs, validateApart(m.Annotations, template.Annotations, annotations)...)
}

func validateApart(role, template map[string]string, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for _, key := range slices.Sorted(maps.Keys(role)) {
		if _, both := template[key]; both {
			errs = append(errs, field.Forbidden(path.Key(key),
				"the template has this key too, and would lose it when the role ends: write it in one of the two places"))
		}
	}
	return errs
}

func validateAntiAffinity(a *AntiAffinity, path *field.Path) field.ErrorList {
	if a == nil {
		return nil
	}
	var errs field.ErrorList
	if a.Weight != nil && a.StrengthOrDefault() != AntiAffinityPreferred {
		errs = append(errs, field.Forbidden(path.Child("weight"),
			"weight is for strength Preferred: remove weight, or write strength: Preferred"))
	}
	return append(errs, metav1validation.ValidateLabelName(a.TopologyKeyOrDefault(), path.Child("topologyKey"))...)
}
