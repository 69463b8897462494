package web

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/sluice-dev/sluice/analysis"
	"github.com/sluice-dev/sluice/analysis/providers/fetch"
	"github.com/sluice-dev/sluice/api/v1alpha1"
)

const (
	fieldURL     = "provider.web.url"
	fieldTimeout = "provider.web.timeout"
	fieldHeaders = "provider.web.headers"
	fieldBody    = "provider.web.body"
	fieldValue   = "provider.web.value"

	exampleURL = "https://example.com/api/errors"
)

// Provider asks web servers.
type Provider struct {
	client  *http.Client
	pickers *pickers
}

// New makes a provider that asks through a client of package fetch. The error is one of CEL, and means a bug.
func New(client *http.Client) (*Provider, error) {
	pickers, err := newPickers()
	if err != nil {
		return nil, err
	}
	return &Provider{client: client, pickers: pickers}, nil
}

// Measure asks once, and picks the number.
func (p *Provider) Measure(ctx context.Context, query analysis.Query) (analysis.Reading, error) {
	source := query.Source.Web
	if source == nil {
		return analysis.Reading{}, fetch.Unset("provider.web")
	}
	picker, err := p.pickers.get(source.Value)
	if err != nil {
		return analysis.Reading{}, err
	}
	question, err := questionOf(ctx, source, query.Secrets)
	if err != nil {
		return analysis.Reading{}, err
	}
	answer, err := question.Ask(ctx, p.client)
	if err != nil {
		return analysis.Reading{}, err
	}
	if answer.Status < 200 || answer.Status > 299 {
		return analysis.Reading{}, question.Failed(answer.Status)
	}
	var document any
	if err := question.Decode(answer, &document); err != nil {
		return analysis.Reading{}, err
	}
	return picker.pick(ctx, document)
}

// questionOf makes the request of a metric.
func questionOf(ctx context.Context, source *v1alpha1.WebMetric, secrets analysis.Secrets) (fetch.Question, error) {
	question := fetch.Question{
		Method: http.MethodGet, URL: source.URL, Limit: fetch.Timeout(source.Timeout), Speaks: "JSON",
		Fields: fetch.Fields{Address: fieldURL, Timeout: fieldTimeout, Query: fieldValue, Credentials: fieldHeaders},
	}
	if err := fetch.Document(fieldURL, source.URL, exampleURL); err != nil {
		return question, err
	}
	headers, err := fetch.Headers(ctx, secrets, fieldHeaders, source.Headers)
	if err != nil {
		return question, err
	}
	question.Header = headers
	if headers.Get("Accept") == "" {
		headers.Set("Accept", "application/json")
	}
	if source.Method != v1alpha1.WebPost {
		return question, nil
	}
	question.Method = http.MethodPost
	if source.Body != "" && !json.Valid([]byte(source.Body)) {
		return question, &analysis.Fault{
			Reason: v1alpha1.ReasonQueryInvalid, Field: fieldBody, Message: fmt.Sprintf(
				"it is no JSON; write it as %s", `{"service": "web"}`),
		}
	}
	question.Body = []byte(source.Body)
	if headers.Get("Content-Type") == "" {
		headers.Set("Content-Type", "application/json")
	}
	return question, nil
}
