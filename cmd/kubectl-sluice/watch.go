package main

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// rewatchDelay is the pause before a watch that has ended is opened again: API servers end them after some minutes.
const rewatchDelay = time.Second

// warnOfRetry says that the API server did not answer, and that this is not the end.
func (e *environment) warnOfRetry(err error) {
	fmt.Fprintf(e.ErrOut, "Warning: %s; trying again\n", message(err))
}

// sleep waits, unless it is interrupted.
func (e *environment) sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
	case <-e.clock.After(d):
	}
	// Both may have come at the same time.
	return ctx.Err()
}

// watched is a kind of object to watch.
type watched struct {
	list  client.ObjectList
	scope []client.ListOption
}

// watchAll tells, through the channel that it returns, that something of what is watched may have changed; many changes
// may be told once. The watches are open when it returns, so that no later change is missed. They end with ctx.
func (e *environment) watchAll(ctx context.Context, c client.WithWatch, kinds []watched) (<-chan struct{}, error) {
	changes := make(chan struct{}, 1)
	for _, kind := range kinds {
		w, err := c.Watch(ctx, kind.list, kind.scope...)
		if err != nil {
			return nil, err
		}
		go e.keepWatching(ctx, c, kind, w, changes)
	}
	return changes, nil
}

// keepWatching tells of changes, and opens the watch again when it ends. What changed in between is told as well.
func (e *environment) keepWatching(ctx context.Context, c client.WithWatch, kind watched, w watch.Interface,
	changes chan<- struct{},
) {
	for {
		tellAll(ctx, w, changes)
		w.Stop()
		for w = nil; w == nil; {
			if e.sleep(ctx, rewatchDelay) != nil {
				return
			}
			// A server that cannot be reached now may be later; whoever reads the objects meets the same error and
			// decides whether to give up.
			w, _ = c.Watch(ctx, kind.list, kind.scope...)
			tell(changes)
		}
	}
}

func tellAll(ctx context.Context, w watch.Interface, changes chan<- struct{}) {
	for {
		select {
		case <-ctx.Done():
			return
		case _, open := <-w.ResultChan():
			if !open {
				return
			}
			tell(changes)
		}
	}
}

func tell(changes chan<- struct{}) {
	select {
	case changes <- struct{}{}:
	default:
	}
}
