package analysis

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/sluice-dev/sluice/analysis/presets"
	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// Names of the arguments that Sluice gives.
const (
	// ArgRollout is the name of the Rollout.
	ArgRollout = "rollout"
	// ArgNamespace is the namespace of the Rollout.
	ArgNamespace = "namespace"
	// ArgCandidateHash is the hash of the candidate.
	ArgCandidateHash = "candidate-hash"
	// ArgStableHash is the hash of stable.
	ArgStableHash = "stable-hash"
	// ArgActiveService is the name of the active Service.
	ArgActiveService = "active-service"
	// ArgStandbyService is the name of the standby Service.
	ArgStandbyService = "standby-service"
	// ArgBaselineHash is the hash of the fresh baseline of an experiment; it has no value elsewhere.
	ArgBaselineHash = "baseline-hash"
	// ArgBaselineService is the name of the Service that reaches a fresh baseline; it has no value elsewhere.
	ArgBaselineService = "baseline-service"
)

// GateBackground is the gate of a run beside the steps. It is stopped when the steps are done, so its metrics need no
// count.
const GateBackground = "background"

// gatePostPromotion is the gate of a run after the switch of Services.
const gatePostPromotion = "post-promotion"

// Limits of the API on what Resolve puts together.
const (
	maxMetrics    = 64
	maxArgs       = 64
	maxQuery      = 8192
	maxCondition  = 1024
	maxAddress    = 512
	maxURL        = 2048
	maxName       = 255
	maxShortQuery = 4096
	maxHeader     = 1024
	maxSelector   = 2048
)

// Template is one AnalysisTemplate or ClusterAnalysisTemplate, as it was read.
type Template struct {
	// Kind is AnalysisTemplate or ClusterAnalysisTemplate.
	Kind string
	// Name of the template.
	Name string
	// Spec of the template.
	Spec v1alpha1.AnalysisTemplateSpec
}

// String names the template in messages.
func (t Template) String() string { return fmt.Sprintf("%s %q", t.Kind, t.Name) }

// Request is all that an AnalysisRun is made of.
type Request struct {
	// Templates to run together, in the order of the Rollout.
	Templates []Template
	// Args are the values that the Rollout gives.
	Args []v1alpha1.Argument
	// Gate says what the run is for: step-<number>, background, pre-promotion or post-promotion.
	Gate string

	// Conditions keeps what it compiles from one request to the next. Without it each request compiles anew, in 0.3 ms.
	Conditions *Conditions

	// Fields reads the fields of the Rollout for arguments with a fieldPath; nil where there is no Rollout.
	Fields Fields

	// Rollout and Namespace name the Rollout.
	Rollout, Namespace string
	// CandidateHash and StableHash name the revisions. StableHash is empty in a first rollout.
	CandidateHash, StableHash string
	// ActiveService and StandbyService are the Services' names; empty for a Rollout without Services.
	ActiveService, StandbyService string
	// BaselineHash and BaselineService are those of an experiment; empty for a run of anything else.
	BaselineHash, BaselineService string
	// Source is what counts the requests of presets that name none; empty when it is not known.
	Source v1alpha1.MetricSource
}

// Resolve makes the spec of a run from templates and arguments. The spec stands for itself: it holds the values of all
// arguments, and metrics in which they have been put in place, so that it shows what is really asked, and a later edit
// of a template changes nothing. Equal requests give equal specs.
//
// A value comes from the Rollout's args, else from the default in a template. The arguments that are always there have
// the values of the release, whatever a template says.
//
// The error lists everything that is wrong, each with what to write instead: two templates with a metric of the same
// name or with different defaults for an argument, an argument that no template declares or that has no value, a value
// that may not stand where it is used, a condition that does not compile, a metric without an end at a gate that waits
// for one.
func Resolve(request Request) (v1alpha1.AnalysisRunSpec, error) {
	values, secrets, err := resolveArgs(request)
	if err != nil {
		return v1alpha1.AnalysisRunSpec{}, err
	}
	metrics, err := resolveMetrics(request, values, secrets)
	if err != nil {
		return v1alpha1.AnalysisRunSpec{}, err
	}
	spec := v1alpha1.AnalysisRunSpec{
		Rollout:  request.Rollout,
		Revision: request.CandidateHash,
		Gate:     request.Gate,
		Metrics:  metrics,
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		value := values[name]
		spec.Args = append(spec.Args, v1alpha1.Argument{Name: name, Value: &value})
	}
	for _, name := range slices.Sorted(maps.Keys(secrets)) {
		ref := secrets[name]
		spec.Args = append(spec.Args, v1alpha1.Argument{Name: name, ValueFrom: &v1alpha1.ArgumentSource{SecretKeyRef: &ref}})
	}
	if len(spec.Args) > maxArgs {
		return v1alpha1.AnalysisRunSpec{}, fmt.Errorf("the templates declare %d arguments together; at most %d fit one run",
			len(spec.Args), maxArgs)
	}
	return spec, nil
}

// builtins are the arguments that are always there. One without a value is left out, so that its use is an error.
func builtins(request Request) Values {
	values := Values{
		ArgRollout:        request.Rollout,
		ArgNamespace:      request.Namespace,
		ArgCandidateHash:  request.CandidateHash,
		ArgStableHash:     request.StableHash,
		ArgActiveService:  request.ActiveService,
		ArgStandbyService: request.StandbyService,

		ArgBaselineHash:    request.BaselineHash,
		ArgBaselineService: request.BaselineService,
	}
	maps.DeleteFunc(values, func(_, value string) bool { return value == "" })
	return values
}

// isBuiltin says whether an argument is always there.
func isBuiltin(name string) bool {
	switch name {
	case ArgRollout, ArgNamespace, ArgCandidateHash, ArgStableHash, ArgActiveService, ArgStandbyService, ArgBaselineHash,
		ArgBaselineService:
		return true
	}
	return false
}

// resolveArgs gives each argument that a template declares, and each that is always there, its value, or the Secret that has
// it.
func resolveArgs(request Request) (Values, secretArgs, error) {
	chosen, problems := choose(request)
	values, secrets := Values{}, secretArgs{}
	for _, name := range slices.Sorted(maps.Keys(chosen)) {
		arg := chosen[name]
		switch value, err := valueOf(arg, request.Fields); {
		case isBuiltin(name):
		case err != nil:
			problems = append(problems, fmt.Errorf("argument %q: %w", name, err))
		case value != nil:
			values[name] = *value
		case hasValue(arg):
			maps.Copy(secrets, secretsOf([]v1alpha1.Argument{arg}))
		case !slices.ContainsFunc(request.Args, func(a v1alpha1.Argument) bool { return a.Name == name }):
			problems = append(problems, fmt.Errorf("args: %q has no default and must be given; add {name: %s, value: …}",
				name, name))
		}
	}
	maps.Copy(values, builtins(request))
	return values, secrets, errors.Join(problems...)
}

// choose gives each argument that a template declares as the Rollout has it, else as the template does.
func choose(request Request) (chosen map[string]v1alpha1.Argument, problems []error) {
	declared, problems := defaults(request.Templates)
	chosen = maps.Clone(declared)
	for i, arg := range request.Args {
		_, known := declared[arg.Name]
		switch {
		case isBuiltin(arg.Name):
			problems = append(problems, fmt.Errorf("args[%d]: %q is always set by Sluice; remove it", i, arg.Name))
			continue
		case !known:
			problems = append(problems, fmt.Errorf("args[%d]: no template declares %q; %s", i, arg.Name, choices(declared)))
			continue
		case !hasValue(arg):
			problems = append(problems, fmt.Errorf("args[%d]: %q has no value; set args[%d].value", i, arg.Name, i))
		}
		chosen[arg.Name] = arg
	}
	return chosen, problems
}

// hasValue says that an argument has a value, or says where it comes from.
func hasValue(arg v1alpha1.Argument) bool { return arg.Value != nil || arg.ValueFrom != nil }

// valueOf is the value of an argument; nil when it has none, or when it stays in a Secret.
func valueOf(arg v1alpha1.Argument, fields Fields) (*string, error) {
	from := arg.ValueFrom
	switch {
	case from == nil:
		return arg.Value, nil
	case arg.Value != nil, (from.FieldPath == "") == (from.SecretKeyRef == nil):
		return nil, errors.New("write one of value, valueFrom.fieldPath and valueFrom.secretKeyRef")
	case from.SecretKeyRef != nil:
		return nil, nil
	case fields == nil:
		return nil, fmt.Errorf("there is no Rollout whose %s it could be; give it a value", clip(from.FieldPath, maxInMessages))
	}
	value, err := fields(from.FieldPath)
	return &value, err
}

// defaults collects the arguments that templates declare, with their defaults. Two templates may declare the same
// argument when at most one value comes of it.
func defaults(templates []Template) (declared map[string]v1alpha1.Argument, problems []error) {
	declared = map[string]v1alpha1.Argument{}
	from := map[string]Template{}
	for _, template := range templates {
		for _, arg := range template.Spec.Args {
			known, twice := declared[arg.Name]
			if twice && hasValue(known) && hasValue(arg) && shownDefault(known) != shownDefault(arg) {
				problems = append(problems, fmt.Errorf("%s and %s have different defaults for argument %q: %s and %s; "+
					"give them the same one, or different names", from[arg.Name], template, arg.Name, shownDefault(known), shownDefault(arg)))
				continue
			}
			if !hasValue(known) {
				declared[arg.Name], from[arg.Name] = arg, template
			}
		}
	}
	return declared, problems
}

// shownDefault writes what an argument is without being given, and of a Secret where it is.
func shownDefault(arg v1alpha1.Argument) string {
	switch {
	case arg.Value != nil:
		return strconv.Quote(*arg.Value)
	case arg.ValueFrom.SecretKeyRef != nil:
		return fmt.Sprintf("key %q of Secret %q", arg.ValueFrom.SecretKeyRef.Key, arg.ValueFrom.SecretKeyRef.Name)
	}
	return arg.ValueFrom.FieldPath
}

// choices lists the arguments that may be given.
func choices(values map[string]v1alpha1.Argument) string {
	names := slices.DeleteFunc(slices.Sorted(maps.Keys(values)), isBuiltin)
	if len(names) == 0 {
		return "they declare none, so remove it"
	}
	return "they declare " + strings.Join(names, ", ")
}

// resolveMetrics copies the metrics of all templates, with the values of the arguments in place.
func resolveMetrics(request Request, values Values, secrets secretArgs) ([]v1alpha1.Metric, error) {
	conditions := request.Conditions
	if conditions == nil {
		var err error
		if conditions, err = NewConditions(maxMetrics); err != nil {
			return nil, err
		}
	}
	var metrics []v1alpha1.Metric
	var problems []error
	from := map[string]Template{}
	for _, template := range request.Templates {
		for i, metric := range template.Spec.Metrics {
			field := fmt.Sprintf("spec.metrics[%d]", i)
			if other, taken := from[metric.Name]; taken {
				problems = append(problems, fmt.Errorf("%s and %s both have a metric %q; rename one of them",
					other, template, metric.Name))
				continue
			}
			from[metric.Name] = template
			resolved, err := resolveMetric(request, template.Spec, metric, values, secrets)
			if err == nil {
				err = conditions.Check(resolved)
			}
			if err != nil {
				problems = append(problems, fmt.Errorf("%s: %w", template, below(field, err)))
			}
			metrics = append(metrics, resolved)
		}
	}
	if len(metrics) > maxMetrics {
		problems = append(problems, fmt.Errorf("the templates have %d metrics together; at most %d fit one run",
			len(metrics), maxMetrics))
	}
	if len(metrics) == 0 {
		problems = append(problems, errors.New("templates: there is no metric to measure; name a template that has one"))
	}
	return metrics, errors.Join(problems...)
}

// resolveMetric puts the values of the arguments into one metric and checks what the API server would refuse.
func resolveMetric(
	request Request, from v1alpha1.AnalysisTemplateSpec, metric v1alpha1.Metric, values Values, secrets secretArgs,
) (v1alpha1.Metric, error) {
	metric, err := unfold(request, metric)
	if err != nil {
		return v1alpha1.Metric{}, err
	}
	if err := checkDeclared(from, metric); err != nil {
		return v1alpha1.Metric{}, err
	}
	metric, err = secrets.place(metric)
	if err != nil {
		return v1alpha1.Metric{}, err
	}
	for _, name := range placeholders(metric) {
		if _, ok := values[name]; !ok && isBuiltin(name) {
			return v1alpha1.Metric{}, &Fault{Message: fmt.Sprintf("argument %q has no value here; %s", name, absence(name))}
		}
	}
	resolved, err := Expand(metric, values)
	if err != nil {
		return v1alpha1.Metric{}, err
	}
	if isEndless(resolved) && request.Gate != GateBackground {
		return v1alpha1.Metric{}, &Fault{Field: "count", Message: fmt.Sprintf(
			"a metric with an interval and no count has no end, and gate %s would wait for ever; set count", request.Gate)}
	}
	return resolved, checkLengths(resolved)
}

// unfold puts in the place of a preset what it stands for.
func unfold(request Request, metric v1alpha1.Metric) (v1alpha1.Metric, error) {
	if request.Gate == gatePostPromotion && presets.ByService(metric, request.Source) {
		return metric, &Fault{Field: "source", Message: "after the switch the active Service selects the candidate, so that versions cannot be " +
			"told apart by Service; write source: App or OpenTelemetry, or ratio with selectors of pods"}
	}
	plain, err := presets.Plain(metric, request.Source)
	if err != nil {
		return metric, &Fault{Field: "source", Message: err.Error()}
	}
	return plain, nil
}

// absence says why an argument that is always there has no value.
func absence(name string) string {
	switch name {
	case ArgStableHash:
		return "there is no stable revision yet"
	case ArgActiveService, ArgStandbyService:
		return "set spec.services.active of the Rollout"
	case ArgBaselineHash, ArgBaselineService:
		return "only the analysis of an experiment has it"
	}
	return "only a run that a Rollout starts has it"
}

// checkLengths finds a text that has grown beyond what the API takes.
func checkLengths(metric v1alpha1.Metric) error {
	for _, t := range textsOf(&metric) {
		if n := utf8.RuneCountInString(*t.at); n > t.limit {
			return &Fault{Field: t.field, Message: fmt.Sprintf(
				"with its arguments it has %d characters; at most %d are allowed", n, t.limit)}
		}
	}
	return nil
}

// below puts a field in front of a fault, and leaves other errors as they are.
func below(field string, err error) error {
	var fault *Fault
	if errors.As(err, &fault) {
		return fault.below(field)
	}
	return err
}
