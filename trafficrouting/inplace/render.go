package inplace

import (
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/sluice-dev/sluice/trafficrouting"
	"github.com/sluice-dev/sluice/trafficrouting/share"
)

// Split is the wanted state of an object: which Services share the requests of which of its parts, and how.
type Split struct {
	// Namespace of the two Services.
	Namespace string
	// Active and Standby are their names.
	Active, Standby string
	// Rules are the names of the parts that are shared; empty means each that sends requests to the active Service.
	Rules []string
	// Before is what is remembered of the shared lists, as Before gives it; nil when nothing is and nothing is to be.
	Before []string
	// Weight is the share of the standby Service in tenths of a percent, 0 to 1000.
	Weight int32
}

// Names says whether a part with a name, or without one, may be shared.
func (s Split) Names(name string) bool { return len(s.Rules) == 0 || slices.Contains(s.Rules, name) }

// Role is what a backend is, by a question about it: is it the Service of that name?
func (s Split) Role(is func(service string) bool) share.Role {
	switch {
	case is(s.Active):
		return share.Active
	case is(s.Standby):
		return share.Standby
	}
	return share.Other
}

// List is a list of backends in an object.
type List struct {
	*share.Remembered

	// In is what holds the list, and Key the field of it that does.
	In  map[string]any
	Key string
	// Flaw keeps the list from being given weight, though not from losing it; nil when there is none.
	Flaw error
	// Dangles says that the list must not name the standby Service when that is gone.
	Dangles bool
	// Commit writes what holds the list back into the object, where it is not part of it; nil where it is.
	Commit func() error
}

// put gives the list other entries.
func (l List) put(entries []any) error {
	l.In[l.Key] = entries
	if l.Commit == nil {
		return nil
	}
	return l.Commit()
}

// check says whether every weight can be written to the list.
func (l List) check() error {
	if l.Flaw != nil {
		return l.Flaw
	}
	return l.Check()
}

// Kind is what a router knows about one kind of object. All of it is pure.
type Kind interface {
	// Lists are all lists of backends of an object that may be shared, whether they name the active Service or not. What it
	// returns is part of the object, so that writing to it changes the object. The error is a *trafficrouting.RouteError; those
	// lists that can be read are returned beside it, so that they can be taken back to zero.
	Lists(object *unstructured.Unstructured, s Split) ([]List, error)
}

// Render returns the object as it should be, and whether that differs from what it is. The object that is passed is not
// changed; the one that is returned shares nothing with it. Lists that carry the weight already stay as they are.
//
// The error is a *trafficrouting.RouteError that says what is wrong and what would mend it.
func Render(kind Kind, object *unstructured.Unstructured, s Split) (desired *unstructured.Unstructured, changed bool, err error) {
	desired = object.DeepCopy()
	lists, err := managed(kind, desired, s)
	if err != nil && (s.Weight > 0 || len(lists) == 0) {
		return nil, false, err
	}
	for _, l := range lists {
		differs, err := l.render(s.Weight)
		if err != nil {
			return nil, false, err
		}
		changed = changed || differs
	}
	return desired, changed, nil
}

// render gives a list its share, and says whether that differs from what it has.
func (l List) render(weight int32) (bool, error) {
	if l.Flaw != nil && weight > 0 && !l.Has(weight) {
		return false, l.Flaw
	}
	entries, changed, err := l.Share(weight)
	if err != nil || !changed {
		return false, err
	}
	return true, l.put(entries)
}

// Without returns the object as it was before, or, where nothing is remembered of it, without backends of the standby Service
// in its managed lists, and whether that differs from what it is. A kind whose objects may not name a Service that is gone loses them
// in either case. What they had of the requests goes to the active Service; the share of every other backend stays. The Weight
// of the Split has no meaning here. The error is a *trafficrouting.RouteError.
func Without(kind Kind, object *unstructured.Unstructured, s Split) (desired *unstructured.Unstructured, changed bool, err error) {
	s.Weight = 0
	desired, changed, err = Render(kind, object, s)
	if err != nil {
		return nil, false, err
	}
	lists, err := managed(kind, desired, s)
	if err != nil && len(lists) == 0 {
		return nil, false, err
	}
	for _, l := range lists {
		entries, found := l.Without()
		if !found || s.Before != nil && !l.Dangles {
			continue
		}
		if err := l.put(entries); err != nil {
			return nil, false, err
		}
		changed = true
	}
	return desired, changed, nil
}

// Weight is the share of the standby Service that all managed lists of an object agree on, in tenths of a percent; the
// Weight of the Split has no meaning here. It is trafficrouting.WeightUnknown when they disagree, when the share is no whole
// number of tenths, and for an object without a managed list. Attached says that one of them is not what it is to be when the
// Rollout is gone.
//
// The error is a *trafficrouting.RouteError for an object that could not carry every weight, so that it is found before a
// release starts and not in the middle of it. What the object says now is returned all the same.
func Weight(kind Kind, object *unstructured.Unstructured, s Split) (weight int32, attached bool, err error) {
	lists, err := managed(kind, object, s)
	if len(lists) == 0 {
		return trafficrouting.WeightUnknown, false, err
	}
	for i, l := range lists {
		one, ok := l.Weight()
		if i == 0 {
			weight = one
		}
		if !ok || one != weight {
			weight = trafficrouting.WeightUnknown
		}
		attached = attached || l.Differs() || l.Dangles && l.HasStandby()
		if err == nil {
			err = l.check()
		}
	}
	return weight, attached, err
}

// managed are the lists of an object that send requests to the application; those that can be read beside an error.
func managed(kind Kind, object *unstructured.Unstructured, s Split) ([]List, error) {
	all, err := kind.Lists(object, s)
	out := slices.DeleteFunc(all, func(l List) bool { return !l.Managed() })
	if len(out) == 0 && err == nil {
		err = trafficrouting.WithoutBackend("nothing in it sends requests to the Service %[1]s, the active Service of the "+
			"Rollout: add %[1]s, with a weight above 0, to the list of backends that is to be shared", s.Active)
	}
	if s.Before != nil {
		share.Recall(remembered(out), s.Before)
		err = errors.Join(err, memorable(out, s))
	}
	return out, err
}

const (
	// maxLists is how many lists of an object can be remembered, and maxText how long what is remembered of one may be: the
	// limits of status.routes[].before.
	maxLists = 64
	maxText  = 1024
)

// memorable says whether what is to be remembered of lists fits into the status of the Rollout.
func memorable(lists []List, s Split) error {
	if len(lists) > maxLists {
		return trafficrouting.Unusable("%d lists of it send requests to the Service %s, and %d can be shared: name those that are to be, "+
			"or split it", len(lists), s.Active, maxLists)
	}
	for _, l := range lists {
		if utf8.RuneCountInString(l.Text) > maxText {
			return trafficrouting.Unusable("the list with %q has too many backends, or too long a name, to be remembered in %d "+
				"characters: shorten it", l.Text[:64]+"…", maxText)
		}
	}
	return nil
}

func remembered(lists []List) []*share.Remembered {
	out := make([]*share.Remembered, 0, len(lists))
	for _, l := range lists {
		out = append(out, l.Remembered)
	}
	return out
}

// Before is what is to be remembered of the shared lists of an object, as share.List.Before has it, given what has been:
// Split.Before. It is empty for an object without such a list, and one that cannot be read.
func Before(kind Kind, object *unstructured.Unstructured, s Split) []string {
	if s.Before == nil {
		s.Before = []string{}
	}
	lists, err := managed(kind, object, s)
	if len(lists) == 0 && err != nil || memorable(lists, s) != nil {
		return s.Before
	}
	out := make([]string, 0, len(lists))
	for _, l := range lists {
		out = append(out, l.Text)
	}
	return out
}

// Objects reads a list of objects; none when there is no list. The error is a *trafficrouting.RouteError.
func Objects(path string, value any) ([]map[string]any, error) {
	list, ok := value.([]any)
	if !ok && value != nil {
		return nil, trafficrouting.Unusable("%s is not a list: write a list", path)
	}
	out := make([]map[string]any, 0, len(list))
	for i, item := range list {
		object, ok := item.(map[string]any)
		if !ok {
			return nil, trafficrouting.Unusable("%s is not an object: write one", fmt.Sprintf("%s[%d]", path, i))
		}
		out = append(out, object)
	}
	return out, nil
}
