package rollout

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

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
			var got []string
			for _, e := range out.(client.Object).GetManagedFields() {
				got = append(got, e.Manager)
			}
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Errorf("managers (-want +got):\n%s", diff)
			}
			if service, ok := out.(*corev1.Service); ok && len(row.want) > 0 && selectorWriter(service) != row.want[0] {
				t.Errorf("the selector is by %q", selectorWriter(service))
			}
		})
	}
	if _, err := KeepWriters("what an informer may give for a deletion"); err != nil {
		t.Error(err)
	}
}

func TestHands(t *testing.T) {
	if got := hands([]trafficrouting.Writer{{Route: "HTTPRoute shop/web", Weight: 5, Manager: "helm"}}); len(got) != 1 ||
		got[0].Route != "HTTPRoute shop/web" || got[0].Weight != 5 || got[0].By != "helm" {
		t.Errorf("hands are %+v", got)
	}
}

func newRoute() *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute"}}
}
