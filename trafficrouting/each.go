package trafficrouting

import (
	"errors"
	"fmt"
)

// ObserveEach observes each route of a target, and takes what they say together. The messages of problems are given the
// name of their route, and its field; of the Writers of one only Manager and Altered count.
func ObserveEach(t Target, observe func(Route) (Observed, error)) (Observed, error) {
	out := Observed{Weight: WeightUnknown, Accepted: len(t.Routes) > 0}
	for i, route := range t.Routes {
		one, err := observe(route)
		if err != nil {
			return Observed{Weight: WeightUnknown}, fmt.Errorf("%s: %w", route, err)
		}
		if i == 0 {
			out.Weight, out.Overlays, out.Source = one.Weight, one.Overlays, one.Source
		} else if out.Weight != one.Weight {
			out.Weight = WeightUnknown
		}
		out.Overlays = Common(out.Overlays, one.Overlays)
		out.Accepted = out.Accepted && one.Accepted
		out.Attached = out.Attached || one.Attached
		out.Settle = max(out.Settle, one.Settle)
		if out.Source != one.Source {
			out.Source = ""
		}
		out.Stale, out.Owned = out.Stale || one.Stale, out.Owned || one.Owned
		out.Versions, out.Routes = append(out.Versions, one.Versions...), append(out.Routes, one.Routes...)
		out.Writers = append(out.Writers, one.writer(route))
		for _, p := range one.Problems {
			p.Field, p.Message = route.Field, fmt.Sprintf("%s: %s", route, p.Message)
			out.Problems = append(out.Problems, p)
		}
	}
	return out, nil
}

// WriteEach writes each route of a target, with its place in the target. A *RouteError stands in the way of its route alone,
// and Observe tells of it; any other error does not keep the rest from being written.
func WriteEach(t Target, write func(i int, route Route) error) error {
	var failed []error
	for i, route := range t.Routes {
		if _, err := Mend(write(i, route)); err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", route, err))
		}
	}
	return errors.Join(failed...)
}

// Mend turns an error that a person must mend into a problem, for ObserveEach to complete; other errors stay errors.
func Mend(err error) ([]Problem, error) {
	var route *RouteError
	if !errors.As(err, &route) {
		return nil, err
	}
	return []Problem{{Reason: route.Reason, Message: route.Message}}, nil
}
