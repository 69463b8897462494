package simulation

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// heard is how many lines of the log, and how many events, were looked through for secrets.
type heard struct{ lines, events int }

// hasSecrets says whether there is anything that must not be told.
func (w *World) hasSecrets() bool { return len(w.Server.table(kindSecret()).objects) > 0 }

// secretWritten looks for content of Secrets in what is written to anything else.
func secretWritten(l *look) string {
	if !l.world.hasSecrets() || l.change.After == nil || l.change.Kind == kindSecret() {
		return ""
	}
	raw, err := json.Marshal(l.change.After)
	if err != nil {
		return err.Error()
	}
	return l.world.tells(string(raw))
}

// secretTold looks for it in what was said since the pass before: lines of the log, errors and events.
func secretTold(w *World, _ *Process, _ types.NamespacedName, _ error) string {
	if !w.hasSecrets() {
		return ""
	}
	last := w.heard
	w.heard = heard{len(w.said), len(w.events)}
	for _, lines := range [][]string{w.said[last.lines:], w.events[last.events:]} {
		for _, line := range lines {
			if detail := w.tells(line); detail != "" {
				return detail
			}
		}
	}
	return ""
}

// tells says whether a text has content of a Secret.
func (w *World) tells(text string) string {
	for _, s := range listed[*corev1.Secret](w.Server, kindSecret(), "") {
		for key, value := range s.Data {
			if strings.Contains(text, string(value)) || strings.Contains(text, base64.StdEncoding.EncodeToString(value)) {
				return fmt.Sprintf("key %s of Secret %s is told", key, s.Name)
			}
		}
	}
	return ""
}
