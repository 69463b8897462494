package analysis

import (
	"math"
	"testing"
	"time"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

func TestForesee(t *testing.T) {
	traffic := Traffic{Rate: 100, Bad: 0.002, Stages: []Stage{{0.05, 10 * minute}, {0.2, 10 * minute}, {0.5, 10 * minute}}}
	one, err := Foresee([]v1alpha1.Metric{metric("plain"), ratioMetric(endless)}, traffic)
	if err != nil || len(one) != 1 || one[0].Metric != "errors" {
		t.Fatalf("%+v, error %v; want the ratio alone", one, err)
	}
	for i, p := range one[0].Prospects {
		falls := i > 0 && p.Odds < one[0].Prospects[max(i-1, 0)].Odds
		if falls || (p.Odds >= 0.5) != (p.Even > 0) {
			t.Errorf("%+v among %+v", p, one[0].Prospects)
		}
	}
	want := Prospect{Factor: 10, Odds: 1, Even: 3 * minute, Share: 0.05}
	ten := one[0].Prospects[4]
	ten.Odds, ten.Even = math.Round(ten.Odds), ten.Even.Round(minute)
	if ten != want {
		t.Errorf("%+v, want %+v", ten, want)
	}
	if d := math.Round(10 * one[0].Detectable); d != 27 {
		t.Errorf("%v tenths are found, want 27", d)
	}
}

func TestForeseeShares(t *testing.T) {
	traffic := Traffic{Rate: 100, Bad: 0.002, Stages: []Stage{{0.1, 30 * minute}}}
	other := ratioMetric(endless)
	other.Name = "timeouts"
	one, err := Foresee([]v1alpha1.Metric{ratioMetric(endless)}, traffic)
	if err != nil {
		t.Fatal(err)
	}
	two, err := Foresee([]v1alpha1.Metric{other, ratioMetric(endless)}, traffic)
	if err != nil || len(two) != 2 || two[1].Detectable <= one[0].Detectable {
		t.Errorf("%+v, error %v; want less to be found by each of two, which share the odds", two, err)
	}
}

func TestForeseeBatches(t *testing.T) {
	stages := []Stage{{0.1, minute}, {0.5, minute}}
	for _, row := range []struct {
		name   string
		metric v1alpha1.Metric
		want   []float64 // shares
		lasts  time.Duration
	}{
		{"all stages", ratioMetric(endless), []float64{.1, .1, .1, .1, .5, .5, .5, .5}, 2*minute + 30*second},
		{"until the count", ratioMetric(times(5)), []float64{.1, .1, .1, .1, .5}, 75*second + 30*second},
		{"after a delay", ratioMetric(endless, after(50*second)), []float64{.5, .5, .5, .5}, 50*second + minute + 30*second},
		{"no time", ratioMetric(after(5 * minute)), nil, 5*minute + 30*second},
	} {
		t.Run(row.name, func(t *testing.T) {
			traffic := Traffic{Rate: 40, Bad: 0.01, Stages: stages}
			plan, shares := batchesOf(row.metric, traffic)
			if len(shares) != len(row.want) {
				t.Fatalf("shares %v, want %v", shares, row.want)
			}
			for i, load := range plan {
				if shares[i] != row.want[i] || load.Candidate != 600*row.want[i] || math.Abs(load.Stable+load.Candidate-600) > 1e-9 {
					t.Errorf("batch %d: %+v at %v", i, load, shares[i])
				}
			}
			f, err := Foresee([]v1alpha1.Metric{row.metric}, traffic)
			if err != nil || f[0].Lasts != row.lasts {
				t.Errorf("lasts %s, error %v; want %s", f[0].Lasts, err, row.lasts)
			}
		})
	}
}

func TestForeseeRefusesARatioThatIsNone(t *testing.T) {
	wrong := ratioMetric()
	wrong.Ratio.MaxRelativeIncrease = "much"
	if _, err := Foresee([]v1alpha1.Metric{wrong}, Traffic{}); err == nil {
		t.Error("no error")
	}
}
