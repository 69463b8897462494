package rollout

import (
	"testing"
	"time"
)

// settable is a machine whose clock can be set, and which knows all the same how much time has passed.
type settable struct{ now, set time.Duration }

func (s *settable) Now() time.Time                { return time.Unix(0, 0).Add(s.now + s.set) }
func (s *settable) Since(time.Time) time.Duration { return s.now }

func TestNobodySetsTheClock(t *testing.T) {
	machine := &settable{set: time.Hour}
	c := newSteady(machine)
	begun := c.Now()
	for _, set := range []time.Duration{70 * time.Minute, 50 * time.Minute} {
		machine.set = set
		machine.now += time.Second
		if got := c.Since(begun); got != machine.now {
			t.Errorf("with the clock set by %s, %s have passed, want %s", set-time.Hour, got, machine.now)
		}
	}
}
