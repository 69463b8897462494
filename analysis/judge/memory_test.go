package judge

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
)

func TestMemory(t *testing.T) {
	settings := Defaults()
	settings.Steps = 3
	test := newCounts(t, settings)
	for i := range 6 {
		restored, err := Restore(settings, test.Memory())
		if err != nil {
			t.Fatal(err)
		}
		if got, want := shown(restored), shown(test); got != want {
			t.Fatalf("after %d batches: %s, want %s", i, got, want)
		}
		b := batch([4]float64{float64(3 * i), 100, 2, 900})
		observe(t, test, b)
		observe(t, restored, b)
		if i%2 == 1 {
			test.Step()
			restored.Step()
		}
		if restored.Memory() != test.Memory() {
			t.Fatalf("after %d batches the restored test went another way", i+1)
		}
	}
}

// shown is all that a test tells of itself.
func shown(c *Counts) string {
	return fmt.Sprintf("%s %v %.9f %v %v %d", c.Memory(), c.Fail(), c.Pass()+1, c.Seen(), c.Ratio(), c.Batches())
}

func TestRestoreRefuses(t *testing.T) {
	good := newCounts(t, Defaults()).Memory()
	for name, memory := range map[string]string{
		"nothing": "", "text": "hello", "cut off": good[:len(good)-4], "more": good + "AAAA",
		"not a number": strings.Repeat("/", 11) + good[11:],
	} {
		if _, err := Restore(Defaults(), memory); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := Restore(Settings{}, good); err == nil {
		t.Error("settings that are none: no error")
	}
}

// TestLatencyMemory holds that a test goes on from its memory as if nothing had happened, bounds and all.
func TestLatencyMemory(t *testing.T) {
	stable, slow := classic(t, 4500, 8100, 8550, 8910, 9000), classic(t, 480, 880, 940, 985, 1000)
	l := newLatency(t, stable)
	if err := l.Observe(slow, stable); err != nil {
		t.Fatal(err)
	}
	again, err := RestoreLatency(Defaults().At, l.Memory())
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []*Latency{l, again} {
		if err := test.Observe(slow, stable); err != nil {
			t.Fatal(err)
		}
	}
	if l.Fail() != again.Fail() || l.Pass() != again.Pass() || !slices.Equal(l.Bounds(), again.Bounds()) {
		t.Errorf("evidence %v and %v at %v after a restart, want %v and %v at %v", again.Fail(), again.Pass(), again.Bounds(),
			l.Fail(), l.Pass(), l.Bounds())
	}
}

func TestLatencyMemoryThatIsNone(t *testing.T) {
	l := newLatency(t, classic(t, 4500, 8100, 8550, 8910, 9000))
	for _, wrong := range []string{"", "0.1", "0.1 0.2 x", l.Memory() + ";", "a" + l.Memory()} {
		if _, err := RestoreLatency(Defaults().At, wrong); err == nil || !strings.Contains(err.Error(), "begin another analysis") {
			t.Errorf("%q: error %v, want one that says to begin again", wrong, err)
		}
	}
}

func BenchmarkLatency(b *testing.B) {
	bounds := []Bound{{0.1, 0.5}, {0.25, 0.1}, {0.5, 0.05}, {1, 0.01}}
	var settings []Settings
	for _, bound := range bounds {
		settings = append(settings, Defaults().At(bound))
	}
	l, err := NewLatency(bounds, settings)
	if err != nil {
		b.Fatal(err)
	}
	edges := []float64{0.1, 0.25, 0.5, 1, math.Inf(1)}
	stable, _ := Classic(edges, []float64{4500, 8100, 8550, 8910, 9000})
	candidate, _ := Classic(edges, []float64{500, 900, 950, 990, 1000})
	b.ReportAllocs()
	for b.Loop() {
		if err := l.Observe(candidate, stable); err != nil {
			b.Fatal(err)
		}
		l.Fail()
	}
}
