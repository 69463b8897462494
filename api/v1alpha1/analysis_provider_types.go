package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// MetricProvider is exactly one source of figures.
//
// +kubebuilder:validation:XValidation:rule="[has(self.prometheus), has(self.datadog), has(self.newRelic), has(self.cloudWatch), has(self.graphite), has(self.influxDB), has(self.web), has(self.external)].filter(set, set).size() == 1",message="write exactly one provider: prometheus, datadog, newRelic, cloudWatch, graphite, influxDB, web or external"
type MetricProvider struct {
	// Prometheus asks a server that speaks the Prometheus HTTP API.
	// +optional
	Prometheus *PrometheusMetric `json:"prometheus,omitempty"`

	// Datadog asks for metrics of Datadog.
	// +optional
	Datadog *DatadogMetric `json:"datadog,omitempty"`

	// NewRelic asks for data of New Relic by NRQL.
	// +optional
	NewRelic *NewRelicMetric `json:"newRelic,omitempty"`

	// CloudWatch asks for metrics of Amazon CloudWatch.
	// +optional
	CloudWatch *CloudWatchMetric `json:"cloudWatch,omitempty"`

	// Graphite asks a server that speaks Graphite's render API.
	// +optional
	Graphite *GraphiteMetric `json:"graphite,omitempty"`

	// InfluxDB asks an InfluxDB by Flux or InfluxQL.
	// +optional
	InfluxDB *InfluxDBMetric `json:"influxDB,omitempty"`

	// Web takes a number out of an answer in JSON.
	// +optional
	Web *WebMetric `json:"web,omitempty"`

	// External asks a service that speaks Sluice's own contract for providers.
	// +optional
	External *ExternalMetric `json:"external,omitempty"`
}

// MetricHeader is a header of a request.
//
// +kubebuilder:validation:XValidation:rule="has(self.secretKeyRef) || (has(self.value) && size(self.value) > 0)",message="the header has no value: write value, or secretKeyRef with the name and the key of a Secret"
type MetricHeader struct {
	// Name of the header, such as Authorization.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z0-9-]+$')",message="write the name of a header: letters, digits and dashes, such as X-Scope-OrgID"
	// +kubebuilder:validation:XValidation:rule="!(self.lowerAscii() in ['host', 'connection', 'content-length', 'transfer-encoding', 'te', 'trailer', 'upgrade', 'accept-encoding', 'user-agent'])",message="this header is set by the controller: remove it"
	Name string `json:"name"`

	// Value of the header, in the open; or what stands before the value of secretKeyRef, such as "Bearer ".
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:XValidation:rule="self.matches('^[ -~]*$')",message="a header holds printable characters of ASCII: leave others out"
	Value string `json:"value,omitempty"`

	// SecretKeyRef names a Secret whose value follows Value.
	// +optional
	SecretKeyRef *SecretKeyReference `json:"secretKeyRef,omitempty"`
}

// WebMethod is how a web address is asked.
//
// +kubebuilder:validation:Enum=GET;POST
type WebMethod string

const (
	// WebGet reads.
	WebGet WebMethod = "GET"
	// WebPost sends a body.
	WebPost WebMethod = "POST"
)

// WebMetric takes one number out of an answer in JSON.
//
// +kubebuilder:validation:XValidation:rule="!has(self.body) || (has(self.method) && self.method == 'POST')",message="GET sends no body: write method: POST, or remove body",fieldPath=".body"
type WebMetric struct {
	// URL to ask, "https://example.com/api/errors?service={{args.rollout}}".
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule="self.matches('^(https?://[^ /?#]+|[{][{] *args[.])')",message="write a URL, such as \"https://example.com/api/errors\""
	URL string `json:"url"`

	// Method of the request.
	// +optional
	// +kubebuilder:default=GET
	Method WebMethod `json:"method,omitempty"`

	// Headers of the request.
	// +optional
	// +kubebuilder:validation:MaxItems=16
	// +listType=map
	// +listMapKey=name
	Headers []MetricHeader `json:"headers,omitempty"`

	// Body in JSON, for POST.
	// +optional
	// +kubebuilder:validation:MaxLength=8192
	Body string `json:"body,omitempty"`

	// Value is a CEL expression that picks a number out of json, the answer: "json.data.errors / json.data.requests". All
	// numbers are doubles. It is no data when it gives null, or a field that json.?data.?errors does not find.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Value string `json:"value"`

	// Timeout of the request.
	// +optional
	// +kubebuilder:default="10s"
	// +sluice:validation:Duration:min="1s",max="60s",example="10s"
	Timeout *metav1.Duration `json:"timeout,omitempty"`
}

// DatadogMetric is a query of Datadog's metrics that gives one number.
//
// +kubebuilder:validation:XValidation:rule="has(self.query) != has(self.queries)",message="write query, or queries and a formula over their names"
// +kubebuilder:validation:XValidation:rule="has(self.queries) == has(self.formula)",message="queries need a formula over their names, such as \"errors / requests\", and a formula needs queries",fieldPath=".formula"
type DatadogMetric struct {
	// Address of the API. It is another one for sites other than US1: "https://api.datadoghq.eu".
	// +optional
	// +kubebuilder:default="https://api.datadoghq.com"
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="self.matches('^(https?://[^ /?#]+|[{][{] *args[.])')",message="write the address of the API as a URL, such as \"https://api.datadoghq.eu\""
	Address string `json:"address,omitempty"`

	// APIKey is the key of the organisation.
	// +required
	APIKey SecretKeyReference `json:"apiKey"`

	// ApplicationKey is the key of whoever asks, with the permission timeseries_query.
	// +required
	ApplicationKey SecretKeyReference `json:"applicationKey"`

	// Query of one metric: "sum:requests.errors{service:web}.as_rate()".
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=4096
	Query string `json:"query,omitempty"`

	// Queries of several metrics, for a formula.
	// +optional
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	// +listType=map
	// +listMapKey=name
	Queries []DatadogQuery `json:"queries,omitempty"`

	// Formula over the names of the queries: "errors / requests".
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Formula string `json:"formula,omitempty"`

	// Aggregator makes one number of the points within the window.
	// +optional
	// +kubebuilder:default=avg
	// +kubebuilder:validation:Enum=avg;last;max;min;sum
	Aggregator string `json:"aggregator,omitempty"`

	// Window is the time before the measurement that is asked for.
	// +optional
	// +kubebuilder:default="5m"
	// +sluice:validation:Duration:min="1m",max="24h",example="5m"
	Window *metav1.Duration `json:"window,omitempty"`

	// Timeout of one query.
	// +optional
	// +kubebuilder:default="10s"
	// +sluice:validation:Duration:min="1s",max="60s",example="10s"
	Timeout *metav1.Duration `json:"timeout,omitempty"`
}

// DatadogQuery is one of several queries.
type DatadogQuery struct {
	// Name in the formula.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z][a-z0-9_]*$')",message="write a name of lower case letters, digits and _, such as errors"
	Name string `json:"name"`

	// Query of one metric.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=4096
	Query string `json:"query"`
}

// NewRelicMetric is an NRQL query that gives one number.
type NewRelicMetric struct {
	// Address of NerdGraph's host. It is another one for accounts in the EU: "https://api.eu.newrelic.com".
	// +optional
	// +kubebuilder:default="https://api.newrelic.com"
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="self.matches('^(https?://[^ /?#]+|[{][{] *args[.])')",message="write the address of the API as a URL, such as \"https://api.eu.newrelic.com\""
	Address string `json:"address,omitempty"`

	// Account is the number of the account whose data is asked for.
	// +required
	// +kubebuilder:validation:Minimum=1
	Account int64 `json:"account"`

	// APIKey is a user key.
	// +required
	APIKey SecretKeyReference `json:"apiKey"`

	// Query in NRQL, with one number as its result.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=4096
	Query string `json:"query"`

	// Timeout of one query.
	// +optional
	// +kubebuilder:default="10s"
	// +sluice:validation:Duration:min="1s",max="60s",example="10s"
	Timeout *metav1.Duration `json:"timeout,omitempty"`
}

// GraphiteMetric is a target of Graphite's render API, of which the newest point counts.
type GraphiteMetric struct {
	// Address of the server, "http://graphite.monitoring".
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="self.matches('^(https?://[^ /?#]+|[{][{] *args[.])')",message="write the address of the server as a URL, such as \"http://graphite.monitoring\""
	Address string `json:"address"`

	// Headers of the request, such as for its credentials.
	// +optional
	// +kubebuilder:validation:MaxItems=16
	// +listType=map
	// +listMapKey=name
	Headers []MetricHeader `json:"headers,omitempty"`

	// Target that gives one series: "divideSeries(sum(web.*.errors), sum(web.*.requests))".
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=4096
	Target string `json:"target"`

	// Window is how old the newest point may be.
	// +optional
	// +kubebuilder:default="5m"
	// +sluice:validation:Duration:min="10s",max="24h",example="5m"
	Window *metav1.Duration `json:"window,omitempty"`

	// Timeout of one query.
	// +optional
	// +kubebuilder:default="10s"
	// +sluice:validation:Duration:min="1s",max="60s",example="10s"
	Timeout *metav1.Duration `json:"timeout,omitempty"`
}

// InfluxDBMetric is a query in Flux or InfluxQL that gives one number.
//
// +kubebuilder:validation:XValidation:rule="has(self.flux) != has(self.influxQL)",message="write flux for InfluxDB 2, or influxQL for InfluxDB 1: one of them"
// +kubebuilder:validation:XValidation:rule="!has(self.flux) || has(self.organization)",message="flux needs organization: write its name",fieldPath=".organization"
// +kubebuilder:validation:XValidation:rule="!has(self.influxQL) || has(self.database)",message="influxQL needs database: write its name",fieldPath=".database"
type InfluxDBMetric struct {
	// Address of the server, "http://influxdb.monitoring:8086".
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="self.matches('^(https?://[^ /?#]+|[{][{] *args[.])')",message="write the address of the server as a URL, such as \"http://influxdb.monitoring:8086\""
	Address string `json:"address"`

	// Token that permits to read; with InfluxDB 1.8 it is "user:password".
	// +optional
	Token *SecretKeyReference `json:"token,omitempty"`

	// Organization whose data Flux reads.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Organization string `json:"organization,omitempty"`

	// Flux is a query of InfluxDB 2 whose result has one row with a _value.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=8192
	Flux string `json:"flux,omitempty"`

	// Database that InfluxQL reads.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Database string `json:"database,omitempty"`

	// InfluxQL is a query whose result has one row with one field.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=8192
	InfluxQL string `json:"influxQL,omitempty"`

	// Timeout of one query.
	// +optional
	// +kubebuilder:default="10s"
	// +sluice:validation:Duration:min="1s",max="60s",example="10s"
	Timeout *metav1.Duration `json:"timeout,omitempty"`
}

// CloudWatchMetric is a statistic of CloudWatch, or an expression over several, of which the newest period counts.
//
// +kubebuilder:validation:XValidation:rule="size(self.statistics) == 1 || has(self.expression)",message="several statistics need an expression over their ids: write expression, such as \"100 * errors / requests\"",fieldPath=".expression"
type CloudWatchMetric struct {
	// Region whose figures are asked for, "eu-central-1".
	// +required
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z]{2}(-[a-z]+)+-[0-9]+$')",message="write the name of a region, such as eu-central-1"
	Region string `json:"region"`

	// Address of the service; that of the region when absent.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="self.matches('^(https?://[^ /?#]+|[{][{] *args[.])')",message="write the address of the service as a URL, such as \"https://monitoring.eu-central-1.amazonaws.com\""
	Address string `json:"address,omitempty"`

	// AccessKeyID of a user or role with the permission cloudwatch:GetMetricData.
	// +required
	AccessKeyID SecretKeyReference `json:"accessKeyID"`

	// SecretAccessKey that belongs to it.
	// +required
	SecretAccessKey SecretKeyReference `json:"secretAccessKey"`

	// SessionToken of credentials that end.
	// +optional
	SessionToken *SecretKeyReference `json:"sessionToken,omitempty"`

	// Statistics to ask for.
	// +required
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	// +listType=map
	// +listMapKey=id
	Statistics []CloudWatchStatistic `json:"statistics"`

	// Expression over the ids of the statistics: "100 * errors / requests".
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Expression string `json:"expression,omitempty"`

	// Period over which each statistic is taken: whole minutes.
	// +optional
	// +kubebuilder:default="1m"
	// +sluice:validation:Duration:min="1m",max="24h",example="1m"
	Period *metav1.Duration `json:"period,omitempty"`

	// Timeout of one query.
	// +optional
	// +kubebuilder:default="10s"
	// +sluice:validation:Duration:min="1s",max="60s",example="10s"
	Timeout *metav1.Duration `json:"timeout,omitempty"`
}

// CloudWatchStatistic is one statistic of one metric.
type CloudWatchStatistic struct {
	// ID in the expression.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z][a-zA-Z0-9_]*$')",message="write an id that begins with a lower case letter, such as errors"
	ID string `json:"id"`

	// Namespace of the metric, "AWS/ApplicationELB".
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=255
	Namespace string `json:"namespace"`

	// Metric is its name, "HTTPCode_Target_5XX_Count".
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=255
	Metric string `json:"metric"`

	// Dimensions pick one metric of those of that name.
	// +optional
	// +kubebuilder:validation:MaxItems=30
	// +listType=map
	// +listMapKey=name
	Dimensions []NamedValue `json:"dimensions,omitempty"`

	// Statistic, such as Sum, Average, Maximum or p99.
	// +required
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z]+[A-Za-z0-9.:%()]*$')",message="write a statistic of CloudWatch, such as Sum, Average or p99"
	Statistic string `json:"statistic"`
}

// NamedValue is a value with a name.
type NamedValue struct {
	// Name of the value.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=255
	Name string `json:"name"`

	// Value itself.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Value string `json:"value"`
}

// ExternalMetric asks a service that speaks Sluice's own contract for providers; docs/providers.md describes it.
type ExternalMetric struct {
	// URL that is asked by POST, "http://figures.monitoring/measure".
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule="self.matches('^(https?://[^ /?#]+|[{][{] *args[.])')",message="write a URL, such as \"http://figures.monitoring/measure\""
	URL string `json:"url"`

	// Headers of the request, such as for its credentials.
	// +optional
	// +kubebuilder:validation:MaxItems=16
	// +listType=map
	// +listMapKey=name
	Headers []MetricHeader `json:"headers,omitempty"`

	// Parameters say what is asked for; what they mean is the service's to say.
	// +optional
	// +kubebuilder:validation:MaxItems=32
	// +listType=map
	// +listMapKey=name
	Parameters []NamedValue `json:"parameters,omitempty"`

	// Timeout of one question.
	// +optional
	// +kubebuilder:default="10s"
	// +sluice:validation:Duration:min="1s",max="60s",example="10s"
	Timeout *metav1.Duration `json:"timeout,omitempty"`
}
