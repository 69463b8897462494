package simulation

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller/planner"
)

// Violation is a broken invariant.
type Violation struct {
	// Invariant is its name.
	Invariant string
	// Detail says what was seen, and Where at which write.
	Detail, Where string
}

// String is one line.
func (v Violation) String() string { return fmt.Sprintf("%s: %s (%s)", v.Invariant, v.Detail, v.Where) }

// checker looks at every write with the eyes of the API server, and keeps what an invariant needs to remember.
type checker struct {
	world      *World
	subjects   map[types.NamespacedName]*subject
	violations []Violation
	checks     int
	// fates counts pods that were lost to something else: nobody can have known of one that has only just gone.
	fates int32
	// disturbed says that somebody took away what traffic needs: a Service, a ReplicaSet, a route, all pods.
	disturbed bool
	// kept is the hash of a ReplicaSet whose pods nobody may replace; empty for none.
	kept string
	// written are routes as somebody else wrote them while the standby Service had nothing of them, to which they return; there
	// is none for one that was written in mid-release.
	written map[types.NamespacedName]client.Object
	// tolerant are invariants that a fault excuses.
	tolerant []string
	// before is the truth before the write that is under way.
	before  *truth
	subject *subject
}

// subject is one Rollout, and what is remembered of it.
type subject struct {
	key      types.NamespacedName
	compiled compiled
	// gatesAt is when the gates of the step began, in true time.
	gatesAt time.Time
	// promoted are the revisions that a person asked to promote.
	promoted map[string]int
	// values are what the controller wrote into each field since something last happened from outside.
	values map[string][]string
	// routeWrites are when the controller wrote weights.
	routeWrites []time.Time
	fight       fight
	// contents are what pods were made with, by the name of the pod and of the object.
	contents map[string]string
	// runs are the AnalysisRuns that were ever created, and created how often.
	runs map[string]int
	// brokenAt is when the candidate was first seen to have traffic that it should not have, and broken says why not.
	brokenAt time.Time
	broken   string
	// passes counts those in a second.
	passes int
	second time.Time
	// actions counts writes beside the status since something last happened from outside.
	actions int
	// healthy says that it was so once, and reached that traffic came through then.
	healthy, reached bool
}

func newChecker(w *World) *checker {
	return &checker{world: w, subjects: map[types.NamespacedName]*subject{}, written: map[types.NamespacedName]client.Object{}}
}

// about is what is remembered of a Rollout.
func (c *checker) about(key types.NamespacedName) *subject {
	s := c.subjects[key]
	if s == nil {
		s = &subject{key: key, promoted: map[string]int{}, values: map[string][]string{}, runs: map[string]int{}, contents: map[string]string{}}
		c.subjects[key] = s
	}
	return s
}

func (c *checker) violate(invariant, detail string, at *Change) {
	if slices.Contains(c.tolerant, invariant) {
		return
	}
	where := fmt.Sprintf("at %s", c.world.now.Sub(epoch()))
	if at != nil {
		where = fmt.Sprintf("%s by %s %s", at, at.By, where)
	}
	c.violations = append(c.violations, Violation{invariant, detail, where})
}

// look is one write as an invariant sees it.
type look struct {
	world   *World
	subject *subject
	pass    *Pass
	process *Process
	change  *Change
	// before and after are the truth around the write; after is nil when the Rollout is gone.
	before, after *truth
}

// writing is called before a controller writes.
func (c *checker) writing(p *Process) {
	c.before, c.subject = nil, nil
	if p.pass == nil || p.pass.Rollout == nil {
		return
	}
	c.subject = c.about(client.ObjectKeyFromObject(p.pass.Rollout))
	c.before = c.world.truthOf(c.subject)
	if c.before != nil && len(p.pass.Writes) == 0 {
		p.pass.Duty = dutyOf(p, c.before)
	}
}

// changed is called after every write of anybody.
func (c *checker) changed(change *Change) {
	if change.Process == nil {
		c.outside(change)
		return
	}
	if c.before == nil {
		return
	}
	l := &look{
		world: c.world, subject: c.subject, process: change.Process, pass: change.Process.pass, change: change,
		before: c.before, after: c.world.truthOf(c.subject),
	}
	if l.after == nil {
		return
	}
	for _, i := range c.world.invariants {
		if i.write == nil {
			continue
		}
		c.checks++
		if detail := i.write(l); detail != "" {
			c.violate(i.Name, detail, change)
		}
	}
	c.remember(l)
}

// remember keeps what later checks ask for.
func (c *checker) remember(l *look) {
	s, st := l.subject, l.after.rollout.Status.State
	s.fight.remember(l)
	switch {
	case l.change.Kind == kindRoute():
		s.routeWrites = append(s.routeWrites, c.world.now)
	case l.change.Kind == kindAnalysisRun() && l.change.Verb == VerbCreate:
		s.runs[l.change.Key.Name]++
	}
	if l.change.Verb != VerbStatus {
		s.actions++
		return
	}
	s.persisted(c, l, st)
}

// persisted notes what a status says.
func (s *subject) persisted(c *checker, l *look, st v1alpha1.RolloutState) {
	before := l.before.rollout.Status.State
	if before.Step != st.Step || before.Attempt != st.Attempt || st.GatesAt.IsZero() {
		s.gatesAt = time.Time{}
	}
	if !st.GatesAt.IsZero() && s.gatesAt.IsZero() {
		s.gatesAt = c.world.now
	}
	s.healthy = s.healthy || l.after.rollout.Status.Phase == v1alpha1.PhaseHealthy
}

// outside notes what somebody else does.
func (c *checker) outside(change *Change) {
	switch change.By {
	case "kubelet":
		if c.fates > 0 && change.Verb == VerbStatus {
			c.cause() // a pod comes back
		}
		return
	case "garbage-collector", "deployment-controller", "replicaset-controller", "endpoints-controller", "gateway":
		return
	case "analysis":
	default:
		c.takes(change)
	}
	if change.Kind == kindRoute() && change.Verb != VerbStatus {
		c.authored(change)
	}
	c.cause()
	if rollout, ok := change.After.(*v1alpha1.Rollout); ok {
		c.about(change.Key).edited(rollout)
	}
}

// takes notes what somebody takes away that traffic needs.
func (c *checker) takes(change *Change) {
	gone := change.After == nil
	repointed := change.Before != nil && (change.Kind == kindService() || change.Kind == kindRoute())
	switch {
	case change.Kind == kindPod():
		c.fates++
	case gone || repointed:
		c.disturbed = true
		c.fates += 1000 // the pods of what was deleted go with it, and so do those behind a Service that is repointed
	}
	if gone && change.Kind == kindAnalysisRun() {
		for _, s := range c.subjects {
			delete(s.runs, change.Key.Name)
		}
	}
}

// cause is something that a controller has to answer: what it has written before may be right again.
func (c *checker) cause() {
	for _, s := range c.subjects {
		clear(s.values)
		s.actions = 0
	}
}

// edited notes what somebody wrote into a Rollout.
func (s *subject) edited(rollout *v1alpha1.Rollout) {
	if rollout.Spec.Replicas != nil && *rollout.Spec.Replicas == 0 {
		s.reached = false // nobody serves by order, and traffic comes back with the pods
	}
	if command, err := v1alpha1.ParseCommand(rollout.Annotations[v1alpha1.AnnotationCommand]); err == nil {
		s.promoted[command.Action+"/"+command.Revision]++
	}
}

// passEnds is called after every pass.
func (c *checker) passEnds(p *Process, key types.NamespacedName, _ reconcile.Result, err error) {
	c.before, c.subject = nil, nil
	for _, i := range c.world.invariants {
		if i.pass == nil {
			continue
		}
		c.checks++
		if detail := i.pass(c.world, p, key, err); detail != "" {
			c.violate(i.Name, detail, nil)
		}
	}
}

// timePasses is called before the clock moves.
func (c *checker) timePasses(to time.Time) {
	for _, s := range c.subjects {
		var t *truth
		for _, i := range c.world.invariants {
			if i.time == nil {
				continue
			}
			if t == nil {
				if t = c.world.truthOf(s); t == nil {
					break
				}
			}
			c.checks++
			if detail := i.time(c.world, s, t, to); detail != "" {
				c.violate(i.Name, detail, nil)
			}
		}
	}
}

// rests checks what must be true once nothing moves any more.
func (c *checker) rests() {
	for _, s := range c.subjects {
		t := c.world.truthOf(s)
		for _, i := range c.world.invariants {
			if i.rest == nil {
				continue
			}
			c.checks++
			if detail := i.rest(c.world, s, t); detail != "" {
				c.violate(i.Name, detail, nil)
			}
		}
	}
}

// Duty is what the first write of a pass must be that turns out to be an abort.
type Duty struct {
	// Service and Revision: this Service selects that revision; or, without a Service, weight comes off standby.
	Service, Revision string
}

// dutyOf is the one write that takes traffic off the candidate; nil when there is no such single write, or nothing to take
// off, or nothing ready to take it, or the process cannot know.
func dutyOf(p *Process, t *truth) *Duty {
	st := t.rollout.Status.State
	if !releasing(st) || t.spec.Proportional || !t.requested(st.Candidate) || p.pass.Behind {
		return nil
	}
	if t.spec.Mode == planner.Switch && t.sets[st.Stable].serving > 0 {
		return &Duty{Service: t.rollout.Spec.Services.Active, Revision: st.Stable}
	}
	if t.spec.Mode == planner.Routed && t.atHome() && t.weight != planner.WeightUnknown {
		return &Duty{}
	}
	return nil
}

// requested says whether a revision has requests, or copies of them, by its weight or by what is laid over it.
func (t *truth) requested(hash string) bool {
	return t.written(hash) > 0 || t.laid && t.standby.selects == hash
}

// atHome says whether the active Service selects stable and has an endpoint of it that serves.
func (t *truth) atHome() bool {
	stable := t.rollout.Status.State.Stable
	return t.active.selects == stable && t.active.ready[stable] > 0
}

// behind says whether a process has not been shown everything.
func (p *Process) behind() bool {
	return slices.ContainsFunc(p.world.Server.kinds(), func(kind kind) bool {
		return kind != kindPod() && p.cache.behind(kind) > 0
	})
}

// replicas is the smallest number that the writer may have taken for that of the spec.
func (l *look) replicas() int32 {
	seen := l.after.spec.Replicas
	if l.pass.Rollout.Spec.Replicas != nil {
		seen = *l.pass.Rollout.Spec.Replicas
	}
	return min(l.after.spec.Replicas, seen)
}

// mostReplicas is the largest.
func (l *look) mostReplicas() int32 {
	seen := l.after.spec.Replicas
	if l.pass.Rollout.Spec.Replicas != nil {
		seen = *l.pass.Rollout.Spec.Replicas
	}
	return max(l.after.spec.Replicas, seen, cmp.Or(l.before.spec.Replicas, 0))
}
