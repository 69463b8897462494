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
)

// calm waits until the controllers have asked nothing for a second.
func (w *world) calm() {
	w.t.Helper()
	last, since := -1, time.Now()
	w.eventually("calm", func() (bool, string) {
		if n := w.log.count(); n != last {
			last, since = n, time.Now()
		}
		return time.Since(since) > time.Second, strings.Join(w.log.since(max(0, last-3)), "; ")
	})
}

// At rest the controllers neither read nor write, and neither a start nor an edit that means nothing makes them write.
func TestQuiet(t *testing.T) {
	w := start(t, append(network(), routed().Obj())...)
	w.reaches("healthy", healthy)
	w.release(imageV2)
	w.reaches("the first step", awaiting)
	w.command(v1alpha1.ActionPromoteFull)
	w.reaches("promoted", func(s *v1alpha1.RolloutStatus) bool { return healthy(s) && s.StableRevision == s.UpdateRevision })
	w.sizesAre(map[string]int32{imageV1: 0, imageV2: 4})
	w.calm()

	n := w.log.count()
	<-clock.RealClock{}.After(5 * time.Second)
	if got := w.log.since(n); len(got) != 0 {
		t.Errorf("at rest: %v", got)
	}

	n = w.log.count()
	w.edit(func(r *v1alpha1.Rollout) { r.Labels = map[string]string{"team": "shop"} })
	w.calm()
	if got := w.log.since(n); len(got) != 0 {
		t.Errorf("after an edit of a label: %v", got)
	}

	n = w.log.count()
	w.edit(func(r *v1alpha1.Rollout) {
		r.Spec.ProgressDeadlineSeconds = new(int32)
		*r.Spec.ProgressDeadlineSeconds = 300
	})
	w.reaches("the generation", func(*v1alpha1.RolloutStatus) bool { return true })
	w.calm()
	status := "PATCH /apis/sluice.dev/v1alpha1/namespaces/" + w.Namespace + "/rollouts/web/status"
	if diff := cmp.Diff([]string{status}, w.log.since(n)); diff != "" {
		t.Errorf("after an edit of the deadline: %s", diff)
	}

	w.stop()
	n = w.log.count()
	w.startControllers()
	w.calm()
	writes := slices.DeleteFunc(w.log.since(n), func(line string) bool { return strings.HasPrefix(line, "GET ") })
	if len(writes) != 0 {
		t.Errorf("a start wrote: %v", writes)
	}
}
