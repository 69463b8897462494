package planner

import (
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// transition follows a change of what the spec asks for. It returns true when a release begins: the state is then
// persisted before anything is done.
func (p *pass) transition() (begun bool) {
	switch p.state.Stage {
	case v1alpha1.StageIdle, v1alpha1.StageAborted:
		return p.fromRest()
	case v1alpha1.StageInitial:
		return p.fromInitial()
	case v1alpha1.StageStepping, v1alpha1.StagePromoting:
		p.fromRelease()
		return p.state.Stage == v1alpha1.StageStepping && p.state.Attempt != p.State.Attempt
	case v1alpha1.StageRetreating:
	}
	return false
}

func (p *pass) fromRest() bool {
	switch {
	case p.state.Stable == "":
		p.state = v1alpha1.RolloutState{
			Stage: v1alpha1.StageInitial, Candidate: p.Target, Attempt: p.state.Attempt + 1, StartedAt: p.now(),
			CollisionCount: p.state.CollisionCount,
		}
		p.why(v1alpha1.ReasonReleaseStarted, "the first revision %s comes up with %s", p.Target, pods(p.Spec.Replicas))
		p.event(false, v1alpha1.ReasonReleaseStarted, p.plan.Why.Message)
		return true
	case p.Target == p.state.Stable:
		if p.state.Stage == v1alpha1.StageAborted {
			p.rest()
		}
		return false
	case p.state.Stage == v1alpha1.StageAborted && p.Target == p.state.Candidate:
		return false
	case p.Spec.Paused || len(p.Problems) > 0 || p.HeldBack.Reason != "":
		return false
	}
	p.start(p.Target)
	return true
}

// skipsSteps says why a release that begins takes no steps; empty when it takes them.
func (p *pass) skipsSteps() string {
	if how := p.rollback(); how != "" {
		p.state.Reason, p.state.Message = v1alpha1.ReasonRolledBack, how
		return how
	}
	if p.stranded() {
		return fmt.Sprintf("nothing of stable %s is ready", p.state.Stable)
	}
	return ""
}

// stranded says whether nothing of stable is ready and another revision has traffic, which could not go back. The first
// step would take the traffic off the only revision that serves, and there is nothing to compare with and nothing to go
// back to, as in a first release.
func (p *pass) stranded() bool {
	return p.lost() && slices.ContainsFunc(p.Revisions, func(r Revision) bool {
		return r.Hash != p.state.Stable && r.Ready > 0 && p.share(r.Hash) > 0
	})
}

func (p *pass) fromInitial() bool {
	if p.Target == p.state.Candidate {
		return false
	}
	if p.exists(p.state.Candidate) { // another one, of which nothing was ever made, was no attempt
		p.record(v1alpha1.OutcomeSuperseded, v1alpha1.ReasonSuperseded, p.superseded())
		p.state.Attempt++
	}
	p.state.Candidate, p.state.StartedAt = p.Target, p.now()
	p.state.ProgressAt, p.state.ProgressMark, p.state.MostAvailable = metav1.MicroTime{}, 0, 0
	p.why(v1alpha1.ReasonReleaseStarted, "the first revision is now %s, with %s", p.Target, pods(p.Spec.Replicas))
	return true
}

func (p *pass) fromRelease() {
	switch p.Target {
	case p.state.Candidate:
	case p.state.Stable:
		p.retreat(v1alpha1.ReasonReturned, fmt.Sprintf("the template is again that of the stable revision %s", p.state.Stable))
	default:
		p.retreat(v1alpha1.ReasonSuperseded, p.superseded())
	}
}

// superseded says what took the place of the candidate.
func (p *pass) superseded() string {
	if len(p.Superseding) > 0 {
		return fmt.Sprintf("revision %s takes its place%s", p.Target, changed(p.Superseding))
	}
	return fmt.Sprintf("the template changed to %s", p.Target)
}

// start begins a release of a revision at its first step.
func (p *pass) start(revision string) {
	p.state = v1alpha1.RolloutState{
		Stage:          v1alpha1.StageStepping,
		Stable:         p.state.Stable,
		Candidate:      revision,
		CollisionCount: p.state.CollisionCount,
		Attempt:        p.state.Attempt + 1,
		StartedAt:      p.now(),
		ScaleDowns:     p.state.ScaleDowns,
		Earlier:        p.state.Earlier,
		RestartAt:      p.state.RestartAt,
		Configuration:  p.Configuration,
	}
	if because := p.skipsSteps(); because != "" {
		p.state.Full = true
		p.why(v1alpha1.ReasonReleaseStarted, "revision %s is released without steps%s: %s", revision, changed(p.Configuration), because)
	} else {
		p.why(v1alpha1.ReasonReleaseStarted, "revision %s is released in %s%s; %s is stable", revision, Counted(len(p.Spec.Steps), "step"),
			changed(p.Configuration), p.state.Stable)
	}
	p.event(false, v1alpha1.ReasonReleaseStarted, p.plan.Why.Message)
}

// advance takes the next step, or goes on to the promotion after the last.
func (p *pass) advance() {
	p.state.GatesAt, p.state.ProgressAt = metav1.MicroTime{}, metav1.MicroTime{}
	p.state.ProgressMark, p.state.PromotedAt = 0, metav1.MicroTime{}
	if int(p.state.Step)+1 >= len(p.Spec.Steps) {
		p.state.Stage = v1alpha1.StagePromoting
		return
	}
	p.state.Step++
}

// retreat sends all traffic back to stable, for a reason.
func (p *pass) retreat(reason, message string) {
	p.state.Stage = v1alpha1.StageRetreating
	p.state.Reason, p.state.Message = reason, message
	p.state.GatesAt, p.state.ProgressAt = metav1.MicroTime{}, metav1.MicroTime{}
	p.state.PromotedAt, p.state.Full, p.state.Carriers = metav1.MicroTime{}, false, 0
	if p.abortReason() {
		p.event(true, reason, fmt.Sprintf("revision %s is aborted: %s; traffic goes back to %s", p.state.Candidate, message, p.state.Stable))
	}
}

// rest forgets the candidate: stable is what the spec asks for, or what is left.
func (p *pass) rest() {
	p.state.Stage, p.state.Candidate, p.state.Step = v1alpha1.StageIdle, "", 0
	p.state.Reason, p.state.Message, p.state.Configuration = "", "", nil
	p.state.EndpointsAt, p.state.GatesAt = metav1.MicroTime{}, metav1.MicroTime{}
	p.state.ProgressAt, p.state.ProgressMark = metav1.MicroTime{}, 0
	p.state.MostWeight, p.state.MostAvailable, p.state.Carriers = 0, 0, 0
	p.state.PromotedAt, p.state.Full, p.state.Round = metav1.MicroTime{}, false, 0
}

// reachedStep is the step of a release for people; empty for one that has no steps.
func reachedStep(state v1alpha1.RolloutState, spec Spec) string {
	if state.Candidate == "" || state.Stage == v1alpha1.StageInitial || rollsBack(state) || len(spec.Steps) == 0 {
		return ""
	}
	return stepOf(state.Step, spec)
}

// measure keeps the largest figures of the release under way, for its record.
func (p *pass) measure() {
	if p.state.Stage == v1alpha1.StageIdle || p.state.Stage == v1alpha1.StageAborted {
		return
	}
	p.state.MostAvailable = max(p.state.MostAvailable, p.revision(p.state.Candidate).Available)
	p.state.MostWeight = max(p.state.MostWeight, p.shownWeight())
}

// record notes how the release under way ended.
func (p *pass) record(outcome v1alpha1.Outcome, reason, message string) {
	p.plan.Record = &v1alpha1.ReleaseRecord{
		Attempt: p.state.Attempt, MostAvailable: p.state.MostAvailable, Analyses: p.verdicts(),
		Revision: p.state.Candidate, Outcome: outcome, Reason: reason, Message: message,
		Step: reachedStep(p.state, p.Spec), StartedAt: p.state.StartedAt, EndedAt: p.now(), Configuration: p.state.Configuration,
	}
	if p.state.Stage != v1alpha1.StageInitial {
		p.plan.Record.MostWeight = v1alpha1.FormatWeight(p.state.MostWeight)
	}
}

// verdicts counts the analyses of the release under way; nil when there is none.
func (p *pass) verdicts() *v1alpha1.VerdictCounts {
	if len(p.Analyses) == 0 {
		return nil
	}
	out := &v1alpha1.VerdictCounts{}
	for _, a := range p.Analyses {
		if again(p.Analyses, a) {
			continue
		}
		switch a.Phase {
		case v1alpha1.AnalysisPassed:
			out.Passed++
		case v1alpha1.AnalysisFailed:
			out.Failed++
		case v1alpha1.AnalysisInconclusive:
			out.Inconclusive++
		case v1alpha1.AnalysisPending, v1alpha1.AnalysisRunning, v1alpha1.AnalysisStopped:
		}
	}
	return out
}
