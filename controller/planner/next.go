package planner

import (
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// pass is one run of Next: the snapshot it reads and the plan it is making.
type pass struct {
	Snapshot
	state v1alpha1.RolloutState
	plan  Plan
	// sized are the sizes that this pass gave to revisions, with the spare pod of a restart.
	sized map[string]int32
	// broken says that the one sentence is a problem.
	broken bool
	// refused is the problem of a write that was refused in this very pass; nil when there is none.
	refused *Problem
	// rested says that the traffic of the step is in place, and that the data plane has settled.
	rested bool
	// contested says that another writer holds the release.
	contested bool
}

// Next decides what to do now. It never assumes that a write has worked: it advances only when a later snapshot shows
// the result. Applying its plan and calling it again on the outcome adds nothing.
func Next(s Snapshot) Plan { return next(s, nil) }

func next(s Snapshot, refused *Problem) Plan {
	p := &pass{Snapshot: s, state: s.State, sized: map[string]int32{}, refused: refused}
	p.state.ScaleDowns = append([]v1alpha1.ScaleDown(nil), s.State.ScaleDowns...)
	if s.Leaving != nil {
		p.turnBack()
		p.leave()
		return p.finish()
	}
	if s.Target == "" {
		p.problem()
		return p.finish()
	}
	p.turnBack()
	p.measure()
	p.answerCommand()
	p.restartForConfiguration()
	// A new release is persisted before anything is done for it: the attempt, which names its analyses, must be the
	// same after a crash.
	if p.transition() {
		p.wakeAt(p.Now)
		return p.finish()
	}
	if p.contest() {
		return p.finish()
	}
	p.act()
	p.remake()
	p.keepBaseline()
	p.stopAnalyses()
	p.tellShifts()
	p.restart()
	p.forgetOldRevisions()
	p.scaleWorkload()
	return p.finish()
}

// Blocked is the plan of a pass in which a write was refused for a reason that a person must mend, or whose spec cannot
// be compiled. It only remembers: the clock of the deadline runs, commands are answered, and nothing is written but the
// status.
func Blocked(s Snapshot, problem Problem) Plan {
	s.Problems = append([]Problem{problem}, s.Problems...)
	if len(s.Spec.Steps) == 0 {
		p := &pass{Snapshot: s, state: s.State}
		p.problem()
		return p.finish()
	}
	plan := next(s, &problem)
	plan.Actions = nil
	return plan
}

// tellOfRefusal says what stands in the way of a retreat. The retreat itself waits for no problem, and tells of none.
func (p *pass) tellOfRefusal() {
	if p.refused == nil || p.plan.Stalled || p.state.Stage != v1alpha1.StageRetreating {
		return
	}
	p.plan.Why = Why{Reason: p.refused.Reason, Message: p.plan.Why.Message + ": " + p.refused.sentence()}
	p.plan.Stalled, p.broken = true, true
}

// Beside is the plan of a pass whose actions were carried out, and in which something that goes on beside a release was
// refused, for a reason that a person must mend. The release goes on and says so; at rest it is the problem that is told.
func Beside(s Snapshot, plan Plan, problem Problem) Plan {
	if plan.Settled {
		return Blocked(s, problem)
	}
	plan.Why.Message += "; " + problem.sentence()
	return plan
}

// act does what the stage asks for. The way back comes before every other write.
func (p *pass) act() {
	p.watchRelease()
	p.distrust()
	if p.state.Stage == v1alpha1.StageRetreating {
		p.retreating()
		p.ensureStandby()
		return
	}
	p.ensureStandby()
	switch p.state.Stage {
	case v1alpha1.StageInitial:
		p.initial()
	case v1alpha1.StageStepping:
		p.stepping()
	case v1alpha1.StagePromoting:
		p.promoting()
	case v1alpha1.StageAborted:
		p.aborted()
	case v1alpha1.StageIdle:
		p.idle()
	case v1alpha1.StageRetreating:
	}
}

// finish puts the plan together.
func (p *pass) finish() Plan {
	if p.plan.Why.Reason == "" {
		p.why(v1alpha1.ReasonSettling, "the rollout %s", p.situation())
	}
	p.tellOfRefusal()
	p.remember()
	p.plan.State = p.state
	p.rememberWorkload()
	p.plan.Weight = p.shownWeight()
	p.plan.Phase = p.phase()
	if p.isNews() {
		p.event(p.plan.Stalled || warns(p.plan.Why.Reason), p.plan.Why.Reason, p.plan.Why.Message)
	}
	return p.plan
}

// isNews says whether the one sentence is an event: when it has another reason than before that a person would act on,
// or is about another problem.
func (p *pass) isNews() bool {
	why := p.plan.Why
	if p.broken {
		return why.Reason != p.LastReason || why.Message != p.LastMessage
	}
	return why.Reason != p.LastReason && (noteworthy(why.Reason) || p.plan.Stalled && p.state.Stage != v1alpha1.StageAborted)
}

// noteworthy says whether a person would act on a reason. An abort has an event of its own; what stalls for another
// reason is noteworthy in any case; and everything else passes by itself.
func noteworthy(reason string) bool {
	switch reason {
	case v1alpha1.ReasonAwaitingPromotion, v1alpha1.ReasonAnalysisInconclusive, v1alpha1.ReasonAwaitingDecision, v1alpha1.ReasonPaused,
		v1alpha1.ReasonStableLost, v1alpha1.ReasonShareNotConfirmed:
		return true
	}
	return false
}

// warns says whether a reason that is no problem is not as it should be.
func warns(reason string) bool {
	return reason == v1alpha1.ReasonAnalysisInconclusive || reason == v1alpha1.ReasonAwaitingDecision || reason == v1alpha1.ReasonShareNotConfirmed
}

func (p *pass) phase() v1alpha1.RolloutPhase {
	aborting := p.state.Stage == v1alpha1.StageAborted ||
		p.state.Stage == v1alpha1.StageRetreating && p.abortReason()
	switch {
	case p.plan.Stalled || aborting:
		return v1alpha1.PhaseDegraded
	case p.plan.Waiting:
		return v1alpha1.PhasePaused
	case p.plan.Settled:
		return v1alpha1.PhaseHealthy
	default:
		return v1alpha1.PhaseProgressing
	}
}

// abortReason says whether the retreat under way is an abort, rather than a change of template.
func (p *pass) abortReason() bool {
	return p.state.Reason != v1alpha1.ReasonSuperseded && p.state.Reason != v1alpha1.ReasonReturned
}

// do adds an action to the plan.
func (p *pass) do(a Action) { p.plan.Actions = append(p.plan.Actions, a) }

// event adds an event to the plan.
func (p *pass) event(warning bool, reason, message string) {
	p.plan.Events = append(p.plan.Events, Event{Warning: warning, Reason: reason, Message: message})
}

// why sets the one sentence. The first to speak in a pass is the one that is heard: what holds up comes before what
// would come later.
func (p *pass) why(reason, format string, args ...any) {
	if p.plan.Why.Reason == "" {
		p.plan.Why = Why{Reason: reason, Message: fmt.Sprintf(format, args...)}
	}
}

// wakeAt asks for another look at t, or earlier if something else asks for that.
func (p *pass) wakeAt(t time.Time) {
	if p.plan.WakeAt.IsZero() || t.Before(p.plan.WakeAt) {
		p.plan.WakeAt = t
	}
}

// turnBack makes now of what is remembered as later than now: the clock went back, or another one was ahead. What counts
// from there begins again, so that nothing ends early, and nothing waits for the time that the clock went back.
func (p *pass) turnBack() {
	for _, t := range []*metav1.MicroTime{&p.state.ProgressAt, &p.state.ShiftedAt, &p.state.EndpointsAt, &p.state.GatesAt} {
		if t.After(p.Now) {
			*t = p.now()
		}
	}
	if restart := wholeSecond(p.Now); p.state.RestartAt.After(restart.Time) {
		p.state.RestartAt = restart
	}
	latest := metav1.NewMicroTime(p.Now.Add(p.Spec.ScaleDownDelay))
	for i, d := range p.state.ScaleDowns {
		if d.At.After(latest.Time) {
			p.state.ScaleDowns[i].At = latest
		}
	}
}

func (p *pass) now() metav1.MicroTime { return metav1.NewMicroTime(p.Now) }

// due says whether d has passed since t, and otherwise asks for a look when it will have.
func (p *pass) due(t metav1.MicroTime, d time.Duration) bool {
	at := t.Add(d)
	if !p.Now.Before(at) {
		return true
	}
	p.wakeAt(at)
	return false
}

// watched says whether the observer has looked on for the settle time itself. Times in the state are from whoever led
// before, whose clock may have been minutes behind: gateways that were given two seconds by it have had none. Every write
// that counts on their having heard asks for this too; what is only told does not, so that a start writes nothing.
func (p *pass) watched() bool {
	return p.due(metav1.NewMicroTime(p.Since), p.Spec.Settle)
}

// problem reports the first problem of the snapshot, if there is one.
func (p *pass) problem() bool {
	if len(p.Problems) == 0 {
		return false
	}
	p.report(p.Problems[0])
	return true
}

// report makes a problem the one sentence, unless another came before.
func (p *pass) report(problem Problem) {
	p.broken = p.broken || p.plan.Why.Reason == ""
	p.why(problem.Reason, "%s", problem.sentence())
	p.plan.Stalled = true
}

func (p Problem) sentence() string {
	if p.Field == "" {
		return p.Message
	}
	return p.Field + ": " + p.Message
}

// ofTraffic says whether a problem stands in the way of traffic. An analysis that cannot be made, and configuration or a
// Deployment that is not there, stand in the way of a release only.
func (p Problem) ofTraffic() bool {
	switch p.Reason {
	case v1alpha1.ReasonTemplateNotFound, v1alpha1.ReasonTemplateInvalid, v1alpha1.ReasonConfigurationNotFound,
		v1alpha1.ReasonConfigurationInvalid, v1alpha1.ReasonConfigurationForbidden, v1alpha1.ReasonWorkloadNotFound:
		return false
	}
	return true
}

// step is the current step.
func (p *pass) step() Step { return p.Spec.Steps[p.Spec.StepAt(p.state.Step)] }

// position is where a release is, for people: "step 2/4", or "the rollback", which has no steps.
func (p *pass) position() string {
	if rollsBack(p.state) {
		return "the rollback"
	}
	return "step " + stepOf(p.state.Step, p.Spec)
}

func stepOf(index int32, spec Spec) string {
	return fmt.Sprintf("%d/%d", min(int(index)+1, len(spec.Steps)), len(spec.Steps))
}

// percent writes tenths of a percent for people.
func percent(tenths int32) string { return v1alpha1.FormatWeight(tenths) + "%" }
