package scenario

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// script is a driver that shows the same pictures again and again with each watch.
type script struct {
	pictures []Picture
	did      []string
}

func (s *script) Setup(context.Context, v1alpha1.RolloutSpec) error {
	s.did = append(s.did, "set-up")
	return nil
}

func (s *script) Do(_ context.Context, e Event) error {
	s.did = append(s.did, string(e.Kind)+" "+e.Version)
	return nil
}

func (s *script) Watch(_ context.Context, limit time.Duration, enough func(Picture) bool) error {
	for i, picture := range s.pictures {
		if enough(picture) {
			s.did = append(s.did, fmt.Sprintf("watched %d for %s", i+1, limit))
			return nil
		}
	}
	s.did = append(s.did, fmt.Sprintf("watched all for %s", limit))
	return nil
}

func TestRun(t *testing.T) {
	pods := func(names ...string) map[string][]string { return map[string][]string{"v1": names} }
	pictures := []Picture{
		{Phase: "Healthy", Message: "stale", Traffic: map[string]float64{"v1": 100}, Pods: pods("a", "b")},
		{Fresh: true, Phase: "Progressing", Message: "it moves", Traffic: map[string]float64{"v1": 75, "v2": 25}, Pods: pods("b", "c")},
		{Fresh: true, Phase: "Healthy", Message: "done", Traffic: map[string]float64{"v2": 100}, Pods: pods("d")},
	}
	tests := map[string]struct {
		story string
		did   []string
		err   []string
	}{
		"waits for a status that is fresh": {
			story: "release v1\nuntil phase Healthy\ntime passes 2s\nexpect traffic v1 75 v2 25",
			did:   []string{"set-up", "release v1", "watched 3 for -1ns", "watched all for 2s", "watched 2 for 0s"},
		},
		"says what it saw instead": {
			story: "release v1\nexpect phase Paused",
			err:   []string{`x.txt:5: expect phase Paused: seen is "Healthy"`, "Progressing, weight 0, ready none: it moves"},
		},
		"keeps a rule with pictures that are not fresh": {
			story: "release v1\nnever traffic reaches v1",
			err:   []string{"x.txt:5: never traffic reaches v1: line 5, never traffic reaches v1, is broken: seen is v1 100"},
		},
		"keeps a rule to the end": {
			story: "release v1\nuntil phase Progressing\nalways traffic v1 75 v2 25\ntime passes 1s",
			err:   []string{"line 6, always traffic v1 75 v2 25, is broken: seen is v1 100"},
		},
		"compares with the last note": {
			story: "release v1\nnote\nuntil other pods of v1",
			did:   []string{"set-up", "release v1", "watched 2 for 0s", "watched 3 for -1ns"},
		},
		"says what is gone since the last note": {
			story: "release v1\nnote\nalways same pods of v1",
			err:   []string{"line 6, always same pods of v1, is broken: seen is [c] are gone"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s, err := Parse("x.txt", "# It shows something.\nstrategy canary\nstep weight 20\n"+tt.story)
			if err != nil {
				t.Fatal(err)
			}
			d := &script{pictures: pictures}
			err = Run(t.Context(), d, s)
			for _, want := range tt.err {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, want %s", err, want)
				}
			}
			if len(tt.err) > 0 {
				return
			}
			if err != nil {
				t.Error(err)
			}
			if diff := cmp.Diff(tt.did, d.did); diff != "" {
				t.Error(diff)
			}
		})
	}
}
