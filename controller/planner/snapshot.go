package planner

import (
	"time"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// Snapshot is everything that Next looks at: one consistent view of a Rollout and of the objects around it. The
// observer fills it from the cluster; Next only reads it.
type Snapshot struct {
	// Now is the moment of the view, in whole microseconds: MicroTime stores no more.
	Now time.Time
	// Since is when the observer began to look, or last moved traffic itself, by the same clock; zero when that does not
	// matter. A time in State may be from another clock, which was behind this one, or from before a write whose pass could
	// not be recorded.
	Since time.Time
	// Spec is the spec of the Rollout, compiled to plain values.
	Spec Spec
	// Target is the hash of the template that the spec asks for. It is empty when nobody knows it and there is no revision
	// yet to stay at: with a problem that says why.
	Target string
	// Configuration are the objects whose change is all that tells the target from stable, such as "ConfigMap web-config".
	Configuration []string
	// Superseding are the objects whose change is all that tells the target from the candidate.
	Superseding []string
	// Changed are the objects for whose change every pod is to be restarted.
	Changed []string
	// HeldBack says why the target must not be released yet; empty when it may.
	HeldBack Why
	// State is the memory of the machine, as it was last persisted.
	State v1alpha1.RolloutState
	// Command is the command in the annotation; empty when there is none.
	Command v1alpha1.Command
	// LastCommandID is the request id of the last command that was answered.
	LastCommandID string
	// Revisions are the ReplicaSets of the Rollout, oldest first by number.
	Revisions []Revision
	// Baselines are the ReplicaSets of fresh baselines, whatever release they were made for, by their hashes.
	Baselines []Revision
	// Baseline is the Service that reaches a fresh baseline. It is not found when another one has its name.
	Baseline Service
	// Active and Standby are the two Services. Their zero values stand for Services that the spec does not name.
	Active, Standby Service
	// Route is what the routes say, all taken together. It means nothing unless Spec.Mode is Routed.
	Route Route
	// Analyses are the AnalysisRuns of the current attempt.
	Analyses []Analysis
	// Probe is the last probe that was asked for, as far as the observer remembers it; nil for none.
	Probe *Probe
	// Workload is the Deployment that the template comes from; nil when the Rollout has its own.
	Workload *Workload
	// Leaving is set while the Rollout is being deleted.
	Leaving *Leaving
	// LastReason and LastMessage are those in the status before this pass: what people have been told.
	LastReason, LastMessage string
	// Problems are what the observer found to be wrong with what the spec asks for. While there is one, no release
	// starts and none goes on; traffic stays where it is; an abort still works.
	Problems []Problem
}

// Revision is one ReplicaSet of the Rollout. While a restart is asked for, the counts come from the pods themselves,
// since a ReplicaSet may still count a pod that has just been deleted.
type Revision struct {
	// Hash names the revision.
	Hash string
	// Number counts revisions from 1; the newest has the largest.
	Number int64
	// Desired is spec.replicas of the ReplicaSet.
	Desired int32
	// Created is the number of pods that exist and are not being deleted.
	Created int32
	// Ready is the number of ready pods.
	Ready int32
	// Available is the number of pods that have been ready for minReadySeconds.
	Available int32
	// Terminating is the number of pods that are being deleted.
	Terminating int32
	// Hindered says what keeps pods from becoming available, as far as that is known: the ReplicaSet cannot create them, or
	// they cannot start. It is empty when nothing is known to be wrong.
	Hindered string
	// Outdated is the number of pods created before State.RestartAt. It is zero when no restart is asked for.
	Outdated int32
	// OutdatedAvailable is how many of the outdated pods are available.
	OutdatedAvailable int32
}

// Service is a Service and the ready endpoints behind it.
type Service struct {
	// Name of the Service; empty when the spec names none.
	Name string
	// Found says that it exists.
	Found bool
	// Leaving says that it is being deleted: it counts as not found, and its name is taken until it is gone.
	Leaving bool
	// Revision is the hash in its selector; empty when it selects the pods of every revision.
	Revision string
	// Endpoints are the ready endpoints in its EndpointSlices, by revision.
	Endpoints []Endpoints
	// Foreign is the number of ready endpoints that belong to no revision of the Rollout.
	Foreign int32
	// By is the field manager that wrote the selector last, when that was not ours; empty when it was, or when nobody knows.
	By string
}

// Endpoints counts the ready endpoints of one revision.
type Endpoints struct {
	// Revision is the hash of the revision.
	Revision string
	// Ready is the number of ready endpoints, of pods that are not being deleted.
	Ready int32
}

// Route is what the managed routes say, all taken together.
type Route struct {
	// Weight is the share of the standby Service in tenths of a percent, 0 to 1000; WeightUnknown when a route is
	// missing or the routes disagree.
	Weight int32
	// Overlay is the index, among Spec.Overlays, of what all routes have laid over the weight, exactly: NoOverlay when they
	// have nothing of any; OverlayUnknown when they have something else, or disagree.
	Overlay int32
	// Accepted says that every parent gateway has reported the route Accepted and ResolvedRefs at its generation.
	Accepted bool
	// Stale says that something of a route is not as it should be beside weight and overlay: one that is made of a template is
	// not there or not as the template says, or its ownership has to change. The next write puts it right.
	Stale bool
	// Hands say who last wrote each route, in their order.
	Hands []Hand
}

// OverlayUnknown is the overlay of routes that have matches or mirrors which no step asks for, or that disagree.
const OverlayUnknown int32 = -1

// empty says whether the standby Service has no requests by a route, neither by weight nor by an overlay.
func (r Route) empty() bool { return r.Weight == 0 && r.Overlay == v1alpha1.NoOverlay }

// known says whether routes agree on what they say, and say what a step can ask for.
func (r Route) known() bool { return r.Weight != WeightUnknown && r.Overlay != OverlayUnknown }

// WeightUnknown is the weight of routes that are missing or that disagree.
const WeightUnknown int32 = -1

// FullWeight is all traffic, in tenths of a percent.
const FullWeight int32 = 1000

// Analysis is one AnalysisRun of the current attempt.
type Analysis struct {
	// Name of the AnalysisRun.
	Name string
	// Gate says what it is for.
	Gate string
	// Round is State.Round when it began: one of an earlier round has measured another split, and decides nothing.
	Round int32
	// Phase is its verdict, or that there is none yet.
	Phase v1alpha1.AnalysisPhase
	// EndedAt is when it ended; zero while it runs.
	EndedAt time.Time
	// FaultyAt is since when figures are missing; zero while there are some, and once it has ended.
	FaultyAt time.Time
	// Message gives the reason.
	Message string
	// Compares says that it compares both versions, and so has to know when traffic moves.
	Compares bool
	// Told is the share of the candidate at which it was last told that traffic rests, in tenths of a percent;
	// WeightUnknown when it was told that traffic moves.
	Told int32
}

// Probed is the traffic that a probe is about. What was found of another one, or of the same before it was written again, says
// nothing.
type Probed struct {
	// Attempt, Step and Round are those of the state.
	Attempt, Step, Round int32
	// Weight and Overlay are those of the step.
	Weight, Overlay int32
	// Since is when the traffic was first observed in place.
	Since time.Time
}

// Same compares two, and times by the moment that they mean.
func (p Probed) Same(other Probed) bool {
	since := p.Since.Equal(other.Since)
	p.Since, other.Since = time.Time{}, time.Time{}
	return since && p == other
}

// Probe is a probe of the share of the candidate.
type Probe struct {
	// Of is what it is about.
	Of Probed
	// Running says that its requests are under way.
	Running bool
	// Failed is how many in a row have not confirmed the share, before one that is running.
	Failed int32
	// Confirmed says that it has.
	Confirmed bool
	// Message says what the last one has found, with numbers; empty before the first.
	Message string
	// EndedAt is when the last one ended.
	EndedAt time.Time
}

// Problem is something that a person must mend.
type Problem struct {
	// Reason in one word, a constant of v1alpha1.
	Reason string
	// Field is the path of the field that is wrong, "spec.services.active".
	Field string
	// Message says what is wrong and what would mend it.
	Message string
}

// revision returns the revision with a hash, or an empty one.
func (s *Snapshot) revision(hash string) Revision {
	for _, r := range s.Revisions {
		if r.Hash == hash {
			return r
		}
	}
	return Revision{Hash: hash}
}

// steady is the number of available pods that the ReplicaSet will not end: right after a scale-down more are counted.
func (r Revision) steady() int32 { return min(r.Available, r.Desired) }

// exists says whether a revision has a ReplicaSet.
func (s *Snapshot) exists(hash string) bool {
	for _, r := range s.Revisions {
		if r.Hash == hash {
			return true
		}
	}
	return false
}

// analysis returns the AnalysisRun of a gate in this round, if it exists.
func (p *pass) analysis(gate string) (Analysis, bool) {
	for _, a := range p.Analyses {
		if a.Gate == gate && a.Round == p.state.Round {
			return a, true
		}
	}
	return Analysis{}, false
}

// pinned says whether a Service selects the pods of one revision only.
func (s Service) pinned() bool { return s.Found && s.Revision != "" }

// ready returns the number of ready endpoints of a revision behind the Service.
func (s Service) ready(hash string) int32 {
	for _, e := range s.Endpoints {
		if e.Revision == hash {
			return e.Ready
		}
	}
	return 0
}

// others returns the number of ready endpoints that are not of a revision.
func (s Service) others(hash string) int32 {
	n := s.Foreign
	for _, e := range s.Endpoints {
		if e.Revision != hash {
			n += e.Ready
		}
	}
	return n
}
