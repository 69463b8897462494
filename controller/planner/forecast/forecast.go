package forecast

import (
	"fmt"
	"reflect"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller/planner"
)

// Start is where a forecast begins, and what is known of the times that things take.
type Start struct {
	// Snapshot is the cluster as it is; AtRest makes one. Its Target is the revision to release.
	Snapshot planner.Snapshot
	// PodStart is how long a new pod takes to become ready; 0 when that is not known.
	PodStart time.Duration
	// MinReady is how long a pod must be ready before it is available: spec.minReadySeconds.
	MinReady time.Duration
	// Analyses are the least times of analyses, from their start, by gate. The time of a gate without one is not known,
	// and counts as 0.
	Analyses map[string]time.Duration
	// Left are the least times that analyses which run already still need, by gate.
	Left map[string]time.Duration
}

// Forecast is a release that has not happened yet. Its JSON form is what "kubectl sluice plan -o json" prints.
type Forecast struct {
	// Rollout is the name of the Rollout.
	Rollout string `json:"rollout,omitempty"`
	// Stable is the hash of the revision that is stable at the beginning; empty before the first release of all.
	Stable string `json:"stable,omitempty"`
	// Candidate is the hash of the revision that is released.
	Candidate string `json:"candidate"`
	// Replicas is the number of pods that serve when no release is under way.
	Replicas int32 `json:"replicas"`
	// Steps are the stages to come, in order.
	Steps []Step `json:"steps"`
	// MostPods is the largest number of pods at one time, without those that are ending, whichever of a pass's changes
	// comes first.
	MostPods int32 `json:"mostPods"`
	// LeastAvailable is the smallest number of available pods at one time, in the same sense.
	LeastAvailable int32 `json:"leastAvailable"`
	// LeastDuration is how long it takes at the least until the revision that the spec asks for is stable, without what
	// Unknown lists.
	LeastDuration metav1.Duration `json:"leastDuration"`
	// Unknown are the times that LeastDuration leaves out, in words.
	Unknown []string `json:"unknown,omitempty"`
	// Outcome is how the last release of the forecast ends; empty when none ends.
	Outcome v1alpha1.Outcome `json:"outcome,omitempty"`
	// Settled says that at the end what the spec asks for is stable, with all its pods and all traffic.
	Settled bool `json:"settled"`
	// Message is the sentence that the status has at the end.
	Message string `json:"message"`
}

// Step is one stage of a release, once its pods and its traffic are in place.
type Step struct {
	// Name is "1/3" for a step of the strategy, or one of the Name* constants.
	Name string `json:"name"`
	// Revision is the hash of the revision that is released or, for NameBack and NameEnd, that has the traffic.
	Revision string `json:"revision"`
	// Weight is the percentage of traffic that the step asks for, "12.5".
	Weight string `json:"weight"`
	// Share is the percentage of traffic that the revision has. Without routes it is a share of pods, and comes near
	// Weight.
	Share string `json:"share"`
	// Overlay says what the candidate gets beside the weight, "requests with header x-canary=yes, and copies of 10% of the
	// requests"; empty for nothing.
	Overlay string `json:"overlay,omitempty"`
	// Pods are those of each revision that has any.
	Pods []Pods `json:"pods"`
	// Baseline is the number of pods of stable's template that an experiment runs beside them.
	Baseline int32 `json:"baseline,omitempty"`
	// After is the least time from the beginning until the stage is reached.
	After metav1.Duration `json:"after"`
	// Gates must hold before the next stage.
	Gates []Gate `json:"gates,omitempty"`
}

// Names of stages that are no steps of the strategy.
const (
	// NameFirst is the first release of all, which has no steps.
	NameFirst = "first"
	// NamePromotion makes the candidate stable.
	NamePromotion = "promotion"
	// NameBack is the way back to stable.
	NameBack = "back"
	// NameEnd is when the pods of what was stable before have gone.
	NameEnd = "end"
)

// Names of revisions that have no hash yet.
const (
	// SomeStable is a stable revision that is only assumed.
	SomeStable = "stable"
	// SomeCandidate is the revision of a template that nobody has written yet.
	SomeCandidate = "next"
)

// Pods are the pods of one revision, without those that are ending.
type Pods struct {
	// Revision is its hash.
	Revision string `json:"revision"`
	// Count is their number.
	Count int32 `json:"count"`
}

// Gate is what a stage waits for once it is reached.
type Gate struct {
	// Kind is pause, person, analysis, probe for one that comes before the others, or background for an analysis that goes on
	// beside the steps.
	Kind string `json:"kind"`
	// Name of the analysis: step-1, background, pre-promotion or post-promotion.
	Name string `json:"name,omitempty"`
	// Requests of a probe, by each way in.
	Requests int32 `json:"requests,omitempty"`
	// Least is how long it holds at the least; absent when that is not known.
	Least *metav1.Duration `json:"least,omitempty"`
}

// KindProbe is the kind of a gate that holds the others until requests through the gateway confirm the share.
const KindProbe = "probe"

// KindBackground is the kind of a gate that does not hold a step: the analysis that begins there goes on beside the steps.
const KindBackground = "background"

// PodsOf returns the number of pods of a revision.
func (s Step) PodsOf(revision string) int32 {
	for _, p := range s.Pods {
		if p.Revision == revision {
			return p.Count
		}
	}
	return 0
}

// mostPasses bounds a forecast. A million pods that are replaced one at a time take less than four passes each.
const mostPasses = 5_000_000

// Of runs the planner from a start until nothing moves any more.
func Of(start Start) (Forecast, error) {
	c := newCluster(start)
	w := newWriter(c)
	for range mostPasses {
		plan := planner.Next(c.Snapshot)
		moved := len(plan.Actions) > 0 || plan.Command != nil || !reflect.DeepEqual(plan.State, c.State)
		w.look(plan)
		c.carryOut(plan)
		w.count()
		if c.follow() || moved || c.help(plan) || c.wait(plan.WakeAt) {
			continue
		}
		return w.end(plan), nil
	}
	return Forecast{}, fmt.Errorf("the release does not come to rest within %d passes", mostPasses)
}

// AtRest is a cluster in which one revision is stable, with all its pods and all traffic. The names are those of the two
// Services; empty for a Rollout without.
func AtRest(spec planner.Spec, stable, active, standby string) planner.Snapshot {
	paused := spec.Paused
	spec.Paused = false
	c := newCluster(Start{Snapshot: planner.Snapshot{
		Now: time.Date(2030, time.January, 1, 0, 0, 0, 0, time.UTC), Spec: spec, Target: stable,
		Active:  planner.Service{Name: active, Found: active != ""},
		Standby: planner.Service{Name: standby},
		Route:   planner.Route{Accepted: true},
	}})
	for moved := true; moved; {
		plan := planner.Next(c.Snapshot)
		moved = len(plan.Actions) > 0 || !reflect.DeepEqual(plan.State, c.State)
		c.carryOut(plan)
		moved = c.follow() || moved || c.wait(plan.WakeAt)
	}
	c.Spec.Paused = paused
	return c.Snapshot
}
