package judge

import (
	"fmt"
	"math"
)

// Arm is what one of the two versions served in a batch. The numbers need not be whole: native histograms give parts of
// requests.
type Arm struct {
	// Bad requests, at least 0 and no more than Total.
	Bad float64
	// Total of all requests, bad ones included.
	Total float64
}

// Rate is the share of bad requests, 0 to 1; 0 when there were no requests.
func (a Arm) Rate() float64 {
	if a.Total <= 0 {
		return 0
	}
	return a.Bad / a.Total
}

// plus sums two arms.
func (a Arm) plus(b Arm) Arm { return Arm{Bad: a.Bad + b.Bad, Total: a.Total + b.Total} }

// minus takes an arm that is part of it away.
func (a Arm) minus(b Arm) Arm { return Arm{Bad: max(a.Bad-b.Bad, 0), Total: max(a.Total-b.Total, 0)} }

// check says why an arm cannot be counts of requests.
func (a Arm) check(who string) error {
	switch {
	case math.IsNaN(a.Bad), math.IsNaN(a.Total), math.IsInf(a.Bad, 0), math.IsInf(a.Total, 0):
		return fmt.Errorf("%s has %v bad of %v requests: these are no numbers to count with", who, a.Bad, a.Total)
	case a.Bad < 0 || a.Total < 0:
		return fmt.Errorf("%s has %v bad of %v requests: a count cannot be less than 0", who, a.Bad, a.Total)
	case a.Bad > a.Total*(1+slack):
		return fmt.Errorf("%s has %v bad of %v requests: the bad ones must be among all", who, a.Bad, a.Total)
	case a.Total > maxRequests:
		return fmt.Errorf("%s has %v requests in one batch: at most %v can be counted", who, a.Total, float64(maxRequests))
	}
	return nil
}

const (
	// slack is by how much bad may exceed total: sums of parts of requests in binary floating point.
	slack = 1e-9
	// maxRequests of one arm in one batch: beyond it, a count has lost whole requests to rounding.
	maxRequests = 1 << 53
)

// Batch is what both versions served between two moments, with the same weight throughout.
type Batch struct {
	// Candidate is the version that is judged.
	Candidate Arm
	// Stable is what it is compared with.
	Stable Arm
}

// Check says what is wrong with a batch; nil when its numbers can be counts.
func (b Batch) Check() error {
	if err := b.Candidate.check("the candidate"); err != nil {
		return err
	}
	return b.Stable.check("stable")
}

// Plus sums two batches.
func (b Batch) Plus(other Batch) Batch {
	return Batch{Candidate: b.Candidate.plus(other.Candidate), Stable: b.Stable.plus(other.Stable)}
}

// minus takes a batch that is part of it away.
func (b Batch) minus(other Batch) Batch {
	return Batch{Candidate: b.Candidate.minus(other.Candidate), Stable: b.Stable.minus(other.Stable)}
}

// glaring says that a candidate is plainly broken, so that no second and third batch needs to agree: 20 requests, half
// of them bad, at twice the rate of stable or more. The comparison with stable keeps a shared outage from counting.
func (b Batch) glaring() bool {
	return b.Candidate.Total >= 20 && b.Candidate.Rate() >= 0.5 && b.Candidate.Rate() >= 2*b.Stable.Rate()
}
