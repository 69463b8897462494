// Package external measures by asking a service that speaks Sluice's own contract for providers. docs/providers.md
// describes the contract for whoever writes such a service.
//
// What is asked: POST to the URL, with the moment of the measurement and the parameters of the metric in JSON.
//
// What an answer means: status 200 with "value", a number, or one of "NaN", "Infinity" and "-Infinity", and with
// "warnings". Status 400 or 422 with "error" says what is wrong with the parameters, and is shown; any other status means
// that the service cannot answer now.
//
// No data: a value that is null, NaN or infinite.
//
// Units: those of the service.
//
// Limits: for bounds of an answer see package fetch. The service must answer within the timeout; what takes longer it does
// beforehand.
package external

import (
	"context"
	"encoding/json"
	"math"
	"net/http"
	"time"

	"github.com/sluice-dev/sluice/analysis"
	"github.com/sluice-dev/sluice/analysis/providers/fetch"
	"github.com/sluice-dev/sluice/api/v1alpha1"
)

const (
	field         = "provider.external"
	exampleURL    = "http://figures.monitoring/measure"
	version       = "v1"
	shownWarnings = 3
)

// Provider asks services.
type Provider struct{ client *http.Client }

// New makes a provider that asks through a client of package fetch.
func New(client *http.Client) *Provider { return &Provider{client: client} }

// request as the contract has it.
type request struct {
	Version    string            `json:"version"`
	At         time.Time         `json:"at"`
	Parameters map[string]string `json:"parameters"`
}

// Measure asks once.
func (p *Provider) Measure(ctx context.Context, query analysis.Query) (analysis.Reading, error) {
	source := query.Source.External
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
	case http.StatusBadRequest, http.StatusUnprocessableEntity:
		var refusal struct {
			Error string `json:"error"`
		}
		if err := question.Decode(answer, &refusal); err == nil && refusal.Error != "" {
			return analysis.Reading{}, question.Refused(refusal.Error)
		}
	}
	return analysis.Reading{}, question.Failed(answer.Status)
}

// questionOf makes the request of a metric.
func questionOf(ctx context.Context, source *v1alpha1.ExternalMetric, query analysis.Query) (fetch.Question, error) {
	question := fetch.Question{
		Method: http.MethodPost, URL: source.URL, Limit: fetch.Timeout(source.Timeout), Speaks: "Sluice's contract for providers",
		Fields: fetch.Fields{
			Address: field + ".url", Timeout: field + ".timeout", Query: field + ".parameters", Credentials: field + ".headers",
		},
	}
	if err := fetch.Document(question.Fields.Address, source.URL, exampleURL); err != nil {
		return question, err
	}
	var err error
	question.Header, err = fetch.Headers(ctx, query.Secrets, question.Fields.Credentials, source.Headers)
	if err != nil {
		return question, err
	}
	question.Header.Set("Content-Type", "application/json")
	question.Header.Set("Accept", "application/json")
	asked := request{Version: version, At: query.At.UTC(), Parameters: map[string]string{}}
	for _, parameter := range source.Parameters {
		asked.Parameters[parameter.Name] = parameter.Value
	}
	question.Body, err = json.Marshal(asked)
	return question, err
}

// read takes the number out of an answer.
func read(question fetch.Question, answer fetch.Answer) (analysis.Reading, error) {
	given := map[string]json.RawMessage{}
	if err := question.Decode(answer, &given); err != nil {
		return analysis.Reading{}, err
	}
	var warnings []string
	if text, ok := given["warnings"]; ok && json.Unmarshal(text, &warnings) != nil {
		return analysis.Reading{}, question.Strange(nil)
	}
	reading, ok := number(string(given["value"]))
	if !ok {
		return analysis.Reading{}, question.Strange(nil)
	}
	for _, text := range warnings[:min(len(warnings), shownWarnings)] {
		reading.Warnings = append(reading.Warnings, fetch.Printable(text, fetch.ShownText))
	}
	return reading, nil
}

// number reads a value in JSON; false when it is none that the contract has.
func number(text string) (analysis.Reading, bool) {
	var value float64
	switch text {
	case "null":
		return analysis.Reading{}, true
	case `"NaN"`:
		value = math.NaN()
	case `"Infinity"`:
		value = math.Inf(1)
	case `"-Infinity"`:
		value = math.Inf(-1)
	default:
		if json.Unmarshal([]byte(text), &value) != nil {
			return analysis.Reading{}, false
		}
	}
	return analysis.Reading{Value: value, Found: true}, true
}
