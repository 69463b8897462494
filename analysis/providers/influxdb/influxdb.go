// Package influxdb measures with Flux, of InfluxDB 2, or with InfluxQL, of InfluxDB 1 and of what speaks it still.
//
// What is asked: with Flux POST /api/v2/query, and the moment of the measurement is what now() gives; with InfluxQL POST
// /query, where now() is the server's. A token is sent as InfluxDB 2 wants it, and 1.8 takes it as "user:password".
//
// What an answer means: Flux must give one table with one row, whose _value is the number; InfluxQL one series with one
// row of a time and one field. More of them are an error that shows what tells them apart: a query wants group() and
// last(), or LIMIT 1.
//
// No data: no row, and a value that is null.
//
// Units: those of the query.
//
// Limits: for bounds of an answer see package fetch. The texts of errors that the API gives for a query are shown.
package influxdb

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"

	"github.com/sluice-dev/sluice/analysis"
	"github.com/sluice-dev/sluice/analysis/providers/fetch"
	"github.com/sluice-dev/sluice/api/v1alpha1"
)

const (
	field          = "provider.influxDB"
	exampleAddress = "http://influxdb.monitoring:8086"
	fluxPath       = "/api/v2/query"
	influxQLPath   = "/query"
	shownSeries    = 3
)

// Provider asks InfluxDB servers.
type Provider struct{ client *http.Client }

// New makes a provider that asks through a client of package fetch.
func New(client *http.Client) *Provider { return &Provider{client: client} }

// Measure asks one query.
func (p *Provider) Measure(ctx context.Context, query analysis.Query) (analysis.Reading, error) {
	source := query.Source.InfluxDB
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
	if answer.Status != http.StatusOK {
		return analysis.Reading{}, refusal(question, answer)
	}
	if source.Flux != "" {
		return readCSV(question, answer)
	}
	return readJSON(question, answer)
}

// questionOf makes the request of a metric.
func questionOf(ctx context.Context, source *v1alpha1.InfluxDBMetric, query analysis.Query) (fetch.Question, error) {
	question := fetch.Question{
		Method: http.MethodPost, Limit: fetch.Timeout(source.Timeout), Speaks: "InfluxDB's API", Header: http.Header{},
		Fields: fetch.Fields{
			Address: field + ".address", Timeout: field + ".timeout", Query: field + ".influxQL", Credentials: field + ".token",
		},
	}
	base, err := fetch.Base(question.Fields.Address, source.Address, exampleAddress)
	if err != nil {
		return question, err
	}
	if source.Token != nil {
		token, err := fetch.Secret(ctx, query.Secrets, question.Fields.Credentials, *source.Token)
		if err != nil {
			return question, err
		}
		question.Header.Set("Authorization", "Token "+token)
	}
	if source.Flux == "" {
		question.URL = base + influxQLPath
		question.Header.Set("Accept", "application/json")
		question.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		question.Body = []byte(url.Values{"db": {source.Database}, "q": {source.InfluxQL}, "epoch": {"ms"}}.Encode())
		return question, nil
	}
	question.Fields.Query = field + ".flux"
	question.URL = base + fluxPath + "?" + url.Values{"org": {source.Organization}}.Encode()
	question.Header.Set("Accept", "application/csv")
	question.Header.Set("Content-Type", "application/json")
	question.Body, err = json.Marshal(fluxQuery{
		Query: source.Flux, Type: "flux", Now: query.At.UTC(),
		Dialect: dialect{Header: true, Delimiter: ",", Annotations: []string{"datatype", "group", "default"}},
	})
	return question, err
}

// fluxQuery is the body of a query in Flux.
type fluxQuery struct {
	Query   string    `json:"query"`
	Type    string    `json:"type"`
	Now     time.Time `json:"now"`
	Dialect dialect   `json:"dialect"`
}

// dialect says how the answer is to be written.
type dialect struct {
	Header      bool     `json:"header"`
	Delimiter   string   `json:"delimiter"`
	Annotations []string `json:"annotations"`
}

// refusal is the fault of an answer with the status of an error. InfluxDB 2 writes its reason as a message, 1 as an error.
func refusal(question fetch.Question, answer fetch.Answer) error {
	var given struct {
		Message string `json:"message"`
		Error   string `json:"error"`
	}
	wrong := answer.Status == http.StatusBadRequest || answer.Status == http.StatusUnprocessableEntity
	if wrong && question.Decode(answer, &given) == nil && given.Message+given.Error != "" {
		return question.Refused(given.Message + given.Error)
	}
	return question.Failed(answer.Status)
}
