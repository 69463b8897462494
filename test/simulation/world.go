package simulation

import (
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/controller/planner"
	"github.com/sluice-dev/sluice/test/scenario"
)

// World is everything in one run.
type World struct {
	// Server is the truth.
	Server *Server

	kit       *Kit
	now       time.Time
	env       *environment
	processes []*Process
	checker   *checker
	// next decides in place of the planner; nil for the planner itself.
	next func(planner.Snapshot) planner.Plan
	// meddle is called after each write of a controller, to do in its name what it would not; nil for nothing. A fragile
	// controller is one that a panic stops.
	meddle  func(*Process, request)
	fragile bool
	// fault strikes once; nil for none.
	fault *Fault
	// second strikes after the first; nil for none.
	second *Fault
	// writes counts the writes that controllers have begun.
	writes    int
	lastWrite *Change
	events    []string
	// said are the lines of the log, which is kept where there are Secrets; heard is how many of the lines and of the events
	// somebody has looked through for them.
	said  []string
	heard heard
	turns int
	// began is the version of the truth at which this world began.
	began    int64
	starts   int
	commands int
	// reads counts what controllers have asked the API server itself.
	reads int
	// passes counts the passes of all controllers.
	passes int
	// rested says that the peace of the end was looked at; unrest that the story ends in the middle.
	rested, unrest bool
	// stopped says that there is to be no controller.
	stopped bool
	// flows says that the step under way ends without rest.
	flows bool
	// excused is until when a fault excuses what is late.
	excused time.Time
	// refusing is a kind of which no write is taken; nil for none.
	refusing *refusing
	// plans are what people have yet to do.
	plans []plan
	// want is the telling without the fault; nil while that is told.
	want *Result
	// ordered says what is wrong with the end, of what somebody has ordered; nil when nobody has.
	ordered func(*World) string
	// unlike says that what was ordered has an end of its own.
	unlike bool
	// noted is what a scenario remembers.
	noted      scenario.Picture
	invariants []Invariant
}

// epoch is when every world begins. Only differences matter.
func epoch() time.Time { return time.Date(2030, time.January, 1, 0, 0, 0, 0, time.UTC) }

// NewWorld makes one with nothing in it, and no controller.
func NewWorld(kit *Kit) *World {
	w := &World{kit: kit, now: epoch(), invariants: Invariants()}
	w.Server = newServer(kit, func() time.Time { return w.now })
	w.env = newEnvironment(w)
	w.checker = newChecker(w)
	w.Server.committed = w.committed
	return w
}

// committed is told of every change.
func (w *World) committed(c *Change) {
	if c.Process != nil {
		w.lastWrite = c
		if c.Process.pass != nil {
			c.Process.pass.Writes = append(c.Process.pass.Writes, c)
		}
	}
	w.checker.changed(c)
	w.env.noticed(c)
}

// Now is the true time.
func (w *World) Now() time.Time { return w.now }

// Start lets a controller begin.
func (w *World) Start() { w.boot() }

func (w *World) boot() *Process { return w.bootAt(0) }

// bootAt starts a controller whose clock is ahead of the truth.
func (w *World) bootAt(skew time.Duration) *Process {
	w.starts++
	return w.start(fmt.Sprintf("controller-%d", w.starts), skew)
}

// Client acts in a person's name.
func (w *World) Client(name string) client.Client {
	return &Client{server: w.Server, write: Write{By: name}}
}

// mostTurns is how many things may happen in a run before it counts as one that never comes to rest.
const mostTurns = 5_000 // of one step of a story

// turn lets one thing happen that is due now. It says whether there was one.
func (w *World) turn() bool {
	w.turns++
	for _, p := range slices.Clone(w.processes) {
		p.watch()
		key, at, found := p.next()
		if !found || at.After(w.now) {
			continue
		}
		p.reconcile(key)
		w.bury()
		return true
	}
	return w.carryOut() || w.env.step()
}

// plan is something that somebody does at a time.
type plan struct {
	at time.Time
	do func(*World)
}

// after lets somebody do something after a time.
func (w *World) after(d time.Duration, do func(*World)) {
	w.plans = append(w.plans, plan{w.now.Add(d), do})
}

// carryOut lets one of those do it whose time has come. It says whether there was one.
func (w *World) carryOut() bool {
	n := slices.IndexFunc(w.plans, func(p plan) bool { return !p.at.After(w.now) })
	if n < 0 {
		return false
	}
	do := w.plans[n].do
	w.plans = slices.Delete(slices.Clone(w.plans), n, n+1)
	do(w)
	return true
}

// bury removes controllers that have died, and starts another one in the place of the last.
func (w *World) bury() {
	died := slices.ContainsFunc(w.processes, func(p *Process) bool { return p.dead })
	w.processes = slices.DeleteFunc(w.processes, func(p *Process) bool { return p.dead })
	if died && len(w.processes) == 0 {
		w.boot()
	}
}

// due is when something is to happen next.
func (w *World) due() (at time.Time, found bool) {
	earlier := func(t time.Time, known bool) {
		if known && (!found || t.Before(at)) {
			at, found = t, true
		}
	}
	a, t := w.env.due()
	earlier(t, a != nil)
	for _, p := range w.processes {
		_, t, known := p.next()
		earlier(t, known)
		earlier(p.resyncAt, !p.resyncAt.IsZero())
	}
	for _, p := range w.plans {
		earlier(p.at, true)
	}
	return at, found
}

// errRestless says that a run does not come to rest.
type errRestless struct{ why string }

func (e *errRestless) Error() string { return "it does not come to rest: " + e.why }

// mostViolations is how many are worth seeing in one run.
const mostViolations = 20

// exhausted says that a run has gone on for long enough.
func (w *World) exhausted() error {
	switch {
	case w.turns > mostTurns:
		return &errRestless{fmt.Sprintf("after %d turns and %s", w.turns, w.now.Sub(epoch()))}
	case len(w.checker.violations) > mostViolations:
		return &errRestless{fmt.Sprintf("%d violations are enough, the first is %s", len(w.checker.violations), w.checker.violations[0])}
	}
	return nil
}

// Rest lets everything happen that happens by itself, and time pass, until nothing is due within a time.
func (w *World) Rest(horizon time.Duration) error {
	for {
		for w.turn() {
			if err := w.exhausted(); err != nil {
				return err
			}
		}
		at, found := w.due()
		if !found || at.Sub(w.now) > horizon && !at.Before(w.allowed()) {
			w.checker.timePasses(w.now)
			return nil
		}
		w.advance(at)
	}
}

// allowed is when writes have long been let through again, and everybody has tried once more.
func (w *World) allowed() time.Time {
	if w.refusing == nil {
		return w.now
	}
	return w.refusing.until.Add(time.Minute)
}

// Elapse lets a time pass, and everything happen in it.
func (w *World) Elapse(d time.Duration) error {
	end := w.now.Add(d)
	for {
		for w.turn() {
			if err := w.exhausted(); err != nil {
				return err
			}
		}
		at, found := w.due()
		if !found || at.After(end) {
			w.advance(end)
			return nil
		}
		w.advance(at)
	}
}

func (w *World) advance(to time.Time) {
	if to.After(w.now) {
		w.checker.timePasses(to)
		w.now = to
	}
}

// Make creates an object, as a person does.
func (w *World) Make(obj client.Object) error {
	gvk, stored, err := w.kit.stored(obj)
	if err != nil {
		return err
	}
	return w.Server.create(Write{By: "user"}, gvk, stored)
}

// edit changes an object, as somebody does, and does nothing when it is not there.
func edit[T client.Object](w *World, by string, kind schema.GroupVersionKind, key types.NamespacedName, change func(T)) {
	present := lookup[T](w.Server, kind, key)
	if w.Server.table(kind).objects[key] == nil {
		return
	}
	changed := copyOf(present)
	change(changed)
	w.env.put(Write{By: by, Verb: VerbUpdate}, kind, changed)
}
