// Package newrelic measures with NRQL, through New Relic's NerdGraph.
//
// What is asked: POST /graphql with the query and the account as variables. The query says itself which time it is about:
// write SINCE, as it would be the last hour without.
//
// What an answer means: one result with one number in it is the number, wherever the result has it: count, or
// percentile.duration with its 99. Several results are an error that shows their facets, several numbers one that shows
// their names.
//
// No data: no result, and a result whose value is null, as an average of nothing has.
//
// Units: those of the query. percentage() is 0 to 100, durations are seconds or milliseconds as they were reported.
//
// Limits: New Relic permits 25 queries at once and user. For bounds of an answer see package fetch. The texts of errors
// that NerdGraph gives are shown.
package newrelic

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/sluice-dev/sluice/analysis"
	"github.com/sluice-dev/sluice/analysis/providers/fetch"
	"github.com/sluice-dev/sluice/api/v1alpha1"
)

const (
	field          = "provider.newRelic"
	defaultAddress = "https://api.newrelic.com"
	path           = "/graphql"
	document       = `query($account: Int!, $query: Nrql!) { actor { account(id: $account) { nrql(query: $query) { results } } } }`
	shownFacets    = 3
)

// Provider asks New Relic.
type Provider struct{ client *http.Client }

// New makes a provider that asks through a client of package fetch.
func New(client *http.Client) *Provider { return &Provider{client: client} }

// Measure asks one NRQL query.
func (p *Provider) Measure(ctx context.Context, query analysis.Query) (analysis.Reading, error) {
	source := query.Source.NewRelic
	if source == nil {
		return analysis.Reading{}, fetch.Unset(field)
	}
	question, err := questionOf(ctx, source, query.Secrets)
	if err != nil {
		return analysis.Reading{}, err
	}
	answer, err := question.Ask(ctx, p.client)
	if err != nil {
		return analysis.Reading{}, err
	}
	if answer.Status != http.StatusOK {
		return analysis.Reading{}, question.Failed(answer.Status)
	}
	return read(question, answer)
}

// questionOf makes the request of a metric.
func questionOf(ctx context.Context, source *v1alpha1.NewRelicMetric, secrets analysis.Secrets) (fetch.Question, error) {
	question := fetch.Question{
		Method: http.MethodPost, Limit: fetch.Timeout(source.Timeout), Speaks: "New Relic's NerdGraph",
		Fields: fetch.Fields{
			Address: field + ".address", Timeout: field + ".timeout", Query: field + ".query", Credentials: field + ".apiKey",
		},
	}
	base, err := fetch.Base(question.Fields.Address, source.Address, defaultAddress)
	if err != nil {
		return question, err
	}
	key, err := fetch.Secret(ctx, secrets, field+".apiKey", source.APIKey)
	if err != nil {
		return question, err
	}
	question.URL = base + path
	question.Header = http.Header{
		"Api-Key": {key}, "Content-Type": {"application/json"}, "Accept": {"application/json"},
	}
	question.Body, err = json.Marshal(map[string]any{
		"query": document, "variables": map[string]any{"account": source.Account, "query": source.Query},
	})
	return question, err
}

// response of NerdGraph. With errors, what they are about is null.
type response struct {
	Errors []struct {
		Message string `json:"message"`
	} `json:"errors"`
	Data struct {
		Actor struct {
			Account struct {
				NRQL struct {
					Results []map[string]any `json:"results"`
				} `json:"nrql"`
			} `json:"account"`
		} `json:"actor"`
	} `json:"data"`
}

// read takes the one number out of an answer.
func read(question fetch.Question, answer fetch.Answer) (analysis.Reading, error) {
	var given response
	if err := question.Decode(answer, &given); err != nil {
		return analysis.Reading{}, err
	}
	if len(given.Errors) > 0 {
		return analysis.Reading{}, question.Refused(given.Errors[0].Message)
	}
	results := given.Data.Actor.Account.NRQL.Results
	switch len(results) {
	case 0:
		if results == nil {
			return analysis.Reading{}, question.Strange(nil)
		}
		return analysis.Reading{}, nil
	case 1:
		return number(question, results[0])
	}
	var facets []string
	for _, result := range results[:min(len(results), shownFacets)] {
		facets = append(facets, fmt.Sprintf("facet=%q", fmt.Sprint(result["facet"])))
	}
	return analysis.Reading{}, question.Several(len(results), strings.Join(facets, ", "), "remove FACET and TIMESERIES from the query")
}

// number takes the one number out of a result. An object in it holds the numbers of one function, such as percentiles.
func number(question fetch.Question, result map[string]any) (analysis.Reading, error) {
	numbers := map[string]*float64{}
	for name, value := range result {
		switch name {
		case "facet", "beginTimeSeconds", "endTimeSeconds":
			continue
		}
		if inner, ok := value.(map[string]any); ok {
			for key, value := range inner {
				take(numbers, name+"."+key, value)
			}
			continue
		}
		take(numbers, name, value)
	}
	switch len(numbers) {
	case 0:
		return analysis.Reading{}, question.Wrong("its result holds no number; select one, such as with percentage(count(*), WHERE error IS TRUE)")
	case 1:
	default:
		names := slices.Sorted(maps.Keys(numbers))
		return analysis.Reading{}, question.Several(len(numbers), strings.Join(names, ", "), "select one of them")
	}
	for _, value := range numbers {
		if value != nil {
			return analysis.Reading{Value: *value, Found: true}, nil
		}
	}
	return analysis.Reading{}, nil
}

// take remembers a number, or that there is none where one would stand.
func take(numbers map[string]*float64, name string, value any) {
	switch v := value.(type) {
	case float64:
		numbers[name] = &v
	case nil:
		numbers[name] = nil
	}
}
