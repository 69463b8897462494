package simulation

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/controller/planner"
	"github.com/sluice-dev/sluice/trafficrouting"
)

const (
	// contestWindow is the time in which so many changes of another writer may be put back.
	contestWindow = 10 * time.Minute
	// mostPutBacks is how many: five in a row, the one that ends the hold before it, and two of which the status was lost.
	mostPutBacks = 8
)

// fight is what is remembered of other writers.
type fight struct {
	// putBacks are when a change of another writer was put back, in favour of the candidate.
	putBacks []time.Time
	// version is that of the last one.
	version int64
	// weight is what the controller last wrote into a route.
	weight int32
	// began are the versions at which AnalysisRuns were created, by name.
	began map[string]int64
}

// remember keeps what a write of a controller means for it.
func (f *fight) remember(l *look) {
	if l.putsBack() {
		f.putBacks, f.version = append(f.putBacks, l.world.now), l.change.Version
	}
	switch {
	case l.change.Kind == kindRoute():
		f.weight = l.after.weight
	case l.change.Kind == kindAnalysisRun() && l.change.Verb == VerbCreate:
		if f.began == nil {
			f.began = map[string]int64{}
		}
		f.began[l.change.Key.Name] = l.change.Version
	}
}

// putsBack says whether a write gives the candidate back what another writer has taken from it during a release.
func (l *look) putsBack() bool {
	state := l.before.rollout.Status.State
	if !releasing(state) || l.after.written(state.Candidate) <= l.before.written(state.Candidate) {
		return false
	}
	switch l.change.Kind {
	case kindRoute():
		return writer(l.change.Before, "f:rules") != "" && l.before.weight != l.subject.fight.weight
	case kindService():
		service, ok := l.change.Before.(*corev1.Service)
		return ok && writer(service, "f:selector") != ""
	}
	return false
}

// writer is who wrote a field of the spec last, when it was not the controller.
func writer(obj client.Object, field string) string {
	if obj == nil {
		return ""
	}
	return trafficrouting.LastWriter(obj.GetManagedFields(), "f:spec", field)
}

func contest(l *look) string {
	if detail := writesAgain(l); detail != "" {
		return detail
	}
	return measuredElsewhere(l)
}

// writesAgain notices a write loop.
func writesAgain(l *look) string {
	if l.putsBack() {
		n := 1
		for _, at := range l.subject.fight.putBacks {
			if l.world.now.Sub(at) < contestWindow {
				n++
			}
		}
		if n > mostPutBacks {
			return fmt.Sprintf("a change of another writer is put back for the %d. time within %s", n, contestWindow)
		}
	}
	if !l.routeWrite() {
		return ""
	}
	n := 1
	for _, at := range l.subject.routeWrites {
		if l.world.now.Sub(at) < time.Minute {
			n++
		}
	}
	if routes := len(routesOf(l.after.rollout)); n > mostRouteWrites*routes {
		return fmt.Sprintf("%d writes of routes within a minute", n)
	}
	return ""
}

// measuredElsewhere notices a step that is left by what was measured, or waited for, before its traffic was put back.
func measuredElsewhere(l *look) string {
	before, ok := l.leaves()
	f := l.subject.fight
	if !ok || f.version == 0 || l.promoted(before) {
		return ""
	}
	last := f.putBacks[len(f.putBacks)-1]
	for _, g := range l.before.gatesOf(before) {
		run := l.world.runOf(l.before, g.Name)
		switch {
		case g.Kind == planner.AnalysisGate && run != nil && f.began[run.Name] < f.version:
			return fmt.Sprintf("step %d is left by %s, which began before the traffic was put back", before.Step+1, run.Name)
		case g.Kind == planner.PauseGate && !l.subject.gatesAt.After(last):
			return fmt.Sprintf("step %d is left after a pause that began before the traffic was put back", before.Step+1)
		}
	}
	return ""
}
