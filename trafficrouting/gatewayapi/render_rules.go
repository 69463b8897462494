package gatewayapi

import (
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

const (
	// maxBackendRefs is how many backends the API allows in one rule.
	maxBackendRefs = 16
	// none is the index of a backend that is not there.
	none = -1
)

// RouteError says why a route cannot be used, in words for the person who wrote it.
type RouteError struct {
	// Reason in one word: a constant of v1alpha1.
	Reason string
	// Message says what is wrong and what would mend it.
	Message string
}

// Error is the message.
func (e *RouteError) Error() string { return e.Message }

func unusable(format string, args ...any) *RouteError {
	return &RouteError{Reason: v1alpha1.ReasonRouteUnusable, Message: fmt.Sprintf(format, args...)}
}

// services are the names that a rule is read for.
type services struct {
	namespace, active, standby string
}

// pool is one backend of the active Service, and those of the standby Service that take over from it.
type pool struct {
	// active is the index of the backend in the rule.
	active int
	// standby is the index of the backend that gets the standby's share; none when it has yet to be put in.
	standby int
	// surplus are further standby backends, which the active Service has no twins for. Their weight counts as the
	// standby's, and goes to the first one with the next write.
	surplus []int
}

// rule is a managed rule of a route, as far as weights go.
type rule struct {
	// path is where the rule is in the route, "spec.rules[0]", for messages.
	path string
	// fields are those of the rule, as they stand in the route.
	fields map[string]any
	// refs are the backendRefs, as they stand in the route.
	refs []map[string]any
	// weights are those of refs, with defaults.
	weights []int64
	pools   []pool
	others  []int
}

// parseRules reads the managed rules of a route: those that send requests to the active Service. A rule that gives all
// its pools the weight 0 sends nothing to the application, on purpose, and is not managed either.
func parseRules(route *unstructured.Unstructured, s services) ([]*rule, error) {
	items, _, err := unstructured.NestedFieldNoCopy(route.Object, "spec", "rules")
	if err != nil {
		return nil, unusable("spec.rules cannot be read: %v", err)
	}
	list, ok := items.([]any)
	if !ok && items != nil {
		return nil, unusable("spec.rules is not a list: write a list of rules")
	}
	var rules []*rule
	for i, item := range list {
		r, err := parseRule(fmt.Sprintf("spec.rules[%d]", i), item, s)
		if err != nil {
			return nil, err
		}
		if len(r.pools) > 0 && r.poolWeight() > 0 {
			rules = append(rules, r)
		}
	}
	if len(rules) == 0 {
		return nil, &RouteError{Reason: v1alpha1.ReasonRouteWithoutBackend, Message: fmt.Sprintf(
			"no rule sends requests to the Service %[1]s, the active Service of the Rollout: add a backendRef with the name "+
				"%[1]s, and a weight above 0, to the rule that is to be shared", s.active)}
	}
	return rules, nil
}

// parseRule reads one rule. Without an active backend it comes back without pools.
func parseRule(path string, item any, s services) (*rule, error) {
	fields, ok := item.(map[string]any)
	if !ok {
		return nil, unusable("%s is not an object: write a rule", path)
	}
	list, ok := fields["backendRefs"].([]any)
	if !ok && fields["backendRefs"] != nil {
		return nil, unusable("%s.backendRefs is not a list: write a list of backendRefs", path)
	}
	r := &rule{path: path, fields: fields}
	for i, item := range list {
		if err := r.add(fmt.Sprintf("%s.backendRefs[%d]", path, i), item); err != nil {
			return nil, err
		}
	}
	r.pair(s)
	return r, nil
}

// add reads one backend. Without a weight it has the weight 1.
func (r *rule) add(path string, item any) error {
	ref, ok := item.(map[string]any)
	if !ok {
		return unusable("%s is not an object: write a backendRef", path)
	}
	weight, found, err := unstructured.NestedInt64(ref, "weight")
	if err != nil || weight < 0 || weight > maxBackendWeight {
		return unusable("%s.weight is %v: write a whole number from 0 to %d", path, ref["weight"], maxBackendWeight)
	}
	if !found {
		weight = 1
	}
	r.refs, r.weights = append(r.refs, ref), append(r.weights, weight)
	return nil
}

// refers says whether a backendRef is a Service of the given name in the namespace of the route. The API takes an empty
// group for the core group and leaves out a kind for a Service.
func (s services) refers(ref map[string]any, name string) bool {
	text := func(key, otherwise string) string {
		if v, ok := ref[key].(string); ok && v != "" {
			return v
		}
		return otherwise
	}
	return text("group", "") == "" && text("kind", "Service") == "Service" &&
		text("namespace", s.namespace) == s.namespace && text("name", "") == name
}

// pair makes a pool of each active backend. Its standby is the one with the same port, or else one that has no twin:
// the standby Service may have its own ports. Everything else goes to others.
func (r *rule) pair(s services) {
	var standbys, odd []int
	for i, ref := range r.refs {
		switch {
		case s.refers(ref, s.active):
			r.pools = append(r.pools, pool{active: i, standby: none})
		case s.refers(ref, s.standby):
			standbys = append(standbys, i)
		default:
			r.others = append(r.others, i)
		}
	}
	if len(r.pools) == 0 {
		return
	}
	for _, s := range standbys {
		if !r.place(s, func(p pool) bool { return r.refs[p.active]["port"] == r.refs[s]["port"] }) {
			odd = append(odd, s)
		}
	}
	for _, s := range odd {
		if !r.place(s, func(pool) bool { return true }) {
			r.pools[0].surplus = append(r.pools[0].surplus, s)
		}
	}
}

// place gives a standby backend to the first pool that has none and that fits.
func (r *rule) place(standby int, fits func(pool) bool) bool {
	for i, p := range r.pools {
		if p.standby == none && fits(p) {
			r.pools[i].standby = standby
			return true
		}
	}
	return false
}

// standbyWeight is what the standby has of a pool, in the weights of the rule.
func (r *rule) standbyWeight(p pool) int64 {
	var sum int64
	if p.standby != none {
		sum = r.weights[p.standby]
	}
	for _, i := range p.surplus {
		sum += r.weights[i]
	}
	return sum
}

// poolWeight is the part of the rule that active and standby have together, in the weights of the rule.
func (r *rule) poolWeight() int64 {
	var sum int64
	for _, p := range r.pools {
		sum += r.weights[p.active] + r.standbyWeight(p)
	}
	return sum
}

// shares are the weights of the rule, as they bear on a split.
func (r *rule) shares() shares {
	var s shares
	for _, p := range r.pools {
		s.pools = append(s.pools, r.weights[p.active]+r.standbyWeight(p))
	}
	for _, i := range r.others {
		s.others = append(s.others, r.weights[i])
	}
	return s
}

// weight is the standby's share of every pool, in tenths of a percent; false when the pools disagree or when the share
// is no whole number of tenths.
func (r *rule) weight() (int32, bool) {
	weight := int64(none)
	for _, p := range r.pools {
		standby := r.standbyWeight(p)
		size := r.weights[p.active] + standby
		if size == 0 {
			continue
		}
		if standby*perMille%size != 0 {
			return 0, false
		}
		if share := standby * perMille / size; weight == none || weight == share {
			weight = share
			continue
		}
		return 0, false
	}
	return int32(weight), weight != none
}

// missing is the number of standby backends that have yet to be put in.
func (r *rule) missing() int {
	n := 0
	for _, p := range r.pools {
		if p.standby == none && r.weights[p.active] > 0 {
			n++
		}
	}
	return n
}

// room says whether the standby backends that are missing can be put in.
func (r *rule) room() error {
	if n := len(r.refs) + r.missing(); n > maxBackendRefs {
		return unusable("%s has no room for the standby Service: it has %d backendRefs, and the API allows %d: take %d out",
			r.path, len(r.refs), maxBackendRefs, n-maxBackendRefs)
	}
	return nil
}

// check says whether every weight can be written to the rule.
func (r *rule) check() error {
	if err := r.room(); err != nil {
		return err
	}
	if !r.shares().divisible() {
		return unusable("%s has weights that cannot be divided into tenths of a percent within the %d that the API allows: "+
			"write weights of at most %d, those of the two Services counted together", r.path, maxBackendWeight,
			maxBackendWeight/perMille)
	}
	return nil
}
