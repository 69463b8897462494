// Package datadog measures with scalar queries of Datadog's API, version 2.
//
// What is asked: POST /api/v2/query/scalar, for the points of the window that ends at the moment of the measurement, with
// one query, or with several and a formula over their names. The aggregator makes one number of the points of a query.
//
// What an answer means: one column of numbers with one element is the number. Several elements are an error that shows
// their groups: the query has a "by {…}" that it should not have.
//
// No data: no column, no element, or null, as a quotient has when nothing was counted.
//
// Units: those of the metric. A count is a number of events within the window; as_rate() makes it one per second.
//
// Limits: Datadog permits about 300 such queries an hour and organisation, unless more was agreed on. Points are
// complete one to two minutes after their time. For bounds of an answer see package fetch. The texts of errors that the
// API gives for a query with status 400 are shown.
package datadog

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/sluice-dev/sluice/analysis"
	"github.com/sluice-dev/sluice/analysis/providers/fetch"
	"github.com/sluice-dev/sluice/api/v1alpha1"
)

const (
	field          = "provider.datadog"
	defaultAddress = "https://api.datadoghq.com"
	path           = "/api/v2/query/scalar"
	defaultWindow  = 5 * time.Minute
	onlyQuery      = "query" // the name of a query without a formula
	scalarRequest  = "scalar_request"
	scalarResponse = "scalar_response"
)

// Provider asks Datadog.
type Provider struct{ client *http.Client }

// New makes a provider that asks through a client of package fetch.
func New(client *http.Client) *Provider { return &Provider{client: client} }

// Measure asks one scalar query.
func (p *Provider) Measure(ctx context.Context, query analysis.Query) (analysis.Reading, error) {
	source := query.Source.Datadog
	if source == nil {
		return analysis.Reading{}, fetch.Unset(field)
	}
	question, err := questionOf(ctx, source, query)
	if err != nil {
		return analysis.Reading{}, err
	}
	answer, err := question.Ask(ctx, p.client)
	if err != nil {
		return analysis.Reading{}, err
	}
	return read(question, answer)
}

// questionOf makes the request of a metric.
func questionOf(ctx context.Context, source *v1alpha1.DatadogMetric, query analysis.Query) (fetch.Question, error) {
	question := fetch.Question{
		Method: http.MethodPost, Limit: fetch.Timeout(source.Timeout), Speaks: "Datadog's API",
		Fields: fetch.Fields{
			Address: field + ".address", Timeout: field + ".timeout", Query: field + ".query", Credentials: field + ".applicationKey",
		},
	}
	if source.Query == "" {
		question.Fields.Query = field + ".formula"
	}
	base, err := fetch.Base(question.Fields.Address, source.Address, defaultAddress)
	if err != nil {
		return question, err
	}
	apiKey, err := fetch.Secret(ctx, query.Secrets, field+".apiKey", source.APIKey)
	if err != nil {
		return question, err
	}
	applicationKey, err := fetch.Secret(ctx, query.Secrets, field+".applicationKey", source.ApplicationKey)
	if err != nil {
		return question, err
	}
	question.URL = base + path
	question.Header = http.Header{
		"Dd-Api-Key": {apiKey}, "Dd-Application-Key": {applicationKey},
		"Content-Type": {"application/json"}, "Accept": {"application/json"},
	}
	question.Body, err = json.Marshal(request{Data: requestData{Type: scalarRequest, Attributes: attributesOf(source, query.At)}})
	return question, err
}

// request of a scalar query.
type request struct {
	Data requestData `json:"data"`
}

type requestData struct {
	Type       string     `json:"type"`
	Attributes attributes `json:"attributes"`
}

// attributes of a request; times are in milliseconds since 1970.
type attributes struct {
	From     int64         `json:"from"`
	To       int64         `json:"to"`
	Queries  []metricQuery `json:"queries"`
	Formulas []formula     `json:"formulas"`
}

type metricQuery struct {
	DataSource string `json:"data_source"`
	Name       string `json:"name"`
	Query      string `json:"query"`
	Aggregator string `json:"aggregator"`
}

type formula struct {
	Formula string `json:"formula"`
}

// attributesOf says what is asked.
func attributesOf(source *v1alpha1.DatadogMetric, at time.Time) attributes {
	aggregator := source.Aggregator
	if aggregator == "" {
		aggregator = "avg"
	}
	queries, text := source.Queries, source.Formula
	if source.Query != "" {
		queries, text = []v1alpha1.DatadogQuery{{Name: onlyQuery, Query: source.Query}}, onlyQuery
	}
	asked := attributes{
		From: at.Add(-fetch.Or(source.Window, defaultWindow)).UnixMilli(), To: at.UnixMilli(), Formulas: []formula{{text}},
	}
	for _, q := range queries {
		asked.Queries = append(asked.Queries, metricQuery{"metrics", q.Name, q.Query, aggregator})
	}
	return asked
}

// response to a scalar query.
type response struct {
	Data *struct {
		Type       string `json:"type"`
		Attributes *struct {
			Columns []column `json:"columns"`
		} `json:"attributes"`
	} `json:"data"`
	Errors string `json:"errors"`
}

// column is one of numbers, or one of the groups that they belong to.
type column struct {
	Name   string          `json:"name"`
	Type   string          `json:"type"`
	Values json.RawMessage `json:"values"`
}

// read takes the one number out of an answer.
func read(question fetch.Question, answer fetch.Answer) (analysis.Reading, error) {
	switch answer.Status {
	case http.StatusOK:
	case http.StatusBadRequest:
		var refusal struct {
			Errors []string `json:"errors"`
		}
		if err := question.Decode(answer, &refusal); err != nil || len(refusal.Errors) == 0 {
			return analysis.Reading{}, question.Failed(answer.Status)
		}
		return analysis.Reading{}, question.Refused(strings.Join(refusal.Errors, "; "))
	default:
		return analysis.Reading{}, question.Failed(answer.Status)
	}
	var given response
	if err := question.Decode(answer, &given); err != nil {
		return analysis.Reading{}, err
	}
	switch {
	case given.Errors != "":
		return analysis.Reading{}, question.Refused(given.Errors)
	case given.Data == nil, given.Data.Type != scalarResponse, given.Data.Attributes == nil, given.Data.Attributes.Columns == nil:
		return analysis.Reading{}, question.Strange(nil)
	}
	return number(question, given.Data.Attributes.Columns)
}

// number takes the one number out of the columns. One formula has one column of numbers.
func number(question fetch.Question, columns []column) (analysis.Reading, error) {
	numbers, labels, ok := split(columns)
	switch {
	case !ok || len(numbers) > 1:
		return analysis.Reading{}, question.Strange(nil)
	case len(numbers) == 0 || len(numbers[0]) == 0:
		return analysis.Reading{}, nil
	case len(numbers[0]) > 1:
		return analysis.Reading{}, question.Several(len(numbers[0]), strings.Join(labels, ", "), `remove "by {…}" from the query`)
	case numbers[0][0] == nil:
		return analysis.Reading{}, nil
	}
	return analysis.Reading{Value: *numbers[0][0], Found: true}, nil
}

// split gives the columns of numbers, and what the groups are called; false when a column is none of the API.
func split(columns []column) (numbers [][]*float64, labels []string, ok bool) {
	for _, c := range columns {
		var figures []*float64
		var groups [][]string
		switch {
		case c.Type == "number" && json.Unmarshal(c.Values, &figures) == nil:
			numbers = append(numbers, figures)
		case c.Type == "group" && json.Unmarshal(c.Values, &groups) == nil:
			for _, group := range groups {
				labels = append(labels, fmt.Sprintf("%s=%q", c.Name, strings.Join(group, ",")))
			}
		default:
			return nil, nil, false
		}
	}
	return numbers, labels, true
}
