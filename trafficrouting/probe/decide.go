package probe

import (
	"fmt"
	"math"
	"strings"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// Odds is how seldom a gateway that shares by the weight is found beyond one of the two bounds.
const Odds = 0.0005

// Count is what became of the requests that came in by one door.
type Count struct {
	// Candidate and Stable are the answers of the two revisions.
	Candidate, Stable int
	// Untold are answers that told neither of them.
	Untold int
	// Failed are requests without an answer.
	Failed int
	// Failure is why one of them had none, in words without an answer's body; empty when none failed.
	Failure string
}

// told are the answers that tell a revision.
func (c Count) told() int { return c.Candidate + c.Stable }

// Verdict is what a count comes to.
type Verdict struct {
	// Confirmed says that the candidate answers the share.
	Confirmed bool
	// Message says so with numbers, or why not.
	Message string
}

// Decide compares a count with the weight, in tenths of a percent, for so many requests.
func Decide(weight int32, requests int, c Count) Verdict {
	told := c.told()
	if least := (requests + 1) / 2; told < least {
		return Verdict{Message: fmt.Sprintf("%d of %d requests were answered by a revision that is told, and %d have to be%s",
			told, requests, least, c.rest())}
	}
	low, high := Bounds(told, float64(weight)/float64(v1alpha1.MaxWeight))
	return Verdict{
		Confirmed: low <= c.Candidate && c.Candidate <= high,
		Message: fmt.Sprintf("%d of %d answers came from the candidate, and %s%% is %s%s", c.Candidate, told,
			v1alpha1.FormatWeight(weight), span(low, high), c.rest()),
	}
}

// span is what lies between two bounds, in words.
func span(low, high int) string {
	if low == high {
		return fmt.Sprintf("%d", low)
	}
	return fmt.Sprintf("%d to %d", low, high)
}

// rest tells of the requests that say nothing.
func (c Count) rest() string {
	var out strings.Builder
	if c.Untold > 0 {
		fmt.Fprintf(&out, "; %d answers told no revision", c.Untold)
	}
	if c.Failed > 0 {
		fmt.Fprintf(&out, "; %d requests had no answer: %s", c.Failed, c.Failure)
	}
	return out.String()
}

// Bounds are the least and the most of n answers that the candidate has when each is its own with probability p: beyond either
// lies no more than Odds.
func Bounds(n int, p float64) (low, high int) {
	if p <= 0 {
		return 0, 0
	}
	if p >= 1 {
		return n, n
	}
	return quantile(n, p), n - quantile(n, 1-p)
}

// quantile is the smallest k such that less than k of n happen with no more than Odds.
func quantile(n int, p float64) int {
	sum := 0.0
	for k := range n {
		sum += chance(n, k, p)
		if sum > Odds {
			return k
		}
	}
	return n
}

// chance is the probability of k of n, by logarithms: factorials of 2,000 are beyond any number.
func chance(n, k int, p float64) float64 {
	all, _ := math.Lgamma(float64(n + 1))
	these, _ := math.Lgamma(float64(k + 1))
	others, _ := math.Lgamma(float64(n - k + 1))
	return math.Exp(all - these - others + float64(k)*math.Log(p) + float64(n-k)*math.Log1p(-p))
}

// Tells says which of two revisions a header names: by the hash of its template, whole or as a part between dashes, as the name of
// a pod has it. It is empty for neither.
func Tells(value, candidate, stable string) string {
	for part := range strings.SplitSeq(value, "-") {
		switch strings.TrimSpace(part) {
		case "":
		case candidate:
			return candidate
		case stable:
			return stable
		}
	}
	return ""
}
