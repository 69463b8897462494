package render

import (
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// Columns says which columns a table of Rollouts has beside the usual ones.
type Columns struct {
	// Namespace comes first.
	Namespace bool
	// Wide adds the images and the message.
	Wide bool
}

// RolloutHeadings is the first row of a table of Rollouts.
func RolloutHeadings(columns Columns) []Cell {
	row := headings("NAME", "STRATEGY", "PHASE", "STEP", "WEIGHT", "DESIRED", "UPDATED", "AVAILABLE", "AGE")
	if columns.Namespace {
		row = append(headings("NAMESPACE"), row...)
	}
	if columns.Wide {
		row = append(row, headings("IMAGES", "MESSAGE")...)
	}
	return row
}

// RolloutRow is the row of one Rollout.
func RolloutRow(r *v1alpha1.Rollout, columns Columns, now time.Time) []Cell {
	row := []Cell{
		{Text: r.Name},
		cell(r.Spec.StrategyName()),
		phase(r),
		cell(r.Status.Step),
		cell(percentage(r.Status.Weight)),
		{Text: number(r.Spec.ReplicasOrDefault())},
		{Text: number(r.Status.UpdatedReplicas)},
		{Text: number(r.Status.AvailableReplicas)},
		{Text: age(r.CreationTimestamp, now)},
	}
	if columns.Namespace {
		row = append([]Cell{{Text: r.Namespace}}, row...)
	}
	if columns.Wide {
		row = append(row, cell(strings.Join(images(r), ",")), Cell{Text: r.Status.Message})
	}
	return row
}

// phase of a Rollout in its colour. A Rollout that nobody has looked at has none.
func phase(r *v1alpha1.Rollout) Cell {
	return Cell{Text: cell(string(r.Status.Phase)).Text, Style: phaseStyle(r.Status.Phase)}
}

func phaseStyle(phase v1alpha1.RolloutPhase) Style {
	switch phase {
	case v1alpha1.PhaseHealthy:
		return Good
	case v1alpha1.PhaseProgressing:
		return Busy
	case v1alpha1.PhasePaused:
		return Waiting
	case v1alpha1.PhaseDegraded:
		return Bad
	default:
		return Faint
	}
}

// images of a template; none of one that cannot be read.
func images(r *v1alpha1.Rollout) []string {
	template, err := r.PodTemplate()
	if err != nil {
		return nil
	}
	return v1alpha1.Images(template)
}

func percentage(weight string) string {
	if weight == "" {
		return ""
	}
	return weight + "%"
}

func number(n int32) string { return strconv.Itoa(int(n)) }

// age is how long ago something was, as kubectl writes it; nothing for what has no time.
func age(since metav1.Time, now time.Time) string {
	if since.IsZero() {
		return ""
	}
	return duration.HumanDuration(max(now.Sub(since.Time), 0))
}
