package rollout

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/utils/clock"
)

// However long the API server has been away, an informer has its objects within two seconds of the return.
func TestInformersComeBackWithTheAPIServer(t *testing.T) {
	tests := map[string]error{
		"no connection":     errors.New("connection refused"),
		"too many requests": apierrors.NewTooManyRequests("later", 1),
		"no etcd":           apierrors.NewInternalError(errors.New("etcd is away")),
		"behind a proxy":    apierrors.NewServiceUnavailable("bad gateway"),
	}
	for name, trouble := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				passing := clock.RealClock{} // that of the bubble
				begin := passing.Now()
				const outage = 5 * time.Minute
				asked := 0
				lw := &toolscache.ListWatch{
					ListWithContextFunc: func(context.Context, metav1.ListOptions) (runtime.Object, error) {
						asked++
						if passing.Since(begin) < outage {
							return nil, trouble
						}
						return &corev1.ServiceList{ListMeta: metav1.ListMeta{ResourceVersion: "1"}}, nil
					},
					WatchFuncWithContext: func(_ context.Context, options metav1.ListOptions) (watch.Interface, error) {
						if options.SendInitialEvents != nil {
							return nil, apierrors.NewInvalid(schema.GroupKind{}, "sendInitialEvents", nil)
						}
						return watch.NewFake(), nil
					},
				}
				informer := NewInformer(lw, &corev1.Service{}, 0, nil)
				ctx, cancel := context.WithCancel(t.Context())
				go informer.RunWithContext(ctx)
				<-passing.After(outage + 2*time.Second)
				if !informer.HasSynced() {
					t.Errorf("2 s after the end of an outage of %s there is nothing; %d requests", outage, asked)
				}
				if most := int(outage/time.Second) + 5; asked > most {
					t.Errorf("%d requests, want at most %d", asked, most)
				}
				cancel()
				synctest.Wait()
			})
		})
	}
}

// What the API server says no to is not asked for again and again.
func TestAway(t *testing.T) {
	tests := map[string]struct {
		err  error
		want bool
	}{
		"nothing":    {},
		"forbidden":  {err: apierrors.NewForbidden(schema.GroupResource{}, "web", nil)},
		"expired":    {err: apierrors.NewResourceExpired("too old")},
		"not found":  {err: apierrors.NewNotFound(schema.GroupResource{}, "web")},
		"connection": {err: context.DeadlineExceeded, want: true},
		"time-out":   {err: apierrors.NewTimeoutError("etcd", 1), want: true},
	}
	for name, tt := range tests {
		if got := away(tt.err); got != tt.want {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
}
