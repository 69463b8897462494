package rollout

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller/planner"
)

// A problem is what a person must mend: it has a reason, the field that is wrong, and the cure. While there is one,
// pods and traffic stay where they are; an abort works all the same.

// Lengths of texts in the status.
const (
	maxMessage   = 1024
	maxCommandID = 253
)

// problem adds a problem to the snapshot.
func (w *world) problem(reason, path, message string) {
	w.snapshot.Problems = append(w.snapshot.Problems, planner.Problem{
		Reason: reason, Field: path, Message: cut(message, maxMessage-utf8.RuneCountInString(path)-2),
	})
}

// serviceProblems finds what is wrong with the Services. The claimant is an older Rollout that names one of them.
func (w *world) serviceProblems(claimant string) {
	services := w.rollout.Spec.Services
	if w.active == nil {
		w.problem(v1alpha1.ReasonServiceNotFound, "spec.services.active", fmt.Sprintf(
			"Service %q does not exist: create it with a selector that matches the pod template, or name another one",
			services.Active))
	}
	if w.snapshot.Standby.Leaving {
		w.problem(v1alpha1.ReasonServiceNotFound, "spec.services.standby", fmt.Sprintf(
			"Service %q is being deleted: it is created again when it is gone; look at its finalizers if that takes long",
			services.StandbyName()))
	}
	if claimant != "" {
		w.problem(v1alpha1.ReasonServiceMismatch, "spec.services", fmt.Sprintf(
			"Rollout %q moves the same Service: give each Rollout Services of its own", claimant))
	}
	if w.active != nil {
		w.checkService("spec.services.active", w.active)
	}
	if w.standby != nil && !w.ownsStandby() {
		w.checkService("spec.services.standby", w.standby)
		w.checkStandby()
	}
}

// checkService tells of a Service that cannot select pods of the template.
func (w *world) checkService(path string, service *corev1.Service) {
	if flaw := w.flaw(service); flaw != "" {
		w.problem(v1alpha1.ReasonServiceMismatch, path, flaw)
	}
}

// flaw says why a Service cannot select pods of the template, and the cure; empty when it can. All labels that it selects
// by, but for the hash, must be in the template. Otherwise it would lose its endpoints, or never get any.
func (w *world) flaw(service *corev1.Service) string {
	base := baseSelector(service)
	switch {
	case service.Spec.Type == corev1.ServiceTypeExternalName:
		return fmt.Sprintf(
			"Service %q is of type ExternalName and selects no pods: name one of type ClusterIP, NodePort or LoadBalancer",
			service.Name)
	case len(base) == 0:
		return fmt.Sprintf("Service %q has no selector: give it labels of spec.template.metadata.labels", service.Name)
	case w.template != nil && !labels.SelectorFromSet(base).Matches(labels.Set(w.template.Labels)):
		return fmt.Sprintf(
			"Service %q selects %s, and spec.template.metadata.labels has %s: write a selector that matches these labels",
			service.Name, base, labels.Set(w.template.Labels))
	}
	return ""
}

// checkStandby finds out whether a standby Service that we did not make may be used: nobody else controls it, and it has the
// ports of the active one, or requests that a route sends there would be lost.
func (w *world) checkStandby() {
	if owner := metav1.GetControllerOf(w.standby); owner != nil {
		w.problem(v1alpha1.ReasonServiceMismatch, "spec.services.standby", fmt.Sprintf(
			"Service %q is controlled by %s %q: name another one", w.standby.Name, owner.Kind, owner.Name))
	}
	if w.active == nil {
		return
	}
	for _, port := range w.active.Spec.Ports {
		if !slices.ContainsFunc(w.standby.Spec.Ports, func(p corev1.ServicePort) bool {
			return p.Port == port.Port && p.Protocol == port.Protocol
		}) {
			w.problem(v1alpha1.ReasonServiceMismatch, "spec.services.standby", fmt.Sprintf(
				"Service %q lacks port %d/%s of Service %q: add it", w.standby.Name, port.Port, port.Protocol, w.active.Name))
		}
	}
}

// baseSelector is the selector of a Service without the hash of a revision.
func baseSelector(service *corev1.Service) labels.Set {
	out := labels.Set{}
	for key, value := range service.Spec.Selector {
		if key != v1alpha1.LabelPodTemplateHash {
			out[key] = value
		}
	}
	return out
}

// oneLine writes joined errors in one line.
func oneLine(err error) string {
	return cut(strings.Join(strings.Fields(strings.ReplaceAll(err.Error(), "\n", "; ")), " "), maxMessage)
}

// cut shortens a text to a number of characters.
func cut(text string, limit int) string {
	if utf8.RuneCountInString(text) <= limit {
		return text
	}
	return string([]rune(text)[:limit-1]) + "…"
}
