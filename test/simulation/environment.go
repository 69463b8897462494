package simulation

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// Delays of what is not ours. They differ, so that nothing happens at once that does not in a cluster, and each is shorter
// than the settle time, as that is what the settle time is for.
const (
	garbageAfter = 30 * time.Millisecond
	setsAfter    = 20 * time.Millisecond
	// deploymentsAfter comes after ReplicaSets have been sized.
	deploymentsAfter = 25 * time.Millisecond
	endpointsAfter   = 10 * time.Millisecond
	acceptedAfter    = 80 * time.Millisecond
	programmedAfter  = 250 * time.Millisecond
	heardAfter       = 200 * time.Millisecond
	runningAfter     = 30 * time.Millisecond
	// Startup is how long a pod takes to become ready, unless its image says otherwise.
	Startup = time.Second
	// ending is how long a pod takes to end.
	ending = 600 * time.Millisecond
	// Measuring is how long an analysis takes, unless its gate says otherwise.
	Measuring = 3 * time.Second
)

// Never is a time that does not come.
const Never = time.Duration(1<<63 - 1)

// Verdict is how an analysis ends.
type Verdict struct {
	// Phase it ends in.
	Phase v1alpha1.AnalysisPhase
	// After is how long it takes; Measuring when 0, and Never when it does not end.
	After time.Duration
	// Message gives the reason.
	Message string
}

// environment is everything that acts on the API server beside the controller.
type environment struct {
	world  *World
	actors []*actor
	// startup is how long pods of an image take to become ready.
	startup map[string]time.Duration
	// verdicts of analyses, by revision and gate as "image/gate", or by gate alone. What is not there passes.
	verdicts map[string]Verdict
	// ruled says that analyses go on until there is a ruling, with which they then end.
	ruled  bool
	ruling v1alpha1.AnalysisPhase
	// refusals of routes by the gateway.
	refusals map[string]string
	// programmed is the share of the standby Service, in tenths of a percent, that the gateway serves by, for each route.
	programmed map[types.NamespacedName]int32
	// slow is how much longer the gateway takes to serve by a greater share below all of the traffic than it takes to report it,
	// and late when it will, for each route.
	slow time.Duration
	late map[types.NamespacedName]lateShare
	// matching are the routes by which the gateway sends requests to the standby Service whatever the weight.
	matching map[types.NamespacedName]bool
	// heard are the endpoints that the gateway knows of each Service, by name of the pod.
	heard map[types.NamespacedName][]string
}

// item is something for an actor to look at.
type item struct {
	kind schema.GroupVersionKind
	key  types.NamespacedName
	uid  types.UID
}

// actor is one controller that is not ours. It looks at an object some time after a change of it, as often as needed.
type actor struct {
	name  string
	delay time.Duration
	// concerns are the items that a change gives to do.
	concerns func(*Change) []item
	// act looks at one, and says after which time to look again; 0 for not before the next change.
	act   func(item) time.Duration
	queue []task
}

type task struct {
	item item
	at   time.Time
}

func newEnvironment(w *World) *environment {
	e := &environment{
		world: w, startup: map[string]time.Duration{}, verdicts: map[string]Verdict{}, refusals: map[string]string{},
		programmed: map[types.NamespacedName]int32{}, late: map[types.NamespacedName]lateShare{}, matching: map[types.NamespacedName]bool{}, heard: map[types.NamespacedName][]string{},
	}
	e.actors = []*actor{
		{name: "garbage-collector", delay: garbageAfter, concerns: abandoned, act: e.collect},
		{name: "deployment-controller", delay: deploymentsAfter, concerns: deploymentOf, act: e.deploy},
		{name: "replicaset-controller", delay: setsAfter, concerns: setOf, act: e.sizeSet},
		{name: "kubelet", concerns: only(kindPod()), act: e.runPod},
		{name: "endpoints-controller", delay: endpointsAfter, concerns: e.servicesOf, act: e.publish},
		{name: "gateway", delay: acceptedAfter, concerns: only(kindRoute()), act: e.accept},
		{name: "proxy", delay: programmedAfter, concerns: only(kindRoute()), act: e.program},
		{name: "proxy-endpoints", delay: heardAfter, concerns: only(kindSlice()), act: e.hear},
		{name: "analysis", delay: runningAfter, concerns: only(kindAnalysisRun()), act: e.measure},
	}
	return e
}

// only concerns objects of one kind.
func only(kind schema.GroupVersionKind) func(*Change) []item {
	return func(c *Change) []item {
		if c.Kind != kind {
			return nil
		}
		return []item{{kind: kind, key: c.Key}}
	}
}

// noticed gives every actor what a change gives it to do.
func (e *environment) noticed(c *Change) {
	for _, a := range e.actors {
		for _, i := range a.concerns(c) {
			a.add(i, e.world.now.Add(a.delay))
		}
	}
}

func (a *actor) add(i item, at time.Time) {
	for n, t := range a.queue {
		if t.item == i {
			if at.Before(t.at) {
				a.queue[n].at = at
			}
			return
		}
	}
	a.queue = append(a.queue, task{i, at})
}

// due is when an actor has something to do.
func (e *environment) due() (first *actor, at time.Time) {
	for _, a := range e.actors {
		for _, t := range a.queue {
			if first == nil || t.at.Before(at) {
				first, at = a, t.at
			}
		}
	}
	return first, at
}

// step lets one actor do one thing that is due. It says whether there was one.
func (e *environment) step() bool {
	a, at := e.due()
	if a == nil || at.After(e.world.now) {
		return false
	}
	n := slices.IndexFunc(a.queue, func(t task) bool { return !t.at.After(at) })
	i := a.queue[n].item
	a.queue = slices.Delete(a.queue, n, n+1)
	if again := a.act(i); again > 0 && again != Never {
		a.add(i, e.world.now.Add(again))
	}
	return true
}

func (e *environment) by(name string) Write { return Write{By: name, Verb: VerbUpdate} }

func (e *environment) status(name string) Write { return Write{By: name, Verb: VerbStatus} }

// put writes an object, and takes it badly when the server does not.
func (e *environment) put(w Write, kind schema.GroupVersionKind, obj client.Object) {
	if _, err := e.world.Server.replace(w, kind, obj); err != nil {
		panic(fmt.Sprintf("%s writes %s %s: %v", w.By, kind.Kind, obj.GetName(), err))
	}
}

// abandoned are the objects whose dependents have to go, or to be let go.
func abandoned(c *Change) []item {
	obj := c.After
	if obj == nil {
		return []item{{kind: c.Kind, key: c.Key, uid: c.Before.GetUID()}}
	}
	if obj.GetDeletionTimestamp() != nil && (slices.Contains(obj.GetFinalizers(), metav1.FinalizerOrphanDependents) ||
		slices.Contains(obj.GetFinalizers(), metav1.FinalizerDeleteDependents)) {
		return []item{{kind: c.Kind, key: c.Key, uid: obj.GetUID()}}
	}
	return nil
}

// collect deletes the dependents of what is gone, or lets go of them.
func (e *environment) collect(i item) time.Duration {
	owner := e.world.Server.table(i.kind).objects[i.key]
	if owner != nil && owner.GetUID() != i.uid {
		owner = nil
	}
	orphan := owner != nil && slices.Contains(owner.GetFinalizers(), metav1.FinalizerOrphanDependents)
	left := e.release(i, orphan)
	if owner == nil {
		return 0
	}
	if left && !orphan {
		return garbageAfter
	}
	free := copyOf(owner)
	free.SetFinalizers(slices.DeleteFunc(free.GetFinalizers(), func(f string) bool {
		return f == metav1.FinalizerOrphanDependents || f == metav1.FinalizerDeleteDependents
	}))
	e.put(e.by("garbage-collector"), i.kind, free)
	return 0
}

// release deletes all dependents of an owner, or takes the owner out of them. It says whether there were any.
func (e *environment) release(owner item, orphan bool) (found bool) {
	s, w := e.world.Server, e.by("garbage-collector")
	owned := func(o metav1.OwnerReference) bool { return o.UID == owner.uid }
	for _, kind := range s.kinds() {
		for _, obj := range s.table(kind).list(owner.key.Namespace) {
			if !slices.ContainsFunc(obj.GetOwnerReferences(), owned) {
				continue
			}
			found = true
			switch {
			case orphan:
				free := copyOf(obj)
				free.SetOwnerReferences(slices.DeleteFunc(free.GetOwnerReferences(), owned))
				e.put(w, kind, free)
			case obj.GetDeletionTimestamp() == nil:
				_ = s.remove(w, kind, client.ObjectKeyFromObject(obj), client.DeleteOptions{})
			}
		}
	}
	return found
}

// measure carries out an analysis: it begins, and after a time it has the verdict that the story wants.
func (e *environment) measure(i item) time.Duration {
	run := lookup[*v1alpha1.AnalysisRun](e.world.Server, i.kind, i.key)
	if run == nil || run.DeletionTimestamp != nil || run.Status.Phase.Ended() {
		return 0
	}
	next := copyOf(run)
	now := metav1.NewMicroTime(e.world.now)
	verdict := e.verdictOf(run)
	switch {
	case run.Spec.Terminate:
		next.Status.Phase, next.Status.CompletedAt, next.Status.Message = v1alpha1.AnalysisStopped, now, "stopped"
	case run.Status.Phase == "":
		next.Status.Phase, next.Status.StartedAt = v1alpha1.AnalysisRunning, now
	case verdict.After == Never:
		return Never
	case e.world.now.Before(run.Status.StartedAt.Add(verdict.After)):
		return run.Status.StartedAt.Add(verdict.After).Sub(e.world.now)
	default:
		next.Status.Phase, next.Status.CompletedAt, next.Status.Message = verdict.Phase, now, verdict.Message
	}
	next.Status.ObservedGeneration = run.Generation
	e.put(e.status("analysis"), i.kind, next)
	return 0
}

func (e *environment) verdictOf(run *v1alpha1.AnalysisRun) Verdict {
	if e.ruled {
		if e.ruling == "" {
			return Verdict{After: Never}
		}
		return Verdict{Phase: e.ruling, Message: strings.ToLower(string(e.ruling))}
	}
	out := Verdict{Phase: v1alpha1.AnalysisPassed, After: Measuring, Message: "passed"}
	image := e.imageOf(run.Namespace, run.Labels[v1alpha1.LabelRevision])
	for _, key := range []string{run.Spec.Gate, image + "/" + run.Spec.Gate} {
		if v, ok := e.verdicts[key]; ok {
			out = v
			out.After = cmp.Or(v.After, Measuring)
			out.Message = cmp.Or(v.Message, strings.ToLower(string(v.Phase)))
		}
	}
	if run.Spec.Gate == "background" && out.Phase == v1alpha1.AnalysisPassed {
		out.After = Never // it measures until it is stopped
	}
	return out
}
