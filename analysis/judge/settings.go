package judge

import (
	"fmt"
	"math"
)

// Margin is how many more bad requests than stable a candidate may have: Relative × stable's rate + Absolute.
type Margin struct {
	// Relative is a factor on stable's rate: 1.25 tolerates a quarter more. 0 compares with no stable at all, and leaves
	// Absolute as an objective.
	Relative float64
	// Absolute is a rate, 0 to 1: 0.0005 is one request in 2,000.
	Absolute float64
}

// Of is the largest tolerated rate of a candidate where stable has this one. It may exceed 1.
func (m Margin) Of(stable float64) float64 { return m.Relative*stable + m.Absolute }

// check says what is wrong with a margin.
func (m Margin) check(field string) error {
	switch {
	case !(m.Relative >= 0 && m.Relative <= 1000):
		return fmt.Errorf("%s.relative is %v: write a factor from 0 to 1000, such as 1.25", field, m.Relative)
	case !(m.Absolute >= 0 && m.Absolute < 1):
		return fmt.Errorf("%s.absolute is %v: write a rate from 0 to less than 1, such as 0.0005", field, m.Absolute)
	case m.Relative == 0 && m.Absolute == 0:
		return fmt.Errorf("%s allows nothing: write relative, such as 1.25, or absolute, such as 0.0005", field)
	}
	return nil
}

// Settings of a test of counts.
type Settings struct {
	// Fail is the margin beyond which a candidate does harm.
	Fail Margin
	// Pass is the margin below which a candidate is shown to be good. It is larger than Fail: between both, neither is
	// shown.
	Pass Margin
	// FalseAbort is α: the odds that a candidate without harm is ever found to do some, over the whole release.
	FalseAbort float64
	// FalsePass is β: the odds that a step passes early although the candidate exceeds Pass.
	FalsePass float64
	// Dispersion is φ: how much more bad requests vary than independent ones would, from 1. See Dispersion.
	Dispersion float64
	// Agreement is how many batches must agree before a candidate fails; 0 and 1 let a single one decide.
	Agreement int
	// Steps is how many steps harm may begin at; 0 and 1 are a test of one step.
	Steps int
}

// Defaults are settings for a release whose steps, and whose bursts, are not known: a false abort in at most one of a
// hundred releases; a quarter more errors and one more in 2,000 tolerated; shown to be good when less than twice as many
// and one more in 1,000.
func Defaults() Settings {
	return Settings{
		Fail:       Margin{Relative: 1.25, Absolute: 0.0005},
		Pass:       Margin{Relative: 2, Absolute: 0.001},
		FalseAbort: 0.01,
		FalsePass:  0.05,
		Dispersion: UnknownDispersion,
		Agreement:  3,
		Steps:      1,
	}
}

// Check says what is wrong with settings, and what to write instead.
func (s Settings) Check() error {
	for _, err := range []error{
		s.Fail.check("fail"), s.Pass.check("pass"),
		checkOdds("falseAbort", s.FalseAbort), checkOdds("falsePass", s.FalsePass),
	} {
		if err != nil {
			return err
		}
	}
	if s.Pass.Relative < s.Fail.Relative || s.Pass.Absolute < s.Fail.Absolute {
		return fmt.Errorf("pass is %v and fail %v: a candidate could do both; write a pass that allows more", s.Pass, s.Fail)
	}
	switch {
	case !(s.Dispersion >= 1 && s.Dispersion <= 1000):
		return fmt.Errorf("dispersion is %v: write a factor from 1 to 1000, such as 2", s.Dispersion)
	case s.Agreement < 0 || s.Steps < 0:
		return fmt.Errorf("agreement is %d and steps %d: neither can be less than 0", s.Agreement, s.Steps)
	}
	return nil
}

// checkOdds says that a number cannot be the odds of a mistake.
func checkOdds(field string, odds float64) error {
	if odds > 0 && odds < 1 {
		return nil
	}
	return fmt.Errorf("%s is %v: write odds between 0 and 1, such as 0.01", field, odds)
}

// FailAt is the logarithm of evidence at which a candidate fails.
func (s Settings) FailAt() float64 { return -math.Log(s.FalseAbort) }

// PassAt is the logarithm of evidence at which a step passes early.
func (s Settings) PassAt() float64 { return -math.Log(s.FalsePass) }

// cap is by how much one batch may raise the logarithm of evidence: a hair more than its part, so that rounding does not
// ask for one batch more.
func (s Settings) cap() float64 {
	if s.Agreement <= 1 {
		return math.Inf(1)
	}
	return s.FailAt() / float64(s.Agreement) * (1 + slack)
}
