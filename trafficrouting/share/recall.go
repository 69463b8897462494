package share

import (
	"reflect"
	"slices"
	"strings"
)

// Remembered is a list of which it is remembered what it was before a Rollout wrote to it, as List.Before has it, so that the
// list is what its owner wrote whenever the standby Service has no share of it: between releases, and when the Rollout is
// gone.
type Remembered struct {
	*List

	// Name of the list among others of its object; empty for one without.
	Name string
	// Text is what is remembered, and is to be from now on, with the name; empty when nothing is.
	Text string
}

// mark is what comes before the backends of a list with a name in what is remembered of it: "checkout/ active:80".
func (r *Remembered) mark() string {
	if r.Name == "" {
		return ""
	}
	return r.Name + "/ "
}

// matches says whether a text is what is remembered of the list.
func (r *Remembered) matches(text string) bool {
	rest, ok := strings.CutPrefix(text, r.mark())
	return ok && r.Follows(rest)
}

// was is the list as it was; false when nothing is remembered.
func (r *Remembered) was() (*List, bool) {
	if r.Text == "" {
		return nil, false
	}
	return r.Origin(strings.TrimPrefix(r.Text, r.mark()))
}

// Differs says whether the list is not what it was, or, where nothing is remembered, names the standby Service.
func (r *Remembered) Differs() bool {
	origin, known := r.was()
	if !known {
		return r.HasStandby()
	}
	if r.form.Leaves {
		entries, _ := origin.Without()
		return !reflect.DeepEqual(entries, r.Entries())
	}
	return !r.Same(origin)
}

// Share gives the entries of the list with the standby's share, in tenths of a percent, and says whether they differ from
// what they are. At a share of 0 they are what they were before. The error is that of List.Render.
func (r *Remembered) Share(weight int32) (entries []any, changed bool, err error) {
	origin, known := r.was()
	switch {
	case known && weight == 0 && origin.form.Leaves:
		entries, _ = origin.Without()
		return entries, !reflect.DeepEqual(entries, r.Entries()), nil
	case known && weight == 0:
		return origin.Entries(), !r.Same(origin), nil
	case r.Has(weight):
		return nil, false, nil
	case known:
		entries, err = origin.Render(weight)
	default:
		entries, err = r.Render(weight)
	}
	return entries, err == nil, err
}

// Recall finds what is remembered of lists, mostly in their order, and says for each of them what is to be remembered from
// now on. What is left over comes back.
func Recall(lists []*Remembered, known []string) (left []string) {
	left = slices.Clone(known)
	open := map[int]bool{}
	for i, r := range lists {
		open[i] = true
		if i < len(known) && r.matches(known[i]) {
			r.Text, left[i], open[i] = known[i], "", false
		}
	}
	for i, r := range lists {
		if open[i] {
			open[i] = !r.recallFrom(left)
		}
	}
	for i, r := range lists {
		if !open[i] {
			continue
		}
		guess := ""
		if i < len(left) {
			guess, left[i] = left[i], ""
		}
		r.Text = r.mark() + r.Before(strings.TrimPrefix(guess, r.mark()))
	}
	return slices.DeleteFunc(left, func(text string) bool { return text == "" })
}

// recallFrom takes what is remembered of the list out of what is left over, if it is there.
func (r *Remembered) recallFrom(left []string) bool {
	at := slices.IndexFunc(left, r.matches)
	if at >= 0 {
		r.Text, left[at] = left[at], ""
	}
	return at >= 0
}

// RecallAmong are the lists that something is remembered of which is left over.
func RecallAmong(lists []*Remembered, left []string) []*Remembered {
	return slices.DeleteFunc(slices.Clone(lists), func(r *Remembered) bool { return !r.recallFrom(left) })
}
