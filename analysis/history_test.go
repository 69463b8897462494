package analysis

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// factors makes the history of batches whose evidence is these factors, with an end so many seconds after the first.
func factors(every time.Duration, at map[int]float64, last int) *v1alpha1.EvidenceHistory {
	begin := time.Date(2026, 8, 20, 12, 0, 0, 0, time.UTC)
	var h *v1alpha1.EvidenceHistory
	for second := 0; second <= last; second++ {
		if factor, ended := at[second]; ended {
			h = prolonged(h, begin.Add(time.Duration(second)*time.Second), every, math.Log(factor))
		}
	}
	return h
}

func TestHistory(t *testing.T) {
	for _, row := range []struct {
		name string
		at   map[int]float64
		want []int32
	}{
		{"factors become hundredths of decimal logarithms", map[int]float64{0: 1, 30: 10, 60: 0.01}, []int32{0, 100, -200}},
		{"a gap keeps the evidence before it", map[int]float64{0: 10, 120: 100}, []int32{100, 100, 100, 100, 200}},
		{"a batch late by less than half", map[int]float64{0: 1, 40: 10, 74: 100}, []int32{0, 100, 200}},
		{"two batches at one point", map[int]float64{0: 1, 30: 10, 35: 100}, []int32{0, 200}},
		{"beyond what is shown", map[int]float64{0: math.Inf(1), 30: 0, 60: math.NaN()}, []int32{1200, -1200, 0}},
	} {
		t.Run(row.name, func(t *testing.T) {
			got := factors(30*time.Second, row.at, 200)
			if diff := cmp.Diff(row.want, got.Points); diff != "" {
				t.Errorf("points (-want +got):\n%s", diff)
			}
		})
	}
}

// TestHistoryIsBounded plays batches until points were thinned several times: there are never more than 60, and each stands
// for the evidence of its time.
func TestHistoryIsBounded(t *testing.T) {
	begin, every := time.Date(2026, 8, 20, 12, 0, 0, 0, time.UTC), 15*time.Second
	var h *v1alpha1.EvidenceHistory
	for i := range 1000 {
		before := h.DeepCopy()
		next := prolonged(h, begin.Add(time.Duration(i)*every), every, float64(i)/100*math.Ln10)
		if diff := cmp.Diff(before, h); diff != "" {
			t.Fatalf("batch %d changed what was given:\n%s", i, diff)
		}
		h = next
		if n := len(h.Points); n > 60 || i >= 60 && n < 30 {
			t.Fatalf("%d points after %d batches", n, i+1)
		}
		if got := h.Points[len(h.Points)-1]; got != int32(i) {
			t.Fatalf("the last point is %d after batch %d", got, i)
		}
		wantOfItsTime(t, *h, int(h.Every.Duration/every))
	}
	if want := (metav1.Duration{Duration: 32 * every}); h.Every != want {
		t.Errorf("a point stands for %s after 1000 batches, want %s", h.Every.Duration, want.Duration)
	}
}

// wantOfItsTime holds that each point is the number of its batch, or of one that came in the half of the time before the next.
func wantOfItsTime(t *testing.T, h v1alpha1.EvidenceHistory, batches int) {
	t.Helper()
	for i, point := range h.Points[:len(h.Points)-1] {
		if off := int(point) - i*batches; off < 0 || off > batches/2 {
			t.Fatalf("point %d is %d: %v", i, point, h)
		}
	}
}

// TestHistoryAfterAnHourAway has one batch after a time of many points.
func TestHistoryAfterAnHourAway(t *testing.T) {
	h := factors(15*time.Second, map[int]float64{0: 10, 15: 10, 7200: 1000}, 7200)
	if n := len(h.Points); n > 60 || h.Points[0] != 100 || h.Points[n-2] != 100 || h.Points[n-1] != 300 {
		t.Errorf("%v", h)
	}
}
