package analysis

import (
	"math"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

const (
	maxPoints  = 60   // of the API: a line of a terminal, and some 300 bytes
	maxLogPart = 1200 // hundredths of a decimal logarithm: a factor of a million million, as Comparison.Evidence shows at most
)

// historyOf is the history so far; nil before the first batch.
func historyOf(c *v1alpha1.Comparison) *v1alpha1.EvidenceHistory {
	if c == nil {
		return nil
	}
	return c.History
}

// prolonged is a history with one point more: the logarithm of the evidence at the end of a batch. A time in which no batch
// ended has the evidence of the last one before it. When there is no room left, every other point goes. It does not
// change what it is given, which is nil before the first batch.
func prolonged(h *v1alpha1.EvidenceHistory, until time.Time, every time.Duration, log float64) *v1alpha1.EvidenceHistory {
	point := logPart(log)
	if h == nil || len(h.Points) == 0 || h.Every.Duration <= 0 {
		return &v1alpha1.EvidenceHistory{
			From: moment(until), Every: metav1.Duration{Duration: max(every, minInterval)}, Points: []int32{point},
		}
	}
	next := h.DeepCopy()
	slot := slotOf(*next, until)
	for slot >= maxPoints {
		halve(next)
		slot = slotOf(*next, until)
	}
	for len(next.Points) <= slot {
		next.Points = append(next.Points, next.Points[len(next.Points)-1])
	}
	next.Points[len(next.Points)-1] = point
	return next
}

// slotOf is the index of the point for a time: the one that is nearest to it.
func slotOf(h v1alpha1.EvidenceHistory, at time.Time) int {
	return int((at.Sub(h.From.Time) + h.Every.Duration/2) / h.Every.Duration)
}

// halve keeps the first of every two points.
func halve(h *v1alpha1.EvidenceHistory) {
	kept := h.Points[:0]
	for i := 0; i < len(h.Points); i += 2 {
		kept = append(kept, h.Points[i])
	}
	h.Points = kept
	h.Every.Duration *= 2
}

// logPart writes a natural logarithm in hundredths of a decimal one.
func logPart(log float64) int32 {
	if math.IsNaN(log) {
		return 0
	}
	return int32(math.Round(min(max(log/math.Ln10*100, -maxLogPart), maxLogPart)))
}
