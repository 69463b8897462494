package simulation

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/scenario"
	"github.com/sluice-dev/sluice/test/scenario/objects"
)

const (
	// atOnce is how long what happens at once may take: pods start, gateways hear, and nobody waits for anything else.
	atOnce = 5 * time.Second
	// patience is how long "as long as it takes" is at the most: some things are asked for again and again.
	patience = 6 * time.Hour
)

// Driver plays scenarios in a world. It has everything that a scenario can need.
type Driver struct {
	world *World
	scene *objects.World
	// lazy shows pictures only when the status has changed or time is to pass, which is enough to wait by.
	lazy bool
}

var _ scenario.Driver = (*Driver)(nil)

// NewDriver makes a world for one scenario.
func NewDriver(kit *Kit) *Driver {
	w := NewWorld(kit)
	w.env.ruled = true
	return w.driver()
}

// driver is one for a world that is there.
func (w *World) driver() *Driver {
	return &Driver{world: w, scene: objects.New(w.Client("user"), Namespace, objects.Plain("http://prometheus.test"))}
}

// World is where the scenario plays.
func (d *Driver) World() *World { return d.world }

// Setup makes what the user has, and starts the controller.
func (d *Driver) Setup(ctx context.Context, _ v1alpha1.RolloutSpec) error {
	if err := d.scene.Setup(ctx); err != nil {
		return err
	}
	d.world.Start()
	return nil
}

// Do makes an event happen.
func (d *Driver) Do(ctx context.Context, e scenario.Event) error {
	if e.Kind == scenario.Command {
		return d.command(e)
	}
	if done, err := d.scene.Do(ctx, e); done || err != nil {
		return err
	}
	d.world.happen(e)
	return nil
}

// happen is what is no write to the API.
func (w *World) happen(e scenario.Event) {
	switch e.Kind { //nolint:exhaustive // the others are done
	case scenario.Unready:
		w.env.startup[objects.Image(e.Version)] = Never
	case scenario.Ready:
		delete(w.env.startup, objects.Image(e.Version))
		w.env.again(kindPod())
	case scenario.Refuse:
		w.env.refusals[scenario.Name] = "refused by the scenario"
		w.env.again(kindRoute())
	case scenario.Accept:
		delete(w.env.refusals, scenario.Name)
		w.env.again(kindRoute())
	case scenario.Verdict:
		w.env.ruling = e.Phase
		w.env.again(kindAnalysisRun())
	case scenario.Stop:
		w.processes, w.stopped = nil, true
	case scenario.Start:
		if w.stopped = false; len(w.processes) == 0 {
			w.Start()
		}
	}
}

// command writes a command with an id of its own, also in worlds that go on from the same moment.
func (d *Driver) command(e scenario.Event) error {
	rollout := d.world.Rollout(Web())
	if rollout == nil {
		return fmt.Errorf("there is no Rollout to %s", e.Action)
	}
	revision := rollout.Status.State.Candidate
	if revision == "" {
		revision = rollout.Status.StableRevision
	}
	if e.Version != "" {
		revision = d.world.env.hashOf(Namespace, objects.Image(e.Version))
		if revision == "" {
			revision = e.Version
		}
	}
	d.world.Command(Web(), e.Action, revision)
	return nil
}

// Watch lets the world go on.
func (d *Driver) Watch(ctx context.Context, limit time.Duration, enough func(scenario.Picture) bool) error {
	w := d.world
	end := w.now.Add(lengthOf(limit))
	g := &glance{driver: d, enough: enough, seen: -1}
	for {
		if g.look(ctx, d.lazy) {
			return g.err
		}
		if w.turn() {
			if err := w.exhausted(); err != nil {
				return err
			}
			continue
		}
		if g.look(ctx, false) {
			return g.err
		}
		at, found := w.due()
		if !found || at.After(end) {
			if limit != scenario.AsLongAsItTakes {
				w.advance(end)
			}
			return nil
		}
		w.advance(at)
	}
}

// lengthOf is how long a limit is at the most.
func lengthOf(limit time.Duration) time.Duration {
	if limit == scenario.AtOnce {
		return atOnce
	}
	if limit == scenario.AsLongAsItTakes {
		return patience
	}
	return limit
}

// glance is how far somebody has seen who looks at every change.
type glance struct {
	driver *Driver
	enough func(scenario.Picture) bool
	seen   int64
	err    error
}

// look shows a picture if something has changed since the last one: the status, for somebody who is lazy. It says whether
// that is enough.
func (g *glance) look(ctx context.Context, lazy bool) bool {
	s := g.driver.world.Server
	if log := s.table(kindRollout()).log; s.version == g.seen || lazy && (len(log) == 0 || log[len(log)-1].Version <= g.seen) {
		return false
	}
	g.seen = s.version
	now, err := g.driver.scene.Picture(ctx)
	if err != nil {
		g.err = err
		return true
	}
	return g.enough(now)
}

// again lets everybody look at all objects of a kind.
func (e *environment) again(k kind) {
	for _, obj := range e.world.Server.table(k).list("") {
		e.noticed(&Change{Kind: k, Key: client.ObjectKeyFromObject(obj), Before: obj, After: obj})
	}
}

// hashOf is the revision of an image of a namespace; empty when it has no pod and no ReplicaSet.
func (e *environment) hashOf(namespace, image string) string {
	s := e.world.Server
	for _, pod := range listed[*corev1.Pod](s, kindPod(), namespace) {
		if pod.Spec.Containers[0].Image == image && pod.Labels[v1alpha1.LabelBaselineOf] == "" {
			return pod.Labels[v1alpha1.LabelPodTemplateHash]
		}
	}
	for _, obj := range s.table(kindReplicaSet()).list(namespace) {
		if hash := obj.GetLabels()[v1alpha1.LabelPodTemplateHash]; e.imageOf(namespace, hash) == image {
			return hash
		}
	}
	return ""
}

// StoryOf makes a story of a scenario, to be told with faults: its events, each after what the lines before it wait for.
// What a scenario expects is checked where it is played without faults.
func StoryOf(s *scenario.Scenario) Story {
	out := Story{Name: s.Name, Key: Web(), Flows: true, Prepare: func(w *World) { w.env.ruled = true }}
	// The chapters that begin with an event, and what is waited for after it.
	var chapter []scenario.Line
	end := func() {
		if len(chapter) > 0 {
			out.Steps = append(out.Steps, stepOf(chapter))
		}
		chapter = nil
	}
	for _, line := range s.Lines {
		if line.Kind == scenario.Happens && waits(chapter) {
			end()
		}
		chapter = append(chapter, line)
	}
	end()
	return out
}

// waits says whether there is a line that lets time pass.
func waits(lines []scenario.Line) bool {
	for _, line := range lines {
		if line.Kind == scenario.Until || line.Kind == scenario.Passes || line.Kind == scenario.Expect {
			return true
		}
	}
	return false
}

func stepOf(lines []scenario.Line) Step {
	return Step{Name: fmt.Sprintf("line %d, %s", lines[0].Number, lines[0].Text), Do: func(w *World) error {
		d := w.driver()
		d.lazy = true
		for _, line := range lines {
			if err := d.play(context.Background(), line); err != nil {
				return fmt.Errorf("line %d: %w", line.Number, err)
			}
		}
		return nil
	}}
}

// play plays one line in a world in which faults happen: nothing is expected, and what an event is about may be gone.
func (d *Driver) play(ctx context.Context, line scenario.Line) error {
	w := d.world
	switch line.Kind {
	case scenario.Happens:
		if err := d.Do(ctx, line.Event); err != nil && w.fault == nil {
			return err
		}
	case scenario.Passes:
		return w.Elapse(line.Duration)
	case scenario.Until:
		return d.Watch(ctx, scenario.AsLongAsItTakes, func(now scenario.Picture) bool {
			_, holds := line.Condition.Holds(now, w.noted)
			return now.Fresh && holds
		})
	case scenario.Notes:
		var err error
		w.noted, err = d.scene.Picture(ctx)
		return err
	case scenario.Expect, scenario.Always, scenario.Never:
	}
	return nil
}
