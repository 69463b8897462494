package rollout

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller/configuration"
	"github.com/sluice-dev/sluice/test/builder"
)

// What is missing from the start is waited for, without a record of it, and then comes up by itself.
func TestAFirstReleaseWaitsForItsConfigMap(t *testing.T) {
	h := newHarness(t, append(network(), database(canarySecret), configured(v1alpha1.ConfigurationChangeRelease).Obj())...)
	h.settle()
	h.wantStalled(v1alpha1.ReasonConfigurationNotFound, []string{"spec.configuration.configMaps[0].name", `ConfigMap "web-config" does not exist`, "create it"})
	if len(h.listReplicaSets()) > 0 || len(h.copies()) > 0 {
		t.Errorf("%d ReplicaSets, copies %v", len(h.listReplicaSets()), h.copies())
	}
	h.make(webConfig("hello"))
	h.settle()
	if got := h.rollout().Status; got.Phase != v1alpha1.PhaseHealthy || len(got.History) != 1 {
		t.Errorf("%s with %d releases: %s", got.Phase, len(got.History), got.Message)
	}
}

// A ConfigMap that is deleted holds what there is: nothing is released, nothing is lost, and it goes on when it is there again.
func TestAConfigMapThatIsDeleted(t *testing.T) {
	h := startedConfigured(t)
	stable := h.rollout().Status.StableRevision
	h.remove(webConfig(""))
	h.settle()
	h.wantStalled(v1alpha1.ReasonConfigurationNotFound, []string{"spec.configuration.configMaps[0].name", "create it"})
	if got := h.rollout().Status; got.UpdateRevision != stable || h.greeting(stable) != "hello" || len(h.copies()) != 2 {
		t.Errorf("it asks for %s, and has the copies %v", got.UpdateRevision, h.copies())
	}
	h.make(webConfig("hello"))
	h.settle()
	if got := h.rollout().Status; got.Phase != v1alpha1.PhaseHealthy || got.UpdateRevision != stable {
		t.Errorf("%s: %s", got.Phase, got.Message)
	}
}

// A release whose ConfigMap is deleted is not thrown back by that.
func TestAConfigMapThatIsDeletedInMidRelease(t *testing.T) {
	h := startedConfigured(t)
	h.greet("good day")
	candidate := h.rollout().Status.State.Candidate
	h.remove(webConfig(""))
	h.settle()
	if got := h.rollout().Status; got.State.Stage != v1alpha1.StageStepping || got.State.Candidate != candidate || h.weight() != 20 {
		t.Errorf("stage %q of %s, weight %d: %s", got.State.Stage, got.State.Candidate, h.weight(), got.Message)
	}
}

// exchange puts one image in the place of another one in the template.
func (h *harness) exchange(from, to string) {
	h.t.Helper()
	h.edit(func(r *v1alpha1.Rollout) {
		r.Spec.Template.Raw = []byte(strings.ReplaceAll(string(r.Spec.Template.Raw), from, to))
	})
	h.settle()
}

// The stable template is a return, also while nobody knows what the ConfigMap says: stable has its copy.
func TestAReturnWaitsForNoConfigMap(t *testing.T) {
	h := startedConfigured(t)
	h.exchange(imageV1, imageV2)
	if h.weight() != 20 {
		t.Fatalf("the weight is %d: %s", h.weight(), h.rollout().Status.Message)
	}
	h.remove(webConfig(""))
	h.settle()
	if got := h.rollout().Status; got.State.Stage != v1alpha1.StageStepping || h.weight() != 20 {
		t.Errorf("without a ConfigMap: stage %q, weight %d: %s", got.State.Stage, h.weight(), got.Message)
	}
	h.exchange(imageV2, imageV1)
	if got := h.rollout().Status; got.State.Stage != v1alpha1.StageIdle || h.weight() != 0 || got.History[0].Outcome != v1alpha1.OutcomeReturned {
		t.Errorf("with the stable template: stage %q, weight %d: %s", got.State.Stage, h.weight(), got.Message)
	}
}

// A copy that somebody deletes is made again while its content is at hand.
func TestACopyThatIsDeletedComesBack(t *testing.T) {
	h := startedConfigured(t)
	before := h.copies()
	h.remove(&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: strings.TrimPrefix(before[0], "ConfigMap ")}})
	h.settle()
	if after := h.copies(); len(after) != 2 || after[0] != before[0] {
		t.Errorf("copies %v, want %v", after, before)
	}
}

// A policy that keeps a copy which nobody needs is told of, and an abort is carried out and recorded all the same.
func TestACopyThatMayNotBeDeleted(t *testing.T) {
	h := startedConfigured(t)
	h.greet("good day")
	candidate := h.rollout().Status.State.Candidate
	h.make(&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{
		Name: "web-config-web-left", Labels: map[string]string{v1alpha1.LabelRollout: "web"},
	}})
	h.fault = func(_ int, write func() error) error {
		if strings.HasPrefix(h.writes[len(h.writes)-1], "delete ") {
			return apierrors.NewForbidden(schema.GroupResource{Resource: "configmaps"}, "web-config-web-left", errors.New("policy: keep"))
		}
		return write()
	}
	h.settle()
	for _, want := range []string{"delete ConfigMap web-config-web-left", "policy: keep"} {
		if got := h.rollout().Status.Message; !strings.Contains(got, want) {
			t.Errorf("%q does not stand in %q", want, got)
		}
	}
	h.command(v1alpha1.ActionAbort, candidate, "1")
	h.settle()
	h.elapse(time.Minute)
	status := h.rollout().Status
	if status.LastCommand == nil || status.LastCommand.ID != "1" || status.State.Stage != v1alpha1.StageAborted || h.weight() != 0 {
		t.Errorf("the abort is answered by %v; stage %q, weight %d: %s", status.LastCommand, status.State.Stage, h.weight(), status.Message)
	}
}

// A template that names a copy by its own name, as that of a Deployment does which took the pods of a Rollout, keeps the copy: of
// the ConfigMap and of the Secret, also when the revision that they were made for is gone.
func TestACopyThatATemplateNamesStays(t *testing.T) {
	h := startedConfigured(t)
	copies := h.copies()
	names := strings.NewReplacer("web-config", strings.TrimPrefix(copies[0], "ConfigMap "), "database", strings.TrimPrefix(copies[1], "Secret "))
	for i, image := range []string{imageV2, imageV3} {
		h.edit(func(r *v1alpha1.Rollout) {
			r.Spec.Configuration, r.Spec.RevisionHistoryLimit = nil, ptr.To[int32](0)
			r.Spec.Template.Raw = []byte(strings.ReplaceAll(names.Replace(configuredTemplate()), imageV1, image))
		})
		h.settle()
		h.promoteFull(fmt.Sprint(i))
	}
	if sets := h.listReplicaSets(); len(sets) != 1 || v1alpha1.ConfigurationVersions(&sets[0]) != nil {
		t.Fatalf("%d ReplicaSets, want the last one only", len(sets))
	}
	if diff := cmp.Diff(copies, h.copies()); diff != "" {
		t.Errorf("copies (-want +got):\n%s", diff)
	}
	if reads := h.countReads(); len(h.since(h.settle)) > 0 || len(*reads) > 0 {
		t.Errorf("at rest it reads %v", *reads)
	}
	h.edit(func(r *v1alpha1.Rollout) { r.Spec.Template.Raw = routed().Obj().Spec.Template.Raw })
	h.settle()
	if diff := cmp.Diff(copies, h.copies()); diff != "" {
		t.Errorf("copies while stable names them (-want +got):\n%s", diff)
	}
	h.promoteFull("last")
	if left := h.copies(); len(left) > 0 {
		t.Errorf("%v, which no template names, are still there", left)
	}
}

// An object of somebody else with the name of a copy is left alone, and told of.
func TestACopyOfSomebodyElse(t *testing.T) {
	h := startedConfigured(t)
	next := webConfig("good day")
	hash, err := configuration.HashConfigMap(next)
	if err != nil {
		t.Fatal(err)
	}
	name := "web-config-web-" + hash
	h.make(&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}, Data: map[string]string{"greeting": "mine"}})
	h.greet("good day")
	h.wantStalled(v1alpha1.ReasonConfigurationInvalid, []string{name, "is somebody else's", "delete it"})
	kept := &corev1.ConfigMap{}
	h.get(name, kept)
	if kept.Data["greeting"] != "mine" || h.weight() != 0 {
		t.Errorf("it says %q, weight %d", kept.Data["greeting"], h.weight())
	}
	h.remove(kept)
	h.elapse(refusedWait)
	if h.weight() != 20 {
		t.Errorf("weight %d: %s", h.weight(), h.rollout().Status.Message)
	}
}

// Without the right to read Secrets the Rollout says which RoleBinding to create.
func TestSecretsThatMayNotBeRead(t *testing.T) {
	h := newHarness(t, append(network(), webConfig("hello"), database(canarySecret), configured(v1alpha1.ConfigurationChangeRelease).Obj())...)
	allowed := false
	h.r.live = interceptor.NewClient(h.base, interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, obj client.Object, opts ...client.GetOption) error {
			if obj.GetObjectKind().GroupVersionKind().Kind == "Secret" || fmt.Sprintf("%T", obj) == "*v1.Secret" {
				if !allowed {
					return apierrors.NewForbidden(schema.GroupResource{Resource: "secrets"}, key.Name,
						errors.New(`User "system:serviceaccount:releases:sluice" cannot get resource "secrets"`))
				}
			}
			return c.Get(ctx, key, obj, opts...)
		},
	})
	h.settle()
	h.wantStalled(v1alpha1.ReasonConfigurationForbidden, []string{
		"spec.configuration.secrets[0].name", `Secret "database"`,
		"kubectl -n shop create rolebinding sluice-configuration-secrets --clusterrole=sluice-configuration-secrets --serviceaccount=releases:sluice",
	})
	allowed = true
	h.elapse(secretRetry)
	if got := h.rollout().Status; got.Phase != v1alpha1.PhaseHealthy {
		t.Errorf("%s: %s", got.Phase, got.Message)
	}
}

// A change that asks for a restart replaces every pod once, and is no release; one that is ignored is nothing.
func TestAChangeThatRestarts(t *testing.T) {
	h := started(t, configured(v1alpha1.ConfigurationChangeRestart), append(network(), webConfig("hello"), database(canarySecret))...)
	if len(h.copies()) > 0 {
		t.Errorf("copies %v", h.copies())
	}
	old, stable := h.podNames(), h.rollout().Status.StableRevision
	h.clock.SetTime(h.clock.Now().Add(30 * time.Second))
	h.greet("good day")
	h.elapse(time.Second)
	for name := range h.podNames() {
		if old[name] {
			t.Errorf("pod %s is still there", name)
		}
	}
	told := strings.Join(h.told(), "\n")
	if got := h.rollout().Status; got.StableRevision != stable || got.Phase != v1alpha1.PhaseHealthy ||
		strings.Count(told, "because ConfigMap web-config changed") != 1 {
		t.Errorf("stable %s, %s; told of\n%s", got.StableRevision, got.Message, told)
	}
	writes := h.since(h.settle)
	if len(writes) > 0 {
		t.Errorf("and then %v", writes)
	}
}

// many is a harness with five Rollouts of one ConfigMap, of which two may be released at the same time, and a function that lets
// each of them act.
func many(t *testing.T, step *builder.StepBuilder) (h *harness, names []string, each func()) {
	t.Helper()
	h = newHarness(t, webConfig("hello"))
	h.r.turns = 2
	for i := range 5 {
		name := fmt.Sprintf("web-%d", i)
		names = append(names, name)
		rollout := builder.Rollout(name).Replicas(1).Canary(step).With(func(r *v1alpha1.Rollout) {
			r.Spec.Template.Raw = []byte(strings.ReplaceAll(`{"metadata":{"labels":{"app":"NAME"}},"spec":{"containers":[{"name":"web","image":"`+
				imageV1+`","envFrom":[{"configMapRef":{"name":"web-config"}}]}]}}`, "NAME", name))
			r.Spec.Configuration = &v1alpha1.Configuration{ConfigMaps: []v1alpha1.ConfigurationReference{{Name: "web-config"}}}
		}).Obj()
		h.make(rollout)
	}
	each = func() {
		for range 2 {
			for _, name := range names {
				h.key.Name = name
				h.settle()
			}
		}
	}
	each()
	return h, names, each
}

// A release that waits for a person, who may have forgotten it, keeps no other one from its turn.
func TestAPersonHoldsNoTurn(t *testing.T) {
	h, names, each := many(t, builder.Step().Weight("50").Hold())
	alter(h, "web-config", &corev1.ConfigMap{}, func(c *corev1.ConfigMap) { c.Data["greeting"] = "good day" })
	for range 3 {
		each()
	}
	if got := h.pictureOfTurns(names); got != "RRRRR" {
		t.Errorf("%s, want all of them at their step", got)
	}
}

// Of many Rollouts with one ConfigMap a few are released at the same time, in order of name, and all in the end.
func TestManyRolloutsTakeTurns(t *testing.T) {
	h, names, each := many(t, builder.Step().Weight("50").Pause(24*time.Hour))
	alter(h, "web-config", &corev1.ConfigMap{}, func(c *corev1.ConfigMap) { c.Data["greeting"] = "good day" })
	for turn, want := range []string{"RR...", "-RR..", "--RR.", "---RR", "----R", "-----"} {
		each()
		got := h.pictureOfTurns(names)
		if got != want {
			t.Fatalf("turn %d: %s, want %s", turn, got, want)
		}
		if turn < len(names) {
			h.key.Name = names[turn]
			h.command(v1alpha1.ActionPromoteFull, h.rollout().Status.State.Candidate, fmt.Sprint(turn))
			h.settle()
			h.elapse(time.Minute)
		}
	}
}

// pictureOfTurns has a letter for each Rollout: R is released, a dot waits for its turn, and a dash is at rest.
func (h *harness) pictureOfTurns(names []string) string {
	h.t.Helper()
	var out strings.Builder
	for _, name := range names {
		h.key.Name = name
		status := h.rollout().Status
		switch {
		case status.State.Stage == v1alpha1.StageStepping:
			out.WriteString("R")
		case lastReason(&status) == v1alpha1.ReasonWaitingForTurn:
			out.WriteString(".")
		case status.Phase == v1alpha1.PhaseHealthy:
			out.WriteString("-")
		default:
			out.WriteString("(" + status.Message + ")")
		}
	}
	return out.String()
}
