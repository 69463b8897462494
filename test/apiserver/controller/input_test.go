//go:build apiserver

package controller_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/apiserver/live"
	"github.com/sluice-dev/sluice/test/builder"
)

// stalls waits for a condition with a reason, and holds that it and the one event name the field and the cure.
func (w *world) stalls(reason string, words ...string) {
	w.T.Helper()
	var condition *metav1.Condition
	w.Reaches("stalled for "+reason, func(s *v1alpha1.RolloutStatus) bool {
		condition = meta.FindStatusCondition(s.Conditions, v1alpha1.ConditionStalled)
		return condition != nil && condition.Status == metav1.ConditionTrue && condition.Reason == reason
	})
	var notes []string
	w.Eventually("an event "+reason, func() (bool, string) {
		notes = w.Told(reason)
		return len(notes) > 0, ""
	})
	if len(notes) != 1 {
		w.T.Errorf("told %d times: %v", len(notes), notes)
	}
	for _, word := range words {
		if !strings.Contains(condition.Message, word) || !strings.Contains(notes[0], word) {
			w.T.Errorf("%q does not stand in the condition %q and the event %q", word, condition.Message, notes[0])
		}
	}
}

// Wrong from the start: nothing comes up, and the cure brings it up.
func TestWrongFromTheStart(t *testing.T) {
	tests := map[string]struct {
		objects []client.Object
		reason  string
		words   []string
		mend    func(*world)
	}{
		"unknown Service": {
			objects: []client.Object{live.Route()}, reason: v1alpha1.ReasonServiceNotFound,
			words: []string{"spec.services.active", `Service "web" does not exist`, "create it"},
			mend:  func(w *world) { w.Make(live.Service()) },
		},
		"missing route": {
			objects: []client.Object{live.Service()}, reason: v1alpha1.ReasonRouteNotFound,
			words: []string{"spec.traffic.gatewayAPI.routes[0]", "does not exist", "create it"},
			mend:  func(w *world) { w.Make(live.Route()) },
		},
		"route without our backends": {
			objects: []client.Object{live.Service(), builder.HTTPRoute("web", "gateway").Rule("/", "other").Obj()},
			reason:  v1alpha1.ReasonRouteWithoutBackend,
			words:   []string{"spec.traffic.gatewayAPI.routes[0]", "Service web", "add a backendRef"},
			mend: func(w *world) {
				live.Alter(w.World, "web", &gatewayv1.HTTPRoute{}, func(r *gatewayv1.HTTPRoute) { r.Spec.Rules = live.Route().Spec.Rules })
			},
		},
		"selector that does not match": {
			objects: []client.Object{builder.Service("", "web", "other"), live.Route()}, reason: v1alpha1.ReasonServiceMismatch,
			words: []string{"spec.services.active", "app=other", "write a selector"},
			mend: func(w *world) {
				live.Alter(w.World, "web", &corev1.Service{}, func(s *corev1.Service) { s.Spec.Selector = map[string]string{"app": "web"} })
			},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := start(t, append(tt.objects, routed().Obj())...)
			w.stalls(tt.reason, tt.words...)
			tt.mend(w)
			w.Reaches("healthy once mended", live.Healthy)
		})
	}
}

// A template that the API server refuses: its words are told once, traffic stays, and the next template goes out.
func TestATemplateThatIsRefused(t *testing.T) {
	w := start(t, append(live.Network(), routed().Obj())...)
	v1 := w.Reaches("healthy", live.Healthy).StableRevision
	w.Edit(func(r *v1alpha1.Rollout) {
		r.Spec.Template = builder.Rollout("web").TemplateJSON(
			`{"metadata":{"labels":{"app":"web"}},"spec":{"containers":[{"name":"Not A Name","image":"x"}]}}`).Obj().Spec.Template
	})
	w.stalls(v1alpha1.ReasonReplicaSetRefused, "spec.template.spec.containers[0].name", "Not A Name")
	if w.Selected("web") != v1 || w.Weight() != 0 {
		t.Errorf("web selects %s, weight %d", w.Selected("web"), w.Weight())
	}
	w.Release(live.ImageV2)
	w.Reaches("the first step of a good template", live.Awaiting)
}

// A quota that is used up is a refusal too, and goes on when it is raised.
func TestAQuotaThatIsUsedUp(t *testing.T) {
	quota := &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Name: "few"},
		Spec:       corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{"count/replicasets.apps": resource.MustParse("0")}},
	}
	w := start(t, append(live.Network(), quota)...)
	quota.Status.Hard = quota.Spec.Hard
	quota.Status.Used = corev1.ResourceList{"count/replicasets.apps": resource.MustParse("0")}
	if err := w.Client.Status().Update(t.Context(), quota); err != nil {
		t.Fatal(err)
	}
	w.Make(routed().Obj())
	w.stalls(v1alpha1.ReasonReplicaSetRefused, "exceeded quota: few")
	w.Remove(&corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Name: "few"}})
	w.Reaches("healthy without the quota", live.Healthy)
}

// An analysis template that is missing is told before the release moves any traffic.
func TestAMissingAnalysisTemplate(t *testing.T) {
	w := start(t, append(live.Network(), builder.Rollout("web").Image(live.ImageV1).Replicas(2).Services("web").Routes("web").
		Canary(builder.Step().Weight("20").Analysis("success-rate")).Obj())...)
	w.stalls(v1alpha1.ReasonTemplateNotFound, "spec.strategy.canary.steps[0].analysis.templates[0].name", `"success-rate"`, "create it")
	w.Make(builder.AnalysisTemplate("success-rate", builder.Metric("rate", "up")).Obj())
	w.Reaches("healthy", live.Healthy)
}

// A standby Service of somebody else is left alone.
func TestAStandbyServiceOfSomebodyElse(t *testing.T) {
	foreign := builder.Service("", "web-standby", "other")
	w := start(t, append(live.Network(), foreign, routed().Obj())...)
	w.stalls(v1alpha1.ReasonServiceMismatch, "spec.services.standby", "app=other")
	if w.Selected("web-standby") != "" {
		t.Errorf("web-standby selects %s", w.Selected("web-standby"))
	}
}

// Of two Rollouts that name one Service the older keeps it, and the other goes on once the first lets it go.
func TestTwoRolloutsOfOneService(t *testing.T) {
	named := func(name string) *v1alpha1.Rollout {
		return builder.Rollout(name).Image(live.ImageV1).Replicas(0).BlueGreen().
			With(func(r *v1alpha1.Rollout) {
				r.Spec.Services = &v1alpha1.Services{Active: "web", Standby: name + "-standby"}
			}).Obj()
	}
	w := start(t, live.Service(), named("first"))
	first := &v1alpha1.Rollout{}
	w.Get("first", first)
	w.Eventually("the next second", func() (bool, string) { return time.Since(first.CreationTimestamp.Time) > time.Second, "" })
	w.Make(named("web"))
	status := w.Reaches("refused", func(s *v1alpha1.RolloutStatus) bool { return live.Reason(s) == v1alpha1.ReasonServiceMismatch })
	if !strings.Contains(status.Message, `spec.services: Rollout "first"`) {
		t.Errorf("the message names no other Rollout: %s", status.Message)
	}
	w.calm()
	live.Alter(w.World, "first", first, func(r *v1alpha1.Rollout) { r.Spec.Services.Active = "other" })
	w.Reaches("healthy with the Service to itself", live.Healthy)
}

func TestACommandThatCannotBeRead(t *testing.T) {
	w := start(t, append(live.Network(), routed().Obj())...)
	w.Reaches("healthy", live.Healthy)
	w.Edit(func(r *v1alpha1.Rollout) { r.Annotations = map[string]string{v1alpha1.AnnotationCommand: "abort"} })
	w.Reaches("an answer", func(s *v1alpha1.RolloutStatus) bool { return s.LastCommand != nil && !s.LastCommand.Accepted })
	w.Eventually("an event", func() (bool, string) {
		notes := w.Told(v1alpha1.ReasonCommandIgnored)
		return len(notes) == 1 && strings.Contains(notes[0], "write <action>/<revision>/<request id>"), fmt.Sprint(notes)
	})
}

// Fields of a pod template that this version does not know are part of the revision, and go to the API server, which
// says by a warning that it was sent them.
func TestUnknownTemplateFieldsReachTheReplicaSet(t *testing.T) {
	template := `{"metadata":{"labels":{"app":"web"}},"spec":{"gravity":{"enabled":true},"containers":[{"name":"web","image":"%s"}]}}`
	rollout := routed().TemplateJSON(fmt.Sprintf(template, live.ImageV1)).Obj()
	w := start(t, append(live.Network(), rollout)...)
	w.Reaches("healthy", live.Healthy)
	if got := w.Log.Warnings(); !strings.Contains(got, `unknown field \"spec.template.spec.gravity\"`) {
		t.Errorf("the API server has warned of %q, and not of the field that it was to be sent", got)
	}
	if got := string(w.Rollout().Spec.Template.Raw); !strings.Contains(got, `"gravity":{"enabled":true}`) {
		t.Errorf("the Rollout has the template %s", got)
	}
}
