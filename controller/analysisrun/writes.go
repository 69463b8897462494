package analysisrun

import (
	"sync"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

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
}

// remember notes that an object was written.
func (w *writes) remember(object client.Object) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.versions == nil {
		w.versions = map[types.NamespacedName]version{}
	}
	w.versions[client.ObjectKeyFromObject(object)] = version{object.GetUID(), object.GetResourceVersion()}
}

// forget drops what is known about an object that is gone.
func (w *writes) forget(key types.NamespacedName) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.versions, key)
}

// ahead says that an object, as it was read, is older than what was last written. Once a read has caught up there is
// nothing left to remember.
func (w *writes) ahead(read client.Object) bool {
	key := client.ObjectKeyFromObject(read)
	w.mu.Lock()
	defer w.mu.Unlock()
	last, ok := w.versions[key]
	if !ok {
		return false
	}
	if last.uid == read.GetUID() {
		order, err := resourceversion.CompareResourceVersion(read.GetResourceVersion(), last.resourceVersion)
		if err == nil && order < 0 {
			return true
		}
	}
	delete(w.versions, key)
	return false
}
