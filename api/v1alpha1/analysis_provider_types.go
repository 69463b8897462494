package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

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
