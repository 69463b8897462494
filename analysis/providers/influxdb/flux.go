package influxdb

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/sluice-dev/sluice/analysis"
	"github.com/sluice-dev/sluice/analysis/providers/fetch"
)

// table is one of an annotated CSV: rows of annotations, a row with the names of the columns, and rows of values. The first
// column is that of the annotations.
type table struct {
	types, groups, header []string
}

// value is one row: its number as a text, and what tells it from others.
type value struct{ text, labels string }

// readCSV takes the one number out of an answer to Flux.
func readCSV(question fetch.Question, answer fetch.Answer) (analysis.Reading, error) {
	if !utf8.Valid(answer.Body) {
		return analysis.Reading{}, question.Strange(nil)
	}
	values, err := rows(question, answer)
	if err != nil {
		return analysis.Reading{}, err
	}
	switch {
	case len(values) == 0:
		return analysis.Reading{}, nil
	case len(values) > 1:
		var labels []string
		for _, v := range values[:min(len(values), shownSeries)] {
			labels = append(labels, v.labels)
		}
		return analysis.Reading{}, question.Several(len(values), strings.Join(labels, ", "), "end it with |> group() |> sum(), |> last() or the like")
	case values[0].text == "":
		return analysis.Reading{}, nil
	}
	number, err := strconv.ParseFloat(values[0].text, 64)
	if err != nil {
		return analysis.Reading{}, question.Strange(nil)
	}
	return analysis.Reading{Value: number, Found: true}, nil
}

// rows gives the values of all tables.
func rows(question fetch.Question, answer fetch.Answer) ([]value, error) {
	reader := csv.NewReader(bytes.NewReader(answer.Body))
	reader.FieldsPerRecord = -1
	lines, err := reader.ReadAll()
	if err != nil {
		return nil, question.Strange(nil)
	}
	var current table
	var values []value
	for _, row := range lines {
		switch {
		case len(row) < 2:
			return nil, question.Strange(nil)
		case strings.HasPrefix(row[0], "#"):
			current = current.annotated(row)
		case current.header == nil:
			current.header = row
			if err := current.check(question); err != nil {
				return nil, err
			}
		default:
			found, err := current.value(question, row)
			if err != nil {
				return nil, err
			}
			values = append(values, found)
		}
	}
	if current.types != nil && current.header == nil {
		return nil, question.Strange(nil)
	}
	return values, nil
}

// annotated takes a row of annotations; behind a row of names it begins another table.
func (t table) annotated(row []string) table {
	if t.header != nil {
		t = table{}
	}
	switch row[0] {
	case "#datatype":
		t.types = row
	case "#group":
		t.groups = row
	}
	return t
}

// check looks at the names of the columns: there must be one _value, with a type that is a number. A table of an error has
// other columns, and is told of when its row is read.
func (t table) check(question fetch.Question) error {
	if len(t.types) != len(t.header) || len(t.groups) != len(t.header) {
		return question.Strange(nil)
	}
	if slices.Contains(t.header, "error") && slices.Contains(t.header, "reference") {
		return nil
	}
	at := slices.Index(t.header, "_value")
	switch {
	case at < 0:
		return question.Wrong("its result has no column _value; end it with a function that gives one, such as |> mean()")
	case !slices.Contains([]string{"double", "long", "unsignedLong"}, t.types[at]):
		return question.Wrong("its _value is no number; turn it into one, such as with |> toFloat()")
	}
	return nil
}

// value reads a row of values.
func (t table) value(question fetch.Question, row []string) (value, error) {
	if len(row) != len(t.header) {
		return value{}, question.Strange(nil)
	}
	at := slices.Index(t.header, "_value")
	if at < 0 {
		return value{}, question.Refused(row[slices.Index(t.header, "error")])
	}
	var labels []string
	for i, name := range t.header {
		if t.groups[i] == "true" && name != "_start" && name != "_stop" {
			labels = append(labels, fmt.Sprintf("%s=%q", name, row[i]))
		}
	}
	return value{row[at], "{" + strings.Join(labels, ", ") + "}"}, nil
}
