package simulation

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller/planner"
	"github.com/sluice-dev/sluice/controller/rollout"
	"github.com/sluice-dev/sluice/test/builder"
	"github.com/sluice-dev/sluice/trafficrouting"
	"github.com/sluice-dev/sluice/trafficrouting/gatewayapi"
)

// Settle is how long the data plane is given. The default is longer; here everything is faster, so that scenarios which
// are played with pods that are ready at once have the same deadlines.
const Settle = 400 * time.Millisecond

const (
	firstRetry = 5 * time.Millisecond
	lastRetry  = 5 * time.Second
	// resync is how long an event is lost before everything is looked at again. It is 10 hours in the product.
	resync = 8 * time.Second
)

// Process is one controller: the real Reconciler, with caches, a queue and a clock of its own.
type Process struct {
	// Name tells processes apart.
	Name string

	world      *World
	cache      *Cache
	reconciler *rollout.Reconciler
	queue      map[types.NamespacedName]time.Time
	failures   map[types.NamespacedName]int
	// skew is how far its clock is ahead of the truth.
	skew time.Duration
	dead bool
	// blind are kinds whose watch shows nothing for so many passes; below 0 for ever.
	blind map[schema.GroupVersionKind]int
	// deaf are kinds whose next changes are shown and wake nobody.
	deaf map[schema.GroupVersionKind]int
	// drip shows one change at a time, each followed by a pass, the kinds in the order of their names or against it.
	drip drip
	// repeat is how many passes are made twice.
	repeat int
	// resyncAt is when everything is looked at again, after an event was lost; zero for never.
	resyncAt time.Time
	pass     *Pass
	passes   int
	// expires is how many passes a process has left that leads no more; 0 for no end.
	expires int
	// stalled is until when a process does nothing that lets one Rollout stand in the way of others.
	stalled time.Time
	// vain is the last write that changed nothing.
	vain string
}

// drip is an order of kinds.
type drip int

const (
	together drip = iota
	forwards
	backwards
)

// Pass is one look at one Rollout.
type Pass struct {
	// Rollout is the one that the process sees, nil when it sees none.
	Rollout *v1alpha1.Rollout
	// Began is the version of the truth when the pass began, and At the time.
	Began int64
	At    time.Time
	// Behind says that the process had not been shown everything then.
	Behind bool
	// First is the write that it began with, whether it was let through or not; nil when it has written nothing.
	First *request
	// Writes are what it has written.
	Writes []*Change
	// Duty is what the first write of the pass must be, if it turns out to be an abort.
	Duty *Duty
}

// errDead is what a controller that was killed gets from then on; nothing of it can be seen.
var errDead = errors.New("the process is dead")

// start adds a controller to the world. It lists everything and looks at every Rollout.
func (w *World) start(name string, skew time.Duration) *Process {
	cache, err := newCache(w.Server)
	if err != nil {
		panic(err) // the product's own list of what it caches is broken
	}
	p := &Process{
		Name: name, world: w, cache: cache, skew: skew,
		queue: map[types.NamespacedName]time.Time{}, failures: map[types.NamespacedName]int{},
		blind: map[schema.GroupVersionKind]int{}, deaf: map[schema.GroupVersionKind]int{},
	}
	out := &Client{server: w.Server, write: Write{By: "controller", Process: p}, around: p.around, asked: func() { w.reads++ }}
	p.reconciler = rollout.New(rollout.Parts{
		Cache: cache, Live: out, Client: out, Recorder: &recorder{world: w, process: p}, Clock: processClock{p}, Settle: Settle,
		Conditions: w.kit.conditions, Next: w.decide,
		Routers: func(reader client.Reader, writer client.Writer) trafficrouting.Routers {
			return trafficrouting.Routers{GatewayAPI: open{gatewayapi.New(reader, writer, builder.RouteMapper())}}
		},
		Probe: p.probe, Wake: func(key types.NamespacedName) { p.wake(key, 0) },
	})
	p.wakeAll()
	w.processes = append(w.processes, p)
	return p
}

// processClock is the clock on the machine of a process.
type processClock struct{ process *Process }

// Now implements clock.PassiveClock.
func (c processClock) Now() time.Time { return c.process.world.now.Add(c.process.skew) }

// Since implements clock.PassiveClock.
func (c processClock) Since(t time.Time) time.Duration { return c.Now().Sub(t) }

// wakeAll looks at every Rollout that the process knows.
func (p *Process) wakeAll() {
	if v, err := p.cache.view(kindRollout()); err == nil {
		for key := range v.objects {
			p.wake(key, 0)
		}
	}
}

// wake puts a Rollout into the queue, unless it is to be looked at earlier.
func (p *Process) wake(key types.NamespacedName, after time.Duration) {
	at := p.world.now.Add(after)
	if due, ok := p.queue[key]; !ok || at.Before(due) {
		p.queue[key] = at
	}
}

// watch shows the process what has changed, and wakes Rollouts. It says whether there was anything.
func (p *Process) watch() {
	kinds := p.world.Server.kinds()
	if p.drip == backwards {
		slices.Reverse(kinds)
	}
	for _, kind := range kinds {
		if kind == kindPod() || p.blind[kind] != 0 || p.cache.behind(kind) == 0 {
			continue
		}
		if p.drip != together {
			p.show(kind, 1)
			break
		}
		p.show(kind, p.cache.behind(kind))
	}
	if !p.resyncAt.IsZero() && !p.world.now.Before(p.resyncAt) {
		p.resyncAt = time.Time{}
		p.wakeAll()
	}
}

// show delivers changes of a kind.
func (p *Process) show(kind schema.GroupVersionKind, most int) {
	for _, change := range p.cache.deliver(kind, most) {
		if p.deaf[kind] > 0 {
			p.deaf[kind]--
			p.resyncAt = p.world.now.Add(resync)
			continue
		}
		p.notice(change)
	}
}

// notice wakes whom a change concerns.
func (p *Process) notice(c *Change) {
	obj := c.After
	if obj == nil {
		obj = c.Before
	}
	switch c.Kind {
	case kindRollout():
		p.wake(c.Key, 0)
		p.wakeNamespace(c.Key.Namespace, c.Verb == VerbStatus)
	case kindReplicaSet(), kindAnalysisRun():
		p.wakeOwner(c)
		if c.Kind == kindReplicaSet() && metav1.GetControllerOf(obj) == nil {
			p.wakeNamespace(c.Key.Namespace, false) // somebody may adopt it
		}
	default:
		p.wakeNamespace(c.Key.Namespace, false)
	}
}

// wakeOwner wakes the Rollout that owns an object, or that did before a change.
func (p *Process) wakeOwner(c *Change) {
	for _, obj := range []client.Object{c.Before, c.After} {
		if obj == nil {
			continue
		}
		for _, owner := range obj.GetOwnerReferences() {
			if owner.Kind == v1alpha1.RolloutKind {
				p.wake(types.NamespacedName{Namespace: c.Key.Namespace, Name: owner.Name}, 0)
			}
		}
	}
}

// wakeNamespace wakes every Rollout of a namespace; of all when it is empty.
func (p *Process) wakeNamespace(namespace string, nobody bool) {
	v, err := p.cache.view(kindRollout())
	if err != nil || nobody {
		return
	}
	for key := range v.objects {
		if namespace == "" || key.Namespace == namespace {
			p.wake(key, 0)
		}
	}
}

// next is the Rollout that is due first, and when.
func (p *Process) next() (key types.NamespacedName, at time.Time, found bool) {
	for k, due := range p.queue {
		if due.Before(p.stalled) {
			due = p.stalled
		}
		if !found || due.Before(at) || due.Equal(at) && compareKeys(k, key) < 0 {
			key, at, found = k, due, true
		}
	}
	return key, at, found
}

// reconcile makes one pass over a Rollout.
func (p *Process) reconcile(key types.NamespacedName) {
	delete(p.queue, key)
	p.passes++
	p.world.passes++
	p.pass = &Pass{Began: p.world.Server.version, At: p.world.now, Behind: p.behind()}
	if v, err := p.cache.view(kindRollout()); err == nil {
		p.pass.Rollout, _ = v.objects[key].(*v1alpha1.Rollout)
	}
	result, err := p.survive(key)
	if p.dead {
		return
	}
	if err != nil && p.world.hasSecrets() {
		p.world.said = append(p.world.said, err.Error()) // controller-runtime logs it
	}
	p.world.checker.passEnds(p, key, result, err)
	switch {
	case err != nil:
		p.failures[key]++
		p.wake(key, min(lastRetry, firstRetry<<min(p.failures[key]-1, 12)))
	case result.RequeueAfter > 0:
		delete(p.failures, key)
		p.wake(key, result.RequeueAfter)
	default:
		delete(p.failures, key)
	}
	p.afterPass(key)
}

// afterPass lets faults wear off.
func (p *Process) afterPass(key types.NamespacedName) {
	for kind, passes := range p.blind {
		if passes > 0 {
			p.blind[kind]--
		}
	}
	if p.repeat > 0 {
		p.repeat--
		p.wake(key, 0)
	}
	if p.expires > 0 {
		p.expires--
		p.dead = p.expires == 0
	}
}

// survive is a pass whose panic is an error, as controller-runtime makes it one.
func (p *Process) survive(key types.NamespacedName) (result reconcile.Result, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			if _, deliberate := cause.(poison); !deliberate {
				p.world.checker.violate("TOTAL", fmt.Sprintf("panic: %v", cause), p.world.lastWrite)
			}
			err = fmt.Errorf("panic: %v", cause)
			if p.world.fragile {
				p.stalled = p.world.now.Add(time.Minute)
			}
		}
	}()
	ctx := log.IntoContext(context.Background(), p.logger())
	return p.reconciler.Reconcile(ctx, reconcile.Request{NamespacedName: key})
}

// decide asks the planner twice: the same snapshot gives the same plan.
func (w *World) decide(s planner.Snapshot) planner.Plan {
	next := w.next
	if next == nil {
		next = planner.Next
	}
	plan := next(s)
	if w.fault == nil {
		if again := next(s); !reflect.DeepEqual(plan, again) {
			w.checker.violate("TOTAL", fmt.Sprintf("one snapshot, two plans: %v, and %v", plan, again), w.lastWrite)
		}
	}
	return plan
}

// logger keeps what is logged, at every level, where somebody looks for secrets in it.
func (p *Process) logger() logr.Logger {
	if !p.world.hasSecrets() {
		return logr.Discard()
	}
	return funcr.New(func(prefix, args string) { p.world.said = append(p.world.said, prefix+args) }, funcr.Options{Verbosity: 1})
}

// around is called with every write of the process.
func (p *Process) around(r request, commit func() error) error {
	if p.dead {
		return errDead
	}
	p.world.writes++
	if p.pass != nil && p.pass.First == nil {
		p.pass.First = &r
	}
	checked := func() error { return p.carryOut(r, commit) }
	for _, f := range []*Fault{p.world.fault, p.world.second} {
		if f != nil && p.world.writes == f.At {
			return f.strike(p, r, checked)
		}
	}
	return checked()
}

// carryOut writes, unless that is refused.
func (p *Process) carryOut(r request, commit func() error) error {
	if err := p.world.refuses(r); err != nil {
		return err
	}
	p.world.checker.writing(p)
	version := p.world.Server.version
	if err := commit(); err != nil {
		return err
	}
	if version == p.world.Server.version {
		p.vain = r.String()
	}
	if meddle := p.world.meddle; meddle != nil {
		p.world.meddle = nil
		meddle(p, r)
		p.world.meddle = meddle
	}
	return nil
}

// recorder takes events.
type recorder struct {
	world   *World
	process *Process
}

// Eventf implements events.EventRecorder.
//
//nolint:revive // the interface has so many parameters
func (r *recorder) Eventf(_, _ runtime.Object, kind, reason, _, note string, args ...any) {
	if !r.process.dead {
		r.world.events = append(r.world.events, strings.Join([]string{kind, reason, fmt.Sprintf(note, args...)}, " "))
	}
}
