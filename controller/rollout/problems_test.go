package rollout

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller/planner"
	"github.com/sluice-dev/sluice/test/builder"
)

// wrong is something wrong with a Rollout that runs, which is found when the next release is asked for.
type wrong struct {
	rollout *builder.RolloutBuilder // routed, when nil
	objects []client.Object
	// spoil makes the thing wrong, after the first rollout.
	spoil func(*harness)
	// reason and words of the condition Stalled and of the one event: the field, and the cure.
	reason string
	words  []string
	// mend makes it right again; nil when another test shows it.
	mend func(*harness)
}

func wrongs() map[string]wrong {
	out := serviceWrongs()
	out["route is gone"] = wrong{
		spoil:  func(h *harness) { h.remove(&gatewayv1.HTTPRoute{ObjectMeta: metav1.ObjectMeta{Name: "web"}}) },
		reason: v1alpha1.ReasonRouteNotFound,
		words:  []string{"spec.traffic.gatewayAPI.routes[0]", "web", "create"},
		mend: func(h *harness) {
			h.make(builder.HTTPRoute("web", "gateway").Namespace(namespace).Rule("/", "web").Obj())
		},
	}
	out["route without our backends"] = wrong{
		spoil: func(h *harness) {
			alter(h, "web", &gatewayv1.HTTPRoute{}, func(route *gatewayv1.HTTPRoute) {
				route.Spec.Rules[0].BackendRefs = route.Spec.Rules[0].BackendRefs[:1]
				route.Spec.Rules[0].BackendRefs[0].Name = "other"
			})
		},
		reason: v1alpha1.ReasonRouteWithoutBackend,
		words:  []string{"spec.traffic.gatewayAPI.routes[0]", "add a backendRef with the name web"},
	}
	out["route refused by its gateway"] = wrong{
		spoil:  func(h *harness) { h.plane.Refuse("web", "no listener has this host name") },
		reason: v1alpha1.ReasonRouteNotAccepted,
		words:  []string{"spec.traffic.gatewayAPI.routes[0]", "no listener has this host name"},
		mend:   func(h *harness) { h.plane.Refuse("web", "") },
	}
	withAnalysis := builder.Rollout("web").Namespace(namespace).Image(imageV1).Replicas(2).Services("web").Routes("web").
		Canary(builder.Step().Weight("20").Analysis("success-rate"))
	template := func() *v1alpha1.AnalysisTemplate {
		return builder.AnalysisTemplate("success-rate", builder.Metric("rate", "up")).Namespace(namespace).Obj()
	}
	out["analysis template is gone"] = wrong{
		rollout: withAnalysis, objects: []client.Object{template()},
		spoil:  func(h *harness) { h.remove(template()) },
		reason: v1alpha1.ReasonTemplateNotFound,
		words:  []string{"spec.strategy.canary.steps[0].analysis.templates[0].name", "success-rate", "create it"},
		mend:   func(h *harness) { h.make(template()) },
	}
	out["analysis template needs an argument"] = wrong{
		rollout: withAnalysis, objects: []client.Object{template()},
		spoil: func(h *harness) {
			alter(h, "success-rate", &v1alpha1.AnalysisTemplate{}, func(t *v1alpha1.AnalysisTemplate) {
				t.Spec.Args = []v1alpha1.Argument{{Name: "path"}}
			})
		},
		reason: v1alpha1.ReasonTemplateInvalid,
		words:  []string{"spec.strategy.canary.steps[0].analysis", `"path"`, "add {name: path"},
	}
	return out
}

func serviceWrongs() map[string]wrong {
	selector := func(to map[string]string) func(*harness) {
		return func(h *harness) {
			alter(h, "web", &corev1.Service{}, func(s *corev1.Service) { s.Spec.Selector = to })
		}
	}
	return map[string]wrong{
		"active Service is gone": {
			spoil:  func(h *harness) { h.remove(&corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "web"}}) },
			reason: v1alpha1.ReasonServiceNotFound,
			words:  []string{"spec.services.active", `"web"`, "create it"},
			mend:   func(h *harness) { h.make(builder.Service(namespace, "web", "web")) },
		},
		"active Service selects other pods": {
			spoil:  selector(map[string]string{"app": "other"}),
			reason: v1alpha1.ReasonServiceMismatch,
			words:  []string{"spec.services.active", "app=other", "app=web", "write a selector"},
			mend:   selector(map[string]string{"app": "web"}),
		},
		"active Service is a name elsewhere": {
			spoil: func(h *harness) {
				alter(h, "web", &corev1.Service{}, func(s *corev1.Service) {
					s.Spec.Type, s.Spec.ExternalName, s.Spec.Ports = corev1.ServiceTypeExternalName, "example.com", nil
				})
			},
			reason: v1alpha1.ReasonServiceMismatch,
			words:  []string{"spec.services.active", "ExternalName", "name one of type ClusterIP"},
			mend: func(h *harness) {
				alter(h, "web", &corev1.Service{}, func(s *corev1.Service) {
					s.Spec.Type, s.Spec.ExternalName, s.Spec.Ports = corev1.ServiceTypeClusterIP, "", builder.Service("", "web", "web").Spec.Ports
				})
			},
		},
		"active Service selects nothing": {
			spoil:  selector(nil),
			reason: v1alpha1.ReasonServiceMismatch,
			words:  []string{"spec.services.active", "has no selector", "give it labels"},
		},
		"standby Service selects other pods": {
			spoil: func(h *harness) {
				alter(h, "web-standby", &corev1.Service{}, func(s *corev1.Service) {
					s.OwnerReferences, s.Spec.Selector = nil, map[string]string{"app": "other"}
				})
			},
			reason: v1alpha1.ReasonServiceMismatch,
			words:  []string{"spec.services.standby", "app=other", "write a selector"},
		},
		"standby Service is somebody else's": {
			spoil: func(h *harness) {
				alter(h, "web-standby", &corev1.Service{}, func(s *corev1.Service) { s.OwnerReferences[0].UID = "another" })
			},
			reason: v1alpha1.ReasonServiceMismatch,
			words:  []string{"spec.services.standby", "is controlled by Rollout", "name another one"},
		},
		"standby Service lacks a port": {
			spoil: func(h *harness) {
				alter(h, "web-standby", &corev1.Service{}, func(s *corev1.Service) { s.OwnerReferences = nil })
				alter(h, "web", &corev1.Service{}, func(s *corev1.Service) {
					s.Spec.Ports = append(s.Spec.Ports, corev1.ServicePort{Name: "admin", Port: 9090})
				})
			},
			reason: v1alpha1.ReasonServiceMismatch,
			words:  []string{"spec.services.standby", "lacks port 9090", "add it"},
		},
	}
}

// Whatever is wrong: the release does not go on, traffic and pods stay, one condition and one event name the field and
// the cure, and nothing is written over and over. Where it is mended, the release goes on by itself.
func TestWrongInput(t *testing.T) {
	for name, tt := range wrongs() {
		t.Run(name, func(t *testing.T) {
			rollout := tt.rollout
			if rollout == nil {
				rollout = routed()
			}
			h := started(t, rollout, append(network(), tt.objects...)...)
			stable := h.rollout().Status.StableRevision
			tt.spoil(h)
			h.release(imageV2)
			h.settle()
			h.wantStalled(tt.reason, tt.words)
			status := h.rollout().Status
			if status.StableRevision != stable || h.replicaSets()[imageV1] != *h.rollout().Spec.Replicas {
				t.Errorf("stable %s with sizes %v, want %s in full", status.StableRevision, h.replicaSets(), stable)
			}
			if got := h.since(h.settle); len(got) != 0 {
				t.Errorf("later it wrote %v", got)
			}
			if tt.mend == nil {
				return
			}
			tt.mend(h)
			h.settle()
			if got := h.rollout().Status; got.State.Candidate == "" || got.State.Stage != v1alpha1.StageStepping {
				t.Errorf("once mended, the release is at %+v: %s", got.State, got.Message)
			}
		})
	}
}

// wantStalled holds that one condition and one event say the reason and the words.
func (h *harness) wantStalled(reason string, words []string) {
	h.t.Helper()
	stalled := meta.FindStatusCondition(h.rollout().Status.Conditions, v1alpha1.ConditionStalled)
	if stalled == nil || stalled.Status != metav1.ConditionTrue || stalled.Reason != reason {
		h.t.Fatalf("the condition Stalled is %+v, want True with reason %s", stalled, reason)
	}
	told := h.told()
	warnings := slices.DeleteFunc(slices.Clone(told), func(e string) bool { return !strings.HasPrefix(e, "Warning "+reason+" ") })
	if len(warnings) != 1 {
		h.t.Fatalf("told of %v, want one warning with reason %s", told, reason)
	}
	for _, word := range words {
		if !strings.Contains(stalled.Message, word) || !strings.Contains(warnings[0], word) {
			h.t.Errorf("%q does not stand in the condition %q and the event %q", word, stalled.Message, warnings[0])
		}
	}
}

// A spec that the schema refuses is in the cluster all the same when it is older than the rule.
func TestInvalidSpec(t *testing.T) {
	h := started(t, routed(), network()...)
	h.edit(func(r *v1alpha1.Rollout) {
		r.Spec.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"app": "other"}}
	})
	h.settle()
	h.wantStalled(v1alpha1.ReasonInvalidSpec, []string{"spec.selector"})
	if h.replicaSets()[imageV1] != 4 {
		t.Errorf("sizes %v", h.replicaSets())
	}
}

// A template that the API server refuses gives one condition and one event with the words of the server, and is tried
// again at a slow pace.
func TestATemplateThatTheAPIServerRefuses(t *testing.T) {
	h := started(t, routed(), network()...)
	refusing := true
	h.fault = func(_ int, write func() error) error {
		if refusing && strings.HasPrefix(h.writes[len(h.writes)-1], "create *unstructured.Unstructured/web-") {
			return apierrors.NewInvalid(schema.GroupKind{Group: "apps", Kind: "ReplicaSet"}, "web", field.ErrorList{
				field.Required(field.NewPath("spec", "template", "spec", "containers").Index(0).Child("image"), ""),
			})
		}
		return write()
	}
	h.release(imageV2)
	h.settle()
	h.elapse(refusedWait)
	h.elapse(refusedWait)
	h.wantStalled(v1alpha1.ReasonReplicaSetRefused, []string{"spec.template.spec.containers[0].image"})
	refusing = false
	h.elapse(refusedWait)
	if got := h.rollout().Status; h.weight() != 20 {
		t.Errorf("once the server agrees, weight %d, %s", h.weight(), got.Message)
	}
}

// A missing permission is told with the cure, and a webhook that is away with its name, and that is asked again soon.
func TestExplainWithTheCure(t *testing.T) {
	tests := map[string]struct {
		err       error
		wantWords []string
		wantRetry time.Duration
	}{
		"role": {
			err: apierrors.NewForbidden(schema.GroupResource{Resource: "httproutes"}, "web",
				errors.New(`User "x" cannot patch resource "httproutes" in the namespace "y"`)),
			wantWords: []string{`"httproutes"`, "let the service account of the controller"},
			wantRetry: refusedWait,
		},
		"quota": {
			err:       apierrors.NewForbidden(schema.GroupResource{}, "web", errors.New("exceeded quota: few")),
			wantWords: []string{"exceeded quota: few"},
			wantRetry: refusedWait,
		},
		"webhook": {
			err:       apierrors.NewInternalError(errors.New(`failed calling webhook "pods.example": ` + strings.Repeat("no ", maxMessage))),
			wantWords: []string{`"pods.example"`, "it is asked again every 2s"},
			wantRetry: webhookWait,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var no *refused
			if !errors.As(explain(planner.SetWeight{Tenths: 100}, tt.err), &no) || no.retry != tt.wantRetry {
				t.Fatalf("refused as %v, want a retry after %s", no, tt.wantRetry)
			}
			for _, word := range tt.wantWords {
				if !strings.Contains(no.problem.Message, word) {
					t.Errorf("%q is not in %q", word, no.problem.Message)
				}
			}
			if n := utf8.RuneCountInString(no.problem.Message); n > maxMessage {
				t.Errorf("%d characters", n)
			}
		})
	}
}

func TestExplain(t *testing.T) {
	tests := map[string]struct {
		err         error
		wantRefused bool
	}{
		"conflict":    {err: conflict()},
		"time-out":    {err: unavailable()},
		"not found":   {err: apierrors.NewNotFound(schema.GroupResource{}, "web")},
		"forbidden":   {err: apierrors.NewForbidden(schema.GroupResource{}, "web", errors.New("exceeded quota")), wantRefused: true},
		"invalid":     {err: apierrors.NewInvalid(schema.GroupKind{}, "web", nil), wantRefused: true},
		"bad request": {err: apierrors.NewBadRequest("no"), wantRefused: true},
		"namespace":   {err: terminating()},
		"too many":    {err: apierrors.NewTooManyRequests("later", 1)},
		"webhook": {err: apierrors.NewInternalError(errors.New(
			`failed calling webhook "pods.example": failed to call webhook: an error on the server`)), wantRefused: true},
		"server error": {err: apierrors.NewInternalError(errors.New("etcd"))},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var no *refused
			if got := errors.As(explain(planner.SetWeight{Tenths: 100}, tt.err), &no); got != tt.wantRefused {
				t.Errorf("refused %v, want %v", got, tt.wantRefused)
			}
		})
	}
}

// A command that cannot be read is told of once, and does nothing.
func TestAMalformedCommand(t *testing.T) {
	h := started(t, routed(), network()...)
	annotate := func(text string) {
		h.edit(func(r *v1alpha1.Rollout) { r.Annotations = map[string]string{v1alpha1.AnnotationCommand: text} })
	}
	annotate("abrt/x/1")
	h.settle()
	h.settle()
	want := []string{`Warning CommandIgnored sluice.dev/command: unknown action "abrt": write one of promote, promote-full, ` +
		`abort, retry, restart, skip-step`}
	if diff := cmp.Diff(want, h.told()); diff != "" {
		t.Error(diff)
	}
	if got := h.rollout().Status.LastCommand; got == nil || got.Accepted || got.ID != "abrt/x/1" {
		t.Errorf("the answer is %+v", got)
	}
	annotate("abort/" + h.rollout().Status.StableRevision + "/1")
	h.settle()
	if got := h.rollout().Status.LastCommand; got == nil || got.Action != v1alpha1.ActionAbort || got.ID != "1" {
		t.Errorf("the answer to the same request, written rightly, is %+v", got)
	}
}

// Two Rollouts that name one Service: the older one keeps it, and the younger one is told.
func TestTheOlderRolloutKeepsItsService(t *testing.T) {
	h := started(t, routed(), network()...)
	h.clock.SetTime(h.clock.Now().Add(time.Minute))
	younger := builder.Rollout("web2").Namespace(namespace).Image(imageV1).Services("web").
		Canary(builder.Step().Weight("20")).With(func(r *v1alpha1.Rollout) { r.Spec.Services.Standby = "web2-standby" }).
		With(func(r *v1alpha1.Rollout) {
			r.Spec.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}
		}).Obj()
	younger.Spec.Template = routed().Obj().Spec.Template
	h.make(younger)
	h.release(imageV2)
	h.settle()
	if h.weight() != 20 {
		t.Errorf("the older Rollout is held up: %s", h.rollout().Status.Message)
	}
	h.key.Name = "web2"
	h.settle()
	if got := h.rollout().Status.Message; !strings.Contains(got, `Rollout "web" moves the same Service`) {
		t.Errorf("the younger Rollout says %q", got)
	}
}
