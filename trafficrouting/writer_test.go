package trafficrouting

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestLastWriter(t *testing.T) {
	at := func(second int) *metav1.Time {
		return &metav1.Time{Time: time.Date(2030, time.June, 1, 12, 0, second, 0, time.UTC)}
	}
	entry := func(manager, fields string, second int) metav1.ManagedFieldsEntry {
		return metav1.ManagedFieldsEntry{Manager: manager, FieldsV1: metav1.NewFieldsV1(fields), Time: at(second)}
	}
	const rules, parents = `{"f:spec":{"f:rules":{}}}`, `{"f:spec":{"f:parentRefs":{}}}`
	status := entry("gateway", rules, 9)
	status.Subresource = "status"
	for name, row := range map[string]struct {
		managed []metav1.ManagedFieldsEntry
		want    string
	}{
		"nobody":                            {nil, ""},
		"one":                               {[]metav1.ManagedFieldsEntry{entry("argocd-controller", rules, 1)}, "argocd-controller"},
		"with traffic, we":                  {[]metav1.ManagedFieldsEntry{entry(FieldManager, rules, 1)}, ""},
		"without, we":                       {[]metav1.ManagedFieldsEntry{entry(RestFieldManager, rules, 1)}, ""},
		"who wrote the same as we did":      {[]metav1.ManagedFieldsEntry{entry("flux", rules, 2), entry(FieldManager, rules, 1)}, ""},
		"the latest of several":             {[]metav1.ManagedFieldsEntry{entry("helm", rules, 1), entry("flux", rules, 3), entry("kubectl", rules, 2)}, "flux"},
		"one without a time":                {[]metav1.ManagedFieldsEntry{{Manager: "old", FieldsV1: metav1.NewFieldsV1(rules)}, entry("flux", rules, 3)}, "flux"},
		"who wrote something else":          {[]metav1.ManagedFieldsEntry{entry("flux", parents, 3)}, ""},
		"and so did we":                     {[]metav1.ManagedFieldsEntry{entry(RestFieldManager, parents, 3), entry("flux", rules, 2)}, "flux"},
		"who wrote the status":              {[]metav1.ManagedFieldsEntry{status}, ""},
		"what cannot be read names nobody":  {[]metav1.ManagedFieldsEntry{entry("flux", `[]`, 3)}, ""},
		"what names no fields names nobody": {[]metav1.ManagedFieldsEntry{{Manager: "flux"}}, ""},
	} {
		if got := LastWriter(row.managed, "f:spec", "f:rules"); got != row.want {
			t.Errorf("%s: %q, want %q", name, got, row.want)
		}
	}
}
