package simulation

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller/planner"
	"github.com/sluice-dev/sluice/trafficrouting/gatewayapi"
)

// What a step lays over a weight is looked at here by what a person would see in a route, and not by the code that lays it.

func overlayInvariants() []Invariant {
	return []Invariant{
		{
			Name: "MATCH-GONE", write: matchGone, rest: matchAtRest,
			Sentence: "generated rules and mirrors are in a route only beside the weight of the step that asks for them: the write that " +
				"takes that weight takes all of them, whether by an abort, a promotion, another template or a deletion",
		},
		{
			Name: "MATCH-READY", write: matchReady, time: matchLost,
			Sentence: "requests are matched to the candidate, and copied to it, once the gateway knows an endpoint of it that serves, and " +
				"while nothing is taken away from outside none is matched to a Service of which nothing serves",
		},
		{
			Name: "RESTORE", write: restores,
			Sentence: "a route of which the standby Service has nothing is byte for byte what its owner wrote, or its template last said",
		},
	}
}

// traces are what a route has of overlays.
type traces struct{ rules, mirrors, cookies int }

func (t traces) any() bool { return t.rules+t.mirrors+t.cookies > 0 }

// tracesOf finds what is laid over the weights of a route for a standby Service.
func tracesOf(route *unstructured.Unstructured, standby string) traces {
	var out traces
	rules, _, _ := unstructured.NestedSlice(route.Object, "spec", "rules")
	for _, ref := range backendsOf(route) {
		filters, _ := ref["filters"].([]any)
		out.cookies += len(slices.DeleteFunc(slices.Clone(filters), func(f any) bool { return !setsCookie(f) }))
	}
	for _, item := range rules {
		if generatedFor(standby, item) {
			out.rules++
			continue
		}
		rule, _ := item.(map[string]any)
		filters, _ := rule["filters"].([]any)
		for _, f := range filters {
			if mirrorsTo(standby, f) {
				out.mirrors++
			}
		}
	}
	return out
}

// generatedFor says whether a rule is one that was made for requests which match.
func generatedFor(standby string, item any) bool {
	rule, _ := item.(map[string]any)
	name, _ := rule["name"].(string)
	return strings.HasPrefix(name, "sluice-"+standby+"-")
}

// setsCookie says whether a filter gives answers a cookie.
func setsCookie(filter any) bool { return strings.Contains(fmt.Sprint(filter), "Set-Cookie") }

// mirrorsTo says whether a filter copies requests to a Service.
func mirrorsTo(service string, filter any) bool {
	fields, _ := filter.(map[string]any)
	name, _, _ := unstructured.NestedString(fields, "requestMirror", "backendRef", "name")
	return name == service
}

// withoutCookie takes what sets a cookie out of a backend.
func withoutCookie(ref map[string]any) {
	filters, ok := ref["filters"].([]any)
	if !ok {
		return
	}
	filters = slices.DeleteFunc(filters, setsCookie)
	if ref["filters"] = filters; len(filters) == 0 {
		delete(ref, "filters")
	}
}

// withoutMirror takes the mirror out of a rule.
func withoutMirror(rule map[string]any, standby string) {
	filters, ok := rule["filters"].([]any)
	if !ok {
		return
	}
	filters = slices.DeleteFunc(filters, func(f any) bool { return mirrorsTo(standby, f) })
	if rule["filters"] = filters; len(filters) == 0 {
		delete(rule, "filters")
	}
}

// routed is the route of a write and the weight that it says; nil for other writes.
func (l *look) routed() (route *unstructured.Unstructured, weight int32) {
	route, ok := l.change.After.(*unstructured.Unstructured)
	if !ok || !l.routeWrite() {
		return nil, 0
	}
	weight, _ = gatewayapi.Weight(route, splitOf(l.after.rollout))
	return route, weight
}

func matchGone(l *look) string {
	route, weight := l.routed()
	if route == nil || !tracesOf(route, l.after.rollout.Spec.Services.StandbyName()).any() {
		return ""
	}
	st := l.before.rollout.Status.State
	switch {
	case l.pass.Rollout.DeletionTimestamp != nil:
		return fmt.Sprintf("it has %s, and the Rollout is being deleted", laidWords(route))
	case st.Stage == v1alpha1.StageRetreating, st.Stage == v1alpha1.StagePromoting:
		return fmt.Sprintf("it has %s, and the release is over its steps", laidWords(route))
	case !l.asked(route, weight):
		return fmt.Sprintf("it has %s at weight %d, which no step asks for together", laidWords(route), weight)
	}
	return ""
}

// asked says whether a step that the release may be at has a weight together with what a route has laid over it. The memory is
// persisted after a write, so that it may be the next step, or the first.
func (l *look) asked(route *unstructured.Unstructured, weight int32) bool {
	spec, err := planner.Compile(&l.pass.Rollout.Spec, Settle)
	if err != nil {
		return false
	}
	st := l.before.rollout.Status.State
	for i, overlay := range spec.Overlays {
		spec.Overlays[i] = overlay.Of(fmt.Sprintf("%s.%d", st.Candidate, st.Attempt))
	}
	fits, err := gatewayapi.Laid(route, splitOf(l.after.rollout), spec.Overlays)
	at := st.Step
	return err == nil && slices.ContainsFunc(spec.Steps, func(step planner.Step) bool {
		i := int32(slices.IndexFunc(spec.Steps, func(s planner.Step) bool { return s.Weight == step.Weight && s.Overlay == step.Overlay }))
		near := i == 0 || i == at || i == at+1 || int(at) >= len(spec.Steps)
		return near && step.Weight == weight && slices.Contains(fits, int(step.Overlay))
	})
}

// laidWords say what a route has laid over its weights.
func laidWords(route *unstructured.Unstructured) string {
	var names []string
	rules, _, _ := unstructured.NestedSlice(route.Object, "spec", "rules")
	for _, item := range rules {
		rule, _ := item.(map[string]any)
		names = append(names, fmt.Sprintf("rule %v with filters %v", rule["name"], rule["filters"]))
	}
	return strings.Join(names, ", ")
}

// matchAtRest looks at a Rollout that is at rest beside its steps. One that a person holds at the end of the last step has what
// that step asked for.
func matchAtRest(w *World, _ *subject, t *truth) string {
	if t == nil || !t.laid || w.unrest || w.checker.disturbed {
		return ""
	}
	stage := t.rollout.Status.State.Stage
	if stage == v1alpha1.StageStepping || stage == v1alpha1.StagePromoting && t.rollout.Spec.Paused || len(w.env.refusals) > 0 || conditionTrue(t.rollout.Status, v1alpha1.ConditionStalled) {
		return ""
	}
	return "a generated rule or a mirror is left, and no step is under way"
}

func matchReady(l *look) string {
	route, _ := l.routed()
	if route == nil || l.before.laid || !l.after.laid || l.replicas() == 0 {
		return ""
	}
	candidate := l.after.standby.selects
	if n := l.after.standby.alive[candidate] + l.world.checker.fates; n == 0 {
		return fmt.Sprintf("%s, before the gateway knows an endpoint of %q that serves", laidWords(route), candidate)
	}
	return ""
}

// matchLost notices requests that match and that the gateway can send nowhere.
func matchLost(w *World, s *subject, t *truth, _ time.Time) string {
	if t.spec.Mode != planner.Routed || !w.matches(t) || !s.counts(w, t) {
		return ""
	}
	return t.standby.nowhere(matched)
}

// matches says whether the gateway sends requests to the standby Service whatever the weight.
func (w *World) matches(t *truth) bool {
	for key, matching := range w.env.matching {
		if matching && key.Namespace == t.rollout.Namespace && namesRoute(t.rollout, key.Name) {
			return true
		}
	}
	return false
}

// authored notes a route that somebody else has written.
func (c *checker) authored(change *Change) {
	delete(c.written, change.Key)
	route, ok := change.After.(*unstructured.Unstructured)
	if !ok {
		return
	}
	for _, ref := range backendsOf(route) {
		if name, _ := ref["name"].(string); strings.HasSuffix(name, v1alpha1.DefaultStandbySuffix) {
			return // in mid-release, or with a share that is not the owner's to give
		}
	}
	c.written[change.Key] = route
}

func restores(l *look) string {
	route, weight := l.routed()
	if plain := madeOf(l.pass.Rollout, route, l.after.rollout.Spec.Services.StandbyName()); plain != nil {
		l.world.checker.written[l.change.Key] = plain
	}
	if route == nil || weight != 0 || tracesOf(route, l.after.rollout.Spec.Services.StandbyName()).any() {
		return ""
	}
	origin, ok := l.world.checker.written[l.change.Key].(*unstructured.Unstructured)
	if !ok {
		return ""
	}
	if !equality.Semantic.DeepEqual(origin.Object["spec"], route.Object["spec"]) {
		return fmt.Sprintf("its spec is %v, and its owner wrote %v", route.Object["spec"], origin.Object["spec"])
	}
	return ""
}

// overlayAtRest says what is wrong with what the status says of overlays.
func overlayAtRest(status v1alpha1.RolloutStatus, t *truth) string {
	if (status.Overlay != "") == t.laid {
		return ""
	}
	return fmt.Sprintf("the status says %q of what is laid over the weight; that something is there is %v", status.Overlay, t.laid)
}
