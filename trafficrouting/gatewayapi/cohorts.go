package gatewayapi

import (
	"fmt"
	"regexp"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// Clients that keep a cookie are given to a version once, and stay with the candidate as long as it has requests.
//
// A managed rule shares requests without such a cookie by weight, and each of its backends says with Set-Cookie which side has
// answered: candidate.<release>, or stable.<weight>.<release>. In front of it stand generated rules for each cookie:
//
//	candidate            all to the candidate
//	stable, this weight  all to stable
//	stable, e before w   to the candidate with the chance (w−e)/(1−e), and with a new cookie
//
// Of clients that were drawn at e, 1−e have a cookie of stable, and so w of all are with the candidate at w, whichever steps a
// client was away for. Chances are rounded down to a tenth of a percent, so that it never has more. The cookie of another release
// is no cookie at all. Other backends of a rule keep their share of the requests of every client.

const (
	responseModifier    = "ResponseHeaderModifier"
	responseModifierKey = "responseHeaderModifier"
	setCookie           = "Set-Cookie"
	cookieHeaderName    = "Cookie"
)

// cohort is a rule for clients with one cookie.
type cohort struct {
	suffix, value string
	// share of the candidate in tenths of a percent, and draws that the answer sets a new cookie.
	share int32
	draws bool
}

// cohorts are the rules for clients with a cookie.
func (s Split) cohorts() []cohort {
	c := s.Overlay.Cohorts
	if c == nil {
		return nil
	}
	out := []cohort{
		{suffix: "-candidate", value: candidateCookie(c), share: v1alpha1.MaxWeight},
		{suffix: "-stable", value: stableCookie(c, c.Weight)},
	}
	for _, earlier := range c.Earlier {
		chance := (c.Weight - earlier) * v1alpha1.MaxWeight / (v1alpha1.MaxWeight - earlier)
		out = append(out, cohort{
			suffix: fmt.Sprintf("-after-%d", earlier), value: stableCookie(c, earlier), share: chance, draws: true,
		})
	}
	return out
}

func candidateCookie(c *v1alpha1.Cohorts) string { return "candidate." + c.Release }

func stableCookie(c *v1alpha1.Cohorts, weight int32) string {
	return fmt.Sprintf("stable.%d.%s", weight, c.Release)
}

// cohortRules are the generated rules of a managed one for clients with a cookie.
func (s Split) cohortRules(kind string, r *rule, name string) ([]map[string]any, error) {
	var out []map[string]any
	for _, c := range s.cohorts() {
		matches, err := s.matching(kind, r, []v1alpha1.RequestMatch{{
			Cookie: &v1alpha1.CookieMatch{Name: s.Overlay.Cohorts.Cookie, Value: c.value},
		}})
		if err != nil {
			return nil, err
		}
		refs, err := r.At(c.share)
		if err != nil {
			return nil, err
		}
		made := s.generated(r, name+c.suffix, matches)
		if made["backendRefs"] = refs; c.draws {
			if _, err := s.mark(r, made); err != nil {
				return nil, err
			}
		}
		out = append(out, made)
	}
	return out, nil
}

// unlessCookie adds to matches those that hold beside any cookie, where otherwise a rule for clients with a cookie would go
// first: a condition on a header counts more than one on the query.
func (s Split) unlessCookie(matches []v1alpha1.RequestMatch) []v1alpha1.RequestMatch {
	if s.Overlay.Cohorts == nil {
		return matches
	}
	var out []v1alpha1.RequestMatch
	for _, m := range matches {
		out = append(out, m)
		if m.Cookie == nil && len(m.Headers) == 0 {
			m.Headers = []v1alpha1.ValueMatch{{
				Type: v1alpha1.MatchRegularExpression, Name: cookieHeaderName,
				Value: `^(.*;\s*)?` + regexp.QuoteMeta(s.Overlay.Cohorts.Cookie+"="),
			}}
			out = append(out, m)
		}
	}
	return out
}

// markAll gives the backends of every managed rule the cookies that are wanted, takes those of every other rule off, and says
// whether anything has changed. The managed rules are those that parseRules found.
func (s Split) markAll(route *unstructured.Unstructured, managed []*rule) (changed bool, err error) {
	for i, item := range ruleItems(route) {
		fields, _ := item.(map[string]any)
		if fields == nil || s.services(route).generated(item) {
			continue
		}
		bare := s
		bare.Overlay.Cohorts = nil
		r := &rule{path: rulePath(i), services: s.services(route)}
		if slices.ContainsFunc(managed, func(m *rule) bool { return sameObject(item, m.fields) }) {
			bare.Overlay.Cohorts = s.Overlay.Cohorts
		}
		marked, err := bare.mark(r, fields)
		if err != nil {
			return false, err
		}
		changed = changed || marked
	}
	return changed, nil
}

// mark gives backends of the two Services in a rule the cookie that says so, or takes it off.
func (s Split) mark(r *rule, fields map[string]any) (changed bool, err error) {
	refs, _ := fields["backendRefs"].([]any)
	for i, item := range refs {
		ref, ok := item.(map[string]any)
		value := s.cookieOf(r.services, ref)
		if !ok || value == "" && !hasCookie(ref) {
			continue
		}
		bare := withoutCookie(ref)
		filters, _ := bare["filters"].([]any)
		if value != "" {
			if slices.ContainsFunc(filters, func(f any) bool { return typeOf(f) == responseModifier }) {
				return false, unusable("%s.backendRefs[%d] has a %s of its own, and cannot get the one that sets the cookie %s: write it "+
					"into the filters of the rule", r.path, i, responseModifier, s.Overlay.Cohorts.Cookie)
			}
			filters = append(slices.Clone(filters), cookieFilter(value))
		}
		if old, _ := ref["filters"].([]any); slices.EqualFunc(old, filters, alike) {
			continue
		}
		changed = true
		setFilters(ref, filters)
	}
	return changed, nil
}

// cookieOf is the cookie that answers of a backend are to set; empty for none.
func (s Split) cookieOf(names services, ref map[string]any) string {
	c := s.Overlay.Cohorts
	if c == nil || ref == nil {
		return ""
	}
	var value string
	switch {
	case names.refers(ref, names.standby):
		value = candidateCookie(c)
	case names.refers(ref, names.active):
		value = stableCookie(c, c.Weight)
	default:
		return ""
	}
	return fmt.Sprintf("%s=%s; Path=/; Max-Age=%d; HttpOnly; SameSite=Lax", c.Cookie, value, c.MaxAge/time.Second)
}

// cookieFilter sets a cookie with an answer.
func cookieFilter(value string) map[string]any {
	return map[string]any{"type": responseModifier, responseModifierKey: map[string]any{
		"add": []any{map[string]any{"name": setCookie, "value": value}},
	}}
}

// setsCookie says whether a filter is one that was made to set a cookie.
func setsCookie(filter any) bool {
	fields, _ := filter.(map[string]any)
	modifier, _ := fields[responseModifierKey].(map[string]any)
	add, _ := modifier["add"].([]any)
	if len(modifier) != 1 || len(add) != 1 {
		return false
	}
	header, _ := add[0].(map[string]any)
	value, _ := header["value"].(string)
	return header["name"] == setCookie &&
		regexp.MustCompile(`^[^=;]+=(candidate|stable)\.[0-9a-z.-]+; Path=/; Max-Age=[0-9]+; HttpOnly; SameSite=Lax$`).MatchString(value)
}

func hasCookie(ref map[string]any) bool {
	filters, _ := ref["filters"].([]any)
	return slices.ContainsFunc(filters, setsCookie)
}

// withoutCookie is a backend without what was made to set a cookie: the backend itself when there is nothing of it.
func withoutCookie(ref map[string]any) map[string]any {
	if !hasCookie(ref) {
		return ref
	}
	out := runtime.DeepCopyJSON(ref)
	filters, _ := out["filters"].([]any)
	setFilters(out, slices.DeleteFunc(filters, setsCookie))
	return out
}

// ofCohort says whether a rule with such a name is one for clients with a cookie: all of its matches ask for one.
func ofCohort(fields map[string]any) bool {
	matches, _ := fields["matches"].([]any)
	return len(matches) > 0 && !slices.ContainsFunc(matches, func(item any) bool {
		match, _ := item.(map[string]any)
		headers, _ := match["headers"].([]any)
		return !slices.ContainsFunc(headers, func(item any) bool {
			header, _ := item.(map[string]any)
			value, _ := header["value"].(string)
			return header["name"] == cookieHeaderName && regexp.MustCompile(`=(candidate|stable)\\\.`).MatchString(value)
		})
	})
}

func typeOf(filter any) string {
	fields, _ := filter.(map[string]any)
	text, _ := fields["type"].(string)
	return text
}
