package why

import (
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller/planner"
	"github.com/sluice-dev/sluice/controller/planner/forecast"
)

// Look is a Rollout at one moment, with the AnalysisRuns of its release under way as far as they could be read.
type Look struct {
	// Rollout with its status.
	Rollout *v1alpha1.Rollout
	// Runs are AnalysisRuns of the Rollout; those of earlier releases are left out by their names.
	Runs []v1alpha1.AnalysisRun
	// Now is the moment.
	Now time.Time
}

// view is a Look with what every sentence needs.
type view struct {
	Look
	spec   *v1alpha1.RolloutSpec
	status *v1alpha1.RolloutStatus
	state  v1alpha1.RolloutState
	// steps are those that the strategy compiles to; none when it cannot be compiled.
	steps []planner.Step
}

// Paragraph says what a Rollout waits for, since when, and what would move it, with numbers.
func Paragraph(l Look) string {
	v := view{Look: l, spec: &l.Rollout.Spec, status: &l.Rollout.Status, state: l.Rollout.Status.State}
	if v.status.Phase == "" {
		return fmt.Sprintf("The controller has not looked at rollout %q yet, which was created %s ago: see whether it runs with "+
			"\"kubectl sluice version\".", v.Rollout.Name, forecast.Short(v.Now.Sub(v.Rollout.CreationTimestamp.Time)))
	}
	if compiled, err := planner.Compile(v.spec, 0); err == nil {
		v.steps = compiled.Steps
	}
	sentences := []string{v.unseen(), v.where(), v.message(), v.cause(), v.since(), v.moves(), v.beside(), v.leaving()}
	var out []string
	for _, s := range sentences {
		if s != "" {
			out = append(out, s)
		}
	}
	return strings.Join(out, " ")
}

// unseen says what the status does not know yet: an edit, or a command.
func (v *view) unseen() string {
	if v.status.ObservedGeneration < v.Rollout.Generation {
		return fmt.Sprintf("The controller has not looked at the latest edit yet: the spec is at generation %d, and what follows is of %d.",
			v.Rollout.Generation, v.status.ObservedGeneration)
	}
	text := v.Rollout.Annotations[v1alpha1.AnnotationCommand]
	c, err := v1alpha1.ParseCommand(text)
	if text == "" || err != nil || v.status.LastCommand != nil && v.status.LastCommand.ID == c.ID {
		return ""
	}
	return fmt.Sprintf("The controller has not answered the %s of revision %s yet.", c.Action, c.Revision)
}

// where says in which phase and where in a release the Rollout is, and which pods it has.
func (v *view) where() string {
	out := fmt.Sprintf("Rollout %q is %s", v.Rollout.Name, v.status.Phase)
	if v.status.Step != "" {
		out += " at step " + v.status.Step
	}
	if v.status.Weight != "" {
		out += fmt.Sprintf(" with %s%% of the traffic on revision %s", v.status.Weight, v.state.Candidate)
	}
	if v.status.Overlay != "" {
		out += ", and " + v.status.Overlay
	}
	if v.state.Stable != "" {
		out += fmt.Sprintf(", revision %s is stable", v.state.Stable)
	}
	return out + fmt.Sprintf(", and %d of %s are available for %s.", v.status.AvailableReplicas, planner.Counted(v.status.Replicas, "pod"),
		planner.Counted(v.spec.ReplicasOrDefault(), "replica"))
}

// message is the planner's own sentence.
func (v *view) message() string {
	if v.status.Message == "" {
		return ""
	}
	message := strings.TrimSuffix(v.status.Message, ".") + "."
	if strings.HasPrefix(message, "spec.") {
		return message // the path of a field
	}
	return strings.ToUpper(message[:1]) + message[1:]
}

// cause says which ConfigMaps and Secrets began the release.
func (v *view) cause() string {
	if len(v.state.Configuration) == 0 {
		return ""
	}
	return fmt.Sprintf("Revision %s was released because %s changed.", v.state.Candidate, strings.Join(v.state.Configuration, " and "))
}

// since says from when on that is so.
func (v *view) since() string {
	at, what := v.from()
	if at.IsZero() {
		return ""
	}
	return fmt.Sprintf("%s for %s, since %s.", what, forecast.Short(max(0, v.Now.Sub(at))), at.UTC().Format(time.RFC3339))
}

// from is the moment from which on the Rollout is as it is, and what has been so since then.
func (v *view) from() (at time.Time, what string) {
	history := v.status.History
	switch {
	case v.state.Stage == v1alpha1.StageAborted && len(history) > 0 && history[0].Revision == v.state.Candidate:
		return history[0].EndedAt.Time, "It has been aborted"
	case v.state.Stage == v1alpha1.StageAborted || v.state.Stage == v1alpha1.StageIdle || v.stalled():
		return v.transition(), "It has been so"
	case v.state.Stage == v1alpha1.StageRetreating:
		return v.state.StartedAt.Time, "The release has been under way"
	case !v.state.ProgressAt.IsZero():
		return v.state.ProgressAt.Time, "There has been no progress"
	case !v.state.GatesAt.IsZero():
		return v.state.GatesAt.Time, "The traffic of the step has been in place"
	}
	return v.state.StartedAt.Time, "The release has been under way"
}

// transition is when the newest of the conditions that say where the Rollout is came to be true.
func (v *view) transition() time.Time {
	var newest time.Time
	for _, c := range v.status.Conditions {
		if c.Type != v1alpha1.ConditionAvailable && c.Status == metav1.ConditionTrue && c.LastTransitionTime.After(newest) {
			newest = c.LastTransitionTime.Time
		}
	}
	return newest
}

// condition says whether a condition is true, and gives its reason.
func (v *view) condition(kind string) (holds bool, reason string) {
	for _, c := range v.status.Conditions {
		if c.Type == kind {
			return c.Status == metav1.ConditionTrue, c.Reason
		}
	}
	return false, ""
}

func (v *view) stalled() bool {
	holds, _ := v.condition(v1alpha1.ConditionStalled)
	return holds
}

// leaving says which pods go when their delay has passed.
func (v *view) leaving() string {
	var out []string
	for _, d := range v.state.ScaleDowns {
		out = append(out, fmt.Sprintf("those of revision %s in %s", d.Revision, forecast.Short(max(0, d.At.Sub(v.Now)))))
	}
	if len(out) == 0 {
		return ""
	}
	return "Pods that have lost their traffic go after their delay: " + strings.Join(out, ", ") + "."
}
