package layout_test

import (
	"strings"
	"testing"

	"github.com/sluice-dev/sluice/test/cluster/layout"
)

func TestNewRefusesNamesThatBreakPaths(t *testing.T) {
	for name, valid := range map[string]bool{
		"sluice": true, "sluice-e2e": true, "a": true, strings.Repeat("a", 32): true,
		"": false, "-a": false, "a-": false, "A": false, "a/b": false, "..": false, "a.b": false, strings.Repeat("a", 33): false,
	} {
		if _, err := layout.New(name); (err == nil) != valid {
			t.Errorf("New(%q): error %v, want valid = %v", name, err, valid)
		}
	}
}

// The kernel takes 107 bytes of a socket's path. containerd makes a second
// socket with a longer name beside its own.
func TestSocketPathsFit(t *testing.T) {
	c, err := layout.New(strings.Repeat("a", 32))
	if err != nil {
		t.Fatal(err)
	}
	if path := c.Containerd() + ".ttrpc"; len(path) > 107 {
		t.Errorf("%s has %d bytes", path, len(path))
	}
}

func TestClustersShareNoPath(t *testing.T) {
	a, errA := layout.New("a")
	b, errB := layout.New("b")
	if errA != nil || errB != nil {
		t.Fatal(errA, errB)
	}
	if a.StateDir == b.StateDir || a.RunDir == b.RunDir || a.CgroupRoot() == b.CgroupRoot() {
		t.Errorf("%+v and %+v overlap", a, b)
	}
}
