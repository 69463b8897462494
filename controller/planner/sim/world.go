package sim

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller/planner"
)

// epoch is the moment at which worlds begin. Only differences matter.
func epoch() time.Time { return time.Date(2030, time.January, 1, 0, 0, 0, 0, time.UTC) }

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
	// Fresh says that it has had no ready endpoint of what it selects since it was pointed at that, and Since is when it
	// had the first.
	Fresh bool
	Since time.Duration
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
	// Respecs are edits of the steps.
	Respecs int
	// Deletions are ReplicaSets and standby Services that somebody deletes by hand.
	Deletions int
	// Ends are deletions of the Rollout itself.
	Ends int
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
	// Overlay is what the route has laid over the weight, by its index among Spec.Overlays, and ProgrammedOverlay what the
	// gateway has taken of that.
	Overlay, ProgrammedOverlay int32
	// Baseline is that of an experiment.
	Baseline Baseline
	// Analyses are AnalysisRuns by name of the gate and attempt.
	Analyses []planner.Analysis
	// Probe is what the last probe has found: the gateways of these worlds serve by what their routes say. Nil before the first.
	Probe *planner.Probe
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
	// Respecified says that the steps have been edited.
	Respecified bool
	// Services says that the Rollout has Services at all, and Twin that the standby is one that it has made.
	Services, Twin bool
	// Referred says that the route names the standby Service.
	Referred bool
	// Leaving is the end of the Rollout.
	Leaving Leaving
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
		Now:           epoch().Add(w.Clock),
		Spec:          w.Spec,
		Target:        Name(w.Target),
		State:         w.State,
		Command:       w.Command,
		LastCommandID: w.Answered,
		Route:         planner.Route{Weight: w.Weight, Overlay: w.Overlay, Accepted: w.programmed()},
		Leaving:       w.Leaving.observed(w),
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
	s.Probe = w.Probe
	w.Baseline.observe(&s)
	return s
}

// programmed says whether the gateway serves by what the route says.
func (w *World) programmed() bool {
	return w.Weight == w.Programmed && w.Overlay == w.ProgrammedOverlay
}

// matched says whether requests may go to the standby Service whatever the weight.
func (w *World) matched() bool {
	return w.Overlay != v1alpha1.NoOverlay || w.ProgrammedOverlay != v1alpha1.NoOverlay
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

// key identifies worlds that behave alike: times count by their distance from now, and only as far as it matters.
func (w *World) key() string {
	k := keyer(make([]byte, 0, 256))
	k.numbers(int64(w.Spec.Replicas), int64(w.Target), int64(w.Newest), int64(w.Weight), int64(w.Programmed), int64(w.AnalysesOf),
		int64(w.Overlay), int64(w.ProgrammedOverlay))
	k.flags(w.Spec.Paused, w.Answered == w.Command.ID)
	for _, set := range w.Sets {
		k.flags(set.Exists)
		k.numbers(set.Number, int64(set.Desired), int64(set.Starting), int64(set.Ready))
	}
	for _, s := range []Service{w.Active, w.Standby} {
		k.flags(s.Exists)
		k.numbers(int64(s.Selects), int64(s.Endpoints[0]), int64(s.Endpoints[1]), int64(s.Endpoints[2]))
	}
	k.flags(w.Standby.Fresh, w.Twin, w.Referred, w.Leaving.Asked, w.Leaving.Orphan, w.Leaving.Gone, w.Leaving.Forced,
		w.Leaving.Asked && w.outwaited())
	k.numbers(int64(min(w.Clock-w.Standby.Since, w.Spec.Settle)))
	if w.Respecified {
		for _, step := range w.Spec.Steps {
			k.numbers(int64(step.Weight), int64(step.Overlay), int64(len(step.Gates)))
			k.flags(step.Baseline)
		}
	}
	for _, a := range w.Analyses {
		k.words(a.Gate, string(a.Phase))
		k.flags(a.EndedAt.After(w.State.PromotedAt.Time), a.Told == planner.WeightUnknown)
	}
	b := w.Budget
	for _, n := range []int{b.Edits, b.Aborts, b.Promotes, b.Fulls, b.Retries, b.Deaths, b.Failures, b.Pauses, b.Deadlines, b.Scales, b.Respecs, b.Deletions, b.Ends} {
		k.numbers(int64(n))
	}
	k.words(w.Command.ID, w.Command.Revision, w.Baseline.Hash, w.Baseline.Open)
	k.numbers(int64(w.Baseline.Desired), int64(w.Baseline.Ready), int64(w.Baseline.Endpoints))
	k.memory(w)
	return string(k)
}

// keyer appends to a key.
type keyer []byte

// memory appends the state of the machine.
func (k *keyer) memory(w *World) {
	st := w.State
	k.words(string(st.Stage), st.Stable, st.Candidate, st.Reason)
	k.numbers(int64(st.Attempt), int64(st.Step), int64(st.ProgressMark))
	k.flags(!st.PromotedAt.IsZero(), st.Full)
	k.numbers(w.age(st.ProgressAt.Time)/int64(w.Spec.Deadline), min(w.age(st.ShiftedAt.Time), int64(w.Spec.Settle)),
		min(w.age(st.EndpointsAt.Time), int64(w.Spec.Settle)), min(w.age(st.GatesAt.Time), int64(w.longestPause())))
	if w.Spec.Window > 0 || w.Spec.QuickReturn {
		k.words(st.Earlier...)
	}
	for _, d := range st.ScaleDowns {
		k.words(d.Revision)
		k.numbers(w.age(d.At.Time))
	}
}

func (k *keyer) numbers(numbers ...int64) {
	for _, n := range numbers {
		*k = append(strconv.AppendInt(*k, n, 36), ' ')
	}
}

func (k *keyer) words(words ...string) {
	for _, s := range words {
		*k = append(append(*k, s...), '|')
	}
}

func (k *keyer) flags(flags ...bool) {
	for _, f := range flags {
		*k = strconv.AppendBool(*k, f)
	}
}

// longestPause is the longest that a gate counts.
func (w *World) longestPause() time.Duration {
	var longest time.Duration
	for _, step := range w.Spec.Steps {
		for _, gate := range step.Gates {
			longest = max(longest, gate.Duration)
		}
	}
	return longest
}

// age is how long ago a time is, up to the deadline; -deadline-1 for no time at all.
func (w *World) age(t time.Time) int64 {
	if t.IsZero() {
		return int64(-w.Spec.Deadline - 1)
	}
	return int64(min(epoch().Add(w.Clock).Sub(t), w.Spec.Deadline))
}

// String draws the world in one line, for reports.
func (w *World) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s step %d stable=%s candidate=%s target=%s weight=%d/%d", stageName(w.State.Stage), w.State.Step+1,
		w.State.Stable, w.State.Candidate, Name(w.Target), w.Weight, w.Programmed)
	if w.matched() {
		fmt.Fprintf(&b, " overlay=%d/%d", w.Overlay, w.ProgrammedOverlay)
	}
	for i, set := range w.Sets {
		if set.Exists {
			fmt.Fprintf(&b, " %s=%d/%d+%d", Name(i), set.Desired, set.Ready, set.Starting)
		}
	}
	if w.cleared() != "" {
		fmt.Fprintf(&b, " baseline=%+v", w.Baseline)
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
