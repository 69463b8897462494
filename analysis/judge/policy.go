package judge

import (
	"fmt"
	"time"
)

// Action is what becomes of a release.
type Action string

const (
	// Abort takes all traffic back to stable.
	Abort Action = "Abort"
	// Hold leaves traffic where it is and waits, for figures or a person.
	Hold Action = "Hold"
	// Continue goes on as if the analysis had passed.
	Continue Action = "Continue"
)

// Reaction is what becomes of a release when something holds, and what when it still does after a time.
type Reaction struct {
	// Do at once.
	Do Action
	// For is how long a Hold lasts; 0 is until a person decides or the cause is gone.
	For time.Duration
	// Then follows a Hold that has a time: Abort or Continue.
	Then Action
}

// Check says what is wrong with a reaction, and what to write instead.
func (r Reaction) Check(field string) error {
	limited := r.For != 0 || r.Then != ""
	switch r.Do {
	case Abort, Continue:
		if limited {
			return fmt.Errorf("%s: %s happens at once; remove the time and what follows it, or write Hold", field, r.Do)
		}
		return nil
	case Hold:
	default:
		return fmt.Errorf("%s is %q: write Abort, Hold or Continue", field, r.Do)
	}
	if limited && (r.For <= 0 || r.Then != Abort && r.Then != Continue) {
		return fmt.Errorf("%s holds for %s and then %q: write both a time, such as 30m, and Abort or Continue, "+
			"or neither", field, r.For, r.Then)
	}
	return nil
}

// After is the action once the cause has held for so long, and how long until it changes; 0 when it does not.
func (r Reaction) After(held time.Duration) (now Action, changes time.Duration) {
	switch {
	case r.Do != Hold || r.For == 0:
		return r.Do, 0
	case held < r.For:
		return Hold, r.For - held
	}
	return r.Then, 0
}

// Policy is what becomes of a release by its verdict and by the state of its figures.
type Policy struct {
	// OnFailed is for a candidate that does harm.
	OnFailed Reaction
	// OnInconclusive is for a time that was up before enough was seen.
	OnInconclusive Reaction
	// OnError is for batches that are not Ok, as long as nothing else is decided.
	OnError Reaction
}

// DefaultPolicy takes a candidate back that does harm, and asks a person about all else. That figures are missing is never
// by itself a reason to take anything back, or to go on.
func DefaultPolicy() Policy {
	return Policy{OnFailed: Reaction{Do: Abort}, OnInconclusive: Reaction{Do: Hold}, OnError: Reaction{Do: Hold}}
}

// Check says what is wrong with a policy, and what to write instead.
func (p Policy) Check() error {
	if err := p.OnFailed.Check("onFailed"); err != nil {
		return err
	}
	if err := p.OnInconclusive.Check("onInconclusive"); err != nil {
		return err
	}
	return p.OnError.Check("onError")
}

// React is what becomes of a release with this verdict and this state of its figures, which have been so for the time
// held; and how long until that changes, 0 when it does not by itself. A verdict outranks the state of figures.
func (p Policy) React(verdict Verdict, state State, held time.Duration) (now Action, changes time.Duration) {
	switch {
	case verdict == Failed:
		return p.OnFailed.After(held)
	case verdict == Inconclusive:
		return p.OnInconclusive.After(held)
	case verdict == Passed:
		return Continue, 0
	case state != Ok:
		return p.OnError.After(held)
	}
	return Hold, 0
}
