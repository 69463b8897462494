package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// PrometheusMetric is an instant query that gives one number.
type PrometheusMetric struct {
	// Address of the server, "http://prometheus.monitoring:9090". Defaults to the controller's --prometheus-address.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="size(self) == 0 || self.matches('^(https?://[^ /?#]+|[{][{] *args[.])')",message="write the address of the server as a URL, such as \"http://prometheus.monitoring:9090\""
	Address string `json:"address,omitempty"`

	// Query in PromQL, with one number as its result: a scalar, or a vector with one element. Metrics with a ratio have none.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=8192
	Query string `json:"query,omitempty"`

	// Reduce makes one number of several series. Absent: a query that gives several is an error.
	// +optional
	Reduce Reduction `json:"reduce,omitempty"`

	PrometheusAccess `json:",inline"`

	// Timeout of one query.
	// +optional
	// +kubebuilder:default="10s"
	// +sluice:validation:Duration:min="1s",max="60s",example="10s"
	Timeout *metav1.Duration `json:"timeout,omitempty"`
}

// Reduction makes one number of several series.
//
// +kubebuilder:validation:Enum=sum;max;min;avg;any;all
type Reduction string

const (
	// ReduceSum adds the values up.
	ReduceSum Reduction = "sum"
	// ReduceMax takes the largest.
	ReduceMax Reduction = "max"
	// ReduceMin takes the smallest.
	ReduceMin Reduction = "min"
	// ReduceAvg takes their mean.
	ReduceAvg Reduction = "avg"
	// ReduceAny gives 1 when one of them is not 0, else 0.
	ReduceAny Reduction = "any"
	// ReduceAll gives 1 when none of them is 0, else 0.
	ReduceAll Reduction = "all"
)

// PrometheusAccess is how a server is asked that does not answer everybody.
//
// +kubebuilder:validation:XValidation:rule="!has(self.authentication) || !has(self.headers) || !self.headers.exists(h, h.name.lowerAscii() == 'authorization')",message="authentication sets the header Authorization: remove it from headers, or remove authentication",fieldPath=".headers"
type PrometheusAccess struct {
	// Headers of every request, such as X-Scope-OrgID, which names a tenant of Mimir, Cortex or Loki.
	// +optional
	// +kubebuilder:validation:MaxItems=16
	// +listType=map
	// +listMapKey=name
	Headers []MetricHeader `json:"headers,omitempty"`

	// Authentication says who asks.
	// +optional
	Authentication *MetricAuthentication `json:"authentication,omitempty"`

	// TLS says which certificates are trusted, and which is shown. Without it: those that the controller's image trusts.
	// +optional
	TLS *MetricTLS `json:"tls,omitempty"`
}

// MetricAuthentication says who asks, in exactly one way.
//
// +kubebuilder:validation:XValidation:rule="(has(self.basic) ? 1 : 0) + (has(self.bearer) ? 1 : 0) + (has(self.oauth2) ? 1 : 0) == 1",message="write exactly one of basic, bearer and oauth2"
type MetricAuthentication struct {
	// Basic sends a user name and a password.
	// +optional
	Basic *BasicCredentials `json:"basic,omitempty"`

	// Bearer sends a token.
	// +optional
	Bearer *SecretKeyReference `json:"bearer,omitempty"`

	// OAuth2 gets a token for client credentials, and sends that until it ends.
	// +optional
	OAuth2 *OAuth2Credentials `json:"oauth2,omitempty"`
}

// BasicCredentials are a user name and a password.
type BasicCredentials struct {
	// Username names the Secret that has the user name.
	// +required
	Username SecretKeyReference `json:"username"`

	// Password names the Secret that has the password.
	// +required
	Password SecretKeyReference `json:"password"`
}

// OAuth2Credentials are those of a client (RFC 6749, 4.4).
type OAuth2Credentials struct {
	// TokenURL is where tokens are given out, "https://login.example.com/oauth2/token". It is asked with the tls of the metric.
	// +required
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="self.matches('^https?://[^ /?#]+')",message="write the URL that gives tokens out, such as \"https://login.example.com/oauth2/token\""
	TokenURL string `json:"tokenURL"`

	// ClientID is the name of the client.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	ClientID string `json:"clientID"`

	// ClientSecret names the Secret that has the client's secret.
	// +required
	ClientSecret SecretKeyReference `json:"clientSecret"`

	// Scopes to ask for.
	// +optional
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=253
	// +listType=set
	Scopes []string `json:"scopes,omitempty"`

	// Audience that the token is for, where the server wants to know.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	Audience string `json:"audience,omitempty"`
}

// MetricTLS says which certificates are trusted, and which is shown.
//
// +kubebuilder:validation:XValidation:rule="has(self.certificate) == has(self.key)",message="a certificate is shown with its key: write both certificate and key, or neither"
// +kubebuilder:validation:XValidation:rule="!has(self.insecureSkipVerify) || !self.insecureSkipVerify || !has(self.ca)",message="insecureSkipVerify trusts everybody: remove it, or remove ca"
type MetricTLS struct {
	// CA names the Secret with the certificates, in PEM, of the authorities that are trusted, and no others.
	// +optional
	CA *SecretKeyReference `json:"ca,omitempty"`

	// Certificate names the Secret with the certificate that is shown, in PEM.
	// +optional
	Certificate *SecretKeyReference `json:"certificate,omitempty"`

	// Key names the Secret with the private key of the certificate, in PEM.
	// +optional
	Key *SecretKeyReference `json:"key,omitempty"`

	// ServerName that the server's certificate has to name, where that is not the host of the address.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	ServerName string `json:"serverName,omitempty"`

	// InsecureSkipVerify trusts any certificate, and so anybody on the way to the server.
	// +optional
	InsecureSkipVerify bool `json:"insecureSkipVerify,omitempty"`
}
