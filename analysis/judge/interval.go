package judge

import "math"

const (
	leastRatio = 1e-4
	mostRatio  = 1e4
	// bisections halve ln(mostRatio/leastRatio) = 18.4 to less than 0.00003: four digits of a ratio.
	bisections = 20
)

// Ratio is how many times as high the candidate's rate of bad requests is as stable's, over batches of different weights:
// the estimate of Mantel and Haenszel, Σ x·s/(c+s) / Σ y·c/(c+s). It is NaN when neither had any bad requests, and
// infinite when only stable had none.
func Ratio(batches []Batch) float64 {
	var over, under float64
	for _, b := range batches {
		o, u := weighed(b)
		over, under = over+o, under+u
	}
	return over / under
}

// weighed are the parts of a batch in the two sums of a ratio.
func weighed(b Batch) (over, under float64) {
	all := b.Candidate.Total + b.Stable.Total
	if all == 0 {
		return 0, 0
	}
	return b.Candidate.Bad * b.Stable.Total / all, b.Stable.Bad * b.Candidate.Total / all
}

// RatioInterval bounds the ratio of the candidate's rate to stable's: a confidence sequence, which one may look at after
// each batch. Low is the smallest ratio that the batches do not refute as a limit at level falseAbort, and high the
// largest at level falsePass; 0 and +∞ when they bound nothing. Margins, tempering and caps have no part in it.
//
// Batches without any bad request say nothing of a ratio and cost nothing; 240 others take a few ms.
func RatioInterval(batches []Batch, falseAbort, falsePass float64) (low, high float64) {
	telling := make([]Batch, 0, len(batches))
	for _, b := range batches {
		if b.Candidate.Total > 0 && b.Stable.Total > 0 && b.Candidate.Bad+b.Stable.Bad > 0 {
			telling = append(telling, b)
		}
	}
	low = edge(func(ratio float64) bool { return harmBeyond(telling, ratio) >= -math.Log(falseAbort) })
	high = edge(func(ratio float64) bool { return harmlessBelow(telling, ratio) < -math.Log(falsePass) })
	if low <= leastRatio {
		low = 0
	}
	if high >= mostRatio {
		high = math.Inf(1)
	}
	return low, high
}

// harmBeyond is the evidence of batches for harm beyond a ratio.
func harmBeyond(batches []Batch, ratio float64) float64 {
	h := newHarm(1)
	for _, b := range batches {
		h.multiply(b, Margin{Relative: ratio}, 1)
	}
	return logSum(h.reserve, h.mass[:])
}

// harmlessBelow is the evidence of batches against a ratio as large as this.
func harmlessBelow(batches []Batch, ratio float64) float64 {
	h := newHarmless()
	for _, b := range batches {
		h.multiply(b, Margin{Relative: ratio}, 1)
	}
	return logSum(math.Inf(-1), h.mass[:])
}

// edge finds the ratio up to which below holds, between the least and the most there is.
func edge(below func(ratio float64) bool) float64 {
	from, to := math.Log(leastRatio), math.Log(mostRatio)
	switch {
	case !below(leastRatio):
		return leastRatio
	case below(mostRatio):
		return mostRatio
	}
	for range bisections {
		middle := (from + to) / 2
		if below(math.Exp(middle)) {
			from = middle
		} else {
			to = middle
		}
	}
	return math.Exp((from + to) / 2)
}
