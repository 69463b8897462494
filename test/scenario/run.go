package scenario

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Run plays a scenario. The error names the line that did not come true and what was seen instead.
func Run(ctx context.Context, d Driver, s *Scenario) error {
	if err := d.Setup(ctx, *s.Spec.DeepCopy()); err != nil {
		return fmt.Errorf("%s.txt: set-up: %w", s.Name, err)
	}
	r := runner{driver: d}
	for _, line := range s.Lines {
		r.begin(line)
		if err := r.play(ctx, line); err != nil {
			return fmt.Errorf("%s.txt:%d: %s: %w", s.Name, line.Number, line.Text, err)
		}
	}
	return nil
}

// Lacking are the needs of a scenario that a driver with some of them does not have.
func (s *Scenario) Lacking(has ...Need) []Need {
	return slices.DeleteFunc(slices.Clone(s.Needs), func(need Need) bool { return slices.Contains(has, need) })
}

// runner is a scenario on its way.
type runner struct {
	driver Driver
	// rules are the lines always and never so far.
	rules []Line
	// noted is the picture of the last note, and last the one that was seen last.
	noted, last Picture
	// broken says which rule did not hold.
	broken error
	// told are what the status has said during this line, for the message of a line that does not come true.
	told []string
}

func (r *runner) begin(line Line) {
	r.told = nil
	if line.Kind == Always || line.Kind == Never {
		r.rules = append(r.rules, line)
	}
}

func (r *runner) play(ctx context.Context, line Line) error {
	switch line.Kind {
	case Happens:
		return r.driver.Do(ctx, line.Event)
	case Passes:
		return r.watch(ctx, line.Duration, nil)
	case Until:
		return r.watch(ctx, AsLongAsItTakes, &line.Condition)
	case Expect:
		return r.watch(ctx, AtOnce, &line.Condition)
	case Always, Never:
		return r.watch(ctx, AtOnce, &Condition{check: func(Picture, Picture) (string, bool) { return "", true }})
	case Notes:
		if err := r.watch(ctx, AtOnce, &Condition{check: func(Picture, Picture) (string, bool) { return "", true }}); err != nil {
			return err
		}
		r.noted = r.last
	}
	return nil
}

// watch lets the world go on until a condition holds, or, without one, until the limit has passed.
func (r *runner) watch(ctx context.Context, limit time.Duration, condition *Condition) error {
	met, seen := condition == nil, "nothing"
	err := r.driver.Watch(ctx, limit, func(now Picture) bool {
		r.look(now)
		if r.broken != nil || condition == nil {
			return r.broken != nil
		}
		if now.Fresh {
			seen, met = condition.Holds(now, r.noted)
		}
		return met
	})
	switch {
	case err != nil:
		return err
	case r.broken != nil:
		return r.broken
	case !met:
		return fmt.Errorf("seen is %s\n%s", seen, strings.Join(r.told, "\n"))
	}
	return nil
}

// look holds a picture against the rules.
func (r *runner) look(now Picture) {
	said := fmt.Sprintf("\t%s, weight %s, ready %s: %s", now.Phase, number(now.Weight), figures(readyOf(now)), now.Message)
	if len(r.told) == 0 || r.told[len(r.told)-1] != said {
		r.told = append(r.told, said)
	}
	r.last = now
	for _, rule := range r.rules {
		if seen, holds := rule.Condition.Holds(now, r.noted); holds != (rule.Kind == Always) {
			r.broken = fmt.Errorf("line %d, %s, is broken: seen is %s\n%s", rule.Number, rule.Text, seen, strings.Join(r.told, "\n"))
			return
		}
	}
}
