package judge

import "math"

// Part is the evidence of one metric among several.
type Part struct {
	// Weight of the metric, relative to the others; a critical one has more. 0 and less leave it out.
	Weight float64
	// Log is the logarithm of its evidence.
	Log float64
}

// Combine is the logarithm of the mean of evidence by weight. It is evidence itself, whatever the metrics have to do with
// each other, and never less than a share of α for each by weight would give. Without any part it is 0: nothing is known.
func Combine(parts []Part) float64 {
	top, weights := math.Inf(-1), 0.0
	for _, p := range parts {
		if p.Weight > 0 {
			top, weights = max(top, p.Log), weights+p.Weight
		}
	}
	if weights == 0 {
		return 0
	}
	sum := 0.0
	for _, p := range parts {
		if p.Weight > 0 {
			sum += p.Weight / weights * math.Exp(p.Log-top)
		}
	}
	return top + math.Log(sum)
}
