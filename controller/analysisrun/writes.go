package analysisrun

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// doubtAfter is how long a read may stay behind a write before the write counts as lost: the API server may have come back
// from a backup, with smaller versions. A wrong guess costs one measurement, as nothing is written onto an old version.
const doubtAfter = 30 * time.Second

// writes remembers the versions that this process has written and not yet read back. It decides nothing: it only makes
// a reconciler wait for its cache. The zero value is ready for use.
type writes struct {
	mu       sync.Mutex
	versions map[types.NamespacedName]version
}

// version is one version of one object. The UID tells it from another object that got the same name later.
type version struct {
	uid             types.UID
	resourceVersion string
	at              time.Time
}

// remember notes that an object was written.
func (w *writes) remember(object client.Object, now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.versions == nil {
		w.versions = map[types.NamespacedName]version{}
	}
	w.versions[client.ObjectKeyFromObject(object)] = version{object.GetUID(), object.GetResourceVersion(), now}
}

// forget drops what is known about an object that is gone.
func (w *writes) forget(key types.NamespacedName) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.versions, key)
}

// ahead says that an object, as it was read, is older than what was last written. Once a read has caught up there is
// nothing left to remember.
func (w *writes) ahead(read client.Object, now time.Time) bool {
	key := client.ObjectKeyFromObject(read)
	w.mu.Lock()
	defer w.mu.Unlock()
	last, ok := w.versions[key]
	if !ok {
		return false
	}
	if last.uid == read.GetUID() && now.Sub(last.at) < doubtAfter {
		order, err := resourceversion.CompareResourceVersion(read.GetResourceVersion(), last.resourceVersion)
		if err == nil && order < 0 {
			return true
		}
	}
	delete(w.versions, key)
	return false
}
