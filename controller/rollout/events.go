package rollout

import (
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller/planner"
)

// eventAction is what the controller was doing, in every event.
const eventAction = "Release"

// maxNote is the length that the API allows for the text of an event, in bytes.
const maxNote = 1024

// tell emits the events of a pass whose status is written. The recorder counts events that are alike instead of writing
// them again, and what is told of includes its version: two steps of one release are two events.
func (r *Reconciler) tell(rollout *v1alpha1.Rollout, w *world, plan planner.Plan) {
	for _, e := range plan.Events {
		r.emit(rollout, e)
	}
	if w.badCommand != nil {
		r.emit(rollout, planner.Event{Warning: true, Reason: v1alpha1.ReasonCommandIgnored, Message: w.badCommand.Message})
	}
}

func (r *Reconciler) emit(rollout *v1alpha1.Rollout, e planner.Event) {
	kind := corev1.EventTypeNormal
	if e.Warning {
		kind = corev1.EventTypeWarning
	}
	r.recorder.Eventf(rollout, nil, kind, e.Reason, eventAction, "%s", cutBytes(e.Message, maxNote))
}

// cutBytes shortens a text to a number of bytes, between two characters.
func cutBytes(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	return strings.ToValidUTF8(text[:limit], "")
}
