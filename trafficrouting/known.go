package trafficrouting

import (
	"errors"
	"fmt"
	"slices"
)

// Same says whether two routes are the same object.
func (r Route) Same(other Route) bool {
	return r.Kind == other.Kind && r.Namespace == other.Namespace && r.Name == other.Name
}

// Recalled are routes with what the target knows of each.
func (t Target) Recalled(routes []Route) []Route {
	out := slices.Clone(routes)
	for i, route := range out {
		if at := slices.IndexFunc(t.Known, route.Same); at >= 0 {
			out[i].UID, out[i].Before = t.Known[at].UID, append([]string{}, t.Known[at].Before...)
			out[i].Made = t.Known[at].Made
		}
	}
	return out
}

// Parted adds to routes the known ones that nothing names or picks any more, if the target keeps them; else they come back as
// left. One that is gone, or is what it was, which differs says, is forgotten. A *RouteError means that it cannot be read.
func (t Target) Parted(routes []Route, differs func(known Route) (bool, error)) (all, left []Route, err error) {
	all = routes
	for _, known := range t.Known {
		if slices.ContainsFunc(routes, known.Same) {
			continue
		}
		still, err := differs(known)
		var gone *RouteError
		switch {
		case errors.As(err, &gone):
		case err != nil:
			return nil, nil, fmt.Errorf("%s: %w", known, err)
		case still && t.Keep:
			all = append(all, known)
		case still:
			left = append(left, known)
		}
	}
	return all, left, nil
}
