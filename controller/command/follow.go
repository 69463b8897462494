package command

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// ErrTimeout says that what was waited for did not come in the time that was given.
var ErrTimeout = errors.New("timed out")

// rewatchDelay is the pause before a broken watch is opened again. Broken watches are normal: API servers end them after
// some minutes, and when they restart.
const rewatchDelay = time.Second

// Watcher reads and watches objects.
type Watcher interface {
	client.Reader
	// Watch begins to watch the objects of a list.
	Watch(ctx context.Context, list client.ObjectList, opts ...client.ListOption) (watch.Interface, error)
}

// Follower shows every state of one Rollout to a function, in order, until the function has seen enough.
type Follower struct {
	// Client reads and watches.
	Client Watcher
	// Clock measures time-outs.
	Clock clock.Clock
}

// Visit looks at a Rollout and says whether it has seen enough. It may be shown the same state more than once.
type Visit func(*v1alpha1.Rollout) (done bool, err error)

// Follow shows the Rollout as it is, and then after each change, until visit is done or gives an error, which is
// returned. The error is ErrTimeout when that takes longer than timeout (0: no limit), NotFound when the Rollout does not
// exist or goes away. A connection that breaks after the first look is made again.
func (f Follower) Follow(ctx context.Context, key client.ObjectKey, timeout time.Duration, visit Visit) error {
	expired, stop := f.timer(timeout)
	defer stop()
	seen := false
	look := func(r *v1alpha1.Rollout) (bool, error) {
		seen = true
		done, err := visit(r)
		if err != nil {
			return true, &visitError{err}
		}
		return done, nil
	}
	for {
		done, err := f.watch(ctx, key, expired, look)
		var fromVisit *visitError
		switch {
		case errors.As(err, &fromVisit):
			return fromVisit.err
		case done:
			return nil
		case err != nil && (!seen || Permanent(err)):
			return err
		}
		if err := f.rest(ctx, expired); err != nil {
			return err
		}
	}
}

// visitError marks an error of the visit, which is returned as it is and never retried.
type visitError struct{ err error }

func (e *visitError) Error() string { return e.err.Error() }

// watch opens a watch first and looks second, so that no change can fall between the two.
func (f Follower) watch(ctx context.Context, key client.ObjectKey, expired <-chan time.Time, visit Visit) (bool, error) {
	w, err := f.Client.Watch(ctx, &v1alpha1.RolloutList{}, client.InNamespace(key.Namespace),
		client.MatchingFieldsSelector{Selector: fields.OneTermEqualSelector("metadata.name", key.Name)})
	if err != nil {
		return false, err
	}
	defer w.Stop()
	rollout := &v1alpha1.Rollout{}
	if err := f.Client.Get(ctx, key, rollout); err != nil {
		return false, err
	}
	if done, err := visit(rollout); done || err != nil {
		return done, err
	}
	return follow(ctx, w, key, expired, visit)
}

// follow shows what a watch reports. When the watch ends, it returns neither done nor an error.
func follow(ctx context.Context, w watch.Interface, key client.ObjectKey, expired <-chan time.Time, visit Visit,
) (bool, error) {
	for {
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case <-expired:
			return false, ErrTimeout
		case event, open := <-w.ResultChan():
			if !open {
				return false, nil
			}
			if done, err := handle(event, key, visit); done || err != nil {
				return done, err
			}
		}
	}
}

func handle(event watch.Event, key client.ObjectKey, visit Visit) (bool, error) {
	if event.Type == watch.Error {
		return false, apierrors.FromObject(event.Object)
	}
	rollout, isRollout := event.Object.(*v1alpha1.Rollout)
	if !isRollout || rollout.Name != key.Name {
		return false, nil
	}
	if event.Type == watch.Deleted {
		return false, deleted(key)
	}
	return visit(rollout)
}

func deleted(key client.ObjectKey) error {
	err := apierrors.NewNotFound(v1alpha1.GroupVersion.WithResource("rollouts").GroupResource(), key.Name)
	err.ErrStatus.Message = fmt.Sprintf("rollout %q was deleted", key.Name)
	return err
}

// Permanent says whether an error of the API server will not go away by itself.
func Permanent(err error) bool {
	return errors.Is(err, ErrTimeout) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) ||
		apierrors.IsNotFound(err) || apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err) ||
		meta.IsNoMatchError(err)
}

func (f Follower) rest(ctx context.Context, expired <-chan time.Time) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-expired:
		return ErrTimeout
	case <-f.Clock.After(rewatchDelay):
		return nil
	}
}

// timer returns a channel that never fires when there is no limit.
func (f Follower) timer(timeout time.Duration) (<-chan time.Time, func()) {
	if timeout <= 0 {
		return nil, func() {}
	}
	timer := f.Clock.NewTimer(timeout)
	return timer.C(), func() { timer.Stop() }
}
