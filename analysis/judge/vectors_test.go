package judge

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"testing"
)

// tolerance of the reference values, relative where they exceed 1.
const tolerance = 1e-9

// vectors are the reference values.
type vectors struct {
	Effects []float64
	Fail    []struct {
		Batches            [][4]float64
		Relative, Absolute float64
		Dispersion, Log    float64
	}
	Pass []struct {
		Batches                 [][4]float64
		Relative, Absolute, Log float64
	}
	Objective []struct {
		Batches       [][2]float64
		Absolute, Log float64
	}
	Mean []struct {
		Values, Log []float64
		Limit       float64
	}
	Intervals []struct {
		Batches   [][4]float64
		Low, High float64
	}
}

func readVectors(t *testing.T) vectors {
	t.Helper()
	raw, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	if len(v.Fail) != 28 || len(v.Pass) != 14 || len(v.Objective) != 3 || len(v.Mean) != 2 || len(v.Intervals) != 2 {
		t.Fatalf("testdata/vectors.json has %d, %d, %d, %d and %d values of each kind, want 28, 14, 3, 2 and 2",
			len(v.Fail), len(v.Pass), len(v.Objective), len(v.Mean), len(v.Intervals))
	}
	return v
}

// batch is [bad, total of the candidate, bad, total of stable].
func batch(n [4]float64) Batch {
	return Batch{Candidate: Arm{Bad: n[0], Total: n[1]}, Stable: Arm{Bad: n[2], Total: n[3]}}
}

func batches(rows [][4]float64) []Batch {
	var all []Batch
	for _, row := range rows {
		all = append(all, batch(row))
	}
	return all
}

// plain are settings of the bare formulas: no cap, no tempering, one step.
func plain() Settings {
	return Settings{
		Fail: Margin{Relative: 1}, Pass: Margin{Relative: 1000, Absolute: 0.999},
		FalseAbort: 0.05, FalsePass: 0.05, Dispersion: 1,
	}
}

func newCounts(t testing.TB, settings Settings) *Counts {
	t.Helper()
	c, err := NewCounts(settings)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func observe(t testing.TB, c *Counts, all ...Batch) {
	t.Helper()
	for _, b := range all {
		if err := c.Observe(b); err != nil {
			t.Fatal(err)
		}
	}
}

func near(got, want float64) bool { return math.Abs(got-want) <= tolerance*max(1, math.Abs(want)) }

func TestVectorsOfFail(t *testing.T) {
	for i, v := range readVectors(t).Fail {
		t.Run(fmt.Sprintf("%d: %v", i, v.Batches), func(t *testing.T) {
			settings := plain()
			settings.Fail, settings.Dispersion = Margin{Relative: v.Relative, Absolute: v.Absolute}, v.Dispersion
			c := newCounts(t, settings)
			observe(t, c, batches(v.Batches)...)
			if !near(c.Fail(), v.Log) {
				t.Errorf("fail %.12f, want %.12f", c.Fail(), v.Log)
			}
		})
	}
}

func TestVectorsOfPass(t *testing.T) {
	for i, v := range readVectors(t).Pass {
		t.Run(fmt.Sprintf("%d: %v", i, v.Batches), func(t *testing.T) {
			settings := plain()
			settings.Pass = Margin{Relative: v.Relative, Absolute: v.Absolute}
			c := newCounts(t, settings)
			observe(t, c, batches(v.Batches)...)
			if !near(c.Pass(), v.Log) {
				t.Errorf("pass %.12f, want %.12f", c.Pass(), v.Log)
			}
		})
	}
}

func TestVectorsOfAnObjective(t *testing.T) {
	for i, v := range readVectors(t).Objective {
		t.Run(fmt.Sprintf("%d: %v", i, v.Batches), func(t *testing.T) {
			settings := plain()
			settings.Fail = Margin{Absolute: v.Absolute}
			c := newCounts(t, settings)
			for _, b := range v.Batches {
				observe(t, c, Batch{Candidate: Arm{Bad: b[0], Total: b[1]}})
			}
			if !near(c.Fail(), v.Log) {
				t.Errorf("fail %.12f, want %.12f", c.Fail(), v.Log)
			}
		})
	}
}

func TestVectorsOfTheMean(t *testing.T) {
	for _, v := range readVectors(t).Mean {
		m, err := NewMean(v.Limit)
		if err != nil {
			t.Fatal(err)
		}
		for i, z := range v.Values {
			if err := m.Observe(z); err != nil {
				t.Fatal(err)
			}
			if !near(m.Fail(), v.Log[i]) {
				t.Errorf("limit %v, after %d values: %.12f, want %.12f", v.Limit, i+1, m.Fail(), v.Log[i])
			}
		}
	}
}

// TestVectorsOfIntervals: the bounds are where the evidence has just the value that decides. The reference searched them
// less finely, to one part in 500.
func TestVectorsOfIntervals(t *testing.T) {
	for _, v := range readVectors(t).Intervals {
		all := batches(v.Batches)
		low, high := RatioInterval(all, 0.05, 0.05)
		if math.Abs(low/v.Low-1) > 0.002 || math.Abs(high/v.High-1) > 0.002 {
			t.Errorf("%v: %.4f to %.4f, want %.3f to %.3f", v.Batches, low, high, v.Low, v.High)
		}
		for _, log := range []float64{harmBeyond(all, low), harmlessBelow(all, high)} {
			if math.Abs(log-math.Log(20)) > 0.001 {
				t.Errorf("%v: evidence of %.4f at a bound, want ln 20 = %.4f", v.Batches, log, math.Log(20))
			}
		}
	}
}

func TestEffects(t *testing.T) {
	h := newHarm(1)
	for j, want := range readVectors(t).Effects {
		if !near(h.effect[j]+1, want) || !near(h.logG[j], math.Log(want)) {
			t.Errorf("effect %d is %.12f with logarithm %.12f, want %.12f", j, h.effect[j]+1, h.logG[j], want)
		}
	}
}
