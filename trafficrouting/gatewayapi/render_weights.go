package gatewayapi

import "github.com/sluice-dev/sluice/api/v1alpha1"

const (
	// maxBackendWeight is the largest weight that the API allows for one backend.
	maxBackendWeight = 1_000_000
	// perMille is the number of tenths of a percent in the whole.
	perMille = int64(v1alpha1.MaxWeight)
	// percent is the number of percents in the whole.
	percent = 100
)

// shares are the weights of one rule, as they bear on a split: pools that active and standby share, and the rest.
type shares struct {
	pools  []int64
	others []int64
}

// split is the weights of one rule after a split: what each pool gives to active and to standby, and the rest.
type split struct {
	active, standby []int64
	others          []int64
}

// at splits every pool so that standby has the weight of it, in tenths of a percent, without a change in what any
// backend, or any pool, has of the whole. It fails when no weights within the limit of the API can say so.
func (s shares) at(weight int32) (split, bool) {
	lowest := s.lowestTerms()
	candidates := []shares{lowest.times(percent), lowest.times(perMille), lowest.times(lowest.divisor(weight))}
	if len(s.pools)+len(s.others) > 1 {
		candidates = append([]shares{s}, candidates...)
	}
	for _, c := range candidates {
		if out, ok := c.splitExactly(weight); ok {
			return out, true
		}
	}
	return split{}, false
}

// divisible says whether every weight, in tenths of a percent, can be split.
func (s shares) divisible() bool {
	return s.lowestTerms().largest() <= maxBackendWeight/perMille
}

// splitExactly splits the pools at the scale that they have.
func (s shares) splitExactly(weight int32) (split, bool) {
	if len(s.others) > 0 && s.largestOther() > maxBackendWeight {
		return split{}, false
	}
	out := split{others: s.others}
	for _, pool := range s.pools {
		if pool*int64(weight)%perMille != 0 {
			return split{}, false
		}
		standby := pool * int64(weight) / perMille
		active := pool - standby
		if max(active, standby) > maxBackendWeight {
			return split{}, false
		}
		out.active, out.standby = append(out.active, active), append(out.standby, standby)
	}
	return out, true
}

// divisor is the smallest number that makes the pools divide at a weight.
func (s shares) divisor(weight int32) int64 {
	k := int64(1)
	for _, pool := range s.pools {
		need := perMille / gcd(perMille, pool*int64(weight))
		k = k / gcd(k, need) * need
	}
	return k
}

// lowestTerms divides all weights by what they have in common.
func (s shares) lowestTerms() shares {
	var common int64
	for _, w := range s.pools {
		common = gcd(common, w)
	}
	for _, w := range s.others {
		common = gcd(common, w)
	}
	if common == 0 {
		return s
	}
	return s.each(func(w int64) int64 { return w / common })
}

func (s shares) times(k int64) shares {
	return s.each(func(w int64) int64 { return w * k })
}

func (s shares) each(change func(int64) int64) shares {
	out := shares{pools: make([]int64, len(s.pools)), others: make([]int64, len(s.others))}
	for i, w := range s.pools {
		out.pools[i] = change(w)
	}
	for i, w := range s.others {
		out.others[i] = change(w)
	}
	return out
}

func (s shares) largest() int64 {
	largest := s.largestOther()
	for _, w := range s.pools {
		largest = max(largest, w)
	}
	return largest
}

func (s shares) largestOther() int64 {
	var largest int64
	for _, w := range s.others {
		largest = max(largest, w)
	}
	return largest
}

// gcd is the greatest common divisor of two numbers that are not negative; gcd(0, n) is n.
func gcd(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
