package v1alpha1

import (
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// ReservedArguments are the arguments that an analysis has without being given them.
func ReservedArguments() []string {
	return []string{
		"rollout", "namespace", "candidate-hash", "stable-hash", "active-service", "standby-service", "baseline-hash", "baseline-service",
	}
}

// ValidateRollout finds what is wrong with a Rollout, in the order of its fields. It holds what the rules of the schema
// hold, in the same words, for objects that an earlier schema let in and for objects that have not met an API server;
// and beyond them what CEL cannot say: that the template decodes, and that selector and labels are well-formed.
// Bounds of single numbers and closed lists of words are the schema's alone.
func ValidateRollout(r *Rollout) field.ErrorList {
	spec := field.NewPath("spec")
	errs := validateWorkload(&r.Spec, spec)
	errs = append(errs, validatePodRules(&r.Spec, spec)...)
	errs = append(errs, validateDeadline(&r.Spec, spec)...)
	errs = append(errs, validateServices(&r.Spec, spec.Child("services"))...)
	errs = append(errs, validateTraffic(&r.Spec, r.Namespace, spec.Child("traffic"))...)
	return append(errs, validateStrategy(&r.Spec, spec.Child("strategy"))...)
}

// validateWorkload looks at the template and at the selector, which belong together.
func validateWorkload(s *RolloutSpec, path *field.Path) field.ErrorList {
	if s.WorkloadRef != nil {
		return validateReference(s, path)
	}
	errs := validateSelector(s.Selector, path.Child("selector"))
	template, err := s.PodTemplate()
	if err != nil {
		return append(errs, field.Invalid(path.Child("template"), field.OmitValueType{}, err.Error()))
	}
	errs = append(errs, validateTemplate(template, path.Child("template"))...)
	if len(errs) > 0 {
		return errs
	}
	return validateMatch(s.Selector, template.Labels, path.Child("selector"))
}

// validateReference looks at a Rollout whose template is that of another workload, and not known here.
func validateReference(s *RolloutSpec, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if len(s.Template.Raw) > 0 || s.Template.Object != nil {
		errs = append(errs, field.Forbidden(path.Child("template"),
			"write the pods in template, or name the Deployment that has them in workloadRef, and not both"))
	}
	if s.Selector != nil {
		errs = append(errs, validateSelector(s.Selector, path.Child("selector"))...)
	}
	return errs
}

func validateSelector(s *metav1.LabelSelector, path *field.Path) field.ErrorList {
	if s == nil || len(s.MatchLabels)+len(s.MatchExpressions) == 0 {
		return field.ErrorList{field.Required(path,
			`an empty selector would pick every pod: write matchLabels with a label of the template, such as "app: web"`)}
	}
	var errs field.ErrorList
	if selects(s, LabelPodTemplateHash) {
		errs = append(errs, field.Forbidden(path,
			"the label pod-template-hash is set by the controller: remove it from selector"))
	}
	if slices.ContainsFunc(s.MatchExpressions, incomplete) {
		return append(errs, field.Invalid(path.Child("matchExpressions"), field.OmitValueType{},
			"an expression of selector is incomplete: write In or NotIn with values, or Exists or DoesNotExist without"))
	}
	return append(errs, metav1validation.ValidateLabelSelector(s, metav1validation.LabelSelectorValidationOptions{}, path)...)
}

func selects(s *metav1.LabelSelector, key string) bool {
	_, byLabel := s.MatchLabels[key]
	return byLabel || slices.ContainsFunc(s.MatchExpressions, func(e metav1.LabelSelectorRequirement) bool {
		return e.Key == key
	})
}

func incomplete(e metav1.LabelSelectorRequirement) bool {
	switch e.Operator {
	case metav1.LabelSelectorOpIn, metav1.LabelSelectorOpNotIn:
		return len(e.Values) == 0
	case metav1.LabelSelectorOpExists, metav1.LabelSelectorOpDoesNotExist:
		return len(e.Values) > 0
	default:
		return true
	}
}

// validateMatch expects a selector that is well-formed.
func validateMatch(s *metav1.LabelSelector, of map[string]string, path *field.Path) field.ErrorList {
	byLabels, err := metav1.LabelSelectorAsSelector(&metav1.LabelSelector{MatchLabels: s.MatchLabels})
	if err != nil {
		return field.ErrorList{field.Invalid(path, field.OmitValueType{}, err.Error())}
	}
	byExpressions, err := metav1.LabelSelectorAsSelector(&metav1.LabelSelector{MatchExpressions: s.MatchExpressions})
	if err != nil {
		return field.ErrorList{field.Invalid(path, field.OmitValueType{}, err.Error())}
	}
	var errs field.ErrorList
	if !byLabels.Matches(labels.Set(of)) {
		errs = append(errs, field.Invalid(path, metav1.FormatLabelSelector(s), "selector does not match the template: "+
			"write every label of selector.matchLabels, with the same value, in template.metadata.labels"))
	}
	if len(s.MatchExpressions) > 0 && !byExpressions.Matches(labels.Set(of)) {
		errs = append(errs, field.Invalid(path, metav1.FormatLabelSelector(s), "selector does not match the template: "+
			"give the template labels for which every one of selector.matchExpressions holds"))
	}
	return errs
}

func validateTemplate(t *corev1.PodTemplateSpec, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	labelsPath, spec := path.Child("metadata", "labels"), path.Child("spec")
	if len(t.Labels) == 0 {
		errs = append(errs, field.Required(labelsPath,
			"the template has no labels: write those of the selector in template.metadata.labels"))
	}
	if _, ok := t.Labels[LabelPodTemplateHash]; ok {
		errs = append(errs, field.Forbidden(labelsPath,
			"the label pod-template-hash is set by the controller: remove it from template.metadata.labels"))
	}
	errs = append(errs, metav1validation.ValidateLabels(t.Labels, labelsPath)...)
	if len(t.Spec.Containers) == 0 {
		errs = append(errs, field.Required(spec.Child("containers"),
			"the template has no container: write at least one, with a name and an image"))
	}
	if t.Spec.RestartPolicy != "" && t.Spec.RestartPolicy != corev1.RestartPolicyAlways {
		errs = append(errs, field.Invalid(spec.Child("restartPolicy"), t.Spec.RestartPolicy,
			"pods of a Rollout run until they are replaced: remove restartPolicy, or write Always"))
	}
	if t.Spec.ActiveDeadlineSeconds != nil {
		errs = append(errs, field.Forbidden(spec.Child("activeDeadlineSeconds"),
			"pods of a Rollout run until they are replaced: remove activeDeadlineSeconds"))
	}
	if len(t.Spec.EphemeralContainers) > 0 {
		errs = append(errs, field.Forbidden(spec.Child("ephemeralContainers"),
			"ephemeral containers are for pods that run already: remove ephemeralContainers"))
	}
	return errs
}

func validateDeadline(s *RolloutSpec, path *field.Path) field.ErrorList {
	if deadline := int64(s.ProgressDeadline().Seconds()); int64(s.MinReadySeconds) >= deadline {
		return field.ErrorList{field.Invalid(path.Child("progressDeadlineSeconds"), deadline,
			"no pod would be available in time: write a progressDeadlineSeconds greater than minReadySeconds")}
	}
	return nil
}

func validateServices(s *RolloutSpec, path *field.Path) field.ErrorList {
	switch {
	case s.Services != nil:
		return validateServiceNames(s.Services, path)
	case s.Strategy.BlueGreen != nil:
		return field.ErrorList{field.Required(path,
			"blueGreen switches between two Services: write services.active, the name of the Service that callers use")}
	case s.Traffic != nil:
		return field.ErrorList{field.Required(path,
			"traffic is shared between two Services: write services.active, the name of the Service that callers use")}
	default:
		return nil
	}
}

func validateServiceNames(s *Services, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if len(validation.IsDNS1123Label(s.Active)) > 0 {
		errs = append(errs, field.Invalid(path.Child("active"), s.Active,
			"this is not the name of a Service: write lower case letters, digits and dashes, such as web"))
	}
	standby := path.Child("standby")
	switch {
	case s.Standby == s.Active && s.Active != "":
		errs = append(errs, field.Invalid(standby, s.Standby, "active and standby must be two different Services: "+
			"write another name for standby, or remove it for <active>-standby"))
	case s.Standby == "" && len(s.StandbyName()) > validation.DNS1123LabelMaxLength:
		errs = append(errs, field.Invalid(standby, s.StandbyName(),
			"the name <active>-standby would be longer than 63 characters: write a shorter name in standby"))
	case s.Standby != "" && len(validation.IsDNS1123Label(s.Standby)) > 0:
		errs = append(errs, field.Invalid(standby, s.Standby,
			"this is not the name of a Service: write lower case letters, digits and dashes, such as web-standby"))
	}
	return errs
}

func validateTraffic(s *RolloutSpec, namespace string, path *field.Path) field.ErrorList {
	if s.Traffic == nil {
		return nil
	}
	var errs field.ErrorList
	if s.Strategy.Canary == nil && s.Strategy.BlueGreen == nil {
		errs = append(errs, field.Forbidden(path,
			"only canary and blueGreen move traffic by routes: remove traffic, or write one of these strategies"))
	}
	if len(s.Traffic.Routers()) != 1 {
		errs = append(errs, field.Required(path, "write exactly one way of sharing traffic: gatewayAPI, istio, traefik, nginx or alb"))
	}
	errs = append(errs, validateProbe(s.Traffic, path.Child("probe"))...)
	errs = append(errs, validateSettleTime(s.Traffic.SettleTime, path.Child("settleTime"))...)
	return append(errs, validateRoutes(s.Traffic, namespace, path)...)
}

// maxSettle is the longest settle time: load balancers of clouds take a minute or two.
const maxSettle = 10 * time.Minute

func validateSettleTime(d *metav1.Duration, path *field.Path) field.ErrorList {
	if d == nil || d.Duration >= 0 && d.Duration <= maxSettle {
		return nil
	}
	return field.ErrorList{field.Invalid(path, d.Duration.String(),
		`write a duration such as "30s", at least "0s" and at most "10m"`)}
}

// validateRoutes finds ways of sharing traffic that name nothing to share it by.
func validateRoutes(t *Traffic, namespace string, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	need := func(missing bool, message string, names ...string) {
		if missing {
			errs = append(errs, field.Required(path.Child(names[0], names[1:]...), message))
		}
	}
	if t.GatewayAPI != nil {
		errs = append(errs, validateGatewayRoutes(t.GatewayAPI, namespace, path.Child(RouterGatewayAPI))...)
	}
	need(t.Istio != nil && len(t.Istio.VirtualServices) == 0,
		"write the VirtualServices that send requests to the active Service, such as {name: web}", RouterIstio, "virtualServices")
	need(t.Traefik != nil && len(t.Traefik.TraefikServices) == 0,
		"write the TraefikServices that send requests to the active Service, such as {name: web}", RouterTraefik, "traefikServices")
	need(t.Nginx != nil && len(t.Nginx.Ingresses) == 0,
		"write the Ingresses that send requests to the active Service, such as {name: web}", RouterNginx, "ingresses")
	need(t.ALB != nil && len(t.ALB.Ingresses) == 0,
		"write the Ingresses with an action that sends requests to the active Service, such as {name: web}", RouterALB, "ingresses")
	return errs
}

// reservedMessage is what an argument with the name of a reserved one is told.
func reservedMessage() string {
	names := ReservedArguments()
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " and " + names[last] +
		" are set by Sluice: choose another name for the argument"
}
