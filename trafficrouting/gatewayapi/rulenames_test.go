package gatewayapi

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/trafficrouting"
)

func called(name string, refs ...map[string]any) any {
	rule := anyRule(refs...).(map[string]any)
	rule["name"] = name
	return rule
}

func TestRulesByName(t *testing.T) {
	route := routeOf(called("checkout", web(1)), called("", web(1)), called("cart", web(1), standby(1)), called("old", other("old", 1)),
		called("off", web(0)))
	for name, tc := range map[string]struct {
		rules      []string
		wantWeight int32
		want       string
		// written are the weights of the standby Service, rule by rule, after half of the traffic was asked for.
		written []int64
	}{
		"no names": {wantWeight: trafficrouting.WeightUnknown, written: []int64{50, 50, 1, 0, 0}},
		"one":      {rules: []string{"checkout"}, written: []int64{50, 0, 1, 0, 0}},
		"two that disagree": {
			rules: []string{"cart", "checkout"}, wantWeight: trafficrouting.WeightUnknown, written: []int64{50, 0, 1, 0, 0},
		},
		"one of two is not there": {
			rules: []string{"checkout", "kart"}, written: []int64{50, 0, 1, 0, 0},
			want: "no rule is called kart: write the name into spec.rules[].name of the route, or take it out of rules",
		},
		"none is there": {
			rules: []string{"kart", "chekout"}, wantWeight: trafficrouting.WeightUnknown,
			want: "no rule is called kart, chekout: ",
		},
		"one of another Service": {
			rules: []string{"checkout", "old"}, want: "the rule old sends no requests to the Service web", written: []int64{50, 0, 1, 0, 0},
		},
		"one that is turned off": {
			rules: []string{"off"}, wantWeight: trafficrouting.WeightUnknown, want: "the rule off sends no requests to the Service web",
		},
	} {
		t.Run(name, func(t *testing.T) {
			split := Split{Active: "web", Standby: "web-standby", Rules: tc.rules, Weight: 500}
			weight, err := Weight(route, split)
			reason := v1alpha1.ReasonRouteUnusable
			if tc.want == "" {
				reason = ""
			}
			wantProblem(t, err, reason, tc.want)
			if weight != tc.wantWeight {
				t.Errorf("weight is %d, want %d", weight, tc.wantWeight)
			}
			desired, _, err := Render(route, split)
			if (err == nil) != (tc.written != nil) {
				t.Fatalf("error is %v, want rules to be written: %v", err, tc.written != nil)
			}
			if err != nil {
				return
			}
			var written []int64
			for _, refs := range rulesOf(desired) {
				written = append(written, 0)
				for _, ref := range refs {
					if ref := ref.(map[string]any); ref["name"] == "web-standby" {
						written[len(written)-1] = weightOf(t, ref)
					}
				}
			}
			if diff := cmp.Diff(tc.written, written); diff != "" {
				t.Errorf("weights of the standby Service (-want +got):\n%s", diff)
			}
		})
	}
}
