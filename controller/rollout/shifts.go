package rollout

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// shifts remembers when this process last moved traffic, by Rollout. The status remembers too when traffic was in place, but
// only when it could be written: after a write of a route, and a write of the status that was refused, it still has a time
// from before. What counts on gateways having heard would then not wait for them.
type shifts struct {
	mu sync.Mutex
	at map[types.NamespacedName]time.Time
}

// note remembers a write that moves traffic, or that may have.
func (s *shifts) note(rollout types.NamespacedName, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.at == nil {
		s.at = map[types.NamespacedName]time.Time{}
	}
	s.at[rollout] = at.Truncate(time.Microsecond)
}

// since is when traffic was last moved, or the start of the process, if that was later.
func (s *shifts) since(rollout types.NamespacedName, start time.Time) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at := s.at[rollout]; at.After(start) {
		return at
	}
	return start
}

// forget drops what is remembered of a Rollout that is gone.
func (s *shifts) forget(rollout types.NamespacedName) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.at, rollout)
}
