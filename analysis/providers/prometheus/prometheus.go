// Package prometheus measures with instant queries of the Prometheus HTTP API, which Thanos, Mimir, VictoriaMetrics and
// others speak too.
//
// One query must give one number: a scalar, or a vector with one element. An empty vector is no data. Several elements
// are an error that shows their labels, because choosing one of them would be a guess, unless the metric says with reduce
// what to make of them.
//
// Servers are asked through package fetch, which bounds what they can do. What one sends shows up in messages only where
// it is the error text of the API itself. An address that stands in a metric has to pass the guard; the default address
// may lead anywhere, also through a proxy.
package prometheus

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/api"
	prometheusv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
	"k8s.io/utils/clock"

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
	fieldReduce  = "provider.prometheus.reduce"
	fieldLogin   = "provider.prometheus.authentication"

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
	// Clock waits for servers that ask to come later; the real one when nil.
	Clock clock.Clock
}

// Provider asks Prometheus servers.
type Provider struct {
	address string
	own     *fetch.Access // for the default address
	foreign *fetch.Access // for addresses from metrics
}

// New makes a provider. The error says that the default address is none.
func New(options Options) (*Provider, error) {
	if options.DefaultAddress != "" {
		if err := fetch.CheckAddress(options.DefaultAddress, exampleAddress); err != nil {
			return nil, fmt.Errorf("--prometheus-address: %w", err)
		}
	}
	guarded := fetch.Transport{Guard: options.Guard}
	return &Provider{
		address: options.DefaultAddress,
		own: fetch.NewAccess(
			fetch.Transport{Guard: fetch.Anywhere(), Proxy: http.ProxyFromEnvironment}, guarded, options.Clock),
		foreign: fetch.NewAccess(guarded, guarded, options.Clock),
	}, nil
}

// Measure asks one instant query for the moment query.At.
func (p *Provider) Measure(ctx context.Context, query analysis.Query) (analysis.Reading, error) {
	limited, cancel := context.WithTimeout(ctx, timeout(query.Source.Prometheus))
	defer cancel()
	asks, err := p.asker(limited, query.Source.Prometheus, query.Secrets)
	if err != nil {
		return analysis.Reading{}, err
	}
	value, warnings, err := asks.query(limited, query.Source.Prometheus.Query, query.At)
	if err != nil {
		return analysis.Reading{}, err
	}
	reading, err := read(value, query.Source.Prometheus.Reduce)
	reading.Warnings = clean(warnings)
	return reading, err
}

// asker asks one server, for a limited time.
type asker struct {
	where target
	api   prometheusv1.API
	limit time.Duration
}

// asker finds the server that a metric means, and how to be answered by it.
func (p *Provider) asker(ctx context.Context, source *v1alpha1.PrometheusMetric, secrets analysis.Secrets) (asker, error) {
	if source == nil {
		return asker{}, &analysis.Fault{
			Reason: v1alpha1.ReasonQueryInvalid, Field: "provider.prometheus", Message: "it is not set",
		}
	}
	where, err := p.target(source.Address)
	if err != nil {
		return asker{}, err
	}
	client, err := where.access.Client(ctx, secrets, "provider.prometheus", source.PrometheusAccess)
	if err != nil {
		return asker{}, err
	}
	where.known = source.Authentication != nil
	asks, err := api.NewClient(api.Config{Address: where.address, Client: client})
	if err != nil {
		return asker{}, addressFault(err)
	}
	return asker{where: where, api: prometheusv1.NewAPI(asks), limit: timeout(source)}, nil
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
	access  *fetch.Access
	known   bool // whether it is told who asks
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
		return target{address: p.address, origin: " (from --prometheus-address)", access: p.own}, nil
	}
	if err := fetch.CheckAddress(address, exampleAddress); err != nil {
		return target{}, addressFault(err)
	}
	return target{address: address, access: p.foreign}, nil
}

// addressFault is the fault of an address that cannot be asked.
func addressFault(err error) *analysis.Fault {
	return &analysis.Fault{Reason: v1alpha1.ReasonAddressInvalid, Field: fieldAddress, Message: err.Error(), Cause: err}
}

// timeout of one query: that of the metric, within bounds.
func timeout(source *v1alpha1.PrometheusMetric) time.Duration {
	if source == nil || source.Timeout == nil || source.Timeout.Duration <= 0 {
		return DefaultTimeout
	}
	return min(source.Timeout.Duration, MaxTimeout)
}

// read takes the one number out of an answer.
func read(value model.Value, reduce v1alpha1.Reduction) (analysis.Reading, error) {
	switch v := value.(type) {
	case *model.Scalar:
		return analysis.Reading{Value: float64(v.Value), Found: true}, nil
	case model.Vector:
		return readVector(v, reduce)
	case model.Matrix:
		return analysis.Reading{}, queryFault(v1alpha1.ReasonQueryInvalid,
			`it gives a range of samples; turn it into one number, such as with rate(…[5m]) and sum(…)`)
	}
	return analysis.Reading{}, queryFault(v1alpha1.ReasonQueryInvalid,
		"it gives no number; write one that gives a scalar or a vector")
}

// readVector takes the number out of a vector: that of its one element, or what its elements are reduced to.
func readVector(v model.Vector, by v1alpha1.Reduction) (analysis.Reading, error) {
	if len(v) == 0 {
		return analysis.Reading{}, nil
	}
	if len(v) > 1 && by == "" {
		return analysis.Reading{}, queryFault(v1alpha1.ReasonAmbiguous, fmt.Sprintf(
			"it gives %d series where one number is needed: %s; aggregate them, such as with sum(…) or max(…), or set reduce",
			len(v), series(v)))
	}
	values := make([]float64, 0, len(v))
	for _, sample := range v {
		switch {
		case sample == nil, sample.Histogram == nil && sample.Timestamp == 0:
			// A value that is left out decodes to 0 at time 0. A server repeats the time it was asked for, which is never 0.
			return analysis.Reading{}, queryFault(v1alpha1.ReasonProviderUnreachable, "the answer holds a series without a value")
		case sample.Histogram != nil:
			return analysis.Reading{}, queryFault(v1alpha1.ReasonQueryInvalid,
				"it gives a histogram; take one number from it, such as with histogram_quantile(0.99, …)")
		}
		values = append(values, float64(sample.Value))
	}
	return reduced(values, by)
}

// reduced makes one number of several. One that is none makes the result none: whatever is left out could be the worst.
func reduced(values []float64, by v1alpha1.Reduction) (analysis.Reading, error) {
	sum, most, least, zeros := 0.0, math.Inf(-1), math.Inf(1), 0
	for _, value := range values {
		sum, most, least = sum+value, max(most, value), min(least, value)
		if value == 0 {
			zeros++
		}
	}
	result := map[v1alpha1.Reduction]float64{
		v1alpha1.ReduceSum: sum, v1alpha1.ReduceMax: most, v1alpha1.ReduceMin: least,
		v1alpha1.ReduceAvg: sum / float64(len(values)),
		v1alpha1.ReduceAny: truth(zeros < len(values)), v1alpha1.ReduceAll: truth(zeros == 0),
	}
	value, ok := result[by]
	switch {
	case by == "":
		value = values[0]
	case !ok:
		return analysis.Reading{}, &analysis.Fault{Reason: v1alpha1.ReasonQueryInvalid, Field: fieldReduce, Message: fmt.Sprintf(
			"there is no reduction %q; write sum, max, min, avg, any or all", by)}
	case math.IsNaN(sum):
		value = math.NaN()
	}
	return analysis.Reading{Value: value, Found: true}, nil
}

// truth is 1 for what is so.
func truth(so bool) float64 {
	if so {
		return 1
	}
	return 0
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
