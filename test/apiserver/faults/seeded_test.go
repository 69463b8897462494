//go:build apiserver

package faults_test

import (
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/builder"
)

// Every rule bites: each is broken once, on purpose, and no other with it.
func TestRulesBite(t *testing.T) {
	began := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	state := func(stage v1alpha1.Stage, step int32, gates time.Duration) *v1alpha1.Rollout {
		rollout := canary().Obj()
		rollout.Status.State = v1alpha1.RolloutState{
			Stage: stage, Stable: "v1", Candidate: "v2", Attempt: 2, Step: step, GatesAt: metav1.NewMicroTime(began.Add(gates)),
		}
		rollout.ManagedFields = []metav1.ManagedFieldsEntry{{Subresource: "status", Time: &metav1.Time{Time: began}}}
		return rollout
	}
	set := func(revision, template string, replicas int32) *appsv1.ReplicaSet {
		rs := &appsv1.ReplicaSet{Spec: appsv1.ReplicaSetSpec{Replicas: ptr.To(replicas)}}
		rs.Labels = map[string]string{"app": "web", v1alpha1.LabelPodTemplateHash: revision}
		rs.Spec.Template.Labels = rs.Labels
		rs.Annotations = map[string]string{v1alpha1.AnnotationTemplate: template}
		return rs
	}
	service := func(name, revision string) *corev1.Service {
		s := builder.Service("", name, "web")
		s.Spec.Selector[v1alpha1.LabelPodTemplateHash] = revision
		return s
	}
	route := func(weight int32) *gatewayv1.HTTPRoute {
		r := builder.HTTPRoute("web", "gateway").Rule("/", "web", "web-standby").Obj()
		r.Spec.Rules[0].BackendRefs[0].Weight, r.Spec.Rules[0].BackendRefs[1].Weight = ptr.To(100-weight), ptr.To(weight)
		return r
	}
	world := []change{
		{key: "rollout", obj: state(v1alpha1.StageStepping, 1, 0)},
		{key: "v1", obj: set("v1", "1", 5)},
		{key: "v2", obj: set("v2", "2", 2)},
		{key: "web", obj: service("web", "v1")},
		{key: "web-standby", obj: service("web-standby", "v2")},
		{key: "route", obj: route(0)},
	}
	aborted := change{key: "rollout", obj: state(v1alpha1.StageAborted, 1, 0)}
	tests := map[string]struct {
		changes []change
		want    string
	}{
		"weight without pods":     {changes: []change{{key: "route", obj: route(20)}}, want: "NO-EMPTY"},
		"selector without pods":   {changes: []change{{key: "web", obj: service("web", "v2")}}, want: "SELECTOR"},
		"too small for its share": {changes: []change{aborted, {key: "v1", obj: set("v1", "1", 4)}}, want: "ORDER"},
		"stable shrinks":          {changes: []change{{key: "route", obj: nil}, {key: "web", obj: nil}, {key: "v1", obj: set("v1", "1", 4)}}, want: "STABLE-CAP"},
		"a second ReplicaSet":     {changes: []change{{key: "v3", obj: set("v3", "2", 1)}}, want: "ONE-RS"},
		"a step back":             {changes: []change{{key: "rollout", obj: state(v1alpha1.StageStepping, 0, 0)}}, want: "STEP-MONO"},
		"gates again":             {changes: []change{{key: "rollout", obj: state(v1alpha1.StageStepping, 1, time.Second)}}, want: "GATE-ONCE"},
		"a short pause":           {changes: []change{{key: "rollout", obj: state(v1alpha1.StageStepping, 2, 0)}}, want: "PAUSE"},
		"pods after an abort":     {changes: []change{aborted, {key: "v2", obj: set("v2", "2", 3)}}, want: "ABORT-STICKY"},
		"steps after an abort":    {changes: []change{aborted, {key: "rollout", obj: state(v1alpha1.StagePromoting, 1, 0)}}, want: "ABORT-STICKY"},
		"nothing":                 {changes: []change{{key: "v2", obj: set("v2", "2", 3)}}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := violations(append(world[:len(world):len(world)], tt.changes...))
			if tt.want == "" && len(got) == 0 {
				return
			}
			for _, broken := range got {
				if tt.want == "" || !strings.HasPrefix(broken, tt.want+",") {
					t.Errorf("broken is also %s", broken)
				}
			}
			if tt.want != "" && len(got) == 0 {
				t.Errorf("%s was not noticed", tt.want)
			}
		})
	}
}
