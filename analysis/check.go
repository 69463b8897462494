package analysis

import (
	"errors"
	"fmt"
	"slices"

	"github.com/sluice-dev/sluice/analysis/presets"
	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// sample stands for a value that only a Rollout gives. A number may stand wherever an argument may.
const sample = "1"

// CheckTemplate finds what is wrong with a template before anything uses it: an argument that is used and not declared,
// a value that may not stand where it is used, a condition that does not compile, a metric without a provider, a count
// without an interval. The error joins all findings; each names its field and what to write.
func CheckTemplate(spec v1alpha1.AnalysisTemplateSpec, conditions *Conditions) error {
	values, problems := checkArgs(spec.Args)
	for i, metric := range spec.Metrics {
		field := fmt.Sprintf("spec.metrics[%d]", i)
		for _, err := range checkMetric(spec, metric, values, conditions) {
			problems = append(problems, below(field, err))
		}
	}
	return errors.Join(problems...)
}

// checkArgs gives each argument a value to try, and finds defaults that would never be used.
func checkArgs(args []v1alpha1.Argument) (Values, []error) {
	values := Values{}
	for _, name := range []string{
		ArgRollout, ArgNamespace, ArgCandidateHash, ArgStableHash, ArgActiveService, ArgStandbyService, ArgBaselineHash, ArgBaselineService,
	} {
		values[name] = sample
	}
	var problems []error
	for i, arg := range args {
		if isBuiltin(arg.Name) && hasValue(arg) {
			problems = append(problems, &Fault{
				Reason: v1alpha1.ReasonArgumentInvalid, Field: fmt.Sprintf("spec.args[%d].value", i),
				Message: fmt.Sprintf("%q is always set by Sluice; remove the value", arg.Name),
			})
			continue
		}
		if err := checkSource(arg); err != nil {
			problems = append(problems, &Fault{
				Reason: v1alpha1.ReasonArgumentInvalid, Field: fmt.Sprintf("spec.args[%d].valueFrom", i), Message: err.Error(),
			})
		}
		values[arg.Name] = sample
		if arg.Value != nil {
			values[arg.Name] = *arg.Value
		}
	}
	return values, problems
}

// checkSource finds what is wrong with where a value comes from, as far as that can be told without a Rollout.
func checkSource(arg v1alpha1.Argument) error {
	_, err := valueOf(arg, func(path string) (string, error) {
		_, _, _, err := parseField(path)
		return sample, err
	})
	return err
}

// checkMetric finds what is wrong with one metric of a template.
func checkMetric(
	spec v1alpha1.AnalysisTemplateSpec, metric v1alpha1.Metric, values Values, conditions *Conditions,
) []error {
	// Any source that counts will do: what is found for a Rollout is not known here.
	metric, err := presets.Plain(metric, v1alpha1.SourceApp)
	if err != nil {
		return []error{&Fault{Field: "source", Message: err.Error()}}
	}
	problems := missing(metric)
	if err := checkDeclared(spec, metric); err != nil {
		return append(problems, err)
	}
	placed, err := secretsOf(spec.Args).place(metric)
	if err != nil {
		return append(problems, err)
	}
	expanded, err := Expand(placed, values)
	if err != nil {
		return append(problems, err)
	}
	if err := conditions.Check(expanded); err != nil {
		problems = append(problems, err)
	}
	return problems
}

// missing finds what a metric needs and does not have.
func missing(metric v1alpha1.Metric) []error {
	var problems []error
	if metric.Provider == (v1alpha1.MetricProvider{}) && metric.Kubernetes == nil {
		problems = append(problems, &Fault{Field: "provider", Message: "no provider is set; write one, such as provider.prometheus"})
	}
	if metric.Count != nil && *metric.Count > 1 && duration(metric.Interval) == 0 {
		problems = append(problems, &Fault{Field: "interval", Message: fmt.Sprintf(
			"%d measurements need a time between them; set interval, such as 30s, or remove count", *metric.Count)})
	}
	return problems
}

// checkDeclared finds an argument that a metric uses and its template does not declare.
func checkDeclared(spec v1alpha1.AnalysisTemplateSpec, metric v1alpha1.Metric) error {
	for _, name := range placeholders(metric) {
		declared := slices.ContainsFunc(spec.Args, func(a v1alpha1.Argument) bool { return a.Name == name })
		if !declared && !isBuiltin(name) {
			return &Fault{Reason: v1alpha1.ReasonArgumentInvalid, Message: fmt.Sprintf(
				"{{args.%s}} is used and not declared; add {name: %s} to spec.args", name, name)}
		}
	}
	return nil
}
