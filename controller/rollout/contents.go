package rollout

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/utils/lru"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller/configuration"
)

// A content is read to take its hash, and let go of. Of ConfigMaps the cache has the metadata, and a content is read when
// its version is another than the one that was read last. Secrets are never listed or watched, as that needs the right to
// read all of them: those that are tracked are read by name, once a minute.

const (
	// contentsKept is how many hashes are kept, at about 200 bytes each.
	contentsKept = 8192
	// secretEvery is how old a hash of a Secret may be.
	secretEvery = time.Minute
	// secretRetry is how soon a Secret that is missing, or that may not be read, is asked for again.
	secretRetry = 15 * time.Second
)

// contents remembers the hashes of what was read.
type contents struct{ kept *lru.Cache }

func newContents() contents { return contents{kept: lru.New(contentsKept)} }

// place is where an object is.
type place struct {
	configuration.Object
	namespace string
}

// reading is what a look at an object gave.
type reading struct {
	found   configuration.Found
	version string
	at      time.Time
	// forbidden is what the API server says when it refuses the look.
	forbidden error
}

func (c contents) last(p place) (reading, bool) {
	last, ok := c.kept.Get(p)
	if !ok {
		return reading{}, false
	}
	out, ok := last.(reading)
	return out, ok
}

// forget has objects looked at again.
func (c contents) forget(namespace string, objects ...configuration.Object) {
	for _, o := range objects {
		c.kept.Remove(place{Object: o, namespace: namespace})
	}
}

// read finds the content of an object of the namespace of a Rollout.
func (r *Reconciler) read(ctx context.Context, w *world, o configuration.Object) (reading, error) {
	p := place{Object: o, namespace: w.rollout.Namespace}
	if o.Kind == v1alpha1.KindSecret {
		return r.readSecret(ctx, w, p)
	}
	return r.readConfigMap(ctx, w, p)
}

// readConfigMap reads a ConfigMap when the cache shows another version than that of the last look. The cache may also be
// behind that look.
func (r *Reconciler) readConfigMap(ctx context.Context, w *world, p place) (reading, error) {
	metadata := newMetadata(p.Kind)
	if err := r.cache.Get(ctx, client.ObjectKey{Namespace: p.namespace, Name: p.Name}, metadata); err != nil {
		return reading{}, client.IgnoreNotFound(err)
	}
	last, ok := r.contents.last(p)
	if ok && (last.version == metadata.ResourceVersion || older(metadata.ResourceVersion, last.version)) {
		return last, nil
	}
	return r.look(ctx, w, p)
}

// readSecret reads a Secret when the last look is too long ago. One that cannot be read now is as it was.
func (r *Reconciler) readSecret(ctx context.Context, w *world, p place) (reading, error) {
	last, ok := r.contents.last(p)
	keep := secretEvery
	if last.found.Hash == "" {
		keep = secretRetry
	}
	if age := w.snapshot.Now.Sub(last.at); ok && age >= 0 && age < keep {
		w.lookAgain(keep - age)
		return last, nil
	}
	now, err := r.look(ctx, w, p)
	if err != nil && ok {
		now, err = last, nil
		w.lookAgain(secretRetry)
	}
	if now.found.Hash == "" {
		w.lookAgain(secretRetry)
	}
	w.lookAgain(secretEvery)
	return now, err
}

// look reads an object from the API server, and remembers what it gave. That it is not there is remembered too.
func (r *Reconciler) look(ctx context.Context, w *world, p place) (reading, error) {
	object, err := r.fetch(ctx, p)
	now := reading{at: w.snapshot.Now}
	switch {
	case apierrors.IsNotFound(err):
	case apierrors.IsForbidden(err):
		now.forbidden, now.found.Unknown = err, true
	case err != nil:
		return reading{}, fmt.Errorf("reading %s: %w", p.Object, err)
	default:
		now.version = object.GetResourceVersion()
		if now.found.Hash, err = hashOf(object); err != nil {
			return reading{}, fmt.Errorf("%s: %w", p.Object, err)
		}
	}
	r.contents.kept.Add(p, now)
	return now, nil
}

// fetch reads an object with its content.
func (r *Reconciler) fetch(ctx context.Context, p place) (client.Object, error) {
	var object client.Object = &corev1.ConfigMap{}
	if p.Kind == v1alpha1.KindSecret {
		object = &corev1.Secret{}
	}
	return object, r.live.Get(ctx, client.ObjectKey{Namespace: p.namespace, Name: p.Name}, object)
}

// hashOf is the hash of the content of a ConfigMap or Secret.
func hashOf(object client.Object) (string, error) {
	switch o := object.(type) {
	case *corev1.ConfigMap:
		return configuration.HashConfigMap(o)
	case *corev1.Secret:
		return configuration.HashSecret(o)
	}
	return "", fmt.Errorf("%T is no configuration", object)
}
