package command

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// Check returns the revision that an action is meant for, given what the Rollout is now. The error is a *Refusal when the
// action would do nothing.
func Check(action string, r *v1alpha1.Rollout) (revision string, err error) {
	check, err := checkOf(action)
	if err != nil {
		return "", err
	}
	if r.DeletionTimestamp != nil {
		return "", beingDeleted(r)
	}
	return check(r)
}

type checkFunc func(*v1alpha1.Rollout) (revision string, err error)

func checkOf(action string) (checkFunc, error) {
	switch action {
	case v1alpha1.ActionPromote:
		return checkPromote, nil
	case v1alpha1.ActionPromoteFull, v1alpha1.ActionSkipStep:
		return checkSkip, nil
	case v1alpha1.ActionAbort:
		return checkAbort, nil
	case v1alpha1.ActionRetry:
		return checkRetry, nil
	case v1alpha1.ActionRestart:
		return checkRestart, nil
	default:
		return nil, fmt.Errorf("unknown action %q: use one of %s", action, strings.Join(v1alpha1.Actions(), ", "))
	}
}

// checkPromote allows a promote where the release waits at a gate that a person may open, or comes to one at this step.
func checkPromote(r *v1alpha1.Rollout) (string, error) {
	revision, err := checkSkip(r)
	if err != nil {
		return "", err
	}
	if !waitsForPerson(r) && (!r.Status.State.PromotedAt.IsZero() || !stepPauses(r)) {
		return "", refuse(Describe(r)+inBrackets(r.Status.Message), "it does not wait for a promote; to skip all steps "+
			"that are left use \"kubectl sluice promote %s --full\"", r.Name)
	}
	return revision, nil
}

// checkSkip allows what skips a step, or all of them, while steps are taken and nothing holds them.
func checkSkip(r *v1alpha1.Rollout) (string, error) {
	state := r.Status.State
	switch state.Stage {
	case v1alpha1.StageStepping:
		if r.Spec.Paused {
			return "", refuse(Describe(r), "nothing moves until \"kubectl sluice resume %s\"", r.Name)
		}
		return state.Candidate, nil
	case v1alpha1.StageInitial:
		return "", refuse(Describe(r), "the first revision takes no steps and serves as soon as its pods are available; "+
			"\"kubectl sluice status %s\" waits for that", r.Name)
	case v1alpha1.StagePromoting:
		return "", refuse(Describe(r), "there is no step left to skip; \"kubectl sluice status %s\" waits for the end",
			r.Name)
	case v1alpha1.StageRetreating:
		return "", refuse(Describe(r), "wait for that with \"kubectl sluice status %s\"", r.Name)
	case v1alpha1.StageAborted:
		return "", refuse(Describe(r), "to release it again use \"kubectl sluice retry %s\"", r.Name)
	case v1alpha1.StageIdle:
	}
	return "", refuseIdle(r, "there is nothing to promote; to release another version use "+
		"\"kubectl sluice set image %s <container>=<image>\"")
}

// checkAbort allows an abort while traffic goes, or may go, to a candidate.
func checkAbort(r *v1alpha1.Rollout) (string, error) {
	state := r.Status.State
	switch state.Stage {
	case v1alpha1.StageStepping, v1alpha1.StagePromoting:
		return state.Candidate, nil
	case v1alpha1.StageInitial:
		return "", refuse(Describe(r), "there is no stable revision to go back to; to release another version use "+
			"\"kubectl sluice set image %s <container>=<image>\"", r.Name)
	case v1alpha1.StageRetreating:
		return "", refuse(Describe(r), "there is nothing more to abort; \"kubectl sluice status %s\" waits for the end",
			r.Name)
	case v1alpha1.StageAborted:
		return "", refuse(Describe(r), "there is nothing more to abort; to release it again use "+
			"\"kubectl sluice retry %s\"", r.Name)
	case v1alpha1.StageIdle:
	}
	return "", refuseIdle(r, "there is nothing to abort; to go back to an earlier revision use "+
		"\"kubectl sluice undo %s\"")
}

// checkRetry allows a retry of what was aborted, once the traffic is back.
func checkRetry(r *v1alpha1.Rollout) (string, error) {
	state := r.Status.State
	switch state.Stage {
	case v1alpha1.StageAborted:
		if r.Status.UpdateRevision != "" && r.Status.UpdateRevision != state.Candidate {
			return "", refuse(Describe(r), "the template has changed to revision %s since; \"kubectl sluice get %s\" shows "+
				"what that waits for", r.Status.UpdateRevision, r.Name)
		}
		return state.Candidate, nil
	case v1alpha1.StageRetreating:
		return "", refuse(Describe(r), "retry once traffic is back; \"kubectl sluice status %s\" waits for that", r.Name)
	case v1alpha1.StageInitial, v1alpha1.StageStepping, v1alpha1.StagePromoting:
		return "", refuse(Describe(r), "it was not aborted, so there is nothing to retry; \"kubectl sluice get %s\" shows "+
			"what it waits for", r.Name)
	case v1alpha1.StageIdle:
	}
	return "", refuseIdle(r, "it was not aborted, so there is nothing to retry; to replace its pods use "+
		"\"kubectl sluice restart %s\"")
}

// checkRestart allows a restart at any time. It is meant for the candidate while one is being released, and otherwise for
// stable; the pods of both are replaced.
func checkRestart(r *v1alpha1.Rollout) (string, error) {
	state := r.Status.State
	switch state.Stage {
	case v1alpha1.StageInitial, v1alpha1.StageStepping, v1alpha1.StagePromoting:
		return state.Candidate, nil
	case v1alpha1.StageIdle, v1alpha1.StageRetreating, v1alpha1.StageAborted:
	}
	if state.Stable == "" {
		return "", notSeen(r)
	}
	return state.Stable, nil
}

// refuseIdle refuses what needs a release where none is under way. An edit that the controller has not seen may be about
// to start one, so that is said first. The advice has one verb, for the name of the Rollout.
func refuseIdle(r *v1alpha1.Rollout, advice string) error {
	if !Observed(r) {
		return notSeen(r)
	}
	if r.Spec.Paused && r.Status.UpdateRevision != r.Status.State.Stable {
		return refuse(fmt.Sprintf("%s, and spec.paused holds revision %s", Describe(r), r.Status.UpdateRevision),
			"it is released after \"kubectl sluice resume %s\"", r.Name)
	}
	return refuse(Describe(r), advice, r.Name)
}

// Observed says whether the status of a Rollout speaks of its latest spec.
func Observed(r *v1alpha1.Rollout) bool {
	return r.Status.ObservedGeneration >= r.Generation && r.Status.Phase != ""
}

// Pending returns the command that the controller has not answered yet; false when there is none.
func Pending(r *v1alpha1.Rollout) (v1alpha1.Command, bool) {
	annotation := r.Annotations[v1alpha1.AnnotationCommand]
	if annotation == "" {
		return v1alpha1.Command{}, false
	}
	c, err := v1alpha1.ParseCommand(annotation)
	if err != nil || c.ID == "" {
		return v1alpha1.Command{}, false
	}
	last := r.Status.LastCommand
	return c, last == nil || last.ID != c.ID
}

func notSeen(r *v1alpha1.Rollout) error {
	return refuse(fmt.Sprintf("the controller has not looked at the latest edit of rollout %q yet (generation %d, seen %d)",
		r.Name, r.Generation, max(r.Status.ObservedGeneration, 0)),
		"try again in a moment; if this stays, see whether the controller runs with \"kubectl sluice version\"")
}

func beingDeleted(r *v1alpha1.Rollout) error {
	return refuse(fmt.Sprintf("rollout %q is being deleted", r.Name), "nothing can be asked of it any more")
}

// stepPauses says whether the current step has a pause, which a promote opens, before or after the release has got there.
func stepPauses(r *v1alpha1.Rollout) bool {
	step := int(r.Status.State.Step)
	switch strategy := r.Spec.Strategy; {
	case strategy.Canary != nil && step < len(strategy.Canary.Steps):
		return strategy.Canary.Steps[step].Pause != nil
	case strategy.BlueGreen != nil && step == 0:
		return !strategy.BlueGreen.Promotes() || strategy.BlueGreen.AutoPromoteAfter != nil
	default:
		return false
	}
}

// waitsForPerson says whether a person may let the current step go on: it pauses, or an analysis had no clear verdict.
func waitsForPerson(r *v1alpha1.Rollout) bool {
	if r.Status.Phase == v1alpha1.PhasePaused {
		return true
	}
	reasons := []string{
		v1alpha1.ReasonAwaitingPromotion, v1alpha1.ReasonWaitingForPause, v1alpha1.ReasonAnalysisInconclusive,
	}
	for _, condition := range []string{v1alpha1.ConditionReconciling, v1alpha1.ConditionStalled} {
		if c := meta.FindStatusCondition(r.Status.Conditions, condition); c != nil && slices.Contains(reasons, c.Reason) {
			return true
		}
	}
	return false
}
