package rollout

import (
	"time"

	"k8s.io/utils/clock"
)

// steady is a clock that nobody sets: the time of the start, and what has passed since then. When the clock of the machine
// is put right by ten minutes, no pause ends and no deadline passes that has not, and gateways get the time that they are
// given. The next start takes the time of the machine again.
type steady struct {
	clock clock.PassiveClock
	start time.Time
}

func newSteady(c clock.PassiveClock) steady { return steady{clock: c, start: c.Now()} }

// Now implements clock.PassiveClock. The real clock measures what has passed by one that only goes forward.
func (s steady) Now() time.Time { return s.start.Add(s.clock.Since(s.start)) }

// Since implements clock.PassiveClock.
func (s steady) Since(t time.Time) time.Duration { return s.Now().Sub(t) }
