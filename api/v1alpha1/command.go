package v1alpha1

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
)

// Command is what a person asks for in the annotation sluice.dev/command. It names the revision it is meant for, so
// that it cannot hit another one when the template changes between the look and the deed.
//
// +kubebuilder:object:generate=false
type Command struct {
	// Action is one of Actions.
	Action string
	// Revision is the hash of the revision that the person saw.
	Revision string
	// ID tells this request from every other one; it is answered in status.lastCommand.
	ID string
}

// Actions are all actions of commands, in the order in which messages list them.
func Actions() []string {
	return []string{ActionPromote, ActionPromoteFull, ActionAbort, ActionRetry, ActionRestart, ActionSkipStep}
}

// maxRequestID is the length of a request id. A revision is a label value.
const maxRequestID = 64

// requestID says whether a text is a request id: letters, digits, dots, colons, dashes and underscores.
func requestID(s string) bool {
	return s != "" && len(s) <= maxRequestID && strings.IndexFunc(s, func(r rune) bool {
		letter := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
		return !letter && !strings.ContainsRune("._:-", r)
	}) < 0
}

// ParseCommand reads "<action>/<revision>/<request id>". The error says which part is wrong and what to write. With
// three parts, the Command is filled even then, so that a refusal can be answered under its request id.
func ParseCommand(s string) (Command, error) {
	parts := strings.Split(s, "/")
	if len(parts) != 3 {
		return Command{}, fmt.Errorf("%s: %q has %d parts between slashes: write <action>/<revision>/<request id>, "+
			"such as %q", AnnotationCommand, s, len(parts), ActionPromote+"/5d8c7b9f6/1")
	}
	c := Command{Action: parts[0], Revision: parts[1], ID: parts[2]}
	if !slices.Contains(Actions(), c.Action) {
		return c, fmt.Errorf("%s: unknown action %q: write one of %s", AnnotationCommand, c.Action,
			strings.Join(Actions(), ", "))
	}
	if c.Revision == "" || len(validation.IsValidLabelValue(c.Revision)) > 0 {
		return c, fmt.Errorf("%s: %q is not a revision: write the hash of the revision that is meant, as in "+
			"status.updateRevision", AnnotationCommand, c.Revision)
	}
	if !requestID(c.ID) {
		return c, fmt.Errorf("%s: %q is not a request id: write 1 to 64 letters, digits, dots, colons, dashes or "+
			"underscores, different for each request", AnnotationCommand, c.ID)
	}
	return c, nil
}

// String writes the command as the annotation holds it.
func (c Command) String() string {
	return c.Action + "/" + c.Revision + "/" + c.ID
}
