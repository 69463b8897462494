package gatewayapi

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/sluice-dev/sluice/trafficrouting/share"
)

// What a managed rule was before a Rollout wrote to it is remembered in the status of the Rollout: see share.Remembered.
// Where nothing is remembered, backends of the standby Service stay with a weight of 0.

// recall gives rules what is remembered of them, and adds those among others that something is remembered of.
func recall(rules, others []*rule, known []string) []*rule {
	left := share.Recall(remembered(rules), known)
	found := share.RecallAmong(remembered(others), left)
	for _, r := range others {
		for _, f := range found {
			if r.Remembered == f {
				rules = append(rules, r)
			}
		}
	}
	return rules
}

func remembered(rules []*rule) []*share.Remembered {
	out := make([]*share.Remembered, 0, len(rules))
	for _, r := range rules {
		out = append(out, r.Remembered)
	}
	return out
}

// Before is what is to be remembered of the managed rules of a route, as share.List.Before has it, given what has been:
// Split.Before. It is empty for a route without managed rules, and one that cannot be read.
func Before(route *unstructured.Unstructured, s Split) []string {
	if s.Before == nil {
		s.Before = []string{}
	}
	rules, err := parseRules(route, s.services(route))
	if err != nil {
		return s.Before
	}
	out := make([]string, 0, len(rules))
	for _, r := range rules {
		out = append(out, r.Text)
	}
	return out
}
