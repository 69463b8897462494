// Package providers is the one list of the providers that are compiled in.
package providers

import (
	"context"
	"fmt"

	"github.com/sluice-dev/sluice/analysis"
	"github.com/sluice-dev/sluice/analysis/judge"
	"github.com/sluice-dev/sluice/analysis/providers/cloudwatch"
	"github.com/sluice-dev/sluice/analysis/providers/datadog"
	"github.com/sluice-dev/sluice/analysis/providers/external"
	"github.com/sluice-dev/sluice/analysis/providers/fetch"
	"github.com/sluice-dev/sluice/analysis/providers/graphite"
	"github.com/sluice-dev/sluice/analysis/providers/influxdb"
	"github.com/sluice-dev/sluice/analysis/providers/newrelic"
	"github.com/sluice-dev/sluice/analysis/providers/prometheus"
	"github.com/sluice-dev/sluice/analysis/providers/web"
	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// Options configure all providers.
type Options struct {
	// PrometheusAddress is asked when a metric of provider.prometheus names no address. It may be empty.
	PrometheusAddress string
	// Rules say which servers metrics may ask.
	Rules fetch.Rules
}

// Set is all providers as one: it passes a query on to the one that its source names.
type Set struct {
	entries []entry
}

// entry is one provider and how to know that a metric is meant for it.
type entry struct {
	field string
	meant func(v1alpha1.MetricProvider) bool
	asks  analysis.Provider
}

// New makes all providers. To add one, add an entry here, and its field in v1alpha1.MetricProvider. The error says which
// option cannot be used.
func New(options Options) (*Set, error) {
	guard, err := fetch.NewGuard(options.Rules)
	if err != nil {
		return nil, fmt.Errorf("--metric-hosts: %w", err)
	}
	prom, err := prometheus.New(prometheus.Options{DefaultAddress: options.PrometheusAddress, Guard: guard})
	if err != nil {
		return nil, err
	}
	client := fetch.Transport{Guard: guard}.Client()
	site, err := web.New(client)
	if err != nil {
		return nil, err
	}
	return &Set{entries: []entry{
		{"prometheus", func(p v1alpha1.MetricProvider) bool { return p.Prometheus != nil }, prom},
		{"datadog", func(p v1alpha1.MetricProvider) bool { return p.Datadog != nil }, datadog.New(client)},
		{"newRelic", func(p v1alpha1.MetricProvider) bool { return p.NewRelic != nil }, newrelic.New(client)},
		{"cloudWatch", func(p v1alpha1.MetricProvider) bool { return p.CloudWatch != nil }, cloudwatch.New(client)},
		{"graphite", func(p v1alpha1.MetricProvider) bool { return p.Graphite != nil }, graphite.New(client)},
		{"influxDB", func(p v1alpha1.MetricProvider) bool { return p.InfluxDB != nil }, influxdb.New(client)},
		{"web", func(p v1alpha1.MetricProvider) bool { return p.Web != nil }, site},
		{"external", func(p v1alpha1.MetricProvider) bool { return p.External != nil }, external.New(client)},
	}}, nil
}

// Measure asks the provider that the source of the query names.
func (s *Set) Measure(ctx context.Context, query analysis.Query) (analysis.Reading, error) {
	chosen, err := s.choose(query.Source)
	if err != nil {
		return analysis.Reading{}, err
	}
	return chosen.asks.Measure(ctx, query)
}

// Count asks the provider that the source of the query names, if it can count.
func (s *Set) Count(ctx context.Context, query analysis.CountQuery) (analysis.Count, error) {
	chosen, err := s.choose(query.Source)
	if err != nil {
		return analysis.Count{}, err
	}
	counter, ok := chosen.asks.(analysis.Counter)
	if !ok {
		return analysis.Count{}, fault(fmt.Sprintf("%s cannot count requests; use prometheus, or compare a figure with a "+
			"successCondition", chosen.field))
	}
	return counter.Count(ctx, query)
}

// CountLatencies asks the provider that the source of the query names, if it can count by latency.
func (s *Set) CountLatencies(ctx context.Context, query analysis.LatencyQuery) (analysis.LatencyCount, error) {
	counter, err := s.latencyCounter(query.Source)
	if err != nil {
		return analysis.LatencyCount{}, err
	}
	return counter.CountLatencies(ctx, query)
}

// Latencies asks the provider that the source of the query names, if it can count by latency.
func (s *Set) Latencies(ctx context.Context, query analysis.HistoryQuery) (judge.Histogram, error) {
	counter, err := s.latencyCounter(query.Source)
	if err != nil {
		return judge.Histogram{}, err
	}
	return counter.Latencies(ctx, query)
}

// latencyCounter finds the provider that a source names, if it can count by latency.
func (s *Set) latencyCounter(source v1alpha1.MetricProvider) (analysis.LatencyCounter, error) {
	chosen, err := s.choose(source)
	if err != nil {
		return nil, err
	}
	counter, ok := chosen.asks.(analysis.LatencyCounter)
	if !ok {
		return nil, fault(fmt.Sprintf("%s cannot count requests by latency; use prometheus, or compare a figure with a "+
			"successCondition", chosen.field))
	}
	return counter, nil
}

// choose finds the one provider that a source names.
func (s *Set) choose(source v1alpha1.MetricProvider) (*entry, error) {
	var chosen *entry
	for i := range s.entries {
		candidate := &s.entries[i]
		if !candidate.meant(source) {
			continue
		}
		if chosen != nil {
			return nil, fault(fmt.Sprintf("%s and %s are both set; keep one", chosen.field, candidate.field))
		}
		chosen = candidate
	}
	if chosen == nil {
		return nil, fault("no provider is set; write one, such as provider.prometheus")
	}
	return chosen, nil
}

// fault is the fault of a metric that does not name exactly one provider.
func fault(message string) *analysis.Fault {
	return &analysis.Fault{Reason: v1alpha1.ReasonQueryInvalid, Field: "provider", Message: message}
}
