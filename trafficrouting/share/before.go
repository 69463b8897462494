package share

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"
)

// What a list was before a Rollout wrote to it is remembered as a text: for each backend, in order, its role, its port and,
// if one is written, its weight, as in "active:80 other:80=100". With it the list can be made again from what has become
// of it, to the last byte, as Render adds backends of the standby Service in places that follow from the rest, and changes
// weights alone. A kind that takes a weight which is not written for something else than 1 has that behind a tilde: "standby~0".

// entry is what is remembered of a backend.
type entry struct {
	role    Role
	port    string
	weight  int64
	written bool
}

// roleNames are the roles as they are written down.
func roleNames() []string { return []string{Other: "other", Active: "active", Standby: "standby"} }

// String is the entry as it is written down.
func (e entry) String() string {
	out := roleNames()[e.role]
	if e.port != "" {
		out += ":" + e.port
	}
	switch number := strconv.FormatInt(e.weight, 10); {
	case e.written:
		out += "=" + number
	case e.weight != 1:
		out += "~" + number
	}
	return out
}

// parseEntry reads an entry; false when it is none.
func parseEntry(text string) (entry, bool) {
	rest, weight, written := strings.Cut(text, "=")
	tilde := false
	if !written {
		rest, weight, tilde = strings.Cut(text, "~")
	}
	name, port, _ := strings.Cut(rest, ":")
	role := slices.Index(roleNames(), name)
	out := entry{role: Role(role), port: port, weight: 1, written: written}
	if !written && !tilde {
		return out, role >= 0
	}
	number, err := strconv.ParseInt(weight, 10, 64)
	out.weight = number
	return out, err == nil && number >= 0 && role >= 0
}

// parseBefore reads what was remembered of a list; false when it is nothing of ours.
func parseBefore(before string) ([]entry, bool) {
	var out []entry
	for _, text := range strings.Fields(before) {
		e, ok := parseEntry(text)
		if !ok {
			return nil, false
		}
		out = append(out, e)
	}
	return out, len(out) > 0
}

// text is the list as it is written down.
func (l *List) text() string {
	out := make([]string, 0, len(l.backends))
	for _, b := range l.backends {
		e := entry{role: b.Role, port: portText(b.Port), weight: b.Weight}
		_, e.written = b.Fields["weight"]
		out = append(out, e.String())
	}
	return strings.Join(out, " ")
}

// Before says what is to be remembered of the list, given what has been, or "" for nothing. What has been is kept as long
// as the list can have come of it by writes of ours. When somebody else has written other weights, these are what the list
// is to be again; what they give the standby Service goes to the active one, as the standby has no requests of its own.
func (l *List) Before(known string) string {
	if l.Follows(known) {
		return known
	}
	base := l
	if l.standbyTotal() > 0 {
		if _, kept, ok := l.origin(known); ok {
			base = l.only(kept)
		}
		base = base.home()
	}
	return base.text()
}

// Origin is the list as it was, made from what it is now; false when it cannot have come of that.
func (l *List) Origin(before string) (*List, bool) {
	origin, _, ok := l.origin(before)
	return origin, ok
}

// Follows says whether the list can have come of what it was by writes of ours: nothing has changed, or the standby Service
// has a share and everybody else has what they had.
func (l *List) Follows(before string) bool {
	origin, _, ok := l.origin(before)
	if !ok {
		return false
	}
	if l.standbyTotal() == 0 {
		return l.Same(origin)
	}
	return reflect.DeepEqual(l.weights().lowestTerms(), origin.weights().lowestTerms())
}

// Same says whether two lists have the same entries.
func (l *List) Same(other *List) bool { return reflect.DeepEqual(l.Entries(), other.Entries()) }

// Entries are the entries of the list as they stand.
func (l *List) Entries() []any {
	out := make([]any, 0, len(l.backends))
	for _, b := range l.backends {
		out = append(out, b.Fields)
	}
	return out
}

// standbyTotal is what the standby has of all pools.
func (l *List) standbyTotal() int64 {
	var sum int64
	for _, p := range l.pools {
		sum += l.standbyWeight(p)
	}
	return sum
}

// origin is the list as it was, and the places of its entries in the present one.
func (l *List) origin(before string) (origin *List, kept []int, ok bool) {
	entries, ok := parseBefore(before)
	if !ok {
		return nil, nil, false
	}
	if kept, ok = l.locate(entries); !ok {
		return nil, nil, false
	}
	backends := l.pick(kept)
	for i, e := range entries {
		backends[i].Weight = e.weight
		delete(backends[i].Fields, "weight")
		if e.written {
			backends[i].Fields["weight"] = e.weight
		}
	}
	return NewList(l.path, l.form, backends), kept, true
}

// locate finds entries in the list: all of them in their order, and between them nothing, or what Render puts in.
func (l *List) locate(entries []entry) (kept []int, ok bool) {
	twins := twinsOf(entries)
	added := len(l.backends) > len(entries)
	if added && len(l.backends) != len(entries)+len(twins) {
		return nil, false
	}
	at := 0
	for i, e := range entries {
		if at >= len(l.backends) || !l.is(at, e.role, e.port) {
			return nil, false
		}
		kept = append(kept, at)
		at++
		if added && twins[i] {
			if at >= len(l.backends) || !l.is(at, Standby, e.port) {
				return nil, false
			}
			at++
		}
	}
	return kept, at == len(l.backends)
}

// is says whether a backend has a role and a port.
func (l *List) is(i int, role Role, port string) bool {
	b := l.backends[i]
	return b.Role == role && portText(b.Port) == port
}

// portText is a port as it is written down.
func portText(port any) string {
	if port == nil {
		return ""
	}
	return fmt.Sprint(port)
}

// twinsOf are the entries behind which Render puts a backend of the standby Service.
func twinsOf(entries []entry) map[int]bool {
	backends := make([]Backend, 0, len(entries))
	for _, e := range entries {
		backends = append(backends, Backend{Role: e.role, Port: e.port, Weight: e.weight})
	}
	out := map[int]bool{}
	for _, p := range NewList("", Form{}, backends).pools {
		if p.standby == none && entries[p.active].weight > 0 {
			out[p.active] = true
		}
	}
	return out
}

// pick copies some of the backends.
func (l *List) pick(which []int) []Backend {
	out := make([]Backend, 0, len(which))
	for _, i := range which {
		b := l.backends[i]
		b.Fields = runtime.DeepCopyJSON(b.Fields)
		out = append(out, b)
	}
	return out
}

// only is a list of the backends in some places, in which each pool has what it has here.
func (l *List) only(kept []int) *List {
	out := NewList(l.path, l.form, l.pick(kept))
	for i, p := range out.pools {
		out.write(p.active, l.weights().pools[i]-out.standbyWeight(p))
	}
	return out
}

// home is the list with all of every pool on its active backend.
func (l *List) home() *List {
	all := make([]int, len(l.backends))
	for i := range all {
		all[i] = i
	}
	out := NewList(l.path, l.form, l.pick(all))
	for i, p := range out.pools {
		out.write(p.active, l.weights().pools[i])
		if p.standby != none {
			out.write(p.standby, 0)
		}
		for _, surplus := range p.surplus {
			out.write(surplus, 0)
		}
	}
	return out
}

// write gives a backend a weight, in writing.
func (l *List) write(i int, weight int64) {
	l.backends[i].Weight = weight
	l.backends[i].Fields["weight"] = weight
}
