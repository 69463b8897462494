package judge

import (
	"math"
	"slices"
	"strings"
	"testing"
)

func classic(t *testing.T, counts ...float64) Histogram {
	t.Helper()
	h, err := Classic([]float64{0.1, 0.25, 0.5, 1, math.Inf(1)}, counts)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestAbove(t *testing.T) {
	native := Histogram{Exponential: true, Buckets: []Bucket{{1, 2, 10}, {2, 4, 10}, {8, 16, 20}}}
	for _, row := range []struct {
		name  string
		h     Histogram
		bound float64
		want  Arm
	}{
		{"nothing", Histogram{}, 1, Arm{}},
		{"at an edge", classic(t, 50, 80, 95, 99, 100), 0.25, Arm{20, 100}},
		{"at the last edge", classic(t, 50, 80, 95, 99, 100), 1, Arm{1, 100}},
		{"within a bucket", classic(t, 50, 80, 95, 99, 100), 0.75, Arm{3, 100}},
		{"within the first bucket, which is all fast", classic(t, 50, 80, 95, 99, 100), 0.05, Arm{50, 100}},
		{"within the last bucket, which is all slow", classic(t, 50, 80, 95, 99, 100), 2, Arm{1, 100}},
		{"native at an edge", native, 4, Arm{20, 40}},
		{"native between buckets", native, 6, Arm{20, 40}},
		{"native at half the way of a bucket", native, 2 * math.Sqrt2, Arm{25, 40}},
		{"native beyond", native, 16, Arm{0, 40}},
	} {
		t.Run(row.name, func(t *testing.T) {
			if got := row.h.Above(row.bound); !near(got.Bad, row.want.Bad) || got.Total != row.want.Total {
				t.Errorf("%+v, want %+v", got, row.want)
			}
		})
	}
}

func TestClassicSaysWhatIsWrong(t *testing.T) {
	inf := math.Inf(1)
	for _, row := range []struct {
		bounds, counts []float64
		want           string
	}{
		{nil, nil, "+Inf"},
		{[]float64{0.1, 1}, []float64{1, 2}, "+Inf"},
		{[]float64{0.1, inf}, []float64{1}, "+Inf"},
		{[]float64{1, 0.1, inf}, []float64{1, 2, 3}, "must grow"},
		{[]float64{0.1, 1, inf}, []float64{3, 2, 4}, "must grow"},
		{[]float64{0.1, inf}, []float64{math.NaN(), 2}, "must grow"},
	} {
		if _, err := Classic(row.bounds, row.counts); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%v, %v: error %v, want one with %q", row.bounds, row.counts, err, row.want)
		}
	}
}

func TestBounds(t *testing.T) {
	var native Histogram // 10,000 requests whose latency doubles with each halving of their number
	native.Exponential = true
	for i := range 12 {
		native.Buckets = append(native.Buckets,
			Bucket{Lower: math.Exp2(float64(i)), Upper: math.Exp2(float64(i + 1)), Count: 10000 / math.Exp2(float64(i+1))})
	}
	for _, row := range []struct {
		name string
		h    Histogram
		want []float64
		err  bool
	}{
		{"half, a tenth, a twentieth, a hundredth", classic(t, 5000, 9000, 9500, 9900, 10000), []float64{0.1, 0.25, 0.5, 1}, false},
		{"native", native, []float64{2, 8, 16, 128}, false},
		{"two tails at one edge", classic(t, 9200, 9990, 9999, 10000, 10000), []float64{0.1}, false},
		{"all in one bucket", classic(t, 10000, 10000, 10000, 10000, 10000), nil, true},
		{"all beyond the last edge", classic(t, 0, 0, 0, 0, 10000), nil, true},
		{"no requests", Histogram{}, nil, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			bounds, err := Bounds(row.h)
			var got []float64
			for _, b := range bounds {
				got = append(got, b.At)
			}
			if !slices.Equal(got, row.want) || (err != nil) != row.err {
				t.Errorf("%v, error %v; want %v, error %v", bounds, err, row.want, row.err)
			}
		})
	}
}

func newLatency(t *testing.T, stable Histogram) *Latency {
	t.Helper()
	bounds, err := Bounds(stable)
	if err != nil {
		t.Fatal(err)
	}
	var settings []Settings
	for _, b := range bounds {
		settings = append(settings, Defaults().At(b))
	}
	l, err := NewLatency(bounds, settings)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestLatency(t *testing.T) {
	stable := classic(t, 4500, 8100, 8550, 8910, 9000)
	for _, row := range []struct {
		name           string
		candidate      Histogram
		failed, passed bool
	}{
		{"as fast", classic(t, 500, 900, 950, 990, 1000), false, true},
		{"all slower", classic(t, 300, 800, 920, 985, 1000), true, false},
		{"a few much slower", classic(t, 490, 885, 930, 960, 1000), true, false},
		{"a little slower at one bound", classic(t, 480, 898, 950, 990, 1000), false, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			l := newLatency(t, stable)
			for range 40 {
				if err := l.Observe(row.candidate, stable); err != nil {
					t.Fatal(err)
				}
			}
			if got := l.Fail() >= Defaults().FailAt(); got != row.failed {
				t.Errorf("failed %v with evidence %v, want %v", got, l.Fail(), row.failed)
			}
			if got := l.Pass() >= Defaults().PassAt(); got != row.passed {
				t.Errorf("passed %v with evidence %v, want %v", got, l.Pass(), row.passed)
			}
		})
	}
}

func TestMarginsOfABound(t *testing.T) {
	for _, row := range []struct {
		tail                     float64
		tolerated, fails, passes float64
	}{
		{0.5, 0.52, 0.54, 0.59}, // 3 points fail, 10 pass
		{0.1, 0.127, 0.13, 0.2},
		{0.01, 0.015, 0.016, 0.025},
	} {
		settings := Defaults().At(Bound{Tail: row.tail})
		if row.tolerated > settings.Fail.Of(row.tail) || row.fails < settings.Fail.Of(row.tail) {
			t.Errorf("a tail of %v fails beyond %v, want between %v and %v", row.tail, settings.Fail.Of(row.tail),
				row.tolerated, row.fails)
		}
		if row.passes > settings.Pass.Of(row.tail) {
			t.Errorf("a tail of %v passes below %v, want %v to pass", row.tail, settings.Pass.Of(row.tail), row.passes)
		}
		if err := settings.Check(); err != nil {
			t.Error(err)
		}
	}
}

func TestLatencyStep(t *testing.T) {
	stable := classic(t, 4500, 8100, 8550, 8910, 9000)
	l := newLatency(t, stable)
	if err := l.Observe(classic(t, 500, 900, 950, 990, 1000), stable); err != nil {
		t.Fatal(err)
	}
	fail := l.Fail()
	l.Step()
	if l.Pass() != 0 || l.Fail() != fail || len(l.Tests()) != 4 {
		t.Errorf("in the next step: pass %v, fail %v, want 0 and %v", l.Pass(), l.Fail(), fail)
	}
}

func TestLatencyRefusesWhatIsNoHistogram(t *testing.T) {
	stable := classic(t, 4500, 8100, 8550, 8910, 9000)
	l := newLatency(t, stable)
	broken := Histogram{Buckets: []Bucket{{0, 1, math.NaN()}}}
	if err := l.Observe(broken, stable); err == nil || l.Fail() != 0 || l.Tests()[0].Batches() != 0 {
		t.Errorf("error %v, evidence %v, want an error and 0", err, l.Fail())
	}
	if _, err := NewLatency(nil, nil); err == nil {
		t.Error("no bounds: no error")
	}
	if _, err := NewLatency([]Bound{{At: 1}}, []Settings{{}}); err == nil || !strings.Contains(err.Error(), "bounds[0]") {
		t.Errorf("settings that are none: error %v, want one with the bound", err)
	}
}
