//go:build apiserver

package faults_test

import (
	"fmt"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/utils/ptr"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/apiserver/live"
)

// A rule holds after every single write, whoever made it: a controller that leads, one that thinks that it leads, or one
// that starts in the middle. It is given the truth before the write, and the change.
type rule struct {
	name string
	// says is the rule in one sentence.
	says string
	// broken says how a change breaks the rule; empty when it does not.
	broken func(before *truth, c change) string
}

// rules are those of a canary by route of one Rollout, called web, that every fault must keep.
func rules() []rule {
	return []rule{
		{"NO-EMPTY", "No Service gets a greater share than its ready pods can carry.", noEmpty},
		{"SELECTOR", "A Service with a share selects only what can carry it.", selectorCarries},
		{"ORDER", "No ReplicaSet shrinks below what the share of its revision needs.", shrinksBehind},
		{"STABLE-CAP", "Stable keeps all replicas while a release takes its steps.", stableIsWhole},
		{"ONE-RS", "There is one ReplicaSet for a template.", oneReplicaSet},
		{"STEP-MONO", "Steps of an attempt, and attempts, are never taken back.", stepsGoOn},
		{"GATE-ONCE", "The gates of a step begin once.", gatesBeginOnce},
		{"PAUSE", "A pause is not shorter than written.", pausesInFull},
		{"ABORT-STICKY", "After an abort nothing gives the revision pods or traffic.", abortStays},
	}
}

// wantSafe holds that a history keeps all rules, and that a release took place in it.
func (h *tape) wantSafe() {
	t := h.w.T
	t.Helper()
	h.wind()
	for _, broken := range violations(h.changes) {
		t.Error(broken)
	}
	t.Logf("%d changes of %s were looked at, with %d rules each", len(h.changes), h.w.Namespace, len(rules()))
	if len(h.changes) < 20 {
		t.Errorf("%d changes: that is no release", len(h.changes))
	}
}

// violations are what breaks a rule in a history.
func violations(changes []change) []string {
	var out []string
	now := newTruth()
	for _, c := range changes {
		for _, r := range rules() {
			if detail := r.broken(now, c); detail != "" {
				out = append(out, fmt.Sprintf("%s, at revision %d of etcd: %s", r.name, c.revision, detail))
			}
		}
		now.commit(c)
	}
	return out
}

// web is the Rollout, or nil.
func (h *truth) web() *v1alpha1.Rollout {
	for _, rollout := range h.rollouts {
		return rollout
	}
	return nil
}

func (h *truth) state() v1alpha1.RolloutState {
	if web := h.web(); web != nil {
		return web.Status.State
	}
	return v1alpha1.RolloutState{}
}

// weight is the share of the standby Service in percent.
func (h *truth) weight() int32 {
	for _, route := range h.routes {
		return live.WeightOf(route)
	}
	return 0
}

// share of a Service in percent.
func share(service *corev1.Service, weight int32) int32 {
	if strings.HasSuffix(service.Name, "-standby") {
		return weight
	}
	return 100 - weight
}

// need is how many pods a share takes; a share takes at least one.
func (h *truth) need(share int32) int32 {
	if h.web() == nil || share == 0 {
		return 0
	}
	replicas := ptr.Deref(h.web().Spec.Replicas, 1)
	return (replicas*share + 99) / 100
}

// ready is how many ready pods a Service selects.
func (h *truth) ready(service *corev1.Service) int32 {
	var n int32
	for _, pod := range h.pods {
		if !labels.SelectorFromSet(service.Spec.Selector).Matches(labels.Set(pod.Labels)) || pod.DeletionTimestamp != nil {
			continue
		}
		for _, condition := range pod.Status.Conditions {
			if condition.Type == corev1.PodReady && condition.Status == corev1.ConditionTrue {
				n++
			}
		}
	}
	return n
}

func noEmpty(before *truth, c change) string {
	route, ok := c.obj.(*gatewayv1.HTTPRoute)
	if !ok {
		return ""
	}
	was, is := before.weight(), live.WeightOf(route)
	for _, service := range before.services {
		if share(service, is) <= share(service, was) {
			continue
		}
		if ready, need := before.ready(service), before.need(share(service, is)); ready < need {
			return fmt.Sprintf("%s gets %d %% with %d ready pods, %d needed", service.Name, share(service, is), ready, need)
		}
	}
	return ""
}

func selectorCarries(before *truth, c change) string {
	service, ok := c.obj.(*corev1.Service)
	was := before.services[c.key]
	if !ok || was == nil || before.state().Stable == "" || labels.Equals(was.Spec.Selector, service.Spec.Selector) {
		return ""
	}
	need := before.need(share(service, before.weight()))
	if ready := before.ready(service); ready < need {
		return fmt.Sprintf("%s selects %v with %d ready pods, %d needed", service.Name, service.Spec.Selector, ready, need)
	}
	return ""
}

func shrinksBehind(before *truth, c change) string {
	rs, ok := c.obj.(*appsv1.ReplicaSet)
	was := before.sets[c.key]
	if !ok || was == nil || *rs.Spec.Replicas >= *was.Spec.Replicas {
		return ""
	}
	for _, service := range before.services {
		if !labels.SelectorFromSet(service.Spec.Selector).Matches(labels.Set(rs.Spec.Template.Labels)) {
			continue
		}
		if need := before.need(share(service, before.weight())); *rs.Spec.Replicas < need {
			return fmt.Sprintf("%s shrinks to %d, and %s needs %d", rs.Name, *rs.Spec.Replicas, service.Name, need)
		}
	}
	return ""
}

func stableIsWhole(before *truth, c change) string {
	rs, ok := c.obj.(*appsv1.ReplicaSet)
	state := before.state()
	if !ok || state.Stage != v1alpha1.StageStepping || rs.Labels[v1alpha1.LabelPodTemplateHash] != state.Stable {
		return ""
	}
	if want := before.need(100); *rs.Spec.Replicas < want {
		return fmt.Sprintf("stable %s has the size %d, want %d", rs.Name, *rs.Spec.Replicas, want)
	}
	return ""
}

func oneReplicaSet(before *truth, c change) string {
	rs, ok := c.obj.(*appsv1.ReplicaSet)
	if !ok {
		return ""
	}
	template := rs.Annotations[v1alpha1.AnnotationTemplate]
	for key, other := range before.sets {
		if key != c.key && other.Annotations[v1alpha1.AnnotationTemplate] == template {
			return fmt.Sprintf("%s and %s have the same template", rs.Name, other.Name)
		}
	}
	return ""
}

// progress are the states before and after a change of the Rollout.
func progress(before *truth, c change) (was, is v1alpha1.RolloutState, ok bool) {
	rollout, ok := c.obj.(*v1alpha1.Rollout)
	if !ok || before.web() == nil {
		return was, is, false
	}
	return before.state(), rollout.Status.State, true
}

// sameAttempt says whether two states are of one attempt to release one revision.
func sameAttempt(was, is v1alpha1.RolloutState) bool {
	return was.Candidate != "" && was.Candidate == is.Candidate && was.Attempt == is.Attempt
}

func stepsGoOn(before *truth, c change) string {
	was, is, ok := progress(before, c)
	switch {
	case !ok:
	case is.Attempt < was.Attempt:
		return fmt.Sprintf("attempt %d after %d", is.Attempt, was.Attempt)
	case sameAttempt(was, is) && is.Step < was.Step:
		return fmt.Sprintf("step %d after %d", is.Step, was.Step)
	case is.Candidate == was.Candidate && is.Attempt != was.Attempt:
		return fmt.Sprintf("revision %s is tried again, as attempt %d", is.Candidate, is.Attempt)
	}
	return ""
}

func gatesBeginOnce(before *truth, c change) string {
	was, is, ok := progress(before, c)
	if !ok || !sameAttempt(was, is) || is.Step != was.Step || was.Stage != v1alpha1.StageStepping || is.Stage != was.Stage {
		return ""
	}
	if !was.GatesAt.IsZero() && !was.GatesAt.Equal(&is.GatesAt) {
		return fmt.Sprintf("the gates of step %d began at %s and again at %s", is.Step, was.GatesAt, is.GatesAt)
	}
	return ""
}

func pausesInFull(before *truth, c change) string {
	was, is, ok := progress(before, c)
	if !ok || !sameAttempt(was, is) || is.Step <= was.Step || is.Stage != v1alpha1.StageStepping || !was.PromotedAt.IsZero() {
		return ""
	}
	pause := before.web().Spec.Strategy.Canary.Steps[was.Step].Pause
	if pause == nil || pause.Duration == nil {
		return ""
	}
	if held := written(c).Sub(was.GatesAt.Time); held < pause.Duration.Duration {
		return fmt.Sprintf("step %d was left %s after its gates began, and has a pause of %s", was.Step, held, pause.Duration.Duration)
	}
	return ""
}

// written is the latest moment at which a status can have been written. A write has no time of its own but that of the
// field's manager, in whole seconds.
func written(c change) time.Time {
	var at time.Time
	rollout, ok := c.obj.(*v1alpha1.Rollout)
	if !ok {
		return at
	}
	for _, entry := range rollout.ManagedFields {
		if entry.Subresource == "status" && entry.Time != nil && entry.Time.After(at) {
			at = entry.Time.Time
		}
	}
	return at.Add(time.Second)
}

// abortStays holds against what raises a revision on its way out.
func abortStays(before *truth, c change) string {
	state := before.state()
	if state.Stage != v1alpha1.StageRetreating && state.Stage != v1alpha1.StageAborted {
		return ""
	}
	switch obj := c.obj.(type) {
	case *gatewayv1.HTTPRoute:
		if live.WeightOf(obj) > before.weight() {
			return fmt.Sprintf("weight %d for aborted %s", live.WeightOf(obj), state.Candidate)
		}
	case *appsv1.ReplicaSet:
		var was int32
		if rs := before.sets[c.key]; rs != nil {
			was = *rs.Spec.Replicas
		}
		if obj.Labels[v1alpha1.LabelPodTemplateHash] == state.Candidate && *obj.Spec.Replicas > was {
			return fmt.Sprintf("size %d for aborted %s", *obj.Spec.Replicas, state.Candidate)
		}
	case *v1alpha1.Rollout:
		return comesBack(state, obj.Status.State)
	}
	return ""
}

// comesBack says that an aborted attempt is released again.
func comesBack(aborted, is v1alpha1.RolloutState) string {
	if sameAttempt(aborted, is) && (is.Stage == v1alpha1.StageStepping || is.Stage == v1alpha1.StagePromoting) {
		return fmt.Sprintf("aborted %s is in stage %s again", is.Candidate, is.Stage)
	}
	return ""
}
