package planner

import (
	"testing"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// TestARollStaysWithinItsLimits holds that pods come as far as surge allows, and go as far as enough stay available.
func TestARollStaysWithinItsLimits(t *testing.T) {
	rolling := func(surge, unavailable int32, stable, candidate Revision) Snapshot {
		return with(inStage(v1alpha1.StagePromoting), func(s *Snapshot) {
			s.Spec.Mode, s.Spec.Surge, s.Spec.Unavailable = Ratio, surge, unavailable
			s.Active, s.Standby, s.Revisions = Service{}, Service{}, []Revision{stable, candidate}
		})
	}
	holdOutcomes(t, map[string]outcome{
		"one more may come":   {rolling(1, 0, serving("v1", 1, 4), serving("v2", 2, 0)), "scale v2 to 1 pod"},
		"one has come":        {rolling(1, 0, serving("v1", 1, 4), serving("v2", 2, 1)), "scale v1 to 3 pods"},
		"it is not available": {rolling(1, 0, serving("v1", 1, 4), Revision{Hash: "v2", Desired: 1, Created: 1, Ready: 1}), ""},
		"one is on its way out": {rolling(1, 0, Revision{Hash: "v1", Desired: 3, Created: 4, Ready: 4, Available: 4},
			serving("v2", 2, 1)), ""},
		"what is not available goes first": {with(rolling(1, 0, serving("v1", 1, 3), serving("v2", 3, 1)), func(s *Snapshot) {
			broken := Revision{Hash: "other", Number: 2, Desired: 1, Created: 1}
			s.Revisions = []Revision{s.Revisions[0], broken, s.Revisions[1]}
		}), "scale other to 0 pods"},
		"one may be missing":     {rolling(0, 1, serving("v1", 1, 4), serving("v2", 2, 0)), "scale v1 to 3 pods"},
		"one is missing already": {rolling(0, 1, Revision{Hash: "v1", Desired: 4, Created: 4, Ready: 3, Available: 3}, serving("v2", 2, 0)), "scale v1 to 3 pods"},
		"a larger workload has stable grow while the candidate does not come": {with(rolling(1, 0, serving("v1", 1, 4),
			Revision{Hash: "v2", Desired: 1, Created: 1}), func(s *Snapshot) { s.Spec.Replicas = 7 }), "scale v1 to 7 pods"},
		"in its share of the room": {with(rolling(1, 0, serving("v1", 1, 2), serving("v2", 2, 3)), func(s *Snapshot) {
			s.Spec.Replicas = 9
		}), "scale v1 to 4 pods; scale v2 to 6 pods"},
		"and cannot be taken twice": {rolling(0, 1, serving("v1", 1, 3), Revision{Hash: "v2", Desired: 1, Created: 1}), ""},
	})
}
