package gatewayapi

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// unset is a backend without a weight.
func unset(ref map[string]any) map[string]any {
	delete(ref, "weight")
	return ref
}

// release takes a route through weights as a Rollout does, which looks at the route before each write, and ends with 0. It
// holds that what is remembered does not change on the way.
func release(t *testing.T, original *unstructured.Unstructured, split Split, weights ...int32) *unstructured.Unstructured {
	t.Helper()
	split.Before = Before(original, split)
	route := original
	for _, weight := range append(weights, 0) {
		var err error
		split.Weight = weight
		if route, _, err = Render(route, split); err != nil {
			t.Fatalf("weight %d: %v\n%s", weight, err, describe(route))
		}
		if got, err := Weight(route, split); got != weight || err != nil {
			t.Fatalf("weight %d reads back as %d, error %v\n%s", weight, got, err, describe(route))
		}
		if diff := cmp.Diff(split.Before, Before(route, split)); diff != "" {
			t.Fatalf("what is remembered changes at weight %d (-want +got):\n%s\n%s", weight, diff, describe(route))
		}
		if _, changed, err := Render(route, split); changed || err != nil {
			t.Fatalf("weight %d is written a second time, error %v\n%s", weight, err, describe(route))
		}
		wantBytes(t, strip(original), strip(route))
		if Names(route, split) != (weight > 0) {
			t.Fatalf("at weight %d it is said that something of ours is left: %v", weight, weight == 0)
		}
	}
	return route
}

// wantBytes holds that two routes are the same JSON.
func wantBytes(t *testing.T, want, got *unstructured.Unstructured) {
	t.Helper()
	before, err := json.Marshal(want.Object)
	if err != nil {
		t.Fatal(err)
	}
	after, err := json.Marshal(got.Object)
	if err != nil {
		t.Fatal(err)
	}
	if string(before) != string(after) {
		t.Fatalf("the route is not what it was:\n%s\n%s", before, after)
	}
}

func TestRoutesAreWhatTheyWere(t *testing.T) {
	for name, rules := range map[string][]any{
		"no weight":                     {anyRule(unset(web(1)))},
		"a weight":                      {anyRule(web(1))},
		"a large weight":                {anyRule(web(700))},
		"a standby without traffic":     {anyRule(web(100), standby(0))},
		"a standby before the active":   {anyRule(standby(0), unset(web(1)))},
		"others":                        {anyRule(web(90), unset(other("old", 1)), other("older", 9))},
		"several rules":                 {anyRule(unset(web(1))), anyRule(web(1)), anyRule(other("old", 1)), anyRule(web(3), other("old", 1))},
		"a rule that is turned off":     {anyRule(web(1)), anyRule(web(0))},
		"two ports":                     {anyRule(web(1), port(web(2), 8080))},
		"two ports and one standby":     {anyRule(web(1), port(web(2), 8080), port(standby(0), 8080))},
		"a standby of the first port":   {anyRule(web(1), port(web(2), 8080), standby(0))},
		"more standbys than actives":    {anyRule(standby(0), web(1), standby(0))},
		"a standby with another port":   {anyRule(port(standby(0), 9090), web(1))},
		"an active that has no traffic": {anyRule(web(0), port(web(2), 8080))},
	} {
		t.Run(name, func(t *testing.T) {
			original := routeOf(rules...)
			for _, weights := range [][]int32{{200}, {1, 500, 1000}, {1000}, {333}, {5, 0, 999}} {
				got := release(t, original, Split{Active: "web", Standby: "web-standby"}, weights...)
				wantBytes(t, original, got)
			}
		})
	}
}

// A standby that had traffic has none at rest: it is nothing but the candidate's address then.
func TestRouteThatGaveTheStandbyTraffic(t *testing.T) {
	got := release(t, routeOf(anyRule(web(80), standby(20), other("old", 7))), Split{Active: "web", Standby: "web-standby"}, 500)
	wantBytes(t, routeOf(anyRule(web(100), standby(0), other("old", 7))), got)
}

func TestEditsOfTheirOwnersAreWhatRoutesReturnTo(t *testing.T) {
	for name, tc := range map[string]struct{ edited, want []any }{
		"other weights without a standby": {
			edited: []any{anyRule(web(3), other("old", 1))}, want: []any{anyRule(web(3), other("old", 1))},
		},
		"a standby that is written down": {
			edited: []any{anyRule(web(100), standby(0), other("old", 100))},
			want:   []any{anyRule(web(100), standby(0), other("old", 100))},
		},
		"another weight of another backend": {
			edited: []any{anyRule(web(80), standby(20), other("old", 50))}, want: []any{anyRule(web(100), other("old", 50))},
		},
		"a backend that is taken out": {edited: []any{anyRule(web(80), standby(20))}, want: []any{anyRule(web(100), standby(0))}},
		"a rule that comes before it": {
			edited: []any{anyRule(web(7)), anyRule(web(80), standby(20), other("old", 100))},
			want:   []any{anyRule(web(7)), anyRule(unset(web(1)), unset(other("old", 1)))},
		},
		"a filter beside the weights": {
			edited: []any{anyRule(filtered(web(80)), standby(20), other("old", 100))},
			want:   []any{anyRule(filtered(unset(web(1))), unset(other("old", 1)))},
		},
	} {
		t.Run(name, func(t *testing.T) {
			split := Split{Active: "web", Standby: "web-standby", Weight: 200}
			original := routeOf(anyRule(unset(web(1)), unset(other("old", 1))))
			split.Before = Before(original, split)
			edited := routeOf(tc.edited...)
			split.Before = Before(edited, split)
			got := release(t, edited, split, 200, 500)
			wantBytes(t, routeOf(tc.want...), got)
		})
	}
}

func filtered(ref map[string]any) map[string]any {
	ref["filters"] = []any{map[string]any{"type": "RequestHeaderModifier"}}
	return ref
}

// A rule that is named no more is shared until the release is over, and is then what it was.
func TestRulesThatAreNamedNoMore(t *testing.T) {
	original := routeOf(called("checkout", unset(web(1))), called("cart", web(1)), called("own", web(1), standby(1)))
	split := Split{Active: "web", Standby: "web-standby", Rules: []string{"checkout", "cart"}, Weight: 200}
	split.Before = Before(original, split)
	route, _, err := Render(original, split)
	if err != nil {
		t.Fatal(err)
	}
	split.Rules = split.Rules[:1]
	split.Before = Before(route, split)
	if got, err := Weight(route, split); got != 200 || err != nil {
		t.Errorf("weight is %d, error %v", got, err)
	}
	for _, split.Weight = range []int32{500, 0} {
		if route, _, err = Render(route, split); err != nil {
			t.Fatal(err)
		}
	}
	wantBytes(t, original, route)
	if diff := cmp.Diff([]string{"checkout/ active:80"}, Before(route, split)); diff != "" {
		t.Errorf("what is remembered (-want +got):\n%s", diff)
	}
}

// TestRestoration takes routes of every kind, made at random, with fields that nobody knows, through releases.
func TestRestoration(t *testing.T) {
	for seed := range uint64(300) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) { restore(t, rand.New(rand.NewPCG(seed, 2))) })
	}
}

// FuzzRestoration does so with seeds of the fuzzer's choice.
func FuzzRestoration(f *testing.F) {
	f.Add(uint64(1), uint64(1))
	f.Fuzz(func(t *testing.T, one, other uint64) { restore(t, rand.New(rand.NewPCG(one, other))) })
}

func restore(t *testing.T, random *rand.Rand) {
	t.Helper()
	original := strangeRoute(random)
	split := Split{Active: "web", Standby: "web-standby"}
	weights := make([]int32, 1+random.IntN(5))
	for i := range weights {
		weights[i] = random.Int32N(v1alpha1.MaxWeight + 1)
	}
	wantBytes(t, original, release(t, original, split, weights...))
	split.Before, split.Weight = Before(original, split), weights[0]
	shared, _, err := Render(original, split)
	if err != nil {
		t.Fatal(err)
	}
	holdShares(t, original, shared, weights[0])
}

// strangeRoute is a route of any kind that gives the standby Service nothing, with fields that nobody knows everywhere.
func strangeRoute(random *rand.Rand) *unstructured.Unstructured {
	route := randomRoute(random)
	route.SetKind(v1alpha1.RouteKinds()[random.IntN(len(v1alpha1.RouteKinds()))])
	spec := route.Object["spec"].(map[string]any)
	rules := spec["rules"].([]any)
	if route.GetKind() == v1alpha1.RouteKindTCP || route.GetKind() == v1alpha1.RouteKindTLS {
		spec["rules"] = rules[:1]
	}
	strange(random, spec)
	for _, item := range rules {
		rule := item.(map[string]any)
		strange(random, rule)
		for _, item := range rule["backendRefs"].([]any) {
			ref := item.(map[string]any)
			strange(random, ref)
			if ref["name"] == "web-standby" {
				ref["weight"] = int64(0)
			}
			if weight, ok := ref["weight"].(int64); ok && weight == 1 && random.IntN(2) == 0 {
				delete(ref, "weight")
			}
		}
	}
	return route
}

// strange adds a field that nobody knows.
func strange(random *rand.Rand, fields map[string]any) {
	if random.IntN(2) == 0 {
		return
	}
	values := []any{
		"text", int64(random.Int32()), random.Float64(), true, nil, []any{int64(1), "two", nil}, map[string]any{"deep": map[string]any{"er": []any{}}},
	}
	fields[fmt.Sprintf("unknown-%d", random.IntN(9))] = values[random.IntN(len(values))]
}
