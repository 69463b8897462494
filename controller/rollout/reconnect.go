package rollout

import (
	"context"
	"errors"
	"net/http"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"
)

// reconnectWait is how soon an API server that is away is tried again, by each watch. An informer by itself waits longer
// with every attempt, up to a minute, and does so still when the server has long been back: a cache that is blind for that
// time holds up every release, and every abort that is decided from it. Eight watches that ask once a second are no load.
const reconnectWait = time.Second

// NewInformer makes an informer that is back as soon as the API server is.
func NewInformer(lw toolscache.ListerWatcher, example runtime.Object, resync time.Duration, indexers toolscache.Indexers) (
	informer toolscache.SharedIndexInformer,
) {
	return toolscache.NewSharedIndexInformer(&steadfast{
		ListerWatcher: lw, inner: toolscache.ToListerWatcherWithContext(lw),
	}, example, resync, indexers)
}

// steadfast lists and watches, and does not give up while the API server is away.
type steadfast struct {
	toolscache.ListerWatcher

	inner toolscache.ListerWatcherWithContext
}

// ListWithContext implements toolscache.ListerWithContext.
func (s *steadfast) ListWithContext(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
	return persist(ctx, func() (runtime.Object, error) { return s.inner.ListWithContext(ctx, options) })
}

// WatchWithContext implements toolscache.WatcherWithContext.
func (s *steadfast) WatchWithContext(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
	return persist(ctx, func() (watch.Interface, error) { return s.inner.WatchWithContext(ctx, options) })
}

// persist repeats a request until the API server answers it, with a yes or with a no, and tells once that it waits.
func persist[T any](ctx context.Context, request func() (T, error)) (answer T, err error) {
	told := false
	_ = wait.PollUntilContextCancel(ctx, reconnectWait, true, func(context.Context) (bool, error) {
		answer, err = request()
		if !away(err) {
			return true, nil
		}
		if !told {
			klog.FromContext(ctx).Info("the API server is away; it is tried again every second", "error", err.Error())
			told = true
		}
		return false, nil
	}) // what counts is how the last request ended
	return answer, err
}

// away says whether an error means that the API server cannot be reached, or cannot work, for now.
func away(err error) bool {
	var status apierrors.APIStatus
	if err == nil || !errors.As(err, &status) {
		return err != nil
	}
	code := status.Status().Code
	return code == http.StatusTooManyRequests || code >= http.StatusInternalServerError
}
