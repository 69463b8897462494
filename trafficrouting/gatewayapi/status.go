package gatewayapi

import (
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// attachment is the part of a route that says who serves it. All kinds of route have it in common.
type attachment struct {
	Spec   gatewayv1.CommonRouteSpec `json:"spec"`
	Status gatewayv1.RouteStatus     `json:"status"`
}

// Accepted says whether a route is in force as it was read: every parent in spec.parentRefs has an entry in
// status.parents with Accepted and ResolvedRefs true for the generation of the route or a later one. Where several
// controllers report on one parent, all must agree; but a Gateway and a
// ListenerSet have one controller at a time, so that a report of an
// earlier generation beside one of this generation was left by a controller that is gone, and does not count. No status,
// or one of an earlier generation, is no error: the gateway has not come to it yet.
//
// The error is a *RouteError for a route that waiting will not help: one that a gateway refuses at this generation, with
// the words of that gateway, or one that has no parent.
func Accepted(route *unstructured.Unstructured) (bool, error) {
	var a attachment
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(route.Object, &a); err != nil {
		return false, unusable("spec.parentRefs or status.parents cannot be read: %v", err)
	}
	wanted := a.wanted(route.GetNamespace())
	if len(wanted) == 0 && !a.defaultGateways() {
		return false, &RouteError{
			Reason:  v1alpha1.ReasonRouteNotAccepted,
			Message: "spec.parentRefs is empty, so that no gateway serves the route: name a Gateway in spec.parentRefs",
		}
	}
	accepted := len(wanted) > 0
	for _, p := range wanted {
		ok, err := a.acceptedBy(p, route)
		if err != nil {
			return false, err
		}
		accepted = accepted && ok
	}
	return accepted, nil
}

// wanted are the parents that the route asks for. A route that leaves them to the defaults of the cluster has those that
// took it.
func (a attachment) wanted(namespace string) []parent {
	var out []parent
	for _, ref := range a.Spec.ParentRefs {
		out = append(out, parentOf(ref, namespace))
	}
	if len(out) > 0 || !a.defaultGateways() {
		return out
	}
	for _, s := range a.Status.Parents {
		out = append(out, parentOf(s.ParentRef, namespace))
	}
	return out
}

// defaultGateways says whether the route leaves its parents to the cluster, a field of the experimental channel.
func (a attachment) defaultGateways() bool {
	scope := a.Spec.UseDefaultGateways
	return scope != "" && scope != gatewayv1.GatewayDefaultScopeNone
}

// acceptedBy says whether the reports of one parent accept the route as it was read.
func (a attachment) acceptedBy(p parent, route *unstructured.Unstructured) (bool, error) {
	reports := map[answer]int{}
	for _, s := range a.Status.Parents {
		if parentOf(s.ParentRef, route.GetNamespace()) != p {
			continue
		}
		said, err := answerOf(p, s, route.GetGeneration())
		if err != nil {
			return false, err
		}
		reports[said]++
	}
	return reports[accepts] > 0 && reports[undecided] == 0 && (reports[behind] == 0 || p.hasOneController()), nil
}

// answer is what one controller says of a route, as long as it does not refuse it.
type answer int

const (
	behind    answer = iota // nothing about this generation
	undecided               // something about this generation, and not yet that it is in force
	accepts
)

// answerOf reads one report. The error is a refusal.
func answerOf(p parent, s gatewayv1.RouteParentStatus, generation int64) (answer, error) {
	current, accepted := 0, 0
	conditions := []gatewayv1.RouteConditionType{gatewayv1.RouteConditionAccepted, gatewayv1.RouteConditionResolvedRefs}
	for _, condition := range conditions {
		c := meta.FindStatusCondition(s.Conditions, string(condition))
		if c == nil || c.ObservedGeneration < generation {
			continue
		}
		current++
		switch c.Status {
		case metav1.ConditionFalse:
			return undecided, refused(p, *c)
		case metav1.ConditionTrue:
			accepted++
		case metav1.ConditionUnknown:
		}
	}
	switch {
	case accepted == len(conditions):
		return accepts, nil
	case current > 0:
		return undecided, nil
	}
	return behind, nil
}

func refused(p parent, c metav1.Condition) error {
	return &RouteError{Reason: v1alpha1.ReasonRouteNotAccepted, Message: fmt.Sprintf(
		"%s reports %s=False (%s): %s", p, c.Type, c.Reason, c.Message)}
}

const (
	// gatewayKind is the kind of a parent that names none.
	gatewayKind = "Gateway"
	// listenerSetKind is the kind of a parent that adds listeners to a Gateway.
	listenerSetKind = "ListenerSet"
)

// parent is a reference to a parent with its defaults filled in, so that two can be compared.
type parent struct {
	group, kind, namespace, name, section string
	port                                  gatewayv1.PortNumber
}

func parentOf(ref gatewayv1.ParentReference, namespace string) parent {
	return parent{
		group:     string(ptr.Deref(ref.Group, gatewayv1.GroupName)),
		kind:      string(ptr.Deref(ref.Kind, gatewayKind)),
		namespace: string(ptr.Deref(ref.Namespace, gatewayv1.Namespace(namespace))),
		name:      string(ref.Name),
		section:   string(ptr.Deref(ref.SectionName, "")),
		port:      ptr.Deref(ref.Port, 0),
	}
}

// hasOneController says whether only one controller at a time can speak for a parent: the one of its GatewayClass. Several
// meshes may speak for a Service, and nothing is known of other kinds.
func (p parent) hasOneController() bool {
	return p.group == gatewayv1.GroupName && (p.kind == gatewayKind || p.kind == listenerSetKind)
}

// String names the parent as a person would look for it.
func (p parent) String() string {
	s := fmt.Sprintf("%s %s/%s", p.kind, p.namespace, p.name)
	if p.section != "" {
		s += ", section " + p.section
	}
	if p.port != 0 {
		s += fmt.Sprintf(", port %d", p.port)
	}
	return s
}
