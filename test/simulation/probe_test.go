package simulation

import (
	"slices"
	"strings"
	"testing"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller/planner"
)

func probeBites() map[string]bite {
	story := probedStory()
	return map[string]bite{
		"PROBE before a person": {story, deluded(func(s *planner.Snapshot) {
			s.Spec.Steps = slices.Clone(s.Spec.Steps)
			s.Spec.Steps[0].Probe = 0
		})},
		"PROBE before nothing": {story, deluded(func(s *planner.Snapshot) {
			s.Spec.Steps = slices.Clone(s.Spec.Steps)
			s.Spec.Steps[1].Probe = 0
		})},
		"PROBE of what was before": {story, deluded(func(s *planner.Snapshot) {
			if s.Probe != nil && s.State.Stage == v1alpha1.StageStepping {
				probe := *s.Probe
				probe.Confirmed, probe.Running = true, false
				s.Probe = &probe
			}
		})},
	}
}

// TestAProbeSeesThroughASlowGateway holds that a release by a gateway that takes longer than its settle time is held, told of,
// and goes on by itself.
func TestAProbeSeesThroughASlowGateway(t *testing.T) {
	story := probedStory()
	_, result := story.Tell(newTestKit(t))
	if result.Stuck != nil || len(result.Violations) > 0 {
		t.Fatalf("stuck: %v; violations: %v", result.Stuck, result.Violations)
	}
	events := strings.Join(result.Events, "\n")
	for _, want := range []string{
		"Warning ShareNotConfirmed step 1/3: probe: 0 of 200 answers came from the candidate, and 20% is 22 to 59",
		"Normal ShareConfirmed step 1/3: probe: 40 of 200", "Normal ShareConfirmed step 2/3: probe: 239 of 798", "Normal Promoted",
	} {
		if !strings.Contains(events, want) {
			t.Errorf("nobody is told %q:\n%s", want, events)
		}
	}
}
