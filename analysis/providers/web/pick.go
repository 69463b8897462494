package web

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
	"github.com/google/cel-go/ext"
	"k8s.io/utils/lru"

	"github.com/sluice-dev/sluice/analysis"
	"github.com/sluice-dev/sluice/analysis/providers/fetch"
	"github.com/sluice-dev/sluice/api/v1alpha1"
)

const (
	// answerVariable is the name of the answer in an expression.
	answerVariable = "json"
	// maxCost bounds the work of one evaluation, in CEL's units. A look at each of 100,000 elements costs about that.
	maxCost = 1_000_000
	// maxDepth bounds the nesting of an expression; CEL's own bound is 250.
	maxDepth = 50
	// checkEvery is how many turns of a loop pass between two looks at the timeout.
	checkEvery = 100
	// keptPickers are compiled expressions; about 10 kB each.
	keptPickers = 512

	hint = `pick a number out of the answer, such as "json.data.errors / json.data.requests"`
)

// pickers compiles expressions, and keeps what it has compiled. It is safe for concurrent use.
type pickers struct {
	env  *cel.Env
	kept *lru.Cache // *picker by expression
}

// picker takes a number out of an answer.
type picker struct {
	expression string
	program    cel.Program
}

// newPickers makes an empty one.
func newPickers() (*pickers, error) {
	env, err := cel.NewEnv(
		cel.Variable(answerVariable, cel.DynType),
		cel.CrossTypeNumericComparisons(true),
		cel.OptionalTypes(),
		ext.Math(),
		cel.ParserRecursionLimit(maxDepth),
	)
	if err != nil {
		return nil, fmt.Errorf("environment of web metrics: %w", err)
	}
	return &pickers{env: env, kept: lru.New(keptPickers)}, nil
}

// get gives the picker of an expression.
func (p *pickers) get(expression string) (*picker, error) {
	if known, ok := p.kept.Get(expression); ok {
		if known, ok := known.(*picker); ok {
			return known, nil
		}
	}
	ast, issues := p.env.Compile(expression)
	if issues.Err() != nil {
		first := issues.Errors()[0]
		text, _, _ := strings.Cut(first.Message, "\n")
		return nil, wrong(fmt.Sprintf("it does not compile: at character %d: %s; %s",
			first.Location.Column()+1, fetch.Printable(text, fetch.ShownText), hint))
	}
	program, err := p.env.Program(ast, cel.CostLimit(maxCost), cel.InterruptCheckFrequency(checkEvery))
	if err != nil {
		return nil, wrong(fmt.Sprintf("it cannot be run: %v; %s", err, hint))
	}
	made := &picker{expression: expression, program: program}
	p.kept.Add(expression, made)
	return made, nil
}

// pick evaluates the expression. What CEL says of an error may hold parts of the answer, and is not repeated.
func (p *picker) pick(ctx context.Context, document any) (analysis.Reading, error) {
	out, _, err := p.program.ContextEval(ctx, map[string]any{answerVariable: document})
	if err != nil {
		return analysis.Reading{}, p.explain(err)
	}
	if optional, ok := out.(*types.Optional); ok {
		if !optional.HasValue() {
			return analysis.Reading{}, nil
		}
		out = optional.GetValue()
	}
	return number(out)
}

// explain says why an expression gives nothing for an answer. The name of a field that is missing is shown when it is
// one that the expression holds, and so not one that the answer brought.
func (p *picker) explain(err error) error {
	text := err.Error()
	if _, key, ok := strings.Cut(text, "no such key: "); ok && strings.Contains(p.expression, key) {
		return wrong(fmt.Sprintf("the answer has no field %q; correct the name, or write .?%s where it may be missing", key, key))
	}
	switch {
	case strings.Contains(text, "cost limit"):
		return wrong("it takes too long for an answer of this size; ask the server for less, or pick without going through lists")
	case strings.Contains(text, "interrupted"):
		return wrong("it takes too long for an answer of this size, and was ended at the timeout")
	}
	return wrong("the answer is not such that this can be evaluated: a field has another type, or an index is outside of its list; " + hint)
}

// number gives the figure of a result.
func number(out ref.Val) (analysis.Reading, error) {
	switch v := out.(type) {
	case types.Double:
		return analysis.Reading{Value: float64(v), Found: true}, nil
	case types.Int:
		return analysis.Reading{Value: float64(v), Found: true}, nil
	case types.Uint:
		return analysis.Reading{Value: float64(v), Found: true}, nil
	case types.Null:
		return analysis.Reading{}, nil
	case types.String:
		return analysis.Reading{}, wrong("it gives a text; write double(…) around it if it is a number")
	case types.Bool:
		return analysis.Reading{}, wrong("it gives true or false; write (…) ? 1.0 : 0.0 around it, and compare result with 1.0")
	case traits.Lister:
		return analysis.Reading{}, wrong("it gives a list; pick one of its elements, such as with [0]")
	}
	return analysis.Reading{}, wrong("it gives no number; " + hint)
}

// wrong is a fault of the expression.
func wrong(message string) *analysis.Fault {
	return &analysis.Fault{
		Reason: v1alpha1.ReasonQueryInvalid, Field: fieldValue, Message: message,
	}
}
