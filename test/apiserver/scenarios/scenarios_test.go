//go:build apiserver

// Package scenarios_test plays test/scenarios against a real API server.
package scenarios_test

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"github.com/sluice-dev/sluice/test/apiserver/env"
	"github.com/sluice-dev/sluice/test/scenario"
)

// atOnce is how many scenarios are played at the same time: they wait most of the time, on two cores too.
const atOnce = "12"

func TestMain(m *testing.M) {
	if err := flag.Set("test.parallel", atOnce); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(env.Main(m))
}

func TestScenarios(t *testing.T) {
	all, err := scenario.Load(os.DirFS("../../scenarios"))
	if err != nil {
		t.Fatal(err)
	}
	left := 0
	for _, s := range all {
		if lacking := s.Lacking(has()...); len(lacking) > 0 {
			left++
			t.Logf("%s is left out: it needs %v", s.Name, lacking)
			continue
		}
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			if err := scenario.Run(t.Context(), newDriver(t), s); err != nil {
				t.Error(err)
			}
		})
	}
	fmt.Printf("%d scenarios are played against the API server, %d are left out\n", len(all)-left, left)
}
