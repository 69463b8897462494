package simulation

import (
	"os"
	"testing"

	"github.com/sluice-dev/sluice/test/scenario"
)

func scenarios(tb testing.TB) []*scenario.Scenario {
	tb.Helper()
	all, err := scenario.Load(os.DirFS("../scenarios"))
	if err != nil {
		tb.Fatal(err)
	}
	return all
}

// Every scenario comes true, and breaks nothing on the way.
func TestScenarios(t *testing.T) {
	kit := newTestKit(t)
	for _, s := range scenarios(t) {
		t.Run(s.Name, func(t *testing.T) {
			d := NewDriver(kit)
			if err := scenario.Run(t.Context(), d, s); err != nil {
				t.Error(err)
			}
			for _, v := range d.World().checker.violations {
				t.Error(v)
			}
		})
	}
}
