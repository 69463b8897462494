package analysis

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// The forms of a value outside quotes.
var (
	numberForm   = regexp.MustCompile(`^-?([0-9]+(\.[0-9]+)?|\.[0-9]+)([eE][+-]?[0-9]+)?$`)
	durationForm = regexp.MustCompile(`^([0-9]+(ms|[smhdwy]))+$`)
	nameForm     = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_:]*$`)
	wordForm     = regexp.MustCompile(`^[A-Za-z0-9_]+$`)
	hostForm     = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?$`)
	// A value beside these would become a part of a number with an exponent: 1e-{{…}}, and 5{{…}}-3 with the value e.
	mantissaBefore = regexp.MustCompile(`(^|[^A-Za-z0-9_:.])[0-9.]+[eE][+-]$`)
	mantissaWithin = regexp.MustCompile(`^[0-9.][A-Za-z0-9_.]*[eE][+-]`)
	operatorForm   = regexp.MustCompile(
		`^(?i:and|or|unless|atan2|by|without|on|ignoring|group_left|group_right|offset|bool|start|end|step|inf|nan)$`)
)

var errExponent = errors.New("it is part of a number with an exponent; let the argument be the whole number")

// queryGrammar reads PromQL as far as it must to know whether a spot lies within quotes. Quotes are " and ' with
// escapes, and ` without; a # outside of them begins a comment up to the end of the line.
type queryGrammar struct {
	quote   byte // the quote that is open, or 0
	escape  int  // characters of an escape sequence that are still to come
	begun   bool // the last character was the backslash of an escape sequence
	comment bool
}

// read follows quotes, escapes and comments through a stretch of the query.
func (q *queryGrammar) read(literal string) {
	for i := range len(literal) {
		c := literal[i]
		switch {
		case q.comment:
			q.comment = c != '\n'
		case q.begun:
			q.begun, q.escape = false, escapeLength(c)
		case q.escape > 0:
			q.escape--
		case q.quote != 0:
			q.begun = c == '\\' && q.quote != '`'
			if c == q.quote {
				q.quote = 0
			}
		case c == '"', c == '\'', c == '`':
			q.quote = c
		case c == '#':
			q.comment = true
		}
	}
}

// escapeLength is how many characters follow the first one after a backslash: \n 0, \x41 2, \101 2, \u00e9 4.
func escapeLength(c byte) int {
	switch {
	case c == 'x', c >= '0' && c <= '7':
		return 2
	case c == 'u':
		return 4
	case c == 'U':
		return 8
	default:
		return 0
	}
}

// place writes a value into the query.
func (q *queryGrammar) place(value string, at spot) (string, error) {
	switch {
	case q.begun || q.escape > 0:
		return "", errors.New("it stands in the middle of an escape sequence; write the backslash as \\\\")
	case q.quote == '`' && strings.Contains(value, "`"):
		return "", errors.New("it stands in a `…` string and holds a `; quote the string with \"")
	case q.quote == '`':
		return value, nil
	case q.quote != 0:
		return strings.NewReplacer(`\`, `\\`, string(q.quote), `\`+string(q.quote)).Replace(value), nil
	}
	return placeWord(value, at)
}

// placeWord writes a value outside quotes, where it must be, or be part of, exactly one word.
func placeWord(value string, at spot) (string, error) {
	switch {
	case inExponent(value, at):
		return "", errExponent
	case glued(at) && wordForm.MatchString(value):
		return value, nil
	case glued(at):
		return "", fmt.Errorf("%q is part of a word and may hold letters, digits and _ only", clip(value, 40))
	case operatorForm.MatchString(value):
		return "", fmt.Errorf("%q is a word of the query language", value)
	case durationForm.MatchString(value), nameForm.MatchString(value):
		return value, nil
	case numberForm.MatchString(value):
		return placeNumber(value, at)
	}
	return "", fmt.Errorf("%q stands outside quotes and must be a name, a number or a duration such as 5m; "+
		"put quotes around the placeholder if it is text", clip(value, 40))
}

// placeNumber writes a number outside quotes. The sign of a negative one must not turn into a subtraction ("a -5"), nor
// be outdone by a power ("-5 ^ 2" is -25), so it is taken only where a number begins and no power follows.
func placeNumber(value string, at spot) (string, error) {
	if !strings.HasPrefix(value, "-") {
		return value, nil
	}
	before, after := strings.TrimSpace(at.before), strings.TrimSpace(at.after)
	begins := before != "" && strings.ContainsAny(before[len(before)-1:], "(,<>=")
	if !begins || strings.HasPrefix(after, "^") {
		return "", fmt.Errorf("%q is negative and may stand only directly after a comparison, a comma or an opening "+
			"parenthesis, and before no power", value)
	}
	return value, nil
}

// glued says that a value would become part of a word that begins before it or goes on after it.
func glued(at spot) bool {
	return at.touches || endsInWord(at.before) || beginsWithWord(at.after)
}

// inExponent says that a value would become a part of a number with an exponent, whose sign is then no operator.
func inExponent(value string, at spot) bool {
	if mantissaBefore.MatchString(at.before) {
		return true
	}
	if strings.ContainsAny(value, "+-") {
		return false // a whole number, or no word at all
	}
	from := len(at.before)
	for from > 0 && isWord(at.before[from-1]) {
		from--
	}
	word := at.before[from:]
	if at.before == "" && at.touches {
		word = "0" // another value, which may end in a digit
	}
	return mantissaWithin.MatchString(word + value + at.after)
}

// endsInWord says that the last character of a text can be part of a word, a number or a duration.
func endsInWord(text string) bool { return text != "" && isWord(text[len(text)-1]) }

// beginsWithWord says that the first character of a text can be part of a word, a number or a duration.
func beginsWithWord(text string) bool { return text != "" && isWord(text[0]) }

// isWord takes every byte outside ASCII for a letter, to be on the safe side.
func isWord(c byte) bool {
	switch {
	case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		return true
	case c == '_', c == ':', c == '.', c >= 0x80:
		return true
	}
	return false
}

// conditionGrammar lets only numbers into a condition.
type conditionGrammar struct{}

func (conditionGrammar) read(string) {}

// place writes a number. A whole one gets a point, because CEL does not calculate with a double and an int.
func (conditionGrammar) place(value string, at spot) (string, error) {
	switch {
	case !numberForm.MatchString(value):
		return "", fmt.Errorf("%q stands in a condition and must be a number", clip(value, 40))
	case inExponent(value, at):
		return "", errExponent
	case glued(at):
		return "", fmt.Errorf("%q is part of a word; put spaces around the placeholder", value)
	}
	if !strings.ContainsAny(value, ".eE") {
		value += ".0"
	}
	return placeNumber(value, at)
}

// addressGrammar lets pieces of names into an address, and nothing that divides host, port, path and query.
type addressGrammar struct{}

func (addressGrammar) read(string) {}

// place writes a piece of a name.
func (addressGrammar) place(value string, _ spot) (string, error) {
	if !hostForm.MatchString(value) {
		return "", fmt.Errorf("%q stands in an address and may hold letters, digits, '.', '_' and '-' only", clip(value, 40))
	}
	return value, nil
}
