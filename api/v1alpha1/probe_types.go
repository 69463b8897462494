package v1alpha1

import (
	"math"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	// DefaultProbeRequests is how many requests a probe sends at the least where the spec does not say.
	DefaultProbeRequests = 200
	// MinProbeRequests is the least that a spec can say: fewer tell next to nothing.
	MinProbeRequests = 20
	// MaxProbeRequests is the most: a probe must not become load.
	MaxProbeRequests = 2000
)

// TrafficProbe sends requests through the gateways and compares the share that the candidate answers with the weight.
type TrafficProbe struct {
	// RevisionHeader is the header by which an answer tells the revision: its value has the pod-template-hash of the pod, alone or
	// between dashes. The name of the pod, which every container has as its host name, does.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z0-9_-]+$')",message="this is not the name of a header: write letters, digits and dashes, such as X-Pod"
	RevisionHeader string `json:"revisionHeader"`

	// Host is the name that requests ask for. Defaults to the first host name of the route, with "sluice-probe" in the place of a
	// star, or else to that of the listener.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="size(self) == 0 || self.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')",message="write the name of a host without scheme, port and path, such as web.example.com"
	Host string `json:"host,omitempty"`

	// Path of the requests, with a query if there is to be one. Defaults to the path of the first shared rule that asks for
	// nothing else.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:XValidation:rule="size(self) == 0 || self.matches('^/[!-~]*$')",message="a path begins with a slash and has no spaces: write /cart"
	Path string `json:"path,omitempty"`

	// Headers of the requests. They are for the rule of the route to match, and no place for secrets.
	// +optional
	// +kubebuilder:validation:MaxItems=16
	// +listType=map
	// +listMapKey=name
	Headers []ProbeHeader `json:"headers,omitempty"`

	// Requests is how many are sent, 20 to 2000. Defaults to 200, or as many more as it takes to tell the weight from none
	// and from that of the step before.
	// +optional
	// +kubebuilder:validation:Minimum=20
	// +kubebuilder:validation:Maximum=2000
	Requests int32 `json:"requests,omitempty"`

	// Timeout is how long one request may take.
	// +optional
	// +kubebuilder:default="2s"
	// +sluice:validation:Duration:min="100ms",max="10s",example="2s"
	Timeout *metav1.Duration `json:"timeout,omitempty"`

	// InsecureSkipVerify takes any certificate of a listener that speaks HTTPS, such as one of an authority that the controller does
	// not know.
	// +optional
	InsecureSkipVerify bool `json:"insecureSkipVerify,omitempty"`
}

// ProbeHeader is a header of a request.
type ProbeHeader struct {
	// Name of the header.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z0-9_-]+$') && !(self.lowerAscii() in ['host', 'connection', 'content-length', 'transfer-encoding', 'upgrade'])",message="write the name of a header that a request may have beside its host, such as X-Probe; the host is in host"
	Name string `json:"name"`

	// Value of the header.
	// +required
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:XValidation:rule="self.matches('^[ -~]*$')",message="write the value of a header on one line, in ASCII"
	Value string `json:"value"`
}

const (
	// probeOdds is how seldom a probe whose number of requests is not given takes its weight for none of the traffic, or for all.
	probeOdds = 0.0005
	// probeDeviations are the standard deviations of a normal distribution beyond which probeOdds lie on one side.
	probeDeviations = 3.29
)

// RequestsFor is how many requests a probe of a weight sends, after another one, both in tenths of a percent: what the spec says, or
// DefaultProbeRequests, or more, up to MaxProbeRequests, where so few could not tell the weight from the one before, by which a
// gateway still serves that has not heard. To tell it from none or all takes the n for which (1-w)^n is less than the odds; to
// tell it from another takes as many as put the deviations of both shares, √(w(1-w)/n), side by side between them.
func (p *TrafficProbe) RequestsFor(before, weight int32) int32 {
	if p.Requests > 0 {
		return p.Requests
	}
	least := 0.0
	if smaller := float64(min(weight, MaxWeight-weight)) / float64(MaxWeight); smaller > 0 {
		least = math.Floor(math.Log(probeOdds)/math.Log1p(-smaller)) + 1
	}
	if before > 0 && before < MaxWeight && before != weight {
		from, to := float64(before)/float64(MaxWeight), float64(weight)/float64(MaxWeight)
		apart := probeDeviations * (math.Sqrt(from*(1-from)) + math.Sqrt(to*(1-to))) / (to - from)
		least = max(least, math.Ceil(apart*apart))
	}
	return int32(min(max(least, DefaultProbeRequests), MaxProbeRequests))
}
