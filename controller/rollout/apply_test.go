package rollout

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller/planner"
	"github.com/sluice-dev/sluice/controller/revision"
	"github.com/sluice-dev/sluice/test/builder"
)

// The standby Service that we made stays a twin of the active one.
func TestTheStandbyServiceFollowsTheActiveOne(t *testing.T) {
	h := started(t, routed(), network()...)
	h.edit(func(r *v1alpha1.Rollout) {
		r.Spec.Template.Raw = []byte(`{"metadata":{"labels":{"app":"web","tier":"front"}},"spec":{"containers":[{"name":"web","image":"registry.example/web:v2"}]}}`)
	})
	h.settle()
	h.command(v1alpha1.ActionPromoteFull, h.rollout().Status.State.Candidate, "1")
	h.settle()
	alter(h, "web", &corev1.Service{}, func(s *corev1.Service) {
		s.Spec.Ports = append(s.Spec.Ports, corev1.ServicePort{Name: "admin", Port: 9090, NodePort: 30000})
		delete(s.Spec.Selector, "app")
		s.Spec.Selector["tier"] = "front"
	})
	h.settle()
	standby := &corev1.Service{}
	h.get("web-standby", standby)
	want := map[string]string{"tier": "front", v1alpha1.LabelPodTemplateHash: h.rollout().Status.StableRevision}
	if diff := cmp.Diff(want, standby.Spec.Selector); diff != "" {
		t.Error(diff)
	}
	if ports := standby.Spec.Ports; len(ports) != 2 || ports[1].Port != 9090 || ports[1].NodePort != 0 {
		t.Errorf("ports %+v", ports)
	}
	if got := h.rollout().Status; got.Phase != v1alpha1.PhaseHealthy {
		t.Errorf("phase %s: %s", got.Phase, got.Message)
	}
}

func TestNewStandby(t *testing.T) {
	tests := map[string]struct {
		active corev1.ServiceSpec
		want   corev1.ServiceSpec
	}{
		"cluster address": {
			active: corev1.ServiceSpec{Type: corev1.ServiceTypeClusterIP, ClusterIP: "10.0.0.1", ClusterIPs: []string{"10.0.0.1"}},
			want:   corev1.ServiceSpec{Type: corev1.ServiceTypeClusterIP},
		},
		"headless": {
			active: corev1.ServiceSpec{Type: corev1.ServiceTypeClusterIP, ClusterIP: "None", PublishNotReadyAddresses: true},
			want:   corev1.ServiceSpec{Type: corev1.ServiceTypeClusterIP, ClusterIP: "None", PublishNotReadyAddresses: true},
		},
		"load balancer": {
			active: corev1.ServiceSpec{
				Type: corev1.ServiceTypeLoadBalancer, ExternalIPs: []string{"192.0.2.1"}, LoadBalancerIP: "192.0.2.2",
				HealthCheckNodePort: 30001, ExternalTrafficPolicy: corev1.ServiceExternalTrafficPolicyLocal,
				SessionAffinity: corev1.ServiceAffinityClientIP,
				Ports:           []corev1.ServicePort{{Name: "http", Port: 80, NodePort: 30000, AppProtocol: ptr.To("kubernetes.io/h2c")}},
			},
			want: corev1.ServiceSpec{
				Type: corev1.ServiceTypeClusterIP, SessionAffinity: corev1.ServiceAffinityClientIP,
				Ports: []corev1.ServicePort{{Name: "http", Port: 80, AppProtocol: ptr.To("kubernetes.io/h2c")}},
			},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			rollout := routed().Obj()
			rollout.UID = "uid"
			active := &corev1.Service{Spec: tt.active}
			active.Labels = map[string]string{"app.kubernetes.io/instance": "shop"}
			active.Spec.Selector = map[string]string{"app": "web", v1alpha1.LabelPodTemplateHash: "old"}
			w := &world{rollout: rollout, active: active}
			w.snapshot.Standby.Name = "web-standby"
			got := newTwin(w, w.snapshot.Standby.Name, "new")
			tt.want.Selector = map[string]string{"app": "web", v1alpha1.LabelPodTemplateHash: "new"}
			if diff := cmp.Diff(tt.want, got.Spec); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(map[string]string{v1alpha1.LabelRollout: "web"}, got.Labels); diff != "" {
				t.Error(diff)
			}
			if !metav1.IsControlledBy(got, rollout) {
				t.Errorf("owners %+v", got.OwnerReferences)
			}
		})
	}
}

// A ReplicaSet holds the template as it was written, with what this version does not know.
func TestNewReplicaSet(t *testing.T) {
	rollout := builder.Rollout("web").MinReady(5 * time.Second).TemplateJSON(`{"metadata":{"labels":{"app":"web"},` +
		`"annotations":{"note":"x"}},"spec":{"gravity":{"strength":9.81},"containers":[{"name":"web","image":"a","teleport":true}]}}`).
		With(func(r *v1alpha1.Rollout) {
			r.Spec.Selector.MatchExpressions = []metav1.LabelSelectorRequirement{
				{Key: "app", Operator: metav1.LabelSelectorOpIn, Values: []string{"web"}},
				{Key: "app", Operator: metav1.LabelSelectorOpExists},
			}
		}).Obj()
	rollout.UID = "uid"
	w := &world{rollout: rollout}
	w.snapshot.Revisions = []planner.Revision{{Number: 3}, {Number: 7}}
	got, err := newReplicaSet(w, planner.CreateRevision{Revision: "bcd", Replicas: 3})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"replicas": int64(3), "minReadySeconds": int64(5),
		"selector": map[string]any{
			"matchLabels": map[string]any{"app": "web", "pod-template-hash": "bcd"},
			"matchExpressions": []any{
				map[string]any{"key": "app", "operator": "In", "values": []any{"web"}},
				map[string]any{"key": "app", "operator": "Exists"},
			},
		},
		"template": map[string]any{
			"metadata": map[string]any{
				"labels": map[string]any{"app": "web", "pod-template-hash": "bcd"}, "annotations": map[string]any{"note": "x"},
			},
			"spec": map[string]any{
				"gravity":    map[string]any{"strength": 9.81},
				"containers": []any{map[string]any{"name": "web", "image": "a", "teleport": true}},
			},
		},
	}
	if diff := cmp.Diff(want, got.Object["spec"]); diff != "" {
		t.Error(diff)
	}
	if got.GetName() != "web-bcd" || got.GetAnnotations()[v1alpha1.AnnotationRevisionNumber] != "8" || !metav1.IsControlledBy(got, rollout) {
		t.Errorf("name %s, annotations %v, owners %v", got.GetName(), got.GetAnnotations(), got.GetOwnerReferences())
	}
	if _, err := runtimeTyped(got); err != nil {
		t.Errorf("it is no ReplicaSet: %v", err)
	}
}

func TestMinReadySecondsReachTheReplicaSets(t *testing.T) {
	h := started(t, routed(), network()...)
	h.edit(func(r *v1alpha1.Rollout) { r.Spec.MinReadySeconds = 7 })
	h.settle()
	if got := h.replicaSetOf(imageV1).Spec.MinReadySeconds; got != 7 {
		t.Errorf("minReadySeconds %d, want 7", got)
	}
}

// An earlier revision that is asked for again is the newest.
func TestTheNumbersOfRevisions(t *testing.T) {
	h := started(t, builder.Rollout("web").Namespace(namespace).Image(imageV1).Replicas(2))
	for _, image := range []string{imageV2, imageV1} {
		h.release(image)
		h.settle()
	}
	got := map[string]int64{}
	for _, image := range []string{imageV1, imageV2} {
		got[image] = v1alpha1.RevisionNumber(h.replicaSetOf(image))
	}
	if diff := cmp.Diff(map[string]int64{imageV1: 3, imageV2: 2}, got); diff != "" {
		t.Error(diff)
	}
}

func TestHistoryLimit(t *testing.T) {
	h := started(t, builder.Rollout("web").Namespace(namespace).Image(imageV1).Replicas(1).HistoryLimit(2))
	for i := range 5 {
		h.release(fmt.Sprintf("registry.example/web:v%d", i+2))
		h.settle()
	}
	h.elapse(time.Minute)
	if n := len(h.listReplicaSets()); n != 3 {
		t.Errorf("%d ReplicaSets, want the current one and 2 earlier ones", n)
	}
}

// The AnalysisRuns of the last ten releases stay.
func TestOldAnalysisRunsGo(t *testing.T) {
	h := started(t, routed(), network()...)
	rollout := h.rollout()
	for i := range 14 {
		phase := v1alpha1.AnalysisPassed
		if i == 0 {
			phase = v1alpha1.AnalysisRunning
		}
		run := builder.AnalysisRun(fmt.Sprintf("old-%02d", i), builder.Metric("rate", "up")).Obj()
		run.Labels = map[string]string{v1alpha1.LabelRevision: fmt.Sprintf("rev%d", i), v1alpha1.LabelAttempt: "1"}
		run.OwnerReferences = []metav1.OwnerReference{ownerOf(rollout)}
		run.CreationTimestamp = metav1.NewTime(h.clock.Now().Add(time.Duration(i-20) * time.Minute))
		h.make(run)
		run.Status.Phase = phase
		if err := h.base.Status().Update(t.Context(), run); err != nil {
			t.Fatal(err)
		}
	}
	h.settle()
	var list v1alpha1.AnalysisRunList
	if err := h.base.List(t.Context(), &list, client.InNamespace(namespace)); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, run := range list.Items {
		names = append(names, run.Name)
	}
	slices.Sort(names)
	want := "old-00 old-04 old-05 old-06 old-07 old-08 old-09 old-10 old-11 old-12 old-13"
	if diff := cmp.Diff(want, strings.Join(names, " ")); diff != "" {
		t.Errorf("the oldest still measures, the next three are beyond ten: %s", diff)
	}
}

func TestCountEndpoints(t *testing.T) {
	pod := func(name string) *corev1.ObjectReference { return &corev1.ObjectReference{Kind: "Pod", Name: name} }
	ready := discoveryv1.EndpointConditions{Ready: ptr.To(true), Serving: ptr.To(true), Terminating: ptr.To(false)}
	tests := map[string]struct {
		slices      []discoveryv1.EndpointSlice
		want        []planner.Endpoints
		wantForeign int32
	}{
		"two revisions and a stranger": {
			slices: []discoveryv1.EndpointSlice{{Endpoints: []discoveryv1.Endpoint{
				{TargetRef: pod("web-bbb-11111"), Conditions: ready},
				{TargetRef: pod("web-bbb-22222"), Conditions: ready},
				{TargetRef: pod("web-ccc-11111"), Conditions: ready},
				{TargetRef: pod("web-ddd-11111"), Conditions: ready},
				{TargetRef: &corev1.ObjectReference{Kind: "VM", Name: "web-bbb-33333"}, Conditions: ready},
				{Conditions: ready},
			}}},
			want: []planner.Endpoints{{Revision: "bbb", Ready: 2}, {Revision: "ccc", Ready: 1}}, wantForeign: 3,
		},
		"both families of addresses": {
			slices: []discoveryv1.EndpointSlice{
				{Endpoints: []discoveryv1.Endpoint{{TargetRef: pod("web-bbb-11111"), Conditions: ready}}},
				{Endpoints: []discoveryv1.Endpoint{{TargetRef: pod("web-bbb-11111"), Conditions: ready}}},
			},
			want: []planner.Endpoints{{Revision: "bbb", Ready: 1}},
		},
		"not ready, on their way out, or published all the same": {
			slices: []discoveryv1.EndpointSlice{{Endpoints: []discoveryv1.Endpoint{
				{TargetRef: pod("web-bbb-11111"), Conditions: discoveryv1.EndpointConditions{Ready: ptr.To(false)}},
				{TargetRef: pod("web-bbb-22222"), Conditions: discoveryv1.EndpointConditions{Ready: ptr.To(true), Terminating: ptr.To(true)}},
				{TargetRef: pod("web-bbb-33333"), Conditions: discoveryv1.EndpointConditions{Ready: ptr.To(true), Serving: ptr.To(false)}},
			}}},
		},
		"unknown counts as ready": {
			slices: []discoveryv1.EndpointSlice{{Endpoints: []discoveryv1.Endpoint{{TargetRef: pod("web-bbb-11111")}}}},
			want:   []planner.Endpoints{{Revision: "bbb", Ready: 1}},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := &world{replicaSets: map[string]*appsv1.ReplicaSet{
				"bbb": {ObjectMeta: metav1.ObjectMeta{Name: revision.ReplicaSetName("web", "bbb")}},
				"ccc": {ObjectMeta: metav1.ObjectMeta{Name: revision.ReplicaSetName("web", "ccc")}},
			}}
			got, foreign := w.countEndpoints(tt.slices)
			if diff := cmp.Diff(tt.want, got); diff != "" || foreign != tt.wantForeign {
				t.Errorf("foreign %d, want %d; %s", foreign, tt.wantForeign, diff)
			}
		})
	}
}

// A ReplicaSet whose controller has not come to a smaller size counts no more ready pods than it will have.
func TestObservedRevision(t *testing.T) {
	rs := &appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{Generation: 2, Annotations: map[string]string{v1alpha1.AnnotationRevisionNumber: "4"}},
		Spec:       appsv1.ReplicaSetSpec{Replicas: ptr.To[int32](2)},
		Status: appsv1.ReplicaSetStatus{
			ObservedGeneration: 1, Replicas: 5, ReadyReplicas: 4, AvailableReplicas: 3, TerminatingReplicas: ptr.To[int32](1),
			Conditions: []appsv1.ReplicaSetCondition{{Type: appsv1.ReplicaSetReplicaFailure, Status: corev1.ConditionTrue, Message: "exceeded quota"}},
		},
	}
	want := planner.Revision{Hash: "bbb", Number: 4, Desired: 2, Created: 5, Ready: 2, Available: 2, Terminating: 1, Hindered: "exceeded quota"}
	if diff := cmp.Diff(want, observedRevision("bbb", rs)); diff != "" {
		t.Error(diff)
	}
	rs.Status.ObservedGeneration = 2
	want.Ready, want.Available = 4, 3
	if diff := cmp.Diff(want, observedRevision("bbb", rs)); diff != "" {
		t.Error(diff)
	}
}

// Whatever a stored Rollout looks like, a pass over it ends without a panic, and tells of a problem.
func TestPoisonIsSurvived(t *testing.T) {
	poisons := map[string]func(*v1alpha1.Rollout){
		"nothing at all":         func(r *v1alpha1.Rollout) { r.Spec = v1alpha1.RolloutSpec{} },
		"no selector":            func(r *v1alpha1.Rollout) { r.Spec.Selector = nil },
		"no strategy":            func(r *v1alpha1.Rollout) { r.Spec.Strategy = v1alpha1.Strategy{} },
		"no steps":               func(r *v1alpha1.Rollout) { r.Spec.Strategy.Canary.Steps = nil },
		"no template":            func(r *v1alpha1.Rollout) { r.Spec.Template.Raw = nil },
		"template null":          func(r *v1alpha1.Rollout) { r.Spec.Template.Raw = []byte(`null`) },
		"template list":          func(r *v1alpha1.Rollout) { r.Spec.Template.Raw = []byte(`[]`) },
		"template of strings":    func(r *v1alpha1.Rollout) { r.Spec.Template.Raw = []byte(`{"metadata":"x","spec":"y"}`) },
		"labels of numbers":      func(r *v1alpha1.Rollout) { r.Spec.Template.Raw = []byte(`{"metadata":{"labels":{"app":1}}}`) },
		"no containers":          func(r *v1alpha1.Rollout) { r.Spec.Template.Raw = []byte(`{"metadata":{"labels":{"app":"web"}}}`) },
		"no services":            func(r *v1alpha1.Rollout) { r.Spec.Services = nil },
		"empty gateway":          func(r *v1alpha1.Rollout) { r.Spec.Traffic.GatewayAPI = nil },
		"a strange weight":       func(r *v1alpha1.Rollout) { r.Spec.Strategy.Canary.Steps[0].Weight.StrVal = "many" },
		"state beyond the steps": func(r *v1alpha1.Rollout) { r.Status.State.Step, r.Status.State.Stage = 99, v1alpha1.StageStepping },
		"state of nobody":        func(r *v1alpha1.Rollout) { r.Status.State.Stage = "Dancing" },
		"negative step":          func(r *v1alpha1.Rollout) { r.Status.State.Step, r.Status.State.Stage = -1, v1alpha1.StageStepping },
	}
	for name, poison := range poisons {
		t.Run(name, func(t *testing.T) {
			h := started(t, routed(), network()...)
			rollout := h.rollout()
			poison(rollout)
			if err := h.base.Update(t.Context(), rollout); err != nil {
				t.Fatal(err)
			}
			if err := h.base.Status().Update(t.Context(), rollout); err != nil {
				t.Fatal(err)
			}
			for range 5 {
				if _, err := h.pass(); err != nil {
					t.Logf("the pass says: %v", err)
				}
				if err := h.plane.Step(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if h.selected("web") == "" || h.replicaSets()[imageV1] == 0 {
				t.Errorf("web selects %q, sizes %v", h.selected("web"), h.replicaSets())
			}
		})
	}
}

func runtimeTyped(obj *unstructured.Unstructured) (*appsv1.ReplicaSet, error) {
	out := &appsv1.ReplicaSet{}
	return out, runtime.DefaultUnstructuredConverter.FromUnstructured(obj.Object, out)
}
