package v1alpha1

import (
	"slices"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// validateExperiment checks the experiment of a step, if it has one, and what else the step has.
func validateExperiment(s *CanaryStep, path *field.Path) field.ErrorList {
	e := s.Experiment
	if e == nil {
		return nil
	}
	errs := validateAlone(s, path)
	if e.Duration == nil && e.Analysis == nil {
		errs = append(errs, field.Required(path, "an experiment needs an end: write duration, analysis or both"))
	}
	errs = append(errs, validateHold(e.Duration, path.Child("duration"), "remove duration to wait for the analysis alone")...)
	return append(errs, validateAnalysis(e.Analysis, path.Child("analysis"))...)
}

// validateAlone refuses what a step has beside an experiment.
func validateAlone(s *CanaryStep, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if s.Replicas != nil || s.Pause != nil || s.Analysis != nil {
		errs = append(errs, field.Forbidden(path, "an experiment has replicas, a duration and an analysis of its own: write those "+
			"of the step into it"))
	}
	if s.Match != nil || s.Mirror != nil || s.weighs() {
		errs = append(errs, field.Forbidden(path, "an experiment is apart from production traffic: remove weight, match and mirror "+
			"from its step"))
	}
	return errs
}

// validateExperiments refuses an experiment after a step that gives the candidate requests: what it leaves out stays.
func validateExperiments(c *CanaryStrategy, path *field.Path) field.ErrorList {
	first := slices.IndexFunc(c.Steps, func(s CanaryStep) bool { return s.Match != nil || s.Mirror != nil || s.weighs() })
	if first < 0 {
		return nil
	}
	if slices.ContainsFunc(c.Steps[first+1:], func(s CanaryStep) bool { return s.Experiment != nil }) {
		return field.ErrorList{field.Forbidden(path, "an experiment is apart from production traffic: write it before the first "+
			"step with match, mirror or a weight above 0")}
	}
	return nil
}

// weighs says whether a step gives the candidate a weight above 0.
func (s *CanaryStep) weighs() bool {
	if s.Weight == nil {
		return false
	}
	weight, err := ParseWeight(*s.Weight)
	return err == nil && weight > 0
}
