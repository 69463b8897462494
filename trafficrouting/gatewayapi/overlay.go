package gatewayapi

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/trafficrouting"
)

// Limits of the API for one route.
const (
	maxRules         = 16
	maxMatches       = 64
	maxMatchesOfAll  = 128
	maxFilters       = 16
	maxConditions    = 16
	maxSessionName   = 128
	generatedPrefix  = "sluice-"
	mirrorFilter     = "RequestMirror"
	sessionSuffix    = "-sluice"
	allPercent       = 100
	requestMirrorKey = "requestMirror"
)

// lay gives a route the generated rules and mirrors that the overlay of the Split asks for, and no others, and says
// whether that differs from what it has. It changes the route. The managed rules are those that parseRules found in it.
// The error is a *RouteError; there is none for no overlay.
func (s Split) lay(route *unstructured.Unstructured, managed []*rule) (changed bool, err error) {
	wanted, err := s.generate(route.GetKind(), managed)
	if err != nil {
		return false, err
	}
	list, ours := ruleItems(route), s.services(route)
	if err := s.distinct(route, managed, wanted); err != nil {
		return false, err
	}
	laid := insert(list, ours, managed, wanted)
	if !s.None() {
		if err := fitting(laid); err != nil {
			return false, err
		}
	}
	if !asWanted(list, laid) {
		changed = true
		setRules(route, laid)
	}
	for _, r := range managed {
		mirrored, err := s.mirror(r)
		if err != nil {
			return false, err
		}
		changed = changed || mirrored
	}
	return changed, nil
}

// None says whether the Split has no overlay.
func (s Split) None() bool { return s.Overlay.None() }

// generate makes rules for each managed one that has requests which match, or clients with a cookie; none for one that has
// none.
func (s Split) generate(kind string, managed []*rule) ([][]map[string]any, error) {
	out := make([][]map[string]any, len(managed))
	for i, r := range managed {
		matches, err := s.matches(kind, r)
		if err != nil {
			return nil, err
		}
		name := fmt.Sprintf("%s%d", s.prefix(), i)
		if len(matches) > 0 {
			made := s.generated(r, name, matches)
			made["backendRefs"] = r.Standbys()
			out[i] = append(out[i], made)
		}
		cohorts, err := s.cohortRules(kind, r, name)
		if err != nil {
			return nil, err
		}
		out[i] = append(out[i], cohorts...)
	}
	return out, nil
}

// prefix is how the names of generated rules begin.
func (s Split) prefix() string { return generatedPrefix + s.Standby + "-" }

// generated is a copy of a managed rule, with its filters, timeouts and whatever else it has, for the requests that match.
// Of those of a match all of its pools go to the standby Service, and its other backends have none of them.
func (s Split) generated(r *rule, name string, matches []any) map[string]any {
	out := runtime.DeepCopyJSON(r.fields)
	out["name"], out["matches"] = name, matches
	if filters, ok := out["filters"].([]any); ok {
		setFilters(out, slices.DeleteFunc(filters, func(f any) bool { return r.services.mirrors(f) }))
	}
	// A session that a gateway keeps names one backend: that of the source rule must not lead requests here, nor away.
	if session, ok := out["sessionPersistence"].(map[string]any); ok {
		if text, ok := session["sessionName"].(string); ok {
			session["sessionName"] = text[:min(len(text), maxSessionName-len(sessionSuffix))] + sessionSuffix
		}
	}
	return out
}

// insert puts generated rules right before those that they are copies of, so that they win where the API leaves it to the
// order, and takes out those that were there.
func insert(list []any, ours services, managed []*rule, wanted [][]map[string]any) []any {
	out := make([]any, 0, len(list)+len(wanted))
	for _, item := range list {
		if ours.generated(item) {
			continue
		}
		for i, r := range managed {
			for _, made := range wanted[i] {
				if sameObject(item, r.fields) {
					out = append(out, made)
				}
			}
		}
		out = append(out, item)
	}
	return out
}

// asWanted says whether a list of rules is the wanted one, up to defaults that the API server fills in.
func asWanted(list, wanted []any) bool {
	return slices.EqualFunc(list, wanted, func(a, b any) bool {
		live, ok := a.(map[string]any)
		want, _ := b.(map[string]any)
		return ok && (sameObject(live, want) || alike(live, want))
	})
}

// mirror gives a managed rule the mirror that is wanted, and says whether it had another one or none.
func (s Split) mirror(r *rule) (bool, error) {
	filters, _ := r.fields["filters"].([]any)
	ours := func(f any) bool { return r.services.mirrors(f) }
	wanted := slices.DeleteFunc(slices.Clone(filters), ours)
	if s.Overlay.Mirror > 0 {
		wanted = append(wanted, s.mirrorOf(r))
	}
	if slices.EqualFunc(filters, wanted, func(a, b any) bool { return !ours(a) || alike(a, b) }) {
		return false, nil
	}
	if len(wanted) > maxFilters && !s.None() {
		return false, unusable("%s has no room for a mirror: it has %d filters, and the API allows %d: take one out", r.path,
			len(filters), maxFilters)
	}
	setFilters(r.fields, wanted)
	return true, nil
}

func setFilters(fields map[string]any, filters []any) {
	if len(filters) == 0 {
		delete(fields, "filters")
		return
	}
	fields["filters"] = filters
}

// mirrorOf is the filter that copies requests of a rule to the standby Service.
func (s Split) mirrorOf(r *rule) map[string]any {
	ref, _ := r.Standbys()[0].(map[string]any) // a managed rule has one
	delete(ref, "weight")
	delete(ref, "filters")
	copies := map[string]any{"backendRef": ref}
	if s.Overlay.Mirror < allPercent {
		copies["percent"] = int64(s.Overlay.Mirror)
	}
	return map[string]any{"type": mirrorFilter, requestMirrorKey: copies}
}

// mirrors says whether a filter copies requests to the standby Service. In a managed rule everything that names the standby
// Service is the Rollout's.
func (s services) mirrors(filter any) bool {
	fields, _ := filter.(map[string]any)
	copies, _ := fields[requestMirrorKey].(map[string]any)
	ref, ok := copies["backendRef"].(map[string]any)
	return ok && s.refers(ref, s.standby)
}

// reserved says whether a rule of the user's has a name that rules for matched requests have. With a share for the standby
// Service it could not be told from them.
func (s services) reserved(managed []*rule) error {
	for _, r := range managed {
		if s.named(r.fields) {
			return unusable("%s is called %s, as rules for matched requests are: give it another name", r.path, r.fields["name"])
		}
	}
	return nil
}

// named says whether a rule has a name that is made for rules for matched requests.
func (s services) named(rule map[string]any) bool {
	name, _ := rule["name"].(string)
	number, ok := strings.CutPrefix(name, generatedPrefix+s.standby+"-")
	return ok && regexp.MustCompile(`^[0-9]+(-candidate|-stable|-after-[0-9]+)?$`).MatchString(number)
}

// generated says whether a rule is one that was made for the standby Service: by its name, and by its backends, all of
// which are the two Services, and one at least the standby; or by its name and a condition on our cookie. A rule of the user's
// that only has such a name is not.
func (s services) generated(item any) bool {
	fields, _ := item.(map[string]any)
	if !s.named(fields) {
		return false
	}
	if ofCohort(fields) {
		return true
	}
	refs, _ := fields["backendRefs"].([]any)
	found := false
	for _, item := range refs {
		ref, ok := item.(map[string]any)
		if !ok || !s.refers(ref, s.standby) && !s.refers(ref, s.active) {
			return false
		}
		found = found || s.refers(ref, s.standby)
	}
	return found
}

// laidOn says whether a route has anything of an overlay, by whatever wish.
func (s services) laidOn(route *unstructured.Unstructured, managed []*rule) bool {
	if slices.ContainsFunc(ruleItems(route), s.generated) {
		return true
	}
	return slices.ContainsFunc(managed, func(r *rule) bool {
		filters, _ := r.fields["filters"].([]any)
		refs, _ := r.fields["backendRefs"].([]any)
		return slices.ContainsFunc(filters, s.mirrors) || slices.ContainsFunc(refs, func(item any) bool {
			ref, _ := item.(map[string]any)
			return hasCookie(ref)
		})
	})
}

// strip takes generated rules off a route that has no managed rule left, and says whether there were any.
func (s Split) strip(route *unstructured.Unstructured) bool {
	list := ruleItems(route)
	kept := slices.DeleteFunc(slices.Clone(list), s.services(route).generated)
	marked, err := s.markAll(route, nil)
	if len(kept) == len(list) {
		return marked && err == nil
	}
	setRules(route, kept)
	return true
}

func setRules(route *unstructured.Unstructured, rules []any) {
	if spec, ok := route.Object["spec"].(map[string]any); ok {
		spec["rules"] = rules
	}
}

// ruleItems are the rules of a route that parseRules has read.
func ruleItems(route *unstructured.Unstructured) []any {
	items, _, _ := unstructured.NestedFieldNoCopy(route.Object, "spec", "rules")
	list, _ := items.([]any)
	return list
}

// Laid says which of the overlays of a Target a route has exactly, by their index. The error is a *RouteError for the first
// that cannot be laid on it.
func Laid(route *unstructured.Unstructured, s Split, all []v1alpha1.Overlay) (fits []int, err error) {
	fits = []int{}
	for i, overlay := range all {
		s.Overlay = overlay
		trial := route.DeepCopy()
		managed, unread := parseRules(trial, s.services(trial))
		if unread != nil {
			return nil, nil //nolint:nilerr // Weight tells of a route that cannot be read
		}
		changed, refusal := s.lay(trial, managed)
		if refusal == nil {
			var marked bool
			marked, refusal = s.markAll(trial, managed)
			changed = changed || marked
		}
		switch {
		case refusal != nil && err == nil:
			err = unusable("cannot have what %s asks for: %v", overlay.Field, refusal)
		case refusal == nil && !changed:
			fits = append(fits, i)
		}
	}
	return fits, err
}

// everyOverlay are the overlays of a Target.
func everyOverlay(t trafficrouting.Target) []v1alpha1.Overlay {
	if t.Overlays == nil {
		return []v1alpha1.Overlay{{}}
	}
	return t.Overlays
}

// idle are problems with overlays that come to nothing on routes that have nothing of any.
func idle(t trafficrouting.Target, fits []int) []trafficrouting.Problem {
	var out []trafficrouting.Problem
	for _, i := range fits {
		if fits[0] == int(v1alpha1.NoOverlay) && i > 0 {
			out = append(out, trafficrouting.Problem{
				Reason: v1alpha1.ReasonRouteUnusable, Field: t.Overlays[i].Field + ".match",
				Message: "no rule of the routes gets such requests: write a path in match that is within the paths of a rule",
			})
		}
	}
	return out
}
