package analysis

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/sluice-dev/sluice/analysis/presets"
	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// Values are the values of arguments by their names.
type Values map[string]string

// placeholder is {{args.<name>}}, with spaces allowed inside the braces.
var placeholder = regexp.MustCompile(`\{\{\s*args\.([A-Za-z0-9_-]+)\s*\}\}`)

// Expand replaces the placeholders in the conditions of a metric, and in what its provider is asked. The error is a
// *Fault that names the field and the argument.
//
// A value can change what a text compares or selects, and never how it is read:
//
//   - within quotes of a query it is escaped, so that it stays one string;
//   - elsewhere in a query it is one word: a name, a number, or a duration such as 5m;
//   - in a condition it is a number;
//   - in an address it is a piece of a host name, port or path: letters, digits, '.', '_' and '-'; after the question
//     mark of a URL it is any text, and escaped;
//   - in a body in JSON it is escaped within quotes, and a number outside of them.
//
// In a string that is a regular expression, a value is a part of that expression and may hold its operators.
//
// The metric that comes out has no placeholders, and expanding it again changes nothing.
func Expand(metric v1alpha1.Metric, values Values) (v1alpha1.Metric, error) {
	out := *metric.DeepCopy()
	for _, t := range textsOf(&out) {
		expanded, err := substitute(*t.at, values, t.by)
		if err != nil {
			return v1alpha1.Metric{}, &Fault{
				Reason: v1alpha1.ReasonArgumentInvalid, Field: t.field, Message: err.Error(), Cause: err,
			}
		}
		*t.at = expanded
	}
	return out, nil
}

// Used lists the arguments that metrics use, sorted, each once. Presets without a source use what they do of an application.
func Used(metrics []v1alpha1.Metric) []string {
	used := map[string]bool{}
	for _, metric := range metrics {
		if plain, err := presets.Plain(metric, v1alpha1.SourceApp); err == nil {
			metric = plain
		}
		for _, name := range placeholders(metric) {
			used[name] = true
		}
	}
	return slices.Sorted(maps.Keys(used))
}

// placeholders lists the arguments that a metric uses, sorted, each once.
func placeholders(metric v1alpha1.Metric) []string {
	used := map[string]bool{}
	for _, t := range textsOf(metric.DeepCopy()) {
		for _, match := range placeholder.FindAllStringSubmatch(*t.at, -1) {
			used[match[1]] = true
		}
	}
	return slices.Sorted(maps.Keys(used))
}

// spot is where a value is to stand.
type spot struct {
	before, after string // the text on both sides, up to the next placeholder
	touches       bool   // another placeholder stands directly beside it
}

// grammar knows how values may stand in one kind of text.
type grammar interface {
	// read takes the next stretch of the text between placeholders.
	read(literal string)
	// place gives the value as it is written at a spot, after all that was read.
	place(value string, at spot) (string, error)
}

// substitute replaces each placeholder of a text.
func substitute(text string, values Values, g grammar) (string, error) {
	var out strings.Builder
	matches := placeholder.FindAllStringSubmatchIndex(text, -1)
	from := 0
	for i, match := range matches {
		literal, name := text[from:match[0]], text[match[2]:match[3]]
		if err := checkLiteral(literal); err != nil {
			return "", err
		}
		value, err := lookUp(name, values)
		if err != nil {
			return "", err
		}
		end := len(text)
		if i+1 < len(matches) {
			end = matches[i+1][0]
		}
		at := spot{before: literal, after: text[match[1]:end]}
		at.touches = (literal == "" && i > 0) || (at.after == "" && end < len(text))
		g.read(literal)
		placed, err := g.place(value, at)
		if err != nil {
			return "", fmt.Errorf("argument %q: %w", name, err)
		}
		out.WriteString(literal + placed)
		from = match[1]
	}
	if err := checkLiteral(text[from:]); err != nil {
		return "", err
	}
	return out.String() + text[from:], nil
}

// checkLiteral finds what looks like a placeholder and is none.
func checkLiteral(literal string) error {
	at := strings.Index(literal, "{{")
	if at < 0 {
		return nil
	}
	return fmt.Errorf("%q is no placeholder; write {{args.<name>}}", clip(literal[at:], 40))
}

// lookUp gives the value of an argument. What no kind of text may hold is refused here: control characters, what is not
// UTF-8, and braces that would make a placeholder of their own.
func lookUp(name string, values Values) (string, error) {
	value, ok := values[name]
	switch {
	case !ok:
		return "", fmt.Errorf("argument %q has no value; give it one in args", name)
	case value == "":
		return "", fmt.Errorf("argument %q is empty; give it a value in args", name)
	case !utf8.ValidString(value) || strings.ContainsFunc(value, unicode.IsControl):
		return "", fmt.Errorf("argument %q holds a control character; leave it out", name)
	case strings.Contains(value, "{{"):
		return "", fmt.Errorf("argument %q holds \"{{\"; a value cannot use other arguments", name)
	}
	return value, nil
}
