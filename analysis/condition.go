package analysis

import (
	"fmt"
	"math"
	"strings"
	"sync"

	"github.com/google/cel-go/cel"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

const (
	// resultVariable is the name of the figure in a condition.
	resultVariable = "result"
	// conditionCost bounds the work of one evaluation, in CEL's units. Comparing a number costs about 3; a condition
	// of 1024 characters, the longest that the API takes, stays below 1000 as there are no loops.
	conditionCost = 10_000
	// conditionDepth bounds the nesting of an expression; CEL's own bound is 250.
	conditionDepth = 50
	// conditionHint ends every complaint about a condition.
	conditionHint = `compare result with numbers, such as "result >= 0.95" or "result > 0.1 && result < 5.0"`
)

// Conditions compiles and evaluates success and failure conditions: CEL expressions over result, a double, that give a
// bool. It keeps what it has compiled, up to a bound, and is safe for concurrent use.
//
// A whole number may be compared with result as it is ("result > 5"). With == and in arithmetic CEL wants a point
// ("result * 100.0 > 5").
// There are no macros, so no loops.
type Conditions struct {
	env  *cel.Env
	size int

	mu       sync.Mutex
	compiled map[string]compiled // by expression
}

// compiled is one expression, ready to run or known not to compile.
type compiled struct {
	program cel.Program
	problem string
}

// NewConditions makes room for so many compiled expressions, at least one. The error is one of the CEL library, for a
// version of it that does not take the options used here.
func NewConditions(size int) (*Conditions, error) {
	env, err := cel.NewEnv(
		cel.Variable(resultVariable, cel.DoubleType),
		cel.CrossTypeNumericComparisons(true),
		cel.ClearMacros(),
		cel.ParserRecursionLimit(conditionDepth),
		cel.ParserExpressionSizeLimit(maxMessage),
	)
	if err != nil {
		return nil, fmt.Errorf("environment of conditions: %w", err)
	}
	return &Conditions{env: env, size: max(size, 1), compiled: map[string]compiled{}}, nil
}

// Evaluate says what a value means for a metric. A value that is not finite is NoData, whatever the conditions. The error
// is a *Fault that names the condition which cannot be used.
func (c *Conditions) Evaluate(metric v1alpha1.Metric, value float64) (v1alpha1.MeasurementState, error) {
	if math.IsNaN(value) || math.IsInf(value, 0) {
		return v1alpha1.MeasurementNoData, nil
	}
	if err := c.Check(metric); err != nil {
		return v1alpha1.MeasurementError, err
	}
	success, err := c.holds("successCondition", metric.SuccessCondition, value)
	if err != nil {
		return v1alpha1.MeasurementError, err
	}
	failure, err := c.holds("failureCondition", metric.FailureCondition, value)
	if err != nil {
		return v1alpha1.MeasurementError, err
	}
	switch {
	case failure:
		return v1alpha1.MeasurementFailed, nil
	case success, metric.SuccessCondition == "":
		return v1alpha1.MeasurementSuccessful, nil
	case metric.FailureCondition == "":
		return v1alpha1.MeasurementFailed, nil
	default:
		return v1alpha1.MeasurementInconclusive, nil
	}
}

// Check compiles the conditions of a metric, and looks at its query. The error is a *Fault that names the condition and says what to write.
func (c *Conditions) Check(metric v1alpha1.Metric) error {
	if kind := kindOf(&metric); kind != nil {
		return kind.check()
	}
	if metric.Kubernetes != nil {
		return nil
	}
	if metric.SuccessCondition == "" && metric.FailureCondition == "" {
		return conditionFault("successCondition", "neither successCondition nor failureCondition is set")
	}
	for _, condition := range []struct{ field, expression string }{
		{"successCondition", metric.SuccessCondition},
		{"failureCondition", metric.FailureCondition},
	} {
		if condition.expression == "" {
			continue
		}
		if got := c.compile(condition.expression); got.problem != "" {
			return conditionFault(condition.field, got.problem)
		}
	}
	return checkFallback(metric)
}

// holds evaluates one condition; an absent one does not hold.
func (c *Conditions) holds(field, expression string, value float64) (bool, error) {
	if expression == "" {
		return false, nil
	}
	got := c.compile(expression)
	if got.problem != "" {
		return false, conditionFault(field, got.problem)
	}
	out, _, err := got.program.Eval(map[string]any{resultVariable: value})
	if err != nil {
		problem := fmt.Sprintf("%q cannot be evaluated for %s: %v", condition(expression), formatValue(value), err)
		return false, conditionFault(field, problem)
	}
	holds, ok := out.Value().(bool)
	if !ok {
		return false, conditionFault(field, fmt.Sprintf("%q gives no bool for %s", condition(expression), formatValue(value)))
	}
	return holds, nil
}

// compile looks an expression up, or compiles it. What does not compile is kept too: a run asks again every interval.
// When the bound is reached everything goes; what is in use comes back for about 0.1 ms each.
func (c *Conditions) compile(expression string) compiled {
	c.mu.Lock()
	known, ok := c.compiled[expression]
	c.mu.Unlock()
	if ok {
		return known
	}
	fresh := c.build(expression)
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.compiled) >= c.size {
		clear(c.compiled)
	}
	c.compiled[expression] = fresh
	return fresh
}

// build compiles an expression.
func (c *Conditions) build(expression string) compiled {
	ast, issues := c.env.Compile(expression)
	if issues.Err() != nil {
		return compiled{problem: fmt.Sprintf("%q does not compile: %s", condition(expression), firstIssue(issues))}
	}
	if !ast.OutputType().IsExactType(cel.BoolType) {
		return compiled{problem: fmt.Sprintf("%q gives a %s and no bool", condition(expression), ast.OutputType())}
	}
	program, err := c.env.Program(ast, cel.CostLimit(conditionCost))
	if err != nil {
		return compiled{problem: fmt.Sprintf("%q cannot be run: %v", condition(expression), err)}
	}
	return compiled{program: program}
}

// firstIssue gives the first complaint of the compiler on one line, without its drawing of the source.
func firstIssue(issues *cel.Issues) string {
	first := issues.Errors()[0]
	text := fmt.Sprintf("at character %d: %s", first.Location.Column()+1, first.Message)
	text, _, _ = strings.Cut(text, "\n")
	if strings.Contains(text, "no matching overload") {
		text += `; write numbers with a point, such as "100.0"`
	}
	return text
}

// conditionFault is the fault of a condition that cannot be used.
func conditionFault(field, problem string) *Fault {
	message := clip(problem, maxMessage/2) + "; " + conditionHint
	return &Fault{Reason: v1alpha1.ReasonConditionInvalid, Field: field, Message: message}
}
