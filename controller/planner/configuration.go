package planner

import (
	"strings"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// A changed ConfigMap or Secret is part of the target by its hash, and so starts a release like an edited template does.
// One that asks for a restart is told of in the snapshot, once for each change, and restarts every pod.

// restartForConfiguration asks for a restart of the pods that were made with the content before. Where there are no pods
// yet there is nothing to restart.
func (p *pass) restartForConfiguration() {
	if len(p.Changed) == 0 || p.state.Stable == "" {
		return
	}
	p.state.RestartAt = wholeSecond(p.Now)
	p.event(false, v1alpha1.ReasonRestarting, "every pod is being replaced"+changed(p.Changed))
}

// changed gives the objects whose change is the reason, as the end of a clause; nothing when there are none.
func changed(objects []string) string {
	if len(objects) == 0 {
		return ""
	}
	return " because " + strings.Join(objects, " and ") + " changed"
}
