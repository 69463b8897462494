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
		if out.Source != one.Source {
			out.Source = ""
		}
		out.take(one, route)
	}
	return out, nil
}

// take adds to what is observed what one more route says of all but weight and source.
func (o *Observed) take(one Observed, route Route) {
	o.Overlays = Common(o.Overlays, one.Overlays)
	o.Accepted = o.Accepted && one.Accepted
	o.Attached = o.Attached || one.Attached
	o.Settle = max(o.Settle, one.Settle)
	o.Stale, o.Owned = o.Stale || one.Stale, o.Owned || one.Owned
	o.Versions, o.Routes = append(o.Versions, one.Versions...), append(o.Routes, one.Routes...)
	o.Writers = append(o.Writers, one.writer(route))
	for _, p := range one.Problems {
		p.Field, p.Message = route.Field, fmt.Sprintf("%s: %s", route, p.Message)
		o.Problems = append(o.Problems, p)
	}
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
