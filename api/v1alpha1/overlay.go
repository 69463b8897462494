package v1alpha1

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

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
	// Field is the path in the spec of the first step that has it, "spec.strategy.canary.steps[1]".
	Field string
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
	for i, step := range s.Strategy.Canary.Steps {
		if step.Match != nil {
			current.Match = withTypes(step.Match)
		}
		if step.Mirror != nil {
			current.Mirror = ptr.Deref(step.Mirror.Percent, everyRequest)
		}
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

// everyRequest is the percentage of a mirror that names none.
const everyRequest int32 = 100

// None says whether there is nothing to lay over the weight.
func (o Overlay) None() bool { return len(o.Match) == 0 && o.Mirror == 0 }

func (o Overlay) same(other Overlay) bool {
	return o.Mirror == other.Mirror && reflect.DeepEqual(o.Match, other.Match)
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
