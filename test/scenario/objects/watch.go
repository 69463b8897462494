package objects

import (
	"context"
	"reflect"
	"time"

	"k8s.io/utils/clock"

	"github.com/sluice-dev/sluice/test/scenario"
)

// Pace is how a world is watched in which time passes by itself.
type Pace struct {
	Clock clock.Clock
	// Glance is the time between two pictures.
	Glance time.Duration
	// Grace is what "at once" may take, and Patience what "as long as it takes" may.
	Grace, Patience time.Duration
}

// Watch shows pictures until enough says that it has seen enough or the limit has passed, as scenario.Driver has it. What
// is shown has been seen twice in a row: a picture that was taken while something changed shows what never was.
func (w *World) Watch(ctx context.Context, pace Pace, limit time.Duration, enough func(scenario.Picture) bool) error {
	end := pace.Clock.After(pace.limit(limit))
	last, err := w.Picture(ctx)
	if err != nil {
		return err
	}
	for {
		now, err := w.Picture(ctx)
		if err != nil {
			return err
		}
		if reflect.DeepEqual(last, now) && enough(now) {
			return nil
		}
		last = now
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-end:
			return nil
		case <-pace.Clock.After(pace.Glance):
		}
	}
}

// limit is how long a limit of scenario.Driver is.
func (p Pace) limit(limit time.Duration) time.Duration {
	if limit == scenario.AtOnce {
		return p.Grace
	}
	if limit == scenario.AsLongAsItTakes {
		return p.Patience
	}
	return limit
}
