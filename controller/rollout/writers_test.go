package rollout

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/controller/planner"
	"github.com/sluice-dev/sluice/trafficrouting"
)

// TestKeepWriters holds what stays in memory of managed fields: enough to name who wrote a selector or the rules of a
// route, and nothing of what many objects have.
func TestKeepWriters(t *testing.T) {
	entry := func(manager, fields, subresource string) metav1.ManagedFieldsEntry {
		return metav1.ManagedFieldsEntry{Manager: manager, FieldsV1: metav1.NewFieldsV1(fields), FieldsType: "FieldsV1", Subresource: subresource}
	}
	selector, ports := `{"f:spec":{"f:ports":{},"f:selector":{}}}`, `{"f:spec":{"f:ports":{}}}`
	for name, row := range map[string]struct {
		object client.Object
		fields []metav1.ManagedFieldsEntry
		want   []string // the managers that stay
	}{
		"a selector by somebody":    {&corev1.Service{}, []metav1.ManagedFieldsEntry{entry("helm", selector, ""), entry("kubectl", ports, "")}, []string{"helm"}},
		"a selector by us":          {&corev1.Service{}, []metav1.ManagedFieldsEntry{entry(FieldManager, selector, ""), entry("kubectl", ports, "")}, nil},
		"a route":                   {newRoute(), []metav1.ManagedFieldsEntry{entry("flux", `{"f:spec":{}}`, ""), entry("gateway", `{}`, "status")}, []string{"flux"}},
		"an object of another kind": {&appsv1.Deployment{}, []metav1.ManagedFieldsEntry{entry("flux", `{"f:spec":{}}`, "")}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			row.object.SetManagedFields(row.fields)
			out, err := KeepWriters(row.object)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(row.want, managersOf(t, out)); diff != "" {
				t.Errorf("managers (-want +got):\n%s", diff)
			}
		})
	}
}

// TestHands holds that the planner is told what routers say, and that a deletion which an informer has missed is let through.
func TestHands(t *testing.T) {
	if _, err := KeepWriters("what an informer may give for a deletion"); err != nil {
		t.Error(err)
	}
	want := []planner.Hand{{Route: "HTTPRoute shop/web", Weight: 5, Laid: []int{1}, By: "helm"}}
	got := hands([]trafficrouting.Writer{{Route: "HTTPRoute shop/web", Weight: 5, Overlays: []int{1}, Manager: "helm"}})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("hands (-want +got):\n%s", diff)
	}
}

// managersOf are those that an object still names; of a Service also who wrote its selector must be told by them.
func managersOf(t *testing.T, in any) []string {
	t.Helper()
	object, ok := in.(client.Object)
	if !ok {
		t.Fatalf("%T is no object", in)
	}
	var out []string
	for _, e := range object.GetManagedFields() {
		out = append(out, e.Manager)
	}
	if service, is := in.(*corev1.Service); is && selectorWriter(service) != strings.Join(out, "") {
		t.Errorf("the selector is by %q, want %q", selectorWriter(service), out)
	}
	return out
}

func newRoute() *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute"}}
}
