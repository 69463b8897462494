package simulation

import (
	"fmt"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller/planner"
	"github.com/sluice-dev/sluice/trafficrouting"
	"github.com/sluice-dev/sluice/trafficrouting/gatewayapi"
)

const (
	// reactWithin is longer than it takes other controllers to see that a pod is lost.
	reactWithin = 5 * time.Second
	// mostRouteWrites is how often a route may be written in a minute: a canary of twelve steps without a pause.
	mostRouteWrites = 12
	// mostWeight is the largest weight of a backend in the Gateway API.
	mostWeight = 1_000_000
)

// routeWrite says whether the write is one of a weight.
func (l *look) routeWrite() bool { return l.change.Kind == kindRoute() && l.change.Verb == VerbUpdate }

// scaled is the ReplicaSet before and after a change of its size; ok is false for every other write.
func (l *look) scaled() (hash string, before, after int32, ok bool) {
	old, isOld := l.change.Before.(*appsv1.ReplicaSet)
	rs, isNew := l.change.After.(*appsv1.ReplicaSet)
	if !isOld || !isNew || l.change.Verb != VerbUpdate || rs.DeletionTimestamp != nil {
		return "", 0, 0, false
	}
	b, a := *old.Spec.Replicas, *rs.Spec.Replicas
	return hashOf(rs), b, a, b != a
}

// pointed is the Service whose selected revision was changed; ok is false for every other write.
func (l *look) pointed() (name, revision string, ok bool) {
	old, isOld := l.change.Before.(*corev1.Service)
	service, isNew := l.change.After.(*corev1.Service)
	if !isOld || !isNew {
		return "", "", false
	}
	b, a := old.Spec.Selector[v1alpha1.LabelPodTemplateHash], service.Spec.Selector[v1alpha1.LabelPodTemplateHash]
	return service.Name, a, b != a
}

func sums(l *look) string {
	if !l.routeWrite() {
		return ""
	}
	if l.after.weight == planner.WeightUnknown {
		return "the rules disagree, or their share is no whole number of tenths"
	}
	route, _ := l.change.After.(*unstructured.Unstructured)
	for _, ref := range backendsOf(route) {
		if weight, ok := ref["weight"].(int64); ok && (weight < 0 || weight > mostWeight) {
			return fmt.Sprintf("backend %v has weight %d", ref["name"], weight)
		}
	}
	return ""
}

// backendsOf are the backends of all rules of a route.
func backendsOf(route *unstructured.Unstructured) []map[string]any {
	var out []map[string]any
	rules, _, _ := unstructured.NestedSlice(route.Object, "spec", "rules")
	for _, r := range rules {
		rule, _ := r.(map[string]any)
		refs, _ := rule["backendRefs"].([]any)
		for _, b := range refs {
			if ref, ok := b.(map[string]any); ok {
				out = append(out, ref)
			}
		}
	}
	return out
}

func noEmpty(l *look) string {
	t := l.after
	if !l.routeWrite() || l.replicas() == 0 || l.before.weight == planner.WeightUnknown || t.weight == l.before.weight {
		return ""
	}
	raised, share := t.standby, t.weight
	least := need(l.replicas(), share)
	if t.weight < l.before.weight {
		raised, share = t.active, planner.FullWeight-t.weight
		least = need(l.replicas(), share)
		if raised.selects == t.rollout.Status.State.Stable && (!t.spec.Proportional || t.standby.answering() == 0) {
			least = 1 // one serving pod of stable is enough to leave a bad version, or one of which nothing serves
		}
	}
	if serves := raised.answering(); serves+l.world.checker.fates < least {
		return fmt.Sprintf("share %d on %d serving endpoints, %d needed", share, serves, least)
	}
	return ""
}

// lost notices requests that the gateway can send nowhere, in a run in which nobody took anything away.
func lost(w *World, s *subject, t *truth, _ time.Time) string {
	if !s.counts(w, t) {
		return ""
	}
	if detail := t.active.nowhere(planner.FullWeight - t.programmed); detail != "" {
		return detail
	}
	return t.standby.nowhere(t.programmed)
}

// counts says whether a request that is lost is lost because of us.
func (s *subject) counts(w *World, t *truth) bool {
	taken := w.checker.fates > 0 || w.checker.disturbed || t.rollout.DeletionTimestamp != nil
	return !taken && t.spec.Mode != planner.Ratio && t.spec.Replicas > 0 && t.rollout.Spec.Services != nil && s.served(t)
}

// nowhere says that the gateway sends requests to a Service of which it knows nothing that serves.
func (b backend) nowhere(share int32) string {
	if share == 0 || b.service == nil || sum(b.alive) > 0 {
		return ""
	}
	return fmt.Sprintf("the gateway sends %d to Service %s, of which it knows %d endpoints, and none that serves", share,
		b.service.Name, sum(b.heard))
}

// served says whether all traffic has reached a serving pod once since the Rollout was healthy. A restart ends pods as a
// Deployment does: it counts on pods that are ending to answer until gateways have heard, and those here do not.
func (s *subject) served(t *truth) bool {
	if !t.rollout.Status.State.RestartAt.IsZero() {
		s.reached = false
		return false
	}
	if !s.reached && s.healthy {
		s.reached = (t.programmed == planner.FullWeight || sum(t.active.alive) > 0) && (t.programmed == 0 || sum(t.standby.alive) > 0)
	}
	return s.reached
}

func order(l *look) string {
	if detail := early(l); detail != "" {
		return detail
	}
	hash, had, has, scaled := l.scaled()
	if !scaled || has >= had || l.after.spec.Mode == planner.Ratio {
		return ""
	}
	share := l.after.share(hash)
	if least := min(need(l.replicas(), share), had); has < least {
		return fmt.Sprintf("%s to %d pods with share %d", hash, has, share)
	}
	if n := l.before.stillSent(hash); has == 0 && n > 0 && l.replicas() > 0 && l.before.rollout.Status.State.Stable != "" {
		return fmt.Sprintf("%s to 0 pods while the gateway sends requests to %d of them", hash, n)
	}
	return ""
}

// early notices a first share that the gateway can send nowhere yet. On the way back to stable nothing waits for it.
func early(l *look) string {
	st := l.before.rollout.Status.State
	first := l.routeWrite() && l.before.weight == 0 && !l.before.matching && (l.after.weight > 0 || l.after.matching)
	if !first || !releasing(st) || l.replicas() == 0 || l.after.standby.selects != st.Candidate {
		return ""
	}
	if l.after.standby.alive[st.Candidate]+l.world.checker.fates == 0 {
		return fmt.Sprintf("weight %d before the gateway knows an endpoint of %s that serves", l.after.weight, st.Candidate)
	}
	return ""
}

// stillSent is the number of serving pods of a revision that requests can still reach.
func (t *truth) stillSent(hash string) int32 {
	var n int32
	if t.spec.Mode == planner.Switch || t.programmed < planner.FullWeight {
		n += t.active.alive[hash]
	}
	if t.spec.Mode == planner.Routed && (t.programmed > 0 || t.matching) {
		n += t.standby.alive[hash]
	}
	return n
}

func selector(l *look) string {
	name, to, ok := l.pointed()
	if !ok || l.before.spec.Mode == planner.Ratio {
		return ""
	}
	active := name == l.before.rollout.Spec.Services.Active
	if active && (l.before.spec.Mode == planner.Switch || l.before.active.selects == "") {
		if l.serves(to) < min(1, l.replicas()) {
			return fmt.Sprintf("active switched to %q, of which nothing serves", to)
		}
		return ""
	}
	carried := l.before.carried(name)
	least := min(need(l.replicas(), carried), l.before.backend(name).answering())
	if carried > 0 && sum(l.before.backend(name).ready) > 0 && l.serves(to) < least {
		return fmt.Sprintf("Service %s carries %d and is pointed at %q, of which %d pods serve, and not %d", name, carried, to,
			l.serves(to), least)
	}
	return ""
}

// serves is the number of pods of a revision that serve, or that have been lost just now; of all when it is empty.
func (l *look) serves(hash string) int32 {
	n := l.world.checker.fates
	for other, s := range l.after.sets {
		if hash == "" || hash == other {
			n += s.serving
		}
	}
	return n
}

func stableCap(l *look) string {
	hash, had, has, ok := l.scaled()
	t := l.after
	if !ok || has >= had || hash != t.rollout.Status.State.Stable || t.spec.Mode == planner.Ratio {
		return ""
	}
	least := l.replicas()
	if t.spec.Proportional {
		least = need(least, t.share(hash))
	}
	if has < min(least, had) {
		return fmt.Sprintf("stable %s from %d to %d pods, it needs %d", hash, had, has, least)
	}
	return ""
}

func react(w *World, s *subject, t *truth, to time.Time) string {
	unable := w.refusing != nil && w.now.Before(w.refusing.until) ||
		slices.ContainsFunc(w.processes, func(p *Process) bool {
			return p.behind() || len(p.failures) > 0 || !p.resyncAt.IsZero() // one of whose events was lost
		})
	broken := w.broken(t)
	switch st := t.rollout.Status.State; {
	case broken == "" || unable: // it cannot know yet, or cannot act
		s.brokenAt, s.broken = time.Time{}, ""
	case s.broken != broken:
		s.brokenAt, s.broken = w.now, broken
	case to.Sub(s.brokenAt) > reactWithin:
		return fmt.Sprintf("%s has had share %d for %s, and %s", st.Candidate, t.share(st.Candidate), to.Sub(s.brokenAt), broken)
	}
	return ""
}

// broken says why the candidate should have no traffic, although it has, and stable could have it.
func (w *World) broken(t *truth) string {
	st := t.rollout.Status.State
	stable := t.sets[st.Stable].serving
	if t.spec.Replicas == 0 || t.share(st.Candidate) == 0 || stable == 0 {
		return ""
	}
	switch {
	case (releasing(st) || st.Stage == v1alpha1.StageRetreating) && t.sets[st.Candidate].serving == 0:
		return "nothing of it serves"
	case w.free(t): // otherwise it goes as far as it can
		return w.dismissed(t)
	}
	return ""
}

// dismissed says why the candidate is not to have any traffic.
func (w *World) dismissed(t *truth) string {
	switch st := t.rollout.Status.State; {
	case st.Stage == v1alpha1.StageRetreating, st.Stage == v1alpha1.StageAborted:
		return "it was aborted"
	case releasing(st) && w.failing(t):
		return "an analysis of it has failed"
	}
	return ""
}

// free says whether nothing stands in the way of the whole traffic to stable: pods, a gateway, Services, routes.
func (w *World) free(t *truth) bool {
	whole := !t.spec.Proportional || t.sets[t.rollout.Status.State.Stable].serving >= t.spec.Replicas
	return whole && len(w.env.refusals) == 0 && t.weight != planner.WeightUnknown && t.active.service != nil && t.standby.service != nil
}

// failing says whether an analysis of the release under way has failed.
func (w *World) failing(t *truth) bool {
	for _, run := range listed[*v1alpha1.AnalysisRun](w.Server, kindAnalysisRun(), t.rollout.Namespace) {
		current := w.runOf(t, run.Spec.Gate) // those of an earlier round decide nothing
		if run.Status.Phase == v1alpha1.AnalysisFailed && metav1.IsControlledBy(run, t.rollout) && current != nil &&
			run.Name == current.Name {
			return true
		}
	}
	return false
}

func fields(l *look) string {
	switch l.change.Kind {
	case kindRollout():
		return rolloutFields(l)
	case kindRoute():
		return routeFields(l)
	case kindService():
		return serviceFields(l)
	case kindReplicaSet():
		return setFields(l)
	case kindDeployment():
		return deploymentFields(l)
	case kindConfigMap(), kindSecret():
		return configurationFields(l)
	}
	return ""
}

func rolloutFields(l *look) string {
	before, ok := l.change.Before.(*v1alpha1.Rollout)
	after, isRollout := l.change.After.(*v1alpha1.Rollout)
	if l.change.Verb == VerbStatus || !isRollout {
		return "" // the last finalizer was taken off
	}
	same := ok && equality.Semantic.DeepEqual(before.Spec, after.Spec) && maps.Equal(before.Annotations, after.Annotations) &&
		maps.Equal(before.Labels, after.Labels)
	if !same {
		return "more than the status and the finalizer of the Rollout was written"
	}
	return ""
}

// routeFields compares a route without the weights of its backends, the standby one, and what is laid over them: with what it was,
// or with the template that the Rollout has of it.
func routeFields(l *look) string {
	before, ok := l.change.Before.(*unstructured.Unstructured)
	after, isRoute := l.change.After.(*unstructured.Unstructured)
	if !isRoute {
		return "a route was deleted"
	}
	standby := l.after.rollout.Spec.Services.StandbyName()
	if madeOf(l.pass.Rollout, after, standby) != nil {
		return ""
	}
	if !ok {
		return "a route was made of nothing"
	}
	if metav1.IsControlledBy(before, l.after.rollout) && metav1.GetControllerOf(after) == nil {
		after = copyOf(after)
		after.SetOwnerReferences(before.GetOwnerReferences()) // it is given up
	}
	if !equality.Semantic.DeepEqual(withoutWeights(before, standby), withoutWeights(after, standby)) {
		return "more than weights, the standby backend, generated rules and mirrors differs"
	}
	return ""
}

// madeOf is what a template of a Rollout says, of a route that is so, and the Rollout's own; nil for any other.
func madeOf(rollout *v1alpha1.Rollout, route *unstructured.Unstructured, standby string) *unstructured.Unstructured {
	if route == nil {
		return nil
	}
	i := slices.IndexFunc(routesOf(rollout), func(ref trafficrouting.Route) bool { return ref.Template != nil && ref.Name == route.GetName() })
	if i < 0 || !metav1.IsControlledBy(route, rollout) {
		return nil
	}
	plain := gatewayapi.Plain(kindRoute(), routesOf(rollout)[i])
	if !equality.Semantic.DeepEqual(withoutWeights(plain, standby)["spec"], withoutWeights(route, standby)["spec"]) {
		return nil
	}
	return plain
}

func withoutWeights(route *unstructured.Unstructured, standby string) map[string]any {
	out := route.DeepCopy()
	out.SetResourceVersion("")
	out.SetGeneration(0)
	out.SetManagedFields(nil)
	delete(out.Object, "status")
	rules, _, _ := unstructured.NestedSlice(out.Object, "spec", "rules")
	rules = slices.DeleteFunc(rules, func(r any) bool { return generatedFor(standby, r) })
	for _, r := range rules {
		rule, _ := r.(map[string]any)
		withoutMirror(rule, standby)
		refs, _ := rule["backendRefs"].([]any)
		var kept []any
		for _, b := range refs {
			ref, _ := b.(map[string]any)
			if ref["name"] == standby {
				continue
			}
			delete(ref, "weight")
			withoutCookie(ref)
			kept = append(kept, ref)
		}
		rule["backendRefs"] = kept
	}
	_ = unstructured.SetNestedSlice(out.Object, rules, "spec", "rules")
	return out.Object
}

func serviceFields(l *look) string {
	before, ok := l.change.Before.(*corev1.Service)
	after, isService := l.change.After.(*corev1.Service)
	if !ok || !isService {
		if l.change.Verb == VerbCreate && metav1.IsControlledBy(l.change.After, l.after.rollout) || l.takesTwinAlong(before) || l.closes(before) {
			return ""
		}
		return "a Service that is not ours was created or deleted"
	}
	x, y := before.DeepCopy(), after.DeepCopy()
	for _, s := range []*corev1.Service{x, y} {
		s.ResourceVersion, s.Generation, s.ManagedFields = "", 0, nil
		delete(s.Spec.Selector, v1alpha1.LabelPodTemplateHash)
		if metav1.IsControlledBy(s, l.after.rollout) {
			s.Spec.Ports, s.Spec.Selector = nil, nil
		}
	}
	if !equality.Semantic.DeepEqual(x, y) {
		return fmt.Sprintf("more than one label of the selector of Service %s differs", after.Name)
	}
	return ""
}

// takesTwinAlong says whether a Service was deleted that a Rollout has made, and that nobody else would delete, as the Rollout
// is being deleted without its dependents.
func (l *look) takesTwinAlong(service *corev1.Service) bool {
	if service == nil || l.change.Verb != VerbDelete {
		return false
	}
	owner := metav1.GetControllerOf(service)
	return l.after.rollout.DeletionTimestamp != nil &&
		service.Labels[v1alpha1.LabelRollout] == l.after.rollout.Name && (owner == nil || owner.UID == l.after.rollout.UID)
}

func setFields(l *look) string {
	before, ok := l.change.Before.(*appsv1.ReplicaSet)
	after, isSet := l.change.After.(*appsv1.ReplicaSet)
	if !ok || !isSet {
		return ""
	}
	x, y := before.DeepCopy(), after.DeepCopy()
	for _, rs := range []*appsv1.ReplicaSet{x, y} {
		rs.ResourceVersion, rs.Generation, rs.Spec.Replicas, rs.Spec.MinReadySeconds = "", 0, nil, 0
		delete(rs.Annotations, v1alpha1.AnnotationRevisionNumber)
		rs.DeletionTimestamp = nil
		if l.adopts() {
			rs.OwnerReferences, rs.Annotations = nil, nil
		}
		if l.after.rollout.Spec.RoleMetadata != nil {
			// Labels and annotations of a role are written to the template, and what they were is kept beside it.
			delete(rs.Annotations, v1alpha1.AnnotationRoleMetadata)
			rs.Spec.Template.ObjectMeta = metav1.ObjectMeta{}
		}
	}
	if !equality.Semantic.DeepEqual(x, y) {
		return fmt.Sprintf("more than the size of ReplicaSet %s differs", client.ObjectKeyFromObject(after).Name)
	}
	return ""
}
