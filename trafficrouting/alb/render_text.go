package alb

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// action is the text of an annotation, and where in it the parts are that are read and written. The text is never written anew: what
// is not a weight stays byte for byte.
type action struct {
	text   string
	kind   string
	groups []group
}

// group is one target group.
type group struct {
	service string
	// port as it stands in the text, for comparison.
	port string
	// weight is -1 when there is none, or no whole number.
	weight int64
	// whole is where the target group is in the text, and number where its weight is.
	whole, number span
}

// span is a part of a text: from its first byte to the one behind its last.
type span struct{ from, to int }

// parseAction reads an action. The names of fields are compared as the controller compares them: without regard to case.
func parseAction(text string) (action, error) {
	a := action{text: text}
	err := fieldsOf(text, span{0, len(text)}, func(name string, value span) error {
		switch {
		case strings.EqualFold(name, "type"):
			return json.Unmarshal([]byte(text[value.from:value.to]), &a.kind)
		case strings.EqualFold(name, "forwardConfig"):
			return a.parseForward(value)
		}
		return nil
	})
	return a, err
}

func (a *action) parseForward(at span) error {
	return fieldsOf(a.text, at, func(name string, value span) error {
		if !strings.EqualFold(name, "targetGroups") {
			return nil
		}
		return a.parseGroups(value)
	})
}

func (a *action) parseGroups(at span) error {
	decoder := json.NewDecoder(strings.NewReader(a.text[at.from:at.to]))
	if open, err := decoder.Token(); err != nil || open != json.Delim('[') {
		return errors.New("targetGroups is not a list")
	}
	for decoder.More() {
		value, err := next(decoder, at.from)
		if err != nil {
			return err
		}
		g, err := a.parseGroup(value)
		if err != nil {
			return err
		}
		a.groups = append(a.groups, g)
	}
	return nil
}

func (a *action) parseGroup(at span) (group, error) {
	g := group{weight: -1, whole: at}
	err := fieldsOf(a.text, at, func(name string, value span) error {
		text := a.text[value.from:value.to]
		switch {
		case strings.EqualFold(name, "serviceName"):
			return json.Unmarshal([]byte(text), &g.service)
		case strings.EqualFold(name, "servicePort"):
			g.port = strings.Trim(text, `"`)
		case strings.EqualFold(name, "weight"):
			g.number = value
			if n, err := strconv.ParseInt(text, 10, 64); err == nil {
				g.weight = n
			}
		}
		return nil
	})
	return g, err
}

// fieldsOf calls a function with each field of an object in a text, and where its value is.
func fieldsOf(text string, at span, visit func(name string, value span) error) error {
	decoder := json.NewDecoder(strings.NewReader(text[at.from:at.to]))
	if open, err := decoder.Token(); err != nil || open != json.Delim('{') {
		return fmt.Errorf("%q is not an object", text[at.from:at.to])
	}
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return err
		}
		name, ok := token.(string)
		if !ok {
			return fmt.Errorf("%v is no name of a field", token)
		}
		value, err := next(decoder, at.from)
		if err != nil {
			return err
		}
		if err := visit(name, value); err != nil {
			return err
		}
	}
	_, err := decoder.Token()
	return err
}

// next is where the next value of a decoder is in a text, in which the decoder began at an offset.
func next(decoder *json.Decoder, offset int) (span, error) {
	var value json.RawMessage
	if err := decoder.Decode(&value); err != nil {
		return span{}, err
	}
	end := offset + int(decoder.InputOffset())
	return span{from: end - len(bytes.TrimSpace(value)), to: end}, nil
}

// with is the text with other weights, by the places of the target groups, and without those that have none in the list.
func (a action) with(weights map[int]int64) string {
	out := a.text
	for i := len(a.groups) - 1; i >= 0; i-- { // from the end, so that what comes before stays where it is
		g := a.groups[i]
		weight, kept := weights[i]
		switch {
		case !kept:
			cut := a.between(i)
			out = out[:cut.from] + out[cut.to:]
		case weight != g.weight:
			out = out[:g.number.from] + strconv.FormatInt(weight, 10) + out[g.number.to:]
		}
	}
	return out
}

// between is a target group with the comma that parts it from the one before it, or behind it.
func (a action) between(i int) span {
	switch {
	case i > 0:
		return span{a.groups[i-1].whole.to, a.groups[i].whole.to}
	case len(a.groups) > 1:
		return span{a.groups[0].whole.from, a.groups[1].whole.from}
	}
	return a.groups[i].whole
}
