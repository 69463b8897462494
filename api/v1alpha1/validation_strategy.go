package v1alpha1

import (
	"fmt"
	"regexp"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// maxHold is the longest pause, delay or wait of a release: 30 days. Whoever needs more means a person.
const maxHold = 720 * time.Hour

// Patterns of limits in pods: a surge has at most three digits, unavailable pods are at most all of them.
const (
	surgePattern       = `^(0|[1-9][0-9]{0,2})%$`
	unavailablePattern = `^(100|[1-9]?[0-9])%$`
	maxPods            = 1000000
)

func validateStrategy(s *RolloutSpec, path *field.Path) field.ErrorList {
	set := 0
	for _, isSet := range []bool{
		s.Strategy.Canary != nil, s.Strategy.BlueGreen != nil, s.Strategy.RollingUpdate != nil, s.Strategy.Recreate != nil,
	} {
		if isSet {
			set++
		}
	}
	if set != 1 {
		return field.ErrorList{field.Invalid(path, field.OmitValueType{},
			"write exactly one strategy: canary, blueGreen, rollingUpdate or recreate")}
	}
	switch {
	case s.Strategy.Canary != nil:
		return validateCanary(s.Strategy.Canary, s.UsesRoutes(), path.Child(StrategyCanary))
	case s.Strategy.BlueGreen != nil:
		return validateBlueGreen(s.Strategy.BlueGreen, path.Child(StrategyBlueGreen))
	case s.Strategy.RollingUpdate != nil:
		rolling := s.Strategy.RollingUpdate
		return validateLimits(rolling.MaxSurge, rolling.MaxUnavailable, false, path.Child(StrategyRollingUpdate))
	default:
		return nil
	}
}

func validateCanary(c *CanaryStrategy, routes bool, path *field.Path) field.ErrorList {
	errs := validateLimits(c.MaxSurge, c.MaxUnavailable, routes, path)
	if !routes {
		errs = append(errs, validateWithoutRoutes(c, path)...)
	}
	errs = append(errs, validateDelay(c.ScaleDownDelay, path.Child("scaleDownDelay"))...)
	steps := path.Child("steps")
	if len(c.Steps) == 0 {
		errs = append(errs, field.Required(steps, "a canary without steps does nothing: write at least one"))
	}
	for i := range c.Steps {
		errs = append(errs, validateStep(&c.Steps[i], steps.Index(i))...)
	}
	errs = append(errs, validateSticky(c, path)...)
	errs = append(errs, validateExperiments(c, steps)...)
	if c.Analysis == nil {
		return errs
	}
	analysis := path.Child("analysis")
	if start := int(c.Analysis.StartingStep); start >= len(c.Steps) && start > 0 {
		errs = append(errs, field.Invalid(analysis.Child("startingStep"), start,
			"startingStep counts steps from 0: write a number less than the number of steps"))
	}
	return append(errs, validateAnalysis(&c.Analysis.Analysis, analysis)...)
}

// validateWithoutRoutes refuses what only routes make possible.
func validateWithoutRoutes(c *CanaryStrategy, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if c.ScaleDownDelay != nil {
		errs = append(errs, field.Forbidden(path.Child("scaleDownDelay"), "without traffic, pods of a canary are replaced one "+
			"by one and there is nothing to delay: remove scaleDownDelay, or write traffic"))
	}
	if c.MinPodsPerReplicaSet != nil {
		errs = append(errs, field.Forbidden(path.Child("minPodsPerReplicaSet"), "without traffic, the share of a revision is "+
			"its number of pods: remove minPodsPerReplicaSet, or write traffic"))
	}
	if slices.ContainsFunc(c.Steps, func(s CanaryStep) bool { return s.Replicas != nil }) {
		errs = append(errs, field.Forbidden(path.Child("steps"), "replicas of a step works with traffic only; without routes "+
			"the share of traffic is the ratio of pods: remove replicas from the steps, or write traffic"))
	}
	if slices.ContainsFunc(c.Steps, func(s CanaryStep) bool { return s.Match != nil || s.Mirror != nil }) {
		errs = append(errs, field.Forbidden(path.Child("steps"), "only routes tell requests apart: remove match and mirror from "+
			"the steps, or write traffic"))
	}
	if slices.ContainsFunc(c.Steps, func(s CanaryStep) bool { return s.Experiment != nil }) {
		errs = append(errs, field.Forbidden(path.Child("steps"), "only routes keep an experiment apart from production traffic: "+
			"remove experiment from the steps, or write traffic"))
	}
	if c.Sticky != nil {
		errs = append(errs, field.Forbidden(path.Child("sticky"), "only routes tell clients apart: remove sticky, or write traffic"))
	}
	return errs
}

func validateStep(s *CanaryStep, path *field.Path) field.ErrorList {
	if s.empty() {
		return field.ErrorList{field.Required(path,
			"an empty step does nothing: write weight, replicas, match, mirror, pause, analysis or experiment, or remove the step")}
	}
	var errs field.ErrorList
	if s.Weight != nil {
		if _, err := ParseWeight(*s.Weight); err != nil {
			errs = append(errs, field.Invalid(path.Child("weight"), s.Weight.String(), err.Error()))
		}
	}
	if s.Pause != nil {
		errs = append(errs, validateHold(s.Pause.Duration, path.Child("pause", "duration"),
			"remove duration to wait for a person")...)
	}
	errs = append(errs, validateMatches(s.Match, path.Child("match"))...)
	errs = append(errs, validateExperiment(s, path.Child("experiment"))...)
	return append(errs, validateAnalysis(s.Analysis, path.Child("analysis"))...)
}

func (s *CanaryStep) empty() bool {
	return s.Weight == nil && s.Replicas == nil && s.Match == nil && s.Mirror == nil && s.Pause == nil && s.Analysis == nil &&
		s.Experiment == nil
}

func validateBlueGreen(b *BlueGreenStrategy, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	after := path.Child("autoPromoteAfter")
	if b.AutoPromoteAfter != nil && !b.Promotes() {
		errs = append(errs, field.Forbidden(after,
			"autoPromoteAfter has no meaning when a person promotes: remove it, or write autoPromote: true"))
	}
	errs = append(errs, validateHold(b.AutoPromoteAfter, after, "remove autoPromoteAfter to switch at once")...)
	errs = append(errs, validateAnalysis(b.PrePromotionAnalysis, path.Child("prePromotionAnalysis"))...)
	errs = append(errs, validateAnalysis(b.PostPromotionAnalysis, path.Child("postPromotionAnalysis"))...)
	return append(errs, validateDelay(b.ScaleDownDelay, path.Child("scaleDownDelay"))...)
}

// validateLimits looks at the two limits of a strategy that replaces pods a few at a time. With routes they are not
// used, and may both be 0.
func validateLimits(surge, unavailable *intstr.IntOrString, routes bool, path *field.Path) field.ErrorList {
	errs := validatePods(surge, surgePattern, path.Child("maxSurge"), "999%")
	errs = append(errs, validatePods(unavailable, unavailablePattern, path.Child("maxUnavailable"), "100%")...)
	if !routes && isZero(surge) && isZero(unavailable) {
		errs = append(errs, field.Invalid(path.Child("maxUnavailable"), unavailable.String(),
			"maxSurge and maxUnavailable are both 0, so no pod could be replaced: write at least 1 for one of them"))
	}
	return errs
}

func validatePods(n *intstr.IntOrString, pattern string, path *field.Path, atMost string) field.ErrorList {
	if n == nil {
		return nil
	}
	ok := n.IntVal >= 0 && n.IntVal <= maxPods
	if n.Type == intstr.String {
		ok = regexp.MustCompile(pattern).MatchString(n.StrVal)
	}
	if ok {
		return nil
	}
	return field.ErrorList{field.Invalid(path, n.String(),
		fmt.Sprintf(`write a number of pods such as 1, or a percentage such as "25%%", at most %q`, atMost))}
}

func isZero(n *intstr.IntOrString) bool {
	return n != nil && (*n == intstr.FromInt32(0) || *n == intstr.FromString("0%"))
}

// validateHold checks a time that a release waits: it must be more than nothing. Otherwise says what else to write.
func validateHold(d *metav1.Duration, path *field.Path, otherwise string) field.ErrorList {
	if d == nil || d.Duration >= time.Second && d.Duration <= maxHold {
		return nil
	}
	return field.ErrorList{field.Invalid(path, d.Duration.String(),
		`write a duration such as "5m", at least "1s" and at most "720h", or `+otherwise)}
}

// validateDelay checks a time that may be nothing.
func validateDelay(d *metav1.Duration, path *field.Path) field.ErrorList {
	if d == nil || d.Duration >= 0 && d.Duration <= maxHold {
		return nil
	}
	return field.ErrorList{field.Invalid(path, d.Duration.String(),
		`write a duration such as "30s", at least "0s" and at most "720h"`)}
}

func validateAnalysis(a *Analysis, path *field.Path) field.ErrorList {
	if a == nil {
		return nil
	}
	var errs field.ErrorList
	if len(a.Templates) == 0 {
		errs = append(errs, field.Required(path.Child("templates"),
			"an analysis measures what its templates say: write at least one, such as {name: success-rate}"))
	}
	seen := map[AnalysisTemplateReference]bool{}
	for _, t := range a.Templates {
		t.Kind = t.KindOrDefault()
		if seen[t] {
			errs = append(errs, field.Invalid(path.Child("templates"), t.Name,
				"a template is named twice: write each template once"))
		}
		seen[t] = true
	}
	for i, arg := range a.Args {
		errs = append(errs, validateArgument(arg, path.Child("args").Index(i).Child("name"))...)
	}
	return append(errs, validateReactions(a, path)...)
}

func validateArgument(a Argument, path *field.Path) field.ErrorList {
	switch {
	case slices.Contains(ReservedArguments(), a.Name):
		return field.ErrorList{field.Forbidden(path, reservedMessage())}
	case len(validation.IsDNS1123Label(a.Name)) > 0:
		return field.ErrorList{field.Invalid(path, a.Name,
			"this is not the name of an argument: write lower case letters, digits and dashes, such as error-budget")}
	default:
		return nil
	}
}
