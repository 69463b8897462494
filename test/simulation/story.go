package simulation

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/controller/planner"
)

// Story is what people do to one Rollout, and when. It is told many times: once without a fault, and then with each.
type Story struct {
	// Name for reports.
	Name string
	// Key of the Rollout that it is about.
	Key types.NamespacedName
	// Objects that are there before the controller starts.
	Objects []client.Object
	// Startup is how long pods of an image take to become ready; Startup for those that are not there.
	Startup map[string]time.Duration
	// Verdicts of analyses by "image/gate" or gate; those that are not there pass.
	Verdicts map[string]Verdict
	// Refusals of routes by the gateway.
	Refusals map[string]string
	// Steps are done one after the other, each once everything has come to rest after the one before.
	Steps []Step
	// Flows says that steps follow each other as they come, and only the end comes to rest.
	Flows bool
	// Sparse says that faults are tried at fewer of its writes than at those of other stories, but with SOAK: what they could
	// show has mostly been shown by others.
	Sparse bool
	// Unrest says that the story ends with something that does not come to rest as a release should.
	Unrest bool
	// Prepare changes the world before the controller starts; nil for nothing.
	Prepare func(*World)
}

// Step is one thing that somebody does.
type Step struct {
	// Name for reports.
	Name string
	// Do it.
	Do func(*World) error
}

// horizon is how far ahead something may be due in a world at rest: a pause or a deadline is longer.
const horizon = 10 * time.Second

// Result is what came of a story.
type Result struct {
	// Picture is the end, without what follows from chance.
	Picture map[string]string
	// Attempt is how many releases there were until then.
	Attempt int32
	// Updates counts the writes of the controllers by object.
	Updates map[string]int
	// Writes is how many writes the controllers began, and Passes how often they looked.
	Writes, Passes int
	// Checks is how often an invariant was asked.
	Checks int
	// Violations of invariants.
	Violations []Violation
	// Stuck says why it did not come to rest; nil when it did.
	Stuck error
	// Events are what was told.
	Events []string

	essence map[string]any
}

// open makes the world of a story, before the controller starts.
func (s *Story) open(kit *Kit, changes ...func(*World)) (*World, error) {
	w := NewWorld(kit)
	w.unrest, w.flows = s.Unrest, s.Flows
	maps.Copy(w.env.startup, s.Startup)
	maps.Copy(w.env.verdicts, s.Verdicts)
	maps.Copy(w.env.refusals, s.Refusals)
	for _, obj := range s.Objects {
		if err := w.Make(obj); err != nil {
			return nil, err
		}
	}
	if s.Prepare != nil {
		s.Prepare(w)
	}
	for _, change := range changes {
		change(w)
	}
	return w, nil
}

// chapters are the steps of a story, and the start before them.
func (s *Story) chapters() []Step {
	begin := []Step{{Name: "the start", Do: func(*World) error { return nil }}}
	if s.Flows {
		begin[0].Do = func(w *World) error { return w.driver().scene.Setup(context.Background()) }
		end := Step{Name: "the end", Do: func(w *World) error {
			w.flows = false
			return w.Elapse(time.Minute)
		}}
		return append(append(begin, s.Steps...), end)
	}
	return append(begin, s.Steps...)
}

// tell lets a step happen, in a world of its own, and everything that it brings about.
func (w *World) tell(step Step) Result {
	if len(w.processes) == 0 && !w.stopped {
		w.Start()
	}
	err := step.Do(w)
	if err == nil && !w.flows {
		err = w.Rest(horizon)
	}
	return w.result(err)
}

// result is what has come of a world so far.
func (w *World) result(err error) Result {
	if err == nil && w.flows {
		w.calm()
	} else if err == nil {
		w.calm()
		if err = w.Rest(horizon); err == nil {
			w.checker.rests()
		}
	}
	return Result{
		Updates: w.updates(), Writes: w.writes, Checks: w.checker.checks, Violations: w.checker.violations, Stuck: err,
		Events: w.events, Passes: w.passes, essence: w.essence(),
	}
}

// Tell runs a whole story with one controller, in a world that the changes may change before.
func (s *Story) Tell(kit *Kit, changes ...func(*World)) (*World, Result) {
	w, err := s.open(kit, changes...)
	if err != nil {
		return w, Result{Stuck: err}
	}
	var all Result
	for _, step := range s.chapters() {
		one := w.tell(step)
		w.rested = false
		all = one
		if one.Stuck != nil {
			all.Stuck = fmt.Errorf("%s: %w", step.Name, one.Stuck)
			break
		}
	}
	all.Picture = w.Picture(s.Key)
	return w, all
}

// cure is what a person does in the end: everything is allowed to go on, and enough time passes.
func (w *World) cure(key types.NamespacedName) error {
	if w.Rollout(key) == nil {
		return w.Rest(horizon)
	}
	w.Pause(key, false)
	for range 3 {
		if err := w.Elapse(30 * time.Minute); err != nil {
			return fmt.Errorf("in the end: %w", err)
		}
		if rollout := w.Rollout(key); rollout != nil && rollout.Status.Phase == "Paused" {
			w.Steer(key, "promote-full")
		}
	}
	return w.Rest(horizon)
}

// Picture is the state of a Rollout that counts.
func (w *World) Picture(key types.NamespacedName) map[string]string {
	s := w.checker.about(key)
	t := w.truthOf(s)
	if t == nil {
		return map[string]string{"rollout": "gone", "sets": fmt.Sprint(w.sizes(key.Namespace))}
	}
	status := t.rollout.Status
	out := map[string]string{
		"phase": string(status.Phase), "stage": string(status.State.Stage), "step": status.Step,
		"stable": status.StableRevision, "update": status.UpdateRevision, "candidate": status.State.Candidate,
		"attempt":  fmt.Sprint(status.State.Attempt),
		"replicas": fmt.Sprint(status.Replicas, status.UpdatedReplicas, status.AvailableReplicas),
		"active":   t.active.selects, "standby": t.standby.selects,
		"weight": fmt.Sprint(t.weight, t.programmed), "sets": fmt.Sprint(w.sizes(key.Namespace)),
	}
	if t.spec.Mode == planner.Ratio {
		delete(out, "weight")
	}
	var outcomes []string
	for _, record := range status.History {
		outcomes = append(outcomes, string(record.Outcome)+" "+record.Revision)
	}
	out["history"] = strings.Join(outcomes, ", ")
	return out
}

// sizes are the sizes of all ReplicaSets of a namespace.
func (w *World) sizes(namespace string) []string {
	var out []string
	for _, rs := range listed[*appsv1.ReplicaSet](w.Server, kindReplicaSet(), namespace) {
		out = append(out, fmt.Sprintf("%s=%d", rs.Name, *rs.Spec.Replicas))
	}
	return out
}

// attempt is the number of releases of a Rollout; 0 when there is none.
func (w *World) attempt(key types.NamespacedName) int32 {
	if rollout := w.Rollout(key); rollout != nil {
		return rollout.Status.State.Attempt
	}
	return 0
}

// updates counts the writes of controllers by object.
func (w *World) updates() map[string]int {
	out := map[string]int{}
	for k, t := range w.Server.tables {
		for _, change := range t.log {
			if change.Process != nil && change.Version > w.began {
				out[k.Kind+" "+change.Key.String()]++
			}
		}
	}
	return out
}

// differences are the lines in which two pictures differ.
func differences(want, got map[string]string) []string {
	var out []string
	for _, key := range slices.Sorted(maps.Keys(want)) {
		if want[key] != got[key] {
			out = append(out, fmt.Sprintf("%s is %q, want %q", key, got[key], want[key]))
		}
	}
	return out
}
