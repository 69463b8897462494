package sim

import (
	"fmt"
	"reflect"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller/planner"
)

// Violation is a broken invariant.
type Violation struct {
	// Invariant is its name.
	Invariant string
	// Detail says what was written in which world.
	Detail string
}

// invariant is a rule that every single write must keep.
type invariant struct {
	name string
	// says is the rule in one sentence.
	says string
	// broken says how a write from one world to the next breaks the rule; empty when it does not.
	broken func(before, after *World, a planner.Action) string
}

// writeInvariants are checked after every write against the truth of the world.
func writeInvariants() []invariant {
	return []invariant{
		{"SUM", "Weights are from 0 to 100 % and add up to 100 %.", sum},
		{"MATCHED", "Requests are matched to the candidate of a release alone, and only at a step that asks for it.", matched},
		{"NO-EMPTY", "No write gives a Service more traffic than its ready endpoints can carry.", noEmpty},
		{"HEARD", "The first weight of a candidate comes when gateways have had the settle time to hear of its endpoints.", heard},
		{"ORDER", "No write takes pods that the present or programmed traffic of a revision needs.", order},
		{"SELECTOR", "A Service that carries traffic keeps its selector, unless what it selects next is ready.", selector},
		{"ABORT-STICKY", "After an abort no write raises the traffic or the size of the aborted revision.", abortSticky},
		{"ONE-RS", "There is at most one ReplicaSet for a revision.", oneRS},
		{"BUDGET", "Behind one Service, pods stay within replicas + surge and replicas − unavailable.", budget},
		{"WIDENED", "The active Service selects every pod only when those that should have no traffic are gone.", widened},
		{"TOLD", "The weight of a candidate rises only when what compares it has been told that traffic moves.", told},
		{"FRESH", "A baseline is that of the step under way, as large as the candidate, and leaves its Service before it ends.", fresh},
		{"APART", "An experiment has no production traffic.", apart},
		{"DELETE-SAFE", "A ReplicaSet is deleted only without pods, unselected, and neither stable nor candidate.", deleteSafe},
	}
}

// told looks at gains by weight. A Service that is pointed elsewhere is told of after: its traffic may be lost meanwhile.
func told(before, after *World, a planner.Action) string {
	candidate := Index(before.State.Candidate)
	if _, ok := a.(planner.SetWeight); !ok || candidate < 0 || before.Spec.Mode != planner.Routed || after.shareOf(candidate) <= before.shareOf(candidate) {
		return ""
	}
	for _, a := range before.Analyses {
		if a.Phase == v1alpha1.AnalysisRunning && a.Told != planner.WeightUnknown {
			return fmt.Sprintf("%s was told that traffic rests at %d, and it goes to %d", a.Name, a.Told, after.shareOf(candidate))
		}
	}
	return ""
}

func sum(_, after *World, _ planner.Action) string {
	if after.Weight < 0 || after.Weight > planner.FullWeight {
		return fmt.Sprintf("weight %d", after.Weight)
	}
	return ""
}

// matched looks at every write of a route: a weight that belongs to no step takes matches away.
func matched(before, after *World, a planner.Action) string {
	if _, ok := a.(planner.SetWeight); !ok || after.Overlay == v1alpha1.NoOverlay {
		return ""
	}
	st, spec := before.State, before.Spec
	switch {
	case st.Stage != v1alpha1.StageStepping || before.Leaving.Asked:
		return fmt.Sprintf("overlay %d in stage %s", after.Overlay, stageName(st.Stage))
	case spec.Steps[spec.StepAt(st.Step)].Overlay != after.Overlay:
		return fmt.Sprintf("overlay %d at a step that has another", after.Overlay)
	case after.Standby.Selects != Index(st.Candidate)+1:
		return fmt.Sprintf("overlay %d on a service that does not select %s", after.Overlay, st.Candidate)
	}
	return ""
}

// carrying is the number of endpoints of a revision behind Services that have traffic.
func (w *World) carrying(i int) int32 {
	weight := max(w.Weight, w.Programmed)
	if w.Spec.Mode == planner.Switch {
		weight = 0
	}
	var n int32
	if weight > 0 || w.matched() {
		n += w.Standby.Endpoints[i]
	}
	if min(w.Weight, w.Programmed) < planner.FullWeight {
		n += w.Active.Endpoints[i]
	}
	return n
}

// need is written again here, on purpose in another way than in the planner.
func need(replicas, share int32) int32 {
	n := replicas * share / planner.FullWeight
	if n*planner.FullWeight < replicas*share {
		n++
	}
	return n
}

// least is the number of pods for a share of the traffic.
func (w *World) least(share int32) int32 {
	n := need(w.Spec.Replicas, share)
	if share > 0 && n < w.Spec.MinPods {
		n = min(w.Spec.MinPods, w.Spec.Replicas)
	}
	return n
}

func noEmpty(before, after *World, a planner.Action) string {
	set, ok := a.(planner.SetWeight)
	if !ok || after.Spec.Replicas == 0 || after.Leaving.Asked && after.outwaited() {
		return ""
	}
	raised, share := after.Standby, set.Tenths
	least := max(after.least(share), lays(before, set))
	if set.Tenths < before.Weight && lays(before, set) == 0 {
		raised, share = after.Active, planner.FullWeight-set.Tenths
		least = need(after.Spec.Replicas, share)
		if !after.Spec.Proportional && raised.Selects == Index(after.State.Stable)+1 {
			least = 1 // one ready pod of a stable at full size is enough to leave a bad version
		}
	}
	if ready := after.serving(raised); ready+before.deaths() < least {
		return fmt.Sprintf("share %d on %d ready endpoints, %d needed", share, ready, least)
	}
	return ""
}

// lays is the least number of pods for an overlay that a write lays; 0 when it lays none.
func lays(before *World, set planner.SetWeight) int32 {
	if set.Overlay == before.Overlay || set.Overlay == v1alpha1.NoOverlay {
		return 0
	}
	return 1
}

// serving is the number of endpoints of a Service that its selector selects and whose pods are ready.
func (w *World) serving(s Service) int32 {
	var ready int32
	for i, n := range s.Endpoints {
		if s.Selects == 0 || s.Selects == i+1 {
			ready += min(n, w.Sets[i].Ready)
		}
	}
	return ready
}

// deaths is how many pods have died from outside: the planner cannot have known of those that no controller has seen.
func (w *World) deaths() int32 { return int32(initialDeaths - w.Budget.Deaths) }

// initialDeaths is the budget of deaths that scenarios begin with at the most.
const initialDeaths = 1

// shareOf is the largest share of a revision by what is written and by what the gateway has programmed.
func (w *World) shareOf(i int) int32 {
	share := func(weight int32) int32 {
		var s int32
		if w.Active.Selects == i+1 {
			s += planner.FullWeight - weight
		}
		if w.Standby.Selects == i+1 {
			s += weight
		}
		if w.Standby.Selects == i+1 && w.matched() {
			s = max(s, 1)
		}
		return s
	}
	switch w.Spec.Mode {
	case planner.Routed:
		return max(share(w.Weight), share(w.Programmed))
	case planner.Switch:
		return share(0)
	case planner.Ratio:
	}
	return 0
}

// heard leaves out the way back to stable, on which nothing waits for anything but ready endpoints.
func heard(before, after *World, _ planner.Action) string {
	st, s := before.State, before.Standby
	if before.Spec.Mode != planner.Routed || before.Weight != 0 || before.Overlay != v1alpha1.NoOverlay ||
		after.Weight == 0 && after.Overlay == v1alpha1.NoOverlay || s.Selects != Index(st.Candidate)+1 ||
		!before.releasing() {
		return ""
	}
	if age := before.Clock - s.Since; s.Fresh || age < before.Spec.Settle {
		return fmt.Sprintf("weight %d for endpoints of %s that are %s old", after.Weight, st.Candidate, age)
	}
	return ""
}

func order(before, after *World, a planner.Action) string {
	scale, ok := a.(planner.ScaleRevision)
	if !ok || before.Spec.Mode == planner.Ratio {
		return ""
	}
	i := Index(scale.Revision)
	if scale.Replicas >= before.Sets[i].Desired {
		return ""
	}
	if scale.Replicas == 0 && after.Spec.Replicas > 0 {
		if detail := orderOfTheLast(before, i); detail != "" {
			return detail
		}
	}
	if least := min(after.least(after.shareOf(i)), before.Sets[i].Desired); scale.Replicas < least {
		return fmt.Sprintf("%s to %d pods with share %d", scale.Revision, scale.Replicas, after.shareOf(i))
	}
	return ""
}

// orderOfTheLast says what speaks against ending the last pods of a revision.
func orderOfTheLast(before *World, i int) string {
	switch {
	case i == Index(before.State.Stable) && before.releasing():
		return fmt.Sprintf("stable %s to no pod before the promotion", Name(i))
	case before.State.Stable != "" && before.carrying(i) > 0:
		return fmt.Sprintf("%s to 0 pods while endpoints of it are left", Name(i))
	}
	return ""
}

// releasing says whether a release is under way that may still go back.
func (w *World) releasing() bool {
	return w.State.Stage == v1alpha1.StageStepping || w.State.Stage == v1alpha1.StagePromoting
}

func selector(before, after *World, a planner.Action) string {
	point, ok := a.(planner.PointService)
	if !ok || before.Spec.Mode == planner.Ratio {
		return ""
	}
	if point.Revision == "" && point.Role == planner.Active {
		return "" // WIDENED looks at it
	}
	switchable := before.Spec.Mode == planner.Switch || before.Active.Selects == 0
	if point.Role == planner.Active && switchable {
		return switched(before, after, point.Revision)
	}
	if carried := before.carriedBy(point.Role); carried > 0 && before.endpointsOf(point.Role) > 0 {
		return fmt.Sprintf("%s carries %d", point.Role, carried)
	}
	return ""
}

// switched says what speaks against the switch of all traffic to a revision.
func switched(before, after *World, revision string) string {
	if after.Sets[Index(revision)].Ready+before.deaths() < min(1, after.Spec.Replicas) {
		return fmt.Sprintf("active switched to %s without a ready pod", revision)
	}
	return ""
}

// carriedBy is the largest share of a Service by what is written and by what the gateway has programmed.
func (w *World) carriedBy(role planner.Role) int32 {
	switch {
	case w.Spec.Mode != planner.Routed:
		return 0
	case role == planner.Active:
		return planner.FullWeight - min(w.Weight, w.Programmed)
	}
	if w.matched() {
		return max(w.Weight, w.Programmed, 1)
	}
	return max(w.Weight, w.Programmed)
}

func abortSticky(before, after *World, a planner.Action) string {
	i := Index(before.State.Candidate)
	if !before.aborted() || before.retryPending() || before.Target != i {
		return ""
	}
	if after.Sets[i].Desired > before.Sets[i].Desired {
		return fmt.Sprintf("%s grew to %d pods", Name(i), after.Sets[i].Desired)
	}
	_, weighed := a.(planner.SetWeight)
	if weighed && after.Standby.Selects == i+1 && (after.Weight > before.Weight || after.Overlay != v1alpha1.NoOverlay) {
		return fmt.Sprintf("%s got weight %d, and overlay %d", Name(i), after.Weight, after.Overlay)
	}
	return ""
}

// aborted says whether the release was aborted, rather than overtaken by another template.
func (w *World) aborted() bool {
	overtaken := w.State.Reason == v1alpha1.ReasonSuperseded || w.State.Reason == v1alpha1.ReasonReturned
	return w.State.Stage == v1alpha1.StageAborted || w.State.Stage == v1alpha1.StageRetreating && !overtaken
}

// endpointsOf is the number of ready endpoints behind a Service: where there are none there is no traffic to lose.
func (w *World) endpointsOf(role planner.Role) int32 {
	service := w.Active
	if role == planner.Standby {
		service = w.Standby
	}
	var n int32
	for _, ready := range service.Endpoints {
		n += ready
	}
	return n
}

// retryPending says whether a retry waits for its answer.
func (w *World) retryPending() bool {
	return w.Command.Action == v1alpha1.ActionRetry && w.Command.ID != w.Answered
}

func oneRS(before, _ *World, a planner.Action) string {
	if create, ok := a.(planner.CreateRevision); ok && before.Sets[Index(create.Revision)].Exists {
		return create.Revision + " exists"
	}
	return ""
}

func budget(before, after *World, a planner.Action) string {
	scaled := false
	switch a.(type) {
	case planner.CreateRevision, planner.ScaleRevision:
		scaled = true
	}
	if !scaled || before.Spec.Mode != planner.Ratio {
		return ""
	}
	var had, has, left int32
	for i, set := range after.Sets {
		had += max(before.Sets[i].Desired, before.Sets[i].Starting+before.Sets[i].Ready)
		has += max(set.Desired, set.Starting+set.Ready)
		left += min(set.Ready, set.Desired)
	}
	if has > had && has > after.Spec.Replicas+after.Spec.Surge {
		return fmt.Sprintf("%d pods with %d replicas and surge %d", has, after.Spec.Replicas, after.Spec.Surge)
	}
	var leftBefore int32
	for _, set := range before.Sets {
		leftBefore += min(set.Ready, set.Desired)
	}
	if left < leftBefore && left < after.Spec.Replicas-after.Spec.Unavailable {
		return fmt.Sprintf("%d available pods stay of %d, %d may be missing", left, after.Spec.Replicas, after.Spec.Unavailable)
	}
	return ""
}

func deleteSafe(before, _ *World, a planner.Action) string {
	del, ok := a.(planner.DeleteRevision)
	if !ok {
		return ""
	}
	i := Index(del.Revision)
	set := before.Sets[i]
	if set.Desired+set.Starting+set.Ready > 0 || before.Active.Selects == i+1 || before.Standby.Selects == i+1 ||
		del.Revision == before.State.Stable || del.Revision == before.State.Candidate {
		return del.Revision
	}
	return ""
}

// passInvariants are checked on every plan.
func passInvariants(w *World, s planner.Snapshot, plan, again planner.Plan) []Violation {
	var out []Violation
	add := func(name, detail string) {
		if detail != "" {
			out = append(out, Violation{name, detail})
		}
	}
	add("TOTAL", deterministic(plan, again))
	add("ABORT-NOW", abortNow(w, s, plan))
	add("STEP-MONO", stepMono(w, plan))
	add("GATE", gate(w, plan))
	add("QUIET", quiet(s, plan))
	add("DETACH", detached(w, plan))
	add("BESIDE", besides(w, plan))
	return out
}

// deterministic: the same snapshot gives the same plan.
func deterministic(plan, again planner.Plan) string {
	if !reflect.DeepEqual(plan, again) {
		return fmt.Sprintf("%v, and then %v", plan, again)
	}
	return ""
}

// quiet: a pass that changes nothing does not ask for another one at once, and so for ever.
func quiet(s planner.Snapshot, plan planner.Plan) string {
	again := !plan.WakeAt.IsZero() && !plan.WakeAt.After(s.Now)
	if again && len(plan.Actions) == 0 && plan.Command == nil && reflect.DeepEqual(plan.State, s.State) {
		return "nothing is changed, and another look is wanted at once"
	}
	return ""
}

// abortNow: the first pass that learns of an abort begins with the write that takes traffic off the candidate, if the
// candidate has traffic and stable can take it.
func abortNow(w *World, s planner.Snapshot, plan planner.Plan) string {
	learned := plan.State.Stage == v1alpha1.StageRetreating && w.State.Stage != v1alpha1.StageRetreating
	if !learned {
		return ""
	}
	want := w.wayBack(s)
	if want == nil {
		return ""
	}
	if len(plan.Actions) == 0 {
		return "nothing is written"
	}
	if first := plan.Actions[0]; first != want {
		return fmt.Sprintf("the first write is to %s, not to %s", first, want)
	}
	return ""
}

// wayBack is the one write that takes all traffic off the candidate; nil when there is no such single write, or nothing
// to take off, or nothing ready to take it.
func (w *World) wayBack(s planner.Snapshot) planner.Action {
	candidate, stable := Index(w.State.Candidate), Index(w.State.Stable)
	if w.Spec.Proportional || w.shareOf(candidate) == 0 {
		return nil
	}
	switch {
	case w.Spec.Mode == planner.Switch && w.Sets[stable].Ready > 0:
		return planner.PointService{Role: planner.Active, Revision: s.State.Stable}
	case w.Spec.Mode == planner.Routed && w.Active.Selects == stable+1 && min(w.Active.Endpoints[stable], w.Sets[stable].Ready) > 0 && (w.Weight > 0 || w.Overlay > 0):
		return planner.SetWeight{Tenths: 0}
	}
	return nil
}

// stepMono: within an attempt the step never goes back.
func stepMono(w *World, plan planner.Plan) string {
	moving := plan.State.Stage == v1alpha1.StageStepping || plan.State.Stage == v1alpha1.StagePromoting
	if moving && plan.State.Attempt == w.State.Attempt && plan.State.Step < w.State.Step {
		return fmt.Sprintf("step %d after %d", plan.State.Step+1, w.State.Step+1)
	}
	return ""
}

// gate: a step is left only when its traffic is in place and all its gates hold, or a person skips what is left of it.
func gate(w *World, plan planner.Plan) string {
	if !leaves(w, plan) || plan.State.Full || plan.Command != nil && plan.Command.Action == v1alpha1.ActionSkipStep {
		return ""
	}
	step := w.Spec.Steps[min(int(w.State.Step), len(w.Spec.Steps)-1)]
	if w.Spec.Mode == planner.Routed && !w.hasTrafficOf(step) {
		return fmt.Sprintf("a step of weight %d is left at weight %d, overlay %d, programmed %v", step.Weight, w.Weight, w.Overlay,
			w.programmed())
	}
	if promoted := plan.Command != nil || !w.State.PromotedAt.IsZero(); promoted {
		return ""
	}
	return w.unheld(step)
}

// hasTrafficOf says whether the traffic of a step is in force.
func (w *World) hasTrafficOf(step planner.Step) bool {
	return w.Weight == step.Weight && w.Overlay == step.Overlay && w.programmed()
}

// unheld names a gate of the present step that does not hold without a person.
func (w *World) unheld(step planner.Step) string {
	for _, g := range step.Gates {
		if !w.holds(g) {
			return fmt.Sprintf("step %d is left at its %s", w.State.Step+1, g.Kind)
		}
	}
	return ""
}

// leaves says whether a plan goes on from a step.
func leaves(w *World, plan planner.Plan) bool {
	return w.State.Stage == v1alpha1.StageStepping && plan.State.Attempt == w.State.Attempt &&
		(plan.State.Step > w.State.Step || plan.State.Stage == v1alpha1.StagePromoting)
}

// holds says whether a gate holds without a person.
func (w *World) holds(g planner.Gate) bool {
	switch g.Kind {
	case planner.PauseGate:
		return !w.State.GatesAt.IsZero() && w.age(w.State.GatesAt.Time) >= int64(min(g.Duration, w.Spec.Deadline))
	case planner.AnalysisGate:
		for _, a := range w.Analyses {
			if a.Gate == g.Name && w.AnalysesOf == w.State.Attempt {
				return a.Phase == v1alpha1.AnalysisPassed
			}
		}
	case planner.PersonGate:
	}
	return false
}
