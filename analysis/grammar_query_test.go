package analysis

import (
	"reflect"
	"strings"
	"testing"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

func TestExpandQueriesOfOtherProviders(t *testing.T) {
	const refused = "refused"
	tests := map[string]struct {
		by    grammar
		text  string
		value string
		want  string
	}{
		"a tag":                          {&tagGrammar{}, "sum:e{service:{{args.x}}}", "web-1.2/a", "sum:e{service:web-1.2/a}"},
		"a tag that ends the braces":     {&tagGrammar{}, "sum:e{service:{{args.x}}}", "a} by {b", refused},
		"a second tag":                   {&tagGrammar{}, "sum:e{service:{{args.x}}}", "a,b:c", refused},
		"a tag that excludes":            {&tagGrammar{}, "sum:e{{{args.x}}}", "!a", refused},
		"every tag":                      {&tagGrammar{}, "sum:e{{{args.x}}}", "*", refused},
		"a part of a metric":             {&tagGrammar{}, "sum:{{args.x}}.errors{*}", "web", "sum:web.errors{*}"},
		"a difference of metrics":        {&tagGrammar{}, "sum:{{args.x}}.errors{*}", "web-a", refused},
		"a word of a formula":            {wordGrammar{}, "{{args.x}} / b", "a", "a / b"},
		"more than a word of a formula":  {wordGrammar{}, "{{args.x}} / b", "a+1", refused},
		"a piece of a path":              {targetGrammar{}, "sum(a.{{args.x}}.b)", "web-1", "sum(a.web-1.b)"},
		"a number in a target":           {targetGrammar{}, "scale(a, {{args.x}})", "0.5", "scale(a, 0.5)"},
		"any piece of a path":            {targetGrammar{}, "a.{{args.x}}.b", "*", refused},
		"two pieces of a path":           {targetGrammar{}, "a.{{args.x}}.b", "c.d", refused},
		"another target":                 {targetGrammar{}, "a.{{args.x}}", "b,c.d", refused},
		"quotes":                         {&quotedGrammar{quotes: `'"`}, "x = '{{args.x}}' LIMIT 1", "a-b.c", "x = 'a-b.c' LIMIT 1"},
		"the end of quotes":              {&quotedGrammar{quotes: `'"`}, "x = '{{args.x}}'", "a' OR 'b", refused},
		"a backslash before the end":     {&quotedGrammar{quotes: `'"`}, "x = '{{args.x}}'", `a\`, refused},
		"interpolation":                  {&quotedGrammar{quotes: `"`}, `x == "{{args.x}}"`, "${a}", refused},
		"an escaped quote before":        {&quotedGrammar{quotes: `"`}, `x == "a\"{{args.x}}"`, "a-b", `x == "a\"a-b"`},
		"an escape sequence":             {&quotedGrammar{quotes: `"`}, `x == "a\{{args.x}}"`, "n", refused},
		"a duration outside quotes":      {&quotedGrammar{quotes: `"`}, `range(start: -{{args.x}})`, "5m", `range(start: -5m)`},
		"a number outside quotes":        {&quotedGrammar{quotes: `'`}, `SINCE {{args.x}} minutes ago`, "5", `SINCE 5 minutes ago`},
		"a word outside quotes":          {&quotedGrammar{quotes: `'`}, `SELECT {{args.x}}`, "password", refused},
		"an operator outside quotes":     {&quotedGrammar{quotes: `'`}, `LIMIT {{args.x}}`, "1-1", refused},
		"a function outside quotes":      {&quotedGrammar{quotes: `"`}, `limit(n: {{args.x}})`, "f()", refused},
		"behind a comment with a quote":  {&quotedGrammar{quotes: `"`}, "// don\"t\nx == {{args.x}}", "a-b", refused},
		"a word behind a comment":        {&quotedGrammar{quotes: `"`}, "// first\nx == \"{{args.x}}\"", "ab", "// first\nx == \"ab\""},
		"behind a regular expression":    {&quotedGrammar{quotes: `"`}, `a =~ /"/ and b == "{{args.x}}"`, "a.b", refused},
		"behind a comment of two dashes": {&quotedGrammar{quotes: `'`}, "-- '\nx = '{{args.x}}'", "a.b", refused},
		"behind a name in backticks":     {&quotedGrammar{quotes: `'`}, "`a'b` = '{{args.x}}'", "a.b", refused},
		"any text as a value":            {plainGrammar{}, "a {{args.x}}", `"b' {c}`, `a "b' {c}`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := substitute(test.text, Values{"x": test.value}, test.by)
			if err != nil {
				got = refused
			}
			if got != test.want {
				t.Errorf("got %s and error %v, want %s", got, err, test.want)
			}
		})
	}
}

// TestNoTextIsForgotten fills every text of every provider with a placeholder. Those that are not replaced are named here,
// so that a field that is added to a provider is thought about.
func TestNoTextIsForgotten(t *testing.T) {
	fixed := map[string]bool{
		"prometheus.reduce": true, "prometheus.headers.name": true, "web.method": true, "web.value": true, "web.headers.name": true, "graphite.headers.name": true, "external.headers.name": true,
		"external.parameters.name": true, "datadog.aggregator": true, "datadog.queries.name": true,
		"cloudWatch.region": true, "cloudWatch.statistics.id": true, "cloudWatch.statistics.statistic": true,
		"cloudWatch.statistics.dimensions.name": true,
	}
	kind := reflect.TypeFor[v1alpha1.MetricProvider]()
	for i := range kind.NumField() {
		var provider v1alpha1.MetricProvider
		field := reflect.ValueOf(&provider).Elem().Field(i)
		field.Set(reflect.New(field.Type().Elem()))
		fill(field.Elem())
		out, err := Expand(v1alpha1.Metric{Provider: provider}, Values{"x": "1"})
		if err != nil {
			t.Errorf("%s: %v", kind.Field(i).Name, err)
			continue
		}
		for _, path := range unexpanded(reflect.ValueOf(out.Provider), "") {
			if !fixed[path] {
				t.Errorf("%s keeps its placeholder; list it in textsOf, or here", path)
			}
		}
	}
}

// fill writes a placeholder into every text of a value, and gives every list one element.
func fill(value reflect.Value) {
	switch value.Kind() {
	case reflect.String:
		value.SetString("{{args.x}}")
	case reflect.Struct:
		for i := range value.NumField() {
			fill(value.Field(i))
		}
	case reflect.Slice:
		value.Set(reflect.MakeSlice(value.Type(), 1, 1))
		fill(value.Index(0))
	default: // numbers, durations and references have no placeholders
	}
}

// unexpanded lists the paths of the texts that hold a placeholder. References to Secrets have none by their nature.
func unexpanded(value reflect.Value, path string) []string {
	var found []string
	switch value.Kind() {
	case reflect.String:
		if strings.Contains(value.String(), "{{") {
			return []string{path}
		}
	case reflect.Pointer:
		if !value.IsNil() {
			return unexpanded(value.Elem(), path)
		}
	case reflect.Slice:
		for i := range value.Len() {
			found = append(found, unexpanded(value.Index(i), path)...)
		}
	case reflect.Struct:
		if value.Type() == reflect.TypeFor[v1alpha1.SecretKeyReference]() {
			return nil
		}
		for i := range value.NumField() {
			found = append(found, unexpanded(value.Field(i), fieldPath(path, value.Type().Field(i)))...)
		}
	default:
	}
	return found
}

// fieldPath is the path of a field of a struct with this path.
func fieldPath(path string, field reflect.StructField) string {
	name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
	if name == "" { // inlined
		return path
	}
	return strings.TrimPrefix(path+"."+name, ".")
}
