package command

import (
	"fmt"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// Refusal is the error for a request that would do nothing on the Rollout as it is.
type Refusal struct {
	// State says in one clause what state the Rollout is in.
	State string
	// Advice says what would work.
	Advice string
}

// Error gives the state and the advice in one sentence.
func (r *Refusal) Error() string { return r.State + ": " + r.Advice }

// refuse makes the error for a Rollout: what it is, then what would work.
func refuse(state, format string, args ...any) error {
	return &Refusal{State: state, Advice: fmt.Sprintf(format, args...)}
}

// Describe says in one clause what state a Rollout is in.
func Describe(r *v1alpha1.Rollout) string {
	name := fmt.Sprintf("rollout %q", r.Name)
	state := r.Status.State
	switch state.Stage {
	case v1alpha1.StageInitial:
		return fmt.Sprintf("%s is bringing up its first revision, %s", name, state.Candidate)
	case v1alpha1.StageStepping:
		return fmt.Sprintf("%s is %s revision %s%s", name, progress(r), state.Candidate, pausedSuffix(r))
	case v1alpha1.StagePromoting:
		return fmt.Sprintf("%s has done all steps and is making revision %s stable", name, state.Candidate)
	case v1alpha1.StageRetreating:
		return fmt.Sprintf("%s is moving traffic back from revision %s to %s%s", name, state.Candidate, state.Stable,
			inBrackets(state.Message))
	case v1alpha1.StageAborted:
		return fmt.Sprintf("%s has aborted revision %s%s", name, state.Candidate, inBrackets(state.Message))
	case v1alpha1.StageIdle:
	}
	if state.Stable == "" {
		return fmt.Sprintf("the controller has not looked at %s yet", name)
	}
	return fmt.Sprintf("%s is %s at revision %s", name, r.Status.Phase, state.Stable)
}

func progress(r *v1alpha1.Rollout) string {
	if r.Status.Step == "" {
		return "releasing"
	}
	return "at step " + r.Status.Step + " with"
}

func pausedSuffix(r *v1alpha1.Rollout) string {
	if r.Spec.Paused {
		return ", and paused"
	}
	return ""
}

func inBrackets(s string) string {
	if s == "" {
		return ""
	}
	return " (" + s + ")"
}
