package simulation

import (
	"slices"
	"strings"
	"testing"
)

// find is a fault that has once shown a mistake, in the product or in the oracle.
type find struct {
	story, step string
	// fault is tried at every write of the step, and also, if there is one, so many writes after it.
	fault, also string
	later       int
	// mistake is what it showed.
	mistake string
}

func finds() []find {
	return []find{
		{
			"a canary whose stable shrinks", "promote", "all writes of the kind refused for a minute, a webhook is away", "", 0,
			"the status could not be written, and its time of an earlier shift let stable shrink before gateways had heard",
		},
		{
			"supersede-at-second-step", "line 15", "for 6 passes another leader, whose clock is 10m0s ahead", "", 0,
			"a clock that is ahead took the time away that gateways are given before the standby Service changes its revision",
		},
		{
			"restart-at-rest", "line 13", "error before", "", 0,
			"a restart was over when the last pod was deleted, and Ready before its ReplicaSet had noticed",
		},
		{
			"a canary by route is promoted, and the next one aborted", "release", "a second Rollout names the Service", "", 0,
			"the second one set the weight back to 0 for its own first release, again and again",
		},
		{
			"blue/green by route", "the start", "a second Rollout names the Service", "", 0,
			"the second one made the standby Service, which the first could then not have",
		},
		{
			"controller-away-in-a-retreat", "line 12", "crash after", "another leader, whose clock is -10m0s ahead", 3,
			"a retreat waited for pods that never came, and did not say that a person has to mend something",
		},
		{
			"gateway-refuses-during-an-abort", "line 10", "ReplicaSet stale for 1 passes", "for 6 passes another leader, whose clock is -10m0s ahead", 1,
			"a retreat waited for a gateway that refused its route, and did not say so",
		},
		{
			"stable-dies-for-good", "line 19", "another leader, whose clock is 10m0s ahead", "", 0,
			"the oracle forbade the way from one aborted version over another to a stable that had nothing to lose",
		},
		{
			"rollout-deleted-without-its-pods", "line 11", "all writes of the kind refused for a minute, a webhook is away", "", 0,
			"the same with a deletion: the candidate lost its pods before gateways had heard",
		},
		{
			"workload-returns", "line 12", "the template of stable", "", 0,
			"the oracle wrote a template into a Rollout that has none",
		},
		{
			"a Deployment loses its pods once ours serve", "the Rollout is deleted", "two leaders from then on", "", 0,
			"two leaders that had looked on for different times told different things without an end, each woken by the other",
		},
		{
			"somebody else's ReplicaSets have the names of both revisions", "the start", "no replicas", "", 0,
			"a first revision of no pods was stable without a ReplicaSet, and its name was taken",
		},
	}
}

// What a fault has shown once it does not show again.
func TestWhatWasFoundIsMended(t *testing.T) {
	kit := newTestKit(t)
	all, _ := told(t)
	for _, f := range finds() {
		t.Run(f.story+", "+f.step, func(t *testing.T) {
			n := slices.IndexFunc(all, func(s Story) bool { return s.Name == f.story })
			if n < 0 {
				t.Fatal("there is no such story")
			}
			var r Report
			for _, e := range r.episodes(kit, &all[n]) {
				if strings.HasPrefix(all[n].chapters()[e.chapter].Name, f.step) {
					f.tell(t, &r, &e)
				}
			}
			if r.Runs == 0 || r.Violations+r.Differences+r.Stuck > 0 {
				t.Errorf("%s: %s\n%s", f.mistake, &r, strings.Join(r.Failures, "\n"))
			}
		})
	}
}

func (f find) tell(t *testing.T, r *Report, e *episode) {
	t.Helper()
	first := faultNamed(t, e, f.fault)
	for first.At = 1; first.At <= e.want.Writes; first.At++ {
		if f.also == "" {
			r.try(e, first)
			continue
		}
		second := faultNamed(t, e, f.also)
		second.At = first.At + f.later
		r.try(e, first, second)
	}
}

func faultNamed(t *testing.T, e *episode, name string) Fault {
	t.Helper()
	for _, class := range Classes() {
		for _, fault := range e.faultsOf(class) {
			if fault.Name == name {
				return fault
			}
		}
	}
	t.Fatalf("there is no fault %q", name)
	return Fault{}
}
