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
	if p := metric.Provider.Prometheus; p != nil {
		texts = append(texts,
			text{"provider.prometheus.address", &p.Address, addressGrammar{}, maxAddress},
			text{"provider.prometheus.query", &p.Query, &queryGrammar{}, maxQuery})
		texts = append(texts, headerTexts("provider.prometheus.headers", p.Headers)...)
	}
	if p := metric.Provider.Web; p != nil {
		texts = append(texts, webTexts(p)...)
	}
	for _, s := range selectorsOf(metric) {
		texts = append(texts, text{s.field, s.text, &queryGrammar{}, maxSelector})
	}
	return texts
}

// webTexts lists the texts of a web metric. The expression for its value is none: it picks, and compares with nothing.
func webTexts(p *v1alpha1.WebMetric) []text {
	texts := []text{
		{"provider.web.url", &p.URL, &urlGrammar{}, maxURL},
		{"provider.web.body", &p.Body, &jsonGrammar{}, maxQuery},
	}
	return append(texts, headerTexts("provider.web.headers", p.Headers)...)
}

// headerTexts lists the values of headers.
func headerTexts(field string, headers []v1alpha1.MetricHeader) []text {
	var texts []text
	for i := range headers {
		texts = append(texts, text{fmt.Sprintf("%s[%d].value", field, i), &headers[i].Value, headerGrammar{}, maxHeader})
	}
	return texts
}
