// Package cloudwatch measures with statistics of Amazon CloudWatch.
//
// What is asked: GetMetricData, in AWS's JSON protocol, signed with version 4, for the last whole periods before the
// moment of the measurement, and with the newest first. Statistics that an expression uses are not returned, only what
// the expression gives.
//
// What an answer means: the value of the newest period that has one is the number. The credentials are those of the
// metric, from Secrets: the controller's own, if it has any, are not lent to whoever may write templates.
//
// No data: no value within the last five periods.
//
// Units: those of the metric; Sum is a number of events within the period, Average is in the unit of what was reported.
//
// Limits: CloudWatch has figures one to three minutes after their time, so that the newest period may be empty. Each
// statistic asked for costs what GetMetricData costs. For bounds of an answer see package fetch. The texts of errors that
// the API gives for a query are shown.
package cloudwatch

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/sluice-dev/sluice/analysis"
	"github.com/sluice-dev/sluice/analysis/providers/fetch"
	"github.com/sluice-dev/sluice/api/v1alpha1"
)

const (
	field         = "provider.cloudWatch"
	service       = "monitoring" // in signatures and addresses
	target        = "GraniteServiceVersion20100801.GetMetricData"
	contentType   = "application/x-amz-json-1.0"
	defaultPeriod = time.Minute
	askedPeriods  = 5
	expressionID  = "sluice"
	shownWarnings = 3
)

// Provider asks CloudWatch.
type Provider struct{ client *http.Client }

// New makes a provider that asks through a client of package fetch.
func New(client *http.Client) *Provider { return &Provider{client: client} }

// Measure asks for one value.
func (p *Provider) Measure(ctx context.Context, query analysis.Query) (analysis.Reading, error) {
	source := query.Source.CloudWatch
	if source == nil {
		return analysis.Reading{}, fetch.Unset(field)
	}
	question, err := questionOf(source, query.At)
	if err != nil {
		return analysis.Reading{}, err
	}
	if err := sign(ctx, &question, source, query); err != nil {
		return analysis.Reading{}, err
	}
	answer, err := question.Ask(ctx, p.client)
	if err != nil {
		return analysis.Reading{}, err
	}
	if answer.Status != http.StatusOK {
		return analysis.Reading{}, refusal(question, answer)
	}
	return read(question, answer)
}

// request of GetMetricData; times are in seconds since 1970.
type request struct {
	StartTime         int64   `json:"StartTime"`
	EndTime           int64   `json:"EndTime"`
	ScanBy            string  `json:"ScanBy"`
	MetricDataQueries []query `json:"MetricDataQueries"`
}

// query is a statistic or an expression over statistics.
type query struct {
	ID         string      `json:"Id"`
	Expression string      `json:"Expression,omitempty"`
	MetricStat *metricStat `json:"MetricStat,omitempty"`
	Period     int64       `json:"Period,omitempty"`
	ReturnData bool        `json:"ReturnData"`
}

type metricStat struct {
	Metric metric `json:"Metric"`
	Period int64  `json:"Period"`
	Stat   string `json:"Stat"`
}

type metric struct {
	Namespace  string      `json:"Namespace"`
	MetricName string      `json:"MetricName"`
	Dimensions []dimension `json:"Dimensions,omitempty"`
}

type dimension struct {
	Name  string `json:"Name"`
	Value string `json:"Value"`
}

// questionOf makes the request of a metric, without its signature.
func questionOf(source *v1alpha1.CloudWatchMetric, at time.Time) (fetch.Question, error) {
	question := fetch.Question{
		Method: http.MethodPost, Limit: fetch.Timeout(source.Timeout), Speaks: "CloudWatch's API",
		Fields: fetch.Fields{
			Address: field + ".address", Timeout: field + ".timeout", Query: field + ".statistics", Credentials: field + ".accessKeyID",
		},
		Header: http.Header{
			"Content-Type": {contentType}, "X-Amz-Target": {target}, "Accept": {"application/json"},
		},
	}
	base, err := fetch.Base(question.Fields.Address, source.Address, addressOf(source.Region))
	if err != nil {
		return question, err
	}
	question.URL = base + "/"
	period := max(fetch.Or(source.Period, defaultPeriod).Truncate(time.Minute), time.Minute)
	end := at.Truncate(period)
	asked := request{
		StartTime: end.Add(-askedPeriods * period).Unix(), EndTime: end.Unix(), ScanBy: "TimestampDescending",
	}
	seconds := int64(period / time.Second)
	for _, s := range source.Statistics {
		stat := metricStat{Metric: metric{Namespace: s.Namespace, MetricName: s.Metric}, Period: seconds, Stat: s.Statistic}
		for _, d := range s.Dimensions {
			stat.Metric.Dimensions = append(stat.Metric.Dimensions, dimension(d))
		}
		asked.MetricDataQueries = append(asked.MetricDataQueries,
			query{ID: s.ID, MetricStat: &stat, ReturnData: source.Expression == ""})
	}
	if source.Expression != "" {
		question.Fields.Query = field + ".expression"
		asked.MetricDataQueries = append(asked.MetricDataQueries,
			query{ID: expressionID, Expression: source.Expression, Period: seconds, ReturnData: true})
	}
	question.Body, err = json.Marshal(asked)
	return question, err
}

// addressOf is where a region is asked. Those in China have a domain of their own.
func addressOf(region string) string {
	domain := "amazonaws.com"
	if strings.HasPrefix(region, "cn-") {
		domain += ".cn"
	}
	return "https://" + service + "." + region + "." + domain
}

// response of GetMetricData.
type response struct {
	Results []struct {
		Label      string     `json:"Label"`
		StatusCode string     `json:"StatusCode"`
		Values     []*float64 `json:"Values"`
		Messages   []message  `json:"Messages"`
	} `json:"MetricDataResults"`
	Messages []message `json:"Messages"`
}

type message struct {
	Code  string `json:"Code"`
	Value string `json:"Value"`
}

// read takes the newest value out of an answer.
func read(question fetch.Question, answer fetch.Answer) (analysis.Reading, error) {
	var given response
	if err := question.Decode(answer, &given); err != nil {
		return analysis.Reading{}, err
	}
	if given.Results == nil {
		return analysis.Reading{}, question.Strange(nil)
	}
	var labels []string
	messages := given.Messages
	for _, r := range given.Results {
		if slices.Contains(r.Values, nil) {
			return analysis.Reading{}, question.Strange(nil)
		}
		labels = append(labels, fmt.Sprintf("%q", r.Label))
		messages = append(messages, r.Messages...)
	}
	var reading analysis.Reading
	for _, m := range messages[:min(len(messages), shownWarnings)] {
		reading.Warnings = append(reading.Warnings, fetch.Printable(m.Value, fetch.ShownText))
	}
	switch {
	case len(given.Results) == 0:
		return reading, nil
	case len(given.Results) > 1:
		return analysis.Reading{}, question.Several(len(given.Results), strings.Join(labels, ", "),
			"let the expression give one series, such as with AVG(…)")
	}
	result := given.Results[0]
	switch {
	case result.StatusCode == "InternalError", result.StatusCode == "Forbidden":
		return analysis.Reading{}, question.Unusable("it answers "+result.StatusCode+"; check what the credentials permit", nil)
	case len(result.Values) == 0:
		return reading, nil
	}
	reading.Value, reading.Found = *result.Values[0], true
	return reading, nil
}

// refusal is the fault of an answer with the status of an error. AWS has one status for a query that is wrong and for
// credentials that do not count; the type tells them apart.
func refusal(question fetch.Question, answer fetch.Answer) error {
	var given struct {
		Type    string `json:"__type"`
		Message string `json:"message"`
		Other   string `json:"Message"`
	}
	if answer.Status != http.StatusBadRequest || question.Decode(answer, &given) != nil || given.Type == "" {
		return question.Failed(answer.Status)
	}
	_, kind, found := strings.Cut(given.Type, "#")
	if !found {
		kind = given.Type
	}
	switch kind {
	case "InvalidParameterValue", "InvalidParameterValueException", "InvalidParameterCombination",
		"InvalidParameterCombinationException", "MissingParameter", "MissingRequiredParameterException", "ValidationError",
		"ValidationException", "InvalidFormat", "InvalidFormatFault":
		return question.Refused(given.Message + given.Other)
	case "Throttling", "ThrottlingException", "LimitExceededException":
		return question.Failed(http.StatusTooManyRequests)
	case "AccessDenied", "AccessDeniedException", "UnrecognizedClientException", "InvalidSignatureException",
		"InvalidClientTokenId", "ExpiredToken", "ExpiredTokenException", "MissingAuthenticationToken",
		"MissingAuthenticationTokenException", "SignatureDoesNotMatch", "IncompleteSignature":
		return question.Failed(http.StatusForbidden)
	}
	return question.Failed(answer.Status)
}
