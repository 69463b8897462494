//go:build apiserver

package controller_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/utils/clock"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/apiserver/live"
)

// calm waits until the controllers have asked nothing for a second.
func (w *world) calm() {
	w.T.Helper()
	last, since := -1, time.Now()
	w.Eventually("calm", func() (bool, string) {
		if n := w.Log.Count(); n != last {
			last, since = n, time.Now()
		}
		return time.Since(since) > time.Second, strings.Join(w.Log.Since(max(0, last-3)), "; ")
	})
}

// At rest the controllers neither read nor write, and neither a start nor an edit that means nothing makes them write.
func TestQuiet(t *testing.T) {
	w := start(t, append(live.Network(), routed().Obj())...)
	w.Reaches("healthy", live.Healthy)
	w.Release(live.ImageV2)
	w.Reaches("the first step", live.Awaiting)
	w.Command(v1alpha1.ActionPromoteFull)
	w.Reaches("promoted", live.Promoted)
	w.SizesAre(map[string]int32{live.ImageV1: 0, live.ImageV2: 4})
	w.calm()

	n := w.Log.Count()
	<-clock.RealClock{}.After(5 * time.Second)
	if got := w.Log.Since(n); len(got) != 0 {
		t.Errorf("at rest: %v", got)
	}

	n = w.Log.Count()
	w.Edit(func(r *v1alpha1.Rollout) { r.Labels = map[string]string{"team": "shop"} })
	w.calm()
	if got := w.Log.Since(n); len(got) != 0 {
		t.Errorf("after an edit of a label: %v", got)
	}

	n = w.Log.Count()
	w.Edit(func(r *v1alpha1.Rollout) {
		r.Spec.ProgressDeadlineSeconds = new(int32)
		*r.Spec.ProgressDeadlineSeconds = 300
	})
	w.Reaches("the generation", func(*v1alpha1.RolloutStatus) bool { return true })
	w.calm()
	status := "PATCH /apis/sluice.dev/v1alpha1/namespaces/" + w.Namespace + "/rollouts/web/status"
	if diff := cmp.Diff([]string{status}, w.Log.Since(n)); diff != "" {
		t.Errorf("after an edit of the deadline: %s", diff)
	}

	w.Stop()
	n = w.Log.Count()
	w.StartControllers()
	w.calm()
	writes := slices.DeleteFunc(w.Log.Since(n), func(line string) bool { return strings.HasPrefix(line, "GET ") })
	if len(writes) != 0 {
		t.Errorf("a start wrote: %v", writes)
	}
}
