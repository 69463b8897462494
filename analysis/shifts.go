package analysis

import (
	"time"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// rest is a time in which traffic stood still.
type rest struct {
	span
	// weight of the candidate, in percent; empty when nobody told.
	weight string
}

// over says whether a rest has ended.
func (r rest) over() bool { return !r.to.IsZero() }

// rests are the times in which traffic stood still, oldest first, without the first scrape of each. Where no shifts are told
// of, it always does.
func rests(shifts []v1alpha1.TrafficShift) []rest {
	if len(shifts) == 0 {
		return []rest{{}}
	}
	var all []rest
	for i, shift := range shifts {
		if shift.Weight == "" {
			continue
		}
		still := rest{span{from: shift.At.Add(v1alpha1.ShiftMargin)}, shift.Weight}
		if i+1 < len(shifts) {
			still.to = shifts[i+1].At.Time
		}
		all = append(all, still)
	}
	return all
}

// restAfter is what is left, after a time, of the first rest in which something can be counted; false while traffic moves.
func restAfter(shifts []v1alpha1.TrafficShift, after time.Time) (rest, bool) {
	for _, r := range rests(shifts) {
		r.from = later(r.from, after)
		if !r.over() || r.to.After(r.from) {
			return r, true
		}
	}
	return rest{}, false
}

// weightAt is the weight of a batch with this end; empty when nobody told.
func weightAt(shifts []v1alpha1.TrafficShift, end time.Time) string {
	for _, r := range rests(shifts) {
		if end.After(r.from) && (!r.over() || !end.After(r.to)) {
			return r.weight
		}
	}
	return ""
}

// dueAt is when the next measurement of a metric is due; false when that is not known until traffic comes to rest.
func dueAt(spec v1alpha1.AnalysisRunSpec, index int, status v1alpha1.AnalysisRunStatus) (time.Time, bool) {
	metric, next := spec.Metrics[index], status.Metrics[index].NextAt.Time
	if kindOf(&metric) == nil {
		return next, true
	}
	r, ok := restAfter(spec.Shifts, from(metric, status, index))
	if !ok {
		return time.Time{}, false
	}
	end := r.from.Add(interval(metric))
	if r.over() && r.to.Before(end) {
		end = r.to
	}
	return later(next, end.Add(lagOf(status.Metrics[index].Comparison))), true
}

// later is the later of two times.
func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
