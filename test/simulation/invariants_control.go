package simulation

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller/planner"
)

const (
	// mostStatus is the largest status, in bytes of JSON.
	mostStatus = 64 << 10
	// mostAttention is how long a Rollout that is due may wait for another.
	mostAttention = 100 * time.Millisecond
	// mostPasses is how often a Rollout may be looked at in a second: every event of a release that has nothing to wait for.
	mostPasses = 60
	// mostRuns is how many AnalysisRuns ten releases and the one under way may have kept, of two gates each.
	mostRuns = 22
)

// atPeace lets two resyncs pass, and a start of the controller.
func atPeace(w *World, _ *subject, _ *truth) string {
	if w.rested {
		return ""
	}
	w.rested = true
	version, reads := w.Server.version, w.reads
	_, toCome := w.due()
	for _, p := range w.processes {
		p.wakeAll()
	}
	ends := w.turnsOut()
	w.boot()
	defer func() { w.processes = w.processes[:len(w.processes)-1] }()
	if !w.turnsOut() || !ends {
		return "it does not end"
	}
	switch {
	case w.Server.version != version:
		return fmt.Sprintf("at rest there were %d writes, the last of them %s", w.Server.version-version, w.lastWrite)
	case w.reads > reads+w.tracked() && !toCome && !w.reading():
		return fmt.Sprintf("at rest the API server was asked %d times", w.reads-reads)
	}
	return ""
}

// tracked is the number of ConfigMaps that Rollouts track. A controller that starts reads each of them once, for the hash of
// its content: its cache has the metadata alone.
func (w *World) tracked() int {
	n := 0
	for _, r := range listed[*v1alpha1.Rollout](w.Server, kindRollout(), "") {
		if r.Spec.Configuration != nil {
			n += len(r.Spec.Configuration.ConfigMaps)
		}
	}
	return n
}

// turnsOut takes turns until nothing is due, and says whether that came about.
func (w *World) turnsOut() bool {
	for w.turn() {
		if w.turns > mostTurns {
			return false
		}
	}
	return true
}

// reading says whether a restart is under way, for which pods are counted, or a release waits for pods, which are asked what
// keeps them.
func (w *World) reading() bool {
	return slices.ContainsFunc(listed[*v1alpha1.Rollout](w.Server, kindRollout(), ""), func(r *v1alpha1.Rollout) bool {
		return !r.Status.State.RestartAt.IsZero() || !r.Status.State.ProgressAt.IsZero()
	})
}

func noOscillation(l *look) string {
	st := l.before.rollout.Status.State
	var key, value string
	most := 0
	hash, _, size, scaled := l.scaled()
	name, to, pointed := l.pointed()
	switch {
	case l.routeWrite():
		// Which pods the weight means is part of what it is.
		key = fmt.Sprintf("weight of %s at step %d between %s and %s", l.change.Key.Name, st.Step, l.after.active.selects, l.after.standby.selects)
		value = fmt.Sprint(l.after.weight)
		if l.after.laid {
			value += " and what is laid over it"
		}
	case scaled:
		key, value = "size of "+hash, fmt.Sprint(size)
		if l.after.spec.Mode == planner.Ratio {
			most = 1 // up for one revision and down again for the next
		}
	case pointed:
		key, value = "selector of "+name, to
	default:
		return ""
	}
	had := l.subject.values[key]
	if again := len(had) - len(slices.DeleteFunc(slices.Clone(had), func(v string) bool { return v == value })); again > most {
		return fmt.Sprintf("%s is %s again, after %s", key, value, strings.Join(had, ", "))
	}
	l.subject.values[key] = append(had, value)
	if most := 4*len(l.after.spec.Steps) + 12; l.subject.actions >= most && l.world.fault == nil {
		return fmt.Sprintf("%d writes beside the status for a release of %d steps", l.subject.actions+1, len(l.after.spec.Steps))
	}
	return ""
}

// comesToRest speaks of worlds in which nothing is to come any more: no delay, no deadline, no pause.
func comesToRest(w *World, _ *subject, t *truth) string {
	if t == nil || t.rollout.DeletionTimestamp != nil || w.unrest {
		return ""
	}
	if status := t.rollout.Status; status.ObservedGeneration != t.rollout.Generation {
		return fmt.Sprintf("generation %d is not observed, only %d", t.rollout.Generation, status.ObservedGeneration)
	}
	if _, toCome := w.due(); toCome && !w.polls(t) || w.waits(t) {
		return ""
	}
	if detail := stableInPlace(t); detail != "" {
		return detail + ": " + t.rollout.Status.Message
	}
	return ""
}

// polls says whether nothing is to come but another look at Secrets, which nobody tells of.
func (w *World) polls(t *truth) bool {
	st := t.rollout.Status.State
	return w.hasSecrets() && st.Stage == v1alpha1.StageIdle && len(st.ScaleDowns) == 0 && st.RestartAt.IsZero() && len(w.plans) == 0
}

// waits says whether a release waits for a person, a verdict or pods that never come, and says so.
func (w *World) waits(t *truth) bool {
	st, status := t.rollout.Status.State, t.rollout.Status
	stalled := conditionTrue(status, v1alpha1.ConditionStalled) && st.Stage != v1alpha1.StageAborted
	lost := t.sets[st.Stable].serving == 0 && (st.Stage == v1alpha1.StageAborted || w.env.startup[w.env.imageOf(t.rollout.Namespace, st.Stable)] == Never)
	noRoute := t.spec.Mode == planner.Routed && t.weight == planner.WeightUnknown
	return stalled || lost || noRoute || status.Phase == v1alpha1.PhasePaused || w.waitsForAnalysis(t)
}

// stableInPlace says what stable lacks: pods, traffic, or being what the spec asks for.
func stableInPlace(t *truth) string {
	st := t.rollout.Status.State
	switch stable := t.sets[st.Stable]; {
	case stable.serving != t.spec.Replicas:
		return fmt.Sprintf("stable %s has %d of %d pods", st.Stable, stable.serving, t.spec.Replicas)
	case othersAlive(t):
		return "pods of another revision are left"
	case st.Stage == v1alpha1.StageAborted:
		if share := t.share(st.Candidate); share > 0 {
			return fmt.Sprintf("aborted %s has share %d", st.Candidate, share)
		}
	case st.Stage != v1alpha1.StageIdle || st.Stable != t.target && t.target != "":
		return fmt.Sprintf("stage %q, stable %s, target %s", st.Stage, st.Stable, t.target)
	case t.share(st.Stable) != planner.FullWeight && t.spec.Mode != planner.Ratio:
		return fmt.Sprintf("stable has share %d", t.share(st.Stable))
	}
	return ""
}

func othersAlive(t *truth) bool {
	for hash, s := range t.sets {
		if hash != t.rollout.Status.State.Stable && s.created > 0 {
			return true
		}
	}
	return false
}

// waitsForAnalysis says whether a release waits for an analysis that has no end.
func (w *World) waitsForAnalysis(t *truth) bool {
	for _, g := range t.gatesOf(t.rollout.Status.State) {
		if g.Kind != planner.AnalysisGate {
			continue
		}
		if run := w.runOf(t, g.Name); run != nil && !run.Status.Phase.Ended() {
			return true
		}
	}
	return false
}

func conditionTrue(status v1alpha1.RolloutStatus, kind string) bool {
	return slices.ContainsFunc(status.Conditions, func(c metav1.Condition) bool {
		return c.Type == kind && c.Status == metav1.ConditionTrue
	})
}

func truthful(l *look) string {
	rollout, ok := l.change.After.(*v1alpha1.Rollout)
	if !ok || l.change.Verb != VerbStatus {
		return ""
	}
	if rollout.Status.ObservedGeneration > rollout.Generation {
		return fmt.Sprintf("generation %d is observed before %d", rollout.Status.ObservedGeneration, rollout.Generation)
	}
	if !conditionTrue(rollout.Status, v1alpha1.ConditionReady) || l.pass.Behind || l.world.checker.disturbed {
		return ""
	}
	t, stable := l.before, rollout.Status.State.Stable
	switch {
	case t.spec.Mode == planner.Routed && t.written(stable) != planner.FullWeight:
		return fmt.Sprintf("Ready, and stable has share %d", t.written(stable))
	case t.sets[stable].serving+l.world.checker.fates < l.replicas():
		return fmt.Sprintf("Ready, and %d of %d pods of stable serve", t.sets[stable].serving, l.replicas())
	}
	return ""
}

func truthAtRest(w *World, _ *subject, t *truth) string {
	if t == nil || t.rollout.DeletionTimestamp != nil || w.unrest {
		return ""
	}
	status := t.rollout.Status
	var created, ready int32
	for _, s := range t.sets {
		created += s.created
		ready += s.serving
	}
	counted := [3]int32{status.Replicas, status.ReadyReplicas, status.UpdatedReplicas}
	if there := [3]int32{created, ready, t.sets[t.target].created}; counted != there {
		return fmt.Sprintf("the status counts %v pods, ready ones and updated ones; there are %v", counted, there)
	}
	if detail := overlayAtRest(status, t); detail != "" {
		return detail
	}
	return weightAtRest(status, t)
}

// weightAtRest says what is wrong with what the status says of the weight.
func weightAtRest(status v1alpha1.RolloutStatus, t *truth) string {
	if t.spec.Mode != planner.Routed || t.weight == planner.WeightUnknown || status.Weight == "" {
		return ""
	}
	if share := t.written(status.State.Candidate); status.Weight != v1alpha1.FormatWeight(share) {
		return fmt.Sprintf("the status says weight %s; it is %d tenths", status.Weight, share)
	}
	return ""
}

func fence(l *look) string {
	if l.change.Before != nil && !l.change.Conditional {
		return fmt.Sprintf("%s does not say what it was decided from", l.change)
	}
	return ""
}

func isolate(w *World, s *subject, _ *truth, to time.Time) string {
	if len(w.processes) == 0 {
		return ""
	}
	for _, p := range w.processes {
		if due, ok := p.queue[s.key]; ok && !p.dead && p.skew == 0 && to.Sub(due) > mostAttention && w.now.Sub(due) > mostAttention {
			return fmt.Sprintf("%s was due %s ago", s.key.Name, w.now.Sub(due))
		}
	}
	return ""
}

// fair notices a Rollout that takes the process for itself, pass after pass.
func fair(w *World, p *Process, key types.NamespacedName, _ error) string {
	if len(w.processes) > 1 || p.repeat > 0 || p.drip != together {
		return "" // two tell of what each of them sees
	}
	s := w.checker.about(key)
	if second := w.now.Truncate(time.Second); !second.Equal(s.second) {
		s.second, s.passes = second, 0
	}
	if s.passes++; s.passes == mostPasses+1 {
		return fmt.Sprintf("%s is looked at for the %d. time in one second", key.Name, s.passes)
	}
	return ""
}

func bounded(l *look) string {
	rollout, ok := l.change.After.(*v1alpha1.Rollout)
	if !ok {
		return ""
	}
	s := rollout.Status
	switch {
	case len(s.History) > 10, len(s.State.ScaleDowns) > 32, len(s.Analyses) > 64, len(s.Conditions) > 8:
		return fmt.Sprintf("%d releases, %d delays, %d analyses, %d conditions", len(s.History), len(s.State.ScaleDowns),
			len(s.Analyses), len(s.Conditions))
	case len(s.Message) > 8192 || len(s.State.Message) > 4096:
		return fmt.Sprintf("messages of %d and %d bytes", len(s.Message), len(s.State.Message))
	}
	return ""
}

func boundedAtRest(w *World, s *subject, t *truth) string {
	if t == nil {
		return ""
	}
	raw, err := json.Marshal(t.rollout.Status)
	if err != nil || len(raw) > mostStatus {
		return fmt.Sprintf("a status of %d bytes: %v", len(raw), err)
	}
	if runs := len(listed[*v1alpha1.AnalysisRun](w.Server, kindAnalysisRun(), s.key.Namespace)); runs > mostRuns*len(w.checker.subjects) {
		return fmt.Sprintf("%d AnalysisRuns", runs)
	}
	// Stable, the candidate and what is asked for are beside the limit.
	if idle := len(t.sets) - 3; idle > int(t.spec.HistoryLimit) && t.rollout.DeletionTimestamp == nil {
		return fmt.Sprintf("%d ReplicaSets, and %d are kept", len(t.sets), t.spec.HistoryLimit)
	}
	return ""
}

func detached(w *World, s *subject, t *truth) string {
	if t != nil {
		return ""
	}
	for _, pod := range listed[*corev1.Pod](w.Server, kindPod(), s.key.Namespace) {
		if lacking := w.lacks(pod); lacking != "" && pod.DeletionTimestamp == nil && !w.checker.disturbed {
			return fmt.Sprintf("pod %s is left without %s", pod.Name, lacking)
		}
	}
	return w.strandedTraffic(s)
}

// total notices a pass that wrote something which changed nothing. Panics and plans that differ are noticed where they
// happen.
func total(_ *World, p *Process, _ types.NamespacedName, _ error) string {
	if p.vain != "" {
		vain := p.vain
		p.vain = ""
		if len(p.world.processes) > 1 {
			return "" // the other controller has made the same write
		}
		return vain + " changes nothing"
	}
	return ""
}
