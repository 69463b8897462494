package objects

import (
	"fmt"
	"strings"

	"k8s.io/utils/ptr"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-dev/sluice/test/scenario"
)

// generated is how names of rules begin that are made for requests which match.
const generated = "sluice-"

// traffic follows a request: by the weights of the route to a Service, and by its endpoints to pods. Callers of a
// Rollout without a route use the active Service.
func (s seen) traffic(p *scenario.Picture) {
	shares := map[string]float64{scenario.Name: 100}
	matched := shares
	if s.rollout != nil && s.rollout.Spec.UsesRoutes() {
		shares, matched = nil, nil
		if s.route != nil {
			shares, matched = sharesOf(managed(s.route.Spec.Rules)), sharesOf(&s.route.Spec.Rules[0])
			p.Copied = copied(managed(s.route.Spec.Rules))
		}
		p.Weight = shares[standby()]
	}
	p.Traffic, p.Lost = s.follow(shares, p)
	var lost float64
	p.Matched, lost = s.follow(matched, p)
	p.Lost = max(p.Lost, lost)
}

// follow follows requests from Services to versions, and says which share is lost.
func (s seen) follow(shares map[string]float64, p *scenario.Picture) (traffic map[string]float64, lost float64) {
	traffic, lost = map[string]float64{}, 100
	for service, share := range shares {
		ready, total := s.ready(service, p.Pods)
		if total == 0 {
			continue
		}
		lost -= share
		for of, n := range ready {
			traffic[of] += share * float64(n) / float64(total)
		}
	}
	if lost < 1e-6 {
		lost = 0
	}
	return traffic, lost
}

// managed is the rule that the user wrote: those that are made for requests which match come before it.
func managed(rules []gatewayv1.HTTPRouteRule) *gatewayv1.HTTPRouteRule {
	for i := range rules {
		if !strings.HasPrefix(string(ptr.Deref(rules[i].Name, "")), generated) {
			return &rules[i]
		}
	}
	return &gatewayv1.HTTPRouteRule{}
}

// sharesOf are the percentages of the backends of a rule; none when it gives nobody anything.
func sharesOf(rule *gatewayv1.HTTPRouteRule) map[string]float64 {
	total, out := 0.0, map[string]float64{}
	for _, ref := range rule.BackendRefs {
		weight := float64(ptr.Deref(ref.Weight, 1))
		total += weight
		out[string(ref.Name)] += weight
	}
	for name := range out {
		if total > 0 {
			out[name] *= 100 / total
		}
	}
	return out
}

// copied is the percentage of the requests of a rule of which the standby Service gets a copy.
func copied(rule *gatewayv1.HTTPRouteRule) float64 {
	for _, f := range rule.Filters {
		if f.RequestMirror != nil && string(f.RequestMirror.BackendRef.Name) == standby() {
			return float64(ptr.Deref(f.RequestMirror.Percent, 100))
		}
	}
	return 0
}

// shapeOf is what a release may change of rules, whether the API server has filled in defaults or not.
func shapeOf(rules []gatewayv1.HTTPRouteRule) string {
	var b strings.Builder
	for _, rule := range rules {
		fmt.Fprintf(&b, "rule %s with %d filters:", ptr.Deref(rule.Name, ""), len(rule.Filters))
		for _, ref := range rule.BackendRefs {
			fmt.Fprintf(&b, " %s=%d with %d filters", ref.Name, ptr.Deref(ref.Weight, 1), len(ref.Filters))
		}
		b.WriteString("\n")
	}
	return b.String()
}
