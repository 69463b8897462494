package gatewayapi

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// FuzzOverlay lays random overlays over random routes, one after the other. Whatever they are, Render either says why a route
// cannot have one, or
//
//   - the route reads back as having exactly that one, at the weight, and is not written again;
//   - rules that are not managed, and everything of the managed ones but weights and a mirror, are as they were;
//   - no limit of the API is exceeded, and no two rules have one name;
//
// and without an overlay and a weight the route is always what it was, to the last byte.
func FuzzOverlay(f *testing.F) {
	for seed := range uint64(60) {
		f.Add(seed, int32(seed*17%1001))
	}
	f.Add(uint64(50), int32(442)) // a rule of the user's has the name of one of ours
	f.Fuzz(func(t *testing.T, seed uint64, weight int32) {
		if weight < 0 || weight > v1alpha1.MaxWeight {
			return
		}
		random := rand.New(rand.NewPCG(seed, 2))
		home, split, ok := randomHome(random)
		if !ok {
			return
		}
		route := home
		for range 4 {
			split.Weight, split.Overlay = weight, randomOverlay(random)
			route = layRandom(t, home, route, split)
		}
		split.Weight, split.Overlay = 0, v1alpha1.Overlay{}
		back, _, err := Render(route, split)
		if diff := cmp.Diff(home, back); err != nil || diff != "" {
			t.Errorf("the route is not what it was, error %v:\n%s", err, diff)
		}
	})
}

// randomHome is a route at rest, and what is remembered of it; false for one that a person has to mend first.
func randomHome(random *rand.Rand) (*unstructured.Unstructured, Split, bool) {
	original := randomRequests(random, randomRoute(random))
	split := Split{Active: "web", Standby: "web-standby"}
	split.Before = Before(original, split)
	home, _, err := Render(original, split)
	if err == nil {
		_, err = Weight(home, split)
	}
	return home, split, err == nil
}

// layRandom lays an overlay over a route; one that cannot have it stays as it is.
func layRandom(t *testing.T, home, route *unstructured.Unstructured, split Split) *unstructured.Unstructured {
	t.Helper()
	desired, _, err := Render(route, split)
	if mend := (*RouteError)(nil); errors.As(err, &mend) {
		return route
	}
	if err != nil {
		t.Fatal(err)
	}
	holdRead(t, desired, split)
	holdLimits(t, desired)
	holdLaid(t, home, desired, split)
	return desired
}

// holdLimits holds a route beside the limits of the API.
func holdLimits(t *testing.T, route *unstructured.Unstructured) {
	t.Helper()
	matches := 0
	for _, item := range ruleItems(route) {
		list, _ := item.(map[string]any)["matches"].([]any)
		matches += max(1, len(list))
	}
	if len(ruleItems(route)) > maxRules || matches > maxMatchesOfAll {
		t.Fatalf("%d rules with %d matches", len(ruleItems(route)), matches)
	}
}

// holdLaid holds a route beside what it was without an overlay.
func holdLaid(t *testing.T, home, desired *unstructured.Unstructured, split Split) {
	t.Helper()
	names, kept := map[string]bool{}, []any{}
	for _, item := range ruleItems(desired) {
		rule := item.(map[string]any)
		if split.services(desired).generated(rule) {
			name, _ := rule["name"].(string)
			if list, _ := rule["matches"].([]any); names[name] || len(list) == 0 || len(list) > maxMatches {
				t.Fatalf("rule %s has %d matches, or is there twice", name, len(list))
			}
			names[name] = true
			continue
		}
		kept = append(kept, item)
	}
	plain := desired.DeepCopy()
	setRules(plain, kept)
	bare := split
	bare.Overlay = v1alpha1.Overlay{}
	want, _, err := Render(home, bare)
	if err != nil {
		t.Fatal(err)
	}
	got, _, err := Render(plain, bare) // takes the mirror off
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Fatalf("something else than what was laid has changed, error %v:\n%s", err, diff)
	}
}

// randomRequests gives rules of a route matches and filters.
func randomRequests(random *rand.Rand, route *unstructured.Unstructured) *unstructured.Unstructured {
	for i, item := range ruleItems(route) {
		rule := item.(map[string]any)
		delete(rule, "name")
		if random.IntN(3) == 0 {
			rule["name"] = []string{"any", "sluice-web-standby-0", "sluice-web-standby-x", "other"}[random.IntN(4)]
		}
		var matches []any
		for n := range random.IntN(4) {
			match := map[string]any{"path": map[string]any{
				"type": []string{"PathPrefix", "Exact", "RegularExpression"}[min(2, random.IntN(9)/4)], "value": []string{"/", "/cart", "/cart/1"}[random.IntN(3)],
			}}
			if random.IntN(2) == 0 {
				match["headers"] = []any{map[string]any{"name": []string{"X-Canary", "Cookie", "x-any"}[random.IntN(3)], "value": "yes"}}
			}
			if random.IntN(3) == 0 {
				match["method"] = "GET"
			}
			if n+i > 0 {
				matches = append(matches, match)
			}
		}
		if matches != nil {
			rule["matches"] = matches
		}
		addExtras(random, rule)
	}
	return route
}

// addExtras gives a rule what generated rules have to copy, or must not.
func addExtras(random *rand.Rand, rule map[string]any) {
	if random.IntN(3) == 0 {
		rule["filters"] = []any{map[string]any{"type": "RequestMirror", "requestMirror": map[string]any{
			"backendRef": map[string]any{"name": "shadow", "port": int64(80)},
		}}}
	}
	if random.IntN(4) == 0 {
		rule["timeouts"] = map[string]any{"request": "10s"}
	}
}

func randomCohorts(random *rand.Rand) *v1alpha1.Cohorts {
	out := &v1alpha1.Cohorts{
		Cookie: []string{"web-cohort", "other"}[random.IntN(2)], MaxAge: time.Hour, Release: []string{"aaaa.1", "bbbb.2"}[random.IntN(2)],
		Weight: 1 + random.Int32N(v1alpha1.MaxWeight-1),
	}
	for range random.IntN(3) {
		earlier := 1 + random.Int32N(out.Weight)
		if earlier < out.Weight && !slices.Contains(out.Earlier, earlier) {
			out.Earlier = append(out.Earlier, earlier)
		}
	}
	return out
}

// randomOverlay is none as often as not much.
func randomOverlay(random *rand.Rand) v1alpha1.Overlay {
	out := v1alpha1.Overlay{Field: "spec.strategy.canary.steps[0]", Mirror: []int32{0, 0, 10, 100}[random.IntN(4)]}
	if random.IntN(3) == 0 {
		out.Cohorts = randomCohorts(random)
	}
	for range random.IntN(4) {
		var m v1alpha1.RequestMatch
		value := []string{"yes", "no", "1"}[random.IntN(3)]
		if random.IntN(2) == 0 {
			m.Headers = []v1alpha1.ValueMatch{{Type: v1alpha1.MatchExact, Name: []string{"x-canary", "x-tester"}[random.IntN(2)], Value: value}}
		}
		if random.IntN(4) == 0 {
			m.Cookie = &v1alpha1.CookieMatch{Name: "beta", Value: value}
		}
		if random.IntN(4) == 0 {
			m.QueryParams = []v1alpha1.ValueMatch{{Type: v1alpha1.MatchRegularExpression, Name: "preview", Value: value}}
		}
		if random.IntN(3) == 0 || m.Cookie == nil && len(m.Headers)+len(m.QueryParams) == 0 {
			m.Path = &v1alpha1.PathMatch{Type: v1alpha1.MatchPathPrefix, Value: []string{"/cart", "/cart/1", "/x"}[random.IntN(3)]}
		}
		out.Match = append(out.Match, m)
	}
	return out
}
