package render

import (
	"fmt"
	"strings"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// Line says in one line where a Rollout is, and why: "Paused (step 2/4, 20%): revision x waits for …".
func Line(r *v1alpha1.Rollout, palette Palette) string {
	if r.Status.Phase == "" {
		return palette.Paint(Faint, "The controller has not looked at it yet")
	}
	var where []string
	if r.Status.Step != "" {
		where = append(where, "step "+r.Status.Step)
	}
	if r.Status.Weight != "" {
		where = append(where, percentage(r.Status.Weight))
	}
	if r.Status.Overlay != "" {
		where = append(where, "and "+r.Status.Overlay)
	}
	line := palette.Paint(phaseStyle(r.Status.Phase), string(r.Status.Phase))
	if len(where) > 0 {
		line += fmt.Sprintf(" (%s)", strings.Join(where, ", "))
	}
	if r.Status.Message != "" {
		line += ": " + oneLine(r.Status.Message)
	}
	return line
}
