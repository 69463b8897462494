package v1alpha1

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// RequestMatch picks requests: those for which everything holds that it names.
//
// +kubebuilder:validation:XValidation:rule="has(self.path) || has(self.cookie) || (has(self.headers) && size(self.headers) > 0) || (has(self.queryParams) && size(self.queryParams) > 0)",message="an entry without conditions would send every request to the candidate: write path, headers, cookie or queryParams, or remove it"
// +kubebuilder:validation:XValidation:rule="!has(self.cookie) || !has(self.headers) || self.headers.all(h, h.name.lowerAscii() != 'cookie')",message="cookie is a condition on the header Cookie, and a header can have one only: remove the one or the other",fieldPath=".headers"
type RequestMatch struct {
	// Path is where the path of a request must begin, or what it must be.
	// +optional
	Path *PathMatch `json:"path,omitempty"`

	// Headers that a request must have. Upper and lower case make no difference in a name.
	// +optional
	// +kubebuilder:validation:MaxItems=8
	// +listType=map
	// +listMapKey=name
	Headers []ValueMatch `json:"headers,omitempty"`

	// Cookie that a request must have. It becomes a regular expression on the header Cookie, which a gateway need not
	// support; one that says so refuses the route, and the release stops before traffic has moved.
	// +optional
	Cookie *CookieMatch `json:"cookie,omitempty"`

	// QueryParams that a request must have in its query.
	// +optional
	// +kubebuilder:validation:MaxItems=8
	// +listType=map
	// +listMapKey=name
	QueryParams []ValueMatch `json:"queryParams,omitempty"`
}

// MatchType says how a value is compared.
type MatchType string

const (
	// MatchExact compares whole values.
	MatchExact MatchType = "Exact"
	// MatchPathPrefix compares the beginning of a path, element by element: /cart fits /cart and /cart/1, not /cartoon.
	MatchPathPrefix MatchType = "PathPrefix"
	// MatchRegularExpression compares with a regular expression, in the syntax that the gateway has.
	MatchRegularExpression MatchType = "RegularExpression"
)

// PathMatch is a condition on the path of a request.
type PathMatch struct {
	// Type is PathPrefix or Exact.
	// +optional
	// +kubebuilder:default=PathPrefix
	// +kubebuilder:validation:Enum=Exact;PathPrefix
	Type MatchType `json:"type,omitempty"`

	// Value is a path, "/cart".
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:XValidation:rule="self.startsWith('/')",message="a path begins with a slash: write /cart"
	Value string `json:"value"`
}

// ValueMatch is a condition on a header or on a query parameter.
type ValueMatch struct {
	// Type is Exact or RegularExpression. A gateway need not support regular expressions.
	// +optional
	// +kubebuilder:default=Exact
	// +kubebuilder:validation:Enum=Exact;RegularExpression
	Type MatchType `json:"type,omitempty"`

	// Name of the header or of the query parameter.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9!#$%&'*+\-.^_\x60|~]+$`
	Name string `json:"name"`

	// Value to compare with.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Value string `json:"value"`
}

// CookieMatch is a condition on a cookie.
type CookieMatch struct {
	// Name of the cookie.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9!#$%&'*+\-.^_\x60|~]+$`
	Name string `json:"name"`

	// Value that the cookie must have, exactly.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:Pattern=`^[!#-+\--:<-\[\]-~]+$`
	Value string `json:"value"`
}

// Mirror sends copies of requests to the candidate. Their answers are thrown away.
type Mirror struct {
	// Percent of the requests, 0 to 100, that are copied; 0 ends it.
	// +optional
	// +kubebuilder:default=100
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	Percent *int32 `json:"percent,omitempty"`
}

// Sticky keeps clients with the version that they were given to.
type Sticky struct {
	// Cookie is the name of the cookie that says to which version of which release a client was given. No other cookie of the
	// application may have it.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9_-]+$`
	Cookie string `json:"cookie"`

	// MaxAge is how long a client keeps it. Defaults to 24h; write more when a release takes longer.
	// +optional
	// +sluice:validation:Duration:min="1m",max="8760h",example="24h"
	MaxAge *metav1.Duration `json:"maxAge,omitempty"`
}

// defaultMaxAge is how long a client keeps the cookie.
const defaultMaxAge = 24 * time.Hour

// MaxAgeOrDefault is how long a client keeps the cookie.
func (s *Sticky) MaxAgeOrDefault() time.Duration {
	if s.MaxAge == nil {
		return defaultMaxAge
	}
	return s.MaxAge.Duration
}
