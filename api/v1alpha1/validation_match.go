package v1alpha1

import (
	"regexp"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// cookieHeader is the header that cookies travel in, in lower case.
const cookieHeader = "cookie"

// validateMatches looks at the conditions on requests of a step. Patterns of names and values are the schema's alone.
func validateMatches(matches []RequestMatch, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for i := range matches {
		errs = append(errs, validateRequest(&matches[i], path.Index(i))...)
	}
	return errs
}

func validateRequest(m *RequestMatch, path *field.Path) field.ErrorList {
	if m.Path == nil && m.Cookie == nil && len(m.Headers)+len(m.QueryParams) == 0 {
		return field.ErrorList{field.Required(path, "an entry without conditions would send every request to the candidate: "+
			"write path, headers, cookie or queryParams, or remove it")}
	}
	var errs field.ErrorList
	if m.Path != nil && !strings.HasPrefix(m.Path.Value, "/") {
		errs = append(errs, field.Invalid(path.Child("path", "value"), m.Path.Value, "a path begins with a slash: write /cart"))
	}
	seen := map[string]bool{}
	for i, h := range m.Headers {
		name := strings.ToLower(h.Name)
		switch {
		case name == cookieHeader && m.Cookie != nil:
			errs = append(errs, field.Forbidden(path.Child("headers"),
				"cookie is a condition on the header Cookie, and a header can have one only: remove the one or the other"))
		case seen[name]:
			errs = append(errs, field.Duplicate(path.Child("headers").Index(i).Child("name"), h.Name))
		}
		seen[name] = true
	}
	return errs
}

// cookieName is what the schema lets a cookie be called.
const cookieName = `^[A-Za-z0-9_-]{1,64}$`

// Limits of how long a client keeps a cookie.
const (
	leastMaxAge = time.Minute
	mostMaxAge  = 8760 * time.Hour
)

// validateSticky looks at what keeps clients with a version.
func validateSticky(c *CanaryStrategy, path *field.Path) field.ErrorList {
	if c.Sticky == nil {
		return nil
	}
	var errs field.ErrorList
	sticky := path.Child("sticky")
	if !regexp.MustCompile(cookieName).MatchString(c.Sticky.Cookie) {
		errs = append(errs, field.Invalid(sticky.Child("cookie"), c.Sticky.Cookie,
			"write the name of a cookie of at most 64 letters, digits, - and _, such as web-cohort"))
	}
	if age := c.Sticky.MaxAgeOrDefault(); age < leastMaxAge || age > mostMaxAge {
		errs = append(errs, field.Invalid(sticky.Child("maxAge"), age.String(), `write a duration such as "24h", at least "1m" and at most "8760h"`))
	}
	before := int32(0)
	for i := range c.Steps {
		if c.Steps[i].Weight == nil {
			continue
		}
		weight, err := ParseWeight(*c.Steps[i].Weight)
		if err == nil && weight < before {
			errs = append(errs, field.Forbidden(path.Child("steps"), "with sticky the weights of steps must not fall, as clients of the "+
				"candidate stay with it: write weights that rise, or remove sticky"))
			break
		}
		before = max(before, weight)
	}
	return errs
}
