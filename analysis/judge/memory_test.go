package judge

import (
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
		if restored.Memory() != test.Memory() || restored.Fail() != test.Fail() || !near(restored.Pass(), test.Pass()) ||
			restored.Seen() != test.Seen() || restored.Batches() != i {
			t.Fatalf("after %d batches: %+v, want %+v", i, *restored, *test)
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
