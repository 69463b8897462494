package share

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/sluice-dev/sluice/trafficrouting"
)

// none is the index of a backend that is not there.
const none = -1

// Role is what a backend is to a Rollout.
type Role int

const (
	// Other is a backend of somebody else, which keeps its share.
	Other Role = iota
	// Active is a backend of the active Service.
	Active
	// Standby is a backend of the standby Service.
	Standby
)

// Backend is one entry of a list.
type Backend struct {
	// Fields are those of the entry, as they stand in the object; List.Render writes their "weight".
	Fields map[string]any
	// Role is whose backend it is.
	Role Role
	// Port tells backends of one Service apart, if it has several. It is compared only; nil is a port as well.
	Port any
	// Weight is what the entry has of the requests, relative to the others, with the defaults of its kind.
	Weight int64
}

// Form is what a kind of object asks of a list of backends.
type Form struct {
	// Noun is what the kind calls its backends, "backendRefs", for messages.
	Noun string
	// Largest is the largest weight of one backend.
	Largest int64
	// Most is the largest number of backends; 0 is no limit.
	Most int
	// Standby is the name of the standby Service, for messages.
	Standby string
	// Rename makes of a copy of an entry of the active Service one of the standby Service.
	Rename func(fields map[string]any)
	// Alone says that the weight of a backend that is the only one has no meaning and is left out.
	Alone bool
	// Leaves says that the standby Service is in the list only while it has a share.
	Leaves bool
}

// pool is one backend of the active Service, and those of the standby Service that take over from it.
type pool struct {
	// active is the index of the backend in the list.
	active int
	// standby is the index of the backend that gets the standby's share; none when it has yet to be put in.
	standby int
	// surplus are further standby backends, which the active Service has no twins for. Their weight counts as the
	// standby's, and goes to the first one with the next write.
	surplus []int
}

// List is a list of backends between which requests are shared.
type List struct {
	path     string
	form     Form
	backends []Backend
	pools    []pool
	others   []int
}

// NewList makes a List of backends in their order. The path says where it is in its object, "spec.rules[0]", for messages.
func NewList(path string, form Form, backends []Backend) *List {
	l := &List{path: path, form: form, backends: backends}
	l.pair()
	return l
}

// pair makes a pool of each active backend. Its standby is the one with the same port, or else one that has no twin:
// the standby Service may have its own ports. Everything else goes to others.
func (l *List) pair() {
	var standbys, odd []int
	for i, b := range l.backends {
		switch b.Role {
		case Active:
			l.pools = append(l.pools, pool{active: i, standby: none})
		case Standby:
			standbys = append(standbys, i)
		case Other:
			l.others = append(l.others, i)
		}
	}
	if len(l.pools) == 0 {
		return
	}
	for _, s := range standbys {
		if !l.place(s, func(p pool) bool { return l.backends[p.active].Port == l.backends[s].Port }) {
			odd = append(odd, s)
		}
	}
	for _, s := range odd {
		if !l.place(s, func(pool) bool { return true }) {
			l.pools[0].surplus = append(l.pools[0].surplus, s)
		}
	}
}

// place gives a standby backend to the first pool that has none and that fits.
func (l *List) place(standby int, fits func(pool) bool) bool {
	for i, p := range l.pools {
		if p.standby == none && fits(p) {
			l.pools[i].standby = standby
			return true
		}
	}
	return false
}

// Managed says whether the list sends requests to the application: it has a backend of the active Service, and not all
// that the two Services have together is 0, which somebody has turned off on purpose.
func (l *List) Managed() bool {
	var sum int64
	for _, weight := range l.weights().pools {
		sum += weight
	}
	return sum > 0
}

// HasStandby says whether a list with a backend of the active Service has one of the standby Service.
func (l *List) HasStandby() bool {
	return slices.ContainsFunc(l.pools, func(p pool) bool { return p.standby != none || len(p.surplus) > 0 })
}

// Paired says whether every backend of the active Service has one of the standby Service.
func (l *List) Paired() bool {
	return !slices.ContainsFunc(l.pools, func(p pool) bool { return p.standby == none })
}

// standbyWeight is what the standby has of a pool, in the weights of the list.
func (l *List) standbyWeight(p pool) int64 {
	var sum int64
	if p.standby != none {
		sum = l.backends[p.standby].Weight
	}
	for _, i := range p.surplus {
		sum += l.backends[i].Weight
	}
	return sum
}

// weights are those of the list, as they bear on a split.
func (l *List) weights() weights {
	var w weights
	for _, p := range l.pools {
		w.pools = append(w.pools, l.backends[p.active].Weight+l.standbyWeight(p))
	}
	for _, i := range l.others {
		w.others = append(w.others, l.backends[i].Weight)
	}
	return w
}

// Weight is the standby's share of every pool, in tenths of a percent; false when the pools disagree or when the share
// is no whole number of tenths.
func (l *List) Weight() (int32, bool) {
	weight := int64(none)
	for _, p := range l.pools {
		standby := l.standbyWeight(p)
		size := l.backends[p.active].Weight + standby
		if size == 0 {
			continue
		}
		if standby*perMille%size != 0 {
			return 0, false
		}
		if share := standby * perMille / size; weight == none || weight == share {
			weight = share
			continue
		}
		return 0, false
	}
	return int32(weight), weight != none
}

// Has says whether there is nothing to write for a share.
func (l *List) Has(share int32) bool {
	weight, ok := l.Weight()
	return ok && weight == share && (share > 0 || !l.form.Leaves || !l.HasStandby())
}

// missing is the number of standby backends that have yet to be put in.
func (l *List) missing() int {
	n := 0
	for _, p := range l.pools {
		if p.standby == none && l.backends[p.active].Weight > 0 {
			n++
		}
	}
	return n
}

// room says whether the standby backends that are missing can be put in.
func (l *List) room() error {
	if n := len(l.backends) + l.missing(); l.form.Most > 0 && n > l.form.Most {
		return trafficrouting.Unusable("%s has no room for the standby Service: it has %d %s, and the API allows %d: take %d out",
			l.path, len(l.backends), l.form.Noun, l.form.Most, n-l.form.Most)
	}
	return nil
}

// Check says whether every weight can be written to the list. The error is a *trafficrouting.RouteError.
func (l *List) Check() error {
	if err := l.room(); err != nil {
		return err
	}
	if !l.weights().divisible(l.form.Largest) {
		return trafficrouting.Unusable("%s has weights that cannot be divided into tenths of a percent within the %d that the "+
			"API allows: %s", l.path, l.form.Largest, l.cure())
	}
	return nil
}

// cure says what to write in place of weights that cannot be divided.
func (l *List) cure() string {
	if most := l.form.Largest / perMille; most > 0 {
		return fmt.Sprintf("write weights of at most %d, those of the two Services counted together", most)
	}
	return "leave the two Services alone in it, and send requests to other backends elsewhere"
}

// Render returns the entries of the list with the standby's share of every pool, in tenths of a percent from 0 to 1000,
// and writes weights into the fields of the backends. A standby that is missing is put in behind its active backend, as a
// copy of it. The error is a *trafficrouting.RouteError; a weight of 0 is refused only to a list whose weights of active and
// standby together are beyond the largest.
func (l *List) Render(share int32) ([]any, error) {
	if share > 0 {
		if err := l.room(); err != nil {
			return nil, err
		}
	}
	out, ok := l.weights().at(share, l.form.Largest)
	if !ok {
		return nil, trafficrouting.Unusable("%s has weights that cannot give %s an exact share within the %d that the API allows: %s",
			l.path, l.form.Standby, l.form.Largest, l.cure())
	}
	twins := l.setWeights(out)
	if share == 0 && l.form.Leaves {
		entries, _ := l.Without()
		return entries, nil
	}
	entries := make([]any, 0, len(l.backends)+len(twins))
	for i, b := range l.backends {
		entries = append(entries, b.Fields)
		if twin, ok := twins[i]; ok {
			entries = append(entries, twin)
		}
	}
	return entries, nil
}

// setWeights writes the weights of a split, and makes the standby backends that are missing, by the index of their active ones.
func (l *List) setWeights(out split) map[int]map[string]any {
	for i, other := range l.others {
		l.setWeight(other, out.others[i])
	}
	twins := make(map[int]map[string]any)
	for i, p := range l.pools {
		l.setWeight(p.active, out.active[i])
		l.setStandby(p, out.standby[i])
		if p.standby == none && out.standby[i] > 0 {
			twin := runtime.DeepCopyJSON(l.backends[p.active].Fields)
			l.form.Rename(twin)
			twin["weight"] = out.standby[i]
			twins[p.active] = twin
		}
	}
	return twins
}

// Without returns the entries of the list without those of the standby Service, and whether there were any. What they had
// of the requests has to be on the active Service by then: see Render.
func (l *List) Without() (entries []any, changed bool) {
	entries = make([]any, 0, len(l.backends))
	for _, b := range l.backends {
		if b.Role != Standby {
			entries = append(entries, b.Fields)
		}
	}
	if !l.HasStandby() {
		return entries, false
	}
	if only, ok := entries[0].(map[string]any); ok && len(entries) == 1 && l.form.Alone {
		delete(only, "weight")
	}
	return entries, true
}

// setStandby writes the weight of the standby backend that a pool has, and takes the rest of them out of traffic.
func (l *List) setStandby(p pool, weight int64) {
	if p.standby != none {
		l.setWeight(p.standby, weight)
	}
	for _, surplus := range p.surplus {
		l.setWeight(surplus, 0)
	}
}

// setWeight writes the weight of a backend, unless it has it already, by default or in writing.
func (l *List) setWeight(i int, weight int64) {
	if b := l.backends[i]; b.Weight != weight {
		b.Fields["weight"] = weight
	}
}
