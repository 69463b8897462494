package influxdb

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sluice-dev/sluice/analysis"
	"github.com/sluice-dev/sluice/analysis/providers/fetch"
)

// response to InfluxQL.
type response struct {
	Results []result `json:"results"`
	Error   string   `json:"error"`
}

// result of one statement.
type result struct {
	Series []series `json:"series"`
	Error  string   `json:"error"`
}

// series has rows of a time and fields.
type series struct {
	Tags    map[string]string `json:"tags"`
	Columns []string          `json:"columns"`
	Values  [][]*float64      `json:"values"`
}

// readJSON takes the one number out of an answer to InfluxQL.
func readJSON(question fetch.Question, answer fetch.Answer) (analysis.Reading, error) {
	var given response
	if err := question.Decode(answer, &given); err != nil {
		return analysis.Reading{}, err
	}
	switch {
	case given.Error != "":
		return analysis.Reading{}, question.Refused(given.Error)
	case len(given.Results) == 0:
		return analysis.Reading{}, question.Strange(nil)
	case len(given.Results) > 1:
		return analysis.Reading{}, question.Wrong("it has several statements; write one")
	case given.Results[0].Error != "":
		return analysis.Reading{}, question.Refused(given.Results[0].Error)
	}
	found := given.Results[0].Series
	switch len(found) {
	case 0:
		return analysis.Reading{}, nil
	case 1:
		return found[0].number(question)
	}
	var labels []string
	for _, s := range found[:min(len(found), shownSeries)] {
		labels = append(labels, s.labels())
	}
	return analysis.Reading{}, question.Several(len(found), strings.Join(labels, ", "), "remove GROUP BY of tags")
}

// number takes the one number out of a series.
func (s series) number(question fetch.Question) (analysis.Reading, error) {
	switch {
	case len(s.Columns) == 0 || s.Columns[0] != "time":
		return analysis.Reading{}, question.Strange(nil)
	case len(s.Columns) != 2:
		return analysis.Reading{}, question.Wrong(fmt.Sprintf("it gives %d fields where one number is needed; select one", len(s.Columns)-1))
	case len(s.Values) == 0:
		return analysis.Reading{}, question.Strange(nil)
	case len(s.Values) > 1:
		return analysis.Reading{}, question.Wrong(fmt.Sprintf(
			"it gives %d rows where one number is needed; take the newest with ORDER BY time DESC LIMIT 1", len(s.Values)))
	case len(s.Values[0]) != 2 || s.Values[0][0] == nil:
		return analysis.Reading{}, question.Strange(nil)
	case s.Values[0][1] == nil:
		return analysis.Reading{}, nil
	}
	return analysis.Reading{Value: *s.Values[0][1], Found: true}, nil
}

// labels shows the tags of a series.
func (s series) labels() string {
	var shown []string
	for _, name := range slices.Sorted(maps.Keys(s.Tags)) {
		shown = append(shown, fmt.Sprintf("%s=%q", name, s.Tags[name]))
	}
	return "{" + strings.Join(shown, ", ") + "}"
}
