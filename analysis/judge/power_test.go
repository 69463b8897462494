package judge

import (
	"math"
	"testing"
)

// TestDetectable compares with a table that was computed elsewhere, for the bare comparison at an α of 5 %.
func TestDetectable(t *testing.T) {
	for _, row := range []struct {
		rate, share float64
		want        [4]float64 // at 500, 2,000, 10,000 and 50,000 requests of the candidate
	}{
		{0.001, 0.1, [4]float64{13, 5.5, 2.6, 1.6}},
		{0.001, 0.5, [4]float64{23, 8.5, 3.4, 1.9}},
		{0.01, 0.1, [4]float64{3.5, 2.1, 1.4, 1.2}},
		{0.01, 0.5, [4]float64{4.9, 2.6, 1.6, 1.3}},
	} {
		for i, n := range []float64{500, 2000, 10000, 50000} {
			plan := []Load{{Candidate: n, Stable: n * (1 - row.share) / row.share}}
			if got := Detectable(plain(), plan, row.rate); math.Abs(got/row.want[i]-1) > 0.06 {
				t.Errorf("rate %v, share %v, %v requests: a factor of %.2f can be found, want %v",
					row.rate, row.share, n, got, row.want[i])
			}
		}
	}
}

func TestNothingIsDetectable(t *testing.T) {
	plan := []Load{{Candidate: 1, Stable: 9}}
	for _, rate := range []float64{0, 0.001, 1.1, math.NaN()} {
		if got := Detectable(plain(), plan, rate); !math.IsInf(got, 1) {
			t.Errorf("rate %v: a factor of %v, want none", rate, got)
		}
	}
	if got := Detectable(plain(), nil, 0.01); !math.IsInf(got, 1) {
		t.Errorf("without a plan: a factor of %v, want none", got)
	}
}

func TestOdds(t *testing.T) {
	settings := Defaults()
	var plan []Load
	for range 40 {
		plan = append(plan, Load{Candidate: 150, Stable: 1350})
	}
	worse, harmless := Odds(settings, plan, 0.002, 0.02), Odds(settings, plan, 0.002, 0.002)
	if worse[0] != 0 || worse[1] != 0 {
		t.Errorf("odds %v and %v after one and two batches, want 0, as three must agree", worse[0], worse[1])
	}
	for i := 1; i < len(plan); i++ {
		if worse[i] < worse[i-1] {
			t.Fatalf("odds fall from %v to %v", worse[i-1], worse[i])
		}
	}
	if worse[39] < 0.99 || harmless[39] > 0.01 {
		t.Errorf("odds %v of finding ten times as many errors and %v of finding none more", worse[39], harmless[39])
	}
	plan[20].Stable = 0 // a batch that says nothing
	if got := Odds(settings, plan, 0.002, 0.02); got[20] != got[19] {
		t.Errorf("odds %v → %v by a batch without stable, want no change", got[19], got[20])
	}
}

// TestOddsKnowTheCap holds that large batches do not find anything sooner than a cap lets them.
func TestOddsKnowTheCap(t *testing.T) {
	settings := Defaults()
	settings.Agreement = 6
	var plan []Load
	for range 12 {
		plan = append(plan, Load{Candidate: 1e6, Stable: 9e6})
	}
	odds := Odds(settings, plan, 0.01, 0.02)
	if odds[5] > 0.5 || odds[11] < 0.99 {
		t.Errorf("odds %v after as many batches as must agree, and %v after twice as many", odds[5], odds[11])
	}
}

func TestNeeded(t *testing.T) {
	settings := Defaults()
	seen := batch([4]float64{1, 1000, 9, 9000})
	needed := Needed(settings, seen)
	// A plan of as many requests finds what exceeds the margin for a pass, and one of half as many does not.
	settings.Agreement = 0
	candidate := settings.Pass.Of(0.001)
	for _, row := range []struct {
		part      float64
		low, high float64
	}{{1, 0.79, 0.81}, {0.5, 0, 0.5}, {2, 0.95, 1}} {
		plan := []Load{{Candidate: needed * row.part, Stable: 9 * needed * row.part}}
		if odds := Odds(settings, plan, 0.001, candidate); odds[0] < row.low || odds[0] > row.high {
			t.Errorf("odds %v with %v of the %v needed, want %v to %v", odds[0], row.part, needed, row.low, row.high)
		}
	}
	for _, none := range []Batch{{}, {Candidate: Arm{Total: 10}}, {Stable: Arm{Total: 10}}} {
		if got := Needed(settings, none); !math.IsInf(got, 1) {
			t.Errorf("%+v: %v requests are needed, want +∞", none, got)
		}
	}
	if got := Needed(settings, batch([4]float64{0, 10, 0, 90})); !(got > 1000 && got < 1e6) {
		t.Errorf("without any error: %v requests are needed", got)
	}
}
