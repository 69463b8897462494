package share

import (
	"reflect"

	"k8s.io/apimachinery/pkg/runtime"
)

// Standbys returns new entries that give the standby Service all that the two Services have of the list, and nothing to
// anybody else. Their weights are in lowest terms, so that they are the same whatever share the standby has of the list.
func (l *List) Standbys() []any {
	var w weights
	w.pools = l.weights().pools
	w = w.lowestTerms()
	entries := make([]any, 0, len(l.pools))
	for i, p := range l.pools {
		if w.pools[i] == 0 {
			continue
		}
		entry := l.standbyOf(p)
		entry["weight"] = w.pools[i]
		entries = append(entries, entry)
	}
	return entries
}

// standbyOf is a copy of the standby entry of a pool, or of what would be put in for it.
func (l *List) standbyOf(p pool) map[string]any {
	if p.standby != none {
		return runtime.DeepCopyJSON(l.backends[p.standby].Fields)
	}
	return l.twin(p)
}

// twin is a copy of the active entry of a pool for the standby Service.
func (l *List) twin(p pool) map[string]any {
	out := runtime.DeepCopyJSON(l.backends[p.active].Fields)
	l.form.Rename(out)
	return out
}

// Restorable says whether the standby entries of the list would come back as they are if they were taken out: as copies of
// their active ones, but for the weight.
func (l *List) Restorable() bool {
	for _, p := range l.pools {
		if len(p.surplus) > 0 {
			return false
		}
		if p.standby == none {
			continue
		}
		own, copied := l.standbyOf(p), l.twin(p)
		delete(own, "weight")
		delete(copied, "weight")
		if !reflect.DeepEqual(own, copied) {
			return false
		}
	}
	return true
}

// At returns new entries with the standby's share of every pool, in tenths of a percent from 0 to 1000, whatever share the
// standby has of the list now: the same ones for the same share. At 0 there is none of the standby Service. The error is that
// of Render.
func (l *List) At(share int32) ([]any, error) {
	lowest := l.weights().lowestTerms()
	backends := make([]Backend, len(l.backends))
	for i, b := range l.backends {
		b.Fields = runtime.DeepCopyJSON(b.Fields)
		backends[i] = b
	}
	set := func(i int, weight int64) { backends[i].Weight, backends[i].Fields["weight"] = weight, weight }
	for i, other := range l.others {
		set(other, lowest.others[i])
	}
	for i, b := range backends {
		if b.Role == Standby {
			set(i, 0)
		}
	}
	for i, p := range l.pools {
		set(p.active, lowest.pools[i])
	}
	copied := NewList(l.path, l.form, backends)
	entries, err := copied.Render(share)
	if err == nil && share == 0 {
		entries, _ = copied.Without()
	}
	return entries, err
}
