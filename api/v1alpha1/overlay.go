package v1alpha1

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
)

// Overlay is what a step lays over the weight: requests that go to the candidate by what is in them, and copies of
// requests. The zero Overlay is none.
//
// +kubebuilder:object:generate=false
type Overlay struct {
	// Match has the requests that all go to the candidate, those of any entry; the weight shares the rest.
	Match []RequestMatch
	// Mirror is the percentage of requests, 0 to 100, that the candidate gets a copy of.
	Mirror int32
	// Cohorts are the clients that stay with the version that they were given to; nil where requests are shared one by one.
	Cohorts *Cohorts
	// Field is the path in the spec of the first step that has it, "spec.strategy.canary.steps[1]".
	Field string
}

// Cohorts are clients that keep a cookie which says to which version they were given.
//
// +kubebuilder:object:generate=false
type Cohorts struct {
	// Cookie is its name, and MaxAge how long a client keeps it.
	Cookie string
	MaxAge time.Duration
	// Release names the release. Cookies of another one count for nothing.
	Release string
	// Weight is the share of the clients that are given to the candidate, in tenths of a percent, more than 0 and less than all,
	// and Earlier are those of the steps before, each once.
	Weight  int32
	Earlier []int32
}

// Of is the overlay for a release: a revision and its attempt.
func (o Overlay) Of(release string) Overlay {
	if o.Cohorts != nil {
		cohorts := *o.Cohorts
		cohorts.Release = release
		o.Cohorts = &cohorts
	}
	return o
}

// NoOverlay is the index, among the Overlays of a spec, of none.
const NoOverlay int32 = 0

// Overlays are the different overlays of a spec, none of all as the first, and the index of each step among them. What a
// step leaves out stays as it was in the step before; an empty match, and a mirror of 0 percent, take it off.
func (s *RolloutSpec) Overlays() (all []Overlay, ofStep []int32) {
	all = []Overlay{{}}
	if s.Strategy.Canary == nil {
		return all, nil
	}
	var current Overlay
	drawn := draws{sticky: s.Strategy.Canary.Sticky}
	for i, step := range s.Strategy.Canary.Steps {
		if step.Match != nil {
			current.Match = withTypes(step.Match)
		}
		if step.Mirror != nil {
			current.Mirror = ptr.Deref(step.Mirror.Percent, everyRequest)
		}
		current.Cohorts = drawn.at(step.Weight)
		index := slices.IndexFunc(all, current.same)
		if index < 0 {
			index = len(all)
			current.Field = fmt.Sprintf("spec.strategy.canary.steps[%d]", i)
			all = append(all, current)
		}
		ofStep = append(ofStep, int32(index))
	}
	return all, ofStep
}

// draws follow the weights at which clients are given to a version.
type draws struct {
	sticky  *Sticky
	weight  int32
	earlier []int32
}

// at are the cohorts of a step that sets a weight, or leaves it as it was. There are none without a share to be drawn for, nor of
// a weight that cannot be read, of which others tell.
func (d *draws) at(weight *intstr.IntOrString) *Cohorts {
	if d.sticky == nil {
		return nil
	}
	if weight != nil {
		next, err := ParseWeight(*weight)
		if err != nil {
			return nil
		}
		if d.weight > 0 && d.weight < next {
			d.earlier = append(slices.Clip(d.earlier), d.weight)
		}
		d.weight = next
	}
	if d.weight <= 0 || d.weight >= MaxWeight {
		return nil
	}
	return &Cohorts{Cookie: d.sticky.Cookie, MaxAge: d.sticky.MaxAgeOrDefault(), Weight: d.weight, Earlier: d.earlier}
}

// everyRequest is the percentage of a mirror that names none.
const everyRequest int32 = 100

// None says whether there is nothing to lay over the weight.
func (o Overlay) None() bool { return len(o.Match) == 0 && o.Mirror == 0 && o.Cohorts == nil }

func (o Overlay) same(other Overlay) bool {
	return o.Mirror == other.Mirror && reflect.DeepEqual(o.Match, other.Match) && reflect.DeepEqual(o.Cohorts, other.Cohorts)
}

// withTypes fills in the types that were left out, as the schema does; nil for no entry.
func withTypes(in []RequestMatch) []RequestMatch {
	var out []RequestMatch
	for _, m := range in {
		m = *m.DeepCopy()
		if m.Path != nil && m.Path.Type == "" {
			m.Path.Type = MatchPathPrefix
		}
		for _, values := range [][]ValueMatch{m.Headers, m.QueryParams} {
			for i := range values {
				if values[i].Type == "" {
					values[i].Type = MatchExact
				}
			}
		}
		out = append(out, m)
	}
	return out
}

// MatchWords say for people which requests go to the candidate: "header x-canary=yes, or cookie beta=1 and path /cart".
// It is empty when none do.
func (o Overlay) MatchWords() string {
	entries := make([]string, 0, len(o.Match))
	for _, m := range o.Match {
		entries = append(entries, m.words())
	}
	return strings.Join(entries, ", or ")
}

// String says all of it for people: "requests with header x-canary=yes, and copies of 10%"; empty for none.
func (o Overlay) String() string {
	var parts []string
	if len(o.Match) > 0 {
		parts = append(parts, "requests with "+o.MatchWords())
	}
	if o.Mirror > 0 {
		parts = append(parts, fmt.Sprintf("copies of %d%% of the requests", o.Mirror))
	}
	if o.Cohorts != nil {
		parts = append(parts, "clients kept by the cookie "+o.Cohorts.Cookie)
	}
	return strings.Join(parts, ", and ")
}

func (m RequestMatch) words() string {
	var out []string
	if m.Path != nil {
		word := "path "
		if m.Path.Type == MatchExact {
			word = "exact path "
		}
		out = append(out, word+m.Path.Value)
	}
	for _, h := range m.Headers {
		out = append(out, "header "+h.words())
	}
	if m.Cookie != nil {
		out = append(out, "cookie "+m.Cookie.Name+"="+m.Cookie.Value)
	}
	for _, q := range m.QueryParams {
		out = append(out, "query "+q.words())
	}
	return strings.Join(out, " and ")
}

func (v ValueMatch) words() string {
	if v.Type == MatchRegularExpression {
		return v.Name + "~" + v.Value
	}
	return v.Name + "=" + v.Value
}
