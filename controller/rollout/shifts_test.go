package rollout

import (
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

func TestShiftsRememberTheLastMoveOfEachRollout(t *testing.T) {
	start := time.Date(2030, time.June, 1, 12, 0, 0, 0, time.UTC)
	web, api := types.NamespacedName{Namespace: "shop", Name: "web"}, types.NamespacedName{Namespace: "shop", Name: "api"}
	var s shifts
	s.note(web, start.Add(time.Minute))
	s.note(api, start.Add(-time.Minute))
	for key, want := range map[types.NamespacedName]time.Time{web: start.Add(time.Minute), api: start} {
		if got := s.since(key, start); !got.Equal(want) {
			t.Errorf("%s since %s, want %s", key, got, want)
		}
	}
	s.forget(web)
	if got := s.since(web, start); !got.Equal(start) {
		t.Errorf("since %s after it was forgotten, want %s", got, start)
	}
}
