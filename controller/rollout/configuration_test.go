package rollout

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller/command"
	"github.com/sluice-dev/sluice/controller/configuration"
	"github.com/sluice-dev/sluice/controller/revision"
	"github.com/sluice-dev/sluice/test/builder"
)

// canarySecret is a content that must be found nowhere but in Secrets.
const canarySecret = "hunter2-canary"

func webConfig(value string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{
		Name: "web-config", Labels: map[string]string{"argocd.argoproj.io/instance": "shop"},
	}, Data: map[string]string{"greeting": value}}
}

func database(password string) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "database"}, Type: corev1.SecretTypeOpaque,
		Data: map[string][]byte{"password": []byte(password)},
	}
}

// configured is a canary whose pods read the ConfigMap web-config and the Secret database.
func configured(onChange v1alpha1.ConfigurationChange) *builder.RolloutBuilder {
	return routed().TemplateJSON(configuredTemplate()).With(func(r *v1alpha1.Rollout) {
		r.Spec.Configuration = &v1alpha1.Configuration{
			ConfigMaps: []v1alpha1.ConfigurationReference{{Name: "web-config", OnChange: onChange}},
			Secrets:    []v1alpha1.ConfigurationReference{{Name: "database", OnChange: onChange}},
		}
	})
}

func configuredTemplate() string {
	return fmt.Sprintf(`{"metadata":{"labels":{"app":"web"}},"spec":{"gravity":9.81,"containers":[{"name":"web","image":%q,`+
		`"envFrom":[{"configMapRef":{"name":"web-config"}}]}],"volumes":[{"name":"db","secret":{"secretName":"database"}}]}}`, imageV1)
}

// startedConfigured is a harness at rest, with a first revision that has copies.
func startedConfigured(t *testing.T) *harness {
	t.Helper()
	return started(t, configured(v1alpha1.ConfigurationChangeRelease), append(network(), webConfig("hello"), database(canarySecret+"-1"))...)
}

// greeting is what the pods of a revision read from the ConfigMap, by the name in its ReplicaSet.
func (h *harness) greeting(hash string) string {
	h.t.Helper()
	for _, rs := range h.listReplicaSets() {
		if rs.Labels[v1alpha1.LabelPodTemplateHash] != hash {
			continue
		}
		out := &corev1.ConfigMap{}
		h.get(rs.Spec.Template.Spec.Containers[0].EnvFrom[0].ConfigMapRef.Name, out)
		return out.Data["greeting"]
	}
	h.t.Fatalf("there is no ReplicaSet of %s", hash)
	return ""
}

// greet changes the ConfigMap, as a person does, and the time goes on.
func (h *harness) greet(value string) {
	h.t.Helper()
	alter(h, "web-config", &corev1.ConfigMap{}, func(c *corev1.ConfigMap) { c.Data["greeting"] = value })
	h.settle()
}

// copies are the names of the copies in the namespace.
func (h *harness) copies() []string {
	h.t.Helper()
	var out []string
	var configMaps corev1.ConfigMapList
	var secrets corev1.SecretList
	for _, list := range []client.ObjectList{&configMaps, &secrets} {
		if err := h.base.List(h.t.Context(), list, client.InNamespace(namespace), client.HasLabels{v1alpha1.LabelRollout}); err != nil {
			h.t.Fatal(err)
		}
	}
	for _, c := range configMaps.Items {
		out = append(out, "ConfigMap "+c.Name)
	}
	for _, c := range secrets.Items {
		out = append(out, "Secret "+c.Name)
	}
	return out
}

func (h *harness) promoteFull(id string) {
	h.t.Helper()
	h.command(v1alpha1.ActionPromoteFull, h.rollout().Status.State.Candidate, id)
	h.settle()
	h.elapse(time.Minute)
	if got := h.rollout().Status; got.Phase != v1alpha1.PhaseHealthy {
		h.t.Fatalf("after the promotion it is %s: %s", got.Phase, got.Message)
	}
}

// A changed ConfigMap is a release: both revisions keep their own content, an abort goes back to the old one, and the
// template of the spec is left as it was written.
func TestAChangedConfigMapIsReleased(t *testing.T) {
	h := startedConfigured(t)
	v1 := h.rollout().Status.StableRevision
	h.greet("good day")
	status := h.rollout().Status
	if status.State.Stage != v1alpha1.StageStepping || h.weight() != 20 {
		t.Fatalf("stage %q, weight %d: %s", status.State.Stage, h.weight(), status.Message)
	}
	v2 := status.State.Candidate
	if h.greeting(v1) != "hello" || h.greeting(v2) != "good day" {
		t.Errorf("stable reads %q and the candidate %q", h.greeting(v1), h.greeting(v2))
	}
	h.command(v1alpha1.ActionAbort, v2, "1")
	h.settle()
	h.elapse(time.Minute)
	if got := h.rollout().Status; got.State.Stage != v1alpha1.StageAborted || h.selected("web") != v1 || h.greeting(v1) != "hello" {
		t.Errorf("after the abort: stage %q, web selects %s: %s", got.State.Stage, h.selected("web"), got.Message)
	}
	h.greet("hello")
	if got := h.rollout().Status; got.Phase != v1alpha1.PhaseHealthy || got.StableRevision != v1 {
		t.Errorf("with the old content again: %s, stable %s: %s", got.Phase, got.StableRevision, got.Message)
	}
}

// A release because of a changed ConfigMap says so, and leaves the template in the spec as it was written.
func TestAReleaseSaysWhichConfigMapChanged(t *testing.T) {
	h := startedConfigured(t)
	v1 := h.rollout().Status.StableRevision
	h.greet("good day")
	told := strings.Join(h.told(), "\n")
	if want := "because ConfigMap web-config changed; " + v1 + " is stable"; !strings.Contains(told, want) {
		t.Errorf("told of\n%s\nwant %q", told, want)
	}
	if diff := cmp.Diff([]string{"ConfigMap web-config"}, h.rollout().Status.State.Configuration); diff != "" {
		t.Error(diff)
	}
	want, err := revision.Canonical([]byte(configuredTemplate()))
	got, gotErr := revision.Canonical(h.rollout().Spec.Template.Raw)
	if err != nil || gotErr != nil || string(got) != string(want) {
		t.Errorf("the template in the spec is now %s", got)
	}
}

// A copy is immutable, ours, and has nothing of the original but its content.
func TestCopiesAreImmutable(t *testing.T) {
	h := startedConfigured(t)
	copies := h.copies()
	if len(copies) != 2 {
		t.Fatalf("copies %v, want 2", copies)
	}
	kept := &corev1.ConfigMap{}
	h.get(strings.TrimPrefix(copies[0], "ConfigMap "), kept)
	if !ptr.Deref(kept.Immutable, false) || !metav1.IsControlledBy(kept, h.rollout()) || len(kept.Labels) != 1 ||
		kept.Annotations[v1alpha1.AnnotationCopyOf] != "web-config" {
		t.Errorf("%+v", kept)
	}
	secret := &corev1.Secret{}
	h.get(strings.TrimPrefix(copies[1], "Secret "), secret)
	if !ptr.Deref(secret.Immutable, false) || string(secret.Data["password"]) != canarySecret+"-1" || secret.Type != corev1.SecretTypeOpaque {
		t.Errorf("the copy of the Secret has type %s and %d keys", secret.Type, len(secret.Data))
	}
}

// A Rollout at rest writes nothing and reads nothing from the API server, but for its Secrets once a minute.
func TestConfigurationAtRest(t *testing.T) {
	h := startedConfigured(t)
	h.restart()
	reads := h.countReads()
	h.settle()
	first := len(*reads)
	writes := h.since(func() {
		h.settle()
		h.clock.SetTime(h.clock.Now().Add(10 * time.Second))
		h.settle()
	})
	if len(writes) > 0 || len(*reads) != first || first != 2 {
		t.Errorf("writes %v; reads %v, want each object once", writes, *reads)
	}
	result, err := h.pass()
	if err != nil || result.RequeueAfter <= 0 || result.RequeueAfter > secretEvery {
		t.Errorf("another look after %s, %v; want one within %s", result.RequeueAfter, err, secretEvery)
	}
	h.elapse(secretEvery)
	if got := (*reads)[first:]; len(got) != 1 || got[0] != "*v1.Secret/database" {
		t.Errorf("after a minute %v were read, want the Secret", got)
	}
}

// countReads notes what is read from the API server.
func (h *harness) countReads() *[]string {
	reads := &[]string{}
	h.r.live = interceptor.NewClient(h.base, interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, obj client.Object, opts ...client.GetOption) error {
			*reads = append(*reads, fmt.Sprintf("%T/%s", obj, key.Name))
			return c.Get(ctx, key, obj, opts...)
		},
	})
	return reads
}

// A rotated Secret is found by itself, and released.
func TestARotatedSecretIsReleased(t *testing.T) {
	h := startedConfigured(t)
	alter(h, "database", &corev1.Secret{}, func(s *corev1.Secret) { s.Data["password"] = []byte(canarySecret + "-2") })
	h.settle()
	if got := h.rollout().Status.State.Stage; got != v1alpha1.StageIdle {
		t.Errorf("stage %q before anybody looked", got)
	}
	h.elapse(secretEvery)
	if got := h.rollout().Status; got.State.Stage != v1alpha1.StageStepping ||
		!slices.Equal(got.State.Configuration, []string{"Secret database"}) || len(h.copies()) != 3 {
		t.Errorf("stage %q because of %v, copies %v: %s", got.State.Stage, got.State.Configuration, h.copies(), got.Message)
	}
}

// Copies go with the last revision that reads them.
func TestCopiesGoWithTheirRevision(t *testing.T) {
	h := newHarness(t, append(network(), webConfig("0"), database(canarySecret),
		configured(v1alpha1.ConfigurationChangeRelease).With(func(r *v1alpha1.Rollout) { r.Spec.RevisionHistoryLimit = ptr.To[int32](1) }).Obj())...)
	h.settle()
	for i := 1; i < 4; i++ {
		h.greet(fmt.Sprint(i))
		h.promoteFull(fmt.Sprint(i))
	}
	sets, copies := h.listReplicaSets(), h.copies()
	if len(sets) != 2 || len(copies) != 3 {
		t.Errorf("%d ReplicaSets and %v, want 2, with a ConfigMap each and one Secret", len(sets), copies)
	}
	for _, c := range h.rollout().Status.Configuration {
		if want := map[string]int{v1alpha1.KindConfigMap: 2, v1alpha1.KindSecret: 1}[c.Kind]; len(c.Versions) != want || c.StableHash != c.Hash {
			t.Errorf("status %+v, want %d versions", c, want)
		}
	}
	alter(h, "database", &corev1.Secret{}, func(s *corev1.Secret) { s.Data["password"] = []byte(canarySecret + "-2") })
	h.elapse(secretEvery)
	h.promoteFull("4")
	h.greet("5")
	h.promoteFull("5")
	if copies := h.copies(); len(copies) != 3 {
		t.Errorf("%v, want the old Secret gone", copies)
	}
}

// An undo brings back the content as well as the template, and a release of the object's content follows when the version
// is removed.
func TestUndoBringsBackTheContent(t *testing.T) {
	h := startedConfigured(t)
	v1 := h.rollout().Status.StableRevision
	h.greet("good day")
	h.promoteFull("1")
	v2 := h.rollout().Status.StableRevision
	back, err := command.Undo(t.Context(), h.base, h.key, command.Previous)
	if err != nil || back.Hash != v1 {
		t.Fatalf("undo to %s, %v; want %s", back.Hash, err, v1)
	}
	h.edit(func(r *v1alpha1.Rollout) { r.Generation++ })
	h.settle()
	if got := h.rollout().Status; got.UpdateRevision != v1 || len(got.State.Configuration) > 0 {
		t.Fatalf("the undo asks for %s, want %s, because of %v", got.UpdateRevision, v1, got.State.Configuration)
	}
	if got := h.rollout().Spec.Configuration; got.ConfigMaps[0].Version == "" || got.Secrets[0].Version != "" {
		t.Errorf("pinned to %+v, want the ConfigMap only", got)
	}
	h.edit(func(r *v1alpha1.Rollout) { r.Spec.Configuration.ConfigMaps[0].Version = "" })
	h.settle()
	if got := h.rollout().Status; got.UpdateRevision != v2 {
		t.Errorf("without the version %s is asked for, want %s: %s", got.UpdateRevision, v2, got.Message)
	}
}

// The controller dies after each write of a release that makes copies: the end is the same, and no copy is left over.
func TestACrashBetweenCopyAndReplicaSet(t *testing.T) {
	run := func(crashAt int) (*harness, int) {
		h := startedConfigured(t)
		writes, crashed := 0, false
		h.fault = func(_ int, write func() error) error {
			writes++
			err := write()
			if !crashed && writes == crashAt {
				crashed = true
				h.restart()
				return errors.New("the controller is gone")
			}
			return err
		}
		h.greet("good day")
		return h, writes
	}
	want, writes := run(0)
	for at := 1; at <= writes; at++ {
		h, _ := run(at)
		if diff := cmp.Diff(want.picture(), h.picture()); diff != "" {
			t.Errorf("a crash after write %d of %d: %s", at, writes, diff)
		}
		if diff := cmp.Diff(want.copies(), h.copies()); diff != "" {
			t.Errorf("a crash after write %d of %d: %s", at, writes, diff)
		}
	}
}

// A content that changes between the look and the copy is released as what it is then, and never under the name of another.
func TestAContentThatChangesUnderneath(t *testing.T) {
	h := startedConfigured(t)
	looks := 0
	h.r.live = interceptor.NewClient(h.base, interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, obj client.Object, opts ...client.GetOption) error {
			if key.Name == "web-config" {
				looks++
			}
			if looks == 2 { // the first was for the hash, and this one is for the copy
				looks++
				alter(h, "web-config", &corev1.ConfigMap{}, func(c *corev1.ConfigMap) { c.Data["greeting"] = "latest" })
			}
			return c.Get(ctx, key, obj, opts...)
		},
	})
	h.greet("good day")
	status := h.rollout().Status
	if h.greeting(status.State.Candidate) != "latest" {
		t.Errorf("the candidate reads %q", h.greeting(status.State.Candidate))
	}
	for _, name := range h.copies() {
		if !strings.HasPrefix(name, "ConfigMap") {
			continue
		}
		kept := &corev1.ConfigMap{}
		h.get(strings.TrimPrefix(name, "ConfigMap "), kept)
		if hash, err := configuration.HashConfigMap(kept); err != nil || !strings.HasSuffix(kept.Name, hash) {
			t.Errorf("%s has a content of hash %s, %v", kept.Name, hash, err)
		}
	}
}

// What is secret is nowhere but in Secrets: not in a status, an event, an annotation, or an error.
func TestSecretsAreNotTold(t *testing.T) {
	h := startedConfigured(t)
	policy := func() error {
		return apierrors.NewForbidden(schema.GroupResource{Resource: "secrets"}, "x", fmt.Errorf("policy: password %s-2 is weak", canarySecret))
	}
	refusing := true
	h.fault = func(_ int, write func() error) error {
		if refusing && strings.HasPrefix(h.writes[len(h.writes)-1], "create *v1.Secret") {
			return policy()
		}
		return write()
	}
	alter(h, "database", &corev1.Secret{}, func(s *corev1.Secret) { s.Data["password"] = []byte(canarySecret + "-2") })
	h.elapse(secretEvery)
	h.elapse(refusedWait)
	told := h.told()
	if got := h.rollout().Status; !strings.Contains(got.Message, "refuses to create Secret database-web-") {
		t.Errorf("%s: %s", got.Phase, got.Message)
	}
	refusing = false
	h.elapse(refusedWait)
	h.command(v1alpha1.ActionAbort, h.rollout().Status.State.Candidate, "1")
	h.settle()
	var sets appsv1.ReplicaSetList
	if err := h.base.List(t.Context(), &sets); err != nil {
		t.Fatal(err)
	}
	everything, err := json.Marshal([]any{h.rollout(), sets.Items, append(told, h.told()...)})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(everything), canarySecret) || strings.Contains(string(everything), "aHVudGVyMi1jYW5hcnk") {
		t.Errorf("the secret stands in %s", everything)
	}
}

// Pods that are given back to a Deployment read the copies. They are the Deployment's from then on, and it is said which.
func TestADeploymentKeepsTheCopiesThatItReads(t *testing.T) {
	h := startedConfigured(t)
	h.greet("good day")
	h.promoteFull("1")
	h.settle()
	before := h.copies()
	var said []string
	takeover := h.takeover(nil)
	takeover.Say = func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) }
	if err := takeover.Eject(t.Context(), h.key); err != nil {
		t.Fatal(err)
	}
	read := []string{h.configMapOf().Name, "database"}
	told := strings.Join(said, "\n")
	for _, name := range read {
		if !strings.Contains(told, name) {
			t.Errorf("nothing is said of %s: %s", name, told)
		}
	}
	if after := h.copies(); len(after) != len(before)-2 || slices.Contains(after, "ConfigMap "+read[0]) {
		t.Errorf("the copies %v were %v, and %s is read", after, before, read)
	}
}

// configMapOf is the ConfigMap that the pods read of the Deployment web.
func (h *harness) configMapOf() *corev1.ConfigMap {
	h.t.Helper()
	d, out := &appsv1.Deployment{}, &corev1.ConfigMap{}
	h.get("web", d)
	h.get(d.Spec.Template.Spec.Containers[0].EnvFrom[0].ConfigMapRef.Name, out)
	return out
}
