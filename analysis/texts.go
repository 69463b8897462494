package analysis

import (
	"fmt"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// text is a text of a metric that may hold placeholders.
type text struct {
	field string
	at    *string
	by    grammar
	limit int // characters that the API takes
}

// textsOf lists all texts of a metric that may hold placeholders. Writing to them changes the metric.
func textsOf(metric *v1alpha1.Metric) []text {
	texts := []text{
		{"successCondition", &metric.SuccessCondition, conditionGrammar{}, maxCondition},
		{"failureCondition", &metric.FailureCondition, conditionGrammar{}, maxCondition},
	}
	texts = append(texts, providerTexts(&metric.Provider)...)
	for _, s := range selectorsOf(metric) {
		texts = append(texts, text{s.field, s.text, &queryGrammar{}, maxSelector})
	}
	return texts
}

// providerTexts lists what the provider of a metric is asked.
func providerTexts(provider *v1alpha1.MetricProvider) []text {
	switch p := provider; {
	case p.Prometheus != nil:
		return append(headerTexts("provider.prometheus.headers", p.Prometheus.Headers),
			text{"provider.prometheus.address", &p.Prometheus.Address, addressGrammar{}, maxAddress},
			text{"provider.prometheus.query", &p.Prometheus.Query, &queryGrammar{}, maxQuery})
	case p.Datadog != nil:
		return datadogTexts(p.Datadog)
	case p.NewRelic != nil:
		return []text{
			{"provider.newRelic.address", &p.NewRelic.Address, addressGrammar{}, maxAddress},
			{"provider.newRelic.query", &p.NewRelic.Query, &quotedGrammar{quotes: `'"`}, maxShortQuery},
		}
	case p.CloudWatch != nil:
		return cloudWatchTexts(p.CloudWatch)
	case p.Graphite != nil:
		return append(headerTexts("provider.graphite.headers", p.Graphite.Headers),
			text{"provider.graphite.address", &p.Graphite.Address, addressGrammar{}, maxAddress},
			text{"provider.graphite.target", &p.Graphite.Target, targetGrammar{}, maxShortQuery})
	case p.InfluxDB != nil:
		return influxTexts(p.InfluxDB)
	case p.Web != nil:
		return append(headerTexts("provider.web.headers", p.Web.Headers),
			text{"provider.web.url", &p.Web.URL, &urlGrammar{}, maxURL},
			text{"provider.web.body", &p.Web.Body, &jsonGrammar{}, maxQuery})
	case p.External != nil:
		return append(headerTexts("provider.external.headers", p.External.Headers),
			append(valueTexts("provider.external.parameters", p.External.Parameters),
				text{"provider.external.url", &p.External.URL, &urlGrammar{}, maxURL})...)
	}
	return nil
}

// datadogTexts lists the texts of a Datadog metric.
func datadogTexts(p *v1alpha1.DatadogMetric) []text {
	texts := []text{
		{"provider.datadog.address", &p.Address, addressGrammar{}, maxAddress},
		{"provider.datadog.query", &p.Query, &tagGrammar{}, maxShortQuery},
		{"provider.datadog.formula", &p.Formula, wordGrammar{}, maxCondition},
	}
	for i := range p.Queries {
		texts = append(texts,
			text{fmt.Sprintf("provider.datadog.queries[%d].query", i), &p.Queries[i].Query, &tagGrammar{}, maxShortQuery})
	}
	return texts
}

// cloudWatchTexts lists the texts of a CloudWatch metric.
func cloudWatchTexts(p *v1alpha1.CloudWatchMetric) []text {
	texts := []text{
		{"provider.cloudWatch.address", &p.Address, addressGrammar{}, maxAddress},
		{"provider.cloudWatch.expression", &p.Expression, wordGrammar{}, maxCondition},
	}
	for i := range p.Statistics {
		s, field := &p.Statistics[i], fmt.Sprintf("provider.cloudWatch.statistics[%d]", i)
		texts = append(texts,
			text{field + ".namespace", &s.Namespace, plainGrammar{}, maxName},
			text{field + ".metric", &s.Metric, plainGrammar{}, maxName})
		texts = append(texts, valueTexts(field+".dimensions", s.Dimensions)...)
	}
	return texts
}

// influxTexts lists the texts of an InfluxDB metric.
func influxTexts(p *v1alpha1.InfluxDBMetric) []text {
	return []text{
		{"provider.influxDB.address", &p.Address, addressGrammar{}, maxAddress},
		{"provider.influxDB.organization", &p.Organization, plainGrammar{}, maxName + 1},
		{"provider.influxDB.database", &p.Database, plainGrammar{}, maxName + 1},
		{"provider.influxDB.flux", &p.Flux, &quotedGrammar{quotes: `"`}, maxQuery},
		{"provider.influxDB.influxQL", &p.InfluxQL, &quotedGrammar{quotes: `'"`}, maxQuery},
	}
}

// headerTexts lists the values of headers.
func headerTexts(field string, headers []v1alpha1.MetricHeader) []text {
	var texts []text
	for i := range headers {
		texts = append(texts, text{fmt.Sprintf("%s[%d].value", field, i), &headers[i].Value, headerGrammar{}, maxHeader})
	}
	return texts
}

// valueTexts lists values with names.
func valueTexts(field string, values []v1alpha1.NamedValue) []text {
	var texts []text
	for i := range values {
		texts = append(texts, text{fmt.Sprintf("%s[%d].value", field, i), &values[i].Value, plainGrammar{}, maxHeader})
	}
	return texts
}
