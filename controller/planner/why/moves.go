package why

import (
	"fmt"
	"slices"
	"time"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller/planner"
	"github.com/sluice-dev/sluice/controller/planner/forecast"
)

// moves says what would move the Rollout.
func (v *view) moves() string {
	_, reason := v.condition(v1alpha1.ConditionReady)
	switch {
	case v.Rollout.DeletionTimestamp != nil:
		return v.whenLeaving()
	case v.state.Stage == v1alpha1.StageAborted:
		return v.whenAborted()
	case v.stalled() && reason != v1alpha1.ReasonProgressDeadlineExceeded && reason != v1alpha1.ReasonTrafficContested &&
		reason != v1alpha1.ReasonShareNotConfirmed:
		return v.whenBroken()
	}
	if say, known := cures()[reason]; known {
		return say(v)
	}
	return v.byItself()
}

// cures are the sentences about what would move a Rollout, by the reason for which it does not. A reason of which stalls
// tells has another sentence there.
func cures() map[string]func(*view) string {
	byItself, deadline, broken := (*view).byItself, (*view).beforeDeadline, (*view).whenBroken
	return map[string]func(*view) string{
		v1alpha1.ReasonPromoted:                 (*view).atRest,
		v1alpha1.ReasonReleaseStarted:           byItself,
		v1alpha1.ReasonStepCompleted:            byItself,
		v1alpha1.ReasonSuperseded:               byItself,
		v1alpha1.ReasonReturned:                 byItself,
		v1alpha1.ReasonWaitingForPods:           deadline,
		v1alpha1.ReasonWaitingForEndpoints:      deadline,
		v1alpha1.ReasonWaitingForRoute:          deadline,
		v1alpha1.ReasonSettling:                 deadline,
		v1alpha1.ReasonConfirmingShare:          byItself,
		v1alpha1.ReasonShareNotConfirmed:        (*view).whenNotConfirmed,
		v1alpha1.ReasonPromoting:                deadline,
		v1alpha1.ReasonScaling:                  (*view).whenScaling,
		v1alpha1.ReasonRestarting:               (*view).whenScaling,
		v1alpha1.ReasonPaused:                   (*view).whenHeld,
		v1alpha1.ReasonWaitingForPause:          (*view).whenPaused,
		v1alpha1.ReasonAwaitingPromotion:        (*view).forPerson,
		v1alpha1.ReasonAnalysisInconclusive:     (*view).forDecision,
		v1alpha1.ReasonAwaitingDecision:         (*view).forDecision,
		v1alpha1.ReasonWaitingForAnalysis:       (*view).whenMeasuring,
		v1alpha1.ReasonRetreating:               (*view).whenRetreating,
		v1alpha1.ReasonStableLost:               (*view).whenStableLost,
		v1alpha1.ReasonProgressDeadlineExceeded: (*view).whenLate,
		v1alpha1.ReasonAborted:                  (*view).whenAborted,
		v1alpha1.ReasonAnalysisFailed:           (*view).whenAborted,
		v1alpha1.ReasonAnalysisNotMeasured:      (*view).whenAborted,
		v1alpha1.ReasonInvalidSpec:              broken,
		v1alpha1.ReasonWorkloadNotFound:         broken,
		v1alpha1.ReasonLeaving:                  byItself,
		v1alpha1.ReasonServiceNotFound:          deadline, // stalled: it is missing; otherwise it is being created
		v1alpha1.ReasonServiceMismatch:          broken,
		v1alpha1.ReasonRouteNotFound:            broken,
		v1alpha1.ReasonRouteWithoutBackend:      broken,
		v1alpha1.ReasonRouteUnusable:            broken,
		v1alpha1.ReasonRouteNotAccepted:         broken,
		v1alpha1.ReasonTrafficReverted:          byItself,
		v1alpha1.ReasonTrafficContested:         (*view).whenContested,
		v1alpha1.ReasonTemplateNotFound:         broken,
		v1alpha1.ReasonTemplateInvalid:          broken,
		v1alpha1.ReasonConfigurationNotFound:    broken,
		v1alpha1.ReasonConfigurationInvalid:     broken,
		v1alpha1.ReasonConfigurationForbidden:   broken,
		v1alpha1.ReasonWaitingForTurn:           (*view).whenHeldBack,
		v1alpha1.ReasonReplicaSetRefused:        broken,
		v1alpha1.ReasonWriteRefused:             broken,
	}
}

// verb is a command of "kubectl sluice" for this Rollout, in quotes.
func (v *view) verb(action string) string {
	return fmt.Sprintf("%q", "kubectl sluice "+action+" "+v.Rollout.Name)
}

func (v *view) setImage() string {
	return fmt.Sprintf("%q", "kubectl sluice set image "+v.Rollout.Name+" <container>=<image>")
}

// whenLeaving is for a Rollout that is being deleted.
func (v *view) whenLeaving() string {
	if !v.stalled() {
		return v.byItself()
	}
	return "Nothing moves until a person mends that; then it goes by itself. Without its finalizer " + v1alpha1.FinalizerTraffic +
		" it goes at once, with its pods and whatever traffic they have."
}

func (v *view) byItself() string { return "It goes on by itself." }

func (v *view) atRest() string {
	return "It waits for nothing: another template starts the next release, such as with " + v.setImage() + "."
}

// whenNotConfirmed is for a share that the candidate is not seen to answer.
func (v *view) whenNotConfirmed() string {
	return fmt.Sprintf("It goes on by itself when a probe finds the share, which is tried at least every 5 minutes; nothing is aborted for it. "+
		"See what the gateway serves by; %s lets the step go on without, and %s takes the traffic back.", v.verb("promote"), v.verb("abort"))
}

// beforeDeadline is for what moves when pods, endpoints or gateways do.
func (v *view) beforeDeadline() string {
	out := "It goes on by itself when that is done."
	if v.state.ProgressAt.IsZero() {
		return out
	}
	left, limit := v.deadline()
	if v.state.Stage == v1alpha1.StageInitial {
		return out + fmt.Sprintf(" Without progress it counts as stalled %s, after %s; a first release is not aborted.", in(left), limit)
	}
	return out + fmt.Sprintf(" Without progress it is aborted %s, after %s; %s does that now, and %s shows its pods.", in(left), limit,
		v.verb("abort"), v.verb("get"))
}

// deadline is the time that is left until the progress deadline, and that deadline in words.
func (v *view) deadline() (left time.Duration, limit string) {
	deadline := v.spec.ProgressDeadline()
	return v.state.ProgressAt.Add(deadline).Sub(v.Now),
		fmt.Sprintf("the %s of spec.progressDeadlineSeconds", forecast.Short(deadline))
}

func in(left time.Duration) string {
	if left <= 0 {
		return "now"
	}
	return "in " + forecast.Short(left)
}

func (v *view) whenScaling() string {
	return fmt.Sprintf("It goes on by itself as pods of revision %s become available; %s shows them.", v.state.Stable, v.verb("get"))
}

func (v *view) whenHeld() string {
	out := v.verb("resume") + " lets it go on"
	if v.status.UpdateRevision != "" && v.status.UpdateRevision != v.state.Stable && v.state.Stage == v1alpha1.StageIdle {
		out += ", with revision " + v.status.UpdateRevision
	}
	if v.state.Stage == v1alpha1.StageStepping || v.state.Stage == v1alpha1.StagePromoting {
		out += fmt.Sprintf(", and %s sends all traffic back to %s", v.verb("abort"), v.state.Stable)
	}
	return out + "; no deadline runs until then."
}

// whenHeldBack is for a release that others of the same configuration go before.
func (v *view) whenHeldBack() string {
	return "It goes on by itself when it is its turn, in order of name; a Rollout whose template is edited does not wait."
}

// whenPaused counts down the pause of the step.
func (v *view) whenPaused() string {
	pause, found := v.pause()
	if !found {
		return v.forPerson()
	}
	end := v.state.GatesAt.Add(pause)
	out := fmt.Sprintf("%s of the pause of %s are left", forecast.Short(max(0, end.Sub(v.Now))), forecast.Short(pause))
	when := fmt.Sprintf("by itself at %s, and at once with %s", end.UTC().Format(time.RFC3339), v.verb("promote"))
	if v.measures() {
		return fmt.Sprintf("%s: it ends %s; the analysis must pass as well, and then it goes on%s.%s", out, when, v.next(), v.measured())
	}
	return fmt.Sprintf("%s: it goes on%s %s.", out, v.next(), when)
}

// pause is how long the pause of the current step lasts.
func (v *view) pause() (time.Duration, bool) {
	for _, g := range v.gates() {
		if g.Kind == planner.PauseGate && !v.state.GatesAt.IsZero() {
			return g.Duration, true
		}
	}
	return 0, false
}

// gates are those of the current step.
func (v *view) gates() []planner.Gate {
	if len(v.steps) == 0 {
		return nil
	}
	return v.steps[min(int(v.state.Step), len(v.steps)-1)].Gates
}

// next says what comes after the current step.
func (v *view) next() string {
	next := int(v.state.Step) + 1
	switch {
	case next < len(v.steps):
		return fmt.Sprintf(" to step %d/%d with %s%%", next+1, len(v.steps), v1alpha1.FormatWeight(v.steps[next].Weight))
	case len(v.steps) > 0:
		return " to the promotion with 100%"
	}
	return ""
}

func (v *view) forPerson() string {
	also := ""
	if v.measures() {
		also = " once the analysis has passed as well"
	}
	return fmt.Sprintf("A person moves it: %s goes on%s%s, and %s sends all traffic back to %s; no deadline runs until then.%s",
		v.verb("promote"), v.next(), also, v.verb("abort"), v.state.Stable, v.measured())
}

// measures says whether the current step has an analysis.
func (v *view) measures() bool {
	return slices.ContainsFunc(v.gates(), func(g planner.Gate) bool { return g.Kind == planner.AnalysisGate })
}

func (v *view) forDecision() string {
	return fmt.Sprintf("A person decides: %s takes it for good and goes on%s, and %s sends all traffic back to %s; no deadline runs until "+
		"then.%s", v.verb("promote"), v.next(), v.verb("abort"), v.state.Stable, v.measured())
}

func (v *view) whenMeasuring() string {
	return fmt.Sprintf("It goes on%s when the analysis has passed, and back to %s when it fails; %s does not wait for it.%s", v.next(),
		v.state.Stable, v.verb("promote --skip-step"), v.measured())
}

func (v *view) whenRetreating() string {
	out := fmt.Sprintf("It goes on by itself as pods of revision %s can take the traffic.", v.state.Stable)
	if v.state.ProgressAt.IsZero() {
		return out
	}
	left, limit := v.deadline()
	return out + fmt.Sprintf(" If none becomes ready it ends %s, after %s, with the traffic where it is.", in(left), limit)
}

func (v *view) whenStableLost() string {
	switch v.state.Stage {
	case v1alpha1.StageRetreating:
		return v.whenRetreating()
	case v1alpha1.StageStepping:
		return fmt.Sprintf("%s brings all traffic to revision %s, whose pods are ready; it comes back by itself when pods of %s do, and "+
			"%s shows them.", v.verb("promote --full"), v.state.Candidate, v.state.Stable, v.verb("get"))
	case v1alpha1.StageIdle, v1alpha1.StageInitial, v1alpha1.StagePromoting, v1alpha1.StageAborted:
	}
	return fmt.Sprintf("It comes back by itself when pods of revision %s are ready; %s shows why they are not.", v.state.Stable, v.verb("get"))
}

// whenLate is for a first release; any other is aborted by the deadline.
func (v *view) whenLate() string {
	return fmt.Sprintf("It goes on by itself when pods become available; %s shows why they do not, and another template takes its place, "+
		"such as with %s.", v.verb("get"), v.setImage())
}

func (v *view) whenAborted() string {
	if v.state.Stage == v1alpha1.StageRetreating {
		return v.whenRetreating()
	}
	out := fmt.Sprintf("Nothing moves by itself: %s releases revision %s again from its first step, %s puts the template of %s back, and "+
		"another template is released by itself.", v.verb("retry"), v.state.Candidate, v.verb("undo"), v.state.Stable)
	if v.broken() {
		return "First mend what is named there. " + out
	}
	return out
}

// broken says whether the reason of the conditions is a problem, and not the abort itself.
func (v *view) broken() bool {
	_, reason := v.condition(v1alpha1.ConditionReady)
	return reason != "" && reason != v.state.Reason && reason != v1alpha1.ReasonStableLost
}

// whenContested is for a release that another writer holds.
func (v *view) whenContested() string {
	return fmt.Sprintf("It goes on by itself as soon as that is as it was, or when it is put back again; no deadline runs until then, and %s "+
		"sends all traffic back to %s. \"kubectl get --show-managed-fields\" shows who writes it.", v.verb("abort"), v.state.Stable)
}

// whenBroken is for what a person must mend.
func (v *view) whenBroken() string {
	out := "Nothing moves until a person mends that; then it goes on by itself, and until then traffic stays where it is."
	releasing := v.state.Stage == v1alpha1.StageStepping || v.state.Stage == v1alpha1.StagePromoting
	if !releasing || v.state.ProgressAt.IsZero() {
		return out
	}
	left, limit := v.deadline()
	return out + fmt.Sprintf(" If it is not mended it is aborted %s, after %s; %s does that now.", in(left), limit, v.verb("abort"))
}
