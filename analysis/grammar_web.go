package analysis

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"unicode"
)

// urlGrammar lets pieces of names into the address and the path, and any text, escaped, into what follows the question
// mark.
type urlGrammar struct{ query bool }

// read looks for the question mark.
func (u *urlGrammar) read(literal string) { u.query = u.query || strings.Contains(literal, "?") }

// place writes a piece of a name, or an escaped text.
func (u *urlGrammar) place(value string, at spot) (string, error) {
	if u.query {
		return url.QueryEscape(value), nil
	}
	return addressGrammar{}.place(value, at)
}

// jsonGrammar reads JSON as far as it must to know whether a spot lies within a string.
type jsonGrammar struct {
	quoted bool
	begun  bool // the last character was the backslash of an escape sequence
	escape int  // characters of an escape sequence that are still to come
}

// read follows quotes and escapes.
func (j *jsonGrammar) read(literal string) {
	for i := range len(literal) {
		c := literal[i]
		switch {
		case j.begun:
			j.begun, j.escape = false, 0
			if c == 'u' {
				j.escape = 4
			}
		case j.escape > 0:
			j.escape--
		case j.quoted && c == '\\':
			j.begun = true
		case c == '"':
			j.quoted = !j.quoted
		}
	}
}

// place writes any text within a string, and a number outside of one.
func (j *jsonGrammar) place(value string, at spot) (string, error) {
	switch {
	case j.begun || j.escape > 0:
		return "", errors.New("it stands in the middle of an escape sequence; write the backslash as \\\\")
	case j.quoted:
		quoted, err := json.Marshal(value)
		if err != nil {
			return "", err
		}
		return string(quoted[1 : len(quoted)-1]), nil
	case glued(at) || strings.HasSuffix(at.before, "-"):
		return "", fmt.Errorf("%q is part of a word; let the argument be the whole number, or put quotes around it", clip(value, 40))
	case !numberForm.MatchString(value) || !json.Valid([]byte(value)):
		return "", fmt.Errorf("%q stands outside quotes and must be a number as JSON has them; put quotes around the placeholder "+
			"if it is text", clip(value, 40))
	}
	return value, nil
}

// headerGrammar lets printable characters of ASCII into a header.
type headerGrammar struct{}

func (headerGrammar) read(string) {}

// place writes a value as it is.
func (headerGrammar) place(value string, _ spot) (string, error) {
	if strings.ContainsFunc(value, func(r rune) bool { return r > unicode.MaxASCII }) {
		return "", fmt.Errorf("%q stands in a header and may hold ASCII only", clip(value, 40))
	}
	return value, nil
}
