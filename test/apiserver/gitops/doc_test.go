//go:build apiserver

// Package gitops_test runs the recipes of docs/gitops.md: what Argo CD, Flux and Helm write to the API server, as they write
// it, beside the controllers. The tools themselves are not run.
package gitops_test

import (
	"os"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/sluice-dev/sluice/test/apiserver/env"
)

func TestMain(m *testing.M) {
	os.Exit(env.Main(m))
}

// service and route are what stands in version control.
const (
	service = `
apiVersion: v1
kind: Service
metadata:
  name: web
spec:
  selector:
    app: web
  ports:
  - name: http
    port: 80
    targetPort: http
`
	route = `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  name: web
spec:
  parentRefs:
  - name: gateway
  rules:
  - backendRefs:
    - name: web
      port: 80
`
)

// manifests are both, and with what was committed since.
func manifests(t *testing.T, commits ...func(service, route *unstructured.Unstructured)) []*unstructured.Unstructured {
	t.Helper()
	out := []*unstructured.Unstructured{parse(t, service), parse(t, route)}
	for _, commit := range commits {
		commit(out[0], out[1])
	}
	return out
}

func parse(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	out := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(text), &out.Object); err != nil {
		t.Fatal(err)
	}
	return out
}

// hostname commits another field of the route.
func hostname(_, route *unstructured.Unstructured) {
	spec, _ := route.Object["spec"].(map[string]any)
	spec["hostnames"] = []any{"shop.example.com"}
}

// label commits another field of the Service.
func label(service, _ *unstructured.Unstructured) {
	service.SetLabels(map[string]string{"team": "shop"})
}

// recipe is the first block of docs/gitops.md below a heading.
func recipe(t *testing.T, heading string) string {
	t.Helper()
	page, err := os.ReadFile("../../../docs/gitops.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(page), "\n## "+heading+"\n")
	if found {
		_, section, found = strings.Cut(section, "\n```yaml\n")
	}
	block, _, closed := strings.Cut(section, "\n```\n")
	if !found || !closed {
		t.Fatalf("docs/gitops.md has no block of YAML below %q", heading)
	}
	return block
}
