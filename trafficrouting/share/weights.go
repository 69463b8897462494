package share

import "github.com/sluice-dev/sluice/api/v1alpha1"

const (
	// perMille is the number of tenths of a percent in the whole.
	perMille = int64(v1alpha1.MaxWeight)
	// percent is the number of percents in the whole.
	percent = 100
)

// weights are those of one list, as they bear on a split: pools that active and standby share, and the rest.
type weights struct {
	pools  []int64
	others []int64
}

// split is the weights of one list after a split: what each pool gives to active and to standby, and the rest.
type split struct {
	active, standby []int64
	others          []int64
}

// at splits every pool so that standby has the share of it, in tenths of a percent, without a change in what any
// backend, or any pool, has of the whole. It fails when no weights up to the largest can say so.
func (w weights) at(share int32, largest int64) (split, bool) {
	lowest := w.lowestTerms()
	candidates := []weights{lowest.times(percent), lowest.times(perMille), lowest.times(lowest.divisor(share))}
	if !w.plain() {
		candidates = append([]weights{w}, candidates...)
	}
	for _, c := range candidates {
		if out, ok := c.splitExactly(share, largest); ok {
			return out, true
		}
	}
	return split{}, false
}

// plain says whether there is nothing but one pool.
func (w weights) plain() bool { return len(w.pools)+len(w.others) <= 1 }

// divisible says whether every share, in tenths of a percent, can be split.
func (w weights) divisible(largest int64) bool {
	if len(w.pools) <= 1 && w.largestOther() == 0 {
		return largest >= perMille-1
	}
	return w.lowestTerms().largest() <= largest/perMille
}

// splitExactly splits the pools at the scale that they have.
func (w weights) splitExactly(share int32, largest int64) (split, bool) {
	if w.largestOther() > largest {
		return split{}, false
	}
	out := split{others: w.others}
	for _, pool := range w.pools {
		if pool*int64(share)%perMille != 0 {
			return split{}, false
		}
		standby := pool * int64(share) / perMille
		active := pool - standby
		if max(active, standby) > largest {
			return split{}, false
		}
		out.active, out.standby = append(out.active, active), append(out.standby, standby)
	}
	return out, true
}

// divisor is the smallest number that makes the pools divide at a share.
func (w weights) divisor(share int32) int64 {
	k := int64(1)
	for _, pool := range w.pools {
		need := perMille / gcd(perMille, pool*int64(share))
		k = k / gcd(k, need) * need
	}
	return k
}

// lowestTerms divides all weights by what they have in common.
func (w weights) lowestTerms() weights {
	var common int64
	for _, weight := range w.pools {
		common = gcd(common, weight)
	}
	for _, weight := range w.others {
		common = gcd(common, weight)
	}
	if common == 0 {
		return w
	}
	return w.each(func(weight int64) int64 { return weight / common })
}

func (w weights) times(k int64) weights {
	return w.each(func(weight int64) int64 { return weight * k })
}

func (w weights) each(change func(int64) int64) weights {
	out := weights{pools: make([]int64, len(w.pools)), others: make([]int64, len(w.others))}
	for i, weight := range w.pools {
		out.pools[i] = change(weight)
	}
	for i, weight := range w.others {
		out.others[i] = change(weight)
	}
	return out
}

func (w weights) largest() int64 {
	largest := w.largestOther()
	for _, weight := range w.pools {
		largest = max(largest, weight)
	}
	return largest
}

func (w weights) largestOther() int64 {
	var largest int64
	for _, weight := range w.others {
		largest = max(largest, weight)
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
