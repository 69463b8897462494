//go:build apiserver

package apiserver_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/apiserver/env"
	"github.com/sluice-dev/sluice/test/builder"
)

// future is a template of a Kubernetes that is not there yet: it has unknown fields on every kind of level.
const future = `{
	"metadata": {"labels": {"app": "web"}, "ownedByTheFuture": "yes"},
	"spec": {
		"placement": {"near": ["sun", "sea"], "strictly": true},
		"containers": [{
			"name": "web",
			"image": "registry.example/web:v1",
			"wakeUp": {"at": 7},
			"ports": [{"containerPort": 8080, "protocol": "TCP", "speed": 10}],
			"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k", "version": 3}}}],
			"resources": {"limits": {"memory": "64Mi", "light": 1}, "burst": {"for": "1m"}}
		}],
		"volumes": [{"name": "v", "emptyDir": {"colour": "blue"}}, {"name": "w", "hologram": {"of": "a disk"}}]
	}
}`

// TestUnknownFieldsSurvive writes a template with fields that nobody knows, reads it into the Go type, writes it back
// from there, and looks at what the API server has.
func TestUnknownFieldsSurvive(t *testing.T) {
	e := env.Start(t)
	var want any
	if err := json.Unmarshal([]byte(future), &want); err != nil {
		t.Fatal(err)
	}
	rollout := builder.Rollout("web").Namespace(e.Namespace).TemplateJSON(future).Obj()
	if err := e.Client.Create(t.Context(), rollout, client.FieldValidation(metav1.FieldValidationStrict)); err != nil {
		t.Fatal(err)
	}
	read := &v1alpha1.Rollout{}
	if err := e.Client.Get(t.Context(), client.ObjectKeyFromObject(rollout), read); err != nil {
		t.Fatal(err)
	}
	read.Spec.Paused = true
	if err := e.Client.Update(t.Context(), read); err != nil {
		t.Fatal(err)
	}
	stored := readRaw(t, e)
	got, _, err := unstructured.NestedFieldNoCopy(stored.Object, "spec", "template")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, throughJSON(t, got)); diff != "" {
		t.Errorf("template (-written +stored):\n%s", diff)
	}
}

// TestTemplateIsStoredAsWritten: a default that the schema filled in would be a new revision after an upgrade of the
// CRD. The one exception is the protocol of a port, which is a key of its list.
func TestTemplateIsStoredAsWritten(t *testing.T) {
	e := env.Start(t)
	rollout := builder.Rollout("web").Namespace(e.Namespace).TemplateJSON(`{
		"metadata": {"labels": {"app": "web"}},
		"spec": {
			"containers": [{
				"name": "web", "image": "registry.example/web:v1",
				"ports": [{"containerPort": 8080}],
				"envFrom": [{"configMapRef": {}}],
				"livenessProbe": {"grpc": {"port": 8080}}
			}],
			"volumes": [{"name": "v", "secret": {"secretName": "s"}}, {"name": "w", "configMap": {"name": "c"}}]
		}}`).Obj()
	if err := e.Client.Create(t.Context(), rollout); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"metadata": map[string]any{"labels": map[string]any{"app": "web"}},
		"spec": map[string]any{
			"containers": []any{map[string]any{
				"name": "web", "image": "registry.example/web:v1",
				"ports":         []any{map[string]any{"containerPort": 8080.0, "protocol": "TCP"}},
				"envFrom":       []any{map[string]any{"configMapRef": map[string]any{}}},
				"livenessProbe": map[string]any{"grpc": map[string]any{"port": 8080.0}},
			}},
			"volumes": []any{
				map[string]any{"name": "v", "secret": map[string]any{"secretName": "s"}},
				map[string]any{"name": "w", "configMap": map[string]any{"name": "c"}},
			},
		},
	}
	got, _, err := unstructured.NestedFieldNoCopy(readRaw(t, e).Object, "spec", "template")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(any(want), throughJSON(t, got)); diff != "" {
		t.Errorf("template (-written +stored):\n%s", diff)
	}
}

// TestTwoManagersShareATemplate: version control owns the Rollout, a pipeline owns the image of one container.
func TestTwoManagersShareATemplate(t *testing.T) {
	e := env.Start(t)
	apply(t, e, "git", gitManifest)
	apply(t, e, "pipeline", imageManifest("web", "registry.example/web:v2"))

	if diff := cmp.Diff(map[string]string{"web": "registry.example/web:v2", "proxy": "registry.example/proxy:v7"},
		images(t, e)); diff != "" {
		t.Errorf("after the pipeline (-want +got):\n%s", diff)
	}
	// Version control applies again what it has, without an image of web: the image stays.
	apply(t, e, "git", gitManifest)
	if got := images(t, e)["web"]; got != "registry.example/web:v2" {
		t.Errorf("image of web = %q after another apply of version control, want the pipeline's", got)
	}
	// Whoever writes a field of the other gets a conflict, not a surprise.
	_, err := e.Kubectl(t, imageManifest("web", "registry.example/web:v3"), "apply", "--server-side", "--field-manager",
		"somebody", "--filename", "-")
	if err == nil {
		t.Error("a third manager took the image without a conflict")
	}
	// Each owns a list item by its key: environment, ports and mounts merge in the same way.
	apply(t, e, "agent", agentManifest)
	template, err := readTyped(t, e).PodTemplate()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, variable := range template.Spec.Containers[0].Env {
		names = append(names, variable.Name)
	}
	if diff := cmp.Diff([]string{"LOG_LEVEL", "TRACING"}, names); diff != "" {
		t.Errorf("environment of web (-want +got):\n%s", diff)
	}
	if got := len(template.Spec.Containers[0].Ports); got != 2 {
		t.Errorf("%d ports, want 2: 8080 of version control and 9090 of the agent", got)
	}
}

const gitManifest = `
apiVersion: sluice.dev/v1alpha1
kind: Rollout
metadata:
  name: web
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        env: [{name: LOG_LEVEL, value: info}]
        ports: [{containerPort: 8080}]
      - name: proxy
        image: registry.example/proxy:v7
  strategy:
    rollingUpdate: {}
`

const agentManifest = `
apiVersion: sluice.dev/v1alpha1
kind: Rollout
metadata:
  name: web
spec:
  template:
    spec:
      containers:
      - name: web
        env: [{name: TRACING, value: "on"}]
        ports: [{containerPort: 9090}]
`

func imageManifest(container, image string) string {
	return `{"apiVersion": "sluice.dev/v1alpha1", "kind": "Rollout", "metadata": {"name": "web"},
		"spec": {"template": {"spec": {"containers": [{"name": "` + container + `", "image": "` + image + `"}]}}}}`
}

func apply(t *testing.T, e *env.Env, manager, manifest string) {
	t.Helper()
	if _, err := e.Kubectl(t, manifest, "apply", "--server-side", "--field-manager", manager, "--filename", "-"); err != nil {
		t.Fatalf("apply as %s: %v", manager, err)
	}
}

func images(t *testing.T, e *env.Env) map[string]string {
	t.Helper()
	template, err := readTyped(t, e).PodTemplate()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, container := range template.Spec.Containers {
		found[container.Name] = container.Image
	}
	return found
}

// readTyped reads the Rollout web, which these tests make.
func readTyped(t *testing.T, e *env.Env) *v1alpha1.Rollout {
	t.Helper()
	rollout := &v1alpha1.Rollout{}
	if err := e.Client.Get(t.Context(), client.ObjectKey{Namespace: e.Namespace, Name: "web"}, rollout); err != nil {
		t.Fatal(err)
	}
	return rollout
}

// readRaw reads it with all its fields, known or not.
func readRaw(t *testing.T, e *env.Env) *unstructured.Unstructured {
	t.Helper()
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind(v1alpha1.RolloutKind))
	if err := e.Client.Get(t.Context(), client.ObjectKey{Namespace: e.Namespace, Name: "web"}, object); err != nil {
		t.Fatal(err)
	}
	return object
}

// throughJSON makes all numbers of a value floats, as encoding/json reads them.
func throughJSON(t *testing.T, value any) any {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	var out any
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// labelled is a template with labels and one container.
func labelled(labels map[string]string) []byte {
	text, err := json.Marshal(corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: labels},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "web", Image: "registry.example/web:v1"}}},
	})
	if err != nil {
		panic(err)
	}
	return text
}

// TestGoTemplateIsAccepted: what a Go client sends of a whole Kubernetes template, with its nulls, is a template.
func TestGoTemplateIsAccepted(t *testing.T) {
	e := env.Start(t)
	rollout := builder.Rollout("web").Namespace(e.Namespace).TemplateJSON(`{
		"metadata": {"creationTimestamp": null, "labels": {"app": "web"}},
		"spec": {"containers": [{"name": "web", "image": "registry.example/web:v1", "resources": {}}]}}`).Obj()
	if err := e.Client.Create(t.Context(), rollout); err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatal(err)
	}
	if _, err := readTyped(t, e).PodTemplate(); err != nil {
		t.Error(err)
	}
}
