package configuration

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

func TestSharerOf(t *testing.T) {
	waiting := func() *v1alpha1.Rollout {
		return &v1alpha1.Rollout{
			ObjectMeta: metav1.ObjectMeta{Name: "web"},
			Spec:       v1alpha1.RolloutSpec{Configuration: &v1alpha1.Configuration{ConfigMaps: []v1alpha1.ConfigurationReference{{Name: "a"}}}},
			Status: v1alpha1.RolloutStatus{
				Configuration: []v1alpha1.ConfigurationStatus{{Kind: "Secret", Name: "a"}, {Kind: "ConfigMap", Name: "a", Hash: "old", StableHash: "old"}},
			},
		}
	}
	for name, tt := range map[string]struct {
		change func(*v1alpha1.Rollout)
		want   Sharer
	}{
		"not yet released": {func(*v1alpha1.Rollout) {}, Sharer{Waiting: true}},
		"has it":           {func(r *v1alpha1.Rollout) { r.Status.Configuration[1].StableHash = "new" }, Sharer{}},
		"has no copy yet":  {func(r *v1alpha1.Rollout) { r.Status.Configuration = nil }, Sharer{}},
		"its first release": {func(r *v1alpha1.Rollout) {
			r.Status.State.Stage = v1alpha1.StageInitial
		}, Sharer{}},
		"pinned": {func(r *v1alpha1.Rollout) { r.Spec.Configuration.ConfigMaps[0].Version = "old" }, Sharer{}},
		"restarts": {func(r *v1alpha1.Rollout) {
			r.Spec.Configuration.ConfigMaps[0].OnChange = v1alpha1.ConfigurationChangeRestart
		}, Sharer{}},
		"held by spec.paused": {func(r *v1alpha1.Rollout) { r.Spec.Paused = true }, Sharer{}},
		"being deleted":       {func(r *v1alpha1.Rollout) { r.DeletionTimestamp = &metav1.Time{} }, Sharer{}},
		"something is wrong": {func(r *v1alpha1.Rollout) {
			r.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionStalled, Status: metav1.ConditionTrue}}
		}, Sharer{}},
		"aborted with it": {func(r *v1alpha1.Rollout) {
			r.Status.State = v1alpha1.RolloutState{Stage: v1alpha1.StageAborted, Candidate: "v2"}
			r.Status.UpdateRevision, r.Status.Configuration[1].Hash = "v2", "new"
		}, Sharer{}},
		"aborted with another": {func(r *v1alpha1.Rollout) {
			r.Status.State = v1alpha1.RolloutState{Stage: v1alpha1.StageAborted, Candidate: "v2"}
			r.Status.UpdateRevision = "v2"
		}, Sharer{Waiting: true}},
		"being released for it": {func(r *v1alpha1.Rollout) {
			r.Status.State = v1alpha1.RolloutState{Stage: v1alpha1.StagePromoting, Configuration: []string{"Secret b", "ConfigMap a"}}
		}, Sharer{Releasing: true}},
		"being released for it, and waiting for a person": {func(r *v1alpha1.Rollout) {
			r.Status.State = v1alpha1.RolloutState{Stage: v1alpha1.StageStepping, Configuration: []string{"ConfigMap a"}}
			r.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Reason: v1alpha1.ReasonAwaitingPromotion}}
		}, Sharer{}},
		"being released for it, and waiting for a verdict": {func(r *v1alpha1.Rollout) {
			r.Status.State = v1alpha1.RolloutState{Stage: v1alpha1.StageStepping, Configuration: []string{"ConfigMap a"}}
			r.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Reason: v1alpha1.ReasonWaitingForAnalysis}}
		}, Sharer{Releasing: true}},
		"being released for something else": {func(r *v1alpha1.Rollout) {
			r.Status.State = v1alpha1.RolloutState{Stage: v1alpha1.StageStepping, Configuration: []string{"Secret a"}}
		}, Sharer{}},
	} {
		t.Run(name, func(t *testing.T) {
			r := waiting()
			tt.change(r)
			tt.want.Name = "web"
			if got := SharerOf(r, configMap("a"), "new"); got != tt.want {
				t.Errorf("%+v, want %+v", got, tt.want)
			}
		})
	}
}

func TestWait(t *testing.T) {
	var sharers []Sharer
	for i := range 40 {
		sharers = append(sharers, Sharer{Name: fmt.Sprintf("web-%02d", i), Releasing: i < 3, Waiting: i >= 4})
	}
	for name, goes := range map[string]bool{"web-04": true, "web-05": true, "web-06": false, "web-39": false} {
		if got := Wait(name, configMap("a"), sharers, 5); (got == "") != goes {
			t.Errorf("%s waits: %q", name, got)
		}
	}
	got := Wait("web-06", configMap("a"), sharers, 5)
	for _, words := range []string{"ConfigMap a feeds 40 Rollouts", "3 are being released", "at most 5 may be", "number 3 of 36"} {
		if !strings.Contains(got, words) {
			t.Errorf("%q is not in %q", words, got)
		}
	}
}

// TestNoMoreThanTheLimit lets Rollouts decide from views that are older for some of the others than for themselves, and holds
// that the limit is never passed, and that all have had their turn in the end.
func TestNoMoreThanTheLimit(t *testing.T) {
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 2))
		limit := 1 + random.IntN(5)
		now := make([]Sharer, 5+random.IntN(20))
		for i := range now {
			now[i] = Sharer{Name: fmt.Sprintf("web-%02d", i), Waiting: true}
		}
		views := [][]Sharer{slices.Clone(now), slices.Clone(now), slices.Clone(now)}
		for turn := 0; slices.ContainsFunc(now, func(s Sharer) bool { return s.Waiting || s.Releasing }); turn++ {
			if turn > 10_000 {
				t.Fatalf("seed %d: not done: %+v", seed, now)
			}
			i := random.IntN(len(now))
			view := slices.Clone(views[random.IntN(len(views))])
			view[i] = now[i]
			now[i] = decide(now[i], view, limit, random.IntN(4) == 0)
			if releasing := released(now); releasing > limit {
				t.Fatalf("seed %d, turn %d: %d are released at once, want at most %d", seed, turn, releasing, limit)
			}
			views = append(views[1:], slices.Clone(now))
		}
	}
}

// decide lets a Rollout begin when it may, and end.
func decide(s Sharer, view []Sharer, limit int, done bool) Sharer {
	begins := s.Waiting && Wait(s.Name, configMap("a"), view, limit) == ""
	return Sharer{Name: s.Name, Waiting: s.Waiting && !begins, Releasing: begins || s.Releasing && !done}
}

func released(sharers []Sharer) int {
	return len(slices.DeleteFunc(slices.Clone(sharers), func(s Sharer) bool { return !s.Releasing }))
}
