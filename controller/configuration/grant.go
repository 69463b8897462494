package configuration

import (
	"fmt"
	"strings"
)

const (
	// account is the service account of the controller as install.yaml has it.
	account = "sluice-system:sluice-controller"
	// accountPrefix is what the API server puts before the namespace and name of a service account.
	accountPrefix = "system:serviceaccount:"
)

// HowToGrant says how to let the controller do, in a namespace, what the API server has refused: the sentence goes on after
// "let an administrator run". The refusal names the service account that was refused.
func HowToGrant(namespace, role string, refusal error) string {
	refused := account
	if _, after, ok := strings.Cut(refusal.Error(), accountPrefix); ok {
		if name, _, ok := strings.Cut(after, `"`); ok {
			refused = name
		}
	}
	return fmt.Sprintf("let an administrator run \"kubectl -n %s create rolebinding %s --clusterrole=%s --serviceaccount=%s\"",
		namespace, role, role, refused)
}
