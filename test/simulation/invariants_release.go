package simulation

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller/planner"
	"github.com/sluice-dev/sluice/controller/revision"
)

// pauseSlack is how much longer than asked for a pause may last: the time to notice, and to go on.
const pauseSlack = 15 * time.Second

// states are the memory of the machine before and after a write of the status; ok is false for every other write.
func (l *look) states() (before, after v1alpha1.RolloutState, ok bool) {
	old, isOld := l.change.Before.(*v1alpha1.Rollout)
	rollout, isNew := l.change.After.(*v1alpha1.Rollout)
	if !isOld || !isNew || l.change.Verb != VerbStatus {
		return before, after, false
	}
	return old.Status.State, rollout.Status.State, true
}

// answered says whether the write of the status answers a command with yes.
func (l *look) answered(actions ...string) bool {
	old, _ := l.change.Before.(*v1alpha1.Rollout)
	rollout, ok := l.change.After.(*v1alpha1.Rollout)
	if !ok || old == nil || rollout.Status.LastCommand == nil {
		return false
	}
	last, now := old.Status.LastCommand, rollout.Status.LastCommand
	if !now.Accepted || last != nil && last.ID == now.ID {
		return false
	}
	for _, action := range actions {
		if now.Action == action {
			return true
		}
	}
	return false
}

func releasing(st v1alpha1.RolloutState) bool {
	return st.Stage == v1alpha1.StageStepping || st.Stage == v1alpha1.StagePromoting
}

// abortedState says whether the release was ended against its will, rather than overtaken by another template.
func abortedState(st v1alpha1.RolloutState) bool {
	overtaken := st.Reason == v1alpha1.ReasonSuperseded || st.Reason == v1alpha1.ReasonReturned
	return st.Stage == v1alpha1.StageAborted || st.Stage == v1alpha1.StageRetreating && !overtaken
}

func abortNow(l *look) string {
	before, after, ok := l.states()
	duty := l.pass.Duty
	if !ok || !releasing(before) || after.Stage != v1alpha1.StageRetreating || duty == nil {
		return ""
	}
	return l.dutiful(duty)
}

// dutiful says how a pass has begun otherwise than with the write that was its duty. One that was refused counts.
func (l *look) dutiful(duty *Duty) string {
	asked := l.pass.First
	switch {
	case duty.Service == "" && asked.kind == kindRoute():
		return ""
	case duty.Service == "":
		return fmt.Sprintf("the first write is to %s, and not the weight", asked)
	case asked.kind == kindService() && asked.key.Name == duty.Service && l.pass.Writes[0].Kind != kindService():
		return ""
	}
	first := l.pass.Writes[0]
	service, isService := first.After.(*corev1.Service)
	if !isService || service.Name != duty.Service || service.Spec.Selector[v1alpha1.LabelPodTemplateHash] != duty.Revision {
		return fmt.Sprintf("the first write is to %s, and not to point Service %s at %s", first, duty.Service, duty.Revision)
	}
	return ""
}

func abortSticky(l *look) string {
	st := l.before.rollout.Status.State
	if !abortedState(st) || l.asksAnew(st) {
		return ""
	}
	if hash, had, has, ok := l.scaled(); ok && hash == st.Candidate && has > had {
		return fmt.Sprintf("aborted %s from %d to %d pods", hash, had, has)
	}
	if l.before.weight == planner.WeightUnknown || l.before.sets[st.Stable].serving == 0 {
		return "" // where nothing of stable serves, the way back to it may lead from one bad version over another
	}
	if now, had := l.after.written(st.Candidate), l.before.written(st.Candidate); now > had {
		return fmt.Sprintf("aborted %s from share %d to %d", st.Candidate, had, now)
	}
	return ""
}

// asksAnew says whether somebody wants something else than an aborted release: another template, or a retry.
func (l *look) asksAnew(st v1alpha1.RolloutState) bool {
	return l.pass.Rollout.Generation != l.before.rollout.Generation || l.before.target != st.Candidate || l.retries()
}

// retries says whether the writer has seen a retry that is not answered yet.
func (l *look) retries() bool {
	command, err := v1alpha1.ParseCommand(l.pass.Rollout.Annotations[v1alpha1.AnnotationCommand])
	last := l.pass.Rollout.Status.LastCommand
	return err == nil && command.Action == v1alpha1.ActionRetry && (last == nil || last.ID != command.ID)
}

func promoteOnlyIf(l *look) string {
	before, after, ok := l.states()
	if !ok || after.Stable == before.Stable {
		return ""
	}
	if after.Stable != before.Candidate {
		return fmt.Sprintf("%s becomes stable, and %q was under release", after.Stable, before.Candidate)
	}
	serves := l.before.sets[after.Stable].serving + l.world.checker.fates
	if least := l.replicas() - l.before.spec.Unavailable; serves < least {
		return fmt.Sprintf("%s becomes stable with %d pods that serve, and %d are needed", after.Stable, serves, least)
	}
	if before.Stable == "" {
		return ""
	}
	full := before.Full || l.answered(v1alpha1.ActionPromoteFull, v1alpha1.ActionSkipStep) || l.before.sets[before.Stable].rs == nil
	if last := int32(len(l.before.spec.Steps)) - 1; before.Step < last && !full {
		return fmt.Sprintf("%s becomes stable after step %d of %d", after.Stable, before.Step+1, last+1)
	}
	return l.failed(before)
}

// failed names an analysis of the attempt of which the writer knew that it had failed.
func (l *look) failed(before v1alpha1.RolloutState) string {
	for _, status := range l.pass.Rollout.Status.Analyses {
		if status.Phase == v1alpha1.AnalysisFailed && before.Attempt == l.pass.Rollout.Status.State.Attempt {
			return fmt.Sprintf("%s becomes stable, and analysis %s has failed", before.Candidate, status.Gate)
		}
	}
	return ""
}

func stepMono(l *look) string {
	if l.change.Kind == kindAnalysisRun() && l.change.Verb == VerbCreate && l.subject.runs[l.change.Key.Name] > 0 {
		return fmt.Sprintf("AnalysisRun %s is created again", l.change.Key.Name)
	}
	before, after, ok := l.states()
	if !ok || !releasing(before) || !releasing(after) || before.Attempt != after.Attempt || l.edited() {
		return ""
	}
	if after.Candidate != before.Candidate {
		return fmt.Sprintf("the candidate changes from %s to %s within an attempt", before.Candidate, after.Candidate)
	}
	return backwardsFrom(before, after)
}

// backwardsFrom says that a step was taken back.
func backwardsFrom(before, after v1alpha1.RolloutState) string {
	if after.Step < before.Step || before.Stage == v1alpha1.StagePromoting && after.Stage == v1alpha1.StageStepping {
		return fmt.Sprintf("%s step %d after %s step %d", after.Stage, after.Step+1, before.Stage, before.Step+1)
	}
	return ""
}

// edited says that the spec has changed since the last status: the steps themselves may be others.
func (l *look) edited() bool {
	return l.before.rollout.Status.ObservedGeneration != l.before.rollout.Generation
}

// leaves says whether the write of the status leaves a step behind by itself.
func (l *look) leaves() (before v1alpha1.RolloutState, ok bool) {
	before, after, is := l.states()
	on := releasing(after) || after.Stable == before.Candidate
	same := is && before.Stage == v1alpha1.StageStepping && after.Attempt == before.Attempt && !l.edited()
	if !same || !on {
		return before, false
	}
	return before, l.passes(before, after)
}

// passes says whether a step is behind, and no person has skipped it.
func (l *look) passes(before, after v1alpha1.RolloutState) bool {
	gone := after.Step > before.Step || after.Stage != v1alpha1.StageStepping
	skipped := after.Full || before.Full || l.answered(v1alpha1.ActionSkipStep, v1alpha1.ActionPromoteFull)
	return gone && !skipped
}

func gate(l *look) string {
	if l.routeWrite() {
		return weightOfStep(l)
	}
	before, ok := l.leaves()
	if !ok {
		return ""
	}
	for _, g := range l.before.gatesOf(before) {
		if g.Kind != planner.AnalysisGate {
			continue
		}
		run := l.world.runOf(l.before, g.Name)
		switch {
		case run == nil:
			return fmt.Sprintf("step %d is left, and analysis %s never ran", before.Step+1, g.Name)
		case run.Status.Phase == v1alpha1.AnalysisPassed:
		case run.Status.Phase.Ended() && run.Status.Phase != v1alpha1.AnalysisFailed && l.promoted(before):
		default:
			return fmt.Sprintf("step %d is left, and analysis %s is %s", before.Step+1, g.Name, run.Status.Phase)
		}
	}
	return ""
}

// promoted says whether a person let the step go on, before or with this write.
func (l *look) promoted(before v1alpha1.RolloutState) bool {
	asked := l.subject.promoted[v1alpha1.ActionPromote+"/"+before.Candidate] > 0
	return asked && (!before.PromotedAt.IsZero() || l.answered(v1alpha1.ActionPromote))
}

// weightOfStep notices a weight beyond that of the step that is persisted.
func weightOfStep(l *look) string {
	st := l.before.rollout.Status.State
	if st.Stage != v1alpha1.StageStepping || st.Full || l.asksFor(v1alpha1.ActionPromoteFull, v1alpha1.ActionSkipStep) ||
		int(st.Step) >= len(l.before.spec.Steps) || l.before.standby.selects != st.Candidate ||
		l.before.sets[st.Stable].rs == nil || l.pass.Rollout.Generation != l.before.rollout.Generation {
		return ""
	}
	if allowed := l.before.spec.Steps[st.Step].Weight; l.after.weight > max(allowed, l.before.weight) {
		return fmt.Sprintf("weight %d at step %d, which has %d", l.after.weight, st.Step+1, allowed)
	}
	return ""
}

// asksFor says whether the writer has seen a command.
func (l *look) asksFor(actions ...string) bool {
	command, err := v1alpha1.ParseCommand(l.pass.Rollout.Annotations[v1alpha1.AnnotationCommand])
	if err != nil {
		return false
	}
	for _, action := range actions {
		if command.Action == action {
			return true
		}
	}
	return false
}

func pause(l *look) string {
	before, ok := l.leaves()
	if !ok || l.promoted(before) {
		return ""
	}
	for _, g := range l.before.gatesOf(before) {
		switch g.Kind {
		case planner.PersonGate:
			return fmt.Sprintf("step %d is left without a person", before.Step+1)
		case planner.PauseGate:
			if lasted := l.world.now.Sub(l.subject.gatesAt); l.subject.gatesAt.IsZero() || lasted < g.Duration {
				return fmt.Sprintf("the pause of %s of step %d lasted %s", g.Duration, before.Step+1, lasted)
			}
		case planner.AnalysisGate:
		}
	}
	return ""
}

// pauseEnds notices a pause that is over and goes on.
func pauseEnds(w *World, s *subject, t *truth, to time.Time) string {
	st := t.rollout.Status.State
	if st.Stage != v1alpha1.StageStepping || s.gatesAt.IsZero() || t.spec.Paused || w.now.Before(w.excused) {
		return ""
	}
	var longest time.Duration
	for _, g := range t.gatesOf(st) {
		if g.Kind != planner.PauseGate {
			return ""
		}
		longest = max(longest, g.Duration)
	}
	if over := to.Sub(s.gatesAt); longest > 0 && over > longest+pauseSlack && w.now.Sub(s.gatesAt) > longest {
		return fmt.Sprintf("the pause of %s of step %d has lasted %s", longest, st.Step+1, over)
	}
	return ""
}

func supersede(l *look) string {
	stable := l.before.rollout.Status.State.Stable
	made := l.change.Kind == kindReplicaSet() && l.change.Verb == VerbCreate
	if made && l.before.sets[stable].rs != nil && l.change.Key.Name == revision.ReplicaSetName(l.subject.key.Name, stable) {
		return "another ReplicaSet of stable is made"
	}
	before, after, ok := l.states()
	if !ok || before.Stable == "" || !overtakes(before.Candidate, after.Candidate) {
		return ""
	}
	if share := l.before.written(before.Candidate); share > 0 && l.before.sets[before.Stable].serving > 0 {
		return fmt.Sprintf("%s takes over while %s has share %d", after.Candidate, before.Candidate, share)
	}
	return ""
}

// overtakes says whether one candidate takes the place of another.
func overtakes(before, after string) bool { return before != "" && after != "" && before != after }
