package sim

import (
	"fmt"
	"strings"
	"time"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller/planner"
)

// epoch is the moment at which worlds begin. Only differences matter.
var epoch = time.Date(2030, time.January, 1, 0, 0, 0, 0, time.UTC)

// Revisions are the revisions that a world can have, in the order in which templates are written.
const Revisions = 3

// ReplicaSet is one revision and its pods. Other controllers create pods as starting, make them ready, and end them.
type ReplicaSet struct {
	Exists   bool
	Number   int64
	Desired  int32
	Starting int32
	Ready    int32
}

// Service is a Service and the endpoints that the data plane has made of its selector.
type Service struct {
	Exists bool
	// Selects is the index of a revision plus 1; 0 selects the pods of all revisions.
	Selects int
	// Endpoints counts ready endpoints by revision.
	Endpoints [Revisions]int32
}

// Budget is what may still happen to a world from outside.
type Budget struct {
	// Edits are changes of the template: to the next revision, or back to the first.
	Edits int
	// Aborts, Promotes and Fulls are commands.
	Aborts, Promotes, Fulls, Retries int
	// Deaths are pods that die.
	Deaths int
	// Failures are analyses that fail.
	Failures int
	// Pauses are changes of spec.paused.
	Pauses int
	// Deadlines are leaps of the clock past the progress deadline while pods do not become ready.
	Deadlines int
	// Scales are changes of spec.replicas, by one up or down.
	Scales int
}

// World is the whole truth at one moment.
type World struct {
	// Spec is the compiled spec.
	Spec planner.Spec
	// Target is the index of the revision that the template asks for.
	Target int
	// Newest is the index of the newest template that was ever written.
	Newest int
	// Sets are the ReplicaSets.
	Sets [Revisions]ReplicaSet
	// Active and Standby are the Services.
	Active, Standby Service
	// Weight of standby in the route, in tenths of a percent, and what the gateway has programmed.
	Weight, Programmed int32
	// Analyses are AnalysisRuns by name of the gate and attempt.
	Analyses []planner.Analysis
	// AnalysesOf is the attempt that Analyses belong to.
	AnalysesOf int32
	// State is the persisted memory of the machine.
	State v1alpha1.RolloutState
	// Command is the last command, and Answered the request id of the last one that was answered.
	Command  v1alpha1.Command
	Answered string
	// Clock is the time since the epoch.
	Clock time.Duration
	// Budget is what may still happen.
	Budget Budget
	// Services says that the Rollout has Services at all.
	Services bool
}

// Name is the hash of a revision by its index.
func Name(index int) string { return fmt.Sprintf("v%d", index+1) }

// Index is the revision that a hash names; -1 for none.
func Index(hash string) int {
	for i := range Revisions {
		if Name(i) == hash {
			return i
		}
	}
	return -1
}

// Snapshot is what an observer with fresh caches would see.
func (w *World) Snapshot() planner.Snapshot {
	s := planner.Snapshot{
		Now:           epoch.Add(w.Clock),
		Spec:          w.Spec,
		Target:        Name(w.Target),
		State:         w.State,
		Command:       w.Command,
		LastCommandID: w.Answered,
		Route:         planner.Route{Weight: w.Weight, Accepted: w.Weight == w.Programmed},
	}
	for i, set := range w.Sets {
		if set.Exists {
			s.Revisions = append(s.Revisions, planner.Revision{
				Hash: Name(i), Number: set.Number, Desired: set.Desired, Created: set.Starting + set.Ready,
				Ready: set.Ready, Available: set.Ready,
			})
		}
	}
	if w.Services {
		s.Active, s.Standby = w.Active.observed("web"), w.Standby.observed("web-standby")
	}
	if w.AnalysesOf == w.State.Attempt {
		s.Analyses = w.Analyses
	}
	return s
}

func (s Service) observed(name string) planner.Service {
	out := planner.Service{Name: name, Found: s.Exists}
	if s.Selects > 0 {
		out.Revision = Name(s.Selects - 1)
	}
	for i, n := range s.Endpoints {
		if n > 0 {
			out.Endpoints = append(out.Endpoints, planner.Endpoints{Revision: Name(i), Ready: n})
		}
	}
	return out
}

// key identifies worlds that behave alike: times count by their distance from now, and only up to the deadline.
func (w *World) key() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v|%v|%d %d|%v|%v %v|%d %d|%v %d|%v %v|%v|", w.Spec.Replicas, w.Spec.Paused, w.Target, w.Newest, w.Sets,
		w.Active, w.Standby, w.Weight, w.Programmed, w.Analyses, w.AnalysesOf, w.Command, w.Answered == w.Command.ID, w.Budget)
	st := w.State
	fmt.Fprintf(&b, "%s %s %s %d %d %d %v %v %s|", st.Stage, st.Stable, st.Candidate, st.Attempt, st.Step, st.ProgressMark,
		st.Promoted, st.Full, st.Reason)
	for _, t := range []time.Time{st.ProgressAt.Time, st.ShiftedAt.Time, st.GatesAt.Time} {
		b.WriteString(w.age(t))
	}
	for _, d := range st.ScaleDowns {
		b.WriteString(d.Revision + w.age(d.At.Time))
	}
	return b.String()
}

func (w *World) age(t time.Time) string {
	if t.IsZero() {
		return "- "
	}
	age := epoch.Add(w.Clock).Sub(t)
	return fmt.Sprint(min(age, w.Spec.Deadline), " ")
}

// String draws the world in one line, for reports.
func (w *World) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s step %d stable=%s candidate=%s target=%s weight=%d/%d", stageName(w.State.Stage), w.State.Step+1,
		w.State.Stable, w.State.Candidate, Name(w.Target), w.Weight, w.Programmed)
	for i, set := range w.Sets {
		if set.Exists {
			fmt.Fprintf(&b, " %s=%d/%d+%d", Name(i), set.Desired, set.Ready, set.Starting)
		}
	}
	fmt.Fprintf(&b, " active=%d%v standby=%d%v", w.Active.Selects, w.Active.Endpoints, w.Standby.Selects, w.Standby.Endpoints)
	return b.String()
}

func stageName(s v1alpha1.Stage) string {
	if s == v1alpha1.StageIdle {
		return "Idle"
	}
	return string(s)
}
