package sim

import (
	"fmt"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller/planner"
)

// Planner decides; planner.Next is the one to be proven, and tests pass broken ones to show that the checks bite.
type Planner func(planner.Snapshot) planner.Plan

// Report is what an exploration found.
type Report struct {
	// Worlds is the number of different worlds that were reached.
	Worlds int
	// Crashes is the number of passes that were cut short.
	Crashes int
	// Writes is the number of writes that were checked.
	Writes int
	// Violations counts broken invariants by name, and Stuck worlds from which the release does not come to rest.
	Violations map[string]int
	Stuck      int
	// First describes the first violation of each kind.
	First map[string]string
}

// Explore visits every world that can be reached from the first, up to a number of worlds.
func Explore(first World, next Planner, limit int) Report {
	e := explorer{next: next, seen: map[string]bool{}, restful: map[string]bool{}, report: Report{Violations: map[string]int{}, First: map[string]string{}}}
	e.visit(first)
	for len(e.queue) > 0 && e.report.Worlds < limit {
		w := e.queue[0]
		e.queue = e.queue[1:]
		e.expand(w)
	}
	if len(e.queue) > 0 {
		e.violate("LIMIT", fmt.Sprintf("more than %d worlds", limit), &first)
	}
	return e.report
}

type explorer struct {
	next Planner
	seen map[string]bool
	// restful remembers, by key, whether a world comes to rest: most ways there run together after a few passes.
	restful map[string]bool
	queue   []World
	report  Report
}

func (e *explorer) visit(w World) {
	key := w.key()
	if e.seen[key] {
		return
	}
	e.seen[key] = true
	e.queue = append(e.queue, w)
	e.report.Worlds++
}

func (e *explorer) violate(name, detail string, w *World) {
	e.report.Violations[name]++
	if e.report.First[name] == "" {
		e.report.First[name] = fmt.Sprintf("%s: %s: in %s", name, detail, w)
	}
}

// expand visits everything that can follow a world.
func (e *explorer) expand(w World) {
	if w.Leaving.Gone {
		return
	}
	for _, s := range w.helpful() {
		e.visit(s.world)
	}
	for _, s := range w.hostile() {
		e.visit(s.world)
	}
	plan := e.pass(w)
	after, ok := e.perform(w, plan)
	if ok {
		e.visit(after.record(plan))
	}
	if later, ok := w.wait(plan); ok {
		e.visit(later)
	}
	if !e.settles(w) {
		e.report.Stuck++
		if e.report.First["STUCK"] == "" {
			e.report.First["STUCK"] = w.String()
		}
	}
}

// pass plans, and checks the plan.
func (e *explorer) pass(w World) planner.Plan {
	s := w.Snapshot()
	plan := e.next(s)
	for _, v := range passInvariants(&w, s, plan, e.next(w.Snapshot())) {
		e.violate(v.Invariant, v.Detail, &w)
	}
	return plan
}

// perform carries out the writes of a plan one by one, and lets the controller crash after each.
func (e *explorer) perform(w World, plan planner.Plan) (World, bool) {
	for _, action := range plan.Actions {
		after := w.apply(action)
		e.check(&w, &after, action)
		e.report.Crashes++
		e.visit(after)
		w = after
	}
	return w, true
}

func (e *explorer) check(before, after *World, action planner.Action) {
	e.report.Writes++
	for _, rule := range writeInvariants() {
		if detail := rule.broken(before, after, action); detail != "" {
			e.violate(rule.name, fmt.Sprintf("%s (%s)", detail, action), before)
		}
	}
}

// mostPasses is how many passes a release may take to come to rest when all goes well, with one step of another
// controller after each.
const mostPasses = 400

// settles lets only helpful things happen and says whether the release comes to rest: at a stable revision, or aborted
// with all traffic on stable, or held by the spec or a gate that only a person opens.
func (e *explorer) settles(w World) bool {
	if w.Leaving.Asked && w.Clock-w.Leaving.At > w.patience()/2 {
		return true // its patience may end before all is well, and then it goes whatever the world is like
	}
	w.Budget = Budget{}
	var way []string
	rests := false
	for range mostPasses {
		key := w.key()
		if known, ok := e.restful[key]; ok {
			rests = known
			break
		}
		way = append(way, key)
		next, moved := e.helpfulPass(w)
		if !moved {
			rests = atRest(&w, e.next(w.Snapshot()))
			break
		}
		w = next
	}
	for _, key := range way {
		e.restful[key] = rests
	}
	return rests
}

// helpfulPass carries out one whole pass and the first helpful thing that can follow it.
func (e *explorer) helpfulPass(w World) (next World, moved bool) {
	if w.Leaving.Gone {
		return w, false
	}
	plan := e.next(w.Snapshot())
	before := w.key()
	for _, action := range plan.Actions {
		w = w.apply(action)
	}
	w = w.record(plan)
	if helpful := w.helpful(); len(helpful) > 0 {
		return helpful[0].world, true
	}
	if len(plan.Actions) > 0 || w.key() != before {
		return w, true
	}
	return w.wait(plan)
}

// atRest says whether a world in which nothing moves any more is one in which nothing should.
func atRest(w *World, plan planner.Plan) bool {
	switch {
	case w.Leaving.Asked:
		return w.Leaving.Gone && !w.Leaving.Forced
	case w.Spec.Paused || plan.Waiting || w.stableDeleted():
		return w.tidy()
	case !w.onlyStable():
		return false
	case w.State.Stage == v1alpha1.StageAborted:
		return w.shareOf(Index(w.State.Candidate)) == 0
	}
	return w.State.Stage == v1alpha1.StageIdle && plan.Settled && w.State.Stable == Name(w.Target)
}

// onlyStable says whether stable has all its pods, and no other revision has any.
func (w *World) onlyStable() bool {
	stable := Index(w.State.Stable)
	return stable >= 0 && w.Sets[stable].Ready == w.Spec.Replicas && w.othersGone(stable) && w.cleared() == ""
}

// stableDeleted says whether an abort has nothing to go back to: only a person brings back what a person has deleted.
func (w *World) stableDeleted() bool {
	return w.State.Stage == v1alpha1.StageAborted && !w.Sets[Index(w.State.Stable)].Exists
}

func (w *World) othersGone(stable int) bool {
	for i, set := range w.Sets {
		if i != stable && set.Starting+set.Ready > 0 {
			return false
		}
	}
	return true
}
