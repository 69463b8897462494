package main

import (
	"fmt"
	"strings"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-tools/pkg/crd"
	crdmarkers "sigs.k8s.io/controller-tools/pkg/crd/markers"
	"sigs.k8s.io/controller-tools/pkg/markers"
)

// maxDuration is the longest duration that Go writes for values that durationPattern allows: "720h59m59.999999999s".
const maxDuration = 32

// durationPattern is what time.ParseDuration reads, and less: in the order in which Go writes it, without a sign, with a
// fraction in seconds only, and too few digits to overflow. Whatever it lets through must decode in Go: one object that
// does not would stop the controller from reading any.
const durationPattern = `^([0-9]{1,4}h)?([0-9]{1,7}m)?([0-9]{1,7}([.][0-9]{1,9})?s)?([0-9]{1,7}ms)?$`

// namePattern is that of a label of DNS, which names of Services, arguments and metrics keep to.
const namePattern = `^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`

// weightRule allows 0 to 100, and as a string 0 to 100 with at most one decimal. The API server reckons with a string of
// 3 MB where a value may be a number or a string, so that type(self) or a regular expression over it is too expensive for
// a list of steps. Converting it to a number, comparing it with each number from 0 to 100, and looking at its first four
// characters is not. A part of the rule fails on a value of the other type; as another part is false then, CEL gives
// false, and so the message.
const weightRule = `double(self) >= 0.0 && double(self) <= 100.0 && (self in ['100', '100.0'] || ` +
	`[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10].exists(ten, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9].exists(one, self == 10 * ten + one)) || ` +
	`(size(self) in [1, 2, 3, 4] && [0, 1, 2, 3].all(i, i >= size(self) || ` +
	`(size(self) > 2 && i == size(self) - 2 ? self.charAt(i) == '.' : self.charAt(i) in ` +
	`['0', '1', '2', '3', '4', '5', '6', '7', '8', '9']))))`

// Duration is the marker +sluice:validation:Duration of a metav1.Duration.
type Duration struct {
	// Min and Max are the bounds, both allowed, as Go writes them.
	Min, Max string
	// Example of a good value.
	Example string
	// Otherwise says what to write instead of a duration, such as "remove duration to wait for a person".
	Otherwise string `marker:",optional"`
}

// ApplyToSchema adds the rule.
func (d Duration) ApplyToSchema(_ *crdmarkers.SchemaContext, s *apiextensionsv1.JSONSchemaProps) error {
	for _, bound := range []string{d.Min, d.Max, d.Example} {
		if _, err := time.ParseDuration(bound); err != nil {
			return err
		}
	}
	rule := fmt.Sprintf("size(self) > 0 && self.matches('%s') && duration(self) >= duration('%s') && "+
		"duration(self) <= duration('%s')", durationPattern, d.Min, d.Max)
	message := fmt.Sprintf("write a duration such as %q, at least %q and at most %q", d.Example, d.Min, d.Max)
	if d.Otherwise != "" {
		message += ", or " + d.Otherwise
	}
	s.MaxLength = ptr.To[int64](maxDuration)
	addRule(s, rule, message)
	return nil
}

// Weight is the marker +sluice:validation:Weight of an intstr.IntOrString: a percentage of traffic.
type Weight struct{}

// ApplyToSchema adds the rule.
func (Weight) ApplyToSchema(_ *crdmarkers.SchemaContext, s *apiextensionsv1.JSONSchemaProps) error {
	addRule(s, weightRule,
		`a weight is a percentage of traffic: write a number from 0 to 100, or tenths as a string such as "12.5"`)
	return nil
}

// Pods is the marker +sluice:validation:Pods of an intstr.IntOrString: a number or a percentage of pods.
type Pods struct {
	// MaxPercent is 100, or 999 for whatever has three digits.
	MaxPercent int
}

// ApplyToSchema adds the rule.
func (p Pods) ApplyToSchema(_ *crdmarkers.SchemaContext, s *apiextensionsv1.JSONSchemaProps) error {
	percent := map[int]string{100: `^(100|[1-9]?[0-9])%$`, 999: `^(0|[1-9][0-9]{0,2})%$`}[p.MaxPercent]
	if percent == "" {
		return fmt.Errorf("maxPercent is %d, want 100 or 999", p.MaxPercent)
	}
	addRule(s, "type(self) == int ? self >= 0 && self <= 1000000 : self.matches('"+percent+"')",
		fmt.Sprintf(`write a number of pods such as 1, or a percentage such as "25%%", at most "%d%%"`, p.MaxPercent))
	return nil
}

// Name is the marker +sluice:validation:Name of a string.
type Name struct {
	// Of is what has the name, with its article: "a Service".
	Of string
	// Example of a good value.
	Example string
}

// ApplyToSchema adds the rule. An empty name is a matter of minLength.
func (n Name) ApplyToSchema(_ *crdmarkers.SchemaContext, s *apiextensionsv1.JSONSchemaProps) error {
	addRule(s, "size(self) == 0 || self.matches('"+namePattern+"')",
		fmt.Sprintf("this is not the name of %s: write lower case letters, digits and dashes, such as %s", n.Of, n.Example))
	return nil
}

func addRule(s *apiextensionsv1.JSONSchemaProps, rule, message string) {
	s.XValidations = append(s.XValidations, apiextensionsv1.ValidationRule{Rule: rule, Message: message})
}

// registerRules makes the markers known under +sluice:validation.
func registerRules(registry *markers.Registry) error {
	for _, rule := range []crd.SchemaMarker{Duration{}, Weight{}, Pods{}, Name{}} {
		name := strings.TrimPrefix(fmt.Sprintf("%T", rule), "main.")
		definition, err := markers.MakeDefinition("sluice:validation:"+name, markers.DescribesField, rule)
		if err != nil {
			return err
		}
		if err := registry.Register(definition); err != nil {
			return err
		}
	}
	return nil
}
