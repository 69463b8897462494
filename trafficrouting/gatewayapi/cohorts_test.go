package gatewayapi

import (
	"fmt"
	"math"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// visitor keeps a cookie, and asks a gateway that does what the API says.
type visitor struct {
	cookie string
	random *rand.Rand
}

// reading has the rules of a route as one would read them that does what the API says.
type reading []ruleRead

type ruleRead struct {
	refs []any
	// matches have their conditions on headers; a rule without matches has one without conditions.
	matches [][]headerCondition
}

type headerCondition struct {
	name  string
	value *regexp.Regexp
}

func readersOf(route *unstructured.Unstructured) reading {
	var out reading
	for _, item := range ruleItems(route) {
		rule := item.(map[string]any)
		read := ruleRead{refs: rule["backendRefs"].([]any)}
		matches, _ := rule["matches"].([]any)
		if len(matches) == 0 {
			matches = []any{map[string]any{}}
		}
		for _, item := range matches {
			var conditions []headerCondition
			headers, _ := item.(map[string]any)["headers"].([]any)
			for _, item := range headers {
				c := item.(map[string]any)
				pattern := c["value"].(string)
				if c["type"] != "RegularExpression" {
					pattern = "^" + regexp.QuoteMeta(pattern) + "$"
				}
				conditions = append(conditions, headerCondition{c["name"].(string), regexp.MustCompile(pattern)})
			}
			read.matches = append(read.matches, conditions)
		}
		out = append(out, read)
	}
	return out
}

// picks is the rule for a request: the one with the most conditions on headers that hold, and of several the first.
func (g reading) picks(headers map[string]string) ruleRead {
	rule, most := ruleRead{}, -1
	for _, r := range g {
		for _, conditions := range r.matches {
			if len(conditions) > most && !slices.ContainsFunc(conditions, func(c headerCondition) bool {
				return !c.value.MatchString(headers[c.name])
			}) {
				rule, most = r, len(conditions)
			}
		}
	}
	return rule
}

// asks sends a request, and says which Service has answered it.
func (v *visitor) asks(t *testing.T, g reading, headers map[string]string) string {
	t.Helper()
	if v.cookie != "" {
		headers["Cookie"] = "theme=dark; " + v.cookie + "; last=1"
	}
	refs, sum := g.picks(headers).refs, int64(0)
	for _, ref := range refs {
		sum += weightOf(t, ref.(map[string]any))
	}
	for at := v.random.Int64N(sum); ; refs = refs[1:] {
		ref := refs[0].(map[string]any)
		if at -= weightOf(t, ref); at < 0 {
			v.keeps(ref)
			return ref["name"].(string)
		}
	}
}

// keeps takes the cookie of an answer.
func (v *visitor) keeps(ref map[string]any) {
	filters, _ := ref["filters"].([]any)
	for _, f := range filters {
		if setsCookie(f) {
			add := f.(map[string]any)["responseHeaderModifier"].(map[string]any)["add"].([]any)
			v.cookie, _, _ = strings.Cut(add[0].(map[string]any)["value"].(string), ";")
		}
	}
}

// renderCohorts gives a route the last weight of a release, with cohorts.
func renderCohorts(t *testing.T, route *unstructured.Unstructured, cohorts v1alpha1.Cohorts, match ...v1alpha1.RequestMatch) *unstructured.Unstructured {
	t.Helper()
	cohorts.Cookie, cohorts.MaxAge = "web-cohort", time.Hour
	split := Split{Active: "web", Standby: "web-standby", Weight: cohorts.Weight, Overlay: v1alpha1.Overlay{
		Match: match, Field: "spec.strategy.canary.steps[0]", Cohorts: &cohorts,
	}}
	desired, changed, err := Render(route, split)
	if err != nil || !changed {
		t.Fatalf("changed %v, error %v", changed, err)
	}
	holdRead(t, desired, split)
	return desired
}

// holdNear holds that so many of n are within four standard deviations of a share, in tenths of a percent, and the tenth that
// chances are rounded by.
func holdNear(t *testing.T, what string, got, n int, share int32) {
	t.Helper()
	p, f := float64(share)/1000, float64(got)/float64(n)
	if slack := 4*math.Sqrt(p*(1-p)/float64(n)) + 0.003; math.Abs(f-p) > slack {
		t.Errorf("%s: %d of %d, %.4f, want %.4f within %.4f", what, got, n, f, p, slack)
	}
}

// TestCohortsGrow holds that a client who was given to the candidate stays there at every greater weight, that those of stable
// are drawn again no more than the weight has grown, whichever steps they were away for, and that cookies of another release
// count for nothing.
func TestCohortsGrow(t *testing.T) {
	for name, rule := range map[string]any{
		"alone":                  anyRule(web(1)),
		"beside another backend": anyRule(web(9), other("search", 1)),
	} {
		t.Run(name, func(t *testing.T) {
			original := routeOf(rule)
			everybody := make([]*visitor, 4000)
			for i := range everybody {
				everybody[i] = &visitor{random: rand.New(rand.NewPCG(7, uint64(i)))}
			}
			for _, release := range []string{"aaaa.1", "aaaa.2", "bbbb.1"} {
				route, was := original, map[*visitor]bool{}
				weights := []int32{10, 100, 250, 500, 900}
				for i, weight := range weights {
					route = renderCohorts(t, route, v1alpha1.Cohorts{Release: release, Weight: weight, Earlier: weights[:i]})
					holdCohort(t, fmt.Sprintf("%s at %d", release, weight), route, everybody, was)
				}
				split := Split{Active: "web", Standby: "web-standby"}
				split.Before = Before(original, split)
				back, _, err := Render(route, split)
				if diff := cmp.Diff(original, back); err != nil || diff != "" {
					t.Fatalf("the route is not what it was, error %v:\n%s", err, diff)
				}
			}
		})
	}
}

// holdCohort lets most clients ask a few times. Those that were given to the candidate are added to the ones who were before.
func holdCohort(t *testing.T, what string, route *unstructured.Unstructured, everybody []*visitor, was map[*visitor]bool) {
	t.Helper()
	weight, err := Weight(route, Split{Active: "web", Standby: "web-standby"})
	if err != nil {
		t.Fatal(err)
	}
	there, on, g := 0, 0, readersOf(route)
	for _, v := range everybody {
		if v.random.IntN(3) == 0 {
			continue // is away
		}
		side := v.visits(t, g)
		if side == "" {
			continue
		}
		if was[v] && side != "web-standby" {
			t.Fatalf("%s: a client of the candidate is given to %s", what, side)
		}
		was[v] = was[v] || side == "web-standby"
		if there++; was[v] {
			on++
		}
	}
	holdNear(t, what, on, there, weight)
}

// visits asks three times, and says who has answered all of them, beside backends of others.
func (v *visitor) visits(t *testing.T, g reading) (side string) {
	t.Helper()
	for range 3 {
		now := v.asks(t, g, map[string]string{})
		if now == "search" {
			continue // nobody is kept away from it
		}
		if side != "" && now != side {
			t.Fatalf("a client is given from %s to %s", side, now)
		}
		side = now
	}
	return side
}

// A step's matches go before cookies, also those that are no conditions on headers.
func TestMatchesGoBeforeCohorts(t *testing.T) {
	for name, match := range map[string]v1alpha1.RequestMatch{
		"header": {Headers: []v1alpha1.ValueMatch{{Type: v1alpha1.MatchExact, Name: "x-canary", Value: "yes"}}},
		"query":  {QueryParams: []v1alpha1.ValueMatch{{Type: v1alpha1.MatchExact, Name: "canary", Value: "yes"}}}, // which holds here
	} {
		route := renderCohorts(t, routeOf(anyRule(web(1))), v1alpha1.Cohorts{Release: "aaaa.1", Weight: 100}, match)
		for _, cookie := range []string{"", "web-cohort=stable.100.aaaa.1", "web-cohort=candidate.aaaa.1", "web-cohort=stable.10.bbbb.1"} {
			v := &visitor{cookie: cookie, random: rand.New(rand.NewPCG(1, 1))}
			if got := v.asks(t, readersOf(route), map[string]string{"x-canary": "yes"}); got != "web-standby" {
				t.Errorf("%s, cookie %q: the request goes to %s", name, cookie, got)
			}
		}
	}
}
