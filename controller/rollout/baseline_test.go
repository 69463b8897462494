package rollout

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/builder"
)

// experimenting is a canary that begins with an experiment of two pods, which a person ends.
func experimenting() *builder.RolloutBuilder {
	return routed().Canary(builder.Step().Experiment(2).Pause(maxPause), builder.Step().Weight("50").Hold())
}

// maxPause is longer than any test.
const maxPause = 24 * 3600 * 1e9

// baseline is the ReplicaSet of the baseline; nil when there is none.
func (h *harness) baseline() *appsv1.ReplicaSet {
	h.t.Helper()
	all := h.listReplicaSets()
	for i := range all {
		if isBaseline(&all[i]) {
			return &all[i]
		}
	}
	return nil
}

// TestBaselineIsStablesTemplate holds that the pods of a baseline are those of stable, but for what tells them apart and for
// what stable has by its role, and that nothing takes them for pods of a revision.
func TestBaselineIsStablesTemplate(t *testing.T) {
	h := started(t, experimenting().With(roles).With(func(r *v1alpha1.Rollout) {
		r.Spec.AntiAffinity = &v1alpha1.AntiAffinity{Strength: v1alpha1.AntiAffinityRequired}
	}), network()...)
	h.release(imageV2)
	h.settle()
	stable, made := &appsv1.ReplicaSet{}, h.baseline()
	h.get("web-"+h.rollout().Status.StableRevision, stable)
	if made == nil {
		t.Fatalf("no baseline, but %v: %s", h.picture(), h.rollout().Status.Message)
	}
	hash := "b2-" + revisionOf(stable)
	want := stable.Spec.Template.DeepCopy()
	want.Labels = map[string]string{"app": "web", v1alpha1.LabelPodTemplateHash: hash, v1alpha1.LabelBaselineOf: revisionOf(stable)}
	for i := range want.Spec.Affinity.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution {
		term := &want.Spec.Affinity.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution[i]
		term.LabelSelector.MatchExpressions[0].Values = []string{hash}
	}
	if diff := cmp.Diff(*want, made.Spec.Template); diff != "" {
		t.Errorf("template (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want.Labels, made.Spec.Selector.MatchLabels); diff != "" {
		t.Errorf("selector (-want +got):\n%s", diff)
	}
	if *made.Spec.Replicas != 2 || made.Name != "web-"+hash || !metav1.IsControlledBy(made, h.rollout()) {
		t.Errorf("ReplicaSet %s has %d replicas and the owners %v", made.Name, *made.Spec.Replicas, made.OwnerReferences)
	}
	h.tellsOfBaseline(hash)
}

// tellsOfBaseline holds what the status and the Service say of a baseline of two pods.
func (h *harness) tellsOfBaseline(hash string) {
	t := h.t
	t.Helper()
	status := h.rollout().Status
	if status.Replicas != 6 || status.Selector != "app=web,!sluice.dev/baseline-of" {
		t.Errorf("the status counts %d pods of %q, want the 4 of stable and the 2 of the candidate", status.Replicas, status.Selector)
	}
	if diff := cmp.Diff(&v1alpha1.ExperimentStatus{Baseline: hash, Replicas: 2, Available: 2}, status.Experiment); diff != "" {
		t.Errorf("status.experiment (-want +got):\n%s", diff)
	}
	if got := h.selected("web-baseline"); got != hash {
		t.Errorf("Service web-baseline selects %q, want %q", got, hash)
	}
}

// TestNothingIsLeftOfAnExperiment ends experiments in every way that a person has.
func TestNothingIsLeftOfAnExperiment(t *testing.T) {
	for name, end := range map[string]func(*harness){
		"promote":      func(h *harness) { h.command(v1alpha1.ActionPromote, h.rollout().Status.State.Candidate, "1") },
		"skip-step":    func(h *harness) { h.command(v1alpha1.ActionSkipStep, h.rollout().Status.State.Candidate, "1") },
		"promote-full": func(h *harness) { h.command(v1alpha1.ActionPromoteFull, h.rollout().Status.State.Candidate, "1") },
		"abort":        func(h *harness) { h.command(v1alpha1.ActionAbort, h.rollout().Status.State.Candidate, "1") },
		"return":       func(h *harness) { h.release(imageV1) },
		"no routes": func(h *harness) {
			h.edit(func(r *v1alpha1.Rollout) {
				r.Spec.Traffic, r.Spec.Strategy = nil, v1alpha1.Strategy{RollingUpdate: &v1alpha1.RollingUpdateStrategy{}}
			})
		},
		"deletion": func(h *harness) { h.remove(h.rollout()) },
	} {
		t.Run(name, func(t *testing.T) {
			h := started(t, experimenting(), network()...)
			h.release(imageV2)
			h.settle()
			if h.baseline() == nil {
				t.Fatal("no baseline")
			}
			h.restart()
			end(h)
			h.settle()
			if left := h.baseline(); left != nil && left.DeletionTimestamp == nil {
				t.Errorf("%s is left", left.Name)
			}
			err := h.base.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: "web-baseline"}, &corev1.Service{})
			if !apierrors.IsNotFound(err) {
				t.Errorf("Service web-baseline is left: %v", err)
			}
		})
	}
}

// TestABaselineServiceOfSomebodyElse holds that a Service of the name is told of before a release, and not touched.
func TestABaselineServiceOfSomebodyElse(t *testing.T) {
	h := started(t, experimenting(), network()...)
	h.make(builder.Service(namespace, "web-baseline", "other"))
	h.release(imageV2)
	h.settle()
	if got := h.rollout().Status.Message; !strings.Contains(got, `Service "web-baseline" exists and is not of this Rollout`) {
		t.Errorf("message %q", got)
	}
	if got := h.selected("web-baseline"); got != "" {
		t.Errorf("it selects %q", got)
	}
}

// TestAnalysisOfAnExperiment holds that its analysis knows the baseline.
func TestAnalysisOfAnExperiment(t *testing.T) {
	template := builder.AnalysisTemplate("errors",
		builder.Metric("errors", `up{pod=~"web-{{args.baseline-hash}}-.*",service="{{args.baseline-service}}"}`)).Namespace(namespace).Obj()
	h := started(t, routed().Canary(builder.Step().Experiment(1).Analysis("errors")), append(network(), template)...)
	h.release(imageV2)
	h.settle()
	var runs v1alpha1.AnalysisRunList
	if err := h.base.List(t.Context(), &runs); err != nil {
		t.Fatal(err)
	}
	if len(runs.Items) != 1 {
		t.Fatalf("%d AnalysisRuns: %s", len(runs.Items), h.rollout().Status.Message)
	}
	want := `up{pod=~"web-b2-` + h.rollout().Status.StableRevision + `-.*",service="web-baseline"}`
	if got := runs.Items[0].Spec.Metrics[0].Provider.Prometheus.Query; got != want {
		t.Errorf("query %s, want %s", got, want)
	}
}
