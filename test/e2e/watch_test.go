//go:build e2e

package e2e

import (
	"context"
	"slices"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apiwatch "k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// watched is every state that a Rollout has been in since it was made: what a look now and then would miss.
type watched struct {
	mu     sync.Mutex
	states []v1alpha1.Rollout
}

// watch follows the Rollout of a test until the test ends. A watch that the API server ends is begun again where it was.
func watch(e *env) *watched {
	e.t.Helper()
	w := &watched{}
	begin := func(ctx context.Context, since string) (apiwatch.Interface, error) {
		return e.Watch(ctx, &v1alpha1.RolloutList{}, client.InNamespace(e.Namespace), &client.ListOptions{
			Raw: &metav1.ListOptions{ResourceVersion: since},
		})
	}
	ctx := e.t.Context()
	stream, err := begin(ctx, "0")
	if err != nil {
		e.t.Fatal(err)
	}
	go func() {
		for ctx.Err() == nil {
			for event := range stream.ResultChan() {
				if rollout, ok := event.Object.(*v1alpha1.Rollout); ok {
					w.add(*rollout)
				}
			}
			if stream, err = begin(ctx, w.last()); err != nil {
				return
			}
		}
		stream.Stop()
	}()
	return w
}

func (w *watched) add(r v1alpha1.Rollout) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.states = append(w.states, r)
}

// last is the resource version of the latest state.
func (w *watched) last() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.states) == 0 {
		return "0"
	}
	return w.states[len(w.states)-1].ResourceVersion
}

// all are the states so far, oldest first.
func (w *watched) all() []v1alpha1.Rollout {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.states)
}

// story is what the Rollout said, each thing once.
func (w *watched) story() []string {
	var out []string
	for _, r := range w.all() {
		if line := summary(&r); len(out) == 0 || out[len(out)-1] != line {
			out = append(out, line)
		}
	}
	return out
}
