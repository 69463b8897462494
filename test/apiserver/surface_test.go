//go:build apiserver

package apiserver_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/discovery"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/apiserver/env"
	"github.com/sluice-dev/sluice/test/builder"
)

// annotationLimit is what all annotations of an object may hold together.
const annotationLimit = 262144

// TestDefinitionsFitAClientSideApply: kubectl apply without --server-side keeps the whole object in an annotation.
func TestDefinitionsFitAClientSideApply(t *testing.T) {
	e := env.Start(t)
	if _, err := e.Kubectl(t, "", "apply", "--filename", "../../config/crd"); err != nil {
		t.Fatal(err)
	}
	for _, definition := range definitions(t) {
		if err := e.Client.Get(t.Context(), client.ObjectKeyFromObject(definition), definition); err != nil {
			t.Fatal(err)
		}
		size := len(definition.Annotations["kubectl.kubernetes.io/last-applied-configuration"])
		if size == 0 || size >= annotationLimit {
			t.Errorf("%s: the annotation of a client-side apply has %d bytes, want less than %d", definition.Name, size,
				annotationLimit)
		}
		for _, condition := range definition.Status.Conditions {
			if condition.Type == apiextensionsv1.NonStructuralSchema && condition.Status == apiextensionsv1.ConditionTrue {
				t.Errorf("%s: %s", definition.Name, condition.Message)
			}
		}
	}
}

func TestShortNamesAndCategories(t *testing.T) {
	e := env.Start(t)
	found, err := discovery.NewDiscoveryClientForConfigOrDie(e.Config).ServerResourcesForGroupVersion(
		v1alpha1.GroupVersion.String())
	if err != nil {
		t.Fatal(err)
	}
	got := map[string][]string{}
	for _, resource := range found.APIResources {
		got[resource.Name] = append(slices.Clone(resource.ShortNames), resource.Categories...)
	}
	want := map[string][]string{
		"rollouts": {"ro", "all", "sluice"}, "rollouts/status": nil, "rollouts/scale": nil,
		"analysistemplates": {"at", "sluice"}, "analysistemplates/status": nil,
		"clusteranalysistemplates": {"cat", "sluice"}, "clusteranalysistemplates/status": nil,
		"analysisruns": {"ar", "sluice"}, "analysisruns/status": nil,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("resources, with short names and categories (-want +got):\n%s", diff)
	}
}

// TestNewStatusSaysThatNobodyHasLooked: tools that wait compare observedGeneration with generation; without the default
// they would take an object that no controller has seen for one that is done.
func TestNewStatusSaysThatNobodyHasLooked(t *testing.T) {
	e := env.Start(t)
	rollout := builder.Rollout("web").Namespace(e.Namespace).Obj()
	rollout.Status.ObservedGeneration = 1
	if err := e.Client.Create(t.Context(), rollout); err != nil {
		t.Fatal(err)
	}
	if got := readTyped(t, e).Status.ObservedGeneration; got != -1 {
		t.Errorf("observedGeneration of a new Rollout = %d, want -1", got)
	}
}

// defaults are the values of fields that were left out.
type defaults struct {
	Replicas, HistoryLimit, Surge, Unavailable int32
	Deadline, ScaleDownDelay                   time.Duration
	Capacity                                   v1alpha1.StableCapacity
	RouteKind, TemplateKind                    string
	Promotes                                   bool
}

func defaultsOf(t *testing.T, s *v1alpha1.RolloutSpec) defaults {
	t.Helper()
	surge, unavailable, err := s.SurgeAndUnavailable(8)
	if err != nil {
		t.Fatal(err)
	}
	d := defaults{
		Replicas: s.ReplicasOrDefault(), HistoryLimit: s.HistoryLimit(), Surge: surge, Unavailable: unavailable,
		Deadline: s.ProgressDeadline(), ScaleDownDelay: s.ScaleDownDelay(),
	}
	if s.Strategy.Canary != nil {
		d.Capacity = s.Strategy.Canary.Capacity()
		d.TemplateKind = s.Strategy.Canary.Steps[0].Analysis.Templates[0].KindOrDefault()
	}
	if s.Strategy.BlueGreen != nil {
		d.Promotes = s.Strategy.BlueGreen.Promotes()
	}
	if s.Traffic != nil {
		d.RouteKind = s.Traffic.GatewayAPI.Routes[0].KindOrDefault()
	}
	return d
}

// TestSchemaAndGoAgreeOnDefaults creates objects that leave out what they can, and compares what the API server filled
// in with what the accessors say of an object that it never saw.
func TestSchemaAndGoAgreeOnDefaults(t *testing.T) {
	e := env.Start(t)
	bare := func(r *v1alpha1.Rollout) {
		r.Spec.Replicas = nil
		if r.Spec.Traffic != nil {
			r.Spec.Traffic.GatewayAPI.Routes[0].Kind = ""
		}
		if r.Spec.Strategy.Canary != nil {
			r.Spec.Strategy.Canary.Steps[0].Analysis.Templates[0].Kind = ""
		}
	}
	for name, rollout := range map[string]*v1alpha1.Rollout{
		"canary":           builder.Rollout("canary").Canary(builder.Step().Analysis("a")).With(bare).Obj(),
		"canary by routes": builder.Rollout("routes").Routes("web").Canary(builder.Step().Analysis("a")).With(bare).Obj(),
		"blueGreen":        builder.Rollout("blue-green").BlueGreen().With(bare).Obj(),
		"rollingUpdate":    builder.Rollout("rolling").With(bare).Obj(),
		"recreate":         builder.Rollout("recreate").Recreate().With(bare).Obj(),
	} {
		t.Run(name, func(t *testing.T) {
			want := defaultsOf(t, &rollout.Spec)
			created := rollout.DeepCopy()
			created.Namespace = e.Namespace
			if err := e.Client.Create(t.Context(), created); err != nil {
				t.Fatal(err)
			}
			if created.Spec.Replicas == nil {
				t.Error("the schema filled in no replicas")
			}
			if diff := cmp.Diff(want, defaultsOf(t, &created.Spec)); diff != "" {
				t.Errorf("defaults (-Go +schema):\n%s", diff)
			}
		})
	}
}

func TestSchemaAndGoAgreeOnTheTimeoutOfAQuery(t *testing.T) {
	e := env.Start(t)
	template := builder.AnalysisTemplate("a", builder.Metric("a", "vector(1)")).Namespace(e.Namespace).Obj()
	want := template.Spec.Metrics[0].Provider.Prometheus.QueryTimeout()
	if err := e.Client.Create(t.Context(), template); err != nil {
		t.Fatal(err)
	}
	filled := template.Spec.Metrics[0].Provider.Prometheus.Timeout
	if filled == nil || filled.Duration != want {
		t.Errorf("timeout filled in by the schema = %v, want %s", filled, want)
	}
}

func TestScale(t *testing.T) {
	e := env.Start(t)
	rollout := builder.Rollout("web").Namespace(e.Namespace).Replicas(3).Obj()
	if err := e.Client.Create(t.Context(), rollout); err != nil {
		t.Fatal(err)
	}
	rollout.Status.ObservedGeneration, rollout.Status.Replicas, rollout.Status.Selector = 1, 3, "app=web"
	if err := e.Client.Status().Update(t.Context(), rollout); err != nil {
		t.Fatal(err)
	}
	scale := &autoscalingv1.Scale{}
	if err := e.Client.SubResource("scale").Get(t.Context(), rollout, scale); err != nil {
		t.Fatal(err)
	}
	if scale.Spec.Replicas != 3 || scale.Status.Replicas != 3 || scale.Status.Selector != "app=web" {
		t.Errorf("scale: %+v, %+v; want 3 replicas and the selector app=web", scale.Spec, scale.Status)
	}
	if _, err := e.Kubectl(t, "", "scale", "rollout/web", "--replicas=5"); err != nil {
		t.Fatal(err)
	}
	if got := readTyped(t, e).Spec.ReplicasOrDefault(); got != 5 {
		t.Errorf("replicas = %d after kubectl scale, want 5", got)
	}
	if _, err := e.Kubectl(t, "", "autoscale", "rollout/web", "--min=2", "--max=9", "--cpu=80%"); err != nil {
		t.Errorf("an autoscaler cannot name a Rollout: %v", err)
	}
}

// TestColumns asks for tables as kubectl does.
func TestColumns(t *testing.T) {
	e := env.Start(t)
	rollout := builder.Rollout("web").Namespace(e.Namespace).Replicas(8).Canary(builder.Step().Weight("12.5").Hold()).Obj()
	if err := e.Client.Create(t.Context(), rollout); err != nil {
		t.Fatal(err)
	}
	rollout.Status = v1alpha1.RolloutStatus{
		ObservedGeneration: 1, Phase: v1alpha1.PhasePaused, Strategy: v1alpha1.StrategyCanary, Step: "1/1", Weight: "12.5",
		UpdatedReplicas: 1, AvailableReplicas: 8, Message: "step 1/1 waits for a person",
	}
	meta.SetStatusCondition(&rollout.Status.Conditions, metav1.Condition{
		Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonAwaitingPromotion,
	})
	if err := e.Client.Status().Update(t.Context(), rollout); err != nil {
		t.Fatal(err)
	}
	narrow := columns(t, e, "rollouts")
	wantNarrow := map[string]string{
		"NAME": "web", "STRATEGY": "canary", "PHASE": "Paused", "STEP": "1/1", "WEIGHT": "12.5", "DESIRED": "8",
		"UPDATED": "1", "AVAILABLE": "8", "READY": "False",
	}
	delete(narrow, "AGE")
	if diff := cmp.Diff(wantNarrow, narrow); diff != "" {
		t.Errorf("columns (-want +got):\n%s", diff)
	}
	wide, err := e.Kubectl(t, "", "get", "ro", "--output", "wide")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"IMAGE", "registry.example/web:v1", "MESSAGE", "step 1/1 waits for a person"} {
		if !strings.Contains(wide, want) {
			t.Errorf("no %q in the wide table:\n%s", want, wide)
		}
	}
	if all, err := e.Kubectl(t, "", "get", "all"); err != nil || !strings.Contains(all, "rollout.sluice.dev/web") {
		t.Errorf("kubectl get all does not list the Rollout: %v\n%s", err, all)
	}
}

// columns are the cells of a table with one row, by the names of the columns. Cells hold no spaces.
func columns(t *testing.T, e *env.Env, resource string) map[string]string {
	t.Helper()
	table, err := e.Kubectl(t, "", "get", resource)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(table), "\n")
	if len(lines) != 2 {
		t.Fatalf("%d lines, want a header and a row:\n%s", len(lines), table)
	}
	names, cells := strings.Fields(lines[0]), strings.Fields(lines[1])
	if len(names) != len(cells) {
		t.Fatalf("%d names of columns and %d cells:\n%s", len(names), len(cells), table)
	}
	found := map[string]string{}
	for i, name := range names {
		found[name] = cells[i]
	}
	return found
}

// TestExplain: kubectl explain knows the fields of the template, though unknown ones may be added.
func TestExplain(t *testing.T) {
	e := env.Start(t)
	for field, want := range map[string]string{
		"rollout.spec.strategy.canary.steps":                   "weight",
		"rollout.spec.template.spec.containers.readinessProbe": "periodSeconds",
	} {
		out, err := e.Kubectl(t, "", "explain", field)
		if err != nil || !strings.Contains(out, want) {
			t.Errorf("explain %s: error %v, want %q in\n%s", field, err, want, out)
		}
	}
}

// TestZeroTimesAreLeftOut: a status in Go has many moments that have not come. They must not be stored as null.
func TestZeroTimesAreLeftOut(t *testing.T) {
	text, err := json.Marshal(&v1alpha1.Rollout{})
	if err != nil {
		t.Fatal(err)
	}
	object := &unstructured.Unstructured{}
	if err := json.Unmarshal(text, &object.Object); err != nil {
		t.Fatal(err)
	}
	state, _, err := unstructured.NestedMap(object.Object, "status", "state")
	if err != nil || len(state) != 0 {
		t.Errorf("empty state is written as %v (error %v), want nothing", state, err)
	}
}
