// Package graphite measures with the render API of Graphite, which graphite-web, carbonapi, go-graphite and others speak.
//
// What is asked: POST /render with the target, for the window that ends at the moment of the measurement, as JSON. A
// server that takes no POST is not asked again with GET; all of those named take it.
//
// What an answer means: one series, of which the newest point that is not null is the number. Several series are an error
// that shows their names: the target wants sumSeries(…) or the like.
//
// No data: no series, and a series without a point within the window.
//
// Units: those of the target.
//
// Limits: for bounds of an answer see package fetch; a window of 24 h has 8,640 points of 10 s, about 200 kB. The text that
// a server gives with status 400 is a page of its own making and not shown.
package graphite

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-dev/sluice/analysis"
	"github.com/sluice-dev/sluice/analysis/providers/fetch"
	"github.com/sluice-dev/sluice/api/v1alpha1"
)

const (
	field          = "provider.graphite"
	exampleAddress = "http://graphite.monitoring"
	path           = "/render"
	defaultWindow  = 5 * time.Minute
	shownSeries    = 3
)

// Provider asks Graphite servers.
type Provider struct{ client *http.Client }

// New makes a provider that asks through a client of package fetch.
func New(client *http.Client) *Provider { return &Provider{client: client} }

// Measure renders one target.
func (p *Provider) Measure(ctx context.Context, query analysis.Query) (analysis.Reading, error) {
	source := query.Source.Graphite
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
	switch answer.Status {
	case http.StatusOK:
		return read(question, answer)
	case http.StatusBadRequest:
		return analysis.Reading{}, question.Wrong("the server refuses the target with status 400; try it in Graphite's own dashboard")
	}
	return analysis.Reading{}, question.Failed(answer.Status)
}

// questionOf makes the request of a metric.
func questionOf(ctx context.Context, source *v1alpha1.GraphiteMetric, query analysis.Query) (fetch.Question, error) {
	question := fetch.Question{
		Method: http.MethodPost, Limit: fetch.Timeout(source.Timeout), Speaks: "Graphite's render API",
		Fields: fetch.Fields{
			Address: field + ".address", Timeout: field + ".timeout", Query: field + ".target", Credentials: field + ".headers",
		},
	}
	base, err := fetch.Base(question.Fields.Address, source.Address, exampleAddress)
	if err != nil {
		return question, err
	}
	question.Header, err = fetch.Headers(ctx, query.Secrets, question.Fields.Credentials, source.Headers)
	if err != nil {
		return question, err
	}
	question.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	question.URL = base + path
	question.Body = []byte(url.Values{
		"target": {source.Target}, "format": {"json"},
		"from":  {strconv.FormatInt(query.At.Add(-fetch.Or(source.Window, defaultWindow)).Unix(), 10)},
		"until": {strconv.FormatInt(query.At.Unix(), 10)},
	}.Encode())
	return question, nil
}

// series is one of an answer; its points are pairs of a value and a time.
type series struct {
	Target *string      `json:"target"`
	Points [][]*float64 `json:"datapoints"`
}

// read takes the newest value of the one series out of an answer.
func read(question fetch.Question, answer fetch.Answer) (analysis.Reading, error) {
	var given []series
	if err := question.Decode(answer, &given); err != nil {
		return analysis.Reading{}, err
	}
	switch {
	case given == nil || slices.ContainsFunc(given, series.strange):
		return analysis.Reading{}, question.Strange(nil)
	case len(given) == 0:
		return analysis.Reading{}, nil
	case len(given) == 1:
		return given[0].newest(), nil
	}
	var names []string
	for _, s := range given[:min(len(given), shownSeries)] {
		names = append(names, fmt.Sprintf("%q", *s.Target))
	}
	return analysis.Reading{}, question.Several(len(given), strings.Join(names, ", "),
		"aggregate them, such as with sumSeries(…) or maxSeries(…)")
}

// strange says that a series is none of the API.
func (s series) strange() bool {
	return s.Target == nil || s.Points == nil || slices.ContainsFunc(s.Points, func(point []*float64) bool {
		return len(point) != 2 || point[1] == nil
	})
}

// newest gives the last value that is one.
func (s series) newest() analysis.Reading {
	for _, point := range slices.Backward(s.Points) {
		if point[0] != nil {
			return analysis.Reading{Value: *point[0], Found: true}
		}
	}
	return analysis.Reading{}
}
