package trafficrouting

import (
	"encoding/json"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Writer is who last wrote what is managed of one route.
type Writer struct {
	// Route names it for people, "HTTPRoute shop/web".
	Route string
	// Weight is the share of the standby Service in it, in tenths of a percent; WeightUnknown when it cannot be read.
	Weight int32
	// Overlays are the indexes of those Overlays of the Target that it has exactly, as in Observed.
	Overlays []int
	// Manager is the field manager, when it is none of ours; empty when it is, or when nobody knows.
	Manager string
	// Altered says that a route which is made of a template is no more as it was made.
	Altered bool
}

// writer is the one of a route that was observed alone.
func (o Observed) writer(route Route) Writer {
	out := Writer{Route: route.String(), Weight: o.Weight, Overlays: o.Overlays}
	if len(o.Writers) > 0 {
		out.Manager, out.Altered = o.Writers[0].Manager, o.Writers[0].Altered
	}
	return out
}

// WrittenBy is the Writers of one route that was written by a field manager, for ObserveEach to complete.
func WrittenBy(manager string) []Writer { return []Writer{{Manager: manager}} }

// LastWriter is the field manager that last wrote one field of an object, by the managed fields of the object; empty when
// one of ours did, or when the field has no owner. The path is that of FieldsV1: "f:spec", "f:rules".
//
// A field that is written whole, such as an atomic list, has those as its owners who wrote the value that is there: who
// writes another value takes it from all others. So ours is there, or was written again by somebody else, as long as we are
// among them. Of several others the latest counts; times have whole seconds only, and of two in one second the first.
func LastWriter(managed []metav1.ManagedFieldsEntry, path ...string) string {
	var latest *metav1.ManagedFieldsEntry
	for i := range managed {
		entry := &managed[i]
		if entry.Subresource != "" || !owns(entry, path) {
			continue
		}
		if slices.Contains([]string{FieldManager, RestFieldManager}, entry.Manager) {
			return ""
		}
		if latest == nil || latest.Time.IsZero() || latest.Time.Before(entry.Time) {
			latest = entry
		}
	}
	if latest == nil {
		return ""
	}
	return latest.Manager
}

// owns says whether an entry has a field, or anything within it.
func owns(entry *metav1.ManagedFieldsEntry, path []string) bool {
	if entry.FieldsV1 == nil {
		return false
	}
	fields := json.RawMessage(entry.FieldsV1.GetRawBytes())
	for _, name := range path {
		var within map[string]json.RawMessage
		if json.Unmarshal(fields, &within) != nil {
			return false
		}
		var found bool
		if fields, found = within[name]; !found {
			return false
		}
	}
	return true
}

// Ours says whether one of our field managers has a field of an object, and nobody else.
func Ours(managed []metav1.ManagedFieldsEntry, path ...string) bool {
	ours := false
	for i := range managed {
		if !owns(&managed[i], path) {
			continue
		}
		if !slices.Contains([]string{FieldManager, RestFieldManager}, managed[i].Manager) {
			return false
		}
		ours = true
	}
	return ours
}
