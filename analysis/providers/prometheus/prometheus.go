// Package prometheus measures with instant queries of the Prometheus HTTP API, which Thanos, Mimir, VictoriaMetrics and
// others speak too.
//
// One query must give one number: a scalar, or a vector with one element. An empty vector is no data. Several elements
// are an error that shows their labels, because choosing one of them would be a guess.
//
// Servers are asked through package fetch, which bounds what they can do. What one sends shows up in messages only where
// it is the error text of the API itself. An address that stands in a metric has to pass the guard; the default address
// may lead anywhere, also through a proxy.
package prometheus

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/api"
	prometheusv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"github.com/sluice-dev/sluice/analysis"
	"github.com/sluice-dev/sluice/analysis/providers/fetch"
	"github.com/sluice-dev/sluice/api/v1alpha1"
)

const (
	// DefaultTimeout bounds a query whose metric sets no timeout.
	DefaultTimeout = 10 * time.Second
	// MaxTimeout bounds every query, whatever its metric asks for: a worker waits for it.
	MaxTimeout = 60 * time.Second

	fieldAddress = "provider.prometheus.address"
	fieldQuery   = "provider.prometheus.query"
	fieldTimeout = "provider.prometheus.timeout"

	shownSeries = 3 // in a message about several series

	exampleAddress = "http://prometheus.monitoring:9090"
)

// Options say whom to ask.
type Options struct {
	// DefaultAddress is asked when a metric names no address: the value of --prometheus-address. It may be empty, and
	// may lead anywhere, as whoever runs the controller has set it.
	DefaultAddress string
	// Guard says which addresses of metrics may be asked.
	Guard *fetch.Guard
}

// Provider asks Prometheus servers.
type Provider struct {
	address string
	own     *http.Client // for the default address
	foreign *http.Client // for addresses from metrics
}

// New makes a provider. The error says that the default address is none.
func New(options Options) (*Provider, error) {
	if options.DefaultAddress != "" {
		if err := fetch.CheckAddress(options.DefaultAddress, exampleAddress); err != nil {
			return nil, fmt.Errorf("--prometheus-address: %w", err)
		}
	}
	return &Provider{
		address: options.DefaultAddress,
		own:     fetch.Transport{Guard: fetch.Anywhere(), Proxy: http.ProxyFromEnvironment}.Client(),
		foreign: fetch.Transport{Guard: options.Guard}.Client(),
	}, nil
}

// Measure asks one instant query for the moment query.At.
func (p *Provider) Measure(ctx context.Context, query analysis.Query) (analysis.Reading, error) {
	asks, err := p.asker(query.Source.Prometheus)
	if err != nil {
		return analysis.Reading{}, err
	}
	limited, cancel := context.WithTimeout(ctx, asks.limit)
	defer cancel()
	value, warnings, err := asks.query(limited, query.Source.Prometheus.Query, query.At)
	if err != nil {
		return analysis.Reading{}, err
	}
	reading, err := read(value)
	reading.Warnings = clean(warnings)
	return reading, err
}

// asker asks one server, for a limited time.
type asker struct {
	where target
	api   prometheusv1.API
	limit time.Duration
}

// asker finds the server that a metric means.
func (p *Provider) asker(source *v1alpha1.PrometheusMetric) (asker, error) {
	if source == nil {
		return asker{}, &analysis.Fault{
			Reason: v1alpha1.ReasonQueryInvalid, Field: "provider.prometheus", Message: "it is not set",
		}
	}
	where, err := p.target(source.Address)
	if err != nil {
		return asker{}, err
	}
	client, err := api.NewClient(api.Config{Address: where.address, Client: where.client})
	if err != nil {
		return asker{}, addressFault(err)
	}
	return asker{where: where, api: prometheusv1.NewAPI(client), limit: timeout(source)}, nil
}

// query asks one instant query. Its errors are faults.
func (a asker) query(ctx context.Context, text string, at time.Time) (model.Value, prometheusv1.Warnings, error) {
	value, warnings, err := a.api.Query(ctx, text, at, prometheusv1.WithTimeout(a.limit))
	if err != nil {
		return nil, nil, a.where.explain(err, a.limit)
	}
	return value, warnings, nil
}

// target is a server to ask.
type target struct {
	address string
	origin  string // for messages: where the address was written
	client  *http.Client
}

// target chooses between the address of a metric and the default.
func (p *Provider) target(address string) (target, error) {
	switch {
	case address == "" && p.address == "":
		return target{}, &analysis.Fault{
			Reason: v1alpha1.ReasonAddressInvalid, Field: fieldAddress,
			Message: "there is no server to ask; set this field, or --prometheus-address of the controller",
		}
	case address == "" || address == p.address:
		return target{address: p.address, origin: " (from --prometheus-address)", client: p.own}, nil
	}
	if err := fetch.CheckAddress(address, exampleAddress); err != nil {
		return target{}, addressFault(err)
	}
	return target{address: address, client: p.foreign}, nil
}

// addressFault is the fault of an address that cannot be asked.
func addressFault(err error) *analysis.Fault {
	return &analysis.Fault{Reason: v1alpha1.ReasonAddressInvalid, Field: fieldAddress, Message: err.Error(), Cause: err}
}

// timeout of one query: that of the metric, within bounds.
func timeout(source *v1alpha1.PrometheusMetric) time.Duration {
	if source.Timeout == nil || source.Timeout.Duration <= 0 {
		return DefaultTimeout
	}
	return min(source.Timeout.Duration, MaxTimeout)
}

// read takes the one number out of an answer.
func read(value model.Value) (analysis.Reading, error) {
	switch v := value.(type) {
	case *model.Scalar:
		return analysis.Reading{Value: float64(v.Value), Found: true}, nil
	case model.Vector:
		return readVector(v)
	case model.Matrix:
		return analysis.Reading{}, queryFault(v1alpha1.ReasonQueryInvalid,
			`it gives a range of samples; turn it into one number, such as with rate(…[5m]) and sum(…)`)
	}
	return analysis.Reading{}, queryFault(v1alpha1.ReasonQueryInvalid,
		"it gives no number; write one that gives a scalar or a vector")
}

// readVector takes the number out of a vector with one element.
func readVector(v model.Vector) (analysis.Reading, error) {
	switch {
	case len(v) == 0:
		return analysis.Reading{}, nil
	case len(v) > 1:
		return analysis.Reading{}, queryFault(v1alpha1.ReasonAmbiguous, fmt.Sprintf(
			"it gives %d series where one number is needed: %s; aggregate them, such as with sum(…) or max(…)",
			len(v), series(v)))
	case v[0] == nil, v[0].Histogram == nil && v[0].Timestamp == 0:
		// A value that is left out decodes to 0 at time 0. A server repeats the time it was asked for, which is never 0.
		return analysis.Reading{}, queryFault(v1alpha1.ReasonProviderUnreachable, "the answer holds a series without a value")
	case v[0].Histogram != nil:
		return analysis.Reading{}, queryFault(v1alpha1.ReasonQueryInvalid,
			"it gives a histogram; take one number from it, such as with histogram_quantile(0.99, …)")
	}
	return analysis.Reading{Value: float64(v[0].Value), Found: true}, nil
}

// series shows the labels of the first elements of a vector.
func series(v model.Vector) string {
	var shown []string
	for _, sample := range v[:min(len(v), shownSeries)] {
		if sample != nil {
			shown = append(shown, fetch.Printable(sample.Metric.String(), fetch.ShownText/shownSeries))
		}
	}
	if len(v) > shownSeries {
		shown = append(shown, "…")
	}
	return strings.Join(shown, ", ")
}

// clean makes the warnings of a server fit for people.
func clean(warnings prometheusv1.Warnings) []string {
	var texts []string
	for _, warning := range warnings[:min(len(warnings), shownSeries)] {
		texts = append(texts, fetch.Printable(warning, fetch.ShownText))
	}
	return texts
}

// queryFault is the fault of a query, or of its answer.
func queryFault(reason, message string) *analysis.Fault {
	return &analysis.Fault{Reason: reason, Field: fieldQuery, Message: message}
}
