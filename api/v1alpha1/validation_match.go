package v1alpha1

import (
	"strings"

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
