package gatewayapi

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/builder"
	"github.com/sluice-dev/sluice/trafficrouting"
)

// plainOf is the route that a template makes whose spec is that of another route.
func plainOf(route *unstructured.Unstructured) *unstructured.Unstructured {
	spec := specFields(route.Object)
	if spec["parentRefs"] == nil {
		spec["parentRefs"] = []any{map[string]any{"name": "public"}}
	}
	return Plain(builder.RouteKind("HTTPRoute"), trafficrouting.Route{
		Namespace: "shop", Name: "web", Template: &trafficrouting.Template{Labels: map[string]string{"team": "shop"}, Spec: spec},
	})
}

// filledIn is a route as an API server hands it out.
func filledIn(route *unstructured.Unstructured) *unstructured.Unstructured {
	out := route.DeepCopy()
	for _, refs := range rulesOf(out) {
		for _, item := range refs {
			ref := item.(map[string]any)
			if ref["weight"] == nil {
				ref["weight"] = int64(1)
			}
			ref["group"], ref["kind"] = "", "Service"
		}
	}
	for _, item := range specFields(out.Object)["parentRefs"].([]any) {
		maps.Copy(item.(map[string]any), map[string]any{"group": gatewayv1.GroupName, "kind": "Gateway"})
	}
	return out
}

// TestMadeIsTheTemplate makes random templates of random routes that stand in their place, at one random weight after another, and
// holds that what comes of it depends on the template and the weight alone, that it is there at once and stays, that defaults which
// the API server fills in are no difference, and that what is given up is the template to the last byte.
func TestMadeIsTheTemplate(t *testing.T) {
	for seed := range uint64(200) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 2))
			plain, route := randomPlain(random), plainOf(randomRoute(random))
			split := Split{Active: "web", Standby: "web-standby"}
			if err := Flaw(plain, split, nil); err != nil {
				t.Fatalf("%v\n%s", err, describe(plain))
			}
			original := plain.DeepCopy()
			for range 10 {
				split.Weight = random.Int32N(v1alpha1.MaxWeight + 1)
				route = holdMade(t, route, plain, split)
			}
			split.Weight, split.Before = 0, []string{}
			before := Before(plain, split)
			split.Before = before
			released, _, err := Without(route, split)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(original.Object["spec"], released.Object["spec"]); diff != "" {
				t.Errorf("given up (-template +got):\n%s", diff)
			}
			if diff := cmp.Diff(original.Object, plain.Object); diff != "" {
				t.Errorf("the template has changed:\n%s", diff)
			}
		})
	}
}

// randomPlain is a template that gives the standby Service nothing, with fields that nobody knows.
func randomPlain(random *rand.Rand) *unstructured.Unstructured {
	route := randomRoute(random)
	for _, item := range specFields(route.Object)["rules"].([]any) {
		rule := item.(map[string]any)
		rule["unknown"] = map[string]any{"depth": []any{random.Int64N(9), "x"}}
		rule["backendRefs"] = slices.DeleteFunc(rule["backendRefs"].([]any), func(ref any) bool {
			return ref.(map[string]any)["name"] == "web-standby"
		})
	}
	specFields(route.Object)["later"] = map[string]any{"a": random.Int64N(9)}
	return plainOf(route)
}

func holdMade(t *testing.T, route, plain *unstructured.Unstructured, split Split) *unstructured.Unstructured {
	t.Helper()
	got, changed, err := Make(route, plain, split)
	if err != nil {
		t.Fatal(err)
	}
	want, _, err := Render(plain, split)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want.Object["spec"], got.Object["spec"]); diff != "" {
		t.Fatalf("weight %d (-template at that weight +got):\n%s", split.Weight, diff)
	}
	if !changed && !cmp.Equal(route.Object, got.Object) {
		t.Errorf("weight %d: a change is not told", split.Weight)
	}
	for name, stands := range map[string]*unstructured.Unstructured{"as it was written": got, "with its defaults": filledIn(got)} {
		if again, changed, err := Make(stands, plain, split); changed || err != nil || !cmp.Equal(stands, again) {
			t.Fatalf("weight %d, %s, is written a second time, error %v:\n%s", split.Weight, name, err, cmp.Diff(stands, again))
		}
	}
	return got
}

func TestMake(t *testing.T) {
	plain := plainOf(routeOf(anyRule(web(1))))
	at20, _, err := Render(plain, Split{Active: "web", Standby: "web-standby", Weight: 200})
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		change        func(*unstructured.Unstructured)
		wantDiffering []string
	}{
		"as it should be": {change: func(*unstructured.Unstructured) {}},
		"defaults":        {change: func(o *unstructured.Unstructured) { o.Object = filledIn(o).Object }},
		"another host": {
			change:        func(o *unstructured.Unstructured) { specFields(o.Object)["hostnames"] = []any{"x.example"} },
			wantDiffering: []string{"f:spec/f:hostnames"},
		},
		"a filter": {
			change: func(o *unstructured.Unstructured) {
				specFields(o.Object)["rules"].([]any)[0].(map[string]any)["timeouts"] = map[string]any{"request": "1s"}
			},
			wantDiffering: []string{"f:spec/f:rules"},
		},
		"no parents": {
			change:        func(o *unstructured.Unstructured) { delete(specFields(o.Object), "parentRefs") },
			wantDiffering: []string{"f:spec/f:parentRefs"},
		},
		"no spec": {
			change:        func(o *unstructured.Unstructured) { delete(o.Object, "spec") },
			wantDiffering: []string{"f:spec/f:parentRefs", "f:spec/f:rules"},
		},
		"another label": {
			change:        func(o *unstructured.Unstructured) { o.SetLabels(map[string]string{"team": "other"}) },
			wantDiffering: []string{"f:metadata/f:labels/f:team"},
		},
		"labels and annotations of others": {
			change: func(o *unstructured.Unstructured) {
				o.SetLabels(map[string]string{"team": "shop", "more": "x"})
				o.SetAnnotations(map[string]string{"dns": "done"})
			},
		},
		"a label that an earlier template had": {
			change: func(o *unstructured.Unstructured) {
				o.SetLabels(map[string]string{"team": "shop", "old": "x"})
				o.SetManagedFields([]metav1.ManagedFieldsEntry{{
					Manager: RestFieldManager, FieldsV1: metav1.NewFieldsV1(`{"f:metadata":{"f:labels":{"f:team":{},"f:old":{}}}}`),
				}})
			},
			wantDiffering: []string{"f:metadata/f:labels/f:old"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			route := at20.DeepCopy()
			tc.change(route)
			got, err := remake(route, plain, Split{Active: "web", Standby: "web-standby", Weight: 200})
			if err != nil {
				t.Fatal(err)
			}
			var differing []string
			for _, path := range got.differing {
				differing = append(differing, strings.Join(path, "/"))
			}
			if diff := cmp.Diff(tc.wantDiffering, differing); diff != "" {
				t.Errorf("differing (-want +got):\n%s", diff)
			}
			if again, changed, err := Make(got.desired, plain, Split{Active: "web", Standby: "web-standby", Weight: 200}); changed || err != nil {
				t.Errorf("it is not right then: %v", again)
			}
		})
	}
}

func TestFlaw(t *testing.T) {
	many := func(n int, ref map[string]any) any {
		refs := []map[string]any{web(1)}
		for i := range n - 1 {
			refs = append(refs, other(fmt.Sprintf("other-%d", i), 1))
		}
		return anyRule(append(refs[:len(refs)-1], ref)...)
	}
	header := v1alpha1.Overlay{
		Field: "spec.strategy.canary.steps[0]",
		Match: []v1alpha1.RequestMatch{{Headers: []v1alpha1.ValueMatch{{Type: v1alpha1.MatchExact, Name: "x", Value: "y"}}}},
	}
	var rules []any
	for range 16 {
		rules = append(rules, anyRule(web(1)))
	}
	for name, tc := range map[string]struct {
		rules    []any
		overlays []v1alpha1.Overlay
		names    []string
		want     string
	}{
		"one rule":                    {rules: []any{anyRule(web(1))}},
		"a standby with nothing":      {rules: []any{anyRule(web(1), standby(0))}},
		"a standby with a share":      {rules: []any{anyRule(web(1), standby(1))}, want: "gives the Service web-standby requests"},
		"one rule with a share":       {rules: []any{anyRule(web(1)), anyRule(web(1), standby(1))}, want: "gives the Service web-standby requests"},
		"nothing for the application": {rules: []any{anyRule(other("old", 1))}, want: "no rule sends requests to the Service web"},
		"16 backends":                 {rules: []any{many(16, other("last", 1))}, want: "no room for the standby Service"},
		"15 backends":                 {rules: []any{many(15, other("last", 1))}},
		"weights that do not divide":  {rules: []any{anyRule(web(1), other("old", 999_983))}, want: "cannot be divided into tenths"},
		"16 rules":                    {rules: rules},
		"16 rules and matches":        {rules: rules, overlays: []v1alpha1.Overlay{header}, want: "the API allows 16"},
		"a rule that is not there":    {rules: []any{anyRule(web(1))}, names: []string{"other"}, want: "no rule is called other"},
		"a mirror to the standby": {
			rules: []any{func() any {
				rule := anyRule(web(1)).(map[string]any)
				rule["filters"] = []any{map[string]any{"type": "RequestMirror", "requestMirror": map[string]any{"backendRef": map[string]any{"name": "web-standby"}}}}
				return rule
			}()},
			want: "beside weights",
		},
	} {
		t.Run(name, func(t *testing.T) {
			err := Flaw(plainOf(routeOf(tc.rules...)), Split{Active: "web", Standby: "web-standby", Rules: tc.names}, tc.overlays)
			if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error is %v, want %q", err, tc.want)
			}
		})
	}
	orphan := plainOf(routeOf(anyRule(web(1))))
	delete(specFields(orphan.Object), "parentRefs")
	if err := Flaw(orphan, Split{Active: "web", Standby: "web-standby"}, nil); err == nil || !strings.Contains(err.Error(), "parentRefs") {
		t.Errorf("error of a template without parents is %v", err)
	}
}

func TestOwn(t *testing.T) {
	owner := &metav1.OwnerReference{APIVersion: "sluice.dev/v1alpha1", Kind: "Rollout", Name: "web", UID: "1", Controller: ptr.To(true)}
	with := func(change func(*metav1.OwnerReference)) metav1.OwnerReference {
		out := *owner
		change(&out)
		return out
	}
	plain := metav1.OwnerReference{APIVersion: "v1", Kind: "ConfigMap", Name: "x", UID: "x"}
	for name, tc := range map[string]struct {
		now, want []metav1.OwnerReference
		wantErr   string
	}{
		"nobody's":      {want: []metav1.OwnerReference{*owner}},
		"its own":       {now: []metav1.OwnerReference{*owner}},
		"another owner": {now: []metav1.OwnerReference{plain}, want: []metav1.OwnerReference{plain, *owner}},
		"one that is gone": {
			now: []metav1.OwnerReference{with(func(o *metav1.OwnerReference) { o.UID = "0" })}, want: []metav1.OwnerReference{*owner},
		},
		"an earlier version": {
			now: []metav1.OwnerReference{with(func(o *metav1.OwnerReference) { o.APIVersion = "sluice.dev/v1alpha0" })}, want: []metav1.OwnerReference{*owner},
		},
		"another Rollout": {now: []metav1.OwnerReference{with(func(o *metav1.OwnerReference) { o.Name, o.UID = "api", "2" })}, wantErr: "Rollout api"},
		"another kind":    {now: []metav1.OwnerReference{with(func(o *metav1.OwnerReference) { o.Kind, o.APIVersion = "Canary", "x/v1" })}, wantErr: "Canary web"},
	} {
		t.Run(name, func(t *testing.T) {
			route := routeOf(anyRule(web(1)))
			route.SetOwnerReferences(tc.now)
			changed, err := own(route, owner)
			if (err == nil) != (tc.wantErr == "") || err != nil && !strings.Contains(err.Error(), tc.wantErr) {
				t.Fatalf("error is %v, want %q", err, tc.wantErr)
			}
			if changed != (tc.want != nil) {
				t.Errorf("changed: %v", changed)
			}
			if diff := cmp.Diff(tc.want, route.GetOwnerReferences()); changed && diff != "" {
				t.Errorf("owners (-want +got):\n%s", diff)
			}
		})
	}
}

// TestADefaultThatNobodyKnows: what a later API server fills in is found out by one write that changes nothing.
func TestADefaultThatNobodyKnows(t *testing.T) {
	writes := 0
	live := filledIn(plainOf(routeOf(anyRule(web(1)))))
	live.SetResourceVersion("7")
	specFields(live.Object)["later"] = "filled in"
	server := interceptor.NewClient(fakeServer(t), interceptor.Funcs{
		Get: func(_ context.Context, _ client.WithWatch, _ client.ObjectKey, o client.Object, _ ...client.GetOption) error {
			o.(*unstructured.Unstructured).Object = live.DeepCopy().Object
			return nil
		},
		Patch: func(_ context.Context, _ client.WithWatch, o client.Object, _ client.Patch, _ ...client.PatchOption) error {
			writes++
			o.(*unstructured.Unstructured).Object = live.DeepCopy().Object // nothing has changed
			return nil
		},
	})
	router := newRouter(server)
	target := trafficrouting.Target{Namespace: "shop", Active: "web", Standby: "web-standby", Routes: []trafficrouting.Route{{
		Kind: "HTTPRoute", Namespace: "shop", Name: "web",
		Template: &trafficrouting.Template{Labels: map[string]string{"team": "shop"}, Spec: specFields(plainOf(routeOf(anyRule(web(1)))).Object)},
	}}}
	for i, wantStale := range []bool{true, false, false} {
		got, err := router.Observe(t.Context(), target)
		if err != nil || got.Stale != wantStale {
			t.Errorf("look %d: stale is %v, want %v; error %v", i, got.Stale, wantStale, err)
		}
		if err := router.Apply(t.Context(), target, trafficrouting.Wanted{}); err != nil {
			t.Fatal(err)
		}
	}
	if writes != 1 {
		t.Errorf("%d writes, want 1", writes)
	}
}
