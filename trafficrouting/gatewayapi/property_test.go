package gatewayapi

import (
	"errors"
	"fmt"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// TestNothingDrifts renders a random route at one random weight after another, and holds after each write that
//
//   - every backend that is not ours has exactly the share of its rule that it had at the beginning, and so has every pool;
//   - the standby has exactly the wanted share of every pool;
//   - no weight is negative or above 1,000,000, and no rule is without weight;
//   - rules that are not managed, and everything beside weights, are as they were.
func TestNothingDrifts(t *testing.T) {
	for seed := range uint64(200) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			walk(t, rand.New(rand.NewPCG(seed, 1)), 15)
		})
	}
}

func TestEveryWeight(t *testing.T) {
	for _, rules := range [][]any{
		{anyRule(web(1))},
		{anyRule(web(1), other("old", 1))},
		{anyRule(web(9), other("old", 7)), anyRule(web(500), standby(500), other("old", 999), other("api", 0))},
		{anyRule(web(3), other("old", 1), port(web(5), 8080))},
	} {
		original := routeOf(rules...)
		route := original
		for weight := range v1alpha1.MaxWeight + 1 {
			route = mustRender(t, original, route, weight)
		}
	}
}

func walk(t *testing.T, random *rand.Rand, steps int) {
	t.Helper()
	original := randomRoute(random)
	route := original
	for range steps {
		weight := random.Int32N(v1alpha1.MaxWeight + 1)
		if random.IntN(3) == 0 {
			weight = []int32{0, 10, 200, 500, 1000}[random.IntN(5)]
		}
		route = mustRender(t, original, route, weight)
	}
}

// mustRender gives a route a weight and holds it against the original.
func mustRender(t *testing.T, original, route *unstructured.Unstructured, weight int32) *unstructured.Unstructured {
	t.Helper()
	split := Split{Active: "web", Standby: "web-standby", Weight: weight}
	desired, _, err := Render(route, split)
	if err != nil {
		t.Fatalf("weight %d: %v\n%s", weight, err, describe(route))
	}
	holdShares(t, original, desired, weight)
	if diff := cmp.Diff(strip(original).Object, strip(desired).Object); diff != "" {
		t.Fatalf("weight %d changed more than weights (-original +got):\n%s", weight, diff)
	}
	holdRead(t, desired, split)
	return desired
}

// holdShares compares what backends have of each rule. It knows nothing of pools and scales: it adds up weights by name
// and by port, and compares fractions.
func holdShares(t *testing.T, original, desired *unstructured.Unstructured, weight int32) {
	t.Helper()
	before, after := rulesOf(original), rulesOf(desired)
	for i := range before {
		was, is := sharesOf(t, before[i]), sharesOf(t, after[i])
		pool := was["web"]
		if pool == nil || pool.Sign() == 0 {
			if diff := cmp.Diff(before[i], after[i]); diff != "" {
				t.Fatalf("weight %d: rule %d is not managed and has changed:\n%s", weight, i, diff)
			}
			continue
		}
		was["web-standby"] = new(big.Rat).Mul(pool, big.NewRat(int64(weight), 1000))
		for name, want := range was {
			if got := is[name]; want.Sign() != 0 && got == nil || got != nil && got.Cmp(want) != 0 {
				t.Fatalf("weight %d: %s has %s of rule %d, want %s\n%s", weight, name, got, i, want, describe(desired))
			}
		}
	}
}

// sharesOf adds up what each Service has of a rule. What both Services have together stands under "web", and what they
// have of one port under "port N"; neither is there in a rule without the active Service.
func sharesOf(t *testing.T, refs []any) map[string]*big.Rat {
	t.Helper()
	sums, active, total := map[string]int64{}, false, int64(0)
	for _, item := range refs {
		ref := item.(map[string]any)
		name, weight := ref["name"].(string), weightOf(t, ref)
		active = active || name == "web"
		total += weight
		if sums[name] += weight; name == "web-standby" {
			sums["web"] += weight
		}
		if strings.HasPrefix(name, "web") {
			sums[fmt.Sprintf("port %v", ref["port"])] += weight
		}
	}
	out := map[string]*big.Rat{}
	for name, sum := range sums {
		if active && total > 0 {
			out[name] = big.NewRat(sum, total)
		}
	}
	return out
}

func weightOf(t *testing.T, ref map[string]any) int64 {
	t.Helper()
	weight, ok := ref["weight"].(int64)
	if _, written := ref["weight"]; !written {
		return 1
	}
	if !ok || weight < 0 || weight > 1_000_000 {
		t.Fatalf("%s has the weight %v", ref["name"], ref["weight"])
	}
	return weight
}

// strip takes the weights and the standby backends out of a route: what is left must never change.
func strip(route *unstructured.Unstructured) *unstructured.Unstructured {
	out := route.DeepCopy()
	for _, item := range out.Object["spec"].(map[string]any)["rules"].([]any) {
		rule := item.(map[string]any)
		kept := []any{}
		for _, item := range rule["backendRefs"].([]any) {
			ref := item.(map[string]any)
			if delete(ref, "weight"); ref["name"] != "web-standby" {
				kept = append(kept, ref)
			}
		}
		rule["backendRefs"] = kept
	}
	return out
}

func randomRoute(random *rand.Rand) *unstructured.Unstructured {
	// Weights up to 1000 can always be split; that is what Weight promises when it finds no fault.
	weight := func() int64 { return random.Int64N(1001) >> random.IntN(10) }
	rules := []any{anyRule(web(max(1, weight())))}
	for range random.IntN(4) {
		var refs []map[string]any
		for range random.IntN(3) {
			refs = append(refs, other(fmt.Sprintf("other-%d", random.IntN(3)), weight()))
		}
		if random.IntN(3) > 0 {
			refs = append(refs, web(weight()/2))
		}
		if len(refs) > 0 && random.IntN(3) == 0 && refs[len(refs)-1]["name"] == "web" {
			refs = append(refs, standby(weight()/2))
		}
		if random.IntN(4) == 0 {
			refs = append(refs, port(web(weight()), 8080))
		}
		if random.IntN(2) == 0 {
			refs = append(refs, other("other-unset", 0))
			delete(refs[len(refs)-1], "weight")
		}
		if len(refs) == 0 {
			refs = append(refs, standby(weight()))
		}
		random.Shuffle(len(refs), func(i, j int) { refs[i], refs[j] = refs[j], refs[i] })
		rules = append(rules, anyRule(refs...))
	}
	return routeOf(rules...)
}

func routeOf(rules ...any) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "gateway.networking.k8s.io/v1",
		"kind":       "HTTPRoute",
		"metadata":   map[string]any{"name": "web", "namespace": "shop"},
		"spec":       map[string]any{"rules": rules},
	}}
}

func anyRule(refs ...map[string]any) any {
	list := make([]any, len(refs))
	for i, ref := range refs {
		list[i] = ref
	}
	return map[string]any{"name": "any", "backendRefs": list}
}

func other(name string, weight int64) map[string]any {
	return map[string]any{"name": name, "port": int64(80), "weight": weight}
}

func web(weight int64) map[string]any { return other("web", weight) }

func standby(weight int64) map[string]any { return other("web-standby", weight) }

func port(ref map[string]any, number int64) map[string]any {
	ref["port"] = number
	return ref
}

func rulesOf(route *unstructured.Unstructured) [][]any {
	var out [][]any
	for _, item := range route.Object["spec"].(map[string]any)["rules"].([]any) {
		out = append(out, item.(map[string]any)["backendRefs"].([]any))
	}
	return out
}

func describe(route *unstructured.Unstructured) string {
	text, err := route.MarshalJSON()
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// FuzzRender tries weights that need not be divisible. Whatever they are, Render either says why it cannot, or gives
// exactly what was asked for; and all traffic can always be taken off the standby.
func FuzzRender(f *testing.F) {
	f.Add(int64(1), int64(0), int64(0), int32(200))
	f.Add(int64(999_983), int64(0), int64(17), int32(333))
	f.Add(int64(90), int64(10), int64(1_000_000), int32(1))
	f.Add(int64(0), int64(7), int64(0), int32(0))
	f.Fuzz(func(t *testing.T, active, candidate, old int64, weight int32) {
		pool := active + candidate
		if min(active, candidate, old, pool-1) < 0 || max(pool, old) > 1_000_000 || uint32(weight) > 1000 {
			return
		}
		original := routeOf(anyRule(web(active), standby(candidate), other("old", old)))
		split := Split{Active: "web", Standby: "web-standby", Weight: weight}
		desired, _, err := Render(original, split)
		switch mend := (*RouteError)(nil); {
		case err == nil:
			holdShares(t, original, desired, weight)
		case !errors.As(err, &mend) || weight%v1alpha1.MaxWeight == 0:
			t.Errorf("%v", err)
		}
		if _, err := Weight(original, split); err == nil && desired == nil {
			t.Error("no fault was found with a route that cannot carry the weight")
		}
	})
}
