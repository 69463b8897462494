package analysis

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

var (
	// tagForm is a value within quotes, or of a tag: nothing in it can end the one or the other.
	tagForm = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_./:-]*$`)
	// nodeForm is a piece of a path of Graphite.
	nodeForm = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_-]*$`)
)

// plainGrammar takes any text, for fields that are values as a whole.
type plainGrammar struct{}

func (plainGrammar) read(string) {}

// place writes a value as it is.
func (plainGrammar) place(value string, _ spot) (string, error) { return value, nil }

// wordGrammar takes one word or number, for expressions without strings.
type wordGrammar struct{}

func (wordGrammar) read(string) {}

// place writes a word.
func (wordGrammar) place(value string, at spot) (string, error) { return placeWord(value, at) }

// tagGrammar reads a query of Datadog: names and functions, and tags within braces.
type tagGrammar struct{ depth int }

// read follows braces.
func (g *tagGrammar) read(literal string) {
	g.depth += strings.Count(literal, "{") - strings.Count(literal, "}")
}

// place writes a word, or within braces a tag.
func (g *tagGrammar) place(value string, at spot) (string, error) {
	switch {
	case g.depth <= 0:
		return placeWord(value, at)
	case !tagForm.MatchString(value):
		return "", fmt.Errorf("%q is a tag and may hold letters, digits and _ . : / - only", clip(value, 40))
	}
	return value, nil
}

// targetGrammar takes pieces of paths, names and numbers, in a target of Graphite, where they are the same within quotes
// and outside of them.
type targetGrammar struct{}

func (targetGrammar) read(string) {}

// place writes a piece of a path, or a number.
func (targetGrammar) place(value string, _ spot) (string, error) {
	if !nodeForm.MatchString(value) && !numberForm.MatchString(value) {
		return "", fmt.Errorf("%q is a piece of a path and may hold letters, digits, _ and - only", clip(value, 40))
	}
	return value, nil
}

// quotedGrammar reads NRQL, Flux and InfluxQL as far as it must to know whether a spot lies within quotes. It does not
// read comments and regular expressions, and after what may begin one takes single words only, which are the same
// wherever they stand.
type quotedGrammar struct {
	quotes string // the characters that open and close a text
	quote  byte   // the one that is open, or 0
	begun  bool   // the last character was the backslash of an escape sequence
	doubt  bool   // a comment or a regular expression may have begun
}

// read follows quotes and escapes.
func (g *quotedGrammar) read(literal string) {
	for i := range len(literal) {
		c := literal[i]
		switch {
		case g.begun:
			g.begun = false
		case g.quote != 0 && c == '\\':
			g.begun = true
		case g.quote != 0:
			if c == g.quote {
				g.quote = 0
			}
		case strings.IndexByte(g.quotes, c) >= 0:
			g.quote = c
		case c == '/', c == '#', c == '`', c == '-' && strings.HasPrefix(literal[i+1:], "-"):
			g.doubt = true
		}
	}
}

// place writes a text within quotes, and one word outside of them.
func (g *quotedGrammar) place(value string, at spot) (string, error) {
	switch {
	case g.begun:
		return "", errors.New("it stands in the middle of an escape sequence; write the backslash as \\\\")
	case g.doubt && !wordForm.MatchString(value):
		return "", fmt.Errorf("%q stands behind a comment, a regular expression or a division, and may hold letters, digits "+
			"and _ only; put the argument before it", clip(value, 40))
	case g.quote == 0 && !glued(at) && !numberForm.MatchString(value) && !durationForm.MatchString(value):
		return "", fmt.Errorf("%q stands outside quotes and must be a number or a duration such as 5m; put quotes around the "+
			"placeholder if it is text", clip(value, 40))
	case g.quote == 0:
		return placeWord(value, at)
	case !tagForm.MatchString(value):
		return "", fmt.Errorf("%q stands in quotes and may hold letters, digits and _ . : / - only", clip(value, 40))
	}
	return value, nil
}
