package process

import (
	"os"
	"testing"
)

func TestParseStat(t *testing.T) {
	const tail = " S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20 21"
	for name, line := range map[string]string{
		"plain":                    "42 (sleep)" + tail,
		"blank in the name":        "42 (my prog)" + tail,
		"parenthesis in the name":  "42 (a) S 9 9)" + tail,
		"line end after the field": "42 (sleep)" + tail + "\n",
	} {
		state, start, err := parseStat([]byte(line))
		if err != nil || state != 'S' || start != 4711 {
			t.Errorf("%s: state %c, start %d, error %v; want S, 4711", name, state, start, err)
		}
	}
	for _, line := range []string{"", "42 sleep S 1", "42 (sleep) S 1 2"} {
		if _, _, err := parseStat([]byte(line)); err == nil {
			t.Errorf("parseStat(%q) succeeds", line)
		}
	}
}

func TestAliveKnowsAProcessFromItsSuccessor(t *testing.T) {
	self, err := Identify(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	later, rebooted := self, self
	later.StartTicks++
	rebooted.BootID = "another"
	for name, c := range map[string]struct {
		id   Identity
		want bool
	}{
		"itself":                              {self, true},
		"another process with the same pid":   {later, false},
		"the same numbers after a boot":       {rebooted, false},
		"nothing recorded":                    {Identity{}, false},
		"a pid beyond what the kernel issues": {Identity{PID: 1 << 30, BootID: self.BootID}, false},
	} {
		if got := c.id.Alive(); got != c.want {
			t.Errorf("%s: Alive() = %v, want %v", name, got, c.want)
		}
	}
}
