package analysis

import (
	"errors"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/cel-go/common/ast"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// expandQuery expands a query alone.
func expandQuery(query string, values Values) (string, error) {
	m := v1alpha1.Metric{Provider: v1alpha1.MetricProvider{Prometheus: &v1alpha1.PrometheusMetric{Query: query}}}
	out, err := Expand(m, values)
	if err != nil {
		return "", err
	}
	return out.Provider.Prometheus.Query, nil
}

func TestExpandQuery(t *testing.T) {
	tests := map[string]struct {
		query string
		value string
		want  string
	}{
		"in quotes":                  {`up{pod="{{args.x}}"}`, "web-1", `up{pod="web-1"}`},
		"with spaces":                {`up{pod="{{ args.x   }}"}`, "web", `up{pod="web"}`},
		"twice":                      {`a{p="{{args.x}}"}/b{p="{{args.x}}"}`, "web", `a{p="web"}/b{p="web"}`},
		"side by side in quotes":     {`up{p="{{args.x}}{{args.x}}"}`, "a-", `up{p="a-a-"}`},
		"a quote in quotes":          {`up{pod="{{args.x}}"}`, `a"} or up{pod="b`, `up{pod="a\"} or up{pod=\"b"}`},
		"a backslash in quotes":      {`up{pod="{{args.x}}"}`, `a\`, `up{pod="a\\"}`},
		"the other quote in quotes":  {`up{pod="{{args.x}}"}`, `it's`, `up{pod="it's"}`},
		"a quote in single quotes":   {`up{pod='{{args.x}}'}`, `it's "x"`, `up{pod='it\'s "x"'}`},
		"in a raw string":            {"up{pod=`{{args.x}}`}", `a\d"`, "up{pod=`a\\d\"`}"},
		"after an escaped quote":     {`up{pod="\"{{args.x}}"}`, `a"b`, `up{pod="\"a\"b"}`},
		"after an escaped backslash": {`up{pod="\\{{args.x}}"}`, `n`, `up{pod="\\n"}`},
		"after a whole escape":       {`up{pod="\x41{{args.x}}"}`, `1`, `up{pod="\x411"}`},
		"a quote in a comment":       {"up # it's\n > {{args.x}}", "5", "up # it's\n > 5"},
		"a hash in quotes":           {`up{a="#"} > {{args.x}}`, "5", `up{a="#"} > 5`},
		"a letter beyond ASCII":      {`up{pod="{{args.x}}"}`, "ü", `up{pod="ü"}`},
		"braces beside it":           {`up{{{args.x}}="a"}`, "pod", `up{pod="a"}`},
		"a duration":                 {`rate(up[{{args.x}}])`, "5m", `rate(up[5m])`},
		"a long duration":            {`rate(up[{{args.x}}])`, "1h30m", `rate(up[1h30m])`},
		"a resolution":               {`max_over_time(up[1h:{{args.x}}])`, "1m", `max_over_time(up[1h:1m])`},
		"a number":                   {`up > {{args.x}}`, "0.5", `up > 0.5`},
		"a number with an exponent":  {`up > {{args.x}}`, "1e-3", `up > 1e-3`},
		"a negative number":          {`up > {{args.x}}`, "-5", `up > -5`},
		"a negative argument":        {`clamp(up, {{args.x}}, 1)`, "-5", `clamp(up, -5, 1)`},
		"a name":                     {`sum({{args.x}})`, "job:errors:rate5m", `sum(job:errors:rate5m)`},
		"a part of a name":           {`{{args.x}}_total`, "requests", `requests_total`},
		"the end of a name":          {`requests_{{args.x}}`, "7f9c6d", `requests_7f9c6d`},
		"the digits of a duration":   {`rate(up[{{args.x}}m])`, "5", `rate(up[5m])`},
		"a grouping":                 {`sum by ({{args.x}}) (up)`, "pod", `sum by (pod) (up)`},
		"nothing to replace":         {`up{pod="{args.x}"}`, "", `up{pod="{args.x}"}`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := expandQuery(test.query, Values{"x": test.value})
			if err != nil || got != test.want {
				t.Fatalf("got %s and error %v, want %s", got, err, test.want)
			}
			again, err := expandQuery(got, nil)
			if err != nil || again != got {
				t.Errorf("expanded again: got %s and error %v", again, err)
			}
		})
	}
}

func TestExpandQueryRefuses(t *testing.T) {
	tests := map[string]struct {
		query    string
		value    string
		wantText string
	}{
		"a missing argument":                      {`up{pod="{{args.y}}"}`, "a", `argument "y" has no value`},
		"an empty argument":                       {`up{pod="{{args.x}}"}`, "", "is empty"},
		"another variable":                        {`up{pod="{{inputs.x}}"}`, "a", "{{args.<name>}}"},
		"braces that do not close":                {`up{pod="{{args.x"}`, "a", "{{args.<name>}}"},
		"a value that uses another":               {`up{pod="{{args.x}}"}`, "{{args.x}}", "other arguments"},
		"a line break":                            {`up{pod="{{args.x}}"}`, "a\nb", "control character"},
		"no UTF-8":                                {`up{pod="{{args.x}}"}`, "\xff", "control character"},
		"the end of a raw string":                 {"up{pod=`{{args.x}}`}", "a`b", "holds a `"},
		"the middle of an escape":                 {`up{pod="\{{args.x}}"}`, "n", "escape sequence"},
		"the middle of an escape, with a quote":   {`up{pod="\{{args.x}}"}`, `"`, "escape sequence"},
		"the middle of a hexadecimal escape":      {`up{pod="\x4{{args.x}}"}`, "1", "escape sequence"},
		"the middle of an octal escape":           {`up{pod="\10{{args.x}}"}`, "1", "escape sequence"},
		"the middle of a Unicode escape":          {`up{pod="\u00{{args.x}}"}`, "e9", "escape sequence"},
		"an expression":                           {`sum({{args.x}})`, "up) or vector(1", "outside quotes"},
		"a selector":                              {`sum({{args.x}})`, `up{pod="a"}`, "outside quotes"},
		"a subtraction":                           {`sum({{args.x}})`, "a-b", "outside quotes"},
		"a comment":                               {`sum({{args.x}})`, "a#", "outside quotes"},
		"a space":                                 {`sum({{args.x}})`, "a b", "outside quotes"},
		"an operator":                             {`up {{args.x}} up`, "or", "query language"},
		"an operator in capitals":                 {`up {{args.x}} up`, "UNLESS", "query language"},
		"infinity":                                {`up > {{args.x}}`, "Inf", "query language"},
		"a sign that would subtract":              {`up {{args.x}}`, "-5", "negative"},
		"a sign before a power":                   {`up > {{args.x}} ^ 2`, "-5", "negative"},
		"a sign at the beginning":                 {`{{args.x}}`, "-5", "negative"},
		"a part of a name that ends it":           {`up_{{args.x}}`, "a-b", "part of a word"},
		"a part of a name that makes a subquery":  {`rate(up[{{args.x}}m])`, "5m:1", "part of a word"},
		"a part of a name with a sign":            {`up_{{args.x}}`, "-5", "part of a word"},
		"side by side":                            {`{{args.x}}{{args.x}}`, "a:b", "part of a word"},
		"the exponent of a number":                {`up > 1e-{{args.x}}`, "a", "exponent"},
		"a letter that makes an exponent":         {`5{{args.x}}-5`, "e", "exponent"},
		"a letter that may make an exponent":      {`{{args.x}}{{args.x}}-5`, "e", "exponent"},
		"a quote in a comment, where nothing was": {"up # {{args.x}}\n", `"`, "outside quotes"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := expandQuery(test.query, Values{"x": test.value})
			var fault *Fault
			if !errors.As(err, &fault) {
				t.Fatalf("got %q and error %v, want a fault", got, err)
			}
			if fault.Field != "provider.prometheus.query" || fault.Reason != v1alpha1.ReasonArgumentInvalid {
				t.Errorf("got a fault %s of %s, want one of the query", fault.Reason, fault.Field)
			}
			if !strings.Contains(fault.Message, test.wantText) {
				t.Errorf("message %q lacks %q", fault.Message, test.wantText)
			}
		})
	}
}

func TestExpandCondition(t *testing.T) {
	tests := map[string]struct {
		condition, value string
		want             string
		wantText         string
	}{
		"a number":                  {"result >= {{args.x}}", "0.95", "result >= 0.95", ""},
		"a whole number":            {"result * {{args.x}} > 5", "100", "result * 100.0 > 5", ""},
		"a negative number":         {"result > {{args.x}}", "-1", "result > -1.0", ""},
		"a name":                    {"result > {{args.x}}", "result", "", "must be a number"},
		"an expression":             {"result > {{args.x}}", "1 || true", "", "must be a number"},
		"a text":                    {"result > {{args.x}}", "'1'", "", "must be a number"},
		"a part of a word":          {"result > 1{{args.x}}", "1", "", "part of a word"},
		"a sign that would be lost": {"result {{args.x}} > 1.0", "-1", "", "negative"},
		"an exponent":               {"result > 1e-{{args.x}}", "3", "", "exponent"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			out, err := Expand(v1alpha1.Metric{SuccessCondition: test.condition}, Values{"x": test.value})
			if test.wantText == "" {
				if err != nil || out.SuccessCondition != test.want {
					t.Errorf("got %q and error %v, want %q", out.SuccessCondition, err, test.want)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), test.wantText) || !strings.HasPrefix(err.Error(), "successCondition: ") {
				t.Errorf("got %q and error %v, want an error of successCondition with %q", out.SuccessCondition, err, test.wantText)
			}
		})
	}
}

func TestExpandAddress(t *testing.T) {
	const template = "http://prometheus.{{args.x}}:9090/t/{{args.x}}"
	for _, value := range []string{"monitoring", "a.b", "a-b_c", "9"} {
		m := v1alpha1.Metric{Provider: v1alpha1.MetricProvider{Prometheus: &v1alpha1.PrometheusMetric{Address: template}}}
		out, err := Expand(m, Values{"x": value})
		want := strings.ReplaceAll(template, "{{args.x}}", value)
		if err != nil || out.Provider.Prometheus.Address != want {
			t.Errorf("%q: got %v and error %v, want %s", value, out.Provider.Prometheus, err, want)
		}
		if m.Provider.Prometheus.Address != template {
			t.Fatal("Expand changes what it is given")
		}
	}
	for _, value := range []string{"a/b", "..", ".", "a:1", "a@b", "a?b", "a#b", "a b", "-a", "[::1]", "a%2fb", "ü", "a.", `a\`} {
		m := v1alpha1.Metric{Provider: v1alpha1.MetricProvider{Prometheus: &v1alpha1.PrometheusMetric{Address: template}}}
		if out, err := Expand(m, Values{"x": value}); err == nil {
			t.Errorf("%q: got %s, want an error", value, out.Provider.Prometheus.Address)
		}
	}
}

// token is one token of PromQL, read by rules of their own, that share nothing with the code under test: comments,
// strings, numbers with an exponent, words, and single characters.
var token = regexp.MustCompile("(?s)#[^\n]*" + `|"(?:\\.|[^"\\])*(?:"|$)|'(?:\\.|[^'\\])*(?:'|$)|` + "`[^`]*(?:`|$)" +
	`|[0-9.]+[eE][+-][0-9]+|[A-Za-z0-9_:.\x{80}-\x{10ffff}]+|\s+|.`)

// shape is the sequence of the kinds of tokens. A sign where a number begins is taken for a part of the number.
func shape(query string) string {
	var kinds []byte
	for _, text := range token.FindAllString(query, -1) {
		c := text[0]
		switch {
		case isWord(c):
			c = 'w'
		case strings.TrimSpace(text) == "":
			continue
		}
		if c == '-' && len(kinds) > 0 && strings.IndexByte("(,<>=", kinds[len(kinds)-1]) >= 0 {
			continue
		}
		kinds = append(kinds, c)
	}
	return string(kinds)
}

// FuzzQueryKeepsItsShape has values of any kind in queries of any kind: whatever is accepted reads like the query with
// the value 1.
func FuzzQueryKeepsItsShape(f *testing.F) {
	values := []string{
		"web", "-5", `a"`, `\`, `'`, "`", "a-b", "5m", "1e", "e", "0x", "#", "\n", `"} or up{a="`, "or", "a:b", "1.5", "{{args.x}}", "ü",
	}
	queries := []string{
		`up{pod="{{args.x}}"}`, `up{pod='{{args.x}}'}`, "up{pod=`{{args.x}}`}", `up > {{args.x}}`, `a_{{args.x}}`,
		`{{args.x}}{{args.y}}`, `"\{{args.x}}"`, `"\x{{args.x}}"`, `"\x4{{args.y}}{{args.x}}"`, `5{{args.x}}-5`, `5{{args.x}}{{args.y}}-5`,
		"# {{args.x}}\nup", `a - {{args.x}}`, `rate(a[{{args.x}}:{{args.y}}])`, `"{{args.x}}`, `'"{{args.x}}`, `1e-{{args.x}}`,
	}
	for _, query := range queries {
		for _, value := range values {
			f.Add(query, value, "web")
			f.Add(query, value, value)
		}
	}
	f.Fuzz(func(t *testing.T, query, x, y string) {
		got, err := expandQuery(query, Values{"x": x, "y": y})
		if err != nil {
			return
		}
		plain := placeholder.ReplaceAllString(query, "1")
		if want := shape(plain); shape(got) != want {
			t.Fatalf("with %q and %q\n%q became\n%q\nshape %q, want %q", x, y, query, got, shape(got), want)
		}
		if again, err := expandQuery(got, nil); err != nil || again != got {
			t.Fatalf("expanded again, %q is %q, error %v", got, again, err)
		}
	})
}

// FuzzConditionKeepsItsShape compares the syntax trees that CEL itself makes.
func FuzzConditionKeepsItsShape(f *testing.F) {
	for _, condition := range []string{
		"result >= {{args.x}}", "result - {{args.x}} > 1.0", "{{args.x}} < result && result < {{args.x}}", "1e-{{args.x}} > result",
		"'{{args.x}}' == 'a'", "result > 1.{{args.x}}", "-{{args.x}} < result", "result > ({{args.x}})", "// {{args.x}}\nresult > 1.0",
	} {
		for _, value := range []string{"1", "-1", "1.5", "1e5", "1e-5", ".5", "result", "1 || true", "a", "-", "0x1"} {
			f.Add(condition, value)
		}
	}
	conditions := newConditions(f, 1)
	f.Fuzz(func(t *testing.T, condition, value string) {
		out, err := Expand(v1alpha1.Metric{SuccessCondition: condition}, Values{"x": value})
		if err != nil {
			return
		}
		want, ok := nodes(conditions, placeholder.ReplaceAllString(condition, "1.5"))
		if !ok {
			return
		}
		if got, _ := nodes(conditions, out.SuccessCondition); !slices.Equal(got, want) {
			t.Fatalf("with %q, %q became %q: nodes %v, want %v", value, condition, out.SuccessCondition, got, want)
		}
	})
}

// nodes lists what the syntax tree of a condition is made of, and says whether it has one.
func nodes(conditions *Conditions, expression string) (found []string, ok bool) {
	parsed, issues := conditions.env.Parse(expression)
	if issues.Err() != nil {
		return nil, false
	}
	ast.PreOrderVisit(parsed.NativeRep().Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		switch e.Kind() {
		case ast.CallKind:
			found = append(found, e.AsCall().FunctionName())
		case ast.IdentKind:
			found = append(found, e.AsIdent())
		default:
			found = append(found, "literal")
		}
	}))
	return found, true
}

func FuzzAddressKeepsItsShape(f *testing.F) {
	for _, value := range []string{"monitoring", "a/b", "a@b", "a:1", "..", "a%40b", "[::1]", "a?b"} {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value string) {
		m := v1alpha1.Metric{Provider: v1alpha1.MetricProvider{Prometheus: &v1alpha1.PrometheusMetric{
			Address: "http://prometheus-{{args.x}}.svc:9090/t/{{args.x}}/p",
		}}}
		out, err := Expand(m, Values{"x": value})
		if err != nil {
			return
		}
		u, err := url.Parse(out.Provider.Prometheus.Address)
		if err != nil {
			t.Fatal(err)
		}
		if u.Host != "prometheus-"+value+".svc:9090" || u.Path != "/t/"+value+"/p" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
			t.Fatalf("%q changes the address to %s", value, u)
		}
	})
}
