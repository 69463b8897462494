package judge

import (
	"fmt"
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
